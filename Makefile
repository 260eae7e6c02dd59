# Every target makes .venv by itself, and again when the requirements have changed.
#   PROFILE=quick|laptop|long|gpu|paper  SOURCE=phantom|open|pcam|camelyon17|panda|bimcv  CORES=all|2|...  FRESH=1 (ignore recorded rows)
# On a cluster:  make reproduce EXECUTOR=slurm SBATCH_PARTITION=gpu SBATCH_ACCOUNT=mine
#   SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_QOS, ... are sbatch's own variables, here or in the
#   environment; without them, the cluster's defaults. SBATCH_ARGS: any other options of sbatch.
#   JOBS: jobs in the queue at a time.  RETRIES: of a job that fails; one that is preempted or out of
#   time is requeued as often as need be.  POLL: seconds until the queue is looked at.
#   Logs of jobs: outputs/logs; those of jobs that succeed are removed.
PYTHON  ?= python3
PROFILE ?= quick
SOURCE  ?= phantom
CORES   ?= all
FRESH   ?= 0
EXECUTOR ?= local
JOBS    ?= 50
RETRIES ?= 2
POLL    ?= 20
GPUS    ?= $(shell nvidia-smi -L 2>/dev/null | wc -l)

UV   = uv==0.13.9
BIN  = .venv/bin
# Not .venv/bin/pytest and the like: a script's first line cannot hold every path.
RUN  = $(BIN)/python -m
quote = '$(subst ','\'',$(1))'
FOUND_PYTHON = $(call quote,$(PYTHON:~/%=$(HOME)/%))
WORKERS = $(if $(filter all,$(CORES)),auto,$(CORES))
# On a cluster, chapters are executed where make is called: two at a time, it is everybody's machine.
HERE = --cores $(CORES) $(if $(filter-out 0,$(GPUS)),--resources gpu=$(GPUS))
ON_SLURM = --executor slurm --jobs $(JOBS) --local-cores $(if $(filter all,$(CORES)),2,$(CORES)) \
	--retries $(RETRIES) --slurm-init-seconds-before-status-checks $(POLL)
SNAKEMAKE = $(RUN) sdlib.pipeline graph $(if $(filter slurm,$(EXECUTOR)),$(ON_SLURM),$(HERE)) \
	--rerun-incomplete --keep-going --keep-incomplete --quiet host reason \
	--config profile=$(call quote,$(PROFILE)) source=$(call quote,$(SOURCE)) fresh=$(call quote,$(FRESH))

export PYTHONUNBUFFERED = 1
# The workers of the graph and of the tests fill the cores: each of them takes one thread.
reproduce test book bench: export OMP_NUM_THREADS = 1

least = $(shell test $(call quote,$(1)) -ge $(2) 2>/dev/null && echo yes)
ifneq ($(CORES),all)
ifneq ($(call least,$(CORES),1),yes)
$(error expected CORES=all or a number of at least 1, got CORES=$(CORES))
endif
endif
ifeq ($(EXECUTOR),slurm)
ifneq ($(call least,$(JOBS),1)$(call least,$(POLL),1)$(call least,$(RETRIES),0),yesyesyes)
$(error expected JOBS and POLL of at least 1 and RETRIES of at least 0, got JOBS=$(JOBS) POLL=$(POLL) RETRIES=$(RETRIES))
endif
else ifneq ($(EXECUTOR),local)
$(error expected EXECUTOR=local or EXECUTOR=slurm, got EXECUTOR=$(EXECUTOR))
endif

.PHONY: help reproduce test book lab bench clean

help:
	@echo 'make reproduce   data -> search -> train -> chapters -> book   (PROFILE=quick SOURCE=phantom)'
	@echo '                 EXECUTOR=slurm on a cluster: the first lines of Makefile say how'
	@echo 'make test        lint, unit tests, doctests, every chapter executed'
	@echo 'make book        the book from the rows there are; no training'
	@echo 'make lab         the shift lab in a browser   (THEME=light|dark; UI=jupyter: JupyterLab on the chapters)'
	@echo 'make bench       ratios of speed'
	@echo 'make clean       removes working results (outputs/), not .venv'

reproduce: .venv/.stamp
	@$(RUN) sdlib.pipeline unlock
	$(SNAKEMAKE) train=1
	@$(RUN) sdlib.pipeline show

book: override EXECUTOR = local
book: .venv/.stamp
	@$(RUN) sdlib.pipeline unlock
	$(SNAKEMAKE) train=0
	@$(RUN) sdlib.pipeline show

test: .venv/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# papermill runs chapters from elsewhere; nbval runs these from their own folder, as Jupyter does
	$(RUN) pytest --nbval-lax -p no:cacheprovider book/5_reckoning
	$(RUN) pytest -n $(WORKERS) --dist loadgroup --durations 5

UI    ?= voila
THEME ?= light
# The folder before Voila's own holds a page that needs no network.
VOILA = OMP_NUM_THREADS=1 JUPYTER_PATH="$$PWD/book/lab" $(RUN) voila book/lab/shift_lab.ipynb \
	--template=local --theme=$(THEME) --show_tracebacks=True
lab: COMMAND = $(if $(filter jupyter,$(UI)),$(RUN) jupyterlab book,$(VOILA))
lab: .venv/.stamp
	@# no display: the address is printed, and may be opened elsewhere
	$(COMMAND) $(if $(filter Linux,$(shell uname)),$(if $(DISPLAY)$(WAYLAND_DISPLAY),,--no-browser))

bench: .venv/.stamp
	$(RUN) pytest tests/benchmarks -s

clean:
	rm -rf outputs .snakemake build *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks

.venv/.stamp: requirements.txt pyproject.toml
	@$(FOUND_PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 || { \
	  echo "expected Python 3.11, 3.12 or 3.13 (for 3.14 some packages lack wheels)," \
	    "got $$($(FOUND_PYTHON) --version 2>&1 | head -n 1): make PYTHON=/path/to/python3.11"; exit 1; }
	$(FOUND_PYTHON) -m venv .venv
	$(RUN) pip install --quiet $(UV)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.txt || { \
	  echo 'uv failed (above): once more with pip, which takes some minutes longer'; \
	  $(RUN) pip install -r requirements.txt; }
	$(RUN) pip install --quiet --no-deps -e .
	@touch $@

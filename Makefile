# Every target makes .venv by itself, and again when the requirements have changed.
#   PROFILE=quick|laptop|long|paper  SOURCE=phantom|open|pcam|camelyon17  CORES=all|2|...  FRESH=1 (ignore recorded rows)
PYTHON  ?= python3
PROFILE ?= quick
SOURCE  ?= phantom
CORES   ?= all
FRESH   ?= 0
GPUS    ?= $(shell nvidia-smi -L 2>/dev/null | wc -l)

UV   = uv==0.13.9
BIN  = .venv/bin
# Not .venv/bin/pytest and the like: a script's first line cannot hold every path.
RUN  = $(BIN)/python -m
quote = '$(subst ','\'',$(1))'
FOUND_PYTHON = $(call quote,$(PYTHON:~/%=$(HOME)/%))
WORKERS = $(if $(filter all,$(CORES)),auto,$(CORES))
SNAKEMAKE = $(RUN) sdlib.pipeline graph --cores $(CORES) $(if $(filter-out 0,$(GPUS)),--resources gpu=$(GPUS)) \
	--rerun-incomplete --keep-going --keep-incomplete --quiet host reason \
	--config profile=$(call quote,$(PROFILE)) source=$(call quote,$(SOURCE)) fresh=$(call quote,$(FRESH))

export PYTHONUNBUFFERED = 1
# The workers of the graph and of the tests fill the cores: each of them takes one thread.
reproduce test book bench: export OMP_NUM_THREADS = 1

ifneq ($(CORES),all)
ifneq ($(shell test $(call quote,$(CORES)) -ge 1 2>/dev/null && echo yes),yes)
$(error expected CORES=all or a number of at least 1, got CORES=$(CORES))
endif
endif

.PHONY: help reproduce test book lab bench clean

help:
	@echo 'make reproduce   data -> search -> train -> chapters -> book   (PROFILE=quick SOURCE=phantom)'
	@echo 'make test        lint, unit tests, doctests, every chapter executed'
	@echo 'make book        the book from the rows there are; no training'
	@echo 'make lab         the shift lab in a browser   (THEME=light|dark; UI=jupyter: JupyterLab on the chapters)'
	@echo 'make bench       ratios of speed'
	@echo 'make clean       removes working results (outputs/), not .venv'

reproduce: .venv/.stamp
	@$(RUN) sdlib.pipeline unlock
	$(SNAKEMAKE) train=1
	@$(RUN) sdlib.pipeline show

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

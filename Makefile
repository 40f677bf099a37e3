# Everything a developer does, each as one command. `make` lists them.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKOV := $(VENV)-checkov
# uv does not read what pip is told of a company's index and CA. To uv an empty variable is none.
pip_says = $$($(BIN)/pip config list 2>/dev/null | while IFS== read -r key value; do \
	test "$${key\#*.}" = $(1) && value=$${value\#?} && echo "$${value%?}" && break; done)
UV = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$(call pip_says,index-url)}" \
	SSL_CERT_FILE="$${SSL_CERT_FILE:-$${REQUESTS_CA_BUNDLE:-$(call pip_says,cert)}}" $(BIN)/uv
FAILED = { echo "error: installing failed, see above. If there was no connection or no matching distribution, the package index cannot be reached: check the network, its proxy and CA (docs/troubleshooting.md), then run make again" >&2; exit 1; }
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

# In a terminal, installing shows its progress.
QUIET := $(shell test -t 2 || echo --quiet)
# One more than there are cores, because many tests wait; who has none left takes some of another's, because some take long.
AT_ONCE = --dist worksteal -n $$($(BIN)/python -c "import os; print(min(4, 1 + os.cpu_count()))")

-include .env
export TASK_API_HOST TASK_API_PORT TASK_API_REDIS

.DEFAULT_GOAL := help
.PHONY: help install run schedule sam-local migrate check-data users trace errors slowest redrive republish restore adopt unit component test test-nightly test-all bench lint format types validate scan audit openapi endpoint new rename costs smoke pictures lock \
	clean build-SharedLayer build-CompiledLayerArm64 build-CompiledLayerX86

help: ## List these commands
	@while IFS= read -r line; do case $$line in [a-z]*:*"## "*) \
	  printf '  make %-12s %s\n' "$${line%%:*}" "$${line##*## }";; esac; done <Makefile

install: $(INSTALLED) ## Install what the commands below need into .venv

$(INSTALLED): requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or later is needed. Install it, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "error: $(PYTHON) is not Python 3.11 or later. Name another: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "installing into $(VENV): once, less than a minute"
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "error: $(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $$($(BIN)/pip --version >/dev/null 2>&1 || echo --clear) $(VENV) || { echo "error: $(VENV) cannot be made; the reason stands above" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || $(FAILED)
	@$(UV) pip sync $(QUIET) --python $(BIN)/python --compile-bytecode requirements/dev.txt || $(FAILED)
	@touch $@

run: $(INSTALLED) ## Serve the API on this machine; ARGS="--help" lists the options
	@$(BIN)/python -m tools.local $(ARGS)

schedule: $(INSTALLED) ## Call a function of the running stack now, as its schedule does; ARGS="--help" lists the options
	@$(BIN)/python -m tools.local.schedule $(ARGS)

sam-local: $(INSTALLED) ## Serve the API with SAM CLI in Docker; ARGS as for run
	@$(BIN)/python -m tools.local --docker --build $(ARGS)

migrate: $(INSTALLED) ## Migrate what is in a stack's tables; ARGS="--help" lists the options
	@$(BIN)/python -m tools.migrations $(ARGS)

check-data: $(INSTALLED) ## Tell whether what is in a stack's tables is consistent; ARGS="--help" lists the options
	@$(BIN)/python -m tools.migrations.check $(ARGS)

users: $(INSTALLED) ## Give a user a new password, delete one, or export what is kept of one; ARGS="--help" lists the options
	@$(BIN)/python -m tools.users $(ARGS)

trace: $(INSTALLED) ## Show all that a request caused: ID=<x-request-id>; ARGS="--help" lists the options
	@$(BIN)/python -m tools.logs trace "$(ID)" $(ARGS)

errors: $(INSTALLED) ## Count a stack's errors by function; ARGS="--help" lists the options
	@$(BIN)/python -m tools.logs errors $(ARGS)

slowest: $(INSTALLED) ## List the calls of a stack's functions that took longest; ARGS="--help" lists the options
	@$(BIN)/python -m tools.logs slowest $(ARGS)

redrive: $(INSTALLED) ## Send dead letters back to the queue that they came from; ARGS="--help" lists the options
	@$(BIN)/python -m tools.events.redrive $(ARGS)

republish: $(INSTALLED) ## Publish the events that were given up; ARGS="--help" lists the options
	@$(BIN)/python -m tools.events.republish $(ARGS)

restore: $(INSTALLED) ## Bring the tables of a stack back to a point in time; ARGS="--help" lists the options
	@$(BIN)/python -m tools.restore $(ARGS)

adopt: $(INSTALLED) ## Make a new stack around the tables that a deleted one has left; ARGS="--help" lists the options
	@$(BIN)/python -m tools.migrations.adopt $(ARGS)

unit: $(INSTALLED) ## Run the tests that need no server, in seconds; ARGS are passed to pytest
	@$(BIN)/python -m pytest tests/unit $(ARGS)

component: $(INSTALLED) ## Run the tests with moto, and with Redis where it is installed; ARGS as for unit
	@$(BIN)/python -m pytest $(AT_ONCE) tests/component $(ARGS)

test: $(INSTALLED) ## Run what runs on a laptop: also the local stack, and Chromium if it is there; ARGS as for unit
	@$(BIN)/python -m pytest $(AT_ONCE) $(ARGS)

test-nightly: $(INSTALLED) ## Run what test runs and more of it: every test, and each property many times; ARGS as for unit
	@NIGHTLY=1 $(BIN)/python -m pytest $(AT_ONCE) -m "" $(ARGS)

test-all: $(INSTALLED) ## Run all tests: also what sam build makes, deployed to an emulator, and SAM CLI in Docker; ARGS as for unit
	@$(BIN)/python -m pytest $(AT_ONCE) $(ARGS)
	@$(BIN)/python -m pytest -p no:randomly tests/build tests/docker tests/emulator $(ARGS) # in order: the last tests end what they share

bench: $(INSTALLED) ## Measure how fast it is, and write tests/performance/RESULTS.md
	@$(BIN)/python -m tests.performance $(ARGS)

lint: $(INSTALLED) ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(INSTALLED) ## Check types
	@$(BIN)/mypy

validate: $(INSTALLED) $(CHECKOV)/.installed ## Check the templates
	@SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint --region us-east-1
	@$(BIN)/cfn-lint template.yaml .github/deploy-role.yaml
	@found=$$($(CHECKOV)/bin/checkov --file template.yaml --framework cloudformation --skip-download --compact --quiet) \
	  || { echo "$$found"; exit 1; }; echo "$$found"; \
	case "$$found" in *"Parsing errors"*) echo "error: checkov cannot parse template.yaml, so it checked nothing" >&2; exit 1;; esac

$(CHECKOV)/.installed: requirements/checkov.txt $(INSTALLED)
	@echo "installing checkov into $(CHECKOV): once"
	@$(UV) venv --quiet --clear --python $(BIN)/python $(CHECKOV)
	@$(UV) pip sync --quiet --python $(CHECKOV)/bin/python requirements/checkov.txt || $(FAILED)
	@touch $@

scan: $(INSTALLED) ## Look for insecure code with bandit; wants the package index
	@$(UV) tool run --quiet --from 'bandit[toml]==1.9.4' bandit --quiet --configfile pyproject.toml --recursive \
	  functions layer shared tools

audit: $(INSTALLED) ## Look for known vulnerabilities of what the functions depend on; wants the internet
	@$(UV) tool run --quiet pip-audit==2.10.1 --requirement requirements/runtime.txt --disable-pip --strict

openapi: $(INSTALLED) ## Write functions/api_docs/openapi.json anew, after a change of a route
	@$(BIN)/python -m tools.openapi

endpoint: $(INSTALLED) ## Write a new endpoint: NAME=get_task_title ROUTE="GET /tasks/{task_id}/title"
	@$(BIN)/python -m tools.scaffold "$(NAME)" "$(ROUTE)"

new: $(INSTALLED) ## Write a service of your own, with this one as its pattern: NAME="Orders API" INTO=../orders
	@$(BIN)/python -m tools.scaffold.new "$(NAME)" "$(INTO)"

rename: $(INSTALLED) ## Call something by another name throughout, such as FROM=task TO=order
	@$(BIN)/python -m tools.scaffold.rename "$(FROM)" "$(TO)"

costs: $(INSTALLED) ## Compute what a month in AWS costs, and write docs/cost.md; ARGS="--help" lists the options
	@$(BIN)/python -m tools.costs $(ARGS)

smoke: $(INSTALLED) ## Check a deployed API: URL=https://…/v1 ARGS="--username NAME"
	@$(BIN)/python -m tools.smoke "$(URL)" $(ARGS)

pictures: $(INSTALLED) ## Draw the pictures of the README anew, after a change of the board or the terminal
	@$(BIN)/python -m tests.pictures

lock: $(INSTALLED) ## Pin the dependencies of pyproject.toml; UPGRADE=--upgrade takes newer ones
	@$(LOCK) $(UPGRADE) pyproject.toml --group dev --override requirements/overrides.txt --output-file requirements/dev.txt
	@$(LOCK) $(UPGRADE) pyproject.toml --constraint requirements/dev.txt --output-file requirements/runtime.txt
	@$(LOCK) $(UPGRADE) --group pyproject.toml:checkov --output-file requirements/checkov.txt

clean: ## Remove what these commands made, tasks and users of the local stack included
	rm -rf $(VENV) $(CHECKOV) .local .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

# `sam build` calls these: one layer with the locked runtime dependencies and the package shared, and for each kind of
# processor one with their compiled libraries; Lambda lays them over each other. What Lambda never uses is left out:
# what is for other services, tools and tests, records of the installation, and the libraries' sources. Of those there is
# the bytecode; that of shared, beside its source, is never checked against it, because Lambda cannot write a newer one.
# The lock is there too: functions are published anew when the shared layer changes, and must be when only a compiled
# library does.
LAYER_PYTHON := python3.13
LAYER = $(ARTIFACTS_DIR)/python
SERVICES := dynamodb events secretsmanager sqs
INSTALL = $(LAYER_PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: \
	--platform manylinux2014_$(MACHINE) --platform manylinux_2_28_$(MACHINE) --python-version 3.13 \
	--require-hashes --requirement requirements/runtime.txt --target "$(LAYER)"
COMPILE = $(LAYER_PYTHON) -m compileall -q --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p /opt
UNUSED := bin boto3/data boto3/examples cffi dateutil/zoneinfo/*.tar.gz pycparser pydantic/v1 pydantic/mypy.py urllib3/contrib/emscripten \
	$(addprefix passlib/,_data apache.py crypto/_blowfish ext tests totp.py) $(addprefix aws_lambda_powertools/utilities/, \
	auth_alpha circuit_breaker data_masking feature_flags kafka parser streaming validation) \
	$(addprefix aws_lambda_powertools/event_handler/,[!o]* openapi/[!s]* openapi/schema* openapi/swagger_ui/*.py)

build-SharedLayer: MACHINE := aarch64
build-SharedLayer:
	$(INSTALL)
	$(LAYER_PYTHON) layer/sbom.py "$(LAYER)" >"$(ARTIFACTS_DIR)/sbom.cdx.json"
	cd "$(LAYER)" && rm -rf $(UNUSED) && find . -name "*.dist-info" ! -name "argon2_cffi-*" -prune -exec rm -rf {} + && \
		find . \( -name __pycache__ -o -name "*.so" \) -prune -exec rm -rf {} +
	$(LAYER_PYTHON) layer/trim.py "$(LAYER)" $(SERVICES)
	$(COMPILE) -b "$(LAYER)"
	find "$(LAYER)" \( -name "*.py" -o -name "*.pyi" \) -delete
	cp requirements/runtime.txt "$(ARTIFACTS_DIR)"
	cp -R shared "$(LAYER)"
	find "$(LAYER)/shared" -name __pycache__ -prune -exec rm -rf {} +
	$(COMPILE) "$(LAYER)/shared"

build-CompiledLayerArm64: MACHINE := aarch64
build-CompiledLayerX86: MACHINE := x86_64
build-CompiledLayerArm64 build-CompiledLayerX86:
	$(INSTALL)
	find "$(LAYER)" -type f ! -name "*.so" -delete
	find "$(LAYER)" -type d -empty -delete

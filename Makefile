# One command per development task; `make` lists them.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKOV := $(VENV)-checkov
# uv ignores pip's settings of a company's index and CA, so they are passed on. uv treats an empty variable as unset.
pip_says = $$($(BIN)/pip config list 2>/dev/null | while IFS== read -r key value; do \
	test "$${key\#*.}" = $(1) && value=$${value\#?} && echo "$${value%?}" && break; done)
UV = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$(call pip_says,index-url)}" \
	SSL_CERT_FILE="$${SSL_CERT_FILE:-$${REQUESTS_CA_BUNDLE:-$(call pip_says,cert)}}" $(BIN)/uv
FAILED = { echo "error: installing failed, see above. If there was no connection or no matching distribution, the package index cannot be reached: check the network, its proxy and CA (docs/troubleshooting.md), then run make again" >&2; exit 1; }
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

# Show progress in a terminal only.
QUIET := $(shell test -t 2 || echo --quiet)
# One process more than cores, because many tests wait. Idle processes take over tests, because some take long.
AT_ONCE = --dist worksteal -n $$($(BIN)/python -c "import os; print(min(4, 1 + os.cpu_count()))")

-include .env
export TASK_API_HOST TASK_API_PORT TASK_API_REDIS

.DEFAULT_GOAL := help
.PHONY: help install run schedule sam-local migrate check-data users trace errors slowest redrive republish restore adopt unit component test test-nightly test-all bench lint format types validate scan audit openapi endpoint new rename costs smoke pictures lock \
	clean build-SharedLayer build-CompiledLayerArm64 build-CompiledLayerX86

help: ## List these commands
	@while IFS= read -r line; do case $$line in [a-z]*:*"## "*) \
	  printf '  make %-12s %s\n' "$${line%%:*}" "$${line##*## }";; esac; done <Makefile

install: $(INSTALLED) ## Install the dependencies of these commands into .venv

$(INSTALLED): requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or later is needed. Install it, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "error: $(PYTHON) is not Python 3.11 or later. Name another: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "installing into $(VENV): once, less than a minute"
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "error: $(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $$($(BIN)/pip --version >/dev/null 2>&1 || echo --clear) $(VENV) || { echo "error: $(VENV) cannot be created, see the reason above" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || $(FAILED)
	@$(UV) pip sync $(QUIET) --python $(BIN)/python --compile-bytecode requirements/dev.txt || $(FAILED)
	@touch $@

run: $(INSTALLED) ## Serve the API on this machine; ARGS="--help" lists the options
	@$(BIN)/python -m tools.local $(ARGS)

schedule: $(INSTALLED) ## Call a function of the running stack now, as its schedule does; ARGS="--help" lists the options
	@$(BIN)/python -m tools.local.schedule $(ARGS)

sam-local: $(INSTALLED) ## Serve the API with SAM CLI in Docker; ARGS as for run
	@$(BIN)/python -m tools.local --docker --build $(ARGS)

migrate: $(INSTALLED) ## Migrate the data in a stack's tables; ARGS="--help" lists the options
	@$(BIN)/python -m tools.migrations $(ARGS)

check-data: $(INSTALLED) ## Check the data in a stack's tables for consistency; ARGS="--help" lists the options
	@$(BIN)/python -m tools.migrations.check $(ARGS)

users: $(INSTALLED) ## Reset a user's password, delete a user, or export a user's data; ARGS="--help" lists the options
	@$(BIN)/python -m tools.users $(ARGS)

trace: $(INSTALLED) ## Show all log entries of a request: ID=<x-request-id>; ARGS="--help" lists the options
	@$(BIN)/python -m tools.logs trace "$(ID)" $(ARGS)

errors: $(INSTALLED) ## Count a stack's errors by function; ARGS="--help" lists the options
	@$(BIN)/python -m tools.logs errors $(ARGS)

slowest: $(INSTALLED) ## List a stack's slowest function calls; ARGS="--help" lists the options
	@$(BIN)/python -m tools.logs slowest $(ARGS)

redrive: $(INSTALLED) ## Send dead letters back to their source queues; ARGS="--help" lists the options
	@$(BIN)/python -m tools.events.redrive $(ARGS)

republish: $(INSTALLED) ## Publish events whose retries ended; ARGS="--help" lists the options
	@$(BIN)/python -m tools.events.republish $(ARGS)

restore: $(INSTALLED) ## Restore a stack's tables to a point in time; ARGS="--help" lists the options
	@$(BIN)/python -m tools.restore $(ARGS)

adopt: $(INSTALLED) ## Create a new stack around the tables of a deleted one; ARGS="--help" lists the options
	@$(BIN)/python -m tools.migrations.adopt $(ARGS)

unit: $(INSTALLED) ## Run the tests that need no server, in seconds; pytest gets ARGS
	@$(BIN)/python -m pytest tests/unit $(ARGS)

component: $(INSTALLED) ## Run the tests with moto, and with Redis if it is installed; ARGS as for unit
	@$(BIN)/python -m pytest $(AT_ONCE) tests/component $(ARGS)

test: $(INSTALLED) ## Run all tests for a laptop: also the local stack, and Chromium if it is installed; ARGS as for unit
	@$(BIN)/python -m pytest $(AT_ONCE) $(ARGS)

test-nightly: $(INSTALLED) ## Run the tests of test and the slow ones, with more examples per property; ARGS as for unit
	@NIGHTLY=1 $(BIN)/python -m pytest $(AT_ONCE) -m "" $(ARGS)

test-all: $(INSTALLED) ## Run all tests: also the build, its deployment to an emulator, and SAM CLI in Docker; ARGS as for unit
	@$(BIN)/python -m pytest $(AT_ONCE) $(ARGS)
	@$(BIN)/python -m pytest -p no:randomly tests/build tests/docker tests/emulator $(ARGS) # in order: the last tests stop the shared stack

bench: $(INSTALLED) ## Run the benchmarks, and write tests/performance/RESULTS.md
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

scan: $(INSTALLED) ## Look for insecure code with bandit; needs the package index
	@$(UV) tool run --quiet --from 'bandit[toml]==1.9.4' bandit --quiet --configfile pyproject.toml --recursive \
	  functions layer shared tools

audit: $(INSTALLED) ## Look for known vulnerabilities in the functions' dependencies; needs the internet
	@$(UV) tool run --quiet pip-audit==2.10.1 --requirement requirements/runtime.txt --disable-pip --strict

openapi: $(INSTALLED) ## Regenerate functions/api_docs/openapi.json, after a change of a route
	@$(BIN)/python -m tools.openapi

endpoint: $(INSTALLED) ## Write a new endpoint: NAME=get_task_title ROUTE="GET /tasks/{task_id}/title"
	@$(BIN)/python -m tools.scaffold "$(NAME)" "$(ROUTE)"

new: $(INSTALLED) ## Create a service of your own from this one: NAME="Orders API" INTO=../orders
	@$(BIN)/python -m tools.scaffold.new "$(NAME)" "$(INTO)"

rename: $(INSTALLED) ## Rename something throughout the project, such as FROM=task TO=order
	@$(BIN)/python -m tools.scaffold.rename "$(FROM)" "$(TO)"

costs: $(INSTALLED) ## Compute the monthly cost in AWS, and write docs/cost.md; ARGS="--help" lists the options
	@$(BIN)/python -m tools.costs $(ARGS)

smoke: $(INSTALLED) ## Check a deployed API: URL=https://…/v1 ARGS="--username NAME"
	@$(BIN)/python -m tools.smoke "$(URL)" $(ARGS)

pictures: $(INSTALLED) ## Redraw the README's pictures, after a change of the board or the terminal
	@$(BIN)/python -m tests.pictures

lock: $(INSTALLED) ## Pin the dependencies of pyproject.toml; UPGRADE=--upgrade upgrades them
	@$(LOCK) $(UPGRADE) pyproject.toml --group dev --override requirements/overrides.txt --output-file requirements/dev.txt
	@$(LOCK) $(UPGRADE) pyproject.toml --constraint requirements/dev.txt --output-file requirements/runtime.txt
	@$(LOCK) $(UPGRADE) --group pyproject.toml:checkov --output-file requirements/checkov.txt

clean: ## Remove all files that these commands created, including the local stack's tasks and users
	rm -rf $(VENV) $(CHECKOV) .local .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

# `sam build` calls these targets. SharedLayer has the locked runtime dependencies and the package shared. Each CompiledLayer
# has the compiled libraries for one architecture. Lambda merges the layers. They leave out what Lambda never uses: data of
# other services, tools, tests, installation records, and the sources of libraries, which have bytecode instead. The
# bytecode of shared is next to its source, and is never checked against it, because Lambda cannot rewrite it.
# SharedLayer includes the lock file, so that a new version of a compiled library also changes SharedLayer: only that
# publishes the functions again.
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

# The README's two commands are `make demo` and `make test`. `make check` is what CI runs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup debian kerberos npm demo test-fast test test-all check lint types contracts schemas bench clean

# Each command that the product, its lab and its tests call, with the Debian package that has it.
# Where `make` runs as root it installs what is missing; elsewhere it prints the command, and the demo simulates hosts.
DEBIAN := wine:wine wineserver:wine64 msiinfo:msitools wixl:wixl osslsigncode:osslsigncode git:git \
	ssh-keygen:openssh-client gpg:gnupg node:nodejs curl:curl

APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

setup: debian $(VENV)/.installed

debian:
	@missing=; for pair in $(DEBIAN); do command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; done; \
	[ -z "$$missing" ] || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Debian packages:$$missing"; apt-get update -qq && $(APT_INSTALL) $$missing >/dev/null; \
	else \
	  echo "hint: for lab hosts and all tests, as root: apt-get install -y --no-install-recommends$$missing" >&2; \
	fi

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && $(APT_INSTALL) python3-venv; } \
	  || { echo "error: Python cannot make environments; as root: apt-get install -y python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/reconciler demo

# What the test of Kerberos needs: a key distribution centre, and pywinrm's Kerberos library, which is built here.
# Not in pip's cache, which is in the home of a user, and that may be read-only.
KERBEROS_PACKAGES := krb5-kdc krb5-admin-server krb5-user libkrb5-dev gcc libc6-dev python3-dev

kerberos: $(VENV)/.kerberos

$(VENV)/.kerberos: requirements-kerberos.lock $(VENV)/.installed
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(APT_INSTALL) $(KERBEROS_PACKAGES) >/dev/null || true; fi
	@$(BIN)/python -m pip install --quiet --no-cache-dir --no-deps --no-build-isolation --require-hashes \
	  --requirement requirements-kerberos.lock && touch $@ \
	  || echo "hint: to test Kerberos, as root: apt-get install -y $(KERBEROS_PACKAGES)" >&2

# GitHub's own descriptions of its API, which the exchanges in the tests are checked against, come from npm.
npm: setup
	@command -v npm >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  $(APT_INSTALL) npm >/dev/null; \
	else \
	  echo "hint: to check exchanges with GitHub, as root: apt-get install -y --no-install-recommends npm" >&2; \
	fi

# Three tiers of tests. Two modules run at a time in each.
#   test-fast  no lab hosts, no daemons, no downloads: what to run after each change
#   test       every promise of the product, on lab hosts too: what CI runs
#   test-all   every case: long properties, and each stand-in of the lab on its own; may take an hour
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadscope

NOT_FAST := system security daemon approval/test_descriptions.py cli/test_demo_command.py \
	contracts/test_built_in_review.py docs/test_data_folder.py operations/test_ci_files.py packaging/test_agent_msi.py

test-fast: setup
	$(PYTEST) $(addprefix --ignore tests/,$(NOT_FAST)) -m "not exhaustive"

test: setup kerberos npm
	$(PYTEST) -m "not exhaustive"

test-all: setup kerberos npm
	$(PYTEST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy reconciler benchmarks
	$(BIN)/mypy --platform win32 reconciler/agent

contracts: setup
	$(BIN)/lint-imports

schemas: setup
	$(BIN)/reconciler schema schemas --check

check: lint types contracts schemas test

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

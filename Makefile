# The two commands of the README are `make demo` and `make test`; `make check` is what CI runs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup debian kerberos demo test check lint types contracts schemas bench clean

# Debian packages for the lab, for signatures of installers, for git, and to hold signatures of commits against,
# where this user may install them; elsewhere the demo runs on simulated hosts.
LAB_PACKAGES := wine64 wine msitools wixl osslsigncode git openssh-client gnupg

setup: debian $(VENV)/.installed

debian:
	@if ! { command -v wine && command -v wixl && command -v msiinfo && command -v osslsigncode \
	    && command -v ssh-keygen && command -v gpg && command -v git; } >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	      apt-get install -y -qq --no-install-recommends $(LAB_PACKAGES) >/dev/null; \
	  else \
	    echo "hint: for lab hosts, as root: apt-get install -y --no-install-recommends $(LAB_PACKAGES)" >&2; \
	  fi; \
	fi

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq python3-venv; } \
	  || { echo "error: Python cannot make environments; as root: apt-get install -y python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/reconciler demo

# What the test of Kerberos needs: a key distribution centre, and what pywinrm speaks Kerberos with, built here.
KERBEROS_PACKAGES := krb5-kdc krb5-admin-server krb5-user libkrb5-dev gcc libc6-dev python3-dev

kerberos: $(VENV)/.kerberos

$(VENV)/.kerberos: requirements-kerberos.lock $(VENV)/.installed
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $(KERBEROS_PACKAGES) >/dev/null || true; \
	fi
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --require-hashes \
	  --requirement requirements-kerberos.lock && touch $@ \
	  || echo "hint: to test Kerberos, as root: apt-get install -y $(KERBEROS_PACKAGES)" >&2

# Two modules at a time, but for those that boot lab hosts: there Wine breaks off now and then on a busy machine.
WORKERS := 2

test: setup kerberos
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadscope --ignore tests/system
	$(BIN)/pytest tests/system

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

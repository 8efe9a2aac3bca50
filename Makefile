# SPDX-License-Identifier: BSD-3-Clause
# The few commands people need; `make help` lists them. Every target sets itself up.
SHELL := /bin/bash
PY := .venv/bin/python
PYTEST := $(PY) -m pytest

.PHONY: help setup demo test test-kernels bench lint format vectors generate check-generated clean lock

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: ## Debian packages (those missing) and the virtual environment
	@tools/setup

demo: ## two tunnel ends, ping, throughput, a capture (not built yet)
	@echo "demo: the user-space tunnel is not built yet, so there is nothing to show; 'make test' works today" >&2
	@exit 1

test: setup lint check-generated ## everything that must hold before a commit lands
	$(PYTEST)

lint: setup ## ruff and mypy --strict
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

vectors: setup ## write the golden vectors (JSON and C) that the reference model makes
	$(PY) -m vectors.generate

generate: vectors ## write everything that is generated and committed
	PYTHONPATH=spec $(PY) -m nqd_spec

check-generated: setup ## fail where a generated file is not what its generator makes
	$(PY) -m vectors.generate --check
	PYTHONPATH=spec $(PY) -m nqd_spec --check

bench: setup ## speed of the reference model; --json for machines: python -m bench.quic_model --json
	$(PY) -m bench.quic_model

format: setup ## let ruff rewrite
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: setup ## rewrite requirements.lock from pyproject.toml: newest versions, with hashes
	$(PY) -m venv build/lock-venv
	build/lock-venv/bin/pip install --quiet pip-tools
	build/lock-venv/bin/pip-compile --quiet --extra dev --all-build-deps --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --output-file requirements.lock pyproject.toml

clean: ## what a build or a test run left in the tree (caches outside it stay)
	rm -rf build out .mypy_cache .pytest_cache .ruff_cache .hypothesis

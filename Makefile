# SPDX-License-Identifier: BSD-3-Clause
# The few commands people need; `make help` lists them. Every target sets itself up.
SHELL := /bin/bash
PY := .venv/bin/python
PYTEST := $(PY) -m pytest

.PHONY: help setup demo test test-chromium test-kernels kernels bench bench-core bench-kernel lint module load format vectors generate check-generated clean lock fuzz sim

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: ## Debian packages (those missing) and the virtual environment
	@tools/setup

demo: setup ## two agents in namespaces: handshake, ping, throughput, a capture; for machines: DEMO=--json
	@.venv/bin/nexus demo $(DEMO)

# A file's tests stay in one process: they share a booted kernel or a namespace.
test: setup lint check-generated kernels ## everything that must hold before a commit lands
	$(PYTEST) --numprocesses auto --maxprocesses 4 --dist loadfile

# Ahead of the tests, so that its progress is seen; done in a moment when the cache has them.
kernels:
	@.venv/bin/nexus-lab prepare uml-debug 6.1

test-kernels: setup ## the kernel lab's tests on every kernel it knows, in full (downloads and builds them all; VOLUME=1..100)
	@.venv/bin/nexus-lab prepare
	NEXUS_TEST_VOLUME=$(or $(VOLUME),100) $(PYTEST) -m "lab or lab_matrix" tests/lab tests/spec tests/kernel tests/benchmarks tests/demo

# Not among the packages of `make setup`: a browser is large, and these tests alone need it.
test-chromium: setup ## real Chromium in front of the server's port: it gets the camouflage site
	@command -v chromium >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null
	$(PYTEST) -m chromium tests/reality

# Beside the sources, which a build would litter.
module: KDIR ?= /lib/modules/$(shell uname -r)/build
module: ## nexus_quic_dco.ko for the running kernel, in build/module; KDIR=... for another one's headers
	@test -e "$(KDIR)/Makefile" || { echo "no kernel headers in $(KDIR): apt install linux-headers-$$(uname -r), or name them by KDIR=" >&2; exit 1; }
	@mkdir -p build/module
	@cp -a -u kernel/. build/module/
	$(MAKE) -C "$(KDIR)" M=$(CURDIR)/build/module modules

load: setup ## build the module and load it into the running kernel (root)
	@$(PY) -m tools.load_module --check
	@$(MAKE) --no-print-directory module
	@$(PY) -m tools.load_module build/module/nexus_quic_dco.ko

bench-core: setup ## protocol core alone, through conn: ns a packet at 1, 1,000 and 100,000 in flight
	$(PY) -m bench.proto_core

sim: setup ## simulated networks: a table, PNGs and JSON in out/sim, 1,000 random networks; ARGS="--list"
	$(PY) -m nexus_sim $(or $(ARGS),--jobs 2)
	$(if $(ARGS),,$(PY) -m nexus_sim --networks 1000 --jobs 2)

lint: setup ## ruff, mypy --strict; checkpatch, kernel-doc and sparse where they are there
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PY) -m tools.lint_c

vectors: setup ## write the golden vectors (JSON and C) that the reference model makes
	$(PY) -m vectors.generate

generate: vectors ## write everything that is generated and committed
	PYTHONPATH=spec $(PY) -m nqd_spec

check-generated: setup ## fail where a generated file is not what its generator makes
	$(PY) -m vectors.generate --check
	PYTHONPATH=spec $(PY) -m nqd_spec --check

bench: setup ## benchmarks, results in out/bench; BENCH="--quick tunnel", BENCH=--json; docs/performance.md
	@$(PY) -m bench $(BENCH)

bench-kernel: setup ## the module beside WireGuard and ovpn in the lab: instructions a packet, TCP goodput
	@$(PY) -m bench kernel $(BENCH)

fuzz: setup ## fuzz the protocol core and what reads hellos: SECONDS=60 or RUNS=10000000; prints the lines reached
	$(PY) -m fuzz $(if $(RUNS),--runs $(RUNS),$(if $(SECONDS),--seconds $(SECONDS)))

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

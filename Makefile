# `make` alone lists the targets.
CARGO ?= cargo
FUZZ_SECONDS ?= 60
RUNS ?= 5
PREFIX ?= /usr/local
LIBDIR ?= lib
LONG ?=
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help setup demo wheel test test-long test-nat soak fuzz bench compare c install lint clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## check for what the build needs, install what is missing
	@scripts/setup

demo: setup ## hear two people talk: a tracker and two peers on this machine, 15 s; on a bad line with LOSS=% JITTER=ms RATE=kbit/s
	@echo "demo: building (the first time takes some minutes)"
	@$(CARGO) build --release --locked --package voip-examples --bins
	@$(CARGO) run --release --locked --quiet --package voip-examples --bin demo -- \
		$(if $(LOSS),'--loss=$(LOSS)') $(if $(JITTER),'--jitter=$(JITTER)') $(if $(RATE),'--rate=$(RATE)')

wheel: ## the Python module as a wheel, in target/wheels/release
	@scripts/setup python
	@scripts/python wheel

test: ## every test of the workspace, and the programs in the documentation
	@scripts/setup python
	@echo "test: the Python module, as installed from its wheel"
	@scripts/python suite
	@scripts/python test
	@echo "test: unit and integration tests, and the programs in the documentation"
	@VOIP_PYTHON=$$(scripts/python interpreter) \
		$(CARGO) test --workspace --exclude voip-py --locked --features voip-core/sim
	@echo "test: deep redundancy, which is off by default"
	@$(CARGO) test --package voip-core --locked --features sim,dred --lib --test lossy_lines --test voice_allocations
	@echo "test: the C library, installed and used by programs outside this tree"
	@scripts/check-c

test-long: ## also the tests that take minutes: long calls, virtual sound cards, the C programs under checkers of memory, fuzzing; optimised
	@scripts/setup python long
	@echo "test-long: the Python module, and in a Debian that has nothing but Python"
	@scripts/python suite release
	@VOIP_LONG=1 scripts/python test
	@scripts/python bare-root
	@echo "test-long: all tests, the long ones too"
	@VOIP_PYTHON=$$(scripts/python interpreter) $(CARGO) test --workspace --exclude voip-py --locked \
		--features voip-core/sim --release -- --include-ignored
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-nat; \
	else echo "test-long: no routers: their namespaces need root"; fi
	@if $(CARGO) +nightly fuzz --version >/dev/null 2>&1 || $(CARGO) afl --version >/dev/null 2>&1; \
	then $(MAKE) --no-print-directory fuzz; \
	else echo "test-long: no fuzzing: it needs cargo-afl, or nightly Rust and cargo-fuzz"; fi

test-nat: ## calls through routers of eleven kinds in network namespaces (root), and relays with coturn; WRITE=1: into docs/routers.md
	@scripts/setup python nat
	@$(CARGO) build --release --locked --package voip-examples --bins
	@python3 tests/lab/routers.py $(if $(WRITE),--write docs/routers.md)
	@$(CARGO) test --release --locked --package voip-core --features sim --test sockets -- --ignored by_coturn
	@python3 benches/versus_coturn.py --runs 1 --packets 2000

soak: ## an hour of a call through virtual sound cards: nothing may grow
	@scripts/setup long
	@VOIP_SOAK_SECONDS=3600 $(CARGO) test --package voip-examples --locked --release --test sound_cards \
		-- --ignored --nocapture a_long_call

fuzz: setup ## every fuzz target for FUZZ_SECONDS each (needs nightly Rust and cargo-fuzz, or cargo-afl)
	@if ! $(CARGO) +nightly fuzz --version >/dev/null 2>&1; then \
		CARGO='$(CARGO)' exec scripts/fuzz $(FUZZ_SECONDS); \
	fi; \
	cd voip-core && for target in $$($(CARGO) +nightly fuzz list); do \
		echo "fuzz: $$target for $(FUZZ_SECONDS) s"; \
		$(CARGO) +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

bench: setup ## benchmarks of the parts: codec, jitter buffer, mixer, session, tracker
	@$(CARGO) bench --locked --quiet --package voip-benches --bench '*'

compare: ## beside libopus alone and toxav, RUNS times each (LONG=1: also ten minutes), which writes docs/comparisons.md; then beside aiortc
	@scripts/setup python
	@$(CARGO) build --release --locked --package voip-benches --bins
	@$(CARGO) run --release --locked --quiet --package voip-benches --bin compare -- $(RUNS) $(if $(LONG),--long)
	@scripts/python versus-aiortc $(RUNS)

c: ## the C library built, for `make install` as root, who needs no cargo then
	@CARGO='$(CARGO)' scripts/install-c build

install: ## the C library: header, shared and static, pkg-config and CMake; PREFIX=/usr/local, LIBDIR=lib, DESTDIR= for packages
	@PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' DESTDIR='$(DESTDIR)' CARGO='$(CARGO)' scripts/install-c

lint: ## formatting and clippy, warnings are errors
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --locked --all-targets --features voip-core/sim -- -D warnings
	@$(CARGO) clippy --package voip-core --package voip-benches --locked --all-targets --features voip-core/sim,voip-benches/dred -- -D warnings

clean: ## remove everything that was built
	@$(CARGO) clean

# `make` alone lists the targets.
CARGO ?= cargo
FUZZ_SECONDS ?= 60
RUNS ?= 5
LONG ?=
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help setup demo test test-long fuzz bench compare lint clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## check for what the build needs, install what is missing
	@scripts/setup

demo: setup ## hear two people talk: a tracker and two peers on this machine, 15 s
	@echo "demo: building (the first time takes some minutes)"
	@$(CARGO) build --release --locked --package voip-examples --bins
	@$(CARGO) run --release --locked --quiet --package voip-examples --bin demo

test: setup ## every test of the workspace, and the programs in the documentation
	@echo "test: unit and integration tests, and the programs in the documentation"
	@$(CARGO) test --workspace --locked --features voip-core/sim

test-long: setup ## also the tests that take minutes, optimised
	@echo "test-long: all tests, the long ones too"
	@$(CARGO) test --workspace --locked --features voip-core/sim --release -- --include-ignored

fuzz: setup ## every fuzz target for FUZZ_SECONDS each (needs nightly Rust and cargo-fuzz)
	@cd voip-core && for target in $$($(CARGO) +nightly fuzz list); do \
		echo "fuzz: $$target for $(FUZZ_SECONDS) s"; \
		$(CARGO) +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

bench: setup ## benchmarks of the parts: codec, jitter buffer, mixer, session, tracker
	@$(CARGO) bench --locked --quiet --package voip-benches --bench '*'

compare: setup ## beside libopus alone and toxav, RUNS times each (LONG=1: also ten minutes); writes docs/comparisons.md
	@$(CARGO) build --release --locked --package voip-benches --bins
	@$(CARGO) run --release --locked --quiet --package voip-benches --bin compare -- $(RUNS) $(if $(LONG),--long)

lint: ## formatting and clippy, warnings are errors
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --locked --all-targets --features voip-core/sim -- -D warnings

clean: ## remove everything that was built
	@$(CARGO) clean

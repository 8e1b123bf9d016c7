# skillcall: `make help` lists what there is to do.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PROFILE ?= dev
PROFILE_DIR := $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
TARGET_DIR ?= target
# Cargo is told where to build by the same variable, so that scripts and programs agree.
export CARGO_TARGET_DIR := $(abspath $(TARGET_DIR))
SKILLCALL := $(CARGO_TARGET_DIR)/$(PROFILE_DIR)/skillcall
COMPOSE := $(CARGO_TARGET_DIR)/$(PROFILE_DIR)/skillcall-compose
WASM := $(CARGO_TARGET_DIR)/wasm32-wasip2/component
export SKILLCALL_COMPONENT := $(CARGO_TARGET_DIR)/skillcall.wasm
export SKILLCALL_SPIN_COMPONENT := $(CARGO_TARGET_DIR)/skillcall-spin.wasm
export SKILLCALL_RELAXED_COMPONENT := $(CARGO_TARGET_DIR)/skillcall-relaxed.wasm

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: demo
demo: ## set up, build, and run one whole call; leaves call.html and a recording
	@tools/setup.sh demo
	@$(MAKE) --no-print-directory component
	@echo "demo: running one call"
	@$(SKILLCALL) demo

.PHONY: test
test: ## set up all that the tests need, build, and run every test
	@tools/setup.sh test
	@$(MAKE) --no-print-directory component
	@echo "test: cargo test --workspace"
	@cargo test --workspace --locked --no-fail-fast

.PHONY: build
build: ## the component, and the programs in the profile PROFILE (dev)
	@tools/setup.sh build
	@$(MAKE) --no-print-directory component

# The whole workspace at once, here and in the tests: a part of it would be built with other
# features of the same crates, and wasmtime twice.
.PHONY: program
program:
	@echo "build: the program skillcall (profile $(PROFILE); the first time takes some minutes)"
	@cargo build --locked --profile $(PROFILE) --workspace --bins

# The wasm32-wasip2 target comes from rustup, or else from Debian's packages. The artefacts are
# rebuilt only when cargo says that something changed.
.PHONY: component
component: program ## skillcall.wasm and skillcall-relaxed.wasm (for embedders) and skillcall-spin.wasm (for Spin), into target/
	@$(MAKE) --no-print-directory artefacts

# Needs no more than the program that composes.
.PHONY: artefacts
artefacts:
	@echo "build: the WebAssembly toolchain"
	@vars=$$(tools/wasm-toolchain.sh --env) && eval "$$vars" && \
	 echo "build: the component and its adapters" && \
	 cargo build --locked --profile component --target wasm32-wasip2 -p skillcall --features relaxed-simd && \
	 cp $(WASM)/skillcall.wasm $(CARGO_TARGET_DIR)/skillcall-relaxed-core.wasm && \
	 cargo build --locked --profile component --target wasm32-wasip2 -p skillcall -p skillcall-adapter-no-flow -p skillcall-adapter-spin
	@cp $(WASM)/skillcall.wasm $(CARGO_TARGET_DIR)/skillcall-core.wasm
	@cp $(WASM)/skillcall_adapter_spin.wasm $(CARGO_TARGET_DIR)/skillcall-adapter-spin.wasm
	@echo "build: skillcall.wasm, skillcall-relaxed.wasm and skillcall-spin.wasm, composed"
	@$(COMPOSE) compose $(CARGO_TARGET_DIR)/skillcall-relaxed-core.wasm $(WASM)/skillcall_adapter_no_flow.wasm -o $(SKILLCALL_RELAXED_COMPONENT)
	@$(COMPOSE) compose $(CARGO_TARGET_DIR)/skillcall-core.wasm $(WASM)/skillcall_adapter_no_flow.wasm -o $(SKILLCALL_COMPONENT)
	@$(COMPOSE) compose $(SKILLCALL_COMPONENT) $(WASM)/skillcall_adapter_spin.wasm -o $(SKILLCALL_SPIN_COMPONENT)

.PHONY: lint
lint: ## formatting and clippy, warnings denied
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: bench
bench: ## the figures of bench/README.md, measured on this machine; PARTS="calls" for some of them
	@bench/run $(PARTS)

.PHONY: soak-calls
soak-calls: ## three rounds of 10,000 calls in one run of the sidecar; some minutes
	@tools/setup.sh test
	@cargo test --workspace --locked --test soak_calls -- --ignored --nocapture

.PHONY: soak-sip
soak-sip: ## CALLS (1000000) SIP calls in three rounds of one sidecar while 1 % of the datagrams is lost; compiled for speed
	@SKILLCALL_SOAK_CALLS=$(or $(CALLS),1000000) cargo test --release --locked -p skillcall-sidecar --no-default-features --test soak_sip -- --ignored --nocapture

.PHONY: speech
speech: ## what a recogniser understands through networks that lose and delay, beside baresip: the table of docs/gateway.md; six minutes
	@tools/setup.sh test
	@cargo test --workspace --locked --test lossy_speech -- --ignored --nocapture

.PHONY: fuzz
fuzz: ## every fuzz target for SECONDS (60); needs nightly Rust and cargo-fuzz
	@fuzz/run $(or $(SECONDS),60)

.PHONY: soak
soak: ## 200 simulated users against `skillcall up`, compiled for speed, for SECONDS (60) while 5 % of the outbound calls fail
	@tools/setup.sh build
	@cargo build --release --locked -p skillcall-compose
	@$(MAKE) --no-print-directory artefacts PROFILE=release
	@SKILLCALL_SOAK_SECONDS=$(or $(SECONDS),60) cargo test --release --workspace --locked --test soak -- --nocapture

.PHONY: clean
clean: ## remove what was built and what the demo left
	@cargo clean
	@rm -rf skillcall-data

# Two commands for newcomers: `make demo` and `make test`. Both bring what is missing on a Debian 12 with Rust.

ONCE ?=
ONLY ?=
OUT ?=
CARGO ?= cargo

.PHONY: help setup demo test bench lint fmt

help:
	@echo "make demo          the whole story on your screen: a caller, a sentence, a queue, an agent, a recording"
	@echo "make demo ONCE=1   the same, then ends: 0, or 1 with the name of the station that failed"
	@echo "make test          all tests"
	@echo "make bench         load and sound measured, beside Asterisk's figures [ONLY=sig,play] [OUT=file]"
	@echo "make lint          formatting, clippy, and that the fuzz targets build"

setup:
	@scripts/setup.sh

demo: setup
	$(CARGO) run --locked --profile ci --bin hotline -- demo $(if $(ONCE),--once)

test: setup
	$(CARGO) test --locked --profile ci --lib --bins --tests --no-fail-fast

bench: setup
	$(CARGO) build --locked --release --bin hotline
	benches/run.py --only "$(ONLY)" --out "$(OUT)"

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) check --locked --manifest-path fuzz/Cargo.toml

fmt:
	$(CARGO) fmt

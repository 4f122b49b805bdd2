# Every target sets up what it needs first: see .ci/setup and firmware/build-image.

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: ## The firmware image answers a prompt on the modelled core
	.ci/setup
	cargo run --release --bin host-sim -- run

test: ## All tests, with the image under host-sim and under QEMU
	.ci/setup tests
	FATHOM_IMAGES="$$(firmware/build-image --all)" && FATHOM_INT8_IMAGES="$$(firmware/build-image --int8 --all)" && \
	export FATHOM_IMAGES FATHOM_INT8_IMAGES && cargo test --release

image: ## The firmware image of every target; prints where they lie
	.ci/setup
	firmware/build-image --all

lint: ## Formatting, clippy and documentation, without a single warning
	.ci/setup
	cargo fmt --all --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --release --no-deps
	firmware/build-image --check --all

clean: ## Removes everything that was built
	cargo clean

.PHONY: help demo test image lint clean

# What a user of this source types. Each target does its own set-up. Examples are built with the programs so that all targets choose the same
# features of dependencies: otherwise Tor would be compiled again from one target to the next.

# Seconds for each fuzz target.
TIME ?= 60
# Transfers each way of every side where the round trip is long.
ROUNDS ?= 1

.PHONY: demo test soak bench bench-home bench-tor fuzz check setup

NETWORK := target/tornet

# The main job as a story, in a private Tor network on this machine.
demo: setup
	cargo build --locked --workspace --bins --examples
	rm -rf $(NETWORK)-demo && mkdir -p $(NETWORK)-demo
	target/debug/tornet $(NETWORK)-demo/network -- target/debug/demo $(NETWORK)-demo/story

# Every test. Those that need Tor find a private network around them.
test: setup
	cargo build --locked --workspace --all-targets
	rm -rf $(NETWORK)-test
	scripts/test

# Tests that take minutes or much disk: files above 4 GiB (9 GiB of disk), and 256 MiB each way under 30 kills of everything.
soak: setup
	cargo build --locked --workspace --bins --examples
	cargo test --locked --workspace --test large -- --ignored --nocapture
	rm -rf $(NETWORK)-soak
	target/debug/tornet $(NETWORK)-soak -- cargo test --locked --workspace --test resume -- --ignored --exact --nocapture everything_killed::soak_transfers_complete_whatever_is_killed_under_them

# Put and get through the worker's socket, beside plain files and redb alone in the same run (8 GiB of disk).
bench:
	cargo build --locked --workspace --bins --examples
	rm -rf target/bench
	target/debug/bench target/bench
	rm -rf target/bench

# What opening one's files, `ls` and `put` cost with 100, 10,000 and 100,000 files (3 GiB of disk, some minutes).
bench-home:
	cargo build --locked --workspace --bins --examples
	rm -rf target/bench-home
	target/debug/bench-home target/bench-home
	rm -rf target/bench-home

# Rates through Tor, ours beside raw streams, curl and OnionShare (if Debian's onionshare-cli is installed) in the same run: on loopback, and where a
# round trip takes about 370 ms; some 8 minutes for each of ROUNDS there. Draws docs/rates.svg.
bench-tor: setup
	cargo build --locked --workspace --bins --examples
	rm -rf $(NETWORK)-bench && mkdir -p $(NETWORK)-bench
	target/debug/tornet --relays 5 $(NETWORK)-bench/network -- target/debug/bench-tor run $(NETWORK)-bench/work --title "Loopback, 64 MiB" --rounds 3 --results $(NETWORK)-loopback.json
	rm -rf $(NETWORK)-bench && mkdir -p $(NETWORK)-bench
	target/debug/tornet --relays 5 --delay 25 $(NETWORK)-bench/network -- target/debug/bench-tor run $(NETWORK)-bench/work --title "Round trip of 370 ms, 64 MiB" --rounds $(ROUNDS) --results $(NETWORK)-far.json
	target/debug/bench-tor plot docs/rates.svg $(NETWORK)-loopback.json $(NETWORK)-far.json

# Bytes that reach new code, for every decoder and for the store beside its model: `make fuzz TIME=600`. Needs nightly Rust and cargo-fuzz.
fuzz:
	scripts/fuzz $(TIME)

# Format, lints, documentation.
check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

setup:
	@scripts/setup

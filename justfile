# What a developer does here; `just` alone lists it.

# Lists the recipes.
[private]
default:
    @just --list --unsorted

# Builds the program that people install.
build:
    cargo build --release --locked

# Runs the tests; arguments go to `cargo test`.
test *arguments:
    cargo test --locked {{ arguments }}

# Makes every system call of a launch fail once, which takes half an hour; `--only FAULT` one alone.
faults *arguments="--all":
    cargo test --locked --test faults -- {{ arguments }}

# Formatting, lints, documentation and the laws of the tree: what needs no privilege.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked
    cargo test --locked --test tidy

# Boots another kernel and checks nsscript there: tests/vm/README.md.
vm *arguments: build
    tests/vm/run {{ arguments }}

# Builds the program for aarch64; `.ci/aarch64` alone checks that all of it compiles.
aarch64:
    .ci/aarch64 build

# Measures launches, and making roots, beside their peers.
bench:
    cargo bench --locked

# Writes the generated files again, REFERENCE.md among them.
reference:
    cargo run --locked -- reference --write

# Licences, sources and banned crates: deny.toml, by cargo-deny.
deny:
    .ci/deny

# All that a change has to pass: as root, on Debian.
ci:
    .ci/run

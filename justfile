# Developer tasks; `just` without arguments lists them.

# Lists the recipes.
[private]
default:
    @just --list --unsorted

# Builds the release binary.
build:
    cargo build --release --locked

# Runs the tests; arguments go to `cargo test`.
test *arguments:
    cargo test --locked {{ arguments }}

# Makes each system call of a launch fail once, which takes half an hour; `--only FAULT` selects one.
faults *arguments="--all":
    cargo test --locked --test faults -- {{ arguments }}

# Checks formatting, lints, documentation and the rules of the source tree, without privileges.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked
    cargo test --locked --test tidy

# Boots another kernel and checks nsscript in it: tests/vm/README.md.
vm *arguments: build
    tests/vm/run {{ arguments }}

# Builds the program for aarch64; `.ci/aarch64` without arguments checks that everything compiles.
aarch64:
    .ci/aarch64 build

# Benchmarks launches and the assembly of roots against other tools.
bench:
    cargo bench --locked

# Writes the generated files again, REFERENCE.md among them.
reference:
    cargo run --locked -- reference --write

# Licences, sources and banned crates: deny.toml, by cargo-deny.
deny:
    .ci/deny

# Runs everything that a change must pass: as root, on Debian.
ci:
    .ci/run

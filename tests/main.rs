//! The tests that need a real kernel, real programs or the compiled binary.

mod elf;
mod kernel;
mod language;
mod support;

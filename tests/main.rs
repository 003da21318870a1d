//! The tests that need a real kernel, real programs or the compiled binary.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tests say what they could not test")]

mod elf;
mod kernel;
mod language;
#[path = "tidy/rust.rs"]
#[expect(dead_code, reason = "the laws of the tree use more of it")]
mod rust;
mod support;

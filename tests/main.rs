//! The tests that need a real kernel, real programs or the compiled binary.

mod elf;
mod kernel;
mod language;
#[path = "tidy/rust.rs"]
#[expect(dead_code, reason = "the laws of the tree use more of it")]
mod rust;
mod support;

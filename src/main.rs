//! The program `nsscript`: see `nsscript::cli`.

use std::process::ExitCode;

use nsscript::cli::{self, Heap};

#[global_allocator]
static HEAP: Heap = Heap;

fn main() -> ExitCode {
    cli::main()
}

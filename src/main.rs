//! The program `nsscript`: see [`nsscript::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    nsscript::cli::main()
}

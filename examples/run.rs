//! Runs a program in a sandbox that sees the host read-only, without its home directories and its network:
//! `cargo run --example run -- ls /`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::process::ExitCode;

use nsscript::{Error, ExitStatus, Sandbox};

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        words = vec!["sh".into(), "-c".into(), "id; hostname; ls /".into()];
    }
    match run(&words) {
        Ok(status) => ExitCode::from(u8::try_from(status.code()).unwrap_or(1)),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(125)
        }
    }
}

fn run(words: &[String]) -> Result<ExitStatus, Error> {
    let sandbox =
        Sandbox::host_view().hostname("sandbox").keep_env(["TERM", "LANG"]).limit("nproc", 256);
    sandbox.command(&words[0]).args(&words[1..]).status()
}

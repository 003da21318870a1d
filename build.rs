//! Builds the init that nsscript carries (`src/sys/init/pid1.rs`) as a freestanding program, with
//! the compiler that builds the crate.
#![allow(clippy::print_stdout, reason = "cargo reads stdout")]

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "src/sys/init/pid1.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let output = Path::new(&variable("OUT_DIR")).join("pid1");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--edition=2024", "--crate-type=bin", "--crate-name=pid1", SOURCE]);
    rustc.args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Crelocation-model=static"]);
    for argument in
        ["-nostartfiles", "-nostdlib", "-static", "-Wl,--build-id=none,-z,noseparate-code"]
    {
        rustc.arg(format!("-Clink-arg={argument}"));
    }
    rustc.arg("--target").arg(variable("TARGET")).arg("-o").arg(&output);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", linker.display()));
    }
    let status = rustc.status().unwrap_or_else(|error| panic!("cannot run {rustc:?}: {error}"));
    assert!(status.success(), "{rustc:?} failed: {status}");
}

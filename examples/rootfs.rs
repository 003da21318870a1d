//! Assembles a small root from programs of this machine, and talks with a shell in it:
//! `cargo run --example rootfs`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use nsscript::{Error, Rootfs, Sandbox};

fn main() -> Result<(), Error> {
    let root = Rootfs::new()
        .binaries(["sh", "cat", "ls"])
        .users(["root", "alice"])
        .file("/etc/motd", "A root of three programs and the libraries that they need.\n")
        .directory("/home/alice");
    println!("digest {}", root.digest()?);

    let sandbox = Sandbox::rootfs(root).user("alice").workdir("/home/alice").tmpfs("/tmp");
    print!("{}", sandbox.command("sh").args(["-c", "cat /etc/motd"]).plan()?);
    println!();

    let mut shell = sandbox.command("sh").spawn_piped()?;
    shell.write("cat /etc/motd; ls /\n")?;
    println!("{}", shell.read_line()?.unwrap_or_default());
    shell.write("exit 3\n")?;
    while let Some(line) = shell.read_line()? {
        println!("{line}");
    }
    println!("the shell {}", shell.wait()?);
    Ok(())
}

//! Helper programs of the system, such as `newuidmap` and `mkfs.ext4`.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use super::process::ready;
use super::signal::interruption;

/// Runs a helper program without input and environment, and returns its standard error if it fails.
/// It is killed if a signal asks nsscript to end, or if nsscript is killed.
///
/// # Errors
/// The program cannot be started.
pub fn run_helper(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
) -> io::Result<Result<(), String>> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    die_with_us(&mut command);
    let mut child = command.spawn()?;
    let said = match child.stderr.take() {
        Some(stderr) => listen(stderr, &mut child),
        None => Vec::new(),
    };
    let status = child.wait()?;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Ok(if status.success() { Ok(()) } else { Err(said) })
}

/// The output of a program with `--version`, if it succeeds and prints text.
///
/// # Errors
/// The program cannot be started.
pub fn version_of(program: &Path) -> io::Result<Option<String>> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().current_dir("/");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    die_with_us(&mut command);
    let output = command.output()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success());
    Ok(text.and_then(|text| text.lines().next().map(str::to_owned)))
}

/// Makes the kernel kill the program of a command when this process ends.
pub fn die_with_us(command: &mut Command) {
    // SAFETY: prctl(2) with numbers allocates nothing and takes no lock, as required between fork
    // and execve.
    unsafe { command.pre_exec(die_with_parent) };
}

fn die_with_parent() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes the number of a signal.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reads the standard error of `child` to its end, or until a signal kills the child.
fn listen(mut stderr: ChildStderr, child: &mut Child) -> Vec<u8> {
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let mut watched = vec![(stderr.as_fd(), false)];
        watched.extend(interruption().1.map(|wake| (wake, false)));
        let Ok(answers) = ready(&watched, None) else { return said };
        if answers.get(1) == Some(&true) {
            let _ = child.kill();
            return said;
        }
        if answers.first() == Some(&true) {
            match stderr.read(&mut chunk) {
                Ok(0) => return said,
                Ok(length) => said.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return said,
            }
        }
    }
}

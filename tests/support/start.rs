//! What the tests and the programs that they start find, whatever has started the tests: a job in the
//! background of a script, a terminal of any kind, a shell with limits and a locale of its own.
#![allow(
    unsafe_code,
    reason = "this runs before `main` does, and asks for what std has no words for"
)]

use std::ffi::OsString;
use std::os::fd::{AsRawFd, IntoRawFd};

use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::{Mode, umask};

/// Runs before anything else does, the threads of the test harness included.
#[used]
#[unsafe(link_section = ".init_array")]
static FIRST: extern "C" fn() = begin;

/// The variables that stay, and what others begin with that do: what tests ask for.
const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "CI"];
const KEPT_OF: [&str; 4] = ["CARGO", "RUST", "LLVM_PROFILE", "NSSCRIPT_"];

/// What nsscript itself asks for.
const NOT_KEPT: [&str; 2] = ["NSSCRIPT_EXPLAIN", "NSSCRIPT_PROGRESS"];

/// What a program finds that a person starts at a terminal.
const FOUND: [(&str, &str); 2] = [("LC_ALL", "C.UTF-8"), ("TERM", "xterm")];

/// As many descriptors as a program may have unless it asks for more.
const DESCRIPTORS: u64 = 1024;

extern "C" fn begin() {
    streams();
    environment();
    signals();
    limits();
    umask(Mode::from_bits_truncate(0o022));
}

/// Three streams, and no other file of whoever has started the tests for programs. What can be read stays:
/// tests that start themselves are told so what to do.
fn streams() {
    // What is opened takes the lowest number that is free.
    while let Ok(null) = open("/dev/null", OFlag::O_RDWR, Mode::empty()) {
        if null.as_raw_fd() > 2 {
            break;
        }
        let _ = null.into_raw_fd();
    }
    let flags = libc::c_int::try_from(libc::CLOSE_RANGE_CLOEXEC).unwrap_or(0);
    // SAFETY: nothing is closed before a program is executed.
    unsafe { libc::close_range(3, libc::c_uint::MAX, flags) };
}

fn environment() {
    let stays = |name: &OsString| {
        let name = name.to_string_lossy();
        let asked = KEPT.contains(&&*name) || KEPT_OF.iter().any(|kept| name.starts_with(kept));
        asked && !NOT_KEPT.contains(&&*name)
    };
    for name in std::env::vars_os().map(|(name, _)| name).filter(|name| !stays(name)) {
        // SAFETY: there is one thread yet.
        unsafe { std::env::remove_var(name) };
    }
    for (name, value) in FOUND {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Has programs begin with no signal blocked or ignored.
fn signals() {
    extern "C" fn nothing(_: i32) {}
    let _ = SigSet::empty().thread_set_mask();
    for signal in Signal::iterator() {
        let handler = match signal {
            // What nohup(1) or a script has started goes on. A program that is executed has the default
            // action of what is handled here, which it would not have of what is ignored.
            Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM => {
                SigHandler::Handler(nothing)
            }
            _ => SigHandler::SigDfl,
        };
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler does nothing, and what was not ignored is again as it was.
        unsafe {
            if let Ok(before) = sigaction(signal, &action)
                && !matches!(before.handler(), SigHandler::SigIgn)
            {
                let _ = sigaction(signal, &before);
            }
        }
    }
}

/// Raises what could be in the way, as far as it may be raised. Nobody wants memory on disk.
fn limits() {
    for resource in [
        libc::RLIMIT_AS,
        libc::RLIMIT_CORE,
        libc::RLIMIT_CPU,
        libc::RLIMIT_DATA,
        libc::RLIMIT_FSIZE,
        libc::RLIMIT_MEMLOCK,
        libc::RLIMIT_NOFILE,
        libc::RLIMIT_NPROC,
    ] {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: getrlimit(2) fills the structure.
        if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
            continue;
        }
        limit.rlim_cur = match resource {
            libc::RLIMIT_CORE => 0,
            libc::RLIMIT_NOFILE => limit.rlim_cur.max(DESCRIPTORS).min(limit.rlim_max),
            _ => limit.rlim_max,
        };
        // SAFETY: setrlimit(2) reads it.
        unsafe { libc::setrlimit(resource, &raw const limit) };
    }
}

/// What a shell says of its own state: masks of signals, files, limits, variables.
const STATE: &str = "umask; ulimit -Sn; ulimit -Sc; echo $LC_ALL $TERM $LANG $NSSCRIPT_EXPLAIN; \
    ls /proc/self/fd | wc -l; grep -E 'SigBlk|SigIgn' /proc/self/status";

/// The state of a program that a test starts.
#[test]
fn a_program_finds_nothing_of_what_has_started_the_tests() {
    let found = std::process::Command::new("sh").args(["-c", STATE]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines[0], "0022");
    assert!(lines[1].parse().is_ok_and(|limit: u64| limit >= 256), "{found}");
    // The three streams, and the directory that ls(1) reads.
    assert_eq!(lines[2..5], ["0", "C.UTF-8 xterm", "4"], "{found}");
    // Above stand those that are real-time signals, of which C libraries keep two for themselves.
    let mask = |line: &str| u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap();
    assert_eq!(lines[5..].iter().map(|line| mask(line) & 0x7fff_ffff).max(), Some(0), "{found}");
}

/// The same where everything is as it should not be: the tests are started again.
#[test]
fn whatever_has_started_the_tests() {
    const HOSTILE: &str = "trap '' HUP INT QUIT CHLD PIPE TERM; umask 077; ulimit -Sn 256; \
        export LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 TERM=dumb NSSCRIPT_EXPLAIN=1; \
        exec 7</etc/passwd <&- 2>&-; exec \"$@\"";
    let (_, module) = module_path!().split_once("::").unwrap();
    let test = format!("{module}::a_program_finds_nothing_of_what_has_started_the_tests");
    let mut again = std::process::Command::new("sh");
    again.args(["-c", HOSTILE, "sh"]).arg(std::env::current_exe().unwrap());
    let ended = again.args(["--exact", &test]).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");
}

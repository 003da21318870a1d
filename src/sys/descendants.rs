//! The processes below another one.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::clone::pidfd_open;
use super::process::{PATIENCE, ready};

/// The most processes that are looked for, so that the search ends while they multiply.
const MOST: usize = 4096;

/// The processes that one has started, and those below them, held by descriptor.
#[derive(Debug, Default)]
pub struct Descendants(Vec<(i32, OwnedFd)>);

impl Descendants {
    /// Those of a process: its descriptor, and its number as /proc shows it. Without /proc, none.
    #[must_use]
    pub fn of(process: BorrowedFd<'_>, pid: i32) -> Self {
        let mut found = Self::default();
        let mut waiting = VecDeque::from(children(process, pid));
        while let Some((pid, process)) = waiting.pop_front() {
            if found.0.len() == MOST {
                break;
            }
            waiting.extend(children(process.as_fd(), pid));
            found.0.push((pid, process));
        }
        found
    }

    /// Kills them, and what they have started since.
    pub fn kill(self) {
        for (pid, process) in self.0 {
            let below = Self::of(process.as_fd(), pid);
            signal(process.as_fd(), libc::SIGKILL);
            below.0.iter().for_each(|(_, process)| _ = signal(process.as_fd(), libc::SIGKILL));
            // The kernel ends them soon: then nothing of them is left when the caller goes on.
            for (_, process) in below.0.iter().chain([&(pid, process)]) {
                let _ = ready(&[(process.as_fd(), false)], Some(PATIENCE));
            }
        }
    }
}

/// The children of a process, as /proc shows them.
fn children(process: BorrowedFd<'_>, pid: i32) -> Vec<(i32, OwnedFd)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let lists = threads.into_iter().flatten().flatten();
    let lists = lists.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let texts: Vec<String> = lists.collect();
    let numbers = texts.iter().flat_map(|text| text.split_whitespace());
    let opened = numbers.filter_map(|number| {
        let number = number.parse().ok()?;
        let opened = pidfd_open(number).ok()?;
        // The number may be that of another process by now.
        (parent(number) == Some(pid)).then_some((number, opened))
    });
    let opened: Vec<_> = opened.collect();
    // While the process is alive, its number is its own: what was read is about it.
    if signal(process, 0) { opened } else { Vec::new() }
}

/// The parent of a process, as /proc shows it.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Sends a signal, or with 0 none. Whether the process is there.
fn signal(process: BorrowedFd<'_>, signal: i32) -> bool {
    let none = std::ptr::null::<libc::siginfo_t>();
    let descriptor = process.as_raw_fd();
    // SAFETY: an open descriptor, a number, and a null pointer as the call allows.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, none, 0) };
    sent == 0
}

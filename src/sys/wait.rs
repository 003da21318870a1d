//! Waits for children whose end depends on waiting for others: waitid(2).
//!
//! The kernel keeps process 1 of a PID namespace until every process of the namespace was waited
//! for. Some of those can be children of this process, which started there after `unshare` or
//! `setns`. A wait for process 1 notes how they ended.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use super::errno::Errno;

/// How a child ended: waitid(2).
#[derive(Clone, Copy)]
pub(super) struct Ended {
    pub pid: i32,
    /// Its exit status, or the signal that killed it.
    pub status: i32,
    pub by_signal: bool,
    pub usage: libc::rusage,
}

thread_local! {
    /// Children that were waited for on behalf of others.
    static NOTED: RefCell<Vec<Ended>> = const { RefCell::new(Vec::new()) };
    /// Children that were started here and not waited for yet.
    static STARTED: RefCell<Vec<i32>> = const { RefCell::new(Vec::new()) };
}

/// Whether all children of this process are those of `nsscript`, with orphans that it has adopted.
static ADOPTS: AtomicBool = AtomicBool::new(false);
/// Whether this process is `nsscript` itself.
static OWNS: AtomicBool = AtomicBool::new(false);

fn waitid(which: libc::idtype_t, id: i32, options: i32) -> Result<Option<Ended>, Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let (place, used) = (info.as_mut_ptr(), usage.as_mut_ptr());
    let flags = options | libc::WEXITED;
    // SAFETY: numbers, and places for what waitid(2) fills. glibc's function has no place for the
    // usage.
    let done = unsafe { libc::syscall(libc::SYS_waitid, which, id, place, flags, used) };
    if done != 0 {
        return Err(Errno::last());
    }
    // SAFETY: zeroes are valid for both, and the kernel only writes valid values.
    let (info, usage) = unsafe { (info.assume_init(), usage.assume_init()) };
    // SAFETY: the fields of a SIGCHLD, or zeroes.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let by_signal = info.si_code != libc::CLD_EXITED;
    Ok((pid != 0).then_some(Ended { pid, status, by_signal, usage }))
}

/// Returns how the child `pid` ended, if it has; with `options` 0 it waits.
///
/// # Errors
/// `ECHILD` if its status is unknown.
pub(super) fn child(pid: i32, pidfd: BorrowedFd<'_>, options: i32) -> Result<Option<Ended>, Errno> {
    let answer = waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options);
    if !matches!(answer, Ok(None)) {
        STARTED.with_borrow_mut(|started| started.retain(|other| *other != pid));
    }
    if matches!(answer, Err(errno) if errno.code() == libc::ECHILD) {
        let noted = NOTED.with_borrow_mut(|noted| {
            let at = noted.iter().position(|ended| ended.pid == pid)?;
            Some(noted.swap_remove(at))
        });
        return noted.map_or(answer, |ended| Ok(Some(ended)));
    }
    answer
}

/// Waits for all children that have ended, and notes how.
pub fn note_ended_children() {
    if ADOPTS.load(Ordering::Relaxed) {
        while let Ok(Some(ended)) = waitid(libc::P_ALL, 0, libc::WNOHANG) {
            NOTED.with_borrow_mut(|noted| noted.push(ended));
        }
        return;
    }
    STARTED.with_borrow_mut(|started| {
        started.retain(|pid| match waitid(libc::P_PID, *pid, libc::WNOHANG) {
            Ok(None) => true,
            Ok(Some(ended)) => {
                NOTED.with_borrow_mut(|noted| noted.push(ended));
                false
            }
            Err(_) => false,
        });
    });
}

/// Takes note of a new child.
pub(super) fn started(pid: i32) {
    STARTED.with_borrow_mut(|started| started.push(pid));
}

/// Takes note that this process is `nsscript`, and has no children of others.
pub fn own_process() {
    OWNS.store(true, Ordering::Relaxed);
}

/// Whether processes that lose their parents may become children of this process: of `nsscript`,
/// and not of a program that uses the library and waits for its own.
pub(super) fn may_adopt() -> bool {
    let owns = OWNS.load(Ordering::Relaxed);
    ADOPTS.fetch_or(owns, Ordering::Relaxed);
    owns
}

/// Forgets all notes: this process is a copy, and the children are its parent's.
pub(super) fn forget() {
    NOTED.with_borrow_mut(Vec::clear);
    STARTED.with_borrow_mut(Vec::clear);
    ADOPTS.store(true, Ordering::Relaxed);
}

//! The stack of this process: how deep a recipe may nest what it computes.

use std::sync::OnceLock;

/// What the stack may grow to. The kernel leaves a gap of at least 128 MiB below the stack of a
/// program, whatever its limit is when it starts.
const ENOUGH: u64 = 112 << 20;

/// The limit that this process was started with.
static STARTED_WITH: OnceLock<(u64, u64)> = OnceLock::new();

/// Lets the stack of the main thread grow further: values of a recipe that are nested deep are
/// copied and dropped by functions that call themselves. Programs get the limit as it was.
pub fn raise_stack_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit fills the structure that it is given.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } != 0 {
        return;
    }
    let wanted = ENOUGH.min(limit.rlim_max);
    if limit.rlim_cur >= wanted {
        return;
    }
    let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max };
    // SAFETY: setrlimit reads the structure that it is given.
    if unsafe { libc::setrlimit(libc::RLIMIT_STACK, &raw const raised) } == 0 {
        let _ = STARTED_WITH.set((limit.rlim_cur, limit.rlim_max));
    }
}

/// How far a program may raise a limit of this process: none if the resource is unknown.
#[must_use]
pub fn hard_limit(resource: u32) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit fills the structure that it is given.
    (unsafe { libc::getrlimit(resource, &raw mut limit) } == 0).then_some(limit.rlim_max)
}

/// The limit that programs are given, where that of this process is another one.
pub(super) fn of_programs() -> Option<(u64, u64)> {
    STARTED_WITH.get().copied()
}

//! The stack of this process, which limits how deep a recipe can nest values.

use std::sync::OnceLock;

/// The maximum stack, in bytes. The kernel leaves a gap of at least 128 MiB below the stack of a
/// program, whatever its limit is at the start.
const ENOUGH: u64 = 112 << 20;

/// The limit with which this process was started.
static STARTED_WITH: OnceLock<(u64, u64)> = OnceLock::new();

/// Raises the stack limit of the main thread, because deeply nested values are copied and dropped
/// by recursive functions. Programs get the original limit.
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

/// The hard limit of a resource for this process; `None` if the resource is unknown.
#[must_use]
pub fn hard_limit(resource: u32) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit fills the structure that it is given.
    (unsafe { libc::getrlimit(resource, &raw mut limit) } == 0).then_some(limit.rlim_max)
}

/// The stack limit of programs, if it differs from that of this process.
pub(super) fn program_limit() -> Option<(u64, u64)> {
    STARTED_WITH.get().copied()
}

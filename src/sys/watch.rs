//! Timing of the calls of a new process.

use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::errno::Errno;
use super::kernel::{CallError, Syscall, call};

/// Notes that parent and child share, even if the child has a copy of the parent's memory.
#[derive(Debug)]
pub struct Watch {
    /// A mapping of [`HEAD`] numbers and one for each call.
    notes: *const AtomicU64,
    length: usize,
}

/// The durations of the parts of a launch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The time until the first call.
    pub start: Duration,
    /// The time of each call.
    pub calls: Vec<Duration>,
    /// The time since the last call, such as that of executing a program.
    pub rest: Duration,
    /// The number of parts of the last call that succeeded, if it has several.
    pub parts: usize,
}

/// The index of the count of parts.
const PARTS: usize = 0;
/// The index of the time at which the watch was created.
const MADE: usize = 1;
/// The index of the time at which the new process started.
const BEGUN: usize = 2;
/// The index of the first note on a call.
const HEAD: usize = 3;

impl Watch {
    /// Starts a watch for `calls` calls.
    ///
    /// # Errors
    /// No memory is left.
    pub fn new(calls: usize) -> Result<Self, CallError> {
        let length = HEAD + calls;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags: c_int = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let (none, bytes) = (std::ptr::null_mut::<c_void>(), length * size_of::<AtomicU64>());
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory
        // that exists.
        let place = unsafe { libc::mmap(none, bytes, protection, flags, -1, 0) };
        if place == libc::MAP_FAILED {
            return Err(CallError { syscall: Syscall::Mmap, errno: Errno::last() });
        }
        let watch = Self { notes: place.cast(), length };
        watch.note(MADE, now());
        Ok(watch)
    }

    fn notes(&self) -> &[AtomicU64] {
        // SAFETY: the mapping holds `length` numbers, zero at first, and is unmapped only when
        // `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.notes, self.length) }
    }

    fn note(&self, index: usize, value: u64) {
        if let Some(note) = self.notes().get(index) {
            note.store(value, Ordering::Relaxed);
        }
    }

    /// Notes that the new process starts.
    pub(super) fn begin(&self) {
        self.note(BEGUN, now());
    }

    /// Notes that call number `call` has returned.
    pub(super) fn tried(&self, call: usize) {
        self.note(HEAD + call, now());
    }

    /// Notes the number of finished parts of the current call.
    pub(super) fn parts(&self, done: usize) {
        self.note(PARTS, done as u64);
    }

    /// Returns the notes.
    #[must_use]
    pub fn times(&self) -> Times {
        let notes: Vec<u64> = self.notes().iter().map(|note| note.load(Ordering::SeqCst)).collect();
        let between = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
        let mut last = notes[BEGUN];
        if last == 0 {
            let start = between(notes[MADE], now());
            return Times { start, ..Times::default() };
        }
        let mut times = Times { start: between(notes[MADE], last), ..Times::default() };
        // A call that executes a program notes nothing, and is the last one.
        for note in notes[HEAD..].iter().take_while(|note| **note != 0) {
            times.calls.push(between(last, *note));
            last = *note;
        }
        times.rest = between(last, now());
        times.parts = usize::try_from(notes[PARTS]).unwrap_or_default();
        times
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let bytes = self.length * size_of::<AtomicU64>();
        // SAFETY: the mapping that `new` made, which nobody uses any more: `notes` borrows `self`.
        unsafe { libc::munmap(self.notes.cast_mut().cast(), bytes) };
    }
}

/// The monotonic time in nanoseconds, by syscall(2), because the new process calls this as well,
/// possibly in its parent's memory.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let place = &raw mut time;
    if call!(ClockGettime, SYS_clock_gettime, libc::CLOCK_MONOTONIC, place).is_err() {
        return 0;
    }
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

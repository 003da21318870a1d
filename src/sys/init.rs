//! The init that nsscript carries: written to a memory file once, and executed in every sandbox.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::raw::c_int;
use std::sync::OnceLock;

use nix::fcntl::OFlag;

use super::call::Passed;
use super::errno::Errno;
use super::kernel::{self, Answer, CallError, Syscall};
use super::memory_file::sealed;
use super::program::CStrings;

/// The program of `init/pid1.rs`, as the build script has built it.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pid1"));

/// The descriptors that a process needs to execute the carried program, and the one that its parent
/// keeps.
pub(super) struct Init {
    program: RawFd,
    tell: OwnedFd,
    /// The pipe from which the parent reads messages of the carried program.
    pub answers: OwnedFd,
}

/// Creates the descriptors.
pub(super) fn prepare() -> Answer<Init> {
    let program = program()?;
    let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let pipe = nix::unistd::pipe2(flags);
    let (answers, tell) = pipe.map_err(|_| call_error(Syscall::Pipe2))?;
    Ok(Init { program, tell, answers })
}

fn call_error(syscall: Syscall) -> CallError {
    CallError { syscall, errno: Errno::last() }
}

static HELD: OnceLock<OwnedFd> = OnceLock::new();

/// A sealed memory file with init, created once, which nobody can change.
fn program() -> Answer<RawFd> {
    if let Some(file) = held() {
        return Ok(file);
    }
    let file = sealed(c"init", libc::MFD_EXEC, PROGRAM)?;
    Ok(HELD.get_or_init(|| file).as_raw_fd())
}

/// The file, if it exists.
pub(super) fn held() -> Option<RawFd> {
    HELD.get().map(AsRawFd::as_raw_fd)
}

/// The descriptor numbers that the carried program expects.
const STATUS: c_int = 3;
const FILE: c_int = 4;
const GATE: c_int = 5;

impl Init {
    /// Executes the carried program with the description `told`: see `pid1.rs`. Runs in the new
    /// process, and returns only on failure.
    ///
    /// With a gate, the carried program waits until the gate's other end is closed.
    pub(super) fn execute(
        &self,
        as_init: bool,
        told: &CStrings,
        gate: Option<c_int>,
        passed: &Passed,
    ) -> CallError {
        let name = if as_init { c"init" } else { c"exec" };
        let arguments = [name.as_ptr(), std::ptr::null()];
        let arranged = match gate {
            _ if passed.descriptors().next().is_some() => self.arrange_passing(gate, passed),
            None => self.arrange(),
            Some(gate) => self.arrange_with(gate),
        };
        match arranged {
            // SAFETY: both arrays end with a null pointer.
            Ok(file) => unsafe { kernel::execute(file, arguments.as_ptr(), told.as_ptr()) },
            Err(error) => error,
        }
    }

    /// Moves the pipe to its number, and closes everything except it, the standard streams and the
    /// executed file.
    fn arrange(&self) -> Answer<c_int> {
        let mut program = self.program;
        if program == STATUS {
            program = kernel::duplicate(program, FILE)?;
        }
        let status = self.tell.as_raw_fd();
        if status == STATUS {
            kernel::keep_over_execve(STATUS)?;
        } else {
            kernel::dup3(status, STATUS, 0)?;
        }
        if program != FILE {
            kernel::dup3(program, FILE, libc::O_CLOEXEC)?;
        }
        kernel::close_range(GATE.cast_unsigned(), u32::MAX, 0)?;
        Ok(FILE)
    }

    /// Does the same, and keeps the passed descriptors. Their numbers are above those that they
    /// have here, so none is lost.
    fn arrange_passing(&self, gate: Option<c_int>, passed: &Passed) -> Answer<c_int> {
        let (first, end) = passed.range();
        let above = |descriptor| kernel::duplicate(descriptor, end);
        let (status, program) = (above(self.tell.as_raw_fd())?, above(self.program)?);
        let gate = gate.map(above).transpose()?;
        for (descriptor, number) in passed.descriptors().zip(passed.numbers()) {
            kernel::dup3(descriptor, number, 0)?;
        }
        kernel::dup3(status, STATUS, 0)?;
        kernel::dup3(program, FILE, libc::O_CLOEXEC)?;
        let free = match gate {
            Some(gate) => kernel::dup3(gate, GATE, 0).map(|()| GATE + 1)?,
            None => GATE,
        };
        // Nothing is between them if the first one has the next number.
        if free < first {
            kernel::close_range(free.cast_unsigned(), (first - 1).cast_unsigned(), 0)?;
        }
        kernel::close_range(end.cast_unsigned(), u32::MAX, 0)?;
        Ok(FILE)
    }

    /// Does the same, and moves the gate to its number.
    fn arrange_with(&self, gate: c_int) -> Answer<c_int> {
        // All three may have each other's numbers.
        let above = |descriptor| kernel::duplicate(descriptor, GATE + 1);
        let (status, program) = (above(self.tell.as_raw_fd())?, above(self.program)?);
        let gate = above(gate)?;
        kernel::dup3(status, STATUS, 0)?;
        kernel::dup3(program, FILE, libc::O_CLOEXEC)?;
        kernel::dup3(gate, GATE, 0)?;
        kernel::close_range(GATE.cast_unsigned() + 1, u32::MAX, 0)?;
        Ok(FILE)
    }
}

/// The sum of the messages of the carried program: see `pid1.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told(u64);

impl Told {
    /// Decodes the sum.
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }

    /// The reason why the program was not executed, or its process not created.
    pub(super) fn not_executed(self) -> Option<CallError> {
        let errno = Errno::new(i32::try_from(self.0 >> 40 & 0xfff).unwrap_or_default());
        let has = |bit: u32| self.0 >> bit & 1 == 1;
        let syscall = match () {
            () if has(61) => Syscall::Clone,
            () if has(60) => Syscall::Ioctl,
            () if has(59) => Syscall::Prlimit,
            () if has(58) => Syscall::Dup3,
            () if has(57) => Syscall::Fcntl,
            () if has(56) => Syscall::Seccomp,
            () => Syscall::Execve,
        };
        has(62).then_some(CallError { syscall, errno })
    }

    /// The wait status of the program: wait(2).
    pub(super) fn wait_status(self) -> Option<c_int> {
        let status = (self.0 & 0xffff_ffff).checked_sub(1)?;
        i32::try_from(status).ok()
    }
}

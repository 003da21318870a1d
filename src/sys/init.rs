//! The init that nsscript carries: made into a file in memory once, executed in every sandbox.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::raw::c_int;
use std::sync::OnceLock;

use super::errno::Errno;
use super::kernel::{self, Answer, Syscall, Trouble};

/// The program of `init/pid1.rs`, as the build script has built it.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pid1"));

/// What a process needs to become the init of a sandbox.
pub(super) struct Init {
    program: RawFd,
    /// Where init leaves the wait status of the program.
    pub status: OwnedFd,
}

/// Makes the descriptors.
pub(super) fn prepare() -> Answer<Init> {
    let program = program()?;
    // SAFETY: eventfd takes two numbers.
    let status = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if status < 0 {
        return Err(trouble(Syscall::Eventfd));
    }
    // SAFETY: eventfd gave a new descriptor that nobody owns.
    Ok(Init { program, status: unsafe { OwnedFd::from_raw_fd(status) } })
}

fn trouble(syscall: Syscall) -> Trouble {
    Trouble { syscall, errno: Errno::last() }
}

/// A sealed file in memory that holds init, made once: nobody who finds it can change it.
fn program() -> Answer<RawFd> {
    static FILE: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(file) = FILE.get() {
        return Ok(file.as_raw_fd());
    }
    let create = |flags| {
        // SAFETY: a C string and a number.
        unsafe { libc::memfd_create(c"nsscript-init".as_ptr(), flags) }
    };
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Linux before 6.3 does not know MFD_EXEC; later ones may be set up to want it.
    let file = match create(flags | libc::MFD_EXEC) {
        -1 => create(flags),
        file => file,
    };
    if file < 0 {
        return Err(trouble(Syscall::MemfdCreate));
    }
    // SAFETY: memfd_create gave a new descriptor that nobody owns.
    let file = unsafe { OwnedFd::from_raw_fd(file) };
    kernel::write_all(file.as_raw_fd(), PROGRAM)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: a descriptor that is open, and numbers.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
        return Err(trouble(Syscall::MemfdCreate));
    }
    Ok(FILE.get_or_init(|| file).as_raw_fd())
}

impl Init {
    /// Becomes init. Runs in the new process; returns only if that fails.
    pub(super) fn become_init(&self) -> Trouble {
        const STATUS: c_int = 3;
        const FILE: c_int = 4;
        let arguments = [c"init".as_ptr(), std::ptr::null()];
        let environment = [std::ptr::null()];
        let (status, program) = (self.status.as_raw_fd(), self.program);
        // Both are moved out of the way first: either may stand where the other has to go.
        let ready = kernel::dup3(program, 1, 0)
            .and_then(|()| kernel::dup3(status, STATUS, 0))
            .and_then(|()| kernel::dup3(1, FILE, libc::O_CLOEXEC))
            .and_then(|()| kernel::close_range(0, 2))
            .and_then(|()| kernel::close_range(5, u32::MAX));
        match ready {
            // SAFETY: both arrays end with a null pointer.
            Ok(()) => unsafe {
                kernel::execute(FILE, c"", arguments.as_ptr(), environment.as_ptr())
            },
            Err(trouble) => trouble,
        }
    }
}

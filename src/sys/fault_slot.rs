//! The fault slot: eight bytes, shared by parent and child, that name the failed call and its
//! error.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use super::errno::Errno;
use super::kernel::{CallError, Syscall};
use super::program::LaunchError;

/// A page that stays shared even if the child has a copy of the parent's memory.
#[repr(C)]
#[derive(Debug)]
pub(super) struct FaultSlot {
    /// 0, or the call (1 + its index, 0xffff for none) << 48 | system call << 32 | errno.
    fault: AtomicU64,
    /// The number of the process that an intermediate process created, as the latter sees it.
    pub pid: AtomicI32,
    /// Its pidfd; negative until it exists.
    pub pidfd: AtomicI32,
    /// The number of the intermediate process, as it sees itself.
    pub intermediate: AtomicI32,
}

/// The call number of a failure before the first call.
const NO_CALL: u64 = 0xffff;

/// The address of this process's slot; 0 until it is mapped.
static SLOT: AtomicUsize = AtomicUsize::new(0);

impl FaultSlot {
    /// The slot of this process, mapped on first use.
    pub(super) fn of_this_process() -> Result<&'static Self, CallError> {
        let known = SLOT.load(Ordering::Relaxed);
        if known != 0 {
            // SAFETY: the address is that of the mapping below, which is never unmapped.
            return Ok(unsafe { &*(known as *const Self) });
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags: c_int = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory
        // that exists.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return Err(CallError { syscall: Syscall::Mmap, errno: Errno::last() });
        }
        super::clone::forget_in_forks();
        SLOT.store(page as usize, Ordering::Relaxed);
        // SAFETY: the mapping is a page of zeroes, aligned, valid for `FaultSlot`, and never
        // unmapped in this process.
        Ok(unsafe { &*(page as *const Self) })
    }

    /// Forgets the slot, because this process is a copy and the page belongs to its parent: the
    /// next use maps a new one.
    pub(super) fn forget() {
        SLOT.store(0, Ordering::Relaxed);
    }

    /// Takes the page away, in a process that another one has forked by itself.
    pub(super) fn unmap() {
        let page = SLOT.swap(0, Ordering::SeqCst);
        if page != 0 {
            // SAFETY: the mapping is that of `of_this_process`, and the one thread of this process
            // is in fork(2), so nobody uses it.
            unsafe { libc::munmap(page as *mut std::ffi::c_void, 4096) };
        }
    }

    pub(super) fn reset(&self) {
        self.fault.store(0, Ordering::Relaxed);
        self.pid.store(0, Ordering::Relaxed);
        self.pidfd.store(-1, Ordering::Relaxed);
        self.intermediate.store(0, Ordering::Relaxed);
    }

    /// Notes that `call` failed.
    pub(super) fn report(&self, call: Option<usize>, error: CallError) {
        let call = call.map_or(NO_CALL, |index| index as u64 + 1);
        let errno = u64::from(error.errno.code().cast_unsigned());
        let number = u64::from(error.syscall as u16);
        self.fault.store(call << 48 | number << 32 | errno, Ordering::SeqCst);
    }

    /// The failure, if any.
    pub(super) fn fault(&self) -> Option<LaunchError> {
        let bits = self.fault.load(Ordering::SeqCst);
        if bits == 0 {
            return None;
        }
        let call = usize::try_from(bits >> 48).ok().filter(|call| *call as u64 != NO_CALL);
        let number = u16::try_from(bits >> 32 & 0xffff).unwrap_or_default();
        let errno = Errno::new(i32::try_from(bits & 0xffff_ffff).unwrap_or_default());
        let syscall = Syscall::from_number(number);
        let call = call.and_then(|call| call.checked_sub(1));
        Some(LaunchError { call, error: CallError { syscall, errno } })
    }
}

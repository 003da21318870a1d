//! A byte that this process shares with the copies of it that it makes later.

use std::sync::atomic::AtomicU8;

/// A new byte, 0, in a page that stays shared where the rest of the memory is copied. Where there
/// is no page left, it is one of this process alone.
#[must_use]
pub fn shared_byte() -> &'static AtomicU8 {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory that
    // exists.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 1, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Box::leak(Box::new(AtomicU8::new(0)));
    }
    // SAFETY: `page` is a page of zeroes, which are an `AtomicU8`, and is never unmapped.
    unsafe { &*page.cast_const().cast::<AtomicU8>() }
}

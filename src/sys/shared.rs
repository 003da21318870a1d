//! Memory that this process shares with its later copies.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Maps a page of zeroes that copies share; `None` if there is no memory.
fn page() -> Option<*const libc::c_void> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory that
    // exists.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, protection, flags, -1, 0) };
    (page != libc::MAP_FAILED).then_some(page.cast_const())
}

/// The smallest page size, in bytes.
const PAGE: usize = 4096;

/// Creates a shared byte with the value 0. Without memory for a page, it is private to this
/// process.
#[must_use]
pub fn shared_byte() -> &'static AtomicU8 {
    match page() {
        // SAFETY: `page` is a page of zeroes, which are an `AtomicU8`, and is never unmapped.
        Some(page) => unsafe { &*page.cast::<AtomicU8>() },
        None => Box::leak(Box::new(AtomicU8::new(0))),
    }
}

/// The capacity of a page in numbers, behind the count.
const MOST: usize = PAGE / size_of::<u64>() - 1;

/// Shared non-zero numbers, of which the most recent are kept.
#[derive(Clone, Copy, Debug)]
pub struct SharedNumbers {
    added: &'static AtomicU64,
    numbers: &'static [AtomicU64; MOST],
}

impl SharedNumbers {
    /// Creates an empty list; `None` if there is no memory.
    #[must_use]
    pub fn new() -> Option<Self> {
        let first = page()?.cast::<AtomicU64>();
        // SAFETY: a page of zeroes, which are one and `MOST` of `AtomicU64`, is never unmapped.
        Some(unsafe { Self { added: &*first, numbers: &*first.add(1).cast() } })
    }

    /// Adds a number, which replaces the oldest if the page is full.
    pub fn add(&self, number: u64) {
        let at = self.added.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(at).unwrap_or_default() % MOST;
        self.numbers[at].store(number, Ordering::Release);
    }

    /// Whether a number is in the list.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        number != 0 && self.numbers.iter().any(|one| one.load(Ordering::Acquire) == number)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, SharedNumbers};

    #[test]
    fn the_last_numbers_are_kept() {
        let numbers = SharedNumbers::new().unwrap();
        assert!(!numbers.contains(0) && !numbers.contains(7));
        (1..=MOST as u64 + 2).for_each(|number| numbers.add(number));
        assert!(numbers.contains(3) && numbers.contains(MOST as u64 + 2));
        assert!(!numbers.contains(1) && !numbers.contains(2));
    }
}

//! The heap of this process: its size, and the exit of a process that uses too much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::kernel;

/// The maximum heap of a process, in bytes. It is several times the limit of a recipe, because a
/// single function can allocate much before that limit is checked.
const MOST: usize = 4 << 30;

/// The exit status of nsscript's own failures.
const FAILED: i32 = 125;

/// The bytes of the heap that are in use; 0 if the program has another allocator.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count. A program that exceeds 4 GiB or runs out of memory exits
/// with a message and a status instead of SIGABRT.
#[derive(Debug)]
pub struct Heap;

// SAFETY: every call is passed on to the system's allocator unchanged, around additions; without
// memory, the process exits.
unsafe impl GlobalAlloc for Heap {
    /// # Safety
    /// What the trait asks of the caller.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: what the caller promises.
        given(unsafe { System.alloc(layout) })
    }

    /// # Safety
    /// What the trait asks of the caller.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: what the caller promises.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    /// # Safety
    /// What the trait asks of the caller.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    /// # Safety
    /// What the trait asks of the caller.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: what the caller promises.
        given(unsafe { System.realloc(memory, layout, size) })
    }
}

/// The bytes of the heap that are in use, without the allocator's overhead.
#[must_use]
pub fn memory_in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

fn count(size: usize) {
    // No layout is larger than half of the range, so the sum cannot overflow.
    if IN_USE.fetch_add(size, Ordering::Relaxed).wrapping_add(size) > MOST {
        end(b"error: more than 4 GiB of memory would be in use\n");
    }
}

fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        end(b"error: out of memory (ENOMEM)\n");
    }
    memory
}

/// Exits; the programs that this process started die with it. The code that asked for memory cannot
/// continue without it.
#[cold]
fn end(why: &[u8]) -> ! {
    super::terminal::restore_input();
    let _ = kernel::write_all(2, why);
    kernel::exit(FAILED)
}

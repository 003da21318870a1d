//! The heap of this process: how much of it is in use, and the end of a process that takes too much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::kernel;

/// The most that a process may have in use. What one function of a recipe takes at once is not
/// seen before it has it, so this is several times what a recipe may use as a whole.
const MOST: usize = 4 << 30;

/// The exit status of nsscript's own failures.
const FAILED: i32 = 125;

/// Bytes of the heap that are in use. Zero where the program has another allocator.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts. A program that takes more than 4 GiB, or that the
/// kernel gives no more, ends with a sentence and a status, and not with SIGABRT.
#[derive(Debug)]
pub struct Heap;

// SAFETY: every call is passed on to the system's allocator as it came; in between are additions,
// and where there is no memory the process ends.
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

/// How much of the heap is in use, in bytes: what was asked for, without the allocator's own needs.
#[must_use]
pub fn memory_in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

fn count(size: usize) {
    // No layout is larger than half of the numbers there are, so the sum is one.
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

/// Ends this process and what it has started, which dies with it. Nothing else can be done: who has
/// asked for memory cannot go on without it.
#[cold]
fn end(why: &[u8]) -> ! {
    super::terminal::put_back();
    let _ = kernel::write_all(2, why);
    kernel::exit(FAILED)
}

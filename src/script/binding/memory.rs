//! The memory that a recipe may use.

use crate::diag::{Report, bytes};
use crate::run;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;

/// The most that a recipe may have in memory, in bytes.
///
/// The engine could bound arrays, maps and strings itself, but it counts all that a value holds
/// after every operation on it: a loop that fills an array takes a time that grows with the square
/// of its length. What the process has in use is known without counting.
const MEMORY: usize = 1 << 30;

/// Whether the recipe exceeds the memory limit.
pub fn is_exceeded() -> bool {
    run::memory_in_use() > MEMORY
}

/// The message for it.
pub fn exceeded() -> String {
    format!("the recipe needs more memory than the limit of {}", bytes(MEMORY as u64))
}

/// Whether so many more bytes may be allocated.
pub fn has_room(bytes: usize) -> bool {
    run::memory_in_use().saturating_add(bytes) <= MEMORY
}

/// Checks that so many more bytes may be allocated for the value of a verb.
///
/// # Errors
/// They may not.
pub fn room(bytes: usize, call: &Call<'_, '_>) -> Result<(), VerbError> {
    if has_room(bytes) { Ok(()) } else { Err(call.fail(Report::error(exceeded()))) }
}

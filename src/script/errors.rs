//! Messages for the engine's errors.

pub mod caught;
pub mod reword;
pub mod syntax;
pub mod variable;

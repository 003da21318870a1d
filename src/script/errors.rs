//! The errors of the engine in the words of nsscript.

pub mod caught;
pub mod reword;
pub mod syntax;
pub mod variable;

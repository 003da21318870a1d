//! The language itself: tokens, brackets and statements of a text, its functions and modules.

pub mod bracket;
pub mod catch_names;
pub mod described;
pub mod foreign;
pub mod functions;
pub mod library;
pub mod named;
pub mod recipe;
pub mod stack;
pub mod statement_starts;
pub mod token;

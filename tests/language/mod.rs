//! The recipe language as its users meet it: what recipes say and give, what is said of mistakes,
//! what is planned, and that the documentation is true.

mod check;
mod command_line;
mod completions;
mod conversions;
mod definitions;
mod diagnostics;
mod documentation;
mod dry_run;
mod elf;
mod endings;
mod errors;
mod explain;
mod faults;
mod functions;
mod help;
mod host;
mod index;
mod json;
mod man;
mod missing;
mod modules;
mod narration;
mod new;
mod nsscript;
mod packing;
mod plans;
mod printing;
mod prompt;
mod readme;
pub mod recipes;
mod testing;
mod transcripts;
mod values;
mod verbs;
mod words;

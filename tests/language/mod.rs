//! The recipe language as its users meet it: what recipes say and give, what is said of mistakes,
//! what is planned, and that the documentation is true.

mod check;
mod command_line;
mod conversions;
mod diagnostics;
mod documentation;
mod elf;
mod endings;
mod errors;
mod explain;
mod index;
mod modules;
mod narration;
mod nsscript;
mod packing;
mod plans;
mod printing;
mod readme;
mod recipes;
mod rehearsal;
mod testing;
mod transcripts;
mod values;

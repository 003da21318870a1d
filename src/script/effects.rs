//! The two implementations of `Effects`, and closures in child processes.

pub mod block;
pub mod child;
pub mod codec;
pub mod dry_run;
pub mod kernel;

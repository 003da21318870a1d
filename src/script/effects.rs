//! The effects of verbs: by the kernel, or noted in a dry run; closures in child processes.

pub mod block;
pub mod child;
pub mod codec;
pub mod dry_run;
pub mod kernel;

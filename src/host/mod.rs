//! Facts about the machine. This layer reads; it changes nothing and runs nothing.

pub mod accounts;
pub mod busybox;
pub mod elf;
mod facts;
#[cfg(test)]
mod fixture;
pub mod tree;

pub use facts::Host;
pub use tree::Tree;

//! Facts about the machine. This layer reads; it changes nothing and runs nothing.

pub mod accounts;
pub mod busybox;
pub mod cgroups;
pub mod elf;
mod facts;
mod file_view;
#[cfg(test)]
pub(crate) mod fixture;
pub mod mountinfo;
pub mod namespace_table;
mod packages;
pub mod process_table;
pub mod procfs;
mod programs;
pub mod routes;
pub mod script;
pub mod tree;
mod unseen;

pub use facts::{APPARMOR, DEBIAN, Forbids, Host, MOST_USER_NAMESPACES};
pub use file_view::FileView;
pub use packages::{Package, Packages};
pub use programs::DEFAULT_PATH;
pub use tree::Tree;
pub use unseen::{DESCRIPTORS, Unseen};

//! The library: sandboxes, root filesystems and programs as values of Rust.
//!
//! The types here wrap those of the layers below. Everything that another crate can name is in this
//! folder, so that `tests/library/api.txt` lists it.

mod child;
mod command;
mod error;
mod options;
#[cfg(feature = "script")]
mod package;
mod plan;
mod policy;
mod process;
mod rootfs;
mod sandbox;
mod values;

pub use child::Child;
pub use command::Command;
pub use error::Error;
pub use options::{
    BinaryOptions, BindOptions, DevOptions, FileOptions, ImageOptions, MountOptions,
    OverlayOptions, ProcOptions, TarOptions, TmpfsOptions,
};
#[cfg(feature = "script")]
pub use package::{SandboxPackage, rhai};
pub use plan::Plan;
pub use policy::Policy;
pub use rootfs::Rootfs;
pub use sandbox::Sandbox;
pub use values::{ExitStatus, Id, Limit, Namespace, Output, UNLIMITED};

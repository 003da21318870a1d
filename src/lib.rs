//! Linux sandboxes as readable recipes, as values of Rust, and as verbs of a small language.
//!
//! A [`Sandbox`] describes what a program sees: namespaces, a root, mounts, ids, limits. A
//! [`Command`] of it runs a program there. Every error names what was attempted, the kernel's
//! answer, the line that asked for it, and what helps.
//!
//! ```
//! use nsscript::{BindOptions, Sandbox};
//!
//! # std::fs::create_dir_all("/tmp/nsscript-doc")?;
//! let sandbox = Sandbox::host_view()
//!     .bind_with("/tmp/nsscript-doc", "/tmp/input", BindOptions::new().read_only(true))
//!     .env("LANG", "C.UTF-8");
//! let output = sandbox.command("ls").arg("/tmp").output()?;
//! assert_eq!(output.stdout, b"input\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In your program
//!
//! - It starts no thread that goes on, installs no signal handler, and waits for no child of yours.
//!   Do not wait for its children either, as `waitpid(-1)` does, and do not ignore `SIGCHLD`: the
//!   kernel then tells nobody how a program ended, which is an error.
//! - It works in programs with threads, and in those that fork. [`Sandbox`], [`Rootfs`],
//!   [`Command`] and [`Error`] can be sent between threads; a [`Child`] belongs to its own.
//! - Two descriptors stay open for the process. Otherwise nothing is left behind: what a sandbox
//!   needs on disk is removed with its [`Child`]. Layers of roots stay in the store of the user,
//!   `~/.cache/nsscript`, where the program `nsscript` finds them as well.
//! - Linux 5.12 or later, on x86-64 or aarch64, as root or as any user who may create user
//!   namespaces.
//!
//! # Features
//!
//! - `script`: the recipe language, and `SandboxPackage`, which registers its verbs in an engine of
//!   yours. It pins a version of Rhai with the features `internals` and `only_i64`, and does not
//!   compile with `rhai/sync`.
//! - `cli` (default): the program `nsscript`. Libraries turn it off: `default-features = false`.
#![cfg_attr(
    not(feature = "cli"),
    allow(dead_code, unused_imports, reason = "the recipe language and the command line use it")
)]

mod diag;
mod host;
mod json;
mod library;
mod ops;
mod plan;
mod run;
mod spec;
mod sys;

#[cfg(feature = "script")]
mod script;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
mod repl;

pub use library::{
    BinaryOptions, BindOptions, Child, Command, DevOptions, Error, ExitStatus, FileOptions, Id,
    ImageOptions, Limit, MountOptions, Namespace, Output, OverlayOptions, Plan, Policy,
    ProcOptions, Rootfs, Sandbox, TarOptions, TmpfsOptions, UNLIMITED,
};

#[cfg(feature = "script")]
pub use library::{SandboxPackage, rhai};

/// What the tests of the program look into. It is no part of the library, and may change with every
/// version.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod internal {
    pub mod diag {
        pub use crate::diag::*;
    }
    pub mod host {
        pub use crate::host::*;
    }
    pub mod ops {
        pub use crate::ops::*;
    }
    pub mod plan {
        pub use crate::plan::*;
    }
    pub mod run {
        pub use crate::run::*;
    }
    pub mod script {
        pub use crate::script::*;
    }
    pub mod spec {
        pub use crate::spec::*;
    }
}

/// Runs the Rust of README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

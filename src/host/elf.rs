//! The files that programs need in order to be loaded, read from their ELF headers.
//!
//! The rules are those of `ld.so(8)` and of musl's loader, and nothing is run: `ldd(1)` starts
//! the loader that the file names, which an untrusted file must not choose, and for a program
//! reached by a link it takes `$ORIGIN` for the directory of the link.
//!
//! `object` reads one file, `search` knows the loader's search path, `closure` follows one to the
//! other, and [`Needs`] is the result.

mod abi;
mod bytes;
mod cache;
mod closure;
mod conf;
mod cpu;
mod error;
mod files;
mod loader;
mod needs;
mod object;
mod outline;
#[cfg(test)]
mod sample;
mod script;
mod search;
mod system;
#[cfg(test)]
mod tests;
mod tokens;

use std::path::Path;

pub use error::{ElfError, ElfErrorKind};
pub use loader::Loader;
pub use needs::{Kind, Library, LoadError, Missing, Needs, Request, Role, Rule};
pub use outline::Outline;
pub use script::Shebang;

use crate::host::FileView;

/// The needs of one program of `tree`: [`Loader::needs`] for a single query.
///
/// # Errors
/// Those of [`Loader::needs`].
pub fn needs(tree: &dyn FileView, program: &Path) -> Result<Needs, ElfError> {
    Loader::new(tree).needs(program)
}

/// The interpreter that the first bytes of a script name; none if it is no script.
#[must_use]
pub fn interpreter(head: &[u8]) -> Option<std::path::PathBuf> {
    Some(Shebang::read(head).ok()??.interpreter)
}

/// The library `name` as programs of the kind of `like` would load it; [`Loader::library`] for a
/// single query.
///
/// # Errors
/// Those of [`Loader::library`].
pub fn library(tree: &dyn FileView, name: &str, like: &Path) -> Result<Needs, ElfError> {
    Loader::new(tree).library(name, like)
}

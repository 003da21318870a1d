//! Mounts below the root, and changes of places there.

mod bind;
mod cgroupfs;
mod dev;
mod extend;
mod file_system;
mod id_mapped;
mod image;
mod mask;
mod mqueue;
mod on_host;
mod overlay;
mod pin;
mod proc;
mod propagation;
mod protect;
mod sysfs;
mod tmpfs;

pub use bind::*;
pub use cgroupfs::*;
pub use dev::*;
pub use extend::*;
pub use file_system::*;
pub use id_mapped::*;
pub use image::*;
pub use mask::*;
pub use mqueue::*;
pub use on_host::*;
pub use overlay::*;
pub use pin::*;
pub use proc::*;
pub use propagation::*;
pub use protect::*;
pub use sysfs::*;
pub(super) use tmpfs::tmpfs;
pub use tmpfs::*;

use crate::ops::words::remount_all;
use crate::spec::{MountAttributes, shell_word};
use crate::sys::Attributes;

/// The option `-o` of mount(8) with these words; empty without words.
fn options(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if words.is_empty() { String::new() } else { format!(" -o {}", shell_word(&words.join(","))) }
}

/// Converts the attributes for the kernel.
fn kernel(attributes: MountAttributes) -> Attributes {
    let MountAttributes { read_only, suid, devices, exec, symlinks } = attributes;
    Attributes::NONE
        .and(Attributes::READ_ONLY, read_only)
        .and(Attributes::NO_SUID, !suid)
        .and(Attributes::NO_DEVICES, !devices)
        .and(Attributes::NO_EXEC, !exec)
        .and(Attributes::NO_SYMLINKS, !symlinks)
}

/// The words for a place that is created on the host, if requested.
fn created(create: bool) -> &'static str {
    if create { ", created on the host if missing" } else { "" }
}

/// The shell command that creates a place, if requested.
fn made(at: &str, directory: bool, create: bool) -> String {
    match (create, directory) {
        (false, _) => String::new(),
        (true, true) => format!("mkdir -p {at} && "),
        (true, false) => format!("{{ [ -e {at} ] || install -Dm 644 /dev/null {at}; }} && "),
    }
}

/// The shell command that binds something with attributes.
fn bound(source: &str, at: &str, attributes: MountAttributes, recursive: bool) -> String {
    let words = attributes.words().join(",");
    let r = if recursive { "r" } else { "" };
    let bind = format!("mount --{r}bind {source} {at}");
    match (words.is_empty(), recursive) {
        (true, _) => bind,
        (false, false) => format!("{bind} && mount -o remount,bind,{words} {at}"),
        (false, true) => {
            format!("{bind} && {}", remount_all(at, &words))
        }
    }
}

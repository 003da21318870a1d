//! The attributes of a mount: mount_setattr(2).

use std::path::PathBuf;

use super::mount::attribute_words;
use crate::diag::list;
use crate::ops::Told;
use crate::ops::lowering::path;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::spec::{Kind, MountFlags};
use crate::sys::Raw;

/// The attributes of a mount are changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SetAttributes {
    /// The mount.
    pub target: PathBuf,
    /// Mounts below it too.
    pub recursive: bool,
    /// The flags that are set.
    pub set: MountFlags,
    /// The flags that are taken away.
    pub clear: MountFlags,
}

impl RawOperation for SetAttributes {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "mount", effect: Effect::Held(Kind::Mount) }
    }

    fn told(&self) -> Told {
        let Self { target, recursive, set, clear } = self;
        let all = if *recursive { " and everything below it" } else { "" };
        let words = attribute_words(*set, *clear);
        Told {
            sentence: format!("make {}{all} {}", host(target), list(&words, "and")),
            source: None,
            target: Some(own(target)),
            shell: Some(format!("mount -o remount,bind,{} {}", words.join(","), sh(target))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { target, recursive, set, clear } = self;
        let flags = if *recursive { "AT_RECURSIVE" } else { "0" };
        let (set, clear) = (attributes(*set), attributes(*clear));
        let target = c(target);
        vec![Called::new(format!(
            "mount_setattr(AT_FDCWD, {target}, {flags}, {{attr_set={set}, attr_clr={clear}}}, 32)"
        ))]
    }
}

impl Prepare for SetAttributes {
    fn prepare(&self) -> Raw<'static> {
        let Self { target, recursive, set, clear } = self;
        let (recursive, set, clear) = (*recursive, set.0, clear.0);
        Raw::SetAttributes { target: path(target), recursive, set, clear }
    }
}

/// Attributes by the names of mount_setattr(2).
fn attributes(flags: MountFlags) -> String {
    let names = [
        (MountFlags::READ_ONLY, "MOUNT_ATTR_RDONLY"),
        (MountFlags::NO_SUID, "MOUNT_ATTR_NOSUID"),
        (MountFlags::NO_DEVICES, "MOUNT_ATTR_NODEV"),
        (MountFlags::NO_EXEC, "MOUNT_ATTR_NOEXEC"),
        (MountFlags::NO_ACCESS_TIMES, "MOUNT_ATTR_NOATIME"),
        (MountFlags::STRICT_TIMES, "MOUNT_ATTR_STRICTATIME"),
        (MountFlags::NO_DIRECTORY_TIMES, "MOUNT_ATTR_NODIRATIME"),
        (MountFlags::NO_SYMLINKS, "MOUNT_ATTR_NOSYMFOLLOW"),
    ];
    let names: Vec<_> =
        names.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| *name).collect();
    if names.is_empty() { "0".into() } else { names.join("|") }
}

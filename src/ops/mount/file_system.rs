//! New file systems of any type.

use std::path::PathBuf;

use super::{kernel, made, options};
use crate::diag::{self, Origin};
use crate::ops::lowering::{c, option};
use crate::ops::words::{in_root, place};
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{
    GuestPath, Kind, MountAttributes, MountOptions, Namespaces, ValueError, shell_word,
};
use crate::sys::{Call, Create};

/// A requested file system of any type.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    /// Its source, in the terms of the file system.
    pub source: String,
    /// The place inside.
    pub target: GuestPath,
    /// The type, as in /proc/filesystems.
    pub kind: String,
    /// The mount options.
    pub options: MountOptions,
    /// Whether a missing place is created on the host, if that is where it is missing.
    pub create: bool,
}

impl Mount {
    /// A file system of type `kind`.
    ///
    /// # Errors
    /// The source, the type or an option contains a NUL byte.
    pub fn new(
        source: String,
        target: GuestPath,
        kind: String,
        options: MountOptions,
    ) -> Result<Self, ValueError> {
        if kind.contains('\0') || source.contains('\0') {
            return Err(ValueError::new("the source or type of a mount contains a NUL byte"));
        }
        let has_nul = |(key, value): &(String, Option<String>)| {
            key.contains('\0') || value.as_ref().is_some_and(|value| value.contains('\0'))
        };
        if options.data.iter().any(has_nul) {
            return Err(ValueError::new("an option of the file system contains a NUL byte"));
        }
        Ok(Self { source, target, kind, options, create: false })
    }

    /// The same, with a missing place created on the host or not.
    #[must_use]
    pub fn creating(self, create: bool) -> Self {
        Self { create, ..self }
    }
}

impl Asking for Mount {
    fn name(&self) -> &'static str {
        "mount"
    }

    fn say(&self) -> String {
        let differing = self.options.attributes.differing(MountAttributes::default());
        format!("{} on {}{differing}{}", self.kind, self.target, super::created(self.create))
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let Self { source, target, kind, options, create } = self;
        let shown = Kind::shown_by(kind);
        if shown.is_none_or(|shown| to.needs(shown, kind, origin)) {
            let usual = MountAttributes::default();
            to.mount(kind, source, target, (options.clone(), usual), Some(*create), origin);
        }
        Ok(())
    }
}

/// A planned mount of a file system.
#[derive(Clone, Debug, PartialEq)]
pub struct Mounted {
    /// Its type.
    pub kind: String,
    /// Its source, in its own terms.
    pub source: String,
    /// The place inside.
    pub target: GuestPath,
    /// The mount options.
    pub options: MountOptions,
    /// The default attributes of the verb; the sentence states only differences.
    pub usual: MountAttributes,
    /// Whether a missing place is created.
    pub create: bool,
    /// The substitute that is bound there, read-only, if the kernel refuses the file system.
    pub instead: Option<PathBuf>,
}

impl Operation for Mounted {
    fn facts(&self) -> Facts<'_> {
        let Self { kind, target, options, .. } = self;
        Facts {
            name: "mount",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::FileSystem { kind, target, attributes: options.attributes },
        }
    }

    fn told(&self) -> Told {
        let Self { kind, source, target, options: given, usual, create, instead: _ } = self;
        let MountOptions { data, attributes } = given;
        // In mount(8), `ro` would make the file system read-only, instead of only this mount.
        let writable = MountAttributes { read_only: false, ..*attributes };
        let mut all: Vec<String> = writable.words().into_iter().map(str::to_owned).collect();
        all.extend(data.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        }));
        let (options, differing) = (options(&all), attributes.differing(*usual));
        let (type_word, source_word) = (shell_word(kind), shell_word(source));
        let at = in_root(target);
        let made = made(&at, true, *create);
        let protect = if attributes.read_only {
            format!(" && mount -o remount,bind,ro {at}")
        } else {
            String::new()
        };
        Told {
            sentence: format!("mount {kind} on {}{differing}{}", place(target), most(kind, data)),
            source: Some(source.clone()),
            target: Some(target.to_string()),
            shell: Some(format!("{made}mount -t {type_word}{options} {source_word} {at}{protect}")),
        }
    }
}

/// The maximum size of a file system in memory, as the end of a sentence.
fn most(kind: &str, data: &[(String, Option<String>)]) -> String {
    let limit = data.iter().find(|(key, _)| matches!(key.as_str(), "size" | "nr_blocks"));
    match (kind, limit) {
        ("tmpfs", None) => ", up to half of the memory".into(),
        ("tmpfs", Some((key, Some(size)))) if key == "size" => {
            let shown = diag::size(size).map_or_else(|| size.clone(), diag::bytes);
            format!(", up to {shown}")
        }
        _ => String::new(),
    }
}

impl Lower for Mounted {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { kind, source, target, options, create, usual: _, instead: _ } = self;
        let mut data = vec![option("source", source)];
        let given = options.data.iter();
        data.extend(given.map(|(key, value)| (c(key), value.as_ref().map(c))));
        let attributes = kernel(options.attributes);
        to.push(Call::NewMount { kind: c(kind), options: data, attributes });
        to.attach_fresh(target, if *create { Create::Directory } else { Create::Nothing });
    }
}

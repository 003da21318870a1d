//! Something that is mounted, bound, moved or changed: mount(2).

use std::path::PathBuf;

use crate::diag::{c_literal, quoted};
use crate::ops::Told;
use crate::ops::lowering::{c as literal, path};
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::spec::{MountFlags, shell_word};
use crate::sys::Raw;

/// A call of mount(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted; none where the call takes none.
    pub source: Option<String>,
    /// Where.
    pub target: PathBuf,
    /// The type of the file system.
    pub kind: Option<String>,
    /// The flags.
    pub flags: MountFlags,
    /// The options of the file system, as one text.
    pub data: Option<String>,
}

/// The words of mount(8) for attributes that are set and taken away.
pub(super) fn attribute_words(set: MountFlags, clear: MountFlags) -> Vec<String> {
    let words = crate::spec::MOUNT_WORDS.iter().filter(|word| word.flags.0 != 0);
    let words = words.filter(|word| if word.set { set } else { clear }.has(word.flags));
    words.map(|word| word.word.to_owned()).collect()
}

impl Mount {
    fn sentence(&self) -> String {
        let target = host(&self.target);
        let source = quoted(self.source.as_deref().unwrap_or("none"));
        let read_only = if self.flags.has(MountFlags::READ_ONLY) { ", read-only" } else { "" };
        let all =
            if self.flags.has(MountFlags::RECURSIVE) { " and everything below it" } else { "" };
        if let Some(kind) = self.propagation() {
            return format!("make the propagation of {target}{all} {kind}");
        }
        if self.flags.has(MountFlags::MOVE) {
            return format!("move the mount {source} to {target}");
        }
        if self.flags.has(MountFlags::REMOUNT) {
            return format!("change the mount {target}{read_only}");
        }
        if self.flags.has(MountFlags::BIND) {
            return format!("bind {source}{all} on {target}{read_only}");
        }
        let kind = self.kind.as_deref().unwrap_or("a file system");
        match &self.source {
            Some(device) if device.starts_with('/') => {
                format!("mount {kind} of {source} on {target}{read_only}")
            }
            _ => format!("mount {kind} on {target}{read_only}"),
        }
    }

    /// Which propagation is set, where that is what the call does.
    fn propagation(&self) -> Option<&'static str> {
        let found = crate::spec::PROPAGATIONS.iter().find(|(_, flag)| self.flags.has(*flag));
        found.map(|(word, _)| *word)
    }

    /// The type of the file system that is mounted; none where a mount is bound or changed.
    #[must_use]
    pub fn new_file_system(&self) -> Option<&str> {
        let others = MountFlags::BIND.and(MountFlags::REMOUNT).and(MountFlags::MOVE);
        self.kind.as_deref().filter(|_| self.flags.0 & others.0 == 0)
    }

    /// The options of the file system, one by one; separators in them stand behind a backslash.
    pub fn options(&self) -> impl Iterator<Item = &str> {
        let mut escaped = false;
        let is_end = move |letter: char| {
            let ends = letter == ',' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        };
        self.data.as_deref().unwrap_or_default().split(is_end).filter(|option| !option.is_empty())
    }

    /// The directory that takes the changes of an overlay: the last of several.
    #[must_use]
    pub fn upper(&self) -> Option<PathBuf> {
        (self.kind.as_deref() == Some("overlay")).then_some(())?;
        let upper = self.options().filter_map(|option| option.strip_prefix("upperdir=")).last()?;
        let mut letters = upper.chars();
        let mut path = String::new();
        while let Some(letter) = letters.next() {
            path.extend(if letter == '\\' { letters.next() } else { Some(letter) });
        }
        Some(PathBuf::from(path))
    }

    fn shell(&self) -> String {
        let target = sh(&self.target);
        let source = shell_word(self.source.as_deref().unwrap_or("none"));
        let recursive = self.flags.has(MountFlags::RECURSIVE);
        if let Some(kind) = self.propagation() {
            let r = if recursive { "r" } else { "" };
            return format!("mount --make-{r}{kind} {target}");
        }
        if self.flags.has(MountFlags::MOVE) {
            return format!("mount --move {source} {target}");
        }
        if self.flags.has(MountFlags::BIND) {
            let r = if recursive { "r" } else { "" };
            return format!("mount --{r}bind {source} {target}");
        }
        let mut options = attribute_words(self.flags, MountFlags::default());
        if self.flags.has(MountFlags::REMOUNT) {
            options.insert(0, "remount".into());
        }
        options.extend(self.data.clone());
        let options = if options.is_empty() {
            String::new()
        } else {
            format!(" -o {}", shell_word(&options.join(",")))
        };
        match &self.kind {
            Some(kind) => format!("mount -t {}{options} {source} {target}", shell_word(kind)),
            None => format!("mount{options} {target}"),
        }
    }
}

impl RawOperation for Mount {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "mount", effect: Effect::Mount(self) }
    }

    fn told(&self) -> Told {
        let Self { source, target, kind: _, flags: _, data: _ } = self;
        Told {
            sentence: self.sentence(),
            source: source.clone(),
            target: Some(own(target)),
            shell: Some(self.shell()),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { source, target, kind, flags, data } = self;
        let or_null =
            |value: &Option<String>| value.as_ref().map_or("NULL".into(), |it| c_literal(it));
        vec![Called::new(format!(
            "mount({}, {}, {}, {flags}, {})",
            or_null(source),
            c(target),
            or_null(kind),
            or_null(data)
        ))]
    }
}

impl Prepare for Mount {
    fn prepare(&self) -> Raw<'static> {
        let Self { source, target, kind, flags, data } = self;
        let text = |text: &Option<String>| text.as_ref().map(literal);
        Raw::Mount {
            source: text(source),
            target: path(target),
            kind: text(kind),
            flags: flags.0,
            data: text(data),
        }
    }
}

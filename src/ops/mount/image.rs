//! File-system images at a place inside, by loop devices.

use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use super::made;
use crate::diag::{Origin, Report, quoted};
use crate::host::Host;
use crate::ops::raw::{AttachLoop, RawOperation};
use crate::ops::strace::Called;
use crate::ops::words::{host, in_root, place, sh};
use crate::ops::{
    Asking, Backing, Changes, Facts, FileId, Leaves, Lower, Lowering, Operation, Planning,
    Presence, Scope, Told, Turn,
};
use crate::spec::{GuestPath, MountAttributes, Namespaces, ValueError, shell_word};
use crate::sys::{Call, Create};

/// A requested image.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    file: PathBuf,
    target: GuestPath,
    kind: Option<String>,
    read_only: bool,
    create: bool,
    /// Whether a dry run has created the file only in its notes.
    foreseen: bool,
}

impl Image {
    /// The file system in `file`, of a type that is found in it unless `kind` names one.
    ///
    /// # Errors
    /// The type contains a NUL byte.
    pub fn new(
        file: PathBuf,
        target: GuestPath,
        kind: Option<String>,
        read_only: bool,
    ) -> Result<Self, ValueError> {
        if kind.as_ref().is_some_and(|kind| kind.is_empty() || kind.contains('\0')) {
            return Err(ValueError::new("the type of the image is empty or contains a NUL byte"));
        }
        Ok(Self { file, target, kind, read_only, create: false, foreseen: false })
    }

    /// The same, with a missing place created on the host or not, if that is where it is missing.
    #[must_use]
    pub fn creating(self, create: bool) -> Self {
        Self { create, ..self }
    }

    /// The same, of a file that is there in a run.
    #[must_use]
    pub fn foreseen(self, foreseen: bool) -> Self {
        Self { foreseen, ..self }
    }
}

/// What is in an image of a type: bytes at an offset.
const MARKS: [(&str, u64, &[u8]); 9] = [
    ("ext4", 1080, b"\x53\xef"),
    ("squashfs", 0, b"hsqs"),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x1_0040, b"_BHRfS_M"),
    ("erofs", 1024, b"\xe2\xe1\xf5\xe0"),
    ("f2fs", 1024, b"\x10\x20\xf5\xf2"),
    ("iso9660", 0x8001, b"CD001"),
    ("vfat", 54, b"FAT"),
    ("vfat", 82, b"FAT32"),
];

/// The type of the file system in a file.
fn found_in(file: &std::fs::File) -> Option<&'static str> {
    let has = |(_, offset, mark): &&(&str, u64, &[u8])| {
        let mut bytes = vec![0; mark.len()];
        file.read_exact_at(&mut bytes, *offset).is_ok() && bytes == *mark
    };
    MARKS.iter().find(has).map(|(kind, ..)| *kind)
}

impl Asking for Image {
    fn name(&self) -> &'static str {
        "image"
    }

    fn say(&self) -> String {
        let read_only = if self.read_only { ", read-only" } else { "" };
        format!("image {} on {}{read_only}", self.file.display(), self.target)
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
        let Self { file, target, kind, read_only, create, foreseen: _ } = self;
        let create = to.place(target, Presence::Directory, Some(*create), origin);
        to.view.cover(target, Backing::Private, origin.cloned());
        let (id, kind) = match examine(to.host, self, kind.as_deref()) {
            Ok(found) => found,
            Err(report) => {
                to.reports.push(report.at(origin.cloned()));
                return Ok(());
            }
        };
        let (file, read_only) = (file.clone(), *read_only);
        let attach = AttachImage { file, id, kind, read_only };
        let number = to.actions.iter().filter(|(op, _)| matches!(op, crate::ops::Op::Imaged(_)));
        let number = number.count();
        let target = target.clone();
        to.push(Imaged { image: attach.clone(), target, number, create }, origin);
        to.push(attach, origin);
        Ok(())
    }
}

/// The identity and the type of an image.
fn examine(host: &Host, image: &Image, kind: Option<&str>) -> Result<(FileId, String), Report> {
    let shown = self::host(&image.file);
    if !host.is_root() {
        let (file, target) = (sh(&image.file), quoted(image.target.as_str()));
        let message = format!("cannot mount the image {shown}: only root can");
        let report = Report::error(message);
        let report = report.note("the kernel trusts what is in an image, which a user could forge");
        return Err(report.hint(format!(
            "unpack it, or mount it by FUSE (`fuse2fs {file} DIR`), and bind that directory on \
             {target}; or run the recipe as root"
        )));
    }
    if image.foreseen {
        return Ok(((0, 0), kind.unwrap_or("ext4").to_owned()));
    }
    let cannot = |error: &std::io::Error| {
        let why = crate::diag::os_error(error);
        let mut report = Report::error(format!("cannot open the image {shown}: {why}"));
        report.facts.operation = Some("image".into());
        report.facts.errno = error.raw_os_error();
        report.facts.source = Some(image.file.to_string_lossy().into_owned());
        report
    };
    let metadata = host.tree.metadata(&image.file).map_err(|error| cannot(&error))?;
    if !metadata.is_file() {
        let report = Report::error(format!("{shown} is not a regular file, as an image is"));
        return Err(report.hint("mount a device with `.mount(device, target, #{ type: … })`"));
    }
    let id = (metadata.dev(), metadata.ino());
    if let Some(kind) = kind {
        return Ok((id, kind.to_owned()));
    }
    let opened = host.tree.open(&image.file).map_err(|error| cannot(&error))?;
    let Some(kind) = found_in(&opened) else {
        let message = format!("cannot tell the type of the file system in {shown}");
        return Err(Report::error(message).hint("name it: `#{ type: \"ext4\" }`"));
    };
    Ok((id, kind.to_owned()))
}

/// Attaches an image to a loop device, and creates the mount. Only the machine's root may, which
/// the new process is not.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachImage {
    /// The file.
    pub file: PathBuf,
    /// Its identity.
    pub id: FileId,
    /// The type of its file system.
    pub kind: String,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// Attaches that mount at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Imaged {
    image: AttachImage,
    target: GuestPath,
    number: usize,
    create: bool,
}

impl AttachImage {
    /// Its system calls.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        let Self { file, id: _, kind, read_only } = self;
        let attach =
            AttachLoop { file: file.clone(), read_only: *read_only, offset: 0, size_limit: 0 };
        let mut calls = attach.calls();
        let kind = crate::diag::c_literal(kind);
        let words = if *read_only { "MOUNT_ATTR_RDONLY|" } else { "" };
        calls.push(Called::new(format!("fsopen({kind}, 0)")).giving("fs"));
        calls.push(Called::new("fsconfig(fs, FSCONFIG_SET_STRING, \"source\", \"/dev/loopN\", 0)"));
        if *read_only {
            calls.push(Called::new("fsconfig(fs, FSCONFIG_SET_FLAG, \"ro\", NULL, 0)"));
        }
        calls.push(Called::new("fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)"));
        let attributes = format!("{words}MOUNT_ATTR_NOSUID|MOUNT_ATTR_NODEV");
        calls.push(Called::new(format!("fsmount(fs, 0, {attributes})")).giving("image"));
        calls
    }
}

impl Operation for AttachImage {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "image",
            turn: Turn::Images,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let read_only = if self.read_only { ", read-only" } else { "" };
        Told {
            sentence: format!(
                "attach {} to a loop device as {}{read_only}",
                host(&self.file),
                self.kind
            ),
            source: Some(self.file.to_string_lossy().into_owned()),
            target: None,
            // mount(8) does this itself.
            shell: None,
        }
    }
}

impl Imaged {
    fn attributes(&self) -> MountAttributes {
        MountAttributes { read_only: self.image.read_only, ..MountAttributes::default() }
    }
}

impl Operation for Imaged {
    fn facts(&self) -> Facts<'_> {
        let (kind, target, attributes) = (&self.image.kind, &self.target, self.attributes());
        Facts {
            name: "image",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::FileSystem { kind, target, attributes },
        }
    }

    fn told(&self) -> Told {
        let Self { image, target, number: _, create } = self;
        let AttachImage { file, id: _, kind, read_only } = image;
        let at = in_root(target);
        let ro = if *read_only { "ro," } else { "" };
        let mount = format!("mount -t {} -o {ro}loop,nosuid,nodev", shell_word(kind));
        let word = if *read_only { ", read-only" } else { "" };
        Told {
            sentence: format!("mount the image {} on {}{word}", host(file), place(target)),
            source: Some(file.to_string_lossy().into_owned()),
            target: Some(target.to_string()),
            shell: Some(format!("{}{mount} {} {at}", made(&at, true, *create), sh(file))),
        }
    }
}

impl Lower for Imaged {
    fn lower(&self, to: &mut Lowering<'_>) {
        // Without a descriptor, attaching it fails.
        let mount = to.prepared.images.get(self.number).copied().unwrap_or(-1);
        to.push(Call::UseGiven { mount });
        let made = if self.create { Create::Directory } else { Create::Nothing };
        to.attach(&self.target, made);
    }
}

#[cfg(test)]
mod tests {
    use super::found_in;
    use std::io::Write;

    #[test]
    fn the_type_of_an_image_is_in_it() {
        let place = std::env::temp_dir().join(format!("nsscript-image-{}", std::process::id()));
        for (offset, mark, kind) in [
            (1080, &b"\x53\xef"[..], Some("ext4")),
            (0, b"hsqs", Some("squashfs")),
            (9, b"x", None),
        ] {
            let mut file = std::fs::File::create_new(&place).unwrap();
            file.write_all(&vec![0; offset]).and_then(|()| file.write_all(mark)).unwrap();
            let opened = std::fs::File::open(&place).unwrap();
            std::fs::remove_file(&place).unwrap();
            assert_eq!(found_in(&opened), kind);
        }
    }
}

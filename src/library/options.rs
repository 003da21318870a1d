//! Options of the verbs that have some, in the manner of [`std::fs::OpenOptions`].

use std::path::{Path, PathBuf};

use super::error::invalid;
use crate::diag::{Origin, Report};
use crate::spec::{self, Applets, Archive, Compression, GuestPath, ValueError};

/// Setters of the attributes that all mounts have.
macro_rules! attributes {
    () => {
        /// Whether writing fails with `EROFS`, below as well. Default: no.
        #[must_use]
        pub fn read_only(mut self, read_only: bool) -> Self {
            self.0.attributes.read_only = read_only;
            self
        }

        /// Whether set-user-ID bits and file capabilities work. Default: no.
        #[must_use]
        pub fn suid(mut self, suid: bool) -> Self {
            self.0.attributes.suid = suid;
            self
        }

        /// Whether device files work. Default: no.
        #[must_use]
        pub fn devices(mut self, devices: bool) -> Self {
            self.0.attributes.devices = devices;
            self
        }

        /// Whether programs can be executed. Default: yes.
        #[must_use]
        pub fn exec(mut self, exec: bool) -> Self {
            self.0.attributes.exec = exec;
            self
        }

        /// Whether paths follow symbolic links in it. Default: yes. Without, Linux 5.14 is needed.
        #[must_use]
        pub fn symlinks(mut self, symlinks: bool) -> Self {
            self.0.attributes.symlinks = symlinks;
            self
        }
    };
}

/// Options of [`Sandbox::bind_with`](super::Sandbox::bind_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindOptions(pub(super) spec::BindOptions);

impl BindOptions {
    /// A recursive, writable bind without devices and set-user-ID programs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    attributes!();

    /// Whether a missing source is skipped instead of being an error. Default: no.
    #[must_use]
    pub fn optional(mut self, optional: bool) -> Self {
        self.0.optional = optional;
        self
    }

    /// Whether files of id N on the host belong to id N of the sandbox, if its map gives N another
    /// id. Default: no.
    #[must_use]
    pub fn idmap(mut self, idmap: bool) -> Self {
        self.0.idmap = idmap;
        self
    }

    /// Whether mounts below the source are bound with it. Default: yes.
    #[must_use]
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.0.recursive = recursive;
        self
    }

    /// Whether a missing target is created on the host, if it is in a writable directory of the
    /// host. Default: no.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.0.create = create;
        self
    }
}

/// Options of [`Sandbox::mount_with`](super::Sandbox::mount_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions(pub(super) spec::MountOptions, pub(super) bool);

impl MountOptions {
    /// A writable mount without devices and set-user-ID programs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    attributes!();

    /// Adds an option of the file system: `data("size", "1M")`. An empty value is an option without
    /// one.
    #[must_use]
    pub fn data(mut self, name: &str, value: &str) -> Self {
        let value = (!value.is_empty()).then(|| value.to_owned());
        self.0.data.push((name.to_owned(), value));
        self
    }

    /// Whether a missing target is created on the host, if it is in a writable directory of the
    /// host. Default: no.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.1 = create;
        self
    }
}

/// Options of [`Sandbox::overlay_with`](super::Sandbox::overlay_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverlayOptions {
    pub(super) upper: Option<PathBuf>,
    pub(super) work: Option<PathBuf>,
    pub(super) read_only: bool,
    pub(super) create: bool,
}

impl OverlayOptions {
    /// An overlay whose changes are discarded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps changes in the directory `upper` of the host. `work` is an empty directory on the same
    /// file system.
    #[must_use]
    pub fn changes(mut self, upper: impl Into<PathBuf>, work: impl Into<PathBuf>) -> Self {
        (self.upper, self.work) = (Some(upper.into()), Some(work.into()));
        self
    }

    /// Whether changes are refused. Default: no.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether a missing target is created on the host, if it is in a writable directory of the
    /// host. Default: no.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }
}

/// Options of [`Sandbox::image_with`](super::Sandbox::image_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageOptions {
    pub(super) kind: Option<String>,
    pub(super) read_only: bool,
    pub(super) create: bool,
}

impl ImageOptions {
    /// A writable file system, of the type that is found in the image.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The type of the file system, one of `/proc/filesystems`.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Whether writes are refused, also to the file itself. Default: no.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether a missing target is created on the host, if it is in a writable directory of the
    /// host. Default: no.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }
}

/// Options of [`Sandbox::tmpfs_with`](super::Sandbox::tmpfs_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TmpfsOptions {
    pub(super) size: Option<u64>,
    pub(super) mode: Option<u32>,
    pub(super) create: bool,
}

/// Checks permission bits.
fn bits(mode: Option<u32>) -> Result<Option<u32>, ValueError> {
    match mode {
        Some(bits) if bits > 0o7777 => {
            let error = ValueError::new(format!("invalid mode {bits:#o}"));
            Err(error.hint("a mode has at most the bits 0o7777"))
        }
        mode => Ok(mode),
    }
}

impl TmpfsOptions {
    /// The kernel's default size, which is half of the memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most that it holds, in bytes; not 0.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    pub(super) fn checked_mode(self) -> Result<Option<u32>, ValueError> {
        bits(self.mode)
    }

    /// Permission bits. Default: 0o1777 for `/tmp`, `/var/tmp` and `/dev/shm`, else 0o755.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Whether a missing target is created on the host, if it is in a writable directory of the
    /// host. Default: no.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }
}

/// Options of [`Sandbox::dev_with`](super::Sandbox::dev_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DevOptions {
    pub(super) shm: Option<u64>,
}

impl DevOptions {
    /// Shared memory of 64 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most that `shm` holds, in bytes; not 0.
    #[must_use]
    pub fn shm(mut self, bytes: u64) -> Self {
        self.shm = Some(bytes);
        self
    }
}

/// Options of [`Sandbox::proc_with`](super::Sandbox::proc_with): proc(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcOptions(pub(super) spec::ProcOptions);

impl ProcOptions {
    /// All processes of the sandbox, and everything else of `/proc`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides the processes of other users: `hidepid=invisible`, Linux 5.8.
    #[must_use]
    pub fn hide_other_users(mut self) -> Self {
        self.0.hidepid = Some("invisible".into());
        self
    }

    /// Leaves only the processes: `subset=pid`, Linux 5.8.
    #[must_use]
    pub fn only_processes(mut self) -> Self {
        self.0.subset = Some("pid".into());
        self
    }
}

/// Mode and owner of a file or directory, for `file_with` and `directory_with`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOptions(pub(super) spec::FileOptions);

impl FileOptions {
    /// Mode 0o644 for files and 0o755 for directories, of the user who starts the sandbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.mode = Some(mode);
        self
    }

    /// The owner inside.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.0.uid = Some(uid);
        self
    }

    /// The group inside.
    #[must_use]
    pub fn gid(mut self, gid: u32) -> Self {
        self.0.gid = Some(gid);
        self
    }

    pub(super) fn checked(self) -> Result<spec::FileOptions, ValueError> {
        bits(self.0.mode).map(|_| self.0)
    }
}

/// Options of [`Rootfs::binary_with`](super::Rootfs::binary_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinaryOptions {
    into: Option<String>,
    applets: AppletNames,
    data: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum AppletNames {
    #[default]
    None,
    Own,
    Named(Vec<String>),
}

impl BinaryOptions {
    /// The program at its own path, without other names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The directory for the program, if it is not its own: `/bin`.
    #[must_use]
    pub fn directory(mut self, directory: &str) -> Self {
        self.into = Some(directory.to_owned());
        self
    }

    /// Adds a link for each applet that busybox lists.
    #[must_use]
    pub fn own_applets(mut self) -> Self {
        self.applets = AppletNames::Own;
        self
    }

    /// Adds a link to the program for each of these names.
    #[must_use]
    pub fn applets(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.applets = AppletNames::Named(names.into_iter().map(Into::into).collect());
        self
    }

    /// Whether the files that known programs open while they run are added: modules of Python, time
    /// zones, certificates. Default: no. With the feature `script` only, because the table of them
    /// is a recipe.
    #[cfg(feature = "script")]
    #[must_use]
    pub fn data(mut self, data: bool) -> Self {
        self.data = data;
        self
    }

    pub(super) fn ingredient(self, program: String) -> Result<spec::Ingredient, ValueError> {
        let Self { into, applets, data } = self;
        let into = into.map(|into| GuestPath::new(&into)).transpose()?;
        let applets = match applets {
            AppletNames::None => Applets::None,
            AppletNames::Own => Applets::Own,
            AppletNames::Named(names) => Applets::named(names)?,
        };
        #[cfg(feature = "script")]
        let data = crate::script::program_data(data);
        #[cfg(not(feature = "script"))]
        let data = None.filter(|_| data);
        Ok(spec::Ingredient::Binary { program, into, applets, data })
    }
}

/// Options of [`Rootfs::tar_with`](super::Rootfs::tar_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TarOptions {
    sha256: Option<String>,
    strip: u32,
    limit: Option<u64>,
}

impl TarOptions {
    /// Any digest, no names stripped, at most 8 GiB unpacked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sha256 that the file must have, as 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(mut self, digest: &str) -> Self {
        self.sha256 = Some(digest.to_owned());
        self
    }

    /// The number of leading names to strip from each path.
    #[must_use]
    pub fn strip(mut self, names: u32) -> Self {
        self.strip = names;
        self
    }

    /// The most that it may hold when it is unpacked, in bytes.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    pub(super) fn archive(self, file: &Path, origin: Option<Origin>) -> Result<Archive, Report> {
        let Self { sha256, strip, limit } = self;
        let sha256 = sha256.map(|digits| Archive::digest(&digits)).transpose();
        Ok(Archive {
            file: file.to_path_buf(),
            sha256: sha256.map_err(|error| invalid(&error, origin))?,
            strip,
            // By its first bytes.
            compression: None::<Compression>,
            limit: limit.unwrap_or(Archive::LIMIT),
            made: false,
        })
    }
}

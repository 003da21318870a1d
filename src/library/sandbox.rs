//! The builder of sandboxes.

use std::fmt;
use std::path::{Path, PathBuf};

use super::child::Child;
use super::command::Command;
use super::error::{Error, here, invalid};
use super::options::{
    BindOptions, DevOptions, FileOptions, ImageOptions, MountOptions, OverlayOptions, ProcOptions,
    TmpfsOptions,
};
use super::rootfs::Rootfs;
use super::values::Namespace;
use crate::diag::Report;
use crate::ops::{self, What};
use crate::spec::{GuestPath, Namespaces, NetworkChoice, Outbound, Root, ValueError};

/// What a program will see: namespaces, a root, mounts, ids, limits. It is a value: nothing happens
/// before a [`Command`] of it is started.
///
/// Each method takes the sandbox and returns it with one more step; [`Clone`] keeps a base for
/// several. Methods do not fail. A value that is invalid is reported with its line when the sandbox
/// is planned or started, together with everything else that is wrong.
///
/// A new sandbox has all eight namespaces of its own, an empty root, no capabilities, no network
/// but `lo`, an environment with only `PATH`, and only the descriptors 0 to 2. Its programs end with
/// it, and it ends with the thread that started it, unless it [outlives](Self::outlive_parent) that.
///
/// ```
/// use nsscript::Sandbox;
///
/// let output = Sandbox::host_view()
///     .hostname("box")
///     .command("hostname")
///     .output()?;
/// assert_eq!(output.stdout, b"box\n");
/// # Ok::<(), nsscript::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a sandbox does nothing until a command of it is started"]
pub struct Sandbox {
    inner: ops::Sandbox,
    invalid: Vec<Report>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// A sandbox with an empty root in memory.
    #[track_caller]
    pub fn new() -> Self {
        Self { inner: ops::Sandbox::new(Root::Empty, here()), invalid: Vec::new() }
    }

    /// A sandbox with the host's system as its root, read-only: with a new `/proc`, `/dev`, `/sys`
    /// and `/tmp`, and with empty private places: `/run`, home directories and others. Its programs
    /// have the caller's own ids.
    #[track_caller]
    pub fn host_view() -> Self {
        Self::new().with(What::Root(Root::Directory("/".into())))
    }

    /// A sandbox with a directory of the host as its root. What it changes there is discarded. `/`
    /// is the [host's system](Self::host_view).
    #[track_caller]
    pub fn directory_root(directory: impl AsRef<Path>) -> Self {
        Self::new().try_with(|| Ok(What::Root(Root::Directory(host_path(directory.as_ref())?))))
    }

    /// A sandbox with this root. What it changes there is discarded.
    #[track_caller]
    pub fn rootfs(rootfs: Rootfs) -> Self {
        let sandbox = Self::new();
        match rootfs.into_inner() {
            Ok(rootfs) => sandbox.with(What::Root(Root::Rootfs(rootfs))),
            Err(reports) => Self { invalid: reports, ..sandbox },
        }
    }

    #[track_caller]
    pub(super) fn with(self, what: impl Into<What>) -> Self {
        Self { inner: self.inner.with(what, here()), invalid: self.invalid }
    }

    #[track_caller]
    pub(super) fn try_with<W: Into<What>>(
        self,
        what: impl FnOnce() -> Result<W, ValueError>,
    ) -> Self {
        match what() {
            Ok(what) => self.with(what),
            Err(error) => {
                let Self { inner, mut invalid } = self;
                invalid.push(self::invalid(&error, here()));
                Self { inner, invalid }
            }
        }
    }

    /// The same for what is checked elsewhere.
    #[track_caller]
    pub(super) fn try_reported<W: Into<What>>(self, what: Result<W, Report>) -> Self {
        match what {
            Ok(what) => self.with(what),
            Err(report) => {
                let Self { inner, mut invalid } = self;
                invalid.push(report.at(here()));
                Self { inner, invalid }
            }
        }
    }

    pub(super) fn checked(&self) -> Result<&ops::Sandbox, Error> {
        if self.invalid.is_empty() {
            Ok(&self.inner)
        } else {
            Err(Error::new(self.invalid.clone()))
        }
    }

    // The root.

    /// Makes the root read-only; mounts in it keep what they are.
    #[track_caller]
    pub fn read_only_root(self) -> Self {
        self.with(What::ReadOnlyRoot)
    }

    /// Uses the host's tree as it is as the root of [`host_view`](Self::host_view), so that programs
    /// can change whatever the caller can.
    #[track_caller]
    pub fn writable_root(self) -> Self {
        self.with(What::WritableRoot)
    }

    /// Keeps what changes in the root in this directory of the host, for the next sandbox with the
    /// same.
    #[track_caller]
    pub fn keep_changes(self, directory: impl AsRef<Path>) -> Self {
        self.try_with(|| Ok(What::KeepChanges(host_path(directory.as_ref())?)))
    }

    /// Enters the root by chroot(2) instead of pivot_root(2).
    #[track_caller]
    pub fn chroot(self) -> Self {
        self.with(What::Chroot)
    }

    // Mounts and files.

    /// Shows a directory or file of the host at `target`, writable, with the mounts below it.
    #[track_caller]
    pub fn bind(self, source: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.bind_with(source, target, BindOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn bind_with(
        self,
        source: impl AsRef<Path>,
        target: impl AsRef<Path>,
        options: BindOptions,
    ) -> Self {
        self.try_with(|| {
            let (source, target) = (host_path(source.as_ref())?, guest(target.as_ref())?);
            Ok(ops::Bind { source, target, options: options.0 })
        })
    }

    /// Mounts an empty file system in memory: tmpfs(5).
    #[track_caller]
    pub fn tmpfs(self, target: impl AsRef<Path>) -> Self {
        self.tmpfs_with(target, TmpfsOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn tmpfs_with(self, target: impl AsRef<Path>, options: TmpfsOptions) -> Self {
        self.try_with(|| {
            let mode = options.checked_mode()?;
            let tmpfs = ops::Tmpfs::new(guest(target.as_ref())?, options.size, mode)?;
            Ok(tmpfs.creating(options.create))
        })
    }

    /// Mounts the processes of the sandbox: proc(5). What could change the kernel there is
    /// read-only.
    #[track_caller]
    pub fn proc(self, target: impl AsRef<Path>) -> Self {
        self.proc_with(target, ProcOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn proc_with(self, target: impl AsRef<Path>, options: ProcOptions) -> Self {
        self.try_with(|| Ok(ops::Proc { target: guest(target.as_ref())?, options: options.0 }))
    }

    /// Mounts sysfs(5), read-only.
    #[track_caller]
    pub fn sysfs(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| {
            guest(target.as_ref()).map(|target| ops::Sysfs { target, optional: false })
        })
    }

    /// Makes the usual devices, such as `null` and `tty`, and terminals: null(4), pty(7).
    #[track_caller]
    pub fn dev(self, target: impl AsRef<Path>) -> Self {
        self.dev_with(target, DevOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn dev_with(self, target: impl AsRef<Path>, options: DevOptions) -> Self {
        self.try_with(|| ops::Dev::new(guest(target.as_ref())?).with_shm(options.shm))
    }

    /// Mounts terminals of the sandbox's own: pts(4).
    #[track_caller]
    pub fn devpts(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(target.as_ref()).map(ops::Devpts))
    }

    /// Mounts the message queues of the sandbox: mq_overview(7).
    #[track_caller]
    pub fn mqueue(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(target.as_ref()).map(ops::Mqueue))
    }

    /// Mounts the control groups of the sandbox, read-only: cgroups(7).
    #[track_caller]
    pub fn cgroupfs(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(target.as_ref()).map(ops::Cgroupfs))
    }

    /// Mounts a file system of type `kind`, one of `/proc/filesystems`: mount(2).
    #[track_caller]
    pub fn mount(self, source: &str, target: impl AsRef<Path>, kind: &str) -> Self {
        self.mount_with(source, target, kind, MountOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn mount_with(
        self,
        source: &str,
        target: impl AsRef<Path>,
        kind: &str,
        options: MountOptions,
    ) -> Self {
        self.try_with(|| {
            let target = guest(target.as_ref())?;
            let MountOptions(mount, create) = options;
            let mount = ops::Mount::new(source.to_owned(), target, kind.to_owned(), mount)?;
            Ok(mount.creating(create))
        })
    }

    /// Mounts an overlay of these directories of the host, the topmost first. Changes are
    /// discarded.
    #[track_caller]
    pub fn overlay(
        self,
        target: impl AsRef<Path>,
        lower: impl IntoIterator<Item = impl AsRef<Path>>,
    ) -> Self {
        self.overlay_with(target, lower, OverlayOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn overlay_with(
        self,
        target: impl AsRef<Path>,
        lower: impl IntoIterator<Item = impl AsRef<Path>>,
        options: OverlayOptions,
    ) -> Self {
        self.try_with(|| {
            let lower = lower.into_iter().map(|path| host_path(path.as_ref()));
            let lower = lower.collect::<Result<_, _>>()?;
            let OverlayOptions { upper, work, read_only, create } = options;
            let upper = upper.as_deref().map(host_path).transpose()?;
            let work = work.as_deref().map(host_path).transpose()?;
            let target = guest(target.as_ref())?;
            let overlay = ops::Overlay::new(target, lower, (upper, work), read_only)?;
            Ok(overlay.creating(create))
        })
    }

    /// Mounts the file system in a file of the host by a loop device, writable. Only root can.
    #[track_caller]
    pub fn image(self, file: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.image_with(file, target, ImageOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn image_with(
        self,
        file: impl AsRef<Path>,
        target: impl AsRef<Path>,
        options: ImageOptions,
    ) -> Self {
        self.try_with(|| {
            let ImageOptions { kind, read_only, create } = options;
            let (file, target) = (host_path(file.as_ref())?, guest(target.as_ref())?);
            Ok(ops::Image::new(file, target, kind, read_only)?.creating(create))
        })
    }

    /// Sets the propagation of a mount and of those below it: `private`, `slave`, `shared` or
    /// `unbindable`. Default: `private`. See mount_namespaces(7).
    #[track_caller]
    pub fn propagation(self, target: impl AsRef<Path>, kind: &str) -> Self {
        self.try_with(|| ops::Propagation::new(guest(target.as_ref())?, kind))
    }

    /// Creates a directory, with its parents.
    #[track_caller]
    pub fn directory(self, path: impl AsRef<Path>) -> Self {
        self.directory_with(path, FileOptions::new())
    }

    /// The same with mode and owner.
    #[track_caller]
    pub fn directory_with(self, path: impl AsRef<Path>, options: FileOptions) -> Self {
        self.try_with(|| {
            Ok(ops::Directory { path: guest(path.as_ref())?, options: options.checked()? })
        })
    }

    /// Creates a file with this content.
    #[track_caller]
    pub fn file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        self.file_with(path, content, FileOptions::new())
    }

    /// The same with mode and owner.
    #[track_caller]
    pub fn file_with(
        self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
        options: FileOptions,
    ) -> Self {
        self.try_with(|| {
            ops::File::new(guest(path.as_ref())?, content.as_ref(), options.checked()?)
        })
    }

    /// Creates a symbolic link at `path` to `target`, in the order of `ln -s`.
    #[track_caller]
    pub fn symlink(self, target: &str, path: impl AsRef<Path>) -> Self {
        self.try_with(|| ops::Symlink::new(target.to_owned(), guest(path.as_ref())?))
    }

    /// Hides a file or directory: nothing can be read there.
    #[track_caller]
    pub fn mask(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(target.as_ref()).map(|target| ops::Mask { target, optional: false }))
    }

    /// Makes what is at a path read-only, with the mounts below it.
    #[track_caller]
    pub fn read_only(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| {
            guest(target.as_ref()).map(|target| ops::ReadOnly { target, optional: false })
        })
    }

    /// Keeps the path of a place: no rename moves it or the directories on the way to it, unless a
    /// program makes a user and a mount namespace of its own, which
    /// [`forbid_user_namespaces`](Self::forbid_user_namespaces) prevents.
    #[track_caller]
    pub fn pin(self, target: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(target.as_ref()).map(|target| ops::Pin { target }))
    }

    /// Writes `/etc/hosts` and `/etc/hostname` with the sandbox's own name, unless other methods
    /// give these files.
    #[track_caller]
    pub fn name_files(self) -> Self {
        self.with(ops::NameFiles)
    }

    // Names, namespaces and the network.

    /// Sets the host name, of at most 64 bytes: sethostname(2).
    #[track_caller]
    pub fn hostname(self, name: &str) -> Self {
        self.try_with(|| ops::Hostname::new(name))
    }

    /// Sets the NIS domain name, of at most 64 bytes: setdomainname(2).
    #[track_caller]
    pub fn domainname(self, name: &str) -> Self {
        self.try_with(|| ops::Domainname::new(name))
    }

    /// The name under which `nsscript ps` lists the sandbox while it runs.
    #[track_caller]
    pub fn name(self, name: &str) -> Self {
        self.try_with(|| ops::Name::new(name))
    }

    /// Has the sandbox share these namespaces with the caller.
    #[track_caller]
    pub fn share(self, namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        self.with(What::Share(set(namespaces)))
    }

    /// Takes back that these are shared.
    #[track_caller]
    pub fn unshare(self, namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        self.with(What::Unshare(set(namespaces)))
    }

    /// Shares namespaces with the running sandbox of `child`, some of `Pid`, `Net`, `Ipc` and
    /// `Uts`, and its user namespace.
    #[track_caller]
    pub fn join(self, child: &mut Child, namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        match child.pod(set(namespaces)) {
            Ok(pod) => self.with(What::Join(pod)),
            Err(report) => {
                let Self { inner, mut invalid } = self;
                invalid.push(report.at(here()));
                Self { inner, invalid }
            }
        }
    }

    /// Leaves the sandbox in the network of the host.
    #[track_caller]
    pub fn network_host(self) -> Self {
        self.with(What::Network(NetworkChoice::Host))
    }

    /// Lets programs connect to the outside, through pasta(1), which must be installed. The host's
    /// own addresses cannot be reached. It needs a session: the process moves into a mount
    /// namespace and, if it is not root's, a user namespace of its own, so it may have only one
    /// thread then.
    #[track_caller]
    pub fn network_outbound(self) -> Self {
        self.with(What::Network(NetworkChoice::Outbound(Outbound::default())))
    }

    /// The steps in which this sandbox and another one differ, one a line, after `-` and `+`.
    #[must_use]
    pub fn diff(&self, other: &Self) -> String {
        self.inner.diff(&other.inner)
    }

    /// A program of the sandbox: a path inside, or a name that is searched in `PATH` inside.
    #[track_caller]
    pub fn command(&self, program: impl Into<String>) -> Command {
        Command::new(self.clone(), program.into(), here())
    }
}

impl fmt::Display for Sandbox {
    /// The steps, one a line.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(out)
    }
}

/// A path of the host; a relative one begins at the working directory.
pub(super) fn host_path(path: &Path) -> Result<PathBuf, ValueError> {
    std::path::absolute(path).map_err(|error| {
        let (path, why) =
            (crate::diag::quoted(path.to_string_lossy()), crate::diag::os_error(&error));
        ValueError::new(format!("cannot make {path} an absolute path: {why}"))
    })
}

/// A path inside.
pub(super) fn guest(path: &Path) -> Result<GuestPath, ValueError> {
    let text = path.to_str().ok_or_else(|| {
        ValueError::new(format!("{} is not UTF-8", crate::diag::quoted(path.to_string_lossy())))
    })?;
    GuestPath::new(text)
}

fn set(namespaces: impl IntoIterator<Item = Namespace>) -> Namespaces {
    let kinds = namespaces.into_iter().map(|namespace| Namespaces::from(namespace.kind()));
    kinds.fold(Namespaces::NONE, |all, one| all | one)
}

//! Mounts in a sandbox.

use rhai::Map;

use super::invalid;
use crate::diag::{Report, quoted};
use crate::ops::{self, Cgroupfs, Dev, Devpts, Mqueue, Propagation, Sandbox, Sysfs};
use crate::script::binding::argument::{Argument, HostPath, Mode, Size};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{BindOptions, GuestPath, MountAttributes, MountOptions, ProcOptions};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["mount.rs";
    fn bind,
    fn tmpfs,
    fn proc,
    fn sysfs,
    fn dev,
    fn devpts,
    fn mqueue,
    fn cgroupfs,
    fn mount,
    fn overlay,
    fn image,
    fn propagation,
];

options! {
    /// How a bind mount differs from its source.
    struct Bind {
        /// refuses writes, also in mounts below the source
        read_only: bool = "false",
        /// ignores a source that does not exist
        optional: bool = "false",
        /// includes mounts below the source
        recursive: bool = "true",
        /// allows device files to be opened
        devices: bool = "false",
        /// allows programs to be executed
        exec: bool = "true",
        /// honours set-user-ID bits and file capabilities
        suid: bool = "false",
        /// follows symbolic links in it; `false` needs Linux 5.14
        symlinks: bool = "true",
        /// shows files of id N on the host as files of id N of the sandbox, for root
        idmap: bool = "false",
        /// creates a missing target on the host, if it is in a writable directory of the host
        create: bool = "false",
    }

    /// An empty file system in memory.
    struct Tmpfs {
        /// the maximum size; the default of the kernel is half of the memory
        size: Size = "",
        /// the permission bits of its root; the default for /tmp, /var/tmp and /dev/shm is `0o1777`
        mode: Mode = "0o755",
        /// creates a missing target on the host, if it is in a writable directory of the host
        create: bool = "false",
    }

    /// What `/dev` contains.
    struct Devices {
        /// the maximum size of the shared memory in `shm`
        shm: Size = "\"64M\"",
    }

    /// What `/proc` shows.
    struct Proc {
        /// the processes to hide: `"off"`, `"noaccess"`, `"invisible"` or `"ptraceable"`
        hidepid: String = "",
        /// `"pid"` shows only processes, and hides the kernel's files
        subset: String = "",
    }

    /// A mount of any file system.
    struct Mount {
        /// the type of the file system, as in /proc/filesystems
        r#type: String = "",
        /// the options of the file system: a map, with `true` for options without a value
        data: Map = "",
        /// refuses writes
        read_only: bool = "false",
        /// allows device files to be opened
        devices: bool = "false",
        /// allows programs to be executed
        exec: bool = "true",
        /// honours set-user-ID bits and file capabilities
        suid: bool = "false",
        /// follows symbolic links in it; `false` needs Linux 5.14
        symlinks: bool = "true",
        /// creates a missing target on the host, if it is in a writable directory of the host
        create: bool = "false",
    }

    /// The directories of an overlay.
    struct Overlay {
        /// the lower directories of the host, the topmost first
        lower: Vec<String> = "",
        /// the directory of the host for changes; the default is a tmpfs, which vanishes
        upper: HostPath = "",
        /// an empty directory on the same file system, for work of the kernel
        work: HostPath = "",
        /// refuses changes
        read_only: bool = "false",
        /// creates a missing target on the host, if it is in a writable directory of the host
        create: bool = "false",
    }

    /// The file system in an image.
    struct Image {
        /// its type, as in /proc/filesystems; the default is the type that is found in the file
        r#type: String = "",
        /// refuses writes, also to the file itself
        read_only: bool = "false",
        /// creates a missing target on the host, if it is in a writable directory of the host
        create: bool = "false",
    }

    /// A sysfs that may be impossible.
    struct SysfsMount {
        /// leaves it out if the sandbox has no network of its own
        optional: bool = "false",
    }
}

/// The options of a file system, as `mount -o` would take them one by one.
fn data(map: Option<Map>, call: &Call<'_, '_>) -> Result<Vec<(String, Option<String>)>, VerbError> {
    let mut data = Vec::new();
    for (key, value) in map.unwrap_or_default() {
        let value = match (value.as_bool(), value.type_name()) {
            (Ok(true), _) => None,
            (Ok(false), _) => continue,
            (_, "i64" | "string" | "char") => Some(value.to_string()),
            _ => {
                let key = quoted(&key);
                let given = crate::script::binding::argument::a_kind(&value);
                let message = format!(
                    "the option {key} of the file system takes a string, an \
                                       integer or `true`, not {given}"
                );
                return Err(call.fail(Report::error(message)));
            }
        };
        data.push((key.to_string(), value));
    }
    Ok(data)
}

/// Checks an option that takes one of several words.
fn one_of(
    given: Option<String>,
    key: &str,
    words: &[&str],
    call: &Call<'_, '_>,
) -> Result<Option<String>, VerbError> {
    match given {
        Some(word) if !words.contains(&word.as_str()) => {
            let all: Vec<_> = words.iter().map(quoted).collect();
            let all = crate::diag::list(&all, "or");
            let message = format!("the option {} takes {all}, not {}", quoted(key), quoted(&word));
            Err(call.fail_at_key(key, Report::error(message)))
        }
        given => Ok(given),
    }
}

/// Bind-mounts a file or directory of the host, on `target` or on the same path.
///
/// A missing target is created if the root is writable at that point. In a read-only view of the
/// host, it is added in memory. In a writable directory of the host, it is created only with
/// `create: true`, without following links, and stays there. Device files and set-user-ID bits have no effect by default. The
/// source is checked before the sandbox starts, and must still be the same file when it is bound.
///
/// With `idmap`, files keep the numbers of their owners: a file of user 1000 on the host belongs to
/// user 1000 of the sandbox, whatever id of the host the sandbox maps to 1000, and files that its
/// user 1000 creates belong to user 1000 of the host. The same holds for groups. Files of ids that
/// the sandbox does not map belong to `nobody`, as in other binds. The mount has the map of the
/// sandbox's user namespace, like `idmap` of systemd-nspawn and podman. If the sandbox maps every id
/// to itself or shares the user namespace, there is nothing to map, and the option changes nothing.
/// Otherwise nsscript must run as root of the machine, and each file system in the source must
/// support it: ext4, xfs and vfat do, btrfs since Linux 5.15, tmpfs since 6.3; an overlay does not.
///
/// # Errors
/// The source does not exist. The target cannot be created, because it is below a read-only bind or
/// would be created on the host; or cannot be added, because its directory on the host is closed to
/// others. With `idmap`: nsscript does not run as root, or a file system does not support it.
///
/// # Example
/// ```rhai
/// print(sandbox().bind("/usr", "/usr", #{ read_only: true }).bind("/etc/hostname"));
/// print(sandbox().map_user(1000, 100000).bind("/srv", "/srv", #{ idmap: true }));
/// ```
/// # See
/// mount(2), open_tree(2), mount_setattr(2), user_namespaces(7)
fn bind(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    source: HostPath,
    target: Option<GuestPath>,
    options: Bind,
) -> Result<Sandbox, VerbError> {
    let target = match target {
        Some(target) => target,
        None => {
            GuestPath::new(&source.0.to_string_lossy()).map_err(|error| invalid(&error, call))?
        }
    };
    let options = BindOptions {
        attributes: MountAttributes {
            read_only: options.read_only.unwrap_or(false),
            suid: options.suid.unwrap_or(false),
            devices: options.devices.unwrap_or(false),
            exec: options.exec.unwrap_or(true),
            symlinks: options.symlinks.unwrap_or(true),
        },
        optional: options.optional.unwrap_or(false),
        recursive: options.recursive.unwrap_or(true),
        idmap: options.idmap.unwrap_or(false),
        create: options.create.unwrap_or(false),
        made: call.effects().foreseen(&source.0),
    };
    let source = source.0;
    Ok(sandbox.with(ops::Bind { source, target, options }, call.origin()))
}

/// The given place, or the usual one.
fn place(
    given: Option<GuestPath>,
    usual: &str,
    call: &Call<'_, '_>,
) -> Result<GuestPath, VerbError> {
    let usual = || GuestPath::new(usual).map_err(|error| invalid(&error, call));
    given.map_or_else(usual, Ok)
}

/// Mounts an empty tmpfs, a file system in memory. The default target is `/tmp`.
///
/// # Example
/// ```rhai
/// print(sandbox().tmpfs("/run", #{ size: "16M", mode: 0o1777 }));
/// ```
/// # See
/// tmpfs(5)
fn tmpfs(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
    options: Tmpfs,
) -> Result<Sandbox, VerbError> {
    let target = place(target, "/tmp", call)?;
    let size = options.size.map(|size| size.0);
    let tmpfs = ops::Tmpfs::new(target, size, options.mode.map(|mode| mode.0));
    let tmpfs = tmpfs.map_err(|error| call.fail_at_key("size", Report::from(&error)))?;
    let tmpfs = tmpfs.creating(options.create.unwrap_or(false));
    Ok(sandbox.with(tmpfs, call.origin()))
}

/// Mounts proc, which shows the processes of the sandbox. The default target is `/proc`.
///
/// If the machine's root user is mapped into the sandbox, files that can change the machine
/// (`/proc/sys`, `/proc/sysrq-trigger` and others) are read-only. With `subset: "pid"`, all of proc
/// is read-only in that case.
///
/// # Errors
/// `PID` is shared and `USER` is new: the kernel refuses to mount a proc with the host's processes.
///
/// # Example
/// ```rhai
/// sandbox("/").proc(#{ subset: "pid" }).run("ls /proc");
/// ```
/// # See
/// proc(5)
fn proc(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
    options: Proc,
) -> Result<Sandbox, VerbError> {
    let target = place(target, "/proc", call)?;
    let words = ["off", "noaccess", "invisible", "ptraceable"];
    let hidepid = one_of(options.hidepid, "hidepid", &words, call)?;
    let subset = one_of(options.subset, "subset", &["pid"], call)?;
    let options = ProcOptions { hidepid, subset };
    Ok(sandbox.with(ops::Proc { target, options }, call.origin()))
}

/// Mounts sysfs read-only: the devices of the sandbox's network, and the kernel's objects.
///
/// The default target is `/sys`.
///
/// In a container that masks parts of `/sys`, the kernel refuses a new sysfs. nsscript then shows
/// the container's own `/sys`, with the devices of the container's network, and prints a warning.
///
/// # Errors
/// `NET` is shared: the kernel refuses to mount a sysfs.
///
/// # Example
/// ```rhai
/// sandbox(rootfs().binary("ls")).sysfs().run("ls /sys/class/net");
/// ```
/// # See
/// sysfs(5)
fn sysfs(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
    options: SysfsMount,
) -> Result<Sandbox, VerbError> {
    let optional = options.optional.unwrap_or(false);
    Ok(sandbox.with(Sysfs { target: place(target, "/sys", call)?, optional }, call.origin()))
}

/// Creates a small `/dev`: null, zero, full, random, urandom, tty, terminals and shared memory.
///
/// The default target is `/dev`.
///
/// # Example
/// ```rhai
/// sandbox(rootfs().binary("ls")).dev().run("ls /dev");
/// ```
/// # See
/// null(4), random(4), pts(4)
fn dev(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
    options: Devices,
) -> Result<Sandbox, VerbError> {
    let dev = Dev::new(place(target, "/dev", call)?);
    let dev = dev.with_shm(options.shm.map(|size| size.0));
    let dev = dev.map_err(|error| call.fail_at_key("shm", Report::from(&error)))?;
    Ok(sandbox.with(dev, call.origin()))
}

/// Mounts a devpts, with pseudo-terminals of the sandbox's own. `dev` includes one.
///
/// The default target is `/dev/pts`.
///
/// # Example
/// ```rhai
/// print(sandbox().devpts("/pts"));
/// ```
/// # See
/// pts(4)
fn devpts(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
) -> Result<Sandbox, VerbError> {
    Ok(sandbox.with(Devpts(place(target, "/dev/pts", call)?), call.origin()))
}

/// Mounts the POSIX message queues of the sandbox. The default target is `/dev/mqueue`.
///
/// # Errors
/// `IPC` is shared and `USER` is new: the kernel refuses to mount the host's queues.
///
/// # Example
/// ```rhai
/// sandbox("/").mqueue().run("ls /dev/mqueue");
/// ```
/// # See
/// mq_overview(7)
fn mqueue(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
) -> Result<Sandbox, VerbError> {
    Ok(sandbox.with(Mqueue(place(target, "/dev/mqueue", call)?), call.origin()))
}

/// Mounts the control groups of the sandbox read-only, in the version 2 of the kernel's interface.
///
/// The default target is `/sys/fs/cgroup`.
///
/// # Errors
/// `CGROUP` is shared and `USER` is new: the kernel refuses to mount the host's groups.
///
/// # Example
/// ```rhai
/// print(sandbox("/").cgroupfs());
/// ```
/// # See
/// cgroups(7), cgroup_namespaces(7)
fn cgroupfs(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: Option<GuestPath>,
) -> Result<Sandbox, VerbError> {
    Ok(sandbox.with(Cgroupfs(place(target, "/sys/fs/cgroup", call)?), call.origin()))
}

/// Mounts a file system of any type that the kernel allows here.
///
/// `source` is the source as mount(8) takes it; for a file system without a device it can be any
/// word.
///
/// # Errors
/// The option `type` is missing. When the sandbox starts: the kernel does not know the type, or
/// refuses it.
///
/// # Example
/// ```rhai
/// let guest = sandbox().mount("memory", "/data", #{ type: "tmpfs", data: #{ size: "1M", mode: "0700" } });
/// print(guest);
/// ```
/// # See
/// mount(8), fsconfig(2)
fn mount(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    source: String,
    target: GuestPath,
    options: Mount,
) -> Result<Sandbox, VerbError> {
    let Some(kind) = options.r#type else {
        let report = Report::error("`mount` needs the option `type`");
        return Err(
            call.fail(report.hint("name the type of the file system: `#{ type: \"tmpfs\" }`"))
        );
    };
    let create = options.create.unwrap_or(false);
    let options = MountOptions {
        data: data(options.data, call)?,
        attributes: MountAttributes {
            read_only: options.read_only.unwrap_or(false),
            suid: options.suid.unwrap_or(false),
            devices: options.devices.unwrap_or(false),
            exec: options.exec.unwrap_or(true),
            symlinks: options.symlinks.unwrap_or(true),
        },
    };
    let mount = ops::Mount::new(source, target, kind, options);
    let mount = mount.map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(mount.creating(create), call.origin()))
}

/// Mounts an overlay of directories of the host.
///
/// `lower` has the directories that are shown, the topmost first, as in `mount -o lowerdir=`. What
/// programs change is discarded when the sandbox ends, or kept in `upper`. A later sandbox with the
/// same directories shows it again. Mounts below a directory are not part of an overlay. Names may
/// have commas and colons.
///
/// # Errors
/// A directory does not exist. `upper` is on a file system that cannot hold changes, or on another
/// one than `work`. When the sandbox starts: the kernel has no overlays for ordinary users, or a
/// directory was exchanged since the plan was made.
///
/// # Example
/// ```rhai
/// sandbox("/").overlay("/mnt", #{ lower: ["/etc", "/usr/share"] }).run("ls /mnt");
/// ```
/// # See
/// mount(8)
fn overlay(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: GuestPath,
    options: Overlay,
) -> Result<Sandbox, VerbError> {
    let Overlay { lower, upper, work, read_only, create } = options;
    let place = |path: String| {
        let path = HostPath::take(Some(path.into()), call);
        path.map(|path| path.0)
            .map_err(|error| call.fail_at_key("lower", Report::error(error.to_string())))
    };
    let lower = lower.unwrap_or_default().into_iter().map(place).collect::<Result<_, _>>()?;
    let changes = (upper.map(|path| path.0), work.map(|path| path.0));
    let overlay = ops::Overlay::new(target, lower, changes, read_only.unwrap_or(false));
    let overlay = overlay.map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(overlay.creating(create.unwrap_or(false)), call.origin()))
}

/// Mounts the file system in an image, which is a file of the host, by a loop device.
///
/// Only root can mount an image. Programs write to the file unless the image is `read_only`. The
/// loop device is freed when the sandbox ends, however it ends. Device files and set-user-ID bits
/// have no effect.
///
/// # Errors
/// An ordinary user runs the recipe. The file does not exist, or is not a regular file. Its type is
/// not found. When the sandbox starts: the kernel refuses the file system.
///
/// # Example
/// ```rhai
/// print(sandbox("/").image("disk.img", "/mnt", #{ read_only: true }));
/// ```
/// # See
/// loop(4), mount(8)
fn image(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    file: HostPath,
    target: GuestPath,
    options: Image,
) -> Result<Sandbox, VerbError> {
    let Image { r#type, read_only, create } = options;
    let foreseen = call.effects().foreseen(&file.0) == Some(false);
    let image = ops::Image::new(file.0, target, r#type, read_only.unwrap_or(false));
    let image = image.map_err(|error| invalid(&error, call))?;
    let image = image.foreseen(foreseen).creating(create.unwrap_or(false));
    Ok(sandbox.with(image, call.origin()))
}

/// Sets the propagation of a mount and of the mounts below it.
///
/// - `"private"` is the default: what is mounted later, on the host or inside, appears nowhere
///   else.
/// - `"slave"` is for a bind of a mount that is shared on the host: what the host mounts in it
///   later appears inside, with the attributes that it has on the host. `read_only` of the bind
///   does not include it.
/// - `"shared"` makes a new peer group inside, for sandboxes in the sandbox.
/// - `"unbindable"` mounts cannot be bound.
///
/// No mount of a sandbox ever appears on the host.
///
/// # Errors
/// Nothing is mounted at `target` in an earlier line. A slave is not a bind of a shared mount.
///
/// # Example
/// ```rhai
/// print(sandbox("/").bind("/srv").propagation("/srv", "private"));
/// ```
/// # See
/// mount_namespaces(7)
fn propagation(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: GuestPath,
    kind: String,
) -> Result<Sandbox, VerbError> {
    let propagation = Propagation::new(target, &kind).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(propagation, call.origin()))
}

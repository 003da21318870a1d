//! What is mounted in a sandbox, and what is made in its root.

use rhai::Map;

use super::invalid;
use crate::diag::{Report, quoted};
use crate::ops::{self, Dev, Devpts, Directory, File, Mask, ReadOnly, Sandbox, Symlink, Sysfs};
use crate::script::binding::argument::{Bytes, HostPath, IdNumber, Mode, Size};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{
    self, BindOptions, FileOptions, GuestPath, MountAttributes, MountOptions, ProcOptions,
};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["mount.rs";
    fn bind,
    fn tmpfs,
    fn proc,
    fn sysfs,
    fn dev,
    fn devpts,
    fn mount,
    fn directory,
    fn file,
    fn symlink,
    fn mask,
    fn read_only,
];

options! {
    /// How a bind mount differs from its source.
    struct Bind {
        /// writing fails, in mounts below the source too
        read_only: bool = "false",
        /// a source that does not exist is passed over
        optional: bool = "false",
        /// mounts below the source are bound with it
        recursive: bool = "true",
        /// device files work
        devices: bool = "false",
        /// programs can be executed
        exec: bool = "true",
        /// set-user-ID bits and file capabilities work
        suid: bool = "false",
    }

    /// An empty file system in memory.
    struct Tmpfs {
        /// the most that it holds
        size: Size = "",
        /// the permission bits of its root
        mode: Mode = "0o755",
    }

    /// What `/proc` shows.
    struct Proc {
        /// whose processes are hidden: `"off"`, `"noaccess"`, `"invisible"`, `"ptraceable"`
        hidepid: String = "",
        /// `"pid"`: only the processes, nothing of the kernel
        subset: String = "",
    }

    /// A mount of any file system.
    struct Mount {
        /// the type of the file system, as in /proc/filesystems
        r#type: String = "",
        /// the options of the file system: a map, `true` for one without a value
        data: Map = "",
        /// writing fails
        read_only: bool = "false",
        /// device files work
        devices: bool = "false",
        /// programs can be executed
        exec: bool = "true",
        /// set-user-ID bits and file capabilities work
        suid: bool = "false",
    }

    /// The look of a directory or file.
    struct Look {
        /// the permission bits
        mode: Mode = "0o755 or 0o644",
        /// the owner inside
        uid: IdNumber = "",
        /// the group inside
        gid: IdNumber = "",
    }
}

/// The look that a recipe asked for.
pub(in crate::script::verbs) fn look(options: &Look) -> FileOptions {
    let mode = options.mode.map(|mode| mode.0);
    let id = |id: Option<IdNumber>| id.map(|id| id.0);
    FileOptions { mode, uid: id(options.uid), gid: id(options.gid) }
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
        if key.contains('\0') || value.as_ref().is_some_and(|value| value.contains('\0')) {
            return Err(call.fail(Report::error("an option of the file system holds a NUL byte")));
        }
        data.push((key.to_string(), value));
    }
    Ok(data)
}

/// One of a few words.
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
            let message = format!("the option {} is {all}, not {}", quoted(key), quoted(&word));
            Err(call.fail_at_key(key, Report::error(message)))
        }
        given => Ok(given),
    }
}

/// Shows a file or directory of the host inside, at `target` or at the same path.
///
/// A target that is missing is made where the root allows that. Device files and set-user-ID
/// bits in it mean nothing unless they are asked for. The source is looked at before the
/// sandbox is made, and must be the same file when it is bound.
///
/// # Errors
/// The source does not exist; the target cannot be made as it lies below a read-only mount
/// or would be made on the host.
///
/// # Example
/// ```rhai
/// print(sandbox().bind("/usr", "/usr", #{ read_only: true }).bind("/etc/hostname"));
/// ```
/// # See
/// mount(2), open_tree(2), mount_setattr(2)
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
        },
        optional: options.optional.unwrap_or(false),
        recursive: options.recursive.unwrap_or(true),
        made: call.effects().foreseen(&source.0),
    };
    let source = source.0;
    Ok(sandbox.with(ops::Bind { source, target, options }, call.origin()))
}

/// Mounts an empty file system in memory.
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
    target: GuestPath,
    options: Tmpfs,
) -> Result<Sandbox, VerbError> {
    let size = options.size.map(|size| size.0);
    // `size=0` means no bound to the kernel: the opposite of what it says.
    if size == Some(0) {
        let report = Report::error("a tmpfs of size 0 would have no bound");
        return Err(call.fail_at_key("size", report));
    }
    let shared = matches!(target.as_str(), "/tmp" | "/var/tmp" | "/dev/shm");
    let usual = if shared { 0o1777 } else { 0o755 };
    let mode = options.mode.map_or(usual, |mode| mode.0);
    Ok(sandbox.with(ops::Tmpfs { target, size, mode }, call.origin()))
}

/// Mounts proc: the processes of the sandbox.
///
/// Where the root of the machine is somebody inside, the files through which it could change
/// the machine (`/proc/sys`, `/proc/sysrq-trigger` and their like) are read-only; a proc of
/// processes alone is read-only as a whole then.
///
/// # Errors
/// PID is shared, and USER is new: the kernel refuses a proc of the host's processes then.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().proc("/proc", #{ subset: "pid" }).run("ls /proc");
/// ```
/// # See
/// proc(5)
fn proc(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: GuestPath,
    options: Proc,
) -> Result<Sandbox, VerbError> {
    let words = ["off", "noaccess", "invisible", "ptraceable"];
    let hidepid = one_of(options.hidepid, "hidepid", &words, call)?;
    let subset = one_of(options.subset, "subset", &["pid"], call)?;
    let options = ProcOptions { hidepid, subset };
    Ok(sandbox.with(ops::Proc { target, options }, call.origin()))
}

/// Mounts sysfs, read-only: the devices of the sandbox's network and the kernel's objects.
///
/// In a container that masks parts of `/sys` the kernel refuses a new one. The container's own is
/// then shown, with the devices of the container's network, and a warning says so.
///
/// # Errors
/// NET is shared: the kernel refuses it then.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().sysfs("/sys").run("ls /sys/class/net");
/// ```
/// # See
/// sysfs(5)
fn sysfs(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath) -> Sandbox {
    sandbox.with(Sysfs(target), call.origin())
}

/// Makes a small `/dev`: null, zero, full, random, urandom, tty, terminals, shared memory.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().dev("/dev").run("ls /dev");
/// ```
/// # See
/// null(4), random(4), pts(4)
fn dev(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath) -> Sandbox {
    sandbox.with(Dev(target), call.origin())
}

/// Mounts terminals of the sandbox's own.
///
/// `dev` has them already.
///
/// # Example
/// ```rhai
/// print(sandbox().devpts("/pts"));
/// ```
/// # See
/// pts(4)
fn devpts(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath) -> Sandbox {
    sandbox.with(Devpts(target), call.origin())
}

/// Mounts a file system of any type.
///
/// `source` is what the file system calls its source: any word for one that has none.
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
        return Err(call.fail(report.hint("the type of the file system: `#{ type: \"tmpfs\" }`")));
    };
    if kind.contains('\0') || source.contains('\0') {
        return Err(call.fail(Report::error("the source or type of a mount holds a NUL byte")));
    }
    let options = MountOptions {
        data: data(options.data, call)?,
        attributes: MountAttributes {
            read_only: options.read_only.unwrap_or(false),
            suid: options.suid.unwrap_or(false),
            devices: options.devices.unwrap_or(false),
            exec: options.exec.unwrap_or(true),
        },
    };
    Ok(sandbox.with(ops::Mount { source, target, kind, options }, call.origin()))
}

/// Makes a directory in the root, and those above it.
///
/// # Example
/// ```rhai
/// print(sandbox().directory("/srv/data", #{ mode: 0o700 }));
/// ```
/// # See
/// mkdir(2)
fn directory(call: &Call<'_, '_>, sandbox: Sandbox, path: GuestPath, options: Look) -> Sandbox {
    let look = look(&options);
    sandbox.with(Directory { path, options: look }, call.origin())
}

/// Makes a file of this content in the root, in place of what is there.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().tmpfs("/tmp").file("/tmp/greeting", "hello\n")
///     .run("cat /tmp/greeting");
/// ```
fn file(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    path: GuestPath,
    content: Bytes,
    options: Look,
) -> Result<Sandbox, VerbError> {
    let look = look(&options);
    if path.is_root() {
        return Err(call.fail(Report::error("`/` is a directory, not a file")));
    }
    Ok(sandbox.with(File { path, content: content.0.into(), options: look }, call.origin()))
}

/// Makes a symbolic link in the root: `path` is where it stands, `target` what it says.
///
/// # Example
/// ```rhai
/// print(sandbox().bind("/usr").symlink("usr/bin", "/bin"));
/// ```
/// # See
/// symlink(2)
fn symlink(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    target: String,
    path: GuestPath,
) -> Result<Sandbox, VerbError> {
    link(&target, &path).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(Symlink { path, says: target }, call.origin()))
}

/// Hides a file or directory: nothing can be read there.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().mask("/etc").run("ls /etc");
/// ```
fn mask(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath) -> Sandbox {
    sandbox.with(Mask(target), call.origin())
}

/// Makes a place read-only, with the mounts below it.
///
/// # Example
/// ```rhai
/// print(sandbox().tmpfs("/etc").file("/etc/motd", "hello\n").read_only("/etc"));
/// ```
/// # See
/// mount_setattr(2)
fn read_only(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath) -> Sandbox {
    sandbox.with(ReadOnly(target), call.origin())
}

/// Makes sure that a link can be made.
pub(in crate::script::verbs) fn link(
    target: &str,
    path: &GuestPath,
) -> Result<(), spec::ValueError> {
    if target.is_empty() || target.contains('\0') {
        return Err(spec::ValueError::new("the target of the link is empty or holds a NUL byte"));
    }
    if path.is_root() {
        return Err(spec::ValueError::new("`/` is a directory, not a link"));
    }
    Ok(())
}

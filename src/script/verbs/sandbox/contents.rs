//! Files in the root of a sandbox, and places that it hides or protects.

use super::invalid;
use crate::ops::{Directory, File, Mask, NameFiles, Pin, ReadOnly, Sandbox, Symlink};
use crate::script::binding::argument::{Bytes, IdNumber, Mode};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{FileOptions, GuestPath};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["contents.rs";
    fn directory,
    fn file,
    fn symlink,
    fn mask,
    fn read_only,
    fn pin,
    fn name_files,
];

options! {
    /// A place that may be missing.
    struct Place {
        /// ignores a place that does not exist
        optional: bool = "false",
    }

    /// Mode and owner of a directory or file.
    struct Look {
        /// the permission bits: `0o755` for directories, `0o644` for files
        mode: Mode = "",
        /// the user id of the owner inside
        uid: IdNumber = "",
        /// the group id inside
        gid: IdNumber = "",
    }
}

/// The mode and owner from the options.
pub(in crate::script::verbs) fn look(options: &Look) -> FileOptions {
    let mode = options.mode.map(|mode| mode.0);
    let id = |id: Option<IdNumber>| id.map(|id| id.0);
    FileOptions { mode, uid: id(options.uid), gid: id(options.gid) }
}

/// Creates a directory in the root, with its parent directories.
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

/// Writes a file with this content into the root. An existing file is replaced.
///
/// In a read-only view of the host, the file is in memory and read-only. It covers an existing file
/// inside; that of the host stays as it is.
///
/// # Example
/// ```rhai
/// sandbox("/").file("/tmp/greeting", "hello\n").run("cat /tmp/greeting");
/// sandbox("/").file("/etc/hosts", "127.0.0.1 localhost\n").run("cat /etc/hosts");
/// ```
/// # See
/// open(2)
fn file(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    path: GuestPath,
    content: Bytes,
    options: Look,
) -> Result<Sandbox, VerbError> {
    let look = look(&options);
    let file = File::new(path, &content.0, look).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(file, call.origin()))
}

/// Creates a symbolic link in the root at `path` that points to `target`.
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
    let link = Symlink::new(target, path).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(link, call.origin()))
}

/// Hides a file or directory: it appears empty and cannot be changed.
///
/// # Example
/// ```rhai
/// sandbox("/").mask("/etc").run("ls /etc");
/// ```
/// # See
/// mount(2)
fn mask(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath, options: Place) -> Sandbox {
    let optional = options.optional.unwrap_or(false);
    sandbox.with(Mask { target, optional }, call.origin())
}

/// Makes a path and all mounts below it read-only.
///
/// # Example
/// ```rhai
/// print(sandbox().tmpfs("/etc").file("/etc/motd", "hello\n").read_only("/etc"));
/// ```
/// # See
/// mount_setattr(2)
fn read_only(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath, options: Place) -> Sandbox {
    let optional = options.optional.unwrap_or(false);
    sandbox.with(ReadOnly { target, optional }, call.origin())
}

/// Keeps the path of a place: no rename moves it or the directories on the way to it.
///
/// A read-only place in a writable directory is protected, but a program can rename a directory
/// above it and put another one in its stead: `mv /work/sub /work/old`. `nsscript plan` and the run
/// warn about that. The kernel refuses to rename what is mounted on, which this verb makes of each
/// directory on the way.
///
/// This alone holds against programs that do not try to get around it. A program that makes a user and
/// a mount namespace of its own can leave the mounts of the sandbox behind there, and rename what they
/// are mounted on, the read-only place included. `forbid_user_namespaces` prevents that. Without it, a
/// pin in a writable directory of the host is a warning, because some programs need user namespaces.
///
/// # Errors
/// The place does not exist. A link on the way leads elsewhere.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/").directory("/tmp/sub/.git").pin("/tmp/sub/.git").forbid_user_namespaces();
/// assert(guest.output("mv /tmp/sub /tmp/old", #{ check: false }).code != 0);
/// ```
/// # See
/// rename(2), mount(2), mount_namespaces(7)
fn pin(call: &Call<'_, '_>, sandbox: Sandbox, target: GuestPath) -> Sandbox {
    sandbox.with(Pin { target }, call.origin())
}

/// Writes `/etc/hosts` and `/etc/hostname` with the sandbox's own name, so that programs find it.
///
/// `/etc/hosts` has `localhost`, and the host name: on the first IPv4 address, and the first IPv6
/// address, that the recipe gave to a network before `network(net)`; otherwise on 127.0.1.1. A
/// qualified name, such as `box.example.org`, is followed by its first part. What `file`, `bind` or
/// the rootfs gives at one of these places stays, and so does an `/etc` that the recipe mounts.
///
/// The root stays as it is: the files are in the layer for changes, where programs can replace them
/// and `keep_changes` keeps them. A file that the sandbox may not change is covered by one in
/// memory, which is read-only. If a file is missing and cannot be created, nsscript prints a
/// warning. `container` includes this verb.
///
/// # Example
/// ```rhai
/// let root = rootfs().binaries(["cat", "hostname"]);
/// sandbox(root).hostname("box").name_files().run("cat /etc/hosts /etc/hostname");
/// ```
/// # See
/// hosts(5), hostname(5)
fn name_files(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(NameFiles, call.origin())
}

//! Sandboxes, their roots, and their names.

pub mod command;
pub mod contents;
pub mod identity;
pub mod mount;
pub mod namespace;
pub mod on_host;
pub mod outcome;
pub mod policy;
pub mod privilege;
pub mod process;

use rhai::{Dynamic, Map};

use crate::diag::{Report, quoted};
use crate::ops::{Domainname, Hostname, Name, Sandbox, What};
use crate::run::{Changed, Keeping};
use crate::script::binding::argument::{HostPath, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Ingredient, Root, Rootfs, ValueError};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["sandbox.rs";
    fn sandbox,
    fn root,
    fn host_view,
    fn read_only_root,
    fn writable_root,
    fn keep_changes,
    fn changes,
    fn commit,
    fn chroot,
    fn hostname,
    fn domainname,
    fn diff,
    fn name,
];

/// Converts a root: a Rootfs, or a directory of the host.
fn root_of(value: Dynamic, call: &Call<'_, '_>) -> Result<Root, VerbError> {
    if let Some(rootfs) = value.clone().try_cast::<Rootfs>() {
        return Ok(Root::Rootfs(rootfs));
    }
    if value.is_string() {
        let path =
            <HostPath as crate::script::binding::argument::Argument>::take(Some(value), call);
        return path
            .map(|path| Root::Directory(path.0))
            .map_err(|wrong| call.fail(call.argument_report("root", wrong)));
    }
    let given = a_kind(&value);
    Err(call.fail(Report::error(format!(
        "`{}` takes a Rootfs or a directory as `root`, not {given}",
        call.name()
    ))))
}

/// The kept changes of a sandbox.
fn keeping(sandbox: &Sandbox, call: &Call<'_, '_>) -> Result<Keeping, VerbError> {
    let keeping = call.context.runner.keeping(sandbox);
    keeping.map_err(|reports| call.found_here(reports))?.ok_or_else(|| {
        let report = Report::error("this sandbox keeps no changes");
        call.fail(report.hint("keep them with `.keep_changes(directory)`"))
    })
}

fn row(changed: &Changed) -> Map {
    let path = changed.path.to_string_lossy().into_owned();
    let pairs =
        [("path", path), ("change", changed.change.name().into()), ("type", changed.kind.into())];
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// The error for an invalid value.
pub(in crate::script::verbs) fn invalid(error: &ValueError, call: &Call<'_, '_>) -> VerbError {
    call.fail(Report::from(error))
}

/// Returns the steps in which two sandboxes differ, one a line.
///
/// A line that begins with `-` is a step of the first sandbox alone, one with `+` of the second.
/// The text is empty if they are equal. Values of variables and contents of files count, but are
/// not shown.
///
/// # Example
/// ```rhai
/// let base = sandbox("/");
/// let online = base.network("host").hostname("box");
/// print(diff(base, online));
/// ```
/// # See
/// diff(1)
fn diff(_call: &Call<'_, '_>, sandbox: Sandbox, other: Sandbox) -> String {
    sandbox.diff(&other)
}

/// Returns a new sandbox: eight new namespaces, no capabilities, an environment with only `PATH`.
///
/// `root` is a `Rootfs` or a directory of the host; the default is an empty root. Programs see
/// nothing of the host except what the recipe adds. Changes to the root are discarded when the
/// sandbox ends. Every verb returns a new sandbox and leaves the old one unchanged.
///
/// With `"/"`, programs see the host's *system*, read-only, but nothing private:
///
/// - `/home`, `/root`, `/run`, `/tmp` and `/var/tmp` are empty and writable, and so is the home of
///   the caller, wherever it is. Other files are made visible with `bind`.
/// - `/proc` shows the processes of the sandbox, `/dev` has only harmless devices, and `/sys` shows
///   the network of the sandbox. A mount of the recipe on one of these places replaces it.
/// - Programs have the ids of the caller, unless the recipe has `user` or maps ids.
/// - Mounts, files, directories and links of the recipe can be at places that the host lacks, such
///   as `/src`. They are added in memory, and nothing is made on the host.
///
/// In a container that masks parts of `/proc` or `/sys`, the kernel refuses new file systems there.
/// nsscript then shows those of the container read-only, and prints a warning.
///
/// # Example
/// ```rhai
/// sandbox("/").run("ls /");
/// sandbox("/").bind(".", "/home/project", #{ read_only: true }).run("ls /home/project");
/// ```
/// # See
/// namespaces(7), clone3(2)
fn sandbox(call: &Call<'_, '_>, root: Option<Dynamic>) -> Result<Sandbox, VerbError> {
    let root = match root {
        None => Root::Empty,
        Some(value) => root_of(value, call)?,
    };
    Ok(Sandbox::new(root, call.origin()))
}

/// Sets the root of the sandbox: a `Rootfs`, or a directory of the host.
///
/// # Example
/// ```rhai
/// let base = sandbox().hostname("box");
/// base.root("/").run("true");
/// ```
/// # See
/// pivot_root(2)
fn root(call: &Call<'_, '_>, sandbox: Sandbox, root: Dynamic) -> Result<Sandbox, VerbError> {
    let root = root_of(root, call)?;
    Ok(sandbox.with(What::Root(root), call.origin()))
}

/// Uses the host's system as the root, read-only and without private files, like `sandbox("/")`.
///
/// # Example
/// ```rhai
/// let base = sandbox().hostname("box");
/// base.host_view().run("ls /");
/// ```
/// # See
/// mount_setattr(2)
fn host_view(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::Root(Root::Directory("/".into())), call.origin())
}

/// Makes the root read-only. Mounts in it keep their own settings.
///
/// The host's system is a read-only root anyway.
///
/// # Example
/// ```rhai
/// let root = rootfs().binaries(["sh", "test"]);
/// sandbox(root).read_only_root().run("test ! -w /");
/// ```
/// # See
/// mount_setattr(2)
fn read_only_root(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::ReadOnlyRoot, call.origin())
}

/// Uses the host's tree as it is, so that programs can change whatever the caller can.
///
/// Nothing is mounted on it: programs see private files, and the host's `/proc` and `/run`. Device
/// files do not work, unless `dev` adds some. nsscript prints a warning. It is meant for programs
/// that are trusted with the host's files, but not with its processes or its network.
///
/// # Errors
/// The root is not the host's tree.
///
/// # Example
/// ```rhai
/// print(sandbox("/").writable_root().proc().dev());
/// ```
/// # See
/// mount_setattr(2)
fn writable_root(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::WritableRoot, call.origin())
}

/// Keeps the changes to the root in a directory of the host, for later sandboxes and for `commit`.
///
/// The next sandbox with the same directory starts with these changes. The directory is created if
/// it is missing. `overlay/upper` in it is the upper directory of an overlay; if ids are mapped, it
/// belongs to user 0 inside. One sandbox at a time can use the directory, always with the same ids.
/// nsscript prints a warning if the root is not the one that the changes were made to. `changes`
/// lists the changes, and `commit` turns them into a layer.
///
/// # Errors
/// The root is read-only. The directory is in use by another sandbox, was used with other ids,
/// contains something else, or is on a file system that an overlay cannot write to.
///
/// # Example
/// ```rhai
/// let guest = sandbox(rootfs().binaries(["sh", "cat"])).keep_changes("state");
/// guest.sh("echo hello > /note");
/// assert_eq(guest.output("cat /note").stdout, "hello\n");
/// ```
/// # See
/// mount(8)
fn keep_changes(call: &Call<'_, '_>, sandbox: Sandbox, directory: HostPath) -> Sandbox {
    sandbox.with(What::KeepChanges(directory.0), call.origin())
}

/// Returns the changes to the root that `keep_changes` has kept.
///
/// Each row has `path`, `change` (`"added"`, `"changed"` or `"removed"`) and `type` (`"file"`,
/// `"directory"`, `"link"`, …). Rows are sorted by path.
///
/// # Errors
/// The sandbox keeps no changes, has not run yet, or is still running.
///
/// # Example
/// ```rhai
/// let guest = sandbox(rootfs().binary("sh")).keep_changes("state");
/// guest.sh("echo hello > /note");
/// table(guest.changes());
/// ```
fn changes(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Vec<Map>, VerbError> {
    let keeping = keeping(&sandbox, call)?;
    let changes = call.effects().changes(&keeping, call).map_err(|it| call.found_here(it))?;
    Ok(changes.iter().map(row).collect())
}

/// Returns the root with the changes that `keep_changes` has kept as an additional layer.
///
/// Later changes are not included. The layer is in the store, where `nsscript store gc` can remove
/// it; `pack` writes a permanent archive.
///
/// # Errors
/// As for `changes`. The root is a directory of the host.
///
/// # Example
/// ```rhai
/// let guest = sandbox(rootfs().binaries(["sh", "cat"])).keep_changes("state");
/// guest.sh("echo hello > /note");
/// assert_eq(sandbox(guest.commit()).output("cat /note").stdout, "hello\n");
/// ```
fn commit(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Rootfs, VerbError> {
    let keeping = keeping(&sandbox, call)?;
    let base = match &keeping.root {
        Root::Rootfs(rootfs) => rootfs.clone(),
        Root::Empty => Rootfs::default(),
        Root::Directory(path) => {
            let shown = quoted(path.to_string_lossy());
            let report =
                Report::error(format!("the root {shown} is a directory of the host, not a layer"));
            return Err(
                call.fail(report.hint("make a layer of it with `rootfs().copy(path, \"/\")`"))
            );
        }
    };
    let layer = call.effects().commit(&keeping, call).map_err(|it| call.found_here(it))?;
    Ok(match layer {
        Some(layer) => base.with(Ingredient::Kept(layer), call.origin()),
        None => base,
    })
}

/// Enters the root with chroot(2) instead of pivot_root(2).
///
/// The host's mounts stay in the mount namespace, below the root. The program has no capability to
/// reach them. The verb is meant for lessons, and for sandboxes that share `MOUNT`.
///
/// # Example
/// ```rhai
/// sandbox("/").chroot().run("true");
/// ```
/// # See
/// chroot(2), pivot_root(2)
fn chroot(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::Chroot, call.origin())
}

/// Sets the host name in the sandbox, at most 64 bytes.
///
/// # Errors
/// The name is empty or longer than 64 bytes, or the sandbox shares `UTS`.
///
/// # Example
/// ```rhai
/// sandbox("/").hostname("box").run("uname -n");
/// ```
/// # See
/// sethostname(2), uts_namespaces(7)
fn hostname(call: &Call<'_, '_>, sandbox: Sandbox, name: String) -> Result<Sandbox, VerbError> {
    let name = Hostname::new(&name).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(name, call.origin()))
}

/// Sets the NIS domain name in the sandbox, at most 64 bytes.
///
/// # Errors
/// As for `hostname`.
///
/// # Example
/// ```rhai
/// sandbox("/").domainname("lan").run("cat /proc/sys/kernel/domainname");
/// ```
/// # See
/// setdomainname(2)
fn domainname(call: &Call<'_, '_>, sandbox: Sandbox, name: String) -> Result<Sandbox, VerbError> {
    let name = Domainname::new(&name).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(name, call.origin()))
}

/// Gives the sandbox a name for the commands that work on running sandboxes.
///
/// `nsscript ps` lists the running sandboxes of the caller. `nsscript exec NAME -- COMMAND` runs a
/// program in one, `nsscript enter NAME` opens a shell in one, and `nsscript kill NAME` ends one.
/// Without a name, a sandbox has only the number that `nsscript ps` shows.
///
/// A started program is listed at once, one that the recipe waits for after a tenth of a second.
///
/// A name has letters, digits, `.`, `_` and `-`, and is not a number. Two running sandboxes may
/// have the same name; the commands then demand the number.
///
/// # Errors
/// The name is empty, longer than 64 bytes, a number, or contains another character.
///
/// # Example
/// ```rhai
/// sandbox("/").name("web").run("true");
/// ```
/// # See
/// nsscript(1)
fn name(call: &Call<'_, '_>, sandbox: Sandbox, name: String) -> Result<Sandbox, VerbError> {
    let name = Name::new(&name).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(name, call.origin()))
}

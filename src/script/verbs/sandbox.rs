//! What a sandbox is made from, and what it is called.

pub mod command;
pub mod identity;
pub mod mount;
pub mod namespace;
pub mod outcome;
pub mod process;

use rhai::{Dynamic, Map};

use crate::diag::{Report, quoted};
use crate::ops::{Domainname, Hostname, Sandbox, What};
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
    fn keep_changes,
    fn changes,
    fn commit,
    fn chroot,
    fn hostname,
    fn domainname,
];

/// The root that a recipe names: a tree, or a directory of the host.
fn root_of(value: Dynamic, call: &Call<'_, '_>) -> Result<Root, VerbError> {
    if let Some(rootfs) = value.clone().try_cast::<Rootfs>() {
        return Ok(Root::Rootfs(rootfs));
    }
    if value.is_string() {
        let path =
            <HostPath as crate::script::binding::argument::Argument>::take(Some(value), call);
        return path
            .map(|path| Root::Directory(path.0))
            .map_err(|_| call.fail(Report::error("the directory of the root has no name")));
    }
    let given = a_kind(&value);
    Err(call.fail(Report::error(format!(
        "`{}` takes a Rootfs or a directory as `root`, not {given}",
        call.name()
    ))))
}

/// What a sandbox keeps of its changes.
fn keeping(sandbox: &Sandbox, call: &Call<'_, '_>) -> Result<Keeping, VerbError> {
    let keeping = call.context.runner.keeping(sandbox);
    keeping.map_err(|reports| call.found_here(reports))?.ok_or_else(|| {
        let report = Report::error("this sandbox keeps no changes");
        call.fail(report.hint("`.keep_changes(directory)` keeps them"))
    })
}

fn row(changed: &Changed) -> Map {
    let path = changed.path.to_string_lossy().into_owned();
    let pairs =
        [("path", path), ("change", changed.change.name().into()), ("type", changed.kind.into())];
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// The failure of a value that cannot be.
pub(in crate::script::verbs) fn invalid(error: &ValueError, call: &Call<'_, '_>) -> VerbError {
    call.fail(Report::from(error))
}

/// A new sandbox: all eight namespaces new, no capabilities, a clean environment.
///
/// `root` is a `Rootfs`, or a directory of the host; without it the root is empty. What a
/// program changes in the root vanishes with the sandbox. Nothing of the host is visible that
/// the recipe has not put there. Every verb gives a new sandbox and leaves the old one as it
/// is.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/").read_only_root().proc("/proc");
/// guest.run("true");
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

/// Gives the sandbox another root: a `Rootfs`, or a directory of the host.
///
/// # Example
/// ```rhai
/// let base = sandbox().hostname("box");
/// base.root("/").read_only_root().run("true");
/// ```
fn root(call: &Call<'_, '_>, sandbox: Sandbox, root: Dynamic) -> Result<Sandbox, VerbError> {
    let root = root_of(root, call)?;
    Ok(sandbox.with(What::Root(root), call.origin()))
}

/// Makes the root a read-only view of the host, without what is private there.
///
/// `/home`, `/root`, `/run`, `/tmp` and `/var/tmp` are empty and can be written to; `/proc`
/// shows the processes of the sandbox, and `/dev` has only harmless devices.
///
/// In a container that masks parts of `/proc` the kernel refuses a new one. The container's own is
/// then shown read-only, with the processes of the container, and a warning says so.
///
/// # Example
/// ```rhai
/// sandbox().host_view().run("ls /");
/// ```
/// # See
/// mount_setattr(2)
fn host_view(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::HostView, call.origin())
}

/// Makes the root read-only; what is mounted in it is as it was asked for.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().run("true");
/// ```
fn read_only_root(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::ReadOnlyRoot, call.origin())
}

/// Keeps what changes in the root in a directory of the host.
///
/// The next sandbox that keeps its changes there finds them. The directory is made where it is
/// missing; `overlay/upper` in it is what an overlay has as its upper directory, and with mapped
/// ids it belongs to user 0 inside. One sandbox at a time can have it, with the same ids as before;
/// that the root is another one than it was is a warning. `changes` tells what is in it, `commit`
/// makes a layer of it.
///
/// # Errors
/// A root that is read-only; a directory that another sandbox is at, that was kept with other ids,
/// that has something else in it, or on a file system that takes no changes of an overlay.
///
/// # Example
/// ```rhai
/// let guest = sandbox(rootfs().binaries(["sh", "cat"])).keep_changes("state");
/// guest.run("sh -c 'echo hello > /note'");
/// assert_eq(guest.output("cat /note").stdout, "hello\n");
/// ```
/// # See
/// mount(8)
fn keep_changes(call: &Call<'_, '_>, sandbox: Sandbox, directory: HostPath) -> Sandbox {
    sandbox.with(What::KeepChanges(directory.0), call.origin())
}

/// What sandboxes have changed in the root, where that is kept.
///
/// Rows of `path`, `change` (`"added"`, `"changed"` or `"removed"`) and `type` (`"file"`,
/// `"directory"`, `"link"`, …), in the order of paths.
///
/// # Errors
/// The sandbox keeps no changes, none has run yet, or one is still running.
///
/// # Example
/// ```rhai
/// let guest = sandbox(rootfs().binary("sh")).keep_changes("state");
/// guest.run("sh -c 'echo hello > /note'");
/// table(guest.changes());
/// ```
fn changes(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Vec<Map>, VerbError> {
    let keeping = keeping(&sandbox, call)?;
    let changes = call.effects().changes(&keeping, call).map_err(|it| call.found_here(it))?;
    Ok(changes.iter().map(row).collect())
}

/// The root with what sandboxes have changed in it as one more layer.
///
/// What changes afterwards is not in it. The layer is kept in the store; `pack` makes an archive of
/// the root that is there as long as the file is.
///
/// # Errors
/// As for `changes`; or the root is a directory of the host.
///
/// # Example
/// ```rhai
/// let guest = sandbox(rootfs().binaries(["sh", "cat"])).keep_changes("state");
/// guest.run("sh -c 'echo hello > /note'");
/// assert_eq(sandbox(guest.commit()).output("cat /note").stdout, "hello\n");
/// ```
fn commit(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Rootfs, VerbError> {
    let keeping = keeping(&sandbox, call)?;
    let base = match &keeping.root {
        Root::Rootfs(rootfs) => rootfs.clone(),
        Root::Empty => Rootfs::default(),
        Root::Directory(path) => {
            let shown = quoted(path.to_string_lossy());
            let report = Report::error(format!("the root is {shown}, which is no layer"));
            return Err(call.fail(report.hint("`rootfs().copy(path, \"/\")` makes one of it")));
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
/// The host's mounts stay beneath the root then. The program has no capability to get at
/// them; it is for lessons, and for a sandbox that shares MOUNT.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().chroot().run("true");
/// ```
/// # See
/// chroot(2), pivot_root(2)
fn chroot(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::Chroot, call.origin())
}

/// Sets the host name inside.
///
/// # Errors
/// A name that is empty or longer than 64 bytes, or a sandbox that shares UTS.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().hostname("box").run("uname -n");
/// ```
/// # See
/// sethostname(2), uts_namespaces(7)
fn hostname(call: &Call<'_, '_>, sandbox: Sandbox, name: String) -> Result<Sandbox, VerbError> {
    let name = Hostname::new(&name).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(name, call.origin()))
}

/// Sets the NIS domain name inside.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().domainname("lan").proc("/proc")
///     .run("cat /proc/sys/kernel/domainname");
/// ```
/// # See
/// setdomainname(2)
fn domainname(call: &Call<'_, '_>, sandbox: Sandbox, name: String) -> Result<Sandbox, VerbError> {
    let name = Domainname::new(&name).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(name, call.origin()))
}

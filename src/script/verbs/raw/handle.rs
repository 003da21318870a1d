//! Existing namespaces: listing, pinning, entering.

use std::rc::Rc;

use rhai::{Dynamic, Map};

use crate::diag::{Report, quoted};
use crate::run::{self, Namespace};
use crate::script::binding::argument::{OneKind, OwnPath, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{ProcessHandle, SharedNamespace};
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["handle.rs";
    fn namespaces,
    fn namespace,
    get kind,
    get inode,
    get owner,
    get parent,
    fn pin,
    fn namespace = process_namespace,
];

fn failed(what: &str, errno: run::Errno, call: &Call<'_, '_>) -> VerbError {
    let mut report = Report::error(format!("cannot {what}: {errno}"));
    report.facts.errno = Some(errno.code());
    report.facts.operation = Some(call.name().into());
    call.fail(report)
}

/// The process id of a Process or a number.
pub(in crate::script::verbs) fn pid(
    value: &Dynamic,
    call: &Call<'_, '_>,
) -> Result<i32, VerbError> {
    if let Some(handle) = value.read_lock::<ProcessHandle>() {
        return Ok(handle.pid.unwrap_or_else(own_pid));
    }
    let number = value.as_int().map_err(|_| {
        let (name, given) = (quoted(call.name()), a_kind(value));
        if call.name() == "setns" {
            let message = format!("{name} takes a namespace, a process or its number, not {given}");
            let hint = "open a namespace file with `namespace(path)`, or enter one kind with \
                 `setns(process, NET)`";
            return call.fail(Report::error(message).hint(hint));
        }
        call.fail(Report::error(format!("{name} takes a process or its number, not {given}")))
    })?;
    let pid = i32::try_from(number).ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| {
        call.fail(Report::error(format!(
            "invalid process id {number}: expected a number from 1 up"
        )))
    })
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or_default()
}

fn shared(namespace: Namespace) -> SharedNamespace {
    SharedNamespace(Rc::new(namespace))
}

fn pair((file, namespace): (&'static str, Namespace)) -> (rhai::Identifier, Dynamic) {
    (file.into(), Dynamic::from(shared(namespace)))
}

/// Returns the namespaces of a process, by the names of their files in /proc/PID/ns.
///
/// The keys are `user`, `mnt`, `pid`, `net`, `uts`, `ipc`, `cgroup`, `time`, `pid_for_children` and
/// `time_for_children`. The default process is nsscript itself, in its session. Two namespaces with
/// the same inode are the same namespace. A namespace exists at least as long as its value in the
/// recipe.
///
/// # Errors
/// The process does not exist, or may not be examined.
///
/// # Example
/// ```rhai
/// let before = namespaces().uts.inode;
/// unshare(UTS);
/// assert(namespaces().uts.inode != before);
/// ```
/// # See
/// namespaces(7), proc_pid_ns(5)
fn namespaces(call: &Call<'_, '_>, process: Option<Dynamic>) -> Result<Map, VerbError> {
    let pid = process.as_ref().map(|process| pid(process, call)).transpose()?;
    call.context.begin_session(call.origin().as_ref())?;
    let found = run::namespaces(pid, call.origin().as_ref())?;
    Ok(found.into_iter().map(pair).collect())
}

/// Returns the namespace whose file is at `path`: a pinned one, or a file in /proc/PID/ns.
///
/// # Errors
/// The file does not exist, or is not a namespace.
///
/// # Example
/// ```rhai
/// print(namespace("/proc/self/ns/net").inode);
/// ```
/// # See
/// namespaces(7)
fn namespace(call: &Call<'_, '_>, path: OwnPath) -> Result<SharedNamespace, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let shown = quoted(path.0.to_string_lossy());
    match call.effects().open_namespace(&path.0) {
        Ok(Some(namespace)) => Ok(shared(namespace)),
        Ok(None) => Err(call.fail(Report::error(format!("{shown} is not a namespace")).hint(
            "expected a file of `/proc/PID/ns`, or one that `pin` created; a file that is pinned \
             in another mount namespace is empty here",
        ))),
        Err(errno) => {
            let near = call.context.runner.host().tree.near(&path.0);
            let cannot = failed(&format!("open the namespace {shown}"), errno, call);
            Err(match (near, cannot) {
                (Some(near), VerbError::Reports(reports)) => {
                    let hint = format!("did you mean {}?", quoted(near));
                    let with = |report: Report| report.hint(hint.clone());
                    VerbError::Reports(reports.into_iter().map(with).collect())
                }
                (_, cannot) => cannot,
            })
        }
    }
}

/// The kind of the namespace, as in /proc/PID/ns: `"net"`, `"mnt"`, ….
fn kind(_call: &Call<'_, '_>, namespace: SharedNamespace) -> String {
    namespace.0.kind.file().to_owned()
}

/// The inode number of the namespace. Equal numbers mean the same namespace.
fn inode(_call: &Call<'_, '_>, namespace: SharedNamespace) -> i64 {
    i64::try_from(namespace.0.inode).unwrap_or(i64::MAX)
}

/// The user namespace that owns this namespace, or `()` if it is outside of nsscript's own.
///
/// Capabilities in the owner apply to this namespace.
fn owner(
    call: &Call<'_, '_>,
    namespace: SharedNamespace,
) -> Result<Option<SharedNamespace>, VerbError> {
    let owner = namespace.0.owner();
    let owner = owner.map_err(|errno| failed("find the owner of the namespace", errno, call))?;
    Ok(owner.map(shared))
}

/// The parent of a user or PID namespace, or `()` if it is outside of nsscript's own.
///
/// For other kinds it is `()`.
fn parent(
    call: &Call<'_, '_>,
    namespace: SharedNamespace,
) -> Result<Option<SharedNamespace>, VerbError> {
    let parent = namespace.0.parent();
    let parent = parent.map_err(|errno| failed("find the parent of the namespace", errno, call))?;
    Ok(parent.map(shared))
}

/// Keeps the namespace alive with a bind mount of its file on `path`, which must not exist.
///
/// The namespace then exists without processes until `path` is unmounted. `namespace(path)` opens
/// it again.
///
/// # Errors
/// The path exists already, or is on a file system of the host. A mount namespace cannot be pinned
/// in itself or in a newer mount namespace.
///
/// # Example
/// ```rhai
/// let place = `${scratch()}/net`;
/// let child = clone(NET, || sleep("5s"));
/// child.namespace(NET).pin(place);
/// child.kill("KILL");
/// print(namespace(place).within(|| interfaces().len()));
/// ```
/// # See
/// namespaces(7), mount(8)
fn pin(call: &Call<'_, '_>, namespace: SharedNamespace, path: OwnPath) -> Result<(), VerbError> {
    Ok(call.effects().pin(&namespace.0, &path.0, call)?)
}

/// Returns the namespace of this kind that the process is in.
///
/// # Errors
/// The process has exited. More than one kind is given.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 60");
/// assert(sleeper.namespace(UTS).inode != namespaces().uts.inode);
/// ```
/// # See
/// namespaces(7)
fn process_namespace(
    call: &Call<'_, '_>,
    process: ProcessHandle,
    kind: OneKind,
) -> Result<SharedNamespace, VerbError> {
    let OneKind(kind) = kind;
    if process.has_ended() {
        let message = "the process has exited, and its namespaces with it";
        return Err(call.fail(Report::error(message)));
    }
    let pid = pid(&Dynamic::from(process.clone()), call)?;
    let found = Namespace::open(format!("/proc/{pid}/ns/{}", kind.file()).as_ref());
    let what = format!("open the {} namespace of process {pid}", kind.name());
    match found.map_err(|errno| failed(&what, errno, call))? {
        // Its process id may have been reused meanwhile.
        Some(namespace) if !process.has_ended() => Ok(shared(namespace)),
        _ => Err(call.fail(Report::error(format!("cannot {what}: it has exited")))),
    }
}

//! The raw layer: system calls that act at once on nsscript's own process.

pub mod child;
pub mod file;
pub mod handle;
pub mod mount_data;
pub mod mounting;

use rhai::{Array, Dynamic, Map};

use super::raw::handle::pid;
use super::sandbox::identity::variables;
use crate::diag::{Report, quoted};
use crate::ops::RawAction;
use crate::ops::raw::{
    NoNewPrivs, SetCapabilities, SetDomainname, SetGroup, SetGroups, SetHostname, SetUser, Unshare,
};
use crate::script::binding::argument::{IdNumber, a_kind, id};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::{ProcessHandle, SharedNamespace};
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Capability, Command, IdMap, IdRange, Namespaces, Parts};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["raw.rs";
    fn unshare,
    fn unshare = unshare_parts,
    fn setns,
    fn sethostname,
    fn setdomainname,
    fn exec,
    fn map_ids,
    fn setuid,
    fn setgid,
    fn setgroups,
    fn set_capabilities,
    fn no_new_privs,
];

options! {
    /// The ids that a user namespace maps.
    struct Maps {
        /// ranges of user ids: `[[inside, outside, count], …]`
        users: Array = "",
        /// ranges of group ids, in the same form
        groups: Array = "",
    }

    /// The environment of a program.
    struct Exec {
        /// the complete environment; by default, nsscript's own
        env: Map = "",
    }

    /// The capability sets that change besides the effective and permitted ones.
    struct Capabilities {
        /// drops the others from the bounding set too, so that no executed program gains them
        bounding: bool = "true",
    }
}

/// Performs a raw call.
pub(in crate::script::verbs) fn act(
    action: impl Into<RawAction>,
    call: &Call<'_, '_>,
) -> Result<(), VerbError> {
    Ok(call.effects().act(action.into(), call)?)
}

/// Checks that a string has no NUL byte.
pub(in crate::script::verbs) fn no_nul(
    text: String,
    call: &Call<'_, '_>,
) -> Result<String, VerbError> {
    if text.contains('\0') {
        return Err(call.fail(Report::error(format!("{} contains a NUL byte", quoted(&text)))));
    }
    Ok(text)
}

/// Parses the ranges of an id map.
fn ranges(array: &Array, key: &str, call: &Call<'_, '_>) -> Result<IdMap, VerbError> {
    let wrong = || {
        let message = format!("`{key}` takes ranges `[inside, outside, count]`");
        let report = Report::error(message);
        call.fail_at_key(
            key,
            report.hint("write `[[0, 1000, 1]]` to map id 0 inside to 1000 outside"),
        )
    };
    let mut map = IdMap::default();
    for range in array {
        let numbers = range.read_lock::<Array>().ok_or_else(wrong)?;
        let numbers: Vec<i64> = numbers.iter().filter_map(|number| number.as_int().ok()).collect();
        let [inside, outside, count] = numbers[..] else { return Err(wrong()) };
        let range = IdRange::new(inside, outside, count);
        map.ranges.push(range.map_err(|it| call.fail_at_key(key, Report::error(it.to_string())))?);
    }
    Ok(map)
}

/// Checks that at least one kind of namespace is given.
fn some(kinds: Namespaces, verb: &str, call: &Call<'_, '_>) -> Result<Namespaces, VerbError> {
    if kinds.is_empty() {
        let report = Report::error("missing kind of namespace");
        return Err(
            call.fail(report.advise("kind_missing", format!("name one or more kinds: `{verb}`")))
        );
    }
    Ok(kinds)
}

/// Enters the target of `setns`.
fn enter(what: &Dynamic, kinds: Option<Namespaces>, call: &Call<'_, '_>) -> Result<(), VerbError> {
    if let Some(namespace) = what.read_lock::<SharedNamespace>() {
        let mut action = namespace.0.entering();
        // As for setns(2), the kernel refuses a namespace of another kind.
        if let Some(wanted) = kinds {
            action.namespaces = some(wanted, "setns(namespace, NET)", call)?;
        }
        return Ok(call.effects().enter(&namespace.0, action, call)?);
    }
    if let Some(namespaces) = what.read_lock::<Array>() {
        return namespaces.iter().try_for_each(|one| enter(one, kinds, call));
    }
    let number = pid(what, call)?;
    let handle = what.read_lock::<ProcessHandle>();
    let kinds = kinds.unwrap_or(Namespaces::ALL);
    call.effects().enter_process(handle.as_deref(), number, kinds, call)
}

/// Moves nsscript into new namespaces.
///
/// New PID and TIME namespaces apply only to processes that are created afterwards. A new user
/// namespace maps no ids, so the process is user 65534 until `map_ids` maps some.
///
/// # Errors
/// The kernel refuses the namespaces: there are too many, or they are disabled on this machine.
///
/// # Example
/// ```rhai
/// unshare(UTS | NET);
/// sethostname("alone");
/// assert_eq(hostname(), "alone");
/// ```
/// # See
/// unshare(2), namespaces(7)
fn unshare(call: &Call<'_, '_>, namespaces: Namespaces) -> Result<(), VerbError> {
    let namespaces = some(namespaces, "unshare(UTS | NET)", call)?;
    act(Unshare(namespaces.into()), call)
}

/// Moves nsscript into new namespaces and stops sharing other parts of the process.
///
/// `FILES` is the table of file descriptors, `FS` the root directory, the working directory and the
/// umask, and `SYSVSEM` the list of semaphore adjustments. Recipes share none of them with other
/// processes, so the call shows the system call but changes nothing else.
///
/// # Errors
/// As for namespaces alone.
///
/// # Example
/// ```rhai
/// unshare(UTS | FILES);
/// unshare(FS | SYSVSEM);
/// ```
/// # See
/// unshare(2), clone(2)
fn unshare_parts(call: &Call<'_, '_>, parts: Parts) -> Result<(), VerbError> {
    act(Unshare(parts), call)
}

/// Moves nsscript into existing namespaces.
///
/// `target` is a Namespace, an array of them, a process or a process id. For a process, nsscript
/// enters all its namespaces that differ from its own, or only those of `kinds`. For a Namespace,
/// `kinds` is its expected kind. A PID namespace applies only to processes that are created
/// afterwards.
///
/// # Errors
/// nsscript lacks capabilities in the user namespace that owns them. A Namespace is not of the kind
/// `kinds` (EINVAL).
///
/// # Example
/// ```rhai
/// let child = clone(UTS | NET, || sleep("5s"));
/// setns(child, UTS);
/// assert_eq(namespaces().uts.inode, child.namespace(UTS).inode);
/// ```
/// # See
/// setns(2), nsenter(1)
fn setns(call: &Call<'_, '_>, target: Dynamic, kinds: Option<Namespaces>) -> Result<(), VerbError> {
    enter(&target, kinds, call)
}

/// Sets the host name in nsscript's UTS namespace, which must not be the host's.
///
/// # Errors
/// The UTS namespace is the host's. The name is longer than 64 bytes.
///
/// # Example
/// ```rhai
/// within(UTS, || sethostname("box"));
/// ```
/// # See
/// sethostname(2), uts_namespaces(7)
fn sethostname(call: &Call<'_, '_>, name: String) -> Result<(), VerbError> {
    act(SetHostname(no_nul(name, call)?), call)
}

/// Sets the NIS domain name in nsscript's UTS namespace, which must not be the host's.
///
/// # Errors
/// As for `sethostname`.
///
/// # Example
/// ```rhai
/// within(UTS, || setdomainname("lab"));
/// ```
/// # See
/// setdomainname(2)
fn setdomainname(call: &Call<'_, '_>, name: String) -> Result<(), VerbError> {
    act(SetDomainname(no_nul(name, call)?), call)
}

/// Replaces this process by a program; the rest of the recipe does not run.
///
/// In a closure, the child process is replaced. A program name without `/` is looked up in `PATH`.
/// The environment is that of nsscript, or of the sandbox in a sandbox; with `env`, it is only what
/// `env` contains.
///
/// # Errors
/// The program cannot be executed. The recipe continues if it catches the error.
///
/// # Example
/// ```rhai
/// clone(UTS, || { sethostname("box"); exec("uname -n"); }).wait();
/// clone(IPC, || exec("/bin/sh -c env", #{ env: #{ LANG: "C" } })).wait();
/// ```
/// # See
/// execve(2)
fn exec(call: &Call<'_, '_>, command: Command, options: Exec) -> Result<(), VerbError> {
    let environment = options.env.map(|map| variables(&map, call)).transpose()?;
    Ok(call.effects().execute(command, environment, call)?)
}

/// Maps ids in the user namespace of a process, which must be new.
///
/// An ordinary user can map only their own id, `[[0, getuid(), 1]]`. For such a map of groups, the
/// kernel first requires that setgroups(2) is denied, which nsscript does.
///
/// # Errors
/// The kernel refuses a map: it was written before, or contains ids that may not be mapped.
///
/// # Example
/// ```rhai
/// let uid = getuid();
/// let child = clone(USER, || {
///     wait_until(|| getuid() == 0);
///     capabilities().effective.len()
/// });
/// map_ids(child, #{ users: [[0, uid, 1]] });
/// assert(child.value() > 30);
/// ```
/// # See
/// user_namespaces(7)
fn map_ids(call: &Call<'_, '_>, process: Dynamic, options: Maps) -> Result<(), VerbError> {
    let number = pid(&process, call)?;
    let users = options.users.as_ref().map(|array| ranges(array, "users", call)).transpose()?;
    let groups = options.groups.as_ref().map(|array| ranges(array, "groups", call)).transpose()?;
    if users.is_none() && groups.is_none() {
        let report = Report::error("missing id map");
        return Err(call.fail(report.hint("map one user with `#{ users: [[0, 1000, 1]] }`")));
    }
    Ok(call.effects().map_ids(number, users.as_ref(), groups.as_ref(), call)?)
}

/// Sets the real, effective and saved user id.
///
/// A change from user 0 to another user drops all capabilities.
///
/// # Errors
/// The id is not mapped in this user namespace, or the process may not take it.
///
/// # Example
/// ```rhai
/// within(PID, || setuid(getuid()));
/// ```
/// # See
/// setresuid(2)
fn setuid(call: &Call<'_, '_>, uid: IdNumber) -> Result<(), VerbError> {
    act(SetUser(uid.0), call)
}

/// Sets the real, effective and saved group id.
///
/// # Errors
/// The id is not mapped in this user namespace, or the process may not take it.
///
/// # Example
/// ```rhai
/// within(PID, || setgid(getgid()));
/// ```
/// # See
/// setresgid(2)
fn setgid(call: &Call<'_, '_>, gid: IdNumber) -> Result<(), VerbError> {
    act(SetGroup(gid.0), call)
}

/// Sets the supplementary groups.
///
/// # Errors
/// The kernel denies it, for example in a user namespace whose maps were written by an ordinary
/// user.
///
/// # Example
/// ```rhai
/// try { setgroups([]); } catch (e) { print(e.message); }
/// ```
/// # See
/// setgroups(2), user_namespaces(7)
fn setgroups(call: &Call<'_, '_>, groups: Array) -> Result<(), VerbError> {
    let group = |value: &Dynamic| {
        let number = value.as_int().map_err(|_| {
            let given = a_kind(value);
            call.fail(Report::error(format!("`setgroups` takes an array of numbers, not {given}")))
        })?;
        id(number).map_err(|invalid| call.fail(Report::from(&invalid)))
    };
    let groups = groups.iter().map(group).collect::<Result<_, _>>()?;
    act(SetGroups(groups), call)
}

/// Drops all capabilities except these.
///
/// Names are given with or without `CAP_`. The capabilities stay in the effective and permitted
/// sets; the inheritable set becomes empty.
///
/// # Errors
/// A capability is unknown, or the process does not have it.
///
/// # Example
/// ```rhai
/// within(USER, || { set_capabilities(["SYS_ADMIN"]); capabilities().effective });
/// ```
/// # See
/// capset(2), capabilities(7)
fn set_capabilities(
    call: &Call<'_, '_>,
    names: Vec<String>,
    options: Capabilities,
) -> Result<(), VerbError> {
    let mut kept = Vec::new();
    for name in &names {
        let parsed = Capability::parse(name);
        kept.push(parsed.map_err(|invalid| call.fail(Report::from(&invalid)))?);
    }
    let bounding = options.bounding.unwrap_or(true);
    act(SetCapabilities { kept, bounding }, call)
}

/// Prevents programs from gaining privileges when they are executed.
///
/// Neither setuid nor capabilities of a file give any. This holds for this process and for all that
/// it starts, and cannot be taken back. Capabilities that the process has stay until
/// `set_capabilities` or `setuid` drops them.
///
/// # Example
/// ```rhai
/// within(UTS, || {
///     no_new_privs();
///     assert(read_file("/proc/self/status").contains("NoNewPrivs:\t1"));
/// });
/// ```
/// # See
/// PR_SET_NO_NEW_PRIVS(2const), execve(2)
fn no_new_privs(call: &Call<'_, '_>) -> Result<(), VerbError> {
    act(NoNewPrivs, call)
}

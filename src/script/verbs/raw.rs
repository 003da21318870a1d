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
use crate::spec::{Capability, Command, IdMap, IdRange, Namespaces};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["raw.rs";
    fn unshare,
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
    /// Which ids a user namespace maps.
    struct Maps {
        /// ranges of users: `[[inside, outside, count], …]`
        users: Array = "",
        /// ranges of groups
        groups: Array = "",
    }

    /// What a program finds.
    struct Exec {
        /// the environment variables, and no others
        env: Map = "",
    }

    /// Which capabilities are left, beyond the effective and permitted ones.
    struct Capabilities {
        /// others leave the bounding set too: no program that is executed gains them
        bounding: bool = "true",
    }
}

/// Does something to this process.
pub(in crate::script::verbs) fn act(
    action: impl Into<RawAction>,
    call: &Call<'_, '_>,
) -> Result<(), VerbError> {
    Ok(call.effects().act(action.into(), call)?)
}

/// A text that a system call can take.
pub(in crate::script::verbs) fn no_nul(
    text: String,
    call: &Call<'_, '_>,
) -> Result<String, VerbError> {
    if text.contains('\0') {
        return Err(call.fail(Report::error(format!("{} holds a NUL byte", quoted(&text)))));
    }
    Ok(text)
}

/// The ranges of a map of ids.
fn ranges(array: &Array, key: &str, call: &Call<'_, '_>) -> Result<IdMap, VerbError> {
    let wrong = || {
        let message = format!("`{key}` takes ranges `[inside, outside, count]`");
        let report = Report::error(message);
        call.fail_at_key(
            key,
            report.hint("`[[0, 1000, 1]]` makes 1000 outside 0 inside, and no other"),
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

/// Kinds of namespaces, at least one.
fn some(kinds: Namespaces, verb: &str, call: &Call<'_, '_>) -> Result<Namespaces, VerbError> {
    if kinds.is_empty() {
        let report = Report::error("no kind of namespace is given");
        return Err(call.fail(report.advise("kind_missing", format!("such as `{verb}`"))));
    }
    Ok(kinds)
}

/// What `setns` enters: its words, descriptor and kinds.
fn enter(what: &Dynamic, kinds: Option<Namespaces>, call: &Call<'_, '_>) -> Result<(), VerbError> {
    if let Some(namespace) = what.read_lock::<SharedNamespace>() {
        let mut action = namespace.0.entering();
        // As setns(2) takes it: the kernel refuses a namespace of another kind.
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
/// PID and TIME hold for the children that come after. A new user namespace maps no ids and
/// makes the process user 65534 until it does: see `map_ids`.
///
/// # Errors
/// The namespaces cannot be made: too many, or off on this machine.
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
    act(Unshare(namespaces), call)
}

/// Moves nsscript into namespaces that exist.
///
/// `target` is a Namespace, an array of them, or a process or its number: then all of its
/// namespaces are entered at once in which nsscript is not yet, or those that `kinds` says.
/// PID holds for the children that come after.
///
/// # Errors
/// They may not be entered: capabilities in the user namespace that owns them are needed. A
/// Namespace is of another kind than `kinds` says.
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

/// Sets the host name of the own UTS namespace, which must be a new one.
///
/// # Errors
/// The UTS namespace is the host's; the name is longer than 64 bytes.
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

/// Sets the NIS domain name of the own UTS namespace, which must be a new one.
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

/// Makes this process a program: nothing of the recipe comes after.
///
/// In a closure it is the child process that becomes the program. A program without `/` is
/// looked for along `PATH`. It finds the environment of nsscript (of the sandbox, in one), or
/// nothing but `env`.
///
/// # Errors
/// It cannot be executed; the recipe goes on then.
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

/// Maps ids of a process in a new user namespace.
///
/// Where the kernel wants that before it takes the map of groups, setgroups(2) is denied there.
/// A user may map the own id alone: `[[0, getuid(), 1]]`.
///
/// # Errors
/// The kernel refuses a map: it was written before, or is of ids that may not be mapped.
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
        let report = Report::error("no map is given");
        return Err(call.fail(report.hint("`#{ users: [[0, 1000, 1]] }` maps one user")));
    }
    Ok(call.effects().map_ids(number, users.as_ref(), groups.as_ref(), call)?)
}

/// Becomes the user `uid`, in real, effective and saved id.
///
/// Leaving user 0 empties the capabilities.
///
/// # Errors
/// It is not mapped here, or may not be taken on.
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

/// Becomes the group `gid`, in real, effective and saved id.
///
/// # Errors
/// It is not mapped here, or may not be taken on.
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

/// Sets the other groups of this process.
///
/// # Errors
/// They may not be changed: in a user namespace whose maps an ordinary user has written, the
/// kernel denies it.
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
            call.fail(Report::error(format!("a group is a number here, not {given}")))
        })?;
        id(number).map_err(|invalid| call.fail(Report::from(&invalid)))
    };
    let groups = groups.iter().map(group).collect::<Result<_, _>>()?;
    act(SetGroups(groups), call)
}

/// Drops every capability but these.
///
/// They are given by their names, with or without `CAP_`, and left in the effective and
/// permitted sets; the inheritable one is empty.
///
/// # Errors
/// No such capability, or one that the process does not have.
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

/// Has no program gain rights when it is executed.
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

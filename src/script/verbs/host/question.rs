//! Facts about nsscript's own process. They change nothing, and a dry run answers them too.

use rhai::Map;

use super::listing::unread;
use crate::diag::{Report, closest, list, quoted};
use crate::host::cgroups;
use crate::run::{self, Clock, Errno};
use crate::script::binding::argument::Returned;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::Capability;

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["question.rs";
    fn hostname,
    fn domainname,
    fn getpid,
    fn getppid,
    fn gettid,
    fn getuid,
    fn getgid,
    fn getgroups,
    fn capabilities,
    fn cgroup,
    fn clock,
];

/// The clocks, by their names in recipes.
const CLOCKS: [(&str, Clock); 3] =
    [("realtime", Clock::Realtime), ("monotonic", Clock::Monotonic), ("boottime", Clock::Boottime)];

/// The error of a failed system call.
fn unanswered(errno: Errno, call: &Call<'_, '_>) -> VerbError {
    let verb = quoted(call.name());
    let mut report = Report::error(format!("{verb} failed: {errno}"));
    report.facts.errno = Some(errno.code());
    call.fail(report)
}

fn no_clock(name: &str, call: &Call<'_, '_>) -> VerbError {
    let names = CLOCKS.map(|(known, _)| known);
    let hint = match closest(name, names) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("expected {}", list(&names.map(quoted), "or")),
    };
    call.fail(Report::error(format!("unknown clock {}", quoted(name))).hint(hint))
}

/// Returns the host name in nsscript's UTS namespace.
///
/// # Example
/// ```rhai
/// print(hostname());
/// ```
/// # See
/// gethostname(2), uts_namespaces(7)
fn hostname(_call: &Call<'_, '_>) -> String {
    run::uname().host_name
}

/// Returns the NIS domain name in nsscript's UTS namespace, or `"(none)"` if none was set.
///
/// # Example
/// ```rhai
/// print(domainname());
/// ```
/// # See
/// getdomainname(2), uts_namespaces(7)
fn domainname(_call: &Call<'_, '_>) -> String {
    run::uname().domain_name
}

/// Returns the process id of nsscript in its PID namespace.
///
/// # Example
/// ```rhai
/// print(getpid());
/// ```
/// # See
/// getpid(2), pid_namespaces(7)
fn getpid(_call: &Call<'_, '_>) -> i64 {
    run::process_id().into()
}

/// Returns the process id of nsscript's parent, or 0 if the parent is outside the PID namespace.
///
/// # Example
/// ```rhai
/// print(getppid());
/// ```
/// # See
/// getppid(2)
fn getppid(_call: &Call<'_, '_>) -> i64 {
    run::parent_id().into()
}

/// Returns the thread id of nsscript. It equals the process id, because nsscript has one thread.
///
/// # Example
/// ```rhai
/// print(gettid());
/// ```
/// # See
/// gettid(2)
fn gettid(_call: &Call<'_, '_>) -> i64 {
    run::thread_id().into()
}

/// Returns the effective user id of nsscript in its user namespace.
///
/// The question begins the session, in which an ordinary user is 0. The id of the caller, as paths
/// and maps of the host need it, is `host.uid`.
///
/// # Example
/// ```rhai
/// if getuid() == 0 { print("this is root, of this user namespace at least"); }
/// ```
/// # See
/// geteuid(2), user_namespaces(7), `host.uid`
fn getuid(call: &Call<'_, '_>) -> Result<i64, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    Ok(run::ids().uid.into())
}

/// Returns the effective group id of nsscript in its user namespace. The caller's is `host.gid`.
///
/// # Example
/// ```rhai
/// print(getgid());
/// ```
/// # See
/// getegid(2), user_namespaces(7)
fn getgid(call: &Call<'_, '_>) -> Result<i64, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    Ok(run::ids().gid.into())
}

/// Returns the supplementary group ids of nsscript.
///
/// # Example
/// ```rhai
/// print(getgroups());
/// ```
/// # See
/// getgroups(2)
fn getgroups(call: &Call<'_, '_>) -> Result<Vec<i64>, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let groups = run::groups().map_err(|errno| unanswered(errno, call))?;
    Ok(groups.into_iter().map(i64::from).collect())
}

/// Returns the capability sets of nsscript, with capabilities by name.
///
/// The map has the keys `effective`, `permitted`, `inheritable`, `bounding` and `ambient`. Each is
/// an array of names such as `"CAP_CHOWN"`, in the order of their numbers.
///
/// # Example
/// ```rhai
/// if "CAP_SYS_ADMIN" in capabilities().effective { print("this process may mount"); }
/// ```
/// # See
/// capabilities(7), capget(2)
fn capabilities(call: &Call<'_, '_>) -> Result<Map, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let sets = run::capabilities().map_err(|errno| unanswered(errno, call))?;
    let sets = [
        ("effective", sets.effective),
        ("permitted", sets.permitted),
        ("inheritable", sets.inheritable),
        ("bounding", sets.bounding),
        ("ambient", sets.ambient),
    ];
    let names = |set| Capability::names(set).into_dynamic();
    Ok(sets.into_iter().map(|(name, set)| (name.into(), names(set))).collect())
}

/// Returns the cgroups that nsscript is in: a map from hierarchy to path.
///
/// The key of the version 2 hierarchy is `unified`. In version 1 each controller has its own key
/// (`memory`, `cpu`), even if several share a hierarchy, and so has each named hierarchy
/// (`systemd`). Paths begin at the root of the cgroup namespace.
///
/// # Errors
/// No proc filesystem is mounted on /proc.
///
/// # Example
/// ```rhai
/// print(cgroup()?.unified ?? "no cgroups of version 2");
/// ```
/// # See
/// cgroups(7), cgroup_namespaces(7)
fn cgroup(call: &Call<'_, '_>) -> Result<Map, VerbError> {
    let found = cgroups::read(&call.context.runner.host().tree);
    let found = found.map_err(|error| unread(&error, call))?;
    Ok(found.into_iter().map(|(name, path)| (name.into(), path.into())).collect())
}

/// Returns the time of a clock in seconds: `"realtime"`, `"monotonic"` or `"boottime"`.
///
/// `realtime` counts from 1970. `monotonic` and `boottime` can be shifted by a time namespace;
/// `boottime` also counts the time during which the machine was suspended.
///
/// # Errors
/// The name of the clock is unknown.
///
/// # Example
/// ```rhai
/// let start = clock("monotonic");
/// sleep("10ms");
/// print(`${clock("monotonic") - start} seconds`);
/// ```
/// # See
/// clock_gettime(2), time_namespaces(7)
fn clock(call: &Call<'_, '_>, name: String) -> Result<f64, VerbError> {
    let known = CLOCKS.iter().find(|(known, _)| *known == name);
    let (_, clock) = known.ok_or_else(|| no_clock(&name, call))?;
    let time = run::clock(*clock).map_err(|errno| unanswered(errno, call))?;
    Ok(time.as_secs_f64())
}

//! Questions of nsscript's own process to the kernel: they change nothing, and a dry run
//! answers them too.

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

/// A question that the kernel does not answer.
fn unanswered(errno: Errno, call: &Call<'_, '_>) -> VerbError {
    let verb = quoted(call.name());
    let mut report = Report::error(format!("the kernel does not answer {verb}: {errno}"));
    report.facts.errno = Some(errno.code());
    call.fail(report)
}

fn no_clock(name: &str, call: &Call<'_, '_>) -> VerbError {
    let names = CLOCKS.map(|(known, _)| known);
    let hint = match closest(name, names) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("there are {}", list(&names.map(quoted), "and")),
    };
    call.fail(Report::error(format!("no clock {}", quoted(name))).hint(hint))
}

/// The host name that nsscript sees: that of its UTS namespace.
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

/// The NIS domain name that nsscript sees; the kernel's `"(none)"` where none was set.
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

/// The number of nsscript's own process, in its PID namespace.
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

/// The number of the parent of nsscript; 0 where it is outside of the PID namespace.
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

/// The number of the thread; nsscript has one, so it is that of the process.
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

/// The effective user of nsscript, as its user namespace numbers it.
///
/// # Example
/// ```rhai
/// if getuid() == 0 { print("this is root, of this user namespace at least"); }
/// ```
/// # See
/// geteuid(2), user_namespaces(7)
fn getuid(call: &Call<'_, '_>) -> Result<i64, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    Ok(run::ids().uid.into())
}

/// The effective group of nsscript, as its user namespace numbers it.
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

/// The supplementary groups of nsscript.
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

/// The capabilities of nsscript, by name.
///
/// A map of the five sets, `effective`, `permitted`, `inheritable`, `bounding` and `ambient`,
/// each an array of names such as `"CAP_CHOWN"`, in the order of their numbers.
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

/// The cgroups that nsscript is in: a map from hierarchy to path.
///
/// The path in the hierarchy of version 2 has the key `unified`. In version 1 every controller
/// has its own key (`memory`, `cpu`), also where several share a hierarchy, and so has every
/// hierarchy with a name (`systemd`). Paths begin at the root of the cgroup namespace.
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

/// What a clock shows, in seconds: `"realtime"`, `"monotonic"` or `"boottime"`.
///
/// `realtime` is the time of day, since 1970. `monotonic` and `boottime` are of the time
/// namespace; the second counts the time in which the machine was suspended, too.
///
/// # Errors
/// There is no clock of that name.
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

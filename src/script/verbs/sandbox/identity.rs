//! User, environment and limits of the program.

use rhai::{Array, Dynamic, Map};

use super::invalid;
use crate::diag::{Report, quoted};
use crate::ops::{ClockOffset, Groups, Limit, Personality, Sandbox, Sysctl, Umask, What, Workdir};
use crate::script::binding::argument::{
    Argument, ArgumentError, Duration, IdNumber, Mask, Size, a_kind,
};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{self, GuestPath, Id, IdRange, Resource, UNLIMITED, Unit};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["identity.rs";
    fn user,
    fn group,
    fn groups,
    fn map_user,
    fn map_group,
    fn env,
    fn keep_env,
    fn workdir,
    fn umask,
    fn personality,
    fn clock_offset,
    fn limit,
    fn sysctl,
    fn pid1,
];

/// Checks the name and value of an environment variable.
fn variable(name: &str, value: &str, call: &Call<'_, '_>) -> Result<(String, String), VerbError> {
    spec::variable(name, value).map_err(|error| invalid(&error, call))
}

/// The variables to keep.
#[derive(Debug)]
enum Names {
    /// Those of these names.
    Some(Vec<String>),
    /// All.
    All,
}

impl Argument for Names {
    const KIND: &'static str = "an array of strings or `\"all\"`";

    fn take(value: Option<Dynamic>, call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let is_all = value.as_ref().is_some_and(|it| it.is_string() && it.to_string() == "all");
        if is_all {
            return Ok(Self::All);
        }
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        match Vec::take(value, call) {
            Ok(names) => Ok(Self::Some(names)),
            Err(_) => Err(ArgumentError::Type { wanted: Self::KIND, given }),
        }
    }
}

/// A personality. A name and an array of names both say which.
#[derive(Debug)]
struct PersonalityNames(Personality);

impl Argument for PersonalityNames {
    const KIND: &'static str = "a string or an array of strings";

    fn take(value: Option<Dynamic>, call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        let names = match value {
            Some(name) if name.is_string() => vec![name.to_string()],
            value => Vec::take(value, call)
                .map_err(|_| ArgumentError::Type { wanted: Self::KIND, given })?,
        };
        Personality::new(names).map(Self).map_err(ArgumentError::Value)
    }
}

/// Checks a name for `keep_env`.
fn kept(name: &str, call: &Call<'_, '_>) -> Result<(), VerbError> {
    if let Some((variable, value)) = name.split_once('=') {
        let message = format!("`keep_env` takes names, but {} has a value", quoted(name));
        let pair = format!("{variable:?}, {value:?}");
        let hint = format!("set the value with `.env({pair})`");
        return Err(call.fail(Report::error(message).advise("kept_with_value", hint)));
    }
    if name.contains(['*', '?', '[']) {
        let message = format!("`keep_env` takes names, but {} is a pattern", quoted(name));
        let own = &call.context.runner.host().environment;
        let start = name.split(['*', '?', '[']).next().unwrap_or_default();
        let fitting: Vec<_> = own.keys().filter(|key| key.starts_with(start)).take(3).collect();
        let example = match fitting[..] {
            [] => "[\"TERM\", \"LANG\"]".to_owned(),
            _ => format!("{fitting:?}"),
        };
        let hint = format!("name each variable: `keep_env({example})`");
        return Err(call.fail(Report::error(message).advise("kept_by_pattern", hint)));
    }
    variable(name, "", call).map(drop)
}

/// Parses a limit.
fn bound(resource: Resource, value: &Dynamic, call: &Call<'_, '_>) -> Result<u64, VerbError> {
    if value.is_string() && value.to_string() == "unlimited" {
        return Ok(UNLIMITED);
    }
    if let Ok(number) = value.as_int() {
        return u64::try_from(number).map_err(|_| {
            let message = format!("invalid limit {number}: expected a number from 0 up");
            call.fail(Report::error(message).hint("use `\"unlimited\"` to remove the limit"))
        });
    }
    if resource.unit == Unit::Bytes && value.is_string() {
        return match <Size as Argument>::take(Some(value.clone()), call) {
            Ok(size) => Ok(size.0),
            Err(ArgumentError::Value(error)) => Err(invalid(&error, call)),
            Err(
                ArgumentError::Type { .. }
                | ArgumentError::UnknownOption { .. }
                | ArgumentError::Option { .. }
                | ArgumentError::Shell(_),
            ) => Err(call.fail(Report::error("expected a string or a number as a size"))),
        };
    }
    let (name, given) = (resource.name, a_kind(value));
    let message = format!("the limit `{name}` takes a number or `\"unlimited\"`, not {given}");
    Err(call.fail(Report::error(message)))
}

pub(in crate::script::verbs) fn variables(
    map: &Map,
    call: &Call<'_, '_>,
) -> Result<Vec<(String, String)>, VerbError> {
    map.iter().map(|(name, value)| variable(name, &held(name, value, call)?, call)).collect()
}

/// The text of a variable's value.
fn held(name: &str, value: &Dynamic, call: &Call<'_, '_>) -> Result<String, VerbError> {
    match value.type_name() {
        "string" | "char" | "i64" | "f64" | "bool" => Ok(value.to_string()),
        _ => {
            let (name, given) = (quoted(name), a_kind(value));
            let message = format!("invalid value of the variable {name}: {given}");
            let report = Report::error(message);
            Err(call.fail(report.hint("expected a string, a number or a boolean")))
        }
    }
}

fn range(
    inside: i64,
    outside: i64,
    count: Option<i64>,
    call: &Call<'_, '_>,
) -> Result<IdRange, VerbError> {
    IdRange::new(inside, outside, count.unwrap_or(1)).map_err(|error| invalid(&error, call))
}

/// Sets the user of the program: a user id, a name in `/etc/passwd` of the root, or `"caller"`.
///
/// In the host's tree, the default is `"caller"`: the program has the user and group ids of the
/// caller. In other roots, and if the recipe maps the caller's id to another one, the program is
/// user 0, which is mapped to the caller outside. It is root only over what the sandbox owns.
///
/// # Example
/// ```rhai
/// sandbox("/").user(0).run("id -u");
/// ```
/// # See
/// user_namespaces(7)
fn user(call: &Call<'_, '_>, sandbox: Sandbox, user: Id) -> Sandbox {
    sandbox.with(What::User(user), call.origin())
}

/// Sets the group of the program: a group id, a name in `/etc/group` of the root, or `"caller"`.
///
/// The default is the group of the caller if the user is `"caller"`, and 0 otherwise.
///
/// # Example
/// ```rhai
/// sandbox("/").group(1000).run("id -g");
/// ```
/// # See
/// user_namespaces(7)
fn group(call: &Call<'_, '_>, sandbox: Sandbox, group: Id) -> Sandbox {
    sandbox.with(What::Group(group), call.origin())
}

/// Maps `count` user ids, from `inside` on in the sandbox, to the ids from `outside` on; default 1.
///
/// Any `map_user` replaces the default map. A user can map their own id, and the subordinate ids in
/// `/etc/subuid`, which newuidmap(1) maps.
///
/// # Errors
/// Ranges overlap; an id may not be mapped; the user of the program is not mapped.
///
/// # Example
/// ```rhai
/// let mapped = sandbox("/").map_user(0, 100000, 65536);
/// print(mapped);
/// ```
/// # See
/// user_namespaces(7), subuid(5), newuidmap(1)
fn map_user(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    inside: i64,
    outside: i64,
    count: Option<i64>,
) -> Result<Sandbox, VerbError> {
    let range = range(inside, outside, count, call)?;
    Ok(sandbox.with(What::MapUser(range), call.origin()))
}

/// Maps `count` group ids, as `map_user` does for user ids.
///
/// # Example
/// ```rhai
/// let mapped = sandbox("/").map_group(0, 100000, 65536);
/// print(mapped);
/// ```
/// # See
/// user_namespaces(7), subgid(5), newgidmap(1)
fn map_group(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    inside: i64,
    outside: i64,
    count: Option<i64>,
) -> Result<Sandbox, VerbError> {
    let range = range(inside, outside, count, call)?;
    Ok(sandbox.with(What::MapGroup(range), call.origin()))
}

/// Sets the supplementary groups of the program, by their ids inside. By default, it has none.
///
/// Each group must be mapped, and the kernel allows groups only with more than a map of the
/// caller's own id: see `map_group`. The groups also apply to programs that join the sandbox.
///
/// # Errors
/// A group is not mapped, or the map has only the caller's own id.
///
/// # Example
/// ```rhai
/// let mapped = sandbox("/").map_user(0, 100000, 65536).map_group(0, 100000, 65536);
/// print(mapped.groups([20, 27]));
/// ```
/// # See
/// setgroups(2), user_namespaces(7)
fn groups(call: &Call<'_, '_>, sandbox: Sandbox, groups: Array) -> Result<Sandbox, VerbError> {
    let id = |value: Dynamic| match IdNumber::take(Some(value), call) {
        Ok(id) => Ok(id.0),
        Err(ArgumentError::Value(error)) => Err(invalid(&error, call)),
        Err(error) => Err(call.fail(Report::error(format!("a group of `groups`: {error}")))),
    };
    let groups = groups.into_iter().map(id).collect::<Result<Vec<_>, _>>()?;
    let groups = Groups::new(groups).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(groups, call.origin()))
}

/// Sets an environment variable of the program, `env(name, value)`, or several, `env(#{ … })`.
///
/// By default, the environment contains only `PATH`, as in containers and services:
/// `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`. Programs are looked up there, by
/// nsscript and by other programs.
///
/// # Errors
/// A name is empty or contains `=`; a value is not a string, a number or a boolean.
///
/// # Example
/// ```rhai
/// sandbox("/").env("LANG", "C").env(#{ TERM: "dumb", COLUMNS: 80 }).run("env");
/// ```
/// # See
/// environ(7)
fn env(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    name: Dynamic,
    value: Option<Dynamic>,
) -> Result<Sandbox, VerbError> {
    let name = if name.is_char() { name.to_string().into() } else { name };
    let pairs = if name.is_map() && value.is_none() {
        variables(&name.cast(), call)?
    } else if let (true, Some(value)) = (name.is_string(), &value) {
        let name = name.to_string();
        vec![variable(&name, &held(&name, value, call)?, call)?]
    } else if name.is_string() {
        let report = Report::error("`env` takes a name and a value, or a map of both");
        return Err(
            call.fail(report.hint("keep a variable of nsscript's own with `keep_env([name])`"))
        );
    } else {
        let given = a_kind(&name);
        let message = format!("`env` takes a string or a map as `name`, not {given}");
        return Err(call.fail(Report::error(message)));
    };
    Ok(sandbox.with(What::Env(pairs), call.origin()))
}

/// Passes variables of nsscript's own environment to the program, if they are set.
///
/// Name each variable: a pattern such as `"LC_*"` is an error. `keep_env("all")` passes all of
/// them, including those that hold secrets.
///
/// # Errors
/// A name is not a valid variable name, or is a pattern.
///
/// # Example
/// ```rhai
/// sandbox("/").keep_env(["TERM", "LANG"]).run("env");
/// ```
/// # See
/// environ(7)
fn keep_env(call: &Call<'_, '_>, sandbox: Sandbox, names: Names) -> Result<Sandbox, VerbError> {
    let names = match names {
        Names::Some(names) => names,
        Names::All => {
            let own = call.context.runner.host().environment.keys();
            own.filter(|name| spec::variable(name, "").is_ok()).cloned().collect()
        }
    };
    names.iter().try_for_each(|name| kept(name, call))?;
    Ok(sandbox.with(What::KeepEnv(names), call.origin()))
}

/// Sets the directory in which the program starts; the default is `/`.
///
/// # Example
/// ```rhai
/// sandbox("/").workdir("/usr").run("pwd");
/// ```
/// # See
/// chdir(2)
fn workdir(call: &Call<'_, '_>, sandbox: Sandbox, path: GuestPath) -> Sandbox {
    sandbox.with(Workdir(path), call.origin())
}

/// Sets the permission bits that new files do not get; the default is `0o022`.
///
/// # Example
/// ```rhai
/// sandbox("/").umask(0o077).run("sh -c umask");
/// ```
/// # See
/// umask(2)
fn umask(call: &Call<'_, '_>, sandbox: Sandbox, mask: Mask) -> Sandbox {
    sandbox.with(Umask(mask.0), call.origin())
}

/// Sets the execution domain of the program, by the names of personality(2).
///
/// - `"ADDR_NO_RANDOMIZE"`: the kernel places stack, heap and libraries at the same addresses in
///   each run, for debugging and for lessons. Exploits become easier.
/// - `"ADDR_COMPAT_LAYOUT"`: memory is laid out as before Linux 2.6.9.
/// - `"LINUX32"`: uname(2) names the 32-bit machine, such as `i686`, for builds of 32-bit programs.
///
/// `names` is one name or an array of names. With `[]`, the program has none of them. By default, it has the personality of nsscript itself.
/// The personality also applies to programs that join the sandbox.
///
/// # Errors
/// A name is unknown.
///
/// # Example
/// ```rhai
/// sandbox("/").personality(["ADDR_NO_RANDOMIZE"]).run("cat /proc/self/personality");
/// ```
/// # See
/// personality(2), setarch(8)
fn personality(call: &Call<'_, '_>, sandbox: Sandbox, names: PersonalityNames) -> Sandbox {
    sandbox.with(names.0, call.origin())
}

/// Sets a clock of the sandbox ahead of that of the machine, or behind it.
///
/// `clock` is `"boottime"`, which uptime(1) shows, or `"monotonic"`. `offset` is a number of
/// seconds or a duration such as `"1d"`; with a minus, the clock is behind. The date,
/// `CLOCK_REALTIME`, is that of the machine in any case. The offset also applies to programs that
/// join the sandbox.
///
/// # Errors
/// The clock is unknown. `TIME` is shared. The clock would be negative. A closure cannot run in
/// such a sandbox, because only programs enter its time namespace.
///
/// # Example
/// ```rhai
/// sandbox("/").clock_offset("boottime", "1d").run("cat /proc/uptime");
/// ```
/// # See
/// time_namespaces(7), clock_gettime(2)
fn clock_offset(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    clock: String,
    offset: Dynamic,
) -> Result<Sandbox, VerbError> {
    let (behind, length) = match (offset.as_int(), offset.as_float()) {
        (Ok(number), _) => (number < 0, Dynamic::from(number.saturating_abs())),
        (_, Ok(number)) => (number < 0.0, Dynamic::from(number.abs())),
        _ => {
            let text = offset.to_string();
            match text.strip_prefix('-').filter(|_| offset.is_string()) {
                Some(length) => (true, length.to_owned().into()),
                None => (false, offset),
            }
        }
    };
    let length = <Duration as Argument>::take(Some(length), call);
    let length = length.map_err(|error| match error {
        ArgumentError::Value(error) => invalid(&error, call),
        error @ (ArgumentError::Type { .. }
        | ArgumentError::UnknownOption { .. }
        | ArgumentError::Option { .. }
        | ArgumentError::Shell(_)) => call.fail(Report::error(format!("the offset: {error}"))),
    })?;
    let offset = ClockOffset::new(&clock, behind, length.0);
    Ok(sandbox.with(offset.map_err(|error| invalid(&error, call))?, call.origin()))
}

/// Sets a resource limit for each process in the sandbox.
///
/// `name` is a resource as prlimit(1) names it: `"nofile"` (open files), `"nproc"` (processes of
/// the user), `"cpu"` (seconds), `"fsize"` (bytes of the largest file), `"as"` (bytes of address
/// space), `"stack"`, `"core"`, and the others of getrlimit(2). `value` is a number, a size such as
/// `"64M"`, or `"unlimited"`; it sets the soft and the hard limit. With `#{ soft: 64, hard: 128 }`,
/// programs can raise the limit themselves.
///
/// The limit also applies to programs that join the sandbox, but not to its init.
///
/// # Errors
/// The limit is above the hard limit of nsscript itself. For a program that is root outside,
/// `"nproc"` is only a warning: the kernel exempts root.
///
/// # Example
/// ```rhai
/// sandbox("/").limit("nofile", 64).sh("ulimit -n");
/// ```
/// # See
/// getrlimit(2), prlimit(1)
fn limit(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    name: String,
    value: Dynamic,
) -> Result<Sandbox, VerbError> {
    let resource = Resource::find(&name).map_err(|error| invalid(&error, call))?;
    let (soft, hard) = if let Some(map) = value.read_lock::<Map>() {
        if let Some(key) = map.keys().find(|key| !matches!(key.as_str(), "soft" | "hard")) {
            let report = Report::error(format!("`limit` has no option {}", quoted(key)));
            return Err(call.fail(report.hint("the options are `soft` and `hard`")));
        }
        let given = |key: &str| map.get(key).map(|value| bound(resource, value, call)).transpose();
        let hard = given("hard")?;
        let Some(soft) = given("soft")?.or(hard) else {
            return Err(call.fail(Report::error("`limit` needs `soft`, `hard`, or both")));
        };
        (soft, hard.unwrap_or(soft))
    } else {
        let bound = bound(resource, &value, call)?;
        (bound, bound)
    };
    let limit = Limit::new(resource, soft, hard).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(limit, call.origin()))
}

/// Sets a kernel setting of the sandbox's own namespaces, by its name in sysctl(8).
///
/// Settings below `net` belong to the network namespace. Those below `fs.mqueue`, and of `kernel`
/// those of System V IPC (`msgmax`, `sem`, `shmmax` and so on), belong to the IPC namespace. Other
/// settings are those of the whole machine, and no sandbox can change them.
///
/// `value` is a string or an integer. The namespace must be the sandbox's own: neither shared nor a
/// network that is entered.
///
/// # Errors
/// The setting is unknown, is that of the whole machine, or is that of a namespace of others.
/// # Example
/// ```rhai
/// let router = sandbox("/").sysctl("net.ipv4.ip_forward", 1);
/// router.run("cat /proc/sys/net/ipv4/ip_forward");
/// ```
/// # See
/// sysctl(8), namespaces(7)
fn sysctl(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    name: String,
    value: Dynamic,
) -> Result<Sandbox, VerbError> {
    if !(value.is_int() || value.is_string()) {
        let given = a_kind(&value);
        let message = format!("`sysctl` takes a string or an integer as `value`, not {given}");
        return Err(call.fail(Report::error(message)));
    }
    let sysctl = Sysctl::new(&name, &value.to_string()).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(sysctl, call.origin()))
}

/// Runs the program as process 1 of the sandbox, without the init that reaps orphans.
///
/// The kernel delivers to process 1 only signals that it has handlers for. When it exits, the
/// kernel kills all other processes of the sandbox.
///
/// # Example
/// ```rhai
/// sandbox("/").pid1().run("cat /proc/1/comm");
/// ```
/// # See
/// pid_namespaces(7)
fn pid1(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(What::Pid1, call.origin())
}

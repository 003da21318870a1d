//! Policies for system calls.

use rhai::{Array, Blob, Dynamic, ImmutableString, Map};

use super::invalid;
use crate::diag::{Report, quoted};
use crate::json::SeccompProfile;
use crate::ops::{Sandbox, Seccomp};
use crate::run::Errno;
use crate::script::binding::argument::{Argument, ArgumentError, HostPath, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{
    CallAction, Capabilities, Circumstances, Condition, Policy, Ruled, Wanted, constant,
};

/// The largest profile.
const LARGEST: u64 = 1 << 20;

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["policy.rs";
    fn seccomp = preset,
    fn seccomp_profile,
    fn allow,
    fn deny,
    fn log,
    fn calls,
    fn bpf,
    fn seccomp,
];

/// Names of system calls and of groups.
#[derive(Clone, Debug)]
struct Names(Vec<String>);

impl Argument for Names {
    const KIND: &'static str = "a name or an array of names";

    fn take(value: Option<Dynamic>, _call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let text = |value: &Dynamic| value.read_lock::<ImmutableString>().map(|it| it.to_string());
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        let wrong = |given| ArgumentError::Type { wanted: Self::KIND, given };
        let Some(value) = value else { return Err(wrong(given)) };
        if let Some(array) = value.read_lock::<Array>() {
            let names: Option<Vec<_>> = array.iter().map(text).collect();
            return names.filter(|it| !it.is_empty()).map(Self).ok_or_else(|| wrong(given));
        }
        text(&value).map(|name| Self(vec![name])).ok_or_else(|| wrong(given))
    }
}

/// What an argument of a call has to be.
#[derive(Clone, Debug)]
pub(in crate::script) struct Values(Wanted);

impl Values {
    fn numbers(value: &Dynamic) -> Result<Vec<i64>, ArgumentError> {
        if let Some(array) = value.read_lock::<Array>() {
            let all = array.iter().map(Self::numbers).collect::<Result<Vec<_>, _>>()?;
            return Ok(all.concat());
        }
        if let Ok(number) = value.as_int() {
            return Ok(vec![number]);
        }
        let Some(name) = value.read_lock::<ImmutableString>() else {
            return Err(ArgumentError::Type { wanted: Self::KIND, given: a_kind(value) });
        };
        Ok(vec![constant(&name)?])
    }
}

impl Argument for Values {
    const KIND: &'static str = "numbers or names of constants, or `#{ bits: … }`";

    fn take(value: Option<Dynamic>, _call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        let wrong = ArgumentError::Type { wanted: Self::KIND, given };
        let Some(value) = value else { return Err(wrong) };
        let (make, numbers): (fn(Vec<i64>) -> Wanted, _) = match value.read_lock::<Map>() {
            Some(map) if map.len() == 1 && map.contains_key("bits") => {
                (Wanted::Bits, Self::numbers(&map["bits"])?)
            }
            Some(_) => return Err(wrong),
            None => (Wanted::Any, Self::numbers(&value)?),
        };
        if numbers.is_empty() { Err(wrong) } else { Ok(Self(make(numbers))) }
    }
}

options! {
    /// How to read a profile.
    struct Reading {
        /// the capabilities that the programs can have, which some entries depend on
        capabilities: Capabilities = "[]",
    }

    /// When a rule counts.
    struct Arguments {
        /// what the first argument has to be: one of numbers or names of constants, or, with
        /// `#{ bits: … }`, a number with at least one of the bits
        arg0: Values = "",
        /// the same for the second argument
        arg1: Values = "",
        /// the same for the third argument
        arg2: Values = "",
        /// the same for the fourth argument
        arg3: Values = "",
        /// the same for the fifth argument
        arg4: Values = "",
        /// the same for the sixth argument
        arg5: Values = "",
    }

    /// How a call is denied, and when.
    struct Denial {
        /// the error of the call: `"EPERM"`, `"EACCES"`, `"EAFNOSUPPORT"`, `"EAGAIN"`, `"EBADF"`,
        /// `"EINVAL"`, `"EIO"`, `"ENOENT"`, `"ENOSYS"` or `"EOPNOTSUPP"`
        errno: String = "\"EPERM\"",
        /// kills the process instead, by SIGSYS
        kill: bool = "false",
        /// what the first argument has to be: one of numbers or names of constants, or, with
        /// `#{ bits: … }`, a number with at least one of the bits
        arg0: Values = "",
        /// the same for the second argument
        arg1: Values = "",
        /// the same for the third argument
        arg2: Values = "",
        /// the same for the fourth argument
        arg3: Values = "",
        /// the same for the fifth argument
        arg4: Values = "",
        /// the same for the sixth argument
        arg5: Values = "",
    }
}

fn conditions(arguments: [Option<Values>; 6]) -> Vec<Condition> {
    let condition = |(argument, values): (u8, Option<Values>)| {
        values.map(|Values(wanted)| Condition { argument, wanted })
    };
    (0..).zip(arguments).filter_map(condition).collect()
}

/// Adds a rule.
fn with(
    policy: Policy,
    names: Names,
    conditions: Vec<Condition>,
    action: CallAction,
    call: &Call<'_, '_>,
) -> Result<Policy, VerbError> {
    let made = policy.with(names.0, conditions, action, call.origin());
    made.map_err(|error| invalid(&error, call))
}

/// Creates a policy for system calls, by what it begins with.
///
/// - `"default"`: every call except those that ordinary programs do not need, and through which
///   kernels were attacked: `@clock` but `adjtimex`, `@keyring`, `@module`, `@raw-io`, `@reboot`,
///   `@swap`, `acct`, `bpf`, `io_uring_…`, `kcmp`, `lookup_dcookie`, `nfsservctl`,
///   `open_by_handle_at`, `perf_event_open`, `pidfd_getfd`, `process_madvise`, `process_vm_…`,
///   `ptrace`, `stime`, `userfaultfd`
/// - `"strict"`: the calls of ordinary services (`@system-service`), without those
/// - `"none"`: every call
///
/// A denied call fails with EPERM. A call that nsscript does not know fails with ENOSYS, as on a
/// kernel without it, so the C library does without it; with `"none"`, it is made. What a program
/// asks for through `io_uring_enter`, which only `"none"` allows, no filter sees. On x86-64, a
/// policy holds for 32-bit programs as well, and calls of x32 fail with ENOSYS.
///
/// # Errors
/// The name is unknown.
///
/// # Example
/// ```rhai
/// sandbox("/").seccomp(seccomp("default").deny("@mount")).run("true");
/// ```
/// # See
/// seccomp(2), systemd.exec(5)
fn preset(call: &Call<'_, '_>, name: String) -> Result<Policy, VerbError> {
    Policy::preset(&name).map_err(|error| invalid(&error, call))
}

/// Reads a policy from a seccomp profile of docker, podman or the runtime specification of OCI.
///
/// Entries depend on `capabilities`, on the machine and on the kernel, as in docker. Names of calls
/// that this machine lacks are passed over. Of several entries for a call, the first one without
/// conditions counts, as in libseccomp, else the strictest whose conditions hold. Rules that are added
/// later come before all of them. A call that is newer than all of the profile fails with ENOSYS, as
/// with runc, unless the profile allows what it does not name.
///
/// The actions are `SCMP_ACT_ALLOW`, `_ERRNO`, `_LOG` and `_KILL…`, which always kills the whole
/// process. Conditions have the width that the kernel uses, which can be less than the 64 bits of
/// libseccomp. Calls of x32 fail with ENOSYS. Programs of architectures that the profile does not
/// name are killed.
///
/// # Errors
/// The file cannot be read, or is larger than 1 MiB. It is no profile, or asks for what nsscript does
/// not do: `SCMP_ACT_NOTIFY`, `_TRACE`, `_TRAP`, flags that change something. A condition is about a
/// pointer. An entry that denies names an unknown call.
///
/// # Example
/// ```rhai
/// let place = `${scratch()}/profile.json`;
/// save(place, to_json(#{
///     defaultAction: "SCMP_ACT_ALLOW",
///     syscalls: [#{ names: ["uname"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
/// }));
/// let filtered = sandbox("/").seccomp(seccomp_profile(place));
/// assert(filtered.output("uname", #{ check: false }).code != 0);
/// ```
/// # See
/// seccomp(2), seccomp_rule_add(3), `container`
fn seccomp_profile(
    call: &Call<'_, '_>,
    path: HostPath,
    options: Reading,
) -> Result<Policy, VerbError> {
    let shown = path.0.to_string_lossy();
    let unread = |errno: Errno| {
        let mut report = Report::error(format!("cannot read {}: {errno}", quoted(&shown)));
        report.facts.errno = Some(errno.code());
        report.facts.source = Some(shown.to_string());
        call.fail(report)
    };
    if call.effects().metadata(&path.0).map_err(unread)?.is_none() {
        // A run would have made it.
        return Policy::preset("none").map_err(|error| invalid(&error, call));
    }
    let bytes = call.effects().read_file(&path.0, LARGEST).map_err(unread)?;
    let wrong = |problem: &str| {
        call.fail(Report::error(format!("{} is no seccomp profile: {problem}", quoted(&shown))))
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8"))?;
    let profile = SeccompProfile::read(&text).map_err(|problem| wrong(&problem))?;
    let circumstances = Circumstances {
        capabilities: options.capabilities.unwrap_or_default(),
        kernel: call.context.runner.host().kernel,
    };
    let made = Policy::of_profile(profile, circumstances, call.origin().as_ref());
    made.map_err(|error| invalid(&error, call))
}

/// Allows system calls. Of several rules for a call, the last one counts.
///
/// `names` are names of syscalls(2), or groups of systemd.exec(5) such as `"@mount"`. With
/// conditions, all of which must hold, other arguments are left to earlier rules.
///
/// # Errors
/// A name is unknown. A condition is about a pointer, behind which the kernel's filter cannot see.
///
/// # Example
/// ```rhai
/// print(seccomp("default").deny("socket").allow("socket", #{ arg0: ["AF_UNIX", "AF_INET"] }));
/// ```
/// # See
/// seccomp(2), syscalls(2)
fn allow(
    call: &Call<'_, '_>,
    policy: Policy,
    names: Names,
    options: Arguments,
) -> Result<Policy, VerbError> {
    let Arguments { arg0, arg1, arg2, arg3, arg4, arg5 } = options;
    let conditions = conditions([arg0, arg1, arg2, arg3, arg4, arg5]);
    with(policy, names, conditions, CallAction::Allow, call)
}

/// Denies system calls. Of several rules for a call, the last one counts.
///
/// `names` and conditions are those of `allow`. If the kernel looks at 32 bits of an argument, so
/// does the condition. A condition on `clone` or `unshare` makes `clone3` fail with ENOSYS, and one on
/// `open` or `openat` makes `openat2` and `creat`, unless a later rule allows these: no filter sees
/// their arguments, and programs of the C library then make the call itself. A rule for a call counts
/// for those that 32-bit programs have in its stead (`setuid32`, `mmap2`), but not for others that do
/// the same: deny `clone3` with `clone`, and `openat` with `open`.
///
/// # Errors
/// A name, also that of the error, is unknown. A condition is about a pointer.
///
/// # Example
/// ```rhai
/// print(seccomp("default").deny("@mount").deny("ioctl", #{ arg1: "TIOCSTI", errno: "EIO" }));
/// ```
/// # See
/// seccomp(2), errno(3)
fn deny(
    call: &Call<'_, '_>,
    policy: Policy,
    names: Names,
    options: Denial,
) -> Result<Policy, VerbError> {
    let Denial { errno, kill, arg0, arg1, arg2, arg3, arg4, arg5 } = options;
    let action = match (kill, errno) {
        (Some(true), Some(_)) => {
            let message = "`deny` takes either `errno` or `kill`";
            return Err(call.fail(Report::error(message).hint("remove one of them")));
        }
        (Some(true), None) => CallAction::Kill,
        (_, Some(errno)) => CallAction::deny(&errno).map_err(|error| invalid(&error, call))?,
        (_, None) => CallAction::DENIED,
    };
    with(policy, names, conditions([arg0, arg1, arg2, arg3, arg4, arg5]), action, call)
}

/// Allows system calls, and lets the kernel note each of them in its log.
///
/// The log is that of the audit system, or else of dmesg(1), which root can read.
///
/// # Errors
/// Those of `allow`.
///
/// # Example
/// ```rhai
/// print(seccomp("default").log("ptrace"));
/// ```
/// # See
/// seccomp(2), dmesg(1)
fn log(
    call: &Call<'_, '_>,
    policy: Policy,
    names: Names,
    options: Arguments,
) -> Result<Policy, VerbError> {
    let Arguments { arg0, arg1, arg2, arg3, arg4, arg5 } = options;
    let conditions = conditions([arg0, arg1, arg2, arg3, arg4, arg5]);
    with(policy, names, conditions, CallAction::Log, call)
}

/// Returns what a policy says of each system call, as rows for `table`.
///
/// Each row has `name`, `action` (`"allow"`, `"log"`, `"kill"`, or the error of the call such as
/// `"EPERM"`), `arguments` (whether arguments can decide otherwise), `rule` (the words of the rule, or
/// the name of the preset) and `line` (of the rule, or `()`).
///
/// # Example
/// ```rhai
/// let denied = seccomp("default").calls().filter(|row| row.action == "EPERM");
/// assert(denied.some(|row| row.name == "ptrace"));
/// ```
/// # See
/// syscalls(2)
fn calls(_call: &Call<'_, '_>, policy: Policy) -> Vec<Map> {
    policy.ruled().into_iter().map(row).collect()
}

fn row(ruled: Ruled) -> Map {
    let Ruled { call, action, conditional, by, origin } = ruled;
    let mut row = Map::new();
    row.insert("name".into(), call.into());
    row.insert("action".into(), action.word().into());
    row.insert("arguments".into(), conditional.into());
    row.insert("rule".into(), by.into());
    let line = origin.map_or(Dynamic::UNIT, |origin| origin.to_string().into());
    row.insert("line".into(), line);
    row
}

/// Returns the filter of a policy as the kernel takes it.
///
/// It consists of instructions of classic BPF, eight bytes each, for programs of this machine.
/// `bwrap --seccomp` reads the same bytes.
///
/// # Example
/// ```rhai
/// print(`${seccomp("default").bpf().len() / 8} instructions`);
/// ```
/// # See
/// seccomp(2), bwrap(1)
fn bpf(_call: &Call<'_, '_>, policy: Policy) -> Dynamic {
    let bytes: Blob =
        policy.filter().into_iter().flat_map(crate::spec::Instruction::bytes).collect();
    Dynamic::from_blob(bytes)
}

/// Filters the system calls of the sandbox's programs.
///
/// The filter is set right before a program is executed, so nsscript itself and the init of the
/// sandbox need no call allowed. Programs cannot remove it. Programs that join the sandbox, and
/// closures, have it, too. Of several policies, the last one counts.
///
/// # Errors
/// The policy denies `execve`, so no program could start. It needs more instructions than the kernel
/// takes, 4096.
///
/// # Example
/// ```rhai
/// let filtered = sandbox("/").seccomp(seccomp("default").deny("uname"));
/// assert(filtered.output("uname", #{ check: false }).code != 0);
/// ```
/// # See
/// seccomp(2)
fn seccomp(call: &Call<'_, '_>, sandbox: Sandbox, policy: Policy) -> Result<Sandbox, VerbError> {
    let filter = Seccomp::new(&policy).map_err(|error| invalid(&error, call))?;
    Ok(sandbox.with(filter, call.origin()))
}

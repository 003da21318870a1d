//! Policies from profiles of docker, podman and the runtime specification of OCI.

use std::collections::BTreeSet;

use super::argument::{Condition, Wanted};
use super::calls::{self, Architecture};
use super::{Base, CallAction, EPERM, Policy};
use crate::diag::{Origin, closest, quoted};
use crate::json::{SeccompArgument, SeccompCase, SeccompEntry, SeccompProfile};
use crate::spec::{Capabilities, ValueError};

/// What decides which entries of a profile count.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The capabilities that programs can have.
    pub capabilities: Capabilities,
    /// The version of Linux.
    pub kernel: (u32, u32),
}

/// The actions that need another program's answer, or a program that is prepared for a signal.
const UNSUPPORTED: [&str; 3] = ["SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"];

/// The actions by name. The whole process is killed, never a thread alone.
const ACTIONS: [&str; 6] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
];

/// The flags that change nothing: a filter is set before there are threads, and the kernel's
/// protection against speculation stays.
const FLAGS: [&str; 2] = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"];

/// The most conditions of an entry: a call has six arguments.
const MOST_CONDITIONS: usize = 64;

const COMPARISONS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

impl Architecture {
    /// Its name for libseccomp.
    fn libseccomp(self) -> &'static str {
        match self {
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::I386 => "SCMP_ARCH_X86",
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
        }
    }

    /// Its name for docker.
    fn docker(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::I386 => "x86",
            Self::Aarch64 => "arm64",
        }
    }
}

impl Policy {
    /// The policy of a profile. Names of calls that this machine lacks are passed over.
    ///
    /// # Errors
    /// A word of the profile is unknown, or asks for what nsscript does not do. An entry that denies
    /// names a call that no machine has.
    pub fn of_profile(
        profile: SeccompProfile,
        circumstances: Circumstances,
        origin: Option<&Origin>,
    ) -> Result<Self, ValueError> {
        let otherwise = profile.default_errno_ret.unwrap_or(EPERM);
        let otherwise = action(&profile.default_action, otherwise)?;
        for flag in profile.flags.iter().flatten() {
            if !FLAGS.contains(&flag.as_str()) {
                let error = ValueError::new(format!("the flag {} is not supported", quoted(flag)));
                return Err(error.hint("remove it from `flags`"));
            }
        }
        if profile.listener_path.is_some() || profile.listener_metadata.is_some() {
            let error = ValueError::new("no other program is asked about calls: `listenerPath`");
            return Err(error.hint("remove it from the profile"));
        }
        let own = architectures(&profile);
        let mut policy = Self {
            base: Base::Profile { action: otherwise, newest: Vec::new() },
            rules: Vec::new(),
        };
        let mut all: BTreeSet<&str> = BTreeSet::new();
        let (mut conditional, mut whole) = (Vec::new(), Vec::new());
        for entry in profile.syscalls.unwrap_or_default() {
            let does = action(&entry.action, entry.errno_ret.unwrap_or(EPERM))?;
            let calls = names(&entry, !does.is_made() && otherwise.is_made())?;
            all.extend(&calls);
            // An entry that says what the profile says anyway is none: runc.
            if !counts(&entry, circumstances)? || calls.is_empty() || does == otherwise {
                continue;
            }
            for tests in alternatives(entry.args.unwrap_or_default())? {
                let conditions = tests.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
                let rules = if conditions.is_empty() { &mut whole } else { &mut conditional };
                rules.push((calls.clone(), conditions, does));
            }
        }
        // In libseccomp, the first entry without conditions counts for a call, and before those with
        // conditions. Of these, the strictest counts here. The last rule counts in a policy.
        conditional.sort_by_key(|(_, _, does)| strictness(*does));
        whole.reverse();
        for (calls, conditions, does) in conditional.into_iter().chain(whole) {
            let words = calls.iter().map(|name| (*name).to_owned()).collect();
            policy.add(words, calls, conditions, does, origin.cloned())?;
        }
        let newest = |one: Architecture| {
            let numbers = all.iter().filter_map(|name| one.numbers().get(name));
            (one, numbers.max().copied().unwrap_or_default())
        };
        let newest = own.into_iter().map(newest).collect();
        policy.base = Base::Profile { action: otherwise, newest };
        Ok(policy)
    }
}

/// The architectures of this machine that a profile lets make calls: its own one, and those that are
/// named.
fn architectures(profile: &SeccompProfile) -> Vec<Architecture> {
    let first = Architecture::OWN[0];
    let map = profile.arch_map.iter().flatten();
    let subordinate = map
        .filter(|map| map.architecture == first.libseccomp())
        .flat_map(|map| map.sub_architectures.iter().flatten());
    let named: Vec<&String> = profile.architectures.iter().flatten().chain(subordinate).collect();
    let is_named = |one: &Architecture| named.iter().any(|name| *name == one.libseccomp());
    Architecture::OWN.iter().copied().filter(|one| *one == first || is_named(one)).collect()
}

fn unknown<'a>(
    what: &str,
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> ValueError {
    let error = ValueError::new(format!("unknown {what} {}", quoted(word)));
    if let Some(near) = closest(word, known.clone()) {
        return error.hint(format!("did you mean {}?", quoted(near)));
    }
    let all: Vec<_> = known.into_iter().collect();
    error.hint(format!("expected one of {}", all.join(", ")))
}

fn action(word: &str, errno: u16) -> Result<CallAction, ValueError> {
    Ok(match word {
        "SCMP_ACT_ALLOW" => CallAction::Allow,
        "SCMP_ACT_LOG" => CallAction::Log,
        // The kernel takes a higher number for the highest: seccomp(2).
        "SCMP_ACT_ERRNO" if errno < 4096 => CallAction::Deny(errno),
        "SCMP_ACT_ERRNO" => {
            let error = ValueError::new(format!("{errno} is no error number"));
            return Err(error.hint("`errnoRet` is less than 4096"));
        }
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" => CallAction::Kill,
        _ if UNSUPPORTED.contains(&word) => {
            let error = ValueError::new(format!("the action {} is not supported", quoted(word)));
            return Err(error.hint("use `SCMP_ACT_ERRNO` or `SCMP_ACT_LOG`"));
        }
        _ => return Err(unknown("action", word, ACTIONS)),
    })
}

/// The calls of an entry that this machine has. Nothing that is denied can be a slip of the pen.
fn names(entry: &SeccompEntry, is_strict: bool) -> Result<BTreeSet<&'static str>, ValueError> {
    let mut found = BTreeSet::new();
    for word in entry.names.iter().flatten().chain(&entry.name) {
        match calls::exact(word) {
            Some(name) => _ = found.insert(name),
            None if is_strict && !calls::is_known(word) => {
                let error = ValueError::new(format!("unknown system call {}", quoted(word)));
                return Err(error.hint("an entry that denies must name calls that exist"));
            }
            None => {}
        }
    }
    Ok(found)
}

/// Whether an entry counts.
fn counts(entry: &SeccompEntry, circumstances: Circumstances) -> Result<bool, ValueError> {
    let mut counts = true;
    if let Some(case) = &entry.includes {
        let Holding { capabilities, here, kernel } = Holding::of(case, circumstances)?;
        counts &= capabilities.iter().all(|held| *held) && here.unwrap_or(true);
        counts &= kernel.unwrap_or(true);
    }
    if let Some(case) = &entry.excludes {
        let Holding { capabilities, here, kernel } = Holding::of(case, circumstances)?;
        counts &= !capabilities.contains(&true) && !here.unwrap_or(false);
        counts &= !kernel.unwrap_or(false);
    }
    Ok(counts)
}

/// What holds of a case.
struct Holding {
    capabilities: Vec<bool>,
    here: Option<bool>,
    kernel: Option<bool>,
}

impl Holding {
    fn of(case: &SeccompCase, circumstances: Circumstances) -> Result<Self, ValueError> {
        let is_held = |name: &String| {
            let one = Capabilities::parse([name])?.bits();
            Ok(circumstances.capabilities.bits() & one == one)
        };
        let arches = case.arches.as_deref().filter(|arches| !arches.is_empty());
        let here = Architecture::OWN[0].docker();
        let least = case.min_kernel.as_deref().map(version).transpose()?;
        Ok(Self {
            capabilities: case.caps.iter().flatten().map(is_held).collect::<Result<_, _>>()?,
            here: arches.map(|arches| arches.iter().any(|arch| arch == here)),
            kernel: least.map(|least| circumstances.kernel >= least),
        })
    }
}

/// A version of Linux: `4.8`.
fn version(text: &str) -> Result<(u32, u32), ValueError> {
    let numbers: Option<(u32, u32)> = text
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| {
        let error = ValueError::new(format!("{} is no version of Linux", quoted(text)));
        error.hint("`minKernel` is a text such as `4.8`")
    })
}

/// How much an action keeps from a program.
fn strictness(action: CallAction) -> u8 {
    match action {
        CallAction::Allow => 0,
        CallAction::Log => 1,
        CallAction::Deny(_) => 2,
        CallAction::Kill => 3,
    }
}

/// The conditions of an entry: all must hold, or, if an argument has several, one of them all.
fn alternatives(arguments: Vec<SeccompArgument>) -> Result<Vec<Vec<SeccompArgument>>, ValueError> {
    if arguments.len() > MOST_CONDITIONS {
        let error = ValueError::new(format!("an entry has {} conditions", arguments.len()));
        return Err(error.hint(format!("write at most {MOST_CONDITIONS}")));
    }
    let indices: BTreeSet<u8> = arguments.iter().map(|argument| argument.index).collect();
    if indices.len() == arguments.len() {
        Ok(vec![arguments])
    } else {
        Ok(arguments.into_iter().map(|argument| vec![argument]).collect())
    }
}

fn condition(argument: &SeccompArgument) -> Result<Condition, ValueError> {
    let SeccompArgument { index, value, value_two, ref op } = *argument;
    let wanted = match op.as_str() {
        "SCMP_CMP_EQ" => Wanted::Any(vec![value.cast_signed()]),
        "SCMP_CMP_NE" => Wanted::Not(value),
        "SCMP_CMP_GE" => Wanted::AtLeast(value),
        "SCMP_CMP_LT" => Wanted::Below(value),
        // Nothing is higher than the highest number, and everything else is at most that.
        "SCMP_CMP_GT" => value.checked_add(1).map_or(Wanted::Below(0), Wanted::AtLeast),
        "SCMP_CMP_LE" => value.checked_add(1).map_or(Wanted::AtLeast(0), Wanted::Below),
        "SCMP_CMP_MASKED_EQ" => Wanted::Masked { mask: value, value: value_two },
        _ => return Err(unknown("comparison", op, COMPARISONS)),
    };
    Ok(Condition { argument: index, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::policy::calls::named;

    fn policy(text: &str, capabilities: &[&str]) -> Result<Policy, ValueError> {
        let profile = SeccompProfile::read(text).unwrap();
        let capabilities = Capabilities::parse(capabilities).unwrap();
        Policy::of_profile(profile, Circumstances { capabilities, kernel: (5, 10) }, None)
    }

    fn says(policy: &Policy, call: &'static str) -> String {
        let ruled = policy.ruled_of(call);
        format!("{}{}", ruled.action.word(), if ruled.conditional { "?" } else { "" })
    }

    #[test]
    fn entries_count_by_capability_machine_and_kernel() {
        let text = r#"{
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
            "syscalls": [
                { "names": ["read", "openat2", "no_such_call"], "action": "SCMP_ACT_ALLOW" },
                { "name": "bpf", "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_BPF"] } },
                { "names": ["chroot"], "action": "SCMP_ACT_LOG", "includes": { "minKernel": "5.9" } },
                { "names": ["umask"], "action": "SCMP_ACT_LOG", "includes": { "minKernel": "6.0" } },
                { "names": ["acct"], "action": "SCMP_ACT_KILL", "excludes": { "caps": ["CAP_BPF"] } },
                { "names": ["write"], "action": "SCMP_ACT_ALLOW",
                  "includes": { "arches": ["s390x"] }, "args": null },
                { "names": ["personality"], "action": "SCMP_ACT_ALLOW",
                  "args": [{ "index": 0, "value": 8, "op": "SCMP_CMP_EQ" }] }
            ]
        }"#;
        let calls =
            ["read", "bpf", "chroot", "umask", "acct", "write", "personality", "file_setattr"];
        let without = policy(text, &[]).unwrap();
        assert_eq!(
            calls.map(|call| says(&without, call)),
            ["allow", "EPERM", "log", "EPERM", "kill", "EPERM", "EPERM?", "ENOSYS"]
        );
        let with = policy(text, &["BPF"]).unwrap();
        assert_eq!([says(&with, "bpf"), says(&with, "acct")], ["allow", "EPERM"]);
        assert!(named("file_setattr").is_ok());
        // Without a word about other architectures, programs of these make no calls.
        let all = policy(&text.replacen('{', r#"{ "architectures": ["SCMP_ARCH_X86"],"#, 1), &[]);
        if cfg!(target_arch = "x86_64") {
            assert!(without.filter().len() < all.unwrap().filter().len());
        }
    }

    #[test]
    fn of_several_entries_the_one_of_libseccomp_counts() {
        let of = |default: &str, entries: &[(&str, &str)]| {
            let entry = |(does, arguments): &(&str, &str)| {
                format!(
                    r#"{{ "names": ["unshare"], "action": "SCMP_ACT_{does}", "args": [{arguments}] }}"#
                )
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            let text = format!(
                r#"{{ "defaultAction": "SCMP_ACT_{default}", "syscalls": [{}] }}"#,
                entries.join(", ")
            );
            let policy = policy(&text, &[]).unwrap();
            says(&policy, "unshare")
        };
        let new_user = r#"{ "index": 0, "value": 268435456, "op": "SCMP_CMP_EQ" }"#;
        assert_eq!(of("ALLOW", &[("ERRNO", ""), ("ALLOW", "")]), "EPERM");
        assert_eq!(of("ALLOW", &[("ERRNO", ""), ("LOG", new_user)]), "EPERM");
        assert_eq!(of("ALLOW", &[("LOG", new_user), ("ERRNO", "")]), "EPERM");
        assert_eq!(of("ALLOW", &[("KILL_PROCESS", ""), ("LOG", "")]), "kill");
        assert_eq!(of("ERRNO", &[("KILL_PROCESS", ""), ("ALLOW", "")]), "kill");
        assert_eq!(of("ERRNO", &[("ALLOW", ""), ("KILL_PROCESS", "")]), "allow");
        assert_eq!(of("ERRNO", &[("KILL", new_user), ("ALLOW", new_user)]), "EPERM?");
    }

    #[test]
    fn many_entries_with_conditions_make_a_filter_that_grows_with_them() {
        let entry = r#"{ "names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [
            { "index": 0, "value": 1, "op": "SCMP_CMP_EQ" },
            { "index": 1, "value": 2, "op": "SCMP_CMP_EQ" }
        ] }"#;
        let length = |number: usize| {
            let entries = vec![entry; number].join(", ");
            let text =
                format!(r#"{{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{entries}] }}"#);
            policy(&text, &[]).unwrap().filter().len()
        };
        let (ten, twenty) = (length(10), length(20));
        assert!(twenty < 2 * ten, "{ten} {twenty}");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let fails = |text: &str| {
            let error = policy(text, &[]).unwrap_err();
            format!("{error}; {}", error.help().unwrap_or_default())
        };
        let allow = |entry: &str| {
            fails(&format!(r#"{{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{entry}] }}"#))
        };
        assert_eq!(
            fails(r#"{ "defaultAction": "SCMP_ACT_ALOW" }"#),
            "unknown action `SCMP_ACT_ALOW`; did you mean `SCMP_ACT_ALLOW`?"
        );
        assert_eq!(
            allow(r#"{ "names": ["uname"], "action": "SCMP_ACT_NOTIFY" }"#),
            "the action `SCMP_ACT_NOTIFY` is not supported; use `SCMP_ACT_ERRNO` or `SCMP_ACT_LOG`"
        );
        assert_eq!(
            allow(r#"{ "names": ["unmae"], "action": "SCMP_ACT_ERRNO" }"#),
            "unknown system call `unmae`; an entry that denies must name calls that exist"
        );
        let tested = r#"{ "names": ["openat"], "action": "SCMP_ACT_ERRNO",
            "args": [{ "index": 1, "value": 8, "op": "SCMP_CMP_EQ" }] }"#;
        assert!(allow(tested).starts_with("`arg1` of `openat` cannot be tested"));
        assert!(
            allow(&tested.replace(": 1,", ": 0,").replace("_EQ", "_QE")).contains("comparison")
        );
        assert!(SeccompProfile::read(r#"{ "defaultAction": "x", "sycalls": [] }"#).is_err());
    }
}

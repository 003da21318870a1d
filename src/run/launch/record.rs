//! The record of a running sandbox: what another nsscript process needs to list and to join it.
#![warn(clippy::wildcard_enum_match_arm)]

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::ops::{
    Backing, Connect, DieWithParent, DropCapabilities, Execute, FilterUserNamespaces, Groups, Join,
    Limit, LimitCapabilities, LowerDir, Maps, Mounted, Name, NewKeyring, NewSession,
    NoNewPrivileges, Op, Personality, RootKind, Seccomp, SetIds, Umask, View, Workdir,
};
use crate::plan::{Plan, Planned, Side};
use crate::spec::{
    Capabilities, Command, GuestPath, IdMap, MountAttributes, MountOptions, Namespaces, Resource,
    Streams, variable,
};

/// The version of the form. Another nsscript of another version lists nothing that it cannot read.
const VERSION: u64 = 1;

/// A running sandbox, as its nsscript process describes it.
///
/// What protects programs is not in it: whoever joins has no capabilities but those that the sandbox
/// keeps, gains no privileges, and enters the namespaces, the root and the control groups that the
/// kernel reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(in crate::run) struct Record {
    /// The name from the recipe.
    pub name: Option<String>,
    /// The number of its process 1, as the nsscript process sees it.
    pub pid: i32,
    /// Whether process 1 is the init of nsscript.
    pub has_init: bool,
    /// The first program and its arguments.
    pub command: Vec<String>,
    /// The user and group inside.
    pub user: (u32, u32),
    /// The root in words.
    pub root: String,
    /// The network in words.
    pub network: String,
    /// Whether programs set these ids; otherwise they have those of nsscript.
    pub sets_ids: bool,
    /// Their supplementary groups, if they set their ids.
    pub groups: Vec<u32>,
    /// The capabilities that programs keep, by name.
    pub kept: Vec<String>,
    /// Whether programs begin in the working directory of nsscript.
    pub stays: bool,
    /// Whether each program starts a session.
    pub session: bool,
    /// Whether the sandbox has terminals of its own.
    pub terminals: bool,
    /// The file mode creation mask.
    pub umask: Option<u32>,
    /// The execution domain.
    pub personality: Option<Vec<String>>,
    /// The working directory.
    pub workdir: Option<String>,
    /// Resource limits: number, soft and hard limit.
    pub limits: Vec<(u32, u64, u64)>,
    /// The policy for system calls in words, and its filter in hexadecimal digits.
    pub seccomp: Option<(String, String)>,
    /// Whether the number of user namespaces below that of the sandbox is limited to 0.
    pub limits_user_namespaces: bool,
    /// Whether a filter of system calls forbids them.
    pub filters_user_namespaces: bool,
    /// The directories in which programs are looked up.
    pub search: Vec<String>,
    /// The environment.
    pub environment: Vec<(String, String)>,
}

impl Record {
    /// The record of a sandbox that runs with this plan; `None` if it is no sandbox, or runs a
    /// closure.
    pub fn of(plan: &Plan, pid: i32) -> Option<Self> {
        let mut record = Self {
            pid,
            command: plan.command.words().to_vec(),
            user: (plan.maps.uid, plan.maps.gid),
            root: "host".into(),
            network: "host".into(),
            terminals: plan.has_terminals(),
            stays: true,
            environment: plan.environment.clone(),
            ..Self::default()
        };
        let (mut drops, mut executes) = (false, false);
        for planned in &plan.actions {
            match &planned.action {
                Op::Name(name) => record.name = Some(name.as_str().to_owned()),
                Op::MakeRoot(root) => record.root = shown(&root.0),
                Op::EnterNetwork(network) => record.network.clone_from(&network.0.label),
                Op::ConnectOutside(_) => record.network = "outbound".into(),
                Op::LoopbackUp(_) => record.network = "none".into(),
                Op::StartInit(_) => record.has_init = true,
                Op::PivotRoot(_) | Op::Chroot(_) => record.stays = false,
                Op::SetIds(_) => record.sets_ids = true,
                // Programs from another terminal have a session there.
                Op::NewSession(_) | Op::KeepSession(_) => record.session = true,
                Op::Umask(umask) => record.umask = Some(umask.0),
                Op::Personality(one) => {
                    record.personality = Some(one.names().iter().map(ToString::to_string).collect());
                }
                Op::Workdir(directory) => {
                    record.workdir = Some(directory.0.to_string());
                    record.stays = false;
                }
                Op::Seccomp(one) => {
                    let digits = one.filter().flatten().map(|byte| format!("{byte:02x}"));
                    record.seccomp = Some((one.policy().to_owned(), digits.collect()));
                }
                Op::LimitUserNamespaces(_) => record.limits_user_namespaces = true,
                Op::FilterUserNamespaces(_) => record.filters_user_namespaces = true,
                Op::Limit(limit) => {
                    record.limits.push((limit.resource.number, limit.soft, limit.hard));
                }
                Op::Execute(execute) => {
                    record.search.clone_from(&execute.search);
                    executes = true;
                }
                Op::Groups(groups) => record.groups = groups.ids().to_vec(),
                Op::DropCapabilities(_) => drops = true,
                Op::LimitCapabilities(limit) => {
                    record.kept = limit.kept.names().iter().map(ToString::to_string).collect();
                    drops = true;
                }
                // Every program that joins does these.
                Op::NewKeyring(_)
                | Op::NoNewPrivileges(_)
                | Op::DieWithParent(_)
                | Op::Connect(_)
                // Its keeper shows the record.
                | Op::OutliveParent(_)
                // The kernel knows their results.
                | Op::Start(_)
                | Op::Join(_)
                | Op::MapOwnIds(_)
                | Op::BecomeMapped(_)
                | Op::PrepareMaps(_)
                | Op::MapMount(_)
                | Op::MakePrivate(_)
                | Op::CoverRoot(_)
                | Op::Extend(_)
                | Op::Bound(_)
                | Op::Mounted(_)
                | Op::Protect(_)
                | Op::KeepName(_)
                | Op::Mask(_)
                | Op::Directory(_)
                | Op::File(_)
                | Op::FileOver(_)
                | Op::Symlink(_)
                | Op::ProtectRoot(_)
                | Op::Hostname(_)
                | Op::Domainname(_)
                | Op::Sysctl(_)
                | Op::BuildLayer(_)
                | Op::KeepChanges(_)
                | Op::MakeOnHost(_)
                | Op::AttachImage(_)
                | Op::Imaged(_)
                | Op::Overlaid(_)
                | Op::KeepSlave(_)
                | Op::BindSlave(_)
                | Op::SetPropagation(_)
                | Op::ClockOffset(_)
                | Op::OpenPorts(_)
                | Op::EnterSandbox(_)
                // The first program alone has them.
                | Op::PassFd(_)
                // These are in no sandbox that executes a program.
                | Op::Closure(_)
                | Op::RawAction(_) => {}
            }
        }
        (drops && executes).then_some(record)
    }

    /// The record as JSON.
    pub fn to_json(&self) -> String {
        let Self { name, pid, has_init, command, user, root, network, sets_ids, stays, .. } = self;
        let Self { groups, kept, session, terminals, umask, personality, workdir, limits, .. } =
            self;
        let Self { seccomp, limits_user_namespaces, filters_user_namespaces, .. } = self;
        let Self { search, environment, .. } = self;
        json!({
            "version": VERSION, "name": name, "pid": pid, "has_init": has_init,
            "command": command, "user": [user.0, user.1], "root": root, "network": network,
            "sets_ids": sets_ids, "groups": groups, "kept": kept, "stays": stays, "session": session, "terminals": terminals,
            "umask": umask, "personality": personality, "workdir": workdir, "limits": limits,
            "seccomp": seccomp, "limits_user_namespaces": limits_user_namespaces,
            "filters_user_namespaces": filters_user_namespaces, "search": search, "environment": environment,
        })
        .to_string()
    }

    /// Reads a record; `None` if a field is missing, unknown or invalid.
    pub fn read(text: &[u8]) -> Option<Self> {
        let Value::Object(mut fields) = serde_json::from_slice(text).ok()? else { return None };
        if fields.remove("version")?.as_u64()? != VERSION {
            return None;
        }
        let mut field = |name: &str| fields.remove(name);
        let record = Self {
            name: optional(&field("name")?, |it| {
                Some(Name::new(it.as_str()?).ok()?.as_str().into())
            })?,
            pid: i32::try_from(field("pid")?.as_i64()?).ok().filter(|pid| *pid > 1)?,
            has_init: field("has_init")?.as_bool()?,
            command: words(&field("command")?)?,
            user: match numbers(&field("user")?)?.as_slice() {
                [uid, gid] => (u32::try_from(*uid).ok()?, u32::try_from(*gid).ok()?),
                _ => return None,
            },
            root: field("root")?.as_str()?.to_owned(),
            network: field("network")?.as_str()?.to_owned(),
            sets_ids: field("sets_ids")?.as_bool()?,
            groups: {
                let groups = numbers(&field("groups")?)?.into_iter();
                groups.map(|group| u32::try_from(group).ok()).collect::<Option<_>>()?
            },
            kept: {
                let names = words(&field("kept")?)?;
                (names.is_empty() || Capabilities::parse(&names).is_ok()).then_some(names)?
            },
            stays: field("stays")?.as_bool()?,
            session: field("session")?.as_bool()?,
            terminals: field("terminals")?.as_bool()?,
            umask: optional(&field("umask")?, |it| {
                u32::try_from(it.as_u64()?).ok().filter(|mask| *mask <= 0o777)
            })?,
            personality: optional(&field("personality")?, |it| {
                let names = words(it)?;
                Personality::new(&names).is_ok().then_some(names)
            })?,
            workdir: optional(&field("workdir")?, |it| {
                Some(GuestPath::new(it.as_str()?).ok()?.to_string())
            })?,
            limits: field("limits")?.as_array()?.iter().map(limit).collect::<Option<_>>()?,
            seccomp: optional(&field("seccomp")?, |it| match words(it)?.as_slice() {
                [policy, digits] => filter(digits).map(|_| (policy.clone(), digits.clone())),
                _ => None,
            })?,
            limits_user_namespaces: field("limits_user_namespaces")?.as_bool()?,
            filters_user_namespaces: field("filters_user_namespaces")?.as_bool()?,
            search: words(&field("search")?)?,
            environment: {
                let pairs = field("environment")?;
                let pairs = pairs.as_array()?.iter().map(|pair| match words(pair)?.as_slice() {
                    [name, value] => variable(name, value).ok(),
                    _ => None,
                });
                pairs.collect::<Option<_>>()?
            },
        };
        Command::new(record.command.clone()).ok()?;
        Map::is_empty(&fields).then_some(record)
    }

    /// The plan of the sandbox, as far as programs that join it need it. They enter `apart`. Its
    /// files are seen at `root`, if they are to be looked up. A privileged program keeps all
    /// capabilities, and has no filter of system calls but the one against user namespaces.
    pub fn plan(&self, apart: Namespaces, root: Option<PathBuf>, privileged: bool) -> Option<Plan> {
        let (uid, gid) = self.user;
        let command = Command::new(self.command.clone()).ok()?;
        let mut ops: Vec<Op> = vec![Join(apart).into()];
        if self.terminals {
            // Only the new process of the sandbox mounts it; joining programs see that it is there.
            ops.push(terminals()?.into());
        }
        let kept = match self.kept.as_slice() {
            _ if privileged => Capabilities::ALL,
            [] => Capabilities::NONE,
            names => Capabilities::parse(names).ok()?,
        };
        let bounded = self.sets_ids;
        if bounded {
            ops.push(Groups::new(self.groups.clone()).ok()?.into());
            ops.push(SetIds { uid, gid, kept }.into());
        }
        ops.push(NewKeyring.into());
        ops.push(if kept.is_empty() {
            DropCapabilities { bounded }.into()
        } else {
            LimitCapabilities { kept, ambient: uid != 0, bounded }.into()
        });
        ops.push(NoNewPrivileges.into());
        ops.push(DieWithParent { keeper: false }.into());
        ops.push(Connect(Streams::Inherited).into());
        ops.extend(self.umask.map(|mask| Umask(mask).into()));
        if let Some(names) = &self.personality {
            ops.push(Personality::new(names).ok()?.into());
        }
        if let Some(directory) = &self.workdir {
            ops.push(Workdir(GuestPath::new(directory).ok()?).into());
        }
        // With all capabilities, the limit could be raised.
        if self.filters_user_namespaces || privileged && self.limits_user_namespaces {
            ops.push(FilterUserNamespaces.into());
        }
        ops.extend(self.session.then(|| NewSession { closure: false }.into()));
        for (number, soft, hard) in self.limits.iter().copied() {
            let resource = Resource::ALL.into_iter().find(|it| it.number == number)?;
            ops.push(Limit::new(resource, soft, hard).ok()?.into());
        }
        if let Some((policy, digits)) = self.seccomp.as_ref().filter(|_| !privileged) {
            ops.push(Seccomp::of_running(policy.clone(), &filter(digits)?).into());
        }
        let (search, environment) = (self.search.clone(), self.environment.clone());
        ops.push(Execute { command: command.clone(), search, environment }.into());
        let planned = |action: Op| Planned { action, side: Side::Child, origin: None };
        let mut view = View::default();
        let backing = root.map(|path| Backing::Host { path, read_only: false });
        view.cover(&GuestPath::root(), backing.unwrap_or(Backing::Private), None);
        Some(Plan {
            actions: ops.into_iter().map(planned).collect(),
            warnings: Vec::new(),
            namespaces: apart,
            maps: Maps { users: IdMap::default(), groups: IdMap::default(), uid, gid, own: false },
            view,
            command,
            environment: self.environment.clone(),
        })
    }
}

/// A filter from its hexadecimal digits; `None` if they are no whole instructions.
fn filter(digits: &str) -> Option<Vec<[u8; 8]>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Vec<u8> = digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?;
    let (whole, rest) = bytes.as_chunks::<8>();
    (rest.is_empty() && !whole.is_empty()).then(|| whole.to_vec())
}

/// The root in a word: a path of the host, `rootfs`, or `empty`.
fn shown(root: &RootKind) -> String {
    match root {
        RootKind::Memory | RootKind::Overlay { lower: LowerDir::Empty, .. } => "empty".into(),
        RootKind::Copy | RootKind::Overlay { lower: LowerDir::Built, .. } => "rootfs".into(),
        RootKind::Plain(path)
        | RootKind::View { path, .. }
        | RootKind::Overlay { lower: LowerDir::Directory(path), .. } => {
            path.to_string_lossy().into_owned()
        }
    }
}

/// The devpts of a sandbox that has terminals.
fn terminals() -> Option<Mounted> {
    Some(Mounted {
        kind: "devpts".into(),
        source: "devpts".into(),
        target: GuestPath::new("/dev/pts").ok()?,
        options: MountOptions::default(),
        usual: MountAttributes::default(),
        create: false,
        instead: None,
    })
}

/// A value that may be null; `None` if it is invalid.
#[expect(clippy::option_option, reason = "invalid, absent, present")]
fn optional<T>(value: &Value, read: impl FnOnce(&Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() { Some(None) } else { read(value).map(Some) }
}

fn words(value: &Value) -> Option<Vec<String>> {
    let word = |word: &Value| word.as_str().filter(|it| !it.contains('\0')).map(str::to_owned);
    value.as_array()?.iter().map(word).collect()
}

fn numbers(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}

fn limit(value: &Value) -> Option<(u32, u64, u64)> {
    let [number, soft, hard] = numbers(value)?.try_into().ok()?;
    let number = u32::try_from(number).ok()?;
    let known = Resource::ALL.iter().any(|it| it.number == number);
    (known && soft <= hard).then_some((number, soft, hard))
}

#[cfg(test)]
mod tests {
    use super::Record;

    fn record() -> Record {
        Record {
            name: Some("web".into()),
            pid: 77,
            has_init: true,
            command: vec!["sh".into(), "-c".into(), "\n\u{e9}".into()],
            user: (0, u32::MAX - 1),
            root: "/".into(),
            network: "none".into(),
            groups: vec![7],
            kept: vec!["CAP_KILL".into()],
            umask: Some(0o22),
            personality: Some(vec!["LINUX32".into()]),
            workdir: Some("/srv".into()),
            limits: vec![(7, 64, u64::MAX)],
            seccomp: Some(("`none`".into(), "0600000000000fff".into())),
            search: vec!["/bin".into(), String::new()],
            environment: vec![("A".into(), "=\n".into())],
            ..Record::default()
        }
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let none = Record { name: None, umask: None, personality: None, workdir: None, ..record() };
        for record in [record(), none] {
            assert_eq!(Record::read(record.to_json().as_bytes()), Some(record));
        }
    }

    #[test]
    fn a_record_with_anything_else_is_not_read() {
        let text = record().to_json();
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"stays\":false,", ""),
            ("\"stays\":false", "\"stays\":0"),
            ("\"stays\":false", "\"stays\":false,\"more\":1"),
            ("\"pid\":77", "\"pid\":-1"),
            ("\"pid\":77", "\"pid\":1"),
            ("\"web\"", "\"../web\""),
            ("\"web\"", "\"7\""),
            ("[7,64,", "[99,64,"),
            ("LINUX32", "READ_IMPLIES_EXEC"),
            ("\"/srv\"", "\"srv\""),
            ("\"umask\":18", "\"umask\":512"),
            ("\"0600", "\"060"),
            ("\"CAP_KILL\"", "\"CAP_NONE\""),
            ("\"groups\":[7]", "\"groups\":[-7]"),
            ("[\"A\",\"=\\n\"]", "[\"A=\",\"\"]"),
            ("\"sh\",", "\"\","),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(Record::read(changed.as_bytes()), None, "{to}");
        }
        assert_eq!(Record::read(&text.as_bytes()[1..]), None);
    }
}

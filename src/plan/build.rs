//! Plans of sandboxes.

use std::path::Path;
use std::rc::Rc;

use super::action::{Planned, Side};
use super::names;
use super::settings::Settings;
use super::shadow;
use crate::diag::{Origin, Report, quoted};
use crate::host::{DEFAULT_PATH, Host};
use crate::ops::{
    Ask, Backing, BecomeMapped, BuildLayer, Chroot, Closure, Connect, ConnectOutside,
    DieWithParent, DropCapabilities, EnterNetwork, EnterSandbox, Execute, KeepChanges, Layer,
    Leaves, LimitCapabilities, LoopbackUp, LowerDir, MakePrivate, MakeRoot, MapOwnIds, Maps,
    NewKeyring, NewSession, NoNewPrivileges, Op, OpenPorts, PivotRoot, Planning, PrepareMaps,
    Presence, ProtectRoot, RootKind, RootOf, RootTree, SetIds, Start, StartInit, StartMaps, Umask,
    View, What, device, file_id, own_groups, presence,
};
use crate::spec::{Command, GuestPath, IdMap, Kind, Namespaces, NetworkChoice, Root, Streams};

/// A request to run a program.
#[derive(Clone, Debug)]
pub struct Request {
    /// The program and its arguments.
    pub command: Command,
    /// The connections of its standard streams.
    pub streams: Streams,
    /// The place that asked for it.
    pub origin: Option<Origin>,
}

/// All actions that run a program in a sandbox, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The actions.
    pub actions: Vec<Planned>,
    /// Warnings about probable mistakes.
    pub warnings: Vec<Report>,
    /// The new namespaces.
    pub namespaces: Namespaces,
    /// The ids.
    pub maps: Maps,
    /// The paths on the host of paths inside.
    pub view: View,
    /// The command.
    pub command: Command,
    /// The environment of the program, or of the closure.
    pub environment: Vec<(String, String)>,
}

impl Plan {
    /// The kinds of namespaces that the sandbox does not share with nsscript: the new ones, and a
    /// network that is entered.
    #[must_use]
    pub fn apart(&self) -> Namespaces {
        let apart = |planned: &Planned| planned.action.facts().apart;
        self.actions.iter().map(apart).fold(Namespaces::NONE, |all, kinds| all | kinds)
    }

    /// Whether it is a single action of the raw layer.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self.actions.as_slice(), [Planned { action: Op::RawAction(_), .. }])
    }

    /// Whether the sandbox has terminals of its own, at the usual place and not hidden.
    #[must_use]
    pub fn has_terminals(&self) -> bool {
        let covers = |target: &GuestPath| {
            ["/", "/dev", "/dev/pts", "/dev/pts/ptmx"].contains(&target.as_str())
        };
        self.actions.iter().fold(false, |has, planned| {
            let leaves = planned.action.facts().leaves;
            let makes = matches!(leaves, Leaves::FileSystem { kind: "devpts", target, .. }
                if target.as_str() == "/dev/pts");
            makes || has && !leaves.covers().is_some_and(covers)
        })
    }

    /// Whether programs stay in the session of nsscript, at its terminal.
    #[must_use]
    pub fn keeps_session(&self) -> bool {
        self.actions.iter().any(|planned| matches!(planned.action, Op::KeepSession(_)))
    }

    /// Whether the sandbox goes on when nsscript ends.
    #[must_use]
    pub fn outlives_parent(&self) -> bool {
        self.actions.iter().any(|planned| matches!(planned.action, Op::OutliveParent(_)))
    }

    /// The plan of a program that is waited for, which cannot outlive nsscript.
    #[must_use]
    pub fn waited_for(mut self) -> Self {
        self.actions.retain(|planned| !matches!(planned.action, Op::OutliveParent(_)));
        for planned in &mut self.actions {
            if let Op::DieWithParent(die) = &mut planned.action {
                die.keeper = false;
            }
        }
        self
    }

    /// The index of the action that starts the new process.
    #[must_use]
    pub fn start(&self) -> Option<usize> {
        self.actions.iter().position(|planned| matches!(planned.action, Op::Start(_) | Op::Join(_)))
    }

    /// The plan of one action of nsscript on its own process.
    #[must_use]
    pub fn of_one(planned: Planned) -> Self {
        let maps =
            Maps { users: IdMap::default(), groups: IdMap::default(), uid: 0, gid: 0, own: false };
        let mut view = View::default();
        let here = Backing::Host { path: "/".into(), read_only: false };
        view.cover(&GuestPath::root(), here, None);
        Self {
            actions: vec![planned],
            warnings: Vec::new(),
            namespaces: Namespaces::NONE,
            maps,
            view,
            command: Command::closure(),
            environment: Vec::new(),
        }
    }
}

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub settings: &'a Settings,
    pub host: &'a Host,
    pub tree: Option<Rc<RootTree>>,
    pub maps: Maps,
    pub request: &'a Request,
    /// The warnings about its ids.
    pub warnings: Vec<Report>,
}

impl Draft<'_> {
    /// Completes the plan; adds errors to `reports`.
    pub fn finish(self, reports: &mut Vec<Report>) -> Plan {
        let new = self.settings.namespaces;
        let planning = self.planning(reports);
        let (done, view) = (planning.actions, planning.view);
        let mut warnings = self.warnings.clone();
        warnings.extend(self.settings.warnings.iter().cloned());
        warnings.extend(shadow::shadowed(&done, self.settings.root.origin.as_ref()));
        warnings.extend(planning.warnings);
        if new.has(Kind::Mount)
            && let Some(asked) = &self.settings.writable_root
        {
            let message = "programs can change the host's files, because the root is writable";
            let hint = "remove `writable_root()`, and bind the directories that programs write to";
            let report = Report::warning(message).at(asked.origin.clone());
            warnings.push(report.advise("host_writable", hint));
        }
        warnings.extend(self.settings.names_of_root.as_ref().map(|asked| {
            let message = "`/etc/resolv.conf` is not replaced, because the root is read-only";
            let report = Report::warning(message).at(asked.origin.clone());
            let hint = "replace it with `.bind(file, \"/etc/resolv.conf\")`";
            report.advise("names_stay", hint)
        }));
        warnings.extend(self.tree.iter().flat_map(|tree| tree.warnings().cloned()));
        let mut all = Gathered(Vec::new());
        let (root, asked) = (self.root_kind(&view, reports), self.settings.root.origin.as_ref());
        self.layers(&mut all);
        if let Some(keep) = &self.settings.keep_changes {
            all.add(KeepChanges(keep.value.clone()), keep.origin.as_ref());
        }
        if let Some(network) = &self.settings.network {
            match &network.value {
                NetworkChoice::Joined(joined) => {
                    all.add(EnterNetwork(joined.clone()), network.origin.as_ref());
                }
                NetworkChoice::Outbound(outbound) => {
                    all.add(ConnectOutside(outbound.clone()), network.origin.as_ref());
                }
                NetworkChoice::None | NetworkChoice::Host => {}
            }
        }
        if let Some(pod) = &self.settings.pod {
            all.add(EnterSandbox(pod.value.clone()), pod.origin.as_ref());
        }
        if new.has(Kind::User) {
            let limits = |(op, _): &(Op, Option<Origin>)| matches!(op, Op::LimitUserNamespaces(_));
            self.map(&mut all, done.iter().any(limits));
        } else if self.enters_user() && !self.maps.own {
            self.become_mapped(&mut all);
        }
        let maps = match &self.maps {
            _ if !new.has(Kind::User) => StartMaps::None,
            maps if maps.own => StartMaps::Own { uid: maps.uid, gid: maps.gid },
            maps => StartMaps::Prepared { root: maps.users.outside(0).is_some() },
        };
        all.add(Start { namespaces: new, maps }, None);
        if new.has(Kind::Net) {
            all.add(LoopbackUp, None);
            let own = || own_groups(self.host);
            all.add(OpenPorts::to(&self.maps.groups, own, self.maps.gid), None);
        }
        if new.has(Kind::Mount) {
            all.add(MakePrivate, None);
            let viewed = matches!(root, RootKind::View { .. });
            all.add(MakeRoot(root), asked);
            let in_memory = |(op, _): &(Op, Option<Origin>)| matches!(op, Op::Extend(one) if one.target.is_root());
            let extended = viewed && done.iter().any(in_memory);
            if extended || self.settings.read_only_root.is_some() && !viewed {
                all.add(ProtectRoot, asked);
            }
        } else if let Root::Directory(path) = &self.settings.root.value {
            all.add(MakeRoot(RootKind::Plain(path.clone())), asked);
        }
        all.0.extend(done);
        self.enter(&mut all);
        self.execute(&mut all);
        Plan {
            actions: all.in_turn(),
            warnings,
            namespaces: new,
            maps: self.maps,
            view,
            command: self.request.command.clone(),
            environment: self.settings.environment.clone(),
        }
    }

    /// The steps that become operations by themselves.
    fn planning(&self, reports: &mut Vec<Report>) -> Planning<'_> {
        let mut view = View::default();
        let backing = match &self.settings.root.value {
            Root::Directory(path) if self.is_viewed() => {
                let read_only = self.settings.writable_root.is_none();
                Backing::Host { path: path.clone(), read_only }
            }
            Root::Directory(path) => Backing::Layered(path.clone()),
            _ => Backing::Private,
        };
        view.cover(&GuestPath::root(), backing, self.settings.root.origin.clone());
        let namespaces = self.settings.namespaces;
        let mut planning = Planning {
            host: self.host,
            namespaces,
            shared: self.settings.shared.clone(),
            network_of_host: self.settings.network_of_host,
            entered: self.settings.network.as_ref().and_then(|it| it.origin.clone()),
            protect_proc: !namespaces.has(Kind::User) || self.maps.maps_root(),
            maps: &self.maps,
            kept: self.settings.kept_capabilities().0,
            chroot: self.settings.chroot.as_ref().map(|chroot| chroot.origin.clone()),
            views_host: self.is_viewed(),
            root_origin: self.settings.root.origin.clone(),
            root: RootOf {
                host: self.host,
                root: &self.settings.root.value,
                tree: self.tree.as_deref(),
                changed: self.settings.keep_changes.is_some(),
            },
            own_names: names::own(self.settings, self.host),
            view,
            pinned: None,
            extensions: Vec::new(),
            added: Vec::new(),
            actions: Vec::new(),
            reports: Vec::new(),
            warnings: Vec::new(),
        };
        for (owner, origin) in self.tree.iter().flat_map(|tree| tree.owners()) {
            planning.owner(owner, origin);
        }
        if self.settings.host_view {
            let origin = self.settings.root.origin.as_ref();
            if let Err(error) = planning.host_view(&self.settings.inside, origin) {
                planning.reports.push(Report::error(error.to_string()).at(origin.cloned()));
            }
            if self.settings.network.is_none() && !namespaces.has(Kind::Net) {
                planning.keep_resolver(origin);
            }
        }
        for (path, origin) in self.tree.iter().flat_map(|tree| tree.devices()) {
            let place = path.to_str().and_then(|path| GuestPath::new(path).ok());
            match (place, file_id(self.host, path)) {
                (Some(place), Ok(Some(id))) => {
                    planning.push(device(path.into(), id, place), origin);
                }
                (_, Err(report)) => planning.reports.push(report.at(origin.cloned())),
                // It existed when the tree was assembled, which a later launch uses again.
                (_, Ok(None)) | (None, Ok(Some(_))) => {
                    let message =
                        format!("device {} not found on this host", quoted(path.to_string_lossy()));
                    planning.reports.push(Report::error(message).at(origin.cloned()));
                }
            }
        }
        if namespaces.has(Kind::Mount) {
            for step in &self.settings.inside {
                planning.add(step);
            }
        }
        for step in &self.settings.others {
            planning.add(step);
        }
        planning.place_extensions();
        planning.warn_of_renames();
        planning.warn_of_pins();
        reports.append(&mut planning.reports);
        planning
    }

    /// Whether a directory is used directly as the root, rather than as the lower layer of an
    /// overlay. The host's tree always is, because an overlay does not show the mounts in it; a
    /// read-only directory is if every mount point already exists.
    fn is_viewed(&self) -> bool {
        let Root::Directory(path) = &self.settings.root.value else { return false };
        if self.settings.root.value.is_host() {
            return true;
        }
        self.settings.read_only_root.is_some()
            && self.settings.inside.iter().all(|step| {
                // They are covered, and missing ones are added in memory.
                if matches!(step.what, What::Ask(Ask::NameFiles(_))) {
                    return true;
                }
                let Some(target) = step.what.target() else { return false };
                let below = target.below(&GuestPath::root()).unwrap_or(target.as_str().as_ref());
                presence(&self.host.tree, path, below) != Presence::Nothing
            })
    }

    fn root_kind(&self, view: &View, reports: &mut Vec<Report>) -> RootKind {
        let root = GuestPath::root();
        let changes = self.settings.keep_changes.as_ref().map(|keep| keep.value.clone());
        let lower = match &self.settings.root.value {
            Root::Empty if changes.is_none() => return RootKind::Memory,
            Root::Empty => LowerDir::Empty,
            Root::Rootfs(_) => LowerDir::Built,
            Root::Directory(path) => match view.first(&root) {
                Some(Backing::Host { read_only, .. }) => {
                    return self.view(path, *read_only, reports);
                }
                _ => LowerDir::Directory(path.clone()),
            },
        };
        RootKind::Overlay { lower, changes }
    }

    fn view(&self, path: &Path, read_only: bool, reports: &mut Vec<Report>) -> RootKind {
        let id = file_id(self.host, path).unwrap_or_else(|report| {
            reports.push(report.at(self.settings.root.origin.clone()));
            None
        });
        RootKind::View { path: path.into(), id, read_only }
    }

    /// Prepares the layers of the root, the lowest first.
    fn layers(&self, all: &mut Gathered) {
        let Some(tree) = &self.tree else { return };
        for number in 0..tree.layers.len() {
            let origin = match &tree.layers[number] {
                Layer::Kept(kept) => kept.origin.as_ref(),
                Layer::Assembled(_) => self.settings.root.origin.as_ref(),
            };
            all.add(BuildLayer { tree: tree.clone(), number }, origin);
        }
    }

    /// The maps of a new user namespace.
    fn map(&self, all: &mut Gathered, limited: bool) {
        let maps = &self.maps;
        if maps.own {
            all.add(MapOwnIds(maps.clone()), None);
            return;
        }
        let settings = self.settings;
        let ranges = settings.users.iter().chain(&settings.groups).map(|asked| &asked.origin);
        let whole = settings.all_users.iter().chain(&settings.all_groups).map(|all| &all.origin);
        let asked = ranges.chain(whole).next().and_then(Option::as_ref);
        all.add(PrepareMaps { maps: maps.clone(), limited }, asked);
        self.become_mapped(all);
    }

    /// Whether the user namespace of a running sandbox is entered.
    fn enters_user(&self) -> bool {
        self.settings.pod.as_ref().is_some_and(|pod| pod.value.enters.has(Kind::User))
    }

    fn become_mapped(&self, all: &mut Gathered) {
        let maps = &self.maps;
        let known = |map: &IdMap, id| if map.outside(0).is_some() { 0 } else { id };
        let (uid, gid) = (known(&maps.users, maps.uid), known(&maps.groups, maps.gid));
        all.add(BecomeMapped { uid, gid }, None);
    }

    /// The operations after the root is set up.
    fn enter(&self, all: &mut Gathered) {
        let settings = self.settings;
        match &settings.chroot {
            Some(chroot) => all.add(Chroot, chroot.origin.as_ref()),
            None if settings.namespaces.has(Kind::Mount) => all.add(PivotRoot, None),
            None => {}
        }
        let user_is_new = settings.namespaces.has(Kind::User) || self.enters_user();
        let Maps { uid, gid, own, .. } = self.maps;
        // With a map of only the own id, the process is that user already, like root of a namespace
        // that a user created; neither may drop groups.
        let is_root = || {
            let same = (uid, gid) == (self.host.uid, self.host.gid);
            self.host.is_root() && !(same && self.host.denies_groups())
        };
        let bounded = (user_is_new && !own) || (!user_is_new && is_root());
        let (kept, keeps) = settings.kept_capabilities();
        if bounded {
            let origin = settings.user.as_ref().and_then(|user| user.origin.as_ref());
            all.add(SetIds { uid, gid, kept }, origin);
        }
        all.add(NewKeyring, None);
        if kept.is_empty() {
            all.add(DropCapabilities { bounded }, None);
        } else {
            all.add(LimitCapabilities { kept, ambient: uid != 0, bounded }, keeps);
        }
        all.add(NoNewPrivileges, None);
        let outlives = all.0.iter().any(|(op, _)| matches!(op, Op::OutliveParent(_)));
        let keeper = outlives && !self.request.command.is_closure();
        all.add(DieWithParent { keeper }, None);
    }

    fn execute(&self, all: &mut Gathered) {
        let settings = self.settings;
        let closure = self.request.command.is_closure();
        let keeps_session = all.0.iter().any(|(op, _)| matches!(op, Op::KeepSession(_)));
        // In the session of nsscript, a program is at its terminal itself.
        let streams = match &self.request.streams {
            Streams::Terminal if keeps_session => Streams::Inherited,
            streams => streams.clone(),
        };
        all.add(Connect(streams), None);
        if !keeps_session {
            all.add(NewSession { closure }, None);
        }
        if !all.0.iter().any(|(op, _)| matches!(op, Op::Umask(_))) {
            all.add(Umask(0o022), None);
        }
        if closure {
            // No verb of a closure uses a descriptor by its number, and it is waited for.
            all.0.retain(|(op, _)| !matches!(op, Op::PassFd(_) | Op::OutliveParent(_)));
            all.add(Closure, self.request.origin.as_ref());
            return;
        }
        if settings.namespaces.has(Kind::Pid) && !settings.pid1 {
            all.add(StartInit, None);
        }
        let mut environment = settings.environment.clone();
        if self.request.streams == Streams::Terminal {
            environment.extend(terminal_kind(&environment, self.host));
        }
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or(DEFAULT_PATH, |(_, path)| path.as_str());
        let search = path.split(':').map(str::to_owned).collect();
        let command = self.request.command.clone();
        all.add(Execute { command, search, environment }, self.request.origin.as_ref());
    }
}

/// The operations of a plan, with the lines that asked for them.
struct Gathered(Vec<(Op, Option<Origin>)>);

impl Gathered {
    fn add(&mut self, op: impl Into<Op>, origin: Option<&Origin>) {
        self.0.push((op.into(), origin.cloned()));
    }

    /// All of them, in order of execution.
    fn in_turn(mut self) -> Vec<Planned> {
        self.0.sort_by_key(|(op, _)| op.facts().turn);
        let init = self.0.iter().any(|(op, _)| matches!(op, Op::StartInit(_)));
        let planned = |(action, origin): (Op, Option<Origin>)| {
            let side = Side::of(action.facts().turn, init);
            Planned { action, side, origin }
        };
        self.0.into_iter().map(planned).collect()
    }
}

/// The type of nsscript's terminal, which is used for the program's terminal: programs do not know
/// other types. `None` if the sandbox sets another.
#[must_use]
pub fn terminal_kind(environment: &[(String, String)], host: &Host) -> Option<(String, String)> {
    if environment.iter().any(|(name, _)| name == "TERM") {
        return None;
    }
    Some(("TERM".to_owned(), host.environment.get("TERM")?.clone()))
}

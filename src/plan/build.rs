//! Putting a plan together.

use std::path::Path;
use std::rc::Rc;

use super::action::{Action, Lower, Planned, RootKind, Side};
use super::devices::{device, terminal_kind};
use super::identity::Maps;
use super::mounts::{Inside, file_id};
use super::place::RootOf;
use super::settings::Settings;
use super::shadow;
use super::tree::{Layer, RootTree};
use super::view::{Backing, Presence, View, presence};
use crate::diag::{Origin, Report};
use crate::host::{DEFAULT_PATH, Host};
use crate::spec::{Command, GuestPath, IdMap, Kind, Namespaces, NetworkChoice, Root, Streams};

/// What shall be run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The program and its arguments.
    pub command: Command,
    /// What its standard streams are connected to.
    pub streams: Streams,
    /// Where this was asked for.
    pub origin: Option<Origin>,
}

/// All that will be done to run a program in a sandbox, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The actions.
    pub actions: Vec<Planned>,
    /// What is likely not meant.
    pub warnings: Vec<Report>,
    /// The namespaces that are new.
    pub namespaces: Namespaces,
    /// The ids.
    pub maps: Maps,
    /// What paths inside are on the host.
    pub view: View,
    /// What is executed.
    pub command: Command,
    /// The environment of the program, or of the closure.
    pub environment: Vec<(String, String)>,
}

impl Plan {
    /// The kinds of namespaces in which the sandbox is in another one than nsscript: those that are
    /// new, and a network that is entered.
    #[must_use]
    pub fn apart(&self) -> Namespaces {
        let apart = |planned: &Planned| match &planned.action {
            Action::EnterNetwork(_) | Action::ConnectOutside(_) => Kind::Net.into(),
            Action::Join(namespaces) => *namespaces,
            _ => Namespaces::NONE,
        };
        self.actions.iter().map(apart).fold(self.namespaces, |all, kinds| all | kinds)
    }

    /// Whether it is of one action of the raw layer.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self.actions.as_slice(), [Planned { action: Action::Raw(_), .. }])
    }

    /// Whether the sandbox has terminals of its own, at the usual place: nothing lies over them.
    #[must_use]
    pub fn has_terminals(&self) -> bool {
        let covers = |target: &GuestPath| {
            ["/", "/dev", "/dev/pts", "/dev/pts/ptmx"].contains(&target.as_str())
        };
        self.actions.iter().fold(false, |has, planned| match &planned.action {
            Action::Mount { kind, target, .. } if kind == "devpts" => {
                has && !covers(target) || target.as_str() == "/dev/pts"
            }
            Action::Mount { target, .. } | Action::Bind { target, .. } | Action::Mask(target) => {
                has && !covers(target)
            }
            _ => has,
        })
    }

    /// The index of the action that starts the new process.
    #[must_use]
    pub fn start(&self) -> Option<usize> {
        self.actions.iter().position(|planned| planned.action.starts())
    }

    /// The plan of one action that nsscript does to its own process.
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
}

impl Draft<'_> {
    /// The plan; what cannot be is added to `reports`.
    pub fn finish(self, reports: &mut Vec<Report>) -> Plan {
        let new = self.settings.namespaces;
        let inside = self.inside(reports);
        let (done, view) = (inside.actions, inside.view);
        let mut warnings = shadow::shadowed(&done);
        warnings.extend(self.settings.names_of_root.as_ref().map(|asked| {
            let message = "`/etc/resolv.conf` stays as it is in the root, which is read-only";
            let report = Report::warning(message).at(asked.origin.clone());
            let hint = "`.bind(file, \"/etc/resolv.conf\")` gives the sandbox another one";
            report.advise("names_stay", hint)
        }));
        warnings.extend(self.tree.iter().flat_map(|tree| tree.warnings().cloned()));
        let mut actions = Actions(Vec::new());
        let (root, asked) = (self.root_kind(&view, reports), self.settings.root.origin.as_ref());
        self.layers(&mut actions);
        if let Some(keep) = &self.settings.keep_changes {
            let action = Action::KeepChanges(keep.value.clone());
            actions.add(Side::Parent, action, keep.origin.as_ref());
        }
        if let Some(network) = &self.settings.network {
            let action = match &network.value {
                NetworkChoice::Joined(joined) => Some(Action::EnterNetwork(joined.clone())),
                NetworkChoice::Outbound(outbound) => Some(Action::ConnectOutside(outbound.clone())),
                NetworkChoice::None | NetworkChoice::Host => None,
            };
            if let Some(action) = action {
                actions.add(Side::Parent, action, network.origin.as_ref());
            }
        }
        if new.has(Kind::User) && !self.maps.own {
            let origin = self.settings.users.iter().chain(&self.settings.groups).next();
            let origin = origin.and_then(|asked| asked.origin.clone());
            actions.add(Side::Parent, Action::PrepareMaps(self.maps.clone()), origin.as_ref());
        }
        actions.add(Side::Parent, Action::Start(new), None);
        if new.has(Kind::User) && self.maps.own {
            actions.add(Side::Child, Action::MapOwnIds(self.maps.clone()), None);
        }
        if new.has(Kind::User) && !self.maps.own {
            let known = |map: &IdMap, id| if map.outside(0).is_some() { 0 } else { id };
            let uid = known(&self.maps.users, self.maps.uid);
            let gid = known(&self.maps.groups, self.maps.gid);
            actions.add(Side::Child, Action::BecomeMapped { uid, gid }, None);
        }
        if new.has(Kind::Net) {
            actions.add(Side::Child, Action::LoopbackUp, None);
        }
        if new.has(Kind::Mount) {
            actions.add(Side::Child, Action::MakePrivate, None);
            let viewed = matches!(root, RootKind::View { .. });
            actions.add(Side::Child, Action::MakeRoot(root), asked);
            for (action, origin) in done {
                actions.add(Side::Child, action, origin.as_ref());
            }
            if self.settings.read_only_root.is_some() && !viewed {
                actions.add(Side::Child, Action::ProtectRoot, asked);
            }
        } else if let Root::Directory(path) = &self.settings.root.value {
            let root = RootKind::Plain(path.clone());
            actions.add(Side::Child, Action::MakeRoot(root), asked);
        }
        self.enter(&mut actions);
        self.execute(&mut actions);
        Plan {
            actions: actions.0,
            warnings,
            namespaces: new,
            maps: self.maps,
            view,
            command: self.request.command.clone(),
            environment: self.settings.environment.clone(),
        }
    }

    /// Everything that is done in the root.
    fn inside(&self, reports: &mut Vec<Report>) -> Inside<'_> {
        let mut view = View::default();
        let backing = match &self.settings.root.value {
            Root::Directory(path) if self.is_viewed() => {
                Backing::Host { path: path.clone(), read_only: true }
            }
            Root::Directory(path) => Backing::Layered(path.clone()),
            _ => Backing::Private,
        };
        view.cover(&GuestPath::root(), backing, self.settings.root.origin.clone());
        let namespaces = self.settings.namespaces;
        let mut inside = Inside {
            host: self.host,
            namespaces,
            shared: self.settings.shared.clone(),
            entered: self.settings.network.as_ref().and_then(|it| it.origin.clone()),
            protect_proc: !namespaces.has(Kind::User) || self.maps.maps_root(),
            maps: &self.maps,
            root: RootOf {
                host: self.host,
                root: &self.settings.root.value,
                tree: self.tree.as_deref(),
                changed: self.settings.keep_changes.is_some(),
            },
            view,
            actions: Vec::new(),
            reports: Vec::new(),
        };
        for (owner, origin) in self.tree.iter().flat_map(|tree| tree.owners()) {
            inside.owner(owner, origin);
        }
        if self.settings.host_view {
            inside.host_view(self.settings.root.origin.as_ref());
        }
        for (path, origin) in self.tree.iter().flat_map(|tree| tree.devices()) {
            let place = path.to_str().and_then(|path| GuestPath::new(path).ok());
            match (place, file_id(self.host, path)) {
                (Some(place), Ok(Some(id))) => {
                    inside.actions.push((device(path.into(), id, place), origin.cloned()));
                }
                (_, Err(report)) => inside.reports.push(report.at(origin.cloned())),
                _ => {}
            }
        }
        if namespaces.has(Kind::Mount) {
            for step in &self.settings.inside {
                inside.add(step);
            }
        }
        reports.append(&mut inside.reports);
        inside
    }

    /// Whether a directory is the root by itself, read-only, and not as the lower of an overlay:
    /// where every place that something is mounted on is there already.
    fn is_viewed(&self) -> bool {
        let Root::Directory(path) = &self.settings.root.value else { return false };
        if self.settings.read_only_root.is_none() {
            return false;
        }
        // The host's root holds mounts, which an overlay does not show.
        path.parent().is_none()
            || self.settings.inside.iter().all(|step| {
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
            Root::Empty => Lower::Empty,
            Root::Rootfs(_) => Lower::Built,
            Root::Directory(path) => match view.first(&root) {
                Some(Backing::Host { .. }) => return self.view(path, reports),
                _ => Lower::Directory(path.clone()),
            },
        };
        RootKind::Overlay { lower, changes }
    }

    fn view(&self, path: &Path, reports: &mut Vec<Report>) -> RootKind {
        let id = file_id(self.host, path).unwrap_or_else(|report| {
            reports.push(report.at(self.settings.root.origin.clone()));
            None
        });
        RootKind::View { path: path.into(), id }
    }

    /// The layers of the root are made ready, the lowest first.
    fn layers(&self, actions: &mut Actions) {
        let Some(tree) = &self.tree else { return };
        for number in 0..tree.layers.len() {
            let origin = match &tree.layers[number] {
                Layer::Kept(kept) => kept.origin.as_ref(),
                Layer::Assembled(_) => self.settings.root.origin.as_ref(),
            };
            actions.add(Side::Parent, Action::BuildLayer(tree.clone(), number), origin);
        }
    }

    /// What comes after the root is made.
    fn enter(&self, actions: &mut Actions) {
        let settings = self.settings;
        match &settings.chroot {
            Some(chroot) => actions.add(Side::Child, Action::Chroot, chroot.origin.as_ref()),
            None if settings.namespaces.has(Kind::Mount) => {
                actions.add(Side::Child, Action::PivotRoot, None);
            }
            None => {}
        }
        if let Some(name) = &settings.hostname {
            let action = Action::SetHostname(name.value.clone());
            actions.add(Side::Child, action, name.origin.as_ref());
        }
        if let Some(name) = &settings.domainname {
            let action = Action::SetDomainname(name.value.clone());
            actions.add(Side::Child, action, name.origin.as_ref());
        }
        let user_is_new = settings.namespaces.has(Kind::User);
        let Maps { uid, gid, own, .. } = self.maps;
        // With a map of one's own id alone one is that user already, and so is root of a namespace
        // that a user has made; neither may leave groups.
        let is_root = || {
            let same = (uid, gid) == (self.host.uid, self.host.gid);
            self.host.is_root() && !(same && self.host.denies_groups())
        };
        if (user_is_new && !own) || (!user_is_new && is_root()) {
            let origin = settings.user.as_ref().and_then(|user| user.origin.clone());
            actions.add(Side::Child, Action::SetIds { uid, gid }, origin.as_ref());
        }
        // Once it is the user that it stays, who then owns the keyring.
        actions.add(Side::Child, Action::NewKeyring, None);
        actions.add(Side::Child, Action::DropCapabilities, None);
        actions.add(Side::Child, Action::NoNewPrivileges, None);
        actions.add(Side::Child, Action::DieWithParent, None);
    }

    fn execute(&self, actions: &mut Actions) {
        let settings = self.settings;
        actions.add(Side::Child, Action::Connect(self.request.streams), None);
        if self.request.command.is_closure() {
            actions.add(Side::Child, Action::NewSession, None);
        }
        let umask = settings.umask.as_ref();
        let mode = umask.map_or(0o022, |umask| umask.value);
        let origin = umask.and_then(|umask| umask.origin.clone());
        actions.add(Side::Child, Action::SetUmask(mode), origin.as_ref());
        if let Some(path) = &settings.workdir {
            let action = Action::Enter(path.value.clone());
            actions.add(Side::Child, action, path.origin.as_ref());
        }
        if self.request.command.is_closure() {
            actions.add(Side::Child, Action::Closure, self.request.origin.as_ref());
            return;
        }
        let side = if settings.namespaces.has(Kind::Pid) && !settings.pid1 {
            actions.add(Side::Child, Action::StartInit, None);
            Side::Program
        } else {
            Side::Child
        };
        actions.add(side, Action::NewSession, None);
        let mut environment = settings.environment.clone();
        if self.request.streams == Streams::Terminal {
            environment.extend(terminal_kind(&environment, self.host));
        }
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or(DEFAULT_PATH, |(_, path)| path.as_str());
        let search = path.split(':').map(str::to_owned).collect();
        let command = self.request.command.clone();
        let action = Action::Execute { command, search, environment };
        actions.add(side, action, self.request.origin.as_ref());
    }
}

struct Actions(Vec<Planned>);

impl Actions {
    fn add(&mut self, side: Side, action: Action, origin: Option<&Origin>) {
        self.0.push(Planned { action, side, origin: origin.cloned() });
    }
}

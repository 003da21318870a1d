//! The settings of a sandbox: the sum of its steps.

use std::path::PathBuf;
use std::sync::Arc;

use super::names;
use crate::diag::{Origin, Report};
use crate::host::{DEFAULT_PATH, Host};
use crate::ops::{Ask, Changes, File, Pod, Sandbox, Step, What};
use crate::spec::{
    AllIds, Capabilities, FileOptions, GuestPath, Id, IdRange, Ingredient, Kind, Namespaces,
    NetworkChoice, Root,
};

/// A value and the place that asked for it.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    /// The value.
    pub value: T,
    /// The place.
    pub origin: Option<Origin>,
}

/// The steps of a sandbox by subject: of repeated settings, the last one counts; operations in the
/// root keep their order.
#[derive(Clone, Debug)]
pub struct Settings {
    pub namespaces: Namespaces,
    /// The last step that shared a namespace.
    pub shared: Option<Origin>,
    /// Whether `network("host")` shared the network.
    pub network_of_host: bool,
    pub root: Asked<Root>,
    /// Whether the root is a view of the host's system.
    pub host_view: bool,
    pub read_only_root: Option<Asked<()>>,
    /// The host's tree is the root as it is.
    pub writable_root: Option<Asked<()>>,
    pub keep_changes: Option<Asked<PathBuf>>,
    pub chroot: Option<Asked<()>>,
    /// The operations in the root, in order.
    pub inside: Vec<Arc<Step>>,
    /// The other steps that become operations by themselves.
    pub others: Vec<Arc<Step>>,
    /// The running sandbox whose namespaces are shared.
    pub pod: Option<Asked<Pod>>,
    pub network: Option<Asked<NetworkChoice>>,
    /// The files for host name look-ups stay those of the root, because it is read-only.
    pub names_of_root: Option<Asked<()>>,
    pub user: Option<Asked<Id>>,
    pub group: Option<Asked<Id>>,
    pub users: Vec<Asked<IdRange>>,
    pub groups: Vec<Asked<IdRange>>,
    pub all_users: Option<Asked<AllIds>>,
    pub all_groups: Option<Asked<AllIds>>,
    pub environment: Vec<(String, String)>,
    pub pid1: bool,
    /// Warnings about steps that replace others.
    pub warnings: Vec<Report>,
}

impl Settings {
    /// The sum of the steps of `sandbox`.
    pub fn of(sandbox: &Sandbox, host: &Host) -> Self {
        let mut settings = Self {
            namespaces: Namespaces::ALL,
            shared: None,
            network_of_host: false,
            root: Asked { value: Root::Empty, origin: None },
            host_view: false,
            read_only_root: None,
            writable_root: None,
            keep_changes: None,
            chroot: None,
            inside: Vec::new(),
            others: Vec::new(),
            pod: None,
            network: None,
            names_of_root: None,
            user: None,
            group: None,
            users: Vec::new(),
            groups: Vec::new(),
            all_users: None,
            all_groups: None,
            environment: Vec::new(),
            pid1: false,
            warnings: Vec::new(),
        };
        for step in sandbox.steps() {
            settings.add(step, host);
        }
        if settings.environment.iter().all(|(name, _)| name != "PATH") {
            settings.set_variable("PATH", DEFAULT_PATH);
        }
        settings.view_host();
        settings.name_servers(host);
        settings
    }

    fn add(&mut self, step: &Arc<Step>, host: &Host) {
        let origin = step.origin.as_ref();
        match &step.what {
            What::Unshare(namespaces) => {
                self.namespaces = self.namespaces | *namespaces;
                self.network = self.network.take().filter(|_| !namespaces.has(Kind::Net));
            }
            What::Share(namespaces) => {
                self.namespaces = self.namespaces - *namespaces;
                self.shared = origin.cloned();
                self.network_of_host &= !namespaces.has(Kind::Net);
                self.network = self.network.take().filter(|_| !namespaces.has(Kind::Net));
            }
            What::Root(root) => self.root = asked(root.clone(), origin),
            What::ReadOnlyRoot => {
                self.read_only_root = Some(asked((), origin));
                self.writable_root = None;
            }
            What::WritableRoot => {
                self.writable_root = Some(asked((), origin));
                self.read_only_root = None;
            }
            What::KeepChanges(path) => self.keep_changes = Some(asked(path.clone(), origin)),
            What::Chroot => self.chroot = Some(asked((), origin)),
            What::Join(pod) => {
                let user = Namespaces::from(Kind::User);
                self.namespaces = self.namespaces - pod.kinds - user;
                self.network = self.network.take().filter(|_| !pod.kinds.has(Kind::Net));
                self.network_of_host &= !pod.kinds.has(Kind::Net);
                self.shared = origin.cloned();
                self.pod = Some(asked(pod.clone(), origin));
            }
            What::Network(choice) => self.choose_network(choice, origin),
            What::User(id) => self.user = Some(asked(id.clone(), origin)),
            What::Group(id) => self.group = Some(asked(id.clone(), origin)),
            What::MapUser(range) => self.users.push(asked(*range, origin)),
            What::MapGroup(range) => self.groups.push(asked(*range, origin)),
            What::MapUsers(all) => self.all_users = Some(asked(*all, origin)),
            What::MapGroups(all) => self.all_groups = Some(asked(*all, origin)),
            What::Env(pairs) => {
                for (name, value) in pairs {
                    self.set_variable(name, value);
                }
            }
            What::KeepEnv(names) => {
                for name in names {
                    if let Some(value) = host.environment.get(name) {
                        self.set_variable(name, value);
                    }
                }
            }
            What::Pid1 => self.pid1 = true,
            What::Ask(ask) => match ask.changes() {
                Changes::Root => self.inside.push(step.clone()),
                Changes::Uts | Changes::Program => {
                    self.warn_of_policy(ask, origin);
                    // The later of repeated settings counts.
                    let is_other = |other: &Arc<Step>| match &other.what {
                        What::Ask(other) => other.key() != ask.key() || ask.key().is_none(),
                        _ => true,
                    };
                    self.others.retain(is_other);
                    self.others.push(step.clone());
                }
            },
        }
    }

    /// Warns about a second policy: it replaces the first, and does not add to it.
    fn warn_of_policy(&mut self, ask: &Ask, origin: Option<&Origin>) {
        let Ask::Seccomp(policy) = ask else { return };
        let earlier = self.others.iter().find_map(|step| match &step.what {
            What::Ask(Ask::Seccomp(earlier)) => Some((earlier, step.origin.as_ref())),
            _ => None,
        });
        if let Some((earlier, by)) = earlier
            && earlier != policy
        {
            let message = "this policy replaces an earlier one, whose rules no longer apply";
            let report = Report::warning(message).at(origin.cloned());
            let report = report.related(by, "the earlier policy");
            let hint = "leave out one of them, or write the rules of both in one policy";
            self.warnings.push(report.advise("policy_replaced", hint));
        }
    }

    /// Makes the host's tree a view of its system, unless the recipe asks for the tree as it is.
    fn view_host(&mut self) {
        self.host_view = self.root.value.is_host() && self.writable_root.is_none();
        if self.host_view && self.read_only_root.is_none() {
            self.read_only_root = Some(asked((), self.root.origin.as_ref()));
        }
    }

    /// The capabilities that programs keep, and the line that says so.
    pub fn kept_capabilities(&self) -> (Capabilities, Option<&Origin>) {
        let kept = self.others.iter().find_map(|step| match &step.what {
            What::Ask(Ask::KeepCapabilities(kept)) => Some((kept.0, step.origin.as_ref())),
            _ => None,
        });
        kept.unwrap_or((Capabilities::NONE, None))
    }

    /// Whether the recipe asks for the files with the sandbox's own name.
    pub fn has_own_names(&self) -> bool {
        self.inside.iter().any(|step| matches!(step.what, What::Ask(Ask::NameFiles(_))))
    }

    /// The host name that the sandbox sets.
    pub fn hostname(&self) -> Option<&str> {
        self.others.iter().find_map(|step| match &step.what {
            What::Ask(Ask::Hostname(name)) => Some(name.0.as_str()),
            _ => None,
        })
    }

    /// Adds the files for host name look-ups, unless the recipe has its own.
    fn name_servers(&mut self, host: &Host) {
        let Some(network) = &self.network else { return };
        let files = match &network.value {
            NetworkChoice::Joined(joined) => names::of_network(joined),
            NetworkChoice::Outbound(_) => names::of_host(host, self.has_own_names()),
            NetworkChoice::None | NetworkChoice::Host => Vec::new(),
        };
        let origin = network.origin.clone();
        for (path, text) in files {
            let Ok(path) = GuestPath::new(path) else { continue };
            if self.inside.iter().any(|step| step.what.target() == Some(&path)) {
                continue;
            }
            let (bytes, options) = (text.into_bytes(), FileOptions::default());
            match &self.root.value {
                // In the root itself, it replaces a link, which may dangle.
                Root::Rootfs(rootfs) if rootfs.has_file(&path) => {}
                Root::Rootfs(rootfs) => {
                    let file = Ingredient::File(path, bytes, options);
                    self.root.value = Root::Rootfs(rootfs.with(file, origin.clone()));
                }
                _ if self.read_only_root.is_some() => {
                    self.names_of_root = Some(asked((), origin.as_ref()));
                }
                _ => {
                    let what = File { path, content: bytes.into(), options }.into();
                    self.inside.push(Arc::new(Step { what, origin: origin.clone() }));
                }
            }
        }
    }

    fn choose_network(&mut self, choice: &NetworkChoice, origin: Option<&Origin>) {
        let net = Namespaces::from(Kind::Net);
        self.network = None;
        self.network_of_host = matches!(choice, NetworkChoice::Host);
        match choice {
            NetworkChoice::None => self.namespaces = self.namespaces | net,
            NetworkChoice::Host => {
                self.namespaces = self.namespaces - net;
                self.shared = origin.cloned();
            }
            NetworkChoice::Joined(_) | NetworkChoice::Outbound(_) => {
                self.namespaces = self.namespaces - net;
                self.network = Some(asked(choice.clone(), origin));
            }
        }
    }

    fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.into(), value.into()));
    }
}

fn asked<T>(value: T, origin: Option<&Origin>) -> Asked<T> {
    Asked { value, origin: origin.cloned() }
}

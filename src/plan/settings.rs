//! What the steps of a sandbox add up to.

use std::path::PathBuf;
use std::rc::Rc;

use super::names;
use crate::diag::Origin;
use crate::host::Host;
use crate::spec::{
    FileOptions, GuestPath, Id, IdRange, Ingredient, Kind, Namespaces, NetworkChoice, Root,
    Sandbox, Step, What,
};

/// A value and the place that asked for it.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    /// What was asked for.
    pub value: T,
    /// Where.
    pub origin: Option<Origin>,
}

/// The steps of a sandbox by subject: where one thing was said twice the later word holds; what is
/// done in the root keeps its order.
#[derive(Clone, Debug)]
pub struct Settings {
    pub namespaces: Namespaces,
    /// The last step that shared a namespace.
    pub shared: Option<Origin>,
    pub root: Asked<Root>,
    pub host_view: bool,
    pub read_only_root: Option<Asked<()>>,
    pub keep_changes: Option<Asked<PathBuf>>,
    pub chroot: Option<Asked<()>>,
    /// Everything that is done in the root, in order.
    pub inside: Vec<Rc<Step>>,
    pub network: Option<Asked<NetworkChoice>>,
    /// The files that name machines are those of a root that cannot be written to.
    pub names_of_root: Option<Asked<()>>,
    pub hostname: Option<Asked<String>>,
    pub domainname: Option<Asked<String>>,
    pub user: Option<Asked<Id>>,
    pub group: Option<Asked<Id>>,
    pub users: Vec<Asked<IdRange>>,
    pub groups: Vec<Asked<IdRange>>,
    pub environment: Vec<(String, String)>,
    pub workdir: Option<Asked<GuestPath>>,
    pub umask: Option<Asked<u32>>,
    pub pid1: bool,
}

impl Settings {
    /// What the steps of `sandbox` add up to.
    pub fn of(sandbox: &Sandbox, host: &Host) -> Self {
        let mut settings = Self {
            namespaces: Namespaces::ALL,
            shared: None,
            root: Asked { value: Root::Empty, origin: None },
            host_view: false,
            read_only_root: None,
            keep_changes: None,
            chroot: None,
            inside: Vec::new(),
            network: None,
            names_of_root: None,
            hostname: None,
            domainname: None,
            user: None,
            group: None,
            users: Vec::new(),
            groups: Vec::new(),
            environment: Vec::new(),
            workdir: None,
            umask: None,
            pid1: false,
        };
        for step in sandbox.steps() {
            settings.add(step, host);
        }
        settings.name_servers(host);
        settings
    }

    fn add(&mut self, step: &Rc<Step>, host: &Host) {
        let origin = step.origin.as_ref();
        match &step.what {
            What::Unshare(namespaces) => {
                self.namespaces = self.namespaces | *namespaces;
                self.network = self.network.take().filter(|_| !namespaces.has(Kind::Net));
            }
            What::Share(namespaces) => {
                self.namespaces = self.namespaces - *namespaces;
                self.shared = origin.cloned();
                self.network = self.network.take().filter(|_| !namespaces.has(Kind::Net));
            }
            What::Root(root) => {
                self.root = asked(root.clone(), origin);
                self.host_view = false;
            }
            What::HostView => {
                self.root = asked(Root::Directory(PathBuf::from("/")), origin);
                self.host_view = true;
                self.read_only_root = Some(asked((), origin));
            }
            What::ReadOnlyRoot => self.read_only_root = Some(asked((), origin)),
            What::KeepChanges(path) => self.keep_changes = Some(asked(path.clone(), origin)),
            What::Chroot => self.chroot = Some(asked((), origin)),
            What::Network(choice) => self.choose_network(choice, origin),
            What::Hostname(name) => self.hostname = Some(asked(name.clone(), origin)),
            What::Domainname(name) => self.domainname = Some(asked(name.clone(), origin)),
            What::User(id) => self.user = Some(asked(id.clone(), origin)),
            What::Group(id) => self.group = Some(asked(id.clone(), origin)),
            What::MapUser(range) => self.users.push(asked(*range, origin)),
            What::MapGroup(range) => self.groups.push(asked(*range, origin)),
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
            What::Workdir(path) => self.workdir = Some(asked(path.clone(), origin)),
            What::Umask(mode) => self.umask = Some(asked(*mode, origin)),
            What::Pid1 => self.pid1 = true,
            What::Bind { .. }
            | What::Tmpfs { .. }
            | What::Proc { .. }
            | What::Sysfs(_)
            | What::Dev(_)
            | What::Devpts(_)
            | What::Mount { .. }
            | What::Directory(..)
            | What::File(..)
            | What::Symlink { .. }
            | What::Mask(_)
            | What::ReadOnly(_) => self.inside.push(step.clone()),
        }
    }

    /// Adds the files by which programs find others by name, where the recipe has none of its own.
    fn name_servers(&mut self, host: &Host) {
        let Some(network) = &self.network else { return };
        let files = match &network.value {
            NetworkChoice::Joined(joined) => names::of_network(joined),
            NetworkChoice::Outbound(_) => names::of_host(host),
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
                // In the root itself it takes the place of a link, which may lead nowhere.
                Root::Rootfs(rootfs) if rootfs.has_file(&path) => {}
                Root::Rootfs(rootfs) => {
                    let file = Ingredient::File(path, bytes, options);
                    self.root.value = Root::Rootfs(rootfs.with(file, origin.clone()));
                }
                _ if self.read_only_root.is_some() => {
                    self.names_of_root = Some(asked((), origin.as_ref()));
                }
                _ => {
                    let what = What::File(path, bytes, options);
                    self.inside.push(Rc::new(Step { what, origin: origin.clone() }));
                }
            }
        }
    }

    fn choose_network(&mut self, choice: &NetworkChoice, origin: Option<&Origin>) {
        let net = Namespaces::from(Kind::Net);
        self.network = None;
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

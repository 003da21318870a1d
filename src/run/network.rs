//! Networks: network namespaces and what is in them, by netlink(7).
//!
//! A network is held by a descriptor and spoken to by a socket that was made in it, so nsscript
//! itself stays where it is. With the last descriptor the kernel takes all of it away, however
//! nsscript ends; names of the host, which only `--host` makes, are all that stays.

mod dropped;
mod error;
mod filter;
mod handle;
mod hints;
mod host_program;
mod listing;
mod message;
mod named;
mod part;
pub(super) mod probe;
mod wire;

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

pub use self::dropped::Dropped;
pub use self::handle::Network;
pub use self::listing::{Link, Neighbour};
pub(super) use self::part::try_part;
pub use self::probe::Probe;
use self::wire::{NetlinkError, Wire};
use super::raw::{self, RawCalls};
use super::session::namespace::Namespace;
use super::session::place;
use crate::diag::{Origin, Report, quoted};
use crate::host::routes::Route;
use crate::ops::network::{MakeNetwork, RemoveName};
use crate::ops::raw::InNetwork;
use crate::ops::{OpenPorts, own_groups};
use crate::plan::{NetworkAction, RawAction};
use crate::run::base::error::RunError;
use crate::spec::{Kind, NetworkName};
use crate::sys::{CallError, Errno, Netlink, Syscall};

/// The networks of this run.
pub struct Networks {
    raw: RawCalls,
    /// Those that have names.
    named: RefCell<Vec<Rc<Network>>>,
    /// How many have none.
    anonymous: Cell<usize>,
    /// Whether no other sysfs can be mounted here.
    no_sysfs: Cell<bool>,
}

impl Deref for Networks {
    type Target = RawCalls;

    fn deref(&self) -> &RawCalls {
        &self.raw
    }
}

impl Networks {
    pub(super) fn new(raw: RawCalls) -> Self {
        let (named, anonymous, no_sysfs) = <(_, _, _)>::default();
        Self { raw, named, anonymous, no_sysfs }
    }

    /// A network: a new one, or the one of this name.
    ///
    /// Without `--host` a name is one of this run; with it, one of /run/netns.
    ///
    /// # Errors
    /// No network can be made, or the name is something else.
    pub fn network(
        &self,
        name: Option<&NetworkName>,
        origin: Option<&Origin>,
    ) -> Result<Rc<Network>, RunError> {
        self.begin_session(origin)?;
        let Some(name) = name else {
            let number = self.anonymous.get() + 1;
            self.anonymous.set(number);
            return self.make_network(format!("net{number}"), None, origin).map(Rc::new);
        };
        let named = &self.named;
        let known = named.borrow().iter().find(|known| known.name.as_ref() == Some(name)).cloned();
        if let Some(known) = known {
            let is_there = || {
                let found = named::open(name).ok().flatten();
                found.is_some_and(|found| found.inode == known.namespace.inode)
            };
            if !self.on_host() || is_there() {
                return Ok(known);
            }
            named.borrow_mut().retain(|other| !Rc::ptr_eq(other, &known));
        }
        let found = if self.on_host() { named::open(name) } else { Ok(None) };
        let found = found.map_err(|errno| {
            let path = quoted(named::path(name).to_string_lossy());
            Report::error(format!("cannot open the network {path}: {errno}")).at(origin.cloned())
        })?;
        let mut network = match found {
            Some(namespace) => Network::new(name.as_str().to_owned(), namespace, false),
            None => match self.make_network(name.as_str().to_owned(), Some(name), origin) {
                Ok(made) => made,
                // Another process has made it meanwhile.
                Err(problem) => match named::open(name).ok().flatten().filter(|_| self.on_host()) {
                    Some(namespace) => Network::new(name.as_str().to_owned(), namespace, false),
                    None => return Err(problem),
                },
            },
        };
        network.name = Some(name.clone());
        let network = Rc::new(network);
        named.borrow_mut().push(network.clone());
        Ok(network)
    }

    fn make_network(
        &self,
        label: String,
        name: Option<&NetworkName>,
        origin: Option<&Origin>,
    ) -> Result<Network, RunError> {
        let action = Box::new(MakeNetwork(name.cloned()).into());
        let action = InNetwork { network: label.clone(), action }.into();
        let kept = name.filter(|_| self.on_host());
        // In the session of a user, not every group is mapped.
        let groups = own_groups(self.host()).unwrap_or_default();
        let settings = MakeNetwork::settings(&OpenPorts::to(&groups, || None, 0)).into_iter();
        let prepared =
            |(path, value): (String, String)| (raw::text(path.as_bytes()), value.into_bytes());
        let settings: Vec<_> = settings.map(prepared).collect();
        let steps = || {
            let (namespace, netlink) = Netlink::in_new_network(&settings)?;
            let wire = Wire::new(netlink);
            message::set_up(&wire, "lo").map_err(|refused| refused.trouble)?;
            let namespace = Namespace::of(Kind::Net, namespace)
                .map_err(|errno| CallError { syscall: Syscall::Fstat, errno })?;
            if let Some(name) = kept {
                named::keep(name, namespace.descriptor())?;
            }
            Ok((namespace, wire))
        };
        let mut failed: Option<CallError> = None;
        let made = self.act_by(action, origin, || steps().inspect_err(|why| failed = Some(*why)));
        let (namespace, wire) = made.map_err(|problem| match failed {
            Some(failed) => hints::on_making(problem, failed, kept, self.host()),
            None => problem,
        })?;
        let network = Network::new(label, namespace, true);
        *network.wire.borrow_mut() = Some(Rc::new(wire));
        Ok(network)
    }

    /// The network that a namespace is.
    #[must_use]
    pub fn network_of(&self, namespace: Namespace) -> Network {
        Network::new(namespace.to_string(), namespace, false)
    }

    /// Does one thing in a network; `other` is the other one that it is about.
    ///
    /// # Errors
    /// It would change the network of the host, or the kernel refuses it.
    pub fn in_network(
        &self,
        network: &Network,
        action: &NetworkAction,
        other: Option<&Network>,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        let label = network.label.clone();
        let asked = Box::new(action.clone());
        let raw = RawAction::from(InNetwork { network: label, action: asked });
        for network in [Some(network), other].into_iter().flatten() {
            self.own_network(network, &raw, origin)?;
        }
        let mut refused = None;
        let done = self.act_by(raw, origin, || {
            network.perform(action, other).map_err(|why| {
                let trouble = why.trouble;
                refused = Some(why);
                trouble
            })
        });
        done.map_err(|problem| match refused {
            Some(refused) => hints::on_refusal(problem, &refused, action, (network, other)),
            None => problem,
        })
    }

    /// Refuses what would change a network that others on the host are in, or one that is gone.
    pub(super) fn own_network(
        &self,
        network: &Network,
        action: &RawAction,
        origin: Option<&Origin>,
    ) -> Result<(), Report> {
        network.living(origin)?;
        if network.own || self.on_host() || self.session().has_user_namespace() {
            return Ok(());
        }
        let (leader, inode) = (self.session().leader(), network.namespace.inode);
        let is_of_recipe = !self.session().was_initial(Kind::Net, inode)
            && place::is_of_recipe("net", inode, leader)
            && !self.session().may_be_shared(Kind::Net, inode);
        if is_of_recipe {
            return Ok(());
        }
        let sentence = action.told().sentence;
        let message = format!("refused to {sentence}: that network does not belong to the recipe");
        let report = Report::error(message).at(origin.cloned());
        Err(report.hint("`--host` changes networks of the host; `netns()` makes one"))
    }

    /// Takes the name of a network away. What has no name and nobody in it is gone.
    ///
    /// # Errors
    /// It has no name any more.
    pub fn remove_network(
        &self,
        network: &Network,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        network.living(origin)?;
        if let Some(name) = network.name.clone() {
            if self.on_host() {
                let action = Box::new(RemoveName(name.clone()).into());
                let action = InNetwork { network: network.label.clone(), action }.into();
                self.act_by(action, origin, || named::remove(&name))?;
            }
            self.named.borrow_mut().retain(|known| known.name.as_ref() != Some(&name));
        } else if !network.own {
            let message = "a network that the recipe did not create cannot be deleted";
            return Err(Report::error(message).at(origin.cloned()).into());
        }
        network.part();
        network.removed.set(true);
        Ok(())
    }

    /// The names of the networks that there are.
    ///
    /// # Errors
    /// `/run/netns` cannot be read.
    pub fn network_names(&self) -> Result<Vec<String>, RunError> {
        if self.on_host() {
            let cannot = |errno: Errno| {
                let place = quoted(named::PLACE);
                let mut report = Report::error(format!("cannot read {place}: {errno}"));
                report.facts.errno = Some(errno.code());
                report.into()
            };
            return named::list().map_err(cannot);
        }
        let known = self.named.borrow();
        let mut names: Vec<String> = known.iter().map(|network| network.label.clone()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The interfaces of a network, by their numbers.
    ///
    /// # Errors
    /// This process has no right to look.
    pub fn links(&self, network: &Network, origin: Option<&Origin>) -> Result<Vec<Link>, RunError> {
        network.living(origin)?;
        let found =
            network.wire().map_err(NetlinkError::from).and_then(|wire| listing::links(&wire));
        found.map_err(|refused| unread(network, "interfaces", refused.trouble, origin))
    }

    /// The routes of a network.
    ///
    /// # Errors
    /// As for [`Networks::links`].
    pub fn routes(
        &self,
        network: &Network,
        origin: Option<&Origin>,
    ) -> Result<Vec<Route>, RunError> {
        network.living(origin)?;
        let found = listing::routes(network.namespace.descriptor());
        found.map_err(|trouble| unread(network, "routes", trouble, origin))
    }

    /// The neighbours in a network.
    ///
    /// # Errors
    /// As for [`Networks::links`].
    pub fn neighbours(
        &self,
        network: &Network,
        origin: Option<&Origin>,
    ) -> Result<Vec<Neighbour>, RunError> {
        network.living(origin)?;
        let found =
            network.wire().map_err(NetlinkError::from).and_then(|wire| listing::neighbours(&wire));
        found.map_err(|refused| unread(network, "neighbours", refused.trouble, origin))
    }

    /// What the rules of a network have dropped.
    ///
    /// # Errors
    /// As for [`Networks::links`].
    pub fn dropped(
        &self,
        network: &Network,
        origin: Option<&Origin>,
    ) -> Result<Vec<Dropped>, RunError> {
        network.living(origin)?;
        let found = network.rules().map_err(NetlinkError::from).and_then(|it| dropped::list(&it));
        found.map_err(|refused| unread(network, "rules", refused.trouble, origin))
    }
}

fn unread(network: &Network, what: &str, trouble: CallError, origin: Option<&Origin>) -> RunError {
    let label = &network.label;
    let message = format!("cannot list the {what} of the network {label}: {}", trouble.errno);
    let mut report = Report::error(message).at(origin.cloned());
    report.facts.operation = Some("network".into());
    report.facts.errno = Some(trouble.errno.code());
    report.into()
}

//! A network as a value: its namespace, and what speaks with it.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;

use super::wire::{NetlinkError, Wire};
use super::{filter, message};
use crate::diag::{Origin, Report};
use crate::ops::network::OwnChange;
use crate::ops::{NetworkAction, NetworkWay};
use crate::run::session::namespace::Namespace;
use crate::spec::{JoinedNetwork, NetworkName};
use crate::sys::{self, CallError, Errno, Netlink, Protocol, Syscall};

/// A network namespace, and what speaks with it.
#[derive(Debug)]
pub struct Network {
    /// What it is called in sentences.
    pub label: String,
    pub(super) name: Option<NetworkName>,
    pub(super) namespace: Rc<Namespace>,
    pub(super) wire: RefCell<Option<Rc<Wire>>>,
    /// What /etc/resolv.conf says in sandboxes that are in it.
    resolver: RefCell<Option<String>>,
    /// The addresses that the recipe has given to its interfaces.
    addresses: RefCell<Vec<IpAddr>>,
    /// Whether this recipe has made it.
    pub(super) own: bool,
    /// Whether its name was taken away.
    pub(super) removed: Cell<bool>,
    peers: Peers,
}

/// The networks at the other ends of cables, which stay as long as this one does.
#[derive(Default)]
struct Peers(RefCell<Vec<Rc<Network>>>);

impl std::fmt::Debug for Peers {
    // Each of them knows this one, too.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} peers", self.0.borrow().len())
    }
}

impl Network {
    pub(super) fn new(label: String, namespace: Namespace, own: bool) -> Self {
        Self {
            label,
            name: None,
            namespace: Rc::new(namespace),
            wire: RefCell::default(),
            resolver: RefCell::default(),
            addresses: RefCell::default(),
            own,
            removed: Cell::new(false),
            peers: Peers::default(),
        }
    }

    /// Notes that a cable joins two networks: neither goes before the other was removed, even where
    /// no value is it any more.
    pub fn join(self: &Rc<Self>, other: &Rc<Self>) {
        if !Rc::ptr_eq(self, other) {
            self.peers.0.borrow_mut().push(other.clone());
            other.peers.0.borrow_mut().push(self.clone());
        }
    }

    /// Lets go of those that it was joined with.
    pub(super) fn part(&self) {
        for peer in self.peers.0.take() {
            peer.peers.0.borrow_mut().retain(|known| !std::ptr::eq(Rc::as_ptr(known), self));
        }
    }

    /// The namespace that it is.
    #[must_use]
    pub fn namespace(&self) -> &Rc<Namespace> {
        &self.namespace
    }

    /// Its name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&NetworkName> {
        self.name.as_ref()
    }

    /// Says what /etc/resolv.conf is in sandboxes that are in it.
    pub fn set_resolver(&self, text: String) {
        *self.resolver.borrow_mut() = Some(text);
    }

    /// It, held open for who enters it.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn held(&self) -> Result<JoinedNetwork, Errno> {
        Ok(JoinedNetwork {
            label: self.label.clone(),
            inode: self.namespace.inode,
            descriptor: Some(std::sync::Arc::new(sys::duplicate(self.namespace.descriptor())?)),
            resolver: self.resolver.borrow().clone(),
            addresses: self.addresses.borrow().clone(),
        })
    }

    /// That it was not removed.
    ///
    /// # Errors
    /// It was.
    pub fn living(&self, origin: Option<&Origin>) -> Result<(), Report> {
        if !self.removed.get() {
            return Ok(());
        }
        let message = format!("the network {} was removed", self.label);
        Err(Report::error(message).at(origin.cloned()))
    }

    /// What this process speaks with it by.
    pub(super) fn wire(&self) -> Result<Rc<Wire>, CallError> {
        if let Some(wire) = self.wire.borrow().as_ref().filter(|wire| wire.netlink.is_own()) {
            return Ok(wire.clone());
        }
        let netlink = Netlink::open(self.namespace.descriptor(), Protocol::Route)?;
        let wire = Rc::new(Wire::new(netlink));
        *self.wire.borrow_mut() = Some(wire.clone());
        Ok(wire)
    }

    /// What this process speaks with its rules by.
    pub(super) fn rules(&self) -> Result<Wire, CallError> {
        Netlink::open(self.namespace.descriptor(), Protocol::Netfilter).map(Wire::new)
    }

    pub(super) fn perform(
        &self,
        action: &NetworkAction,
        other: Option<&Self>,
    ) -> Result<(), NetlinkError> {
        match action.way() {
            NetworkWay::Rule(rule) => filter::perform(&self.rules()?, rule),
            NetworkWay::Message(message) => {
                let other = other.map(|other| other.namespace.descriptor());
                message::perform(&*self.wire()?, message, other)?;
                if let NetworkAction::Address(address) = action {
                    address.note(&mut self.addresses.borrow_mut());
                }
                Ok(())
            }
            NetworkWay::Own(own) => match own {
                OwnChange::Forward(_) => Ok(self.forward()?),
                // A network cannot make itself, and its name is kept by who knows all names.
                OwnChange::MakeNetwork(_) | OwnChange::RemoveName(_) => {
                    Err(NetlinkError::from(CallError::unknown()))
                }
            },
        }
    }

    fn set(&self, path: &CStr, value: &[u8]) -> Result<(), CallError> {
        let mut file = sys::open_in(self.namespace.descriptor(), path, true)?;
        let written = file.write_all(value);
        written.map_err(|error| CallError { syscall: Syscall::Write, errno: (&error).into() })
    }

    fn forward(&self) -> Result<(), CallError> {
        self.set(c"/proc/sys/net/ipv4/ip_forward", b"1")?;
        // A kernel without IPv6 has no such file.
        match self.set(c"/proc/sys/net/ipv6/conf/all/forwarding", b"1") {
            Err(trouble) if trouble.errno == Errno::MISSING => Ok(()),
            done => done,
        }
    }
}

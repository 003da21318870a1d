//! Networks: those that a sandbox has, and what a recipe does in one.
//!
//! [`NetworkOperation`] is to changes of a network what `RawOperation` is to raw calls. The label
//! of the network is no part of them: who performs a change holds the network itself.

mod address;
mod allow;
mod block;
mod change;
mod default_drop;
mod link;
mod namespace;
mod neighbour;
mod packets;
mod route;
mod sandbox;
mod translate;

use std::fmt::Debug;

use super::Told;
use super::strace::Called;
use crate::spec::{InterfaceName, shell_word};

pub use address::*;
pub use allow::*;
pub use block::*;
pub use change::*;
pub use default_drop::*;
pub use link::*;
pub use namespace::*;
pub use neighbour::*;
pub use packets::*;
pub use route::*;
pub use sandbox::*;
pub use translate::*;

/// One thing that is done in a network.
pub trait NetworkOperation: Debug {
    /// What it is called by a `catch`, in JSON, and by `--explain`.
    fn name(&self) -> &'static str;

    /// How it reads, in the network that is called so.
    fn told(&self, network: &str) -> Told;

    /// The system calls, as strace(1) writes them.
    fn calls(&self, network: &str) -> Vec<Called>;
}

macro_rules! network_operations {
    (messages { $($message:ident)* } rules { $($rule:ident)* } own { $($own:ident)* }) => {
        /// Everything that is done in a network.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum NetworkAction {
            $($message($message),)*
            $($rule($rule),)*
            $($own($own),)*
        }

        /// What rtnetlink(7) does: `run/network/message` has an arm for each.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Message<'a> {
            $($message(&'a $message),)*
        }

        /// What nftables does: `run/network/filter` has an arm for each.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Rule<'a> {
            $($rule(&'a $rule),)*
        }

        /// What takes more than a message: `run/network/handle` has an arm for each.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum OwnChange<'a> {
            $($own(&'a $own),)*
        }

        $(impl From<$message> for NetworkAction {
            fn from(one: $message) -> Self { Self::$message(one) }
        })*
        $(impl From<$rule> for NetworkAction {
            fn from(one: $rule) -> Self { Self::$rule(one) }
        })*
        $(impl From<$own> for NetworkAction {
            fn from(one: $own) -> Self { Self::$own(one) }
        })*

        impl NetworkAction {
            fn operation(&self) -> &dyn NetworkOperation {
                match self {
                    $(Self::$message(one) => one,)*
                    $(Self::$rule(one) => one,)*
                    $(Self::$own(one) => one,)*
                }
            }

            /// Who performs it.
            #[must_use]
            pub fn way(&self) -> NetworkWay<'_> {
                match self {
                    $(Self::$message(one) => NetworkWay::Message(Message::$message(one)),)*
                    $(Self::$rule(one) => NetworkWay::Rule(Rule::$rule(one)),)*
                    $(Self::$own(one) => NetworkWay::Own(OwnChange::$own(one)),)*
                }
            }
        }
    };
}

network_operations! {
    messages { MakeLink Veth ChangeLink DeleteLink Address Route FixNeighbour }
    rules { Masquerade Dnat Untranslate Block Unblock Allow Disallow DefaultDrop DefaultAccept }
    own { MakeNetwork RemoveName Forward }
}

/// Who performs an operation.
#[derive(Clone, Copy, Debug)]
pub enum NetworkWay<'a> {
    /// rtnetlink(7).
    Message(Message<'a>),
    /// nftables.
    Rule(Rule<'a>),
    /// nsscript.
    Own(OwnChange<'a>),
}

impl NetworkAction {
    /// What it is called by a `catch`, in JSON, and by `--explain`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.operation().name()
    }

    /// How it reads, in the network that is called so.
    #[must_use]
    pub fn told(&self, network: &str) -> Told {
        self.operation().told(network)
    }

    /// The system calls, as strace(1) writes them.
    #[must_use]
    pub fn calls(&self, network: &str) -> Vec<Called> {
        self.operation().calls(network)
    }
}

/// The network, at the end of a sentence.
fn at(network: &str) -> String {
    format!("in the network {network}")
}

/// ip(8) in a network.
fn ip(network: &str) -> String {
    format!("ip -n {}", shell_word(network))
}

/// The name of an interface, for a shell.
fn word(name: &InterfaceName) -> String {
    shell_word(name.as_str())
}

/// The verb of ip(8).
fn verb(away: bool) -> &'static str {
    if away { "del" } else { "add" }
}

/// The command of nft(8) in a network.
fn nft(network: &str, commands: &str) -> String {
    format!("ip netns exec {} nft {}", shell_word(network), shell_word(commands))
}

/// The commands that make a chain if it is missing, after the command that makes the table.
fn chain(name: &str, kind: &str) -> String {
    let priority = match name {
        "prerouting" => -100,
        "postrouting" => 100,
        _ => 0,
    };
    let hook = format!("type {kind} hook {name} priority {priority}");
    format!("; add chain inet nsscript {name} {{ {hook}; }}")
}

/// The command that makes the table if it is missing.
const TABLE: &str = "add table inet nsscript";

/// The command that adds rules to chains of nftables, which it makes if they are missing.
fn add_rules(network: &str, chains: &[&str], kind: &str, rules: &[String]) -> String {
    let mut text = TABLE.to_owned();
    for name in chains {
        text.push_str(&chain(name, kind));
        for rule in rules {
            text.push_str(&format!("; add rule inet nsscript {name} {rule}"));
        }
    }
    nft(network, &text)
}

/// The command that empties chains of nftables.
fn flush(network: &str, chains: &[&str], kind: &str) -> String {
    let flush = |name: &&str| format!("{}; flush chain inet nsscript {name}", chain(name, kind));
    let flush: String = chains.iter().map(flush).collect();
    nft(network, &format!("{TABLE}{flush}"))
}

/// A message of netlink(7).
fn sent(network: &str, kind: &str, what: &str) -> Called {
    let fd = format!("fd<netlink in {network}>");
    Called::new(format!("sendto({fd}, [{{nlmsg_type={kind}}}, {{{what}}}], …)"))
}

/// The messages that add rules.
fn new_rules(network: &str, rules: &[String]) -> Vec<Called> {
    rules.iter().map(|rule| sent(network, "NFT_MSG_NEWRULE", rule)).collect()
}

/// The name of an interface, in a message.
fn link(name: &InterfaceName) -> String {
    format!("IFLA_IFNAME={:?}", name.as_str())
}

/// The number of an interface, in a message of this family.
fn of(family: &str, name: &InterfaceName) -> String {
    format!("{family}_index=if_nametoindex({:?})", name.as_str())
}

/// A setting that is written.
fn written(path: &str, value: u8) -> Called {
    Called::new(format!("write(fd<{path}>, \"{value}\", 1)")).giving("1")
}

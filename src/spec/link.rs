//! Enumerations of networks: protocols, and modes of interfaces.

use std::fmt;

use super::{Prefix, ValueError};
use crate::diag::{closest, list, quoted};

/// Declares an enumeration with a word for each value.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident, $what:literal {
        $($(#[$word_doc:meta])* $word:ident = $text:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            const WORDS: &'static [(Self, &'static str)] = &[$((Self::$word, $text),)*];

            /// The value with the name `text`.
            ///
            /// # Errors
            /// There is none.
            pub fn new(text: &str) -> Result<Self, ValueError> {
                let found = Self::WORDS.iter().find(|(_, word)| *word == text);
                found.map(|(found, _)| *found).ok_or_else(|| {
                    let words = Self::WORDS.iter().map(|(_, word)| *word);
                    let invalid = ValueError::new(format!("invalid {} {}", $what, quoted(text)));
                    match closest(text, words.clone()) {
                        Some(near) => invalid.hint(format!("did you mean {}?", quoted(near))),
                        None => {
                            let known: Vec<String> = words.map(quoted).collect();
                            invalid.hint(format!("expected {}", list(&known, "or")))
                        }
                    }
                })
            }

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.name())
            }
        }
    )*};
}

words! {
    /// The protocol of a packet: protocols(5).
    IpProtocol, "protocol" {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// Control messages of IPv4.
        Icmp = "icmp",
        /// Control messages of IPv6.
        Icmpv6 = "icmpv6",
    }

    /// Which way packets pass a network.
    Direction, "direction" {
        /// They are for the network itself.
        Incoming = "incoming",
        /// It passes them on.
        Forwarded = "forwarded",
        /// It has sent them.
        Outgoing = "outgoing",
    }

    /// The mode of macvlan interfaces, which have their own hardware addresses: ip-link(8).
    MacvlanMode, "mode" {
        /// They reach each other, like ports of a bridge.
        Bridge = "bridge",
        /// They do not reach each other.
        Private = "private",
        /// They reach each other by a switch outside that sends packets back.
        Vepa = "vepa",
        /// There is only one of them.
        Passthru = "passthru",
    }

    /// The mode of ipvlan interfaces, which share a hardware address: ip-link(8).
    IpvlanMode, "mode" {
        /// They are on one link (layer 2).
        L2 = "l2",
        /// They use the routes of the interface below (layer 3).
        L3 = "l3",
        /// The same, and nftables rules see the packets.
        L3s = "l3s",
    }
}

impl Direction {
    /// Every one, as packets pass them.
    pub const ALL: [Self; 3] = [Self::Incoming, Self::Forwarded, Self::Outgoing];

    /// The chain of netfilter that such packets pass.
    #[must_use]
    pub fn chain(self) -> &'static str {
        match self {
            Self::Incoming => "input",
            Self::Forwarded => "forward",
            Self::Outgoing => "output",
        }
    }
}

impl IpProtocol {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Icmpv6];

    /// Whether it belongs to another version of IP than the network.
    #[must_use]
    pub fn is_other_version(self, network: Prefix) -> bool {
        match self {
            Self::Icmp => network.address.is_ipv6(),
            Self::Icmpv6 => network.address.is_ipv4(),
            Self::Tcp | Self::Udp => false,
        }
    }

    /// Whether it has ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }
}

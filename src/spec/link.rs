//! Words of networks of which one is chosen: protocols, and modes of interfaces.

use std::fmt;

use super::Invalid;
use crate::diag::{closest, list, quoted};

/// Declares words of which one is chosen.
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

            /// The one that is called `text`.
            ///
            /// # Errors
            /// None is.
            pub fn new(text: &str) -> Result<Self, Invalid> {
                let found = Self::WORDS.iter().find(|(_, word)| *word == text);
                found.map(|(found, _)| *found).ok_or_else(|| {
                    let words = Self::WORDS.iter().map(|(_, word)| *word);
                    let invalid = Invalid::new(format!("invalid {} {}", $what, quoted(text)));
                    match closest(text, words.clone()) {
                        Some(near) => invalid.hint(format!("did you mean {}?", quoted(near))),
                        None => {
                            let known: Vec<String> = words.map(quoted).collect();
                            invalid.hint(format!("expected {}", list(&known, "or")))
                        }
                    }
                })
            }

            /// What it is called.
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
    /// What packets are of: protocols(5).
    IpProtocol, "protocol" {
        /// Connections.
        Tcp = "tcp",
        /// Datagrams.
        Udp = "udp",
        /// What machines tell each other of IPv4.
        Icmp = "icmp",
        /// What machines tell each other of IPv6.
        Icmpv6 = "icmpv6",
    }

    /// How those on one interface that have their own hardware addresses see each other: ip-link(8).
    MacvlanMode, "mode" {
        /// As ports of a bridge.
        Bridge = "bridge",
        /// Not at all.
        Private = "private",
        /// By way of a switch outside that sends packets back.
        Vepa = "vepa",
        /// There is only one.
        Passthru = "passthru",
    }

    /// How those on one interface that share its hardware address see each other: ip-link(8).
    IpvlanMode, "mode" {
        /// As on one wire.
        L2 = "l2",
        /// By routes of the interface below.
        L3 = "l3",
        /// By such routes, which rules of nftables see, too.
        L3s = "l3s",
    }
}

impl IpProtocol {
    /// Whether it has ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }
}

//! The host name and NIS domain name that programs see.

use crate::diag::quoted;
use crate::ops::{AsIs, Changes, Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{Namespaces, ValueError, shell_word};
use crate::sys::Call;

/// Sets the host name.
#[derive(Clone, Debug, PartialEq)]
pub struct Hostname(pub String);

/// Sets the NIS domain name.
#[derive(Clone, Debug, PartialEq)]
pub struct Domainname(pub String);

impl Hostname {
    /// A host name.
    ///
    /// # Errors
    /// The name is empty, longer than 64 bytes, or contains a control character.
    pub fn new(name: &str) -> Result<Self, ValueError> {
        usable(name, "host name").map(Self)
    }
}

impl Domainname {
    /// A NIS domain name.
    ///
    /// # Errors
    /// As for [`Hostname::new`].
    pub fn new(name: &str) -> Result<Self, ValueError> {
        usable(name, "domain name").map(Self)
    }
}

/// A name that uts_namespaces(7) can hold.
fn usable(name: &str, what: &str) -> Result<String, ValueError> {
    let wrong = |why: &str| Err(ValueError::new(format!("the {what} {why}")));
    match name {
        "" => wrong("is empty"),
        long if long.len() > 64 => wrong("is longer than 64 bytes"),
        // The kernel would take it, and print it to every terminal that asks for the name.
        text if text.contains(|letter: char| letter.is_control()) => {
            wrong("contains a control character")
        }
        text => Ok(text.to_owned()),
    }
}

impl Operation for Hostname {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "hostname",
            turn: Turn::Names,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("set the host name to {}", quoted(&self.0)),
            source: None,
            target: None,
            shell: Some(format!("hostname {}", shell_word(&self.0))),
        }
    }
}

impl Lower for Hostname {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::SetHostname(self.0.as_bytes().to_vec()));
    }
}

impl Operation for Domainname {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "domainname",
            turn: Turn::Names,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("set the domain name to {}", quoted(&self.0)),
            source: None,
            target: None,
            shell: Some(format!("domainname {}", shell_word(&self.0))),
        }
    }
}

impl Lower for Domainname {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::SetDomainname(self.0.as_bytes().to_vec()));
    }
}

impl AsIs for Hostname {
    fn say(&self) -> String {
        format!("hostname {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Uts
    }

    fn key(&self) -> Option<&str> {
        Some("hostname")
    }
}

impl AsIs for Domainname {
    fn say(&self) -> String {
        format!("domainname {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Uts
    }

    fn key(&self) -> Option<&str> {
        Some("domainname")
    }
}

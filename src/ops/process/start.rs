//! The start of a process: in new namespaces, or in those of a sandbox; as init; its tie to nsscript.

use crate::ops::words::{letters, names, new_names};
use crate::ops::{AsIs, Changes, Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{Kind, Namespaces};
use crate::sys::Call;

/// Starts a process in new namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The new namespaces.
    pub namespaces: Namespaces,
    /// The way in which its user namespace gets its maps.
    pub maps: StartMaps,
}

/// The way in which the user namespace of a new process gets its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartMaps {
    /// No new maps: the user namespace is that of nsscript.
    None,
    /// The new process maps the caller's own ids to these.
    Own {
        /// The user inside.
        uid: u32,
        /// The group inside.
        gid: u32,
    },
    /// A prepared user namespace is entered.
    Prepared {
        /// Whether user 0 is mapped, whom nsenter(1) becomes.
        root: bool,
    },
}

/// Starts a process in the namespaces of a running sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Join(pub Namespaces);

/// Becomes init, which starts a second process.
#[derive(Clone, Debug, PartialEq)]
pub struct StartInit;

/// Makes the kernel kill the process when its parent ends.
#[derive(Clone, Debug, PartialEq)]
pub struct DieWithParent {
    /// Whether its parent is the keeper of the sandbox, rather than the nsscript of the recipe.
    pub keeper: bool,
}

/// Leaves a copy of nsscript behind that starts the sandbox, and goes on when nsscript ends.
#[derive(Clone, Debug, PartialEq)]
pub struct OutliveParent;

impl Operation for Start {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "clone",
            turn: Turn::Start,
            scope: Scope::EveryProgram,
            apart: self.namespaces,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { namespaces, maps } = *self;
        if namespaces.is_empty() {
            let sentence = "start a process".into();
            return Told { sentence, source: None, target: None, shell: None };
        }
        let sentence = format!("start a process in {}", new_names(namespaces));
        let unshare = format!("unshare --fork -{}", letters(namespaces));
        let shell = match maps {
            StartMaps::None => Some(unshare),
            // A shell without a mapped user would have lost the right to map its ids.
            StartMaps::Own { uid, gid } => {
                Some(format!("{unshare} --map-user={uid} --map-group={gid} --keep-caps"))
            }
            StartMaps::Prepared { root: false } => None,
            StartMaps::Prepared { root: true } => {
                let others = namespaces - Kind::User.into();
                Some(if others.is_empty() {
                    "nsenter -U -t $pid".into()
                } else {
                    format!("nsenter -U -t $pid unshare --fork -{}", letters(others))
                })
            }
        };
        Told { sentence, source: None, target: None, shell }
    }
}

impl Operation for Join {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "setns",
            turn: Turn::Start,
            scope: Scope::EveryProgram,
            apart: self.0,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let (sentence, shell) = if self.0.is_empty() {
            ("start a process beside the sandbox".into(), None)
        } else {
            let sentence = format!("start a process in the {} of the sandbox", names(self.0));
            (sentence, Some(format!("nsenter -t $pid -{}", letters(self.0))))
        };
        Told { sentence, source: None, target: None, shell }
    }
}

impl Operation for StartInit {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "clone",
            turn: Turn::Init,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "become init, which starts a second process".into(),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl Lower for StartInit {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.init = true;
    }
}

impl Operation for DieWithParent {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "session",
            turn: Turn::Parent,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: if self.keeper {
                "die with the keeper".into()
            } else {
                "die with nsscript".into()
            },
            source: None,
            target: None,
            shell: Some("setpriv --pdeathsig KILL".into()),
        }
    }
}

impl Lower for DieWithParent {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::DieWithParent);
    }
}

impl Operation for OutliveParent {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "outlive_parent",
            turn: Turn::Keeper,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "start a keeper, a copy of nsscript that goes on until the sandbox has ended"
                .into(),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl AsIs for OutliveParent {
    fn say(&self) -> String {
        "outlives nsscript".into()
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("outlive_parent")
    }
}

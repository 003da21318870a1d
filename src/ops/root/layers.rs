//! The parts of a root that nsscript prepares: layers, and a directory for changes.

use std::path::PathBuf;
use std::rc::Rc;

use super::{Came, Layer, RootTree};
use crate::diag::bytes;
use crate::ops::words::{host, sh};
use crate::ops::{Facts, Leaves, Operation, Scope, Told, Turn};
use crate::spec::Namespaces;

/// Finds a layer of the root in the store, or makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildLayer {
    /// The layers of the root.
    pub tree: Rc<RootTree>,
    /// The number of the layer; the lowest is 0.
    pub number: usize,
}

/// Prepares a directory of the host for changes in the root.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepChanges(pub PathBuf);

impl Operation for BuildLayer {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "build",
            turn: Turn::Layer,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: sentence(&self.tree, self.number),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl Operation for KeepChanges {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "keep",
            turn: Turn::Changes,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let path = sh(&self.0);
        Told {
            sentence: format!("keep changes in {}", host(&self.0)),
            source: None,
            target: Some(self.0.to_string_lossy().into_owned()),
            shell: Some(format!("mkdir -p {path}/overlay/upper {path}/overlay/work")),
        }
    }
}

fn entries(number: usize) -> String {
    if number == 1 { "1 entry".into() } else { format!("{number} entries") }
}

fn sentence(tree: &RootTree, number: usize) -> String {
    let Some(layer) = tree.layers.get(number) else { return String::new() };
    let (what, number_of_entries, size) = match layer {
        Layer::Assembled(assembled) => {
            let what = match tree.layers.len() {
                1 => "assemble the root".into(),
                all => format!("assemble layer {} of {all} of the root", number + 1),
            };
            (what, assembled.entries.len(), assembled.size())
        }
        Layer::Kept(kept) => {
            let what = match &kept.came {
                Came::Archive(file) => format!("unpack {}", host(file)),
                Came::Changes => "use the kept changes".into(),
            };
            if kept.is_unknown() {
                return what;
            }
            (what, kept.entries, kept.size)
        }
    };
    format!("{what}: {}, {}", entries(number_of_entries), bytes(size))
}

//! The recipes, each with what it needs.

use std::path::Path;

use super::support::{User, have, missing};

/// What is in the store when a recipe is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Nothing, and nothing is put there.
    Unused,
    /// Nothing: everything is made.
    Cold,
    /// All that the recipe needs.
    Warm,
}

/// A recipe, and the circumstances in which it is run.
pub struct Recipe {
    pub name: &'static str,
    pub text: &'static str,
    pub store: Store,
    /// Whether only root can run it.
    pub is_of_root: bool,
    /// Options of nsscript.
    pub options: &'static [&'static str],
    /// Whether the standard streams are a terminal.
    pub at_terminal: bool,
    /// Programs of the host.
    programs: &'static [&'static str],
    /// Files of the host.
    files: &'static [&'static str],
    /// Whether the tests have to be root's, to give a user what it needs.
    is_prepared_by_root: bool,
}

const PLAIN: Recipe = Recipe {
    name: "",
    text: "",
    store: Store::Unused,
    is_of_root: false,
    options: &[],
    at_terminal: false,
    programs: &[],
    files: &[],
    is_prepared_by_root: false,
};

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("recipes/", $name, ".rhai"))
    };
}

/// All of them.
pub static RECIPES: &[Recipe] = &[
    Recipe { name: "read_only", text: text!("read_only"), ..PLAIN },
    Recipe { name: "added", text: text!("added"), ..PLAIN },
    Recipe { name: "host_view", text: text!("host_view"), ..PLAIN },
    Recipe { name: "everything", text: text!("everything"), ..PLAIN },
    Recipe { name: "pid1", text: text!("pid1"), ..PLAIN },
    Recipe { name: "joined", text: text!("joined"), programs: &["cat", "sleep"], ..PLAIN },
    Recipe { name: "closure", text: text!("closure"), ..PLAIN },
    Recipe { name: "raw", text: text!("raw"), ..PLAIN },
    Recipe { name: "networks", text: text!("networks"), programs: &["cat", "grep"], ..PLAIN },
    Recipe {
        name: "named_networks",
        text: text!("named_networks"),
        is_of_root: true,
        options: &["--host"],
        ..PLAIN
    },
    Recipe { name: "id_mapped", text: text!("id_mapped"), is_of_root: true, ..PLAIN },
    Recipe {
        name: "image",
        text: text!("image"),
        is_of_root: true,
        programs: &["mkfs.ext4"],
        files: &["/dev/loop-control"],
        ..PLAIN
    },
    Recipe {
        name: "outbound",
        text: text!("outbound"),
        programs: &["pasta", "ip"],
        files: &["/dev/net/tun"],
        is_prepared_by_root: true,
        ..PLAIN
    },
    Recipe { name: "terminal", text: text!("terminal"), at_terminal: true, ..PLAIN },
    Recipe { name: "assembled-cold", text: text!("assembled"), store: Store::Cold, ..PLAIN },
    Recipe { name: "assembled-warm", text: text!("assembled"), store: Store::Warm, ..PLAIN },
    Recipe {
        name: "outliving",
        text: text!("outliving"),
        store: Store::Warm,
        programs: &["sleep"],
        ..PLAIN
    },
    Recipe { name: "archive-cold", text: text!("archive"), store: Store::Cold, ..PLAIN },
    Recipe { name: "archive-warm", text: text!("archive"), store: Store::Warm, ..PLAIN },
    Recipe {
        name: "changes",
        text: text!("changes"),
        store: Store::Cold,
        programs: &["chmod", "mkdir", "rm"],
        ..PLAIN
    },
    Recipe {
        name: "mapped-cold",
        text: text!("mapped"),
        store: Store::Cold,
        programs: &["newuidmap", "newgidmap"],
        is_prepared_by_root: true,
        ..PLAIN
    },
    Recipe {
        name: "mapped-warm",
        text: text!("mapped"),
        store: Store::Warm,
        programs: &["newuidmap", "newgidmap"],
        is_prepared_by_root: true,
        ..PLAIN
    },
];

impl Recipe {
    /// Whether this machine can run it for `user`; says what is missing if not.
    pub fn can_run(&self, user: User) -> bool {
        if self.is_of_root && !user.is_root() {
            return false;
        }
        if self.is_prepared_by_root && !User::this().is_root() {
            missing(&format!("root, to prepare what `{}` needs", self.name));
            return false;
        }
        if let Some(absent) = self.files.iter().find(|file| !Path::new(file).exists()) {
            missing(absent);
            return false;
        }
        self.programs.is_empty() || have(self.programs)
    }
}

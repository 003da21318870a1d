//! Mount propagation: whether later mounts of the host appear inside, and those of the sandbox in
//! copies.

use std::path::PathBuf;

use super::{Bound, kernel};
use crate::diag::{Origin, Report, closest, quoted};
use crate::host::mountinfo;
use crate::ops::lowering::{guest, path};
use crate::ops::words::{host, in_root, place};
use crate::ops::{
    Asking, Changes, Facts, FileId, Leaves, Lower, Lowering, Op, Operation, Planning, Scope, Told,
    Turn,
};
use crate::spec::{GuestPath, MountAttributes, Namespaces, ValueError};
use crate::sys::{Call, Create, Identity, MOST_ASIDE, MountPropagation, Tree};

/// A requested propagation of a mount.
#[derive(Clone, Debug, PartialEq)]
pub struct Propagation {
    target: GuestPath,
    kind: MountPropagation,
}

/// The kinds of propagation, as mount_namespaces(7) names them.
const KINDS: [(&str, MountPropagation); 4] = [
    ("private", MountPropagation::Private),
    ("slave", MountPropagation::Slave),
    ("shared", MountPropagation::Shared),
    ("unbindable", MountPropagation::Unbindable),
];

impl Propagation {
    /// The propagation `kind` of the mount at `target`, and of those below it.
    ///
    /// # Errors
    /// The kind is unknown.
    pub fn new(target: GuestPath, kind: &str) -> Result<Self, ValueError> {
        if let Some((_, kind)) = KINDS.into_iter().find(|(name, _)| *name == kind) {
            return Ok(Self { target, kind });
        }
        let names = KINDS.map(|(name, _)| name);
        let error = ValueError::new(format!("unknown propagation {}", quoted(kind)));
        // mount(8) has options such as --make-rslave.
        let plain = kind.trim_start_matches("make-").trim_start_matches('r');
        let near = names.into_iter().find(|name| *name == plain);
        Err(match near.or_else(|| closest(plain, names)) {
            Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
            None => error.hint(format!("a mount can be {}", names.join(", "))),
        })
    }

    fn word(&self) -> &'static str {
        word(self.kind)
    }
}

fn word(kind: MountPropagation) -> &'static str {
    match kind {
        MountPropagation::Private => "private",
        MountPropagation::Slave => "slave",
        MountPropagation::Shared => "shared",
        MountPropagation::Unbindable => "unbindable",
    }
}

impl Asking for Propagation {
    fn name(&self) -> &'static str {
        "propagation"
    }

    fn say(&self) -> String {
        format!("propagation of {}: {}", self.target, self.word())
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let Self { target, kind } = self;
        let at = |op: &Op| op.facts().leaves.mounted_on() == Some(target);
        let Some(index) = to.actions.iter().rposition(|(op, _)| at(op)) else {
            let shown = quoted(target.as_str());
            let report = Report::error(format!("cannot set the propagation of {shown}: no mount"));
            let report = report.note("only a mount of an earlier line has a propagation");
            let hint = format!("bind it first: `.bind({0:?}, {0:?})`", target.as_str());
            let report = if target.is_root() { report } else { report.hint(hint) };
            to.reports.push(report.at(origin.cloned()));
            return Ok(());
        };
        if *kind != MountPropagation::Slave {
            let op = SetPropagation { target: target.clone(), kind: *kind };
            to.push(op, origin);
            return Ok(());
        }
        let Op::Bound(bound) = &to.actions[index].0 else {
            let shown = quoted(target.as_str());
            let message = format!("{shown} cannot be a slave: it is a mount of the sandbox alone");
            let report = Report::error(message).note("nothing outside could mount anything in it");
            to.reports.push(report.hint("leave this line out").at(origin.cloned()));
            return Ok(());
        };
        let bound = bound.clone();
        if bound.mapped.is_some() {
            let shown = quoted(target.as_str());
            let message = format!("{shown} cannot be a slave: its ids are mapped");
            let report = Report::error(message).note("later mounts of the host would not be");
            to.reports.push(report.hint("leave this line out").at(origin.cloned()));
            return Ok(());
        }
        if let Some(report) = apart(to, &bound) {
            to.reports.push(report.at(origin.cloned()));
            return Ok(());
        }
        let number = to.actions.iter().filter(|(op, _)| matches!(op, Op::KeepSlave(_))).count();
        if number >= MOST_ASIDE {
            let message = format!("at most {MOST_ASIDE} mounts of a sandbox can be slaves");
            to.reports.push(Report::error(message).at(origin.cloned()));
            return Ok(());
        }
        let Bound { source, id, attributes, recursive, .. } = bound.clone();
        let keep = KeepSlave { source, id, target: target.clone(), attributes, recursive, number };
        to.push(keep, origin);
        to.actions[index].0 = BindSlave { bound, number }.into();
        Ok(())
    }
}

/// The report of a source whose mount gets nothing from others on the host.
fn apart(to: &Planning<'_>, bound: &Bound) -> Option<Report> {
    let mounts = mountinfo::read(&to.host.tree).ok()?;
    let real = to.host.tree.real(&bound.source);
    // Of mounts on one place, the last one is seen.
    let holds = |mount: &&mountinfo::Mount| real.starts_with(&mount.target);
    let deepest = mounts.iter().filter(holds).max_by_key(|mount| mount.target.len())?;
    let own = mounts.iter().rfind(|mount| mount.target == deepest.target)?;
    if own.propagation.contains("shared") || own.propagation.contains("slave") {
        return None;
    }
    let (shown, on) = (host(&bound.source), quoted(&own.target));
    let message = format!("{shown} cannot be a slave: its mount on {on} is {}", own.propagation);
    let make = if own.target == bound.source.to_string_lossy() {
        format!("mount --make-shared {}", crate::spec::shell_word(&own.target))
    } else {
        let source = crate::spec::shell_word(&bound.source.to_string_lossy());
        format!("mount --bind {source} {source} && mount --make-shared {source}")
    };
    let report = Report::error(message).note("no later mount of the host would appear in it");
    Some(report.hint(format!("share it on the host first, as root: `{make}`")))
}

/// Keeps a copy of a mount of the host that gets its later mounts, before all others are private.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepSlave {
    source: PathBuf,
    id: Option<FileId>,
    target: GuestPath,
    attributes: MountAttributes,
    recursive: bool,
    number: usize,
}

/// Attaches that copy at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct BindSlave {
    bound: Bound,
    number: usize,
}

/// Sets the propagation of a mount, and of those below it.
#[derive(Clone, Debug, PartialEq)]
pub struct SetPropagation {
    target: GuestPath,
    kind: MountPropagation,
}

impl Operation for KeepSlave {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "propagation",
            turn: Turn::Slaves,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let (source, target) = (host(&self.source), place(&self.target));
        Told {
            sentence: format!("let later mounts of the host in {source} appear on {target}"),
            source: Some(self.source.to_string_lossy().into_owned()),
            target: Some(self.target.to_string()),
            // A shell has no name for a mount that is not attached.
            shell: None,
        }
    }
}

impl Lower for KeepSlave {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { source, id, target: _, attributes, recursive, number } = self;
        let id = id.map(|(device, inode)| Identity { device, inode });
        to.push(Call::OpenTree {
            tree: Tree::Host(path(source), id),
            recursive: *recursive,
            set: kernel(*attributes),
        });
        to.push(Call::SetAside { number: *number });
    }
}

impl Operation for BindSlave {
    fn facts(&self) -> Facts<'_> {
        self.bound.facts()
    }

    fn told(&self) -> Told {
        let told = self.bound.told();
        Told { sentence: format!("{}, as a slave", told.sentence), shell: None, ..told }
    }
}

impl Lower for BindSlave {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Bound { directory, target, create, .. } = &self.bound;
        to.push(Call::TakeAside { number: self.number });
        let made = if *directory { Create::Directory } else { Create::File };
        to.attach(target, if *create { made } else { Create::Nothing });
    }
}

impl Operation for SetPropagation {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "propagation",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let (target, word) = (place(&self.target), word(self.kind));
        Told {
            sentence: format!("make {target} {word}, with the mounts below it"),
            source: None,
            target: Some(self.target.to_string()),
            shell: Some(format!("mount --make-r{word} {}", in_root(&self.target))),
        }
    }
}

impl Lower for SetPropagation {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::SetPropagation { path: guest(&self.target), kind: self.kind });
    }
}

#[cfg(test)]
mod tests {
    use super::Propagation;
    use crate::spec::GuestPath;

    #[test]
    fn words_of_mount_get_the_name_of_ours() {
        let new = |kind| Propagation::new(GuestPath::new("/data").unwrap(), kind);
        assert!(new("slave").is_ok());
        let error = new("rslave").unwrap_err();
        assert_eq!(error.to_string(), "unknown propagation `rslave`");
        assert_eq!(error.help(), Some("did you mean `slave`?"));
    }
}

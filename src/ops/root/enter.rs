//! The entry into a root: its preconditions, pivot_root(2) and chroot(2).

use crate::ops::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::Namespaces;
use crate::sys::{Attributes, Call};

/// Ends mount propagation.
#[derive(Clone, Debug, PartialEq)]
pub struct MakePrivate;

/// Binds the root of the host on itself and enters the bind, because pivot_root(2) cannot move a
/// root that is mounted on nothing, such as rootfs.
#[derive(Clone, Debug, PartialEq)]
pub struct CoverRoot;

/// Makes the root read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtectRoot;

/// Enters the root with pivot_root(2).
#[derive(Clone, Debug, PartialEq)]
pub struct PivotRoot;

/// Enters the root with chroot(2).
#[derive(Clone, Debug, PartialEq)]
pub struct Chroot;

impl Operation for MakePrivate {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "mount",
            turn: Turn::Propagation,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "make every mount private".into(),
            source: None,
            target: None,
            shell: Some("mount --make-rprivate /".into()),
        }
    }
}

impl Lower for MakePrivate {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::MakePrivate);
    }
}

impl Operation for CoverRoot {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "mount",
            turn: Turn::CoverRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "bind the host's `/` on itself, so that pivot_root can move it".into(),
            source: None,
            target: Some("/".into()),
            // `..` of the root leads to the mount on top of it, in which the shell continues.
            shell: Some("mount --rbind / / && exec chroot /..".into()),
        }
    }
}

impl Lower for CoverRoot {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::CoverRoot);
    }
}

impl Operation for ProtectRoot {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "protect",
            turn: Turn::ProtectRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "make the root read-only".into(),
            source: None,
            target: None,
            shell: Some("mount -o remount,bind,ro $root".into()),
        }
    }
}

impl Lower for ProtectRoot {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::SetRootAttributes(Attributes::READ_ONLY));
    }
}

impl Operation for PivotRoot {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "pivot_root",
            turn: Turn::EnterRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "enter the root with pivot_root and detach the host's".into(),
            source: None,
            target: Some("/".into()),
            shell: Some("cd $root && pivot_root . . && umount -l . && cd /".into()),
        }
    }
}

impl Lower for PivotRoot {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::PivotRoot);
    }
}

impl Operation for Chroot {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "chroot",
            turn: Turn::EnterRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "enter the root with chroot".into(),
            source: None,
            target: Some("/".into()),
            shell: Some("chroot $root".into()),
        }
    }
}

impl Lower for Chroot {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Chroot);
    }
}

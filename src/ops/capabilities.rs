//! Capabilities that the programs of a sandbox keep: capabilities(7).

use crate::diag::{Origin, Report, list, quoted};
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Op, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{Capabilities, GuestPath, Kind, Namespaces, ValueError};
use crate::sys::Call;

/// The request that programs keep these capabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepCapabilities(pub Capabilities);

/// Drops every capability except some.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitCapabilities {
    /// The capabilities that stay.
    pub kept: Capabilities,
    /// Whether the program is not user 0, and therefore keeps them only as ambient ones.
    pub ambient: bool,
    /// Whether the bounding set was limited before, while a capability allowed it.
    pub bounded: bool,
}

/// The sets as an option of setpriv(1) takes them.
pub(super) fn option(kept: Capabilities) -> String {
    let one = |name: &str| format!(",+{}", name.trim_start_matches("CAP_").to_lowercase());
    format!("-all{}", kept.names().iter().map(|name| one(name)).collect::<String>())
}

impl Operation for LimitCapabilities {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "capabilities",
            turn: Turn::Capabilities,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { kept, ambient, bounded } = *self;
        let (set, none) = (option(kept), option(Capabilities::NONE));
        let bounding = if bounded { String::new() } else { format!(" --bounding-set {set}") };
        let others = if ambient {
            format!(" --inh-caps {set} --ambient-caps {set}")
        } else {
            format!(" --inh-caps {none}")
        };
        let sentence = if kept == Capabilities::ALL {
            "keep all capabilities".to_owned()
        } else {
            format!("drop all capabilities except {}", list(&kept.names(), "and"))
        };
        let shell = Some(format!("setpriv{bounding}{others}"));
        Told { sentence, source: None, target: None, shell }
    }
}

impl Lower for LimitCapabilities {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { kept, ambient, bounded } = *self;
        let kept = kept.bits();
        if !bounded {
            to.push(Call::LimitBoundingSet { kept });
        }
        to.push(Call::LimitCapabilities { kept, ambient });
        to.capable = true;
    }
}

impl Asking for KeepCapabilities {
    fn name(&self) -> &'static str {
        "keep_capabilities"
    }

    fn say(&self) -> String {
        format!("capabilities kept: {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("keep_capabilities")
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    /// The operation that limits the capabilities is part of every launch; here are the requests
    /// that would let a program out of its sandbox.
    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let kept = self.0;
        if !to.namespaces.has(Kind::User) {
            shared_user_namespace(kept, to, origin);
        }
        if kept.has("SYS_CHROOT") || kept.has("SYS_ADMIN") {
            leaves_chroot(kept, to, origin);
        }
        if kept.has("SYS_PTRACE") && !to.namespaces.has(Kind::Pid) {
            let message = "a program with `CAP_SYS_PTRACE` could control processes of nsscript, \
                           because PID is shared";
            let report = Report::error(message).at(origin.cloned());
            let report = report.related(to.shared.as_ref(), "shared here");
            let hint = "leave PID out of `share`, or keep other capabilities";
            to.reports.push(report.advise("traces_outside", hint));
        }
        if kept.has("SYS_ADMIN") && to.namespaces.has(Kind::User) {
            mounts_anew(to, origin);
        }
        Ok(())
    }
}

/// Reports capabilities that are too powerful in the user namespace of nsscript, or that nsscript
/// does not have there.
fn shared_user_namespace(kept: Capabilities, to: &mut Planning<'_>, origin: Option<&Origin>) {
    let others = kept.without(Capabilities::HARMLESS);
    if !others.is_empty() {
        let (names, it) = (list(&quoted_names(others), "and"), it(others));
        let message = format!("{names} would be {it} of the host, because USER is shared");
        let report = Report::error(message).at(origin.cloned());
        let report = report.related(to.shared.as_ref(), "shared here");
        let harmless = Capabilities::HARMLESS;
        let hint = format!(
            "leave USER out of `share`: in a user namespace of its own, a program can keep every \
             capability; with the host's, it can keep {harmless}"
        );
        to.reports.push(report.advise("capability_of_host", hint));
    }
    // If this cannot be read, the kernel says it.
    let own = to.host.status("CapPrm").and_then(|set| u64::from_str_radix(&set, 16).ok());
    let lacking = own.map_or(Capabilities::NONE, |own| kept.without(Capabilities::of_bits(own)));
    let lacking = lacking.without(others);
    if !lacking.is_empty() {
        let names = list(&quoted_names(lacking), "and");
        let message = format!("nsscript itself does not have {names}, and USER is shared");
        let report = Report::error(message).at(origin.cloned());
        let report = report.related(to.shared.as_ref(), "shared here");
        let hint = "leave USER out of `share`: a new user namespace has every capability";
        to.reports.push(report.advise("capability_lacking", hint));
    }
}

fn quoted_names(set: Capabilities) -> Vec<String> {
    set.names().iter().map(quoted).collect()
}

fn it(set: Capabilities) -> &'static str {
    if set.names().len() == 1 { "a capability" } else { "capabilities" }
}

/// Reports that a program can leave a root that was entered with chroot(2).
fn leaves_chroot(kept: Capabilities, to: &mut Planning<'_>, origin: Option<&Origin>) {
    let Some(chroot) = &to.chroot else { return };
    let name = if kept.has("SYS_CHROOT") { "CAP_SYS_CHROOT" } else { "CAP_SYS_ADMIN" };
    let message = format!("a program with `{name}` can leave a root that was entered by `chroot`");
    let report = Report::error(message).at(origin.cloned());
    let report = report.related(chroot.as_ref(), "entered here");
    let hint = format!("leave out `chroot()`, or keep other capabilities than {}", quoted(name));
    to.reports.push(report.advise("chroot_left", hint));
}

/// Reports what a program with `CAP_SYS_ADMIN` could undo: the mounts of its sandbox belong to its
/// own user namespace, so the kernel locks none of them.
fn mounts_anew(to: &mut Planning<'_>, origin: Option<&Origin>) {
    if to.maps.maps_root() {
        let message = "a program with `CAP_SYS_ADMIN` could change the machine through a new \
                       `/proc`, because user 0 of the machine is mapped";
        let hint = "map other users: `.map_users(\"all\").map_groups(\"all\")`";
        let report = Report::error(message).at(origin.cloned());
        to.reports.push(report.advise("root_is_mapped", hint));
        return;
    }
    let (mut shown, mut own) = (Vec::new(), Vec::new());
    if to.views_host {
        shown.push((GuestPath::root(), to.root_origin.clone()));
    }
    let mut of_host: Vec<GuestPath> = shown.iter().map(|(place, _)| place.clone()).collect();
    for (action, at) in &to.actions {
        let leaves = action.facts().leaves;
        let place = match leaves {
            Leaves::Bound { target, attributes, .. } => {
                of_host.push(target.clone());
                // Devices are those of every sandbox, and of no file system that could be changed. The
                // kernel locks what other binds inherit from the host, but nothing of a copy that was
                // made there.
                let is_copy = matches!(action, Op::Bound(bound) if bound.mapped.is_some());
                if !attributes.read_only && !is_copy {
                    continue;
                }
                target
            }
            Leaves::FileSystem { target, attributes, .. } if attributes.read_only => target,
            Leaves::Hidden(place) | Leaves::ReadOnly(place) => place,
            Leaves::FileSystem { target, .. } if of_host.iter().any(|it| target.is_within(it)) => {
                target
            }
            Leaves::Nothing
            | Leaves::FileSystem { .. }
            | Leaves::Directory(_)
            | Leaves::File(_)
            | Leaves::Symlink { .. } => continue,
        };
        let is_shown =
            matches!(leaves, Leaves::Bound { .. }) || of_host.iter().any(|it| place.is_within(it));
        let places = if is_shown { &mut shown } else { &mut own };
        places.push((place.clone(), at.clone()));
    }
    if let Some((place, at)) = shown.first() {
        let place = quoted(place.as_str());
        let message = format!(
            "a program with `CAP_SYS_ADMIN` could undo what protects the host's files at {place}"
        );
        let report = Report::error(message).at(origin.cloned());
        let report = report.related(at.as_ref(), "protected here");
        let hint = "keep other capabilities than `CAP_SYS_ADMIN`, or copy the files into a root of \
                    the sandbox's own, with `rootfs().copy(…)`";
        to.reports.push(report.advise("protection_undone", hint));
    } else if !own.is_empty() {
        let mut places: Vec<_> = own.iter().map(|(place, _)| place.to_string()).collect();
        places.sort_unstable();
        places.dedup();
        let message = format!(
            "a program with `CAP_SYS_ADMIN` can undo that {} {} hidden or read-only",
            list(&places, "and"),
            if places.len() == 1 { "is" } else { "are" }
        );
        to.warnings.push(Report::warning(message).at(origin.cloned()));
    }
}

/// The capabilities that the actions of a plan leave to programs.
pub fn capabilities_of<'a>(actions: impl IntoIterator<Item = &'a Op>) -> Capabilities {
    let kept = actions.into_iter().find_map(|action| match action {
        Op::LimitCapabilities(limit) => Some(limit.kept),
        _ => None,
    });
    kept.unwrap_or(Capabilities::NONE)
}

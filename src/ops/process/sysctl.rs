//! Settings of the kernel that each namespace has for itself: sysctl(8).

use crate::diag::{Origin, Report, quoted};
use crate::ops::lowering::c;
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Kind, Namespaces, ValueError, shell_word};
use crate::sys::Call;

/// A setting of the namespaces of the sandbox is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Sysctl {
    key: String,
    value: String,
    kind: Kind,
}

/// The settings that namespaces have, by how their names begin. What a network namespace shows
/// below `net` is its own, with the exceptions below; the others are those of ipc_namespaces(7).
const OF_NAMESPACES: [(&str, Kind); 9] = [
    ("net/", Kind::Net),
    ("fs/mqueue/", Kind::Ipc),
    ("kernel/msgmax", Kind::Ipc),
    ("kernel/msgmnb", Kind::Ipc),
    ("kernel/msgmni", Kind::Ipc),
    ("kernel/sem", Kind::Ipc),
    ("kernel/shmall", Kind::Ipc),
    ("kernel/shmm", Kind::Ipc),
    ("kernel/shm_rmid_forced", Kind::Ipc),
];

/// Settings that each namespace shows, and that are those of the machine: the kernel switches the
/// hooks of lightweight tunnels on for everybody, and never off.
const OF_THE_MACHINE: [&str; 1] = ["net/netfilter/nf_hooks_lwtunnel"];

impl Sysctl {
    /// A setting by its name below `/proc/sys`, with `.` or `/` between the parts:
    /// `net.ipv4.ip_forward`, `net/ipv4/conf/eth0.1/forwarding`.
    ///
    /// # Errors
    /// The name is no path below `/proc/sys`, the setting is that of the whole machine, or the
    /// value is empty or contains a control character other than a tab.
    pub fn new(key: &str, value: &str) -> Result<Self, ValueError> {
        // As sysctl(8): with a slash, dots are parts of names.
        let path = if key.contains('/') { key.to_owned() } else { key.replace('.', "/") };
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        if !path.split('/').all(is_name) {
            let error = ValueError::new(format!("invalid setting {}", quoted(key)));
            return Err(error.hint("a setting is named as in sysctl(8): `net.ipv4.ip_forward`"));
        }
        let is_of_machine = OF_THE_MACHINE.contains(&path.as_str());
        let found = OF_NAMESPACES.iter().find(|(start, _)| path.starts_with(start));
        let Some((_, kind)) = found.filter(|_| !is_of_machine) else {
            let message = format!("a sandbox has no setting {} of its own", quoted(key));
            let hint = "it can set those below `net` and `fs.mqueue`, and the System V IPC settings \
                        of `kernel`; `.hostname(…)` sets the host name";
            return Err(ValueError::new(message).hint(hint));
        };
        if value.is_empty() || value.contains(|one: char| one.is_control() && one != '\t') {
            let message = format!("invalid value {} for {}", quoted(value), quoted(key));
            return Err(ValueError::new(message).hint("a value is a number or a word, in one line"));
        }
        Ok(Self { key: path, value: value.to_owned(), kind: *kind })
    }
}

impl Operation for Sysctl {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "sysctl",
            turn: Turn::Sysctls,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { key, value, kind: _ } = self;
        let file = format!("/proc/sys/{key}");
        Told {
            sentence: format!("set {} to {}", quoted(key), quoted(value)),
            source: None,
            shell: Some(format!("echo {} > {}", shell_word(value), shell_word(&file))),
            target: Some(file),
        }
    }
}

impl Lower for Sysctl {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { key, value, kind: _ } = self;
        // The process still sees the caller's /proc, whose files are those of its own namespaces.
        let path = c(format!("/proc/sys/{key}"));
        to.push(Call::WriteProc { path, bytes: value.clone().into_bytes() });
    }
}

impl Asking for Sysctl {
    fn name(&self) -> &'static str {
        "sysctl"
    }

    fn say(&self) -> String {
        format!("sysctl {} {}", self.key, self.value)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        if to.owns(self.kind) {
            to.push(self.clone(), origin);
            return Ok(());
        }
        let (name, key) = (self.kind.constant(), self.key.replace('/', "."));
        let message = format!("cannot set {}: the {name} namespace is not a new one", quoted(key));
        let hint = if self.kind == Kind::Net {
            "leave out `share(NET)` and `network(…)`: the setting would be that of all programs there"
        } else {
            "leave out `share(IPC)`: the setting would be that of all programs there"
        };
        let report = Report::error(message).at(origin.cloned());
        to.reports.push(report.advise("sysctl_of_others", hint));
        Ok(())
    }
}

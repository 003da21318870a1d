//! The actions of a sandbox as commands of a shell. Its variable `root` is where the new root is.

use super::action::{Action, Lower, RootKind};
use super::names::FORWARDED;
use super::notation::letters;
use crate::spec::{BindOptions, FileOptions, GuestPath, IdMap, MountOptions, shell_word};

/// A place inside, while the root is still the host's.
fn place(path: &GuestPath) -> String {
    match path.as_str() {
        "/" => "$root".into(),
        path => format!("$root{}", shell_word(path)),
    }
}

fn host(path: &std::path::Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// The words of mount(8) that stand before those of the file system, where they are wanted.
fn words(wanted: [(bool, &str); 4]) -> Vec<String> {
    let wanted = wanted.iter().filter(|(wanted, _)| *wanted);
    wanted.map(|(_, word)| (*word).to_owned()).collect()
}

fn options(words: &[String]) -> String {
    if words.is_empty() { String::new() } else { format!(" -o {}", shell_word(&words.join(","))) }
}

fn bind(source: &str, target: &GuestPath, given: BindOptions) -> String {
    let recursive = if given.recursive { "r" } else { "" };
    let options = options(&words([
        (given.read_only, "ro"),
        (!given.suid, "nosuid"),
        (!given.devices, "nodev"),
        (!given.exec, "noexec"),
    ]));
    format!("mount --{recursive}bind{options} {source} {}", place(target))
}

fn mount(kind: &str, source: &str, target: &GuestPath, given: &MountOptions) -> String {
    let mut all = words([
        (given.read_only, "ro"),
        (!given.suid, "nosuid"),
        (!given.devices, "nodev"),
        (!given.exec, "noexec"),
    ]);
    all.extend(given.data.iter().map(|(key, value)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    }));
    let (kind, source) = (shell_word(kind), shell_word(source));
    format!("mount -t {kind}{} {source} {}", options(&all), place(target))
}

fn root(kind: &RootKind) -> Option<String> {
    let overlay = |lower: &str, changes: Option<&std::path::PathBuf>| {
        let kept = changes.map_or(String::new(), |path| format!("{}/overlay/", host(path)));
        let layers = format!("lowerdir={lower},upperdir={kept}upper,workdir={kept}work");
        format!("mount -t overlay -o nosuid,nodev,{layers} root $root")
    };
    Some(match kind {
        RootKind::Memory => "mount -t tmpfs -o nosuid,nodev,mode=0755 root $root".into(),
        RootKind::Overlay { lower, changes } => {
            let lower = match lower {
                Lower::Empty => "empty".into(),
                Lower::Built => "tree".into(),
                Lower::Directory(path) => host(path),
            };
            overlay(&lower, changes.as_ref())
        }
        RootKind::Copy => "mount --bind -o nosuid,nodev copy $root".into(),
        RootKind::Plain(_) => return None,
        RootKind::View { path, .. } => {
            format!("mount --rbind -o ro,nosuid,nodev {} $root", host(path))
        }
    })
}

fn owner(options: FileOptions) -> String {
    let id = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
    match options.gid {
        None => id(options.uid),
        gid => format!("{}:{}", id(options.uid), id(gid)),
    }
}

/// What makes something look as it should.
fn look(path: &GuestPath, options: FileOptions, mode: Option<u32>) -> String {
    let mut out = mode.map_or(String::new(), |mode| format!(" && chmod {mode:o} {}", place(path)));
    if options.uid.is_some() || options.gid.is_some() {
        out.push_str(&format!(" && chown {} {}", owner(options), place(path)));
    }
    out
}

fn map(file: &str, map: &IdMap) -> String {
    let text = map.kernel_text();
    format!("printf {} > /proc/$pid/{file}", shell_word(&text.trim_end().replace('\n', "\\n")))
}

impl Action {
    /// The command of a shell that does the same, where there is one.
    #[must_use]
    pub fn shell(&self) -> Option<String> {
        Some(match self {
            Self::PrepareMaps(maps) => {
                let (users, groups) = (map("uid_map", &maps.users), map("gid_map", &maps.groups));
                format!("unshare --user sleep inf & pid=$!; {users}; {groups}")
            }
            Self::EnterNetwork(network) => {
                format!("ip netns exec {} $SHELL", shell_word(&network.label))
            }
            Self::ConnectOutside(outbound) => {
                let options = outbound.options().join(" ");
                format!("pasta {options} --dns-forward {FORWARDED} --netns NET")
            }
            Self::Start(namespaces) if namespaces.is_empty() => return None,
            Self::Start(namespaces) => format!("unshare --fork -{}", letters(*namespaces)),
            Self::Join(namespaces) => format!("nsenter -t $pid -{}", letters(*namespaces)),
            Self::MapOwnIds(maps) => map("uid_map", &maps.users),
            Self::MakePrivate => "mount --make-rprivate /".into(),
            // `..` of the root leads onto what is mounted on it; the shell goes on in there.
            Self::CoverRoot => "mount --rbind / / && exec chroot /..".into(),
            Self::LoopbackUp => "ip link set lo up".into(),
            Self::MakeRoot(kind) => return root(kind),
            Self::Bind { source, target, options, .. } => bind(&host(source), target, *options),
            Self::Mount { kind, source, target, options, .. } => {
                mount(kind, source, target, options)
            }
            Self::Protect { target, optional } => {
                let place = place(target);
                let optional =
                    if *optional { format!("[ ! -e {place} ] || ") } else { String::new() };
                format!("{optional}mount --rbind -o ro {place} {place}")
            }
            Self::MakeDirectory(path, options) => {
                let mode = options.mode.unwrap_or(0o755);
                let make = format!("mkdir -p -m {mode:o} {}", place(path));
                make + look(path, *options, None).as_str()
            }
            Self::MakeFile(path, _, options) => {
                let written = format!("printf … > {}", place(path));
                written + look(path, *options, options.mode).as_str()
            }
            Self::MakeSymlink { path, target } => {
                format!("ln -s {} {}", shell_word(target), place(path))
            }
            Self::ProtectRoot => "mount -o remount,bind,ro $root".into(),
            Self::PivotRoot => "cd $root && pivot_root . . && umount -l .".into(),
            Self::Chroot => "chroot $root".into(),
            Self::SetHostname(name) => format!("hostname {}", shell_word(name)),
            Self::SetDomainname(name) => format!("domainname {}", shell_word(name)),
            Self::BecomeMapped { uid, gid } | Self::SetIds { uid, gid } => {
                format!("setpriv --reuid {uid} --regid {gid} --clear-groups")
            }
            Self::DropCapabilities => "setpriv --bounding-set -all --inh-caps -all".into(),
            Self::NewKeyring => "keyctl session".into(),
            Self::NoNewPrivileges => "setpriv --no-new-privs".into(),
            Self::DieWithParent => "setpriv --pdeathsig KILL".into(),
            Self::NewSession => "setsid".into(),
            Self::SetUmask(mode) => format!("umask {mode:03o}"),
            Self::Enter(path) => format!("cd {}", shell_word(path.as_str())),
            Self::Execute { command, .. } => format!("exec {}", command.shown()),
            Self::Raw(raw) => return raw.shell(),
            Self::KeepChanges(path) => {
                let path = host(path);
                format!("mkdir -p {path}/overlay/upper {path}/overlay/work")
            }
            Self::BuildLayer(..)
            | Self::Mask(_)
            | Self::StartInit
            | Self::Connect(_)
            | Self::Closure => return None,
        })
    }
}

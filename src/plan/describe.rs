//! Actions as sentences: the same for a plan, an explanation and an error.

use super::action::{Action, Lower, RootKind};
use super::tree::{Came, Layer, RootTree};
use crate::diag::{bytes, count, list, quoted, shortened};
use crate::spec::{Command, GuestPath, Kind, Namespaces, Streams};

impl Action {
    /// What is done, as a sentence without a subject: "bind `/srv` on `/data`, read-only".
    ///
    /// After "cannot" it is the sentence of an error.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::BuildLayer(tree, number) => layer(tree, *number),
            Self::KeepChanges(path) => {
                format!("keep what changes in {}", quoted(path.to_string_lossy()))
            }
            Self::PrepareMaps(maps) => format!("make a user namespace that maps {maps}"),
            Self::EnterNetwork(network) => format!("enter the network {}", network.label),
            Self::ConnectOutside(_) => "connect a new network to the outside by pasta(1)".into(),
            Self::Start(namespaces) if namespaces.is_empty() => "start a process".into(),
            Self::Start(namespaces) => format!("start a process in new {}", names(*namespaces)),
            Self::Join(namespaces) => {
                format!("start a process in the {} of the sandbox", names(*namespaces))
            }
            Self::MapOwnIds(maps) => format!("map {maps}"),
            Self::MakePrivate => "make every mount private".into(),
            Self::CoverRoot => {
                "bind the host's `/` on itself, so that pivot_root can move it".into()
            }
            Self::LoopbackUp => "set the loopback device up".into(),
            Self::MakeRoot(kind) => root(kind),
            Self::Bind { source, target, options, .. } => {
                let source = quoted(source.to_string_lossy());
                let read_only = if options.read_only { ", read-only" } else { "" };
                format!("bind {source} on {}{read_only}", place(target))
            }
            Self::Mount { kind, target, options, .. } => {
                let read_only = if options.read_only { ", read-only" } else { "" };
                format!("mount {kind} on {}{read_only}", place(target))
            }
            Self::Protect { target, optional } => {
                let optional = if *optional { ", if it is there" } else { "" };
                format!("make {} read-only{optional}", place(target))
            }
            Self::Mask(path) => format!("hide {}", place(path)),
            Self::MakeDirectory(path, options) => match options.mode {
                Some(mode) => format!("make the directory {} with mode {mode:04o}", place(path)),
                None => format!("make the directory {}", place(path)),
            },
            Self::MakeFile(path, content, _) => {
                format!("write {} to {}", count(content.len(), "byte"), place(path))
            }
            Self::MakeSymlink { path, target } => {
                format!("make the link {} to {}", place(path), quoted(target))
            }
            Self::ProtectRoot => "make the root read-only".into(),
            Self::PivotRoot => "enter the root with pivot_root and detach the host's".into(),
            Self::Chroot => "enter the root with chroot".into(),
            Self::SetHostname(name) => format!("set the host name to {}", quoted(name)),
            Self::SetDomainname(name) => format!("set the domain name to {}", quoted(name)),
            Self::BecomeMapped { uid, gid } => {
                format!("become user {uid} and group {gid}, with every capability")
            }
            Self::SetIds { uid, gid } => format!("become user {uid} and group {gid}"),
            Self::DropCapabilities => "drop every capability".into(),
            Self::NewKeyring => "get a session keyring of its own".into(),
            Self::NoNewPrivileges => "let no program gain privileges".into(),
            Self::DieWithParent => "die with nsscript".into(),
            Self::StartInit => "become init, which starts a second process".into(),
            Self::NewSession => "start a session".into(),
            Self::Connect(streams) => connect(*streams).into(),
            Self::SetUmask(mode) => format!("set the umask to {mode:03o}"),
            Self::Enter(path) => format!("enter the working directory {}", place(path)),
            Self::Execute { command, .. } => {
                format!("execute {}", shown(command))
            }
            Self::Closure => "run the closure".into(),
            Self::Raw(raw) => raw.describe(),
        }
    }

    /// What is done, in one word, for a `catch` that asks.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::BuildLayer(..) => "build",
            Self::KeepChanges(_) => "keep",
            Self::EnterNetwork(_) | Self::ConnectOutside(_) => "network",
            Self::PrepareMaps(_) | Self::MapOwnIds(_) => "map",
            Self::Start(_) | Self::StartInit => "clone",
            Self::Join(_) => "setns",
            Self::MakePrivate | Self::CoverRoot | Self::Mount { .. } | Self::MakeRoot(_) => "mount",
            Self::LoopbackUp => "loopback",
            Self::Bind { .. } => "bind",
            Self::Protect { .. } | Self::ProtectRoot => "protect",
            Self::Mask(_) => "mask",
            Self::MakeDirectory(..) => "directory",
            Self::MakeFile(..) => "file",
            Self::MakeSymlink { .. } => "symlink",
            Self::PivotRoot => "pivot_root",
            Self::Chroot => "chroot",
            Self::SetHostname(_) => "hostname",
            Self::SetDomainname(_) => "domainname",
            Self::BecomeMapped { .. } | Self::SetIds { .. } => "user",
            Self::NewKeyring => "keyring",
            Self::DropCapabilities | Self::NoNewPrivileges => "capabilities",
            Self::DieWithParent | Self::NewSession | Self::Connect(_) => "session",
            Self::SetUmask(_) => "umask",
            Self::Enter(_) => "workdir",
            Self::Execute { .. } => "execute",
            Self::Closure => "closure",
            Self::Raw(raw) => raw.operation(),
        }
    }

    /// The place on the host that the action reads, and the one inside that it is about.
    #[must_use]
    pub fn paths(&self) -> (Option<String>, Option<String>) {
        let text = |path: &GuestPath| Some(path.to_string());
        match self {
            Self::Bind { source, target, .. } => {
                (Some(source.to_string_lossy().into_owned()), text(target))
            }
            Self::Mount { source, target, .. } => (Some(source.clone()), text(target)),
            Self::MakeRoot(
                RootKind::Plain(path)
                | RootKind::View { path, .. }
                | RootKind::Overlay { lower: Lower::Directory(path), .. },
            ) => (Some(path.to_string_lossy().into_owned()), Some("/".into())),
            Self::KeepChanges(path) => (None, Some(path.to_string_lossy().into_owned())),
            Self::CoverRoot | Self::MakeRoot(_) | Self::PivotRoot | Self::Chroot => {
                (None, Some("/".into()))
            }
            Self::MakeSymlink { path, .. }
            | Self::Protect { target: path, .. }
            | Self::Mask(path)
            | Self::MakeDirectory(path, _)
            | Self::MakeFile(path, ..)
            | Self::Enter(path) => (None, text(path)),
            Self::Execute { command, .. } => (None, Some(command.program().to_owned())),
            Self::Raw(raw) => raw.paths(),
            _ => (None, None),
        }
    }
}

fn place(path: &GuestPath) -> String {
    quoted(path.as_str())
}

fn entries(number: usize) -> String {
    if number == 1 { "1 entry".into() } else { format!("{number} entries") }
}

/// What is done for a layer of a root.
fn layer(tree: &RootTree, number: usize) -> String {
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
                Came::Archive(file) => format!("unpack {}", quoted(file.to_string_lossy())),
                Came::Changes => "use the changes that were kept".into(),
            };
            if kept.is_unknown() {
                return what;
            }
            (what, kept.entries, kept.size)
        }
    };
    format!("{what}: {}, {}", entries(number_of_entries), bytes(size))
}

fn root(kind: &RootKind) -> String {
    match kind {
        RootKind::Memory => "make an empty root in memory".into(),
        RootKind::Overlay { lower, changes } => {
            let what = match lower {
                Lower::Empty => "an empty directory".into(),
                Lower::Built => "the assembled tree".into(),
                Lower::Directory(path) => quoted(path.to_string_lossy()),
            };
            match changes {
                None => format!("use {what} as the root; changes vanish"),
                Some(path) => {
                    let path = quoted(path.to_string_lossy());
                    format!("use {what} as the root; changes are kept in {path}")
                }
            }
        }
        RootKind::Copy => "use a copy of the assembled tree as the root; changes vanish".into(),
        RootKind::Plain(path) => format!("use {} as the root", quoted(path.to_string_lossy())),
        RootKind::View { path, .. } => {
            format!("use {} as the root, read-only", quoted(path.to_string_lossy()))
        }
    }
}

fn connect(streams: Streams) -> &'static str {
    match streams {
        Streams::Inherited => "use the standard streams of nsscript",
        Streams::Terminal => "use a terminal of its own, passed on to that of nsscript",
        Streams::Captured => "write output and errors into pipes",
        Streams::Piped => "read input from a pipe and write output into one",
    }
}

/// The most letters of a command that a sentence has.
const LONGEST: usize = 1000;

/// A command as it stands in a sentence.
pub(super) fn shown(command: &Command) -> String {
    quoted(shortened(&command.shown(), LONGEST))
}

pub(super) fn names(namespaces: Namespaces) -> String {
    let names: Vec<_> = namespaces.kinds().map(Kind::name).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} namespace{plural}", list(&names, "and"))
}

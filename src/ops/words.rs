//! Paths, commands and namespaces as sentences, C literals and shell words.

use std::path::Path;

use crate::diag::{c_literal, list, quoted, shortened};
use crate::spec::{Command, GuestPath, Kind, Namespaces, shell_word};

/// A place inside, in a sentence.
pub(super) fn place(path: &GuestPath) -> String {
    quoted(path.as_str())
}

/// A path of the host, in a sentence.
pub(super) fn host(path: &Path) -> String {
    quoted(path.to_string_lossy())
}

/// A path as an argument of a system call.
pub(super) fn c(path: &Path) -> String {
    c_literal(&path.to_string_lossy())
}

/// A path as an argument of a shell command.
pub(super) fn sh(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// A place inside, as an argument of a shell command; `$root` is the new root.
pub(super) fn in_root(path: &GuestPath) -> String {
    match path.as_str() {
        "/" => "$root".into(),
        path => format!("$root{}", shell_word(path)),
    }
}

/// The shell command that sets these options of a mount and of all mounts below it, because
/// mount(8) changes only one mount.
pub(super) fn remount_all(at: &str, words: &str) -> String {
    format!("findmnt -Rlno TARGET {at} | xargs -d '\\n' -n 1 mount -o remount,bind,{words}")
}

/// The options of unshare(1) and nsenter(1) for these kinds.
pub(super) fn letters(namespaces: Namespaces) -> String {
    let letter = |kind| match kind {
        Kind::User => 'U',
        Kind::Mount => 'm',
        Kind::Pid => 'p',
        Kind::Net => 'n',
        Kind::Uts => 'u',
        Kind::Ipc => 'i',
        Kind::Cgroup => 'C',
        Kind::Time => 'T',
    };
    namespaces.kinds().map(letter).collect()
}

/// "a new UTS namespace", "new user and mount namespaces".
pub(super) fn new_names(namespaces: Namespaces) -> String {
    let article = if namespaces.kinds().count() == 1 { "a " } else { "" };
    format!("{article}new {}", names(namespaces))
}

/// "user, mount and PID namespaces".
pub(super) fn names(namespaces: Namespaces) -> String {
    let names: Vec<_> = namespaces.kinds().map(Kind::name).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} namespace{plural}", list(&names, "and"))
}

/// The maximum length of a command in a sentence, in letters.
const LONGEST: usize = 1000;

/// A command, in a sentence.
pub(super) fn shown(command: &Command) -> String {
    quoted(shortened(&command.shown(), LONGEST))
}

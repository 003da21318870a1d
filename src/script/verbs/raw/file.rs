//! Files and directories, created and read at once.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rhai::Map;

use super::{act, no_nul};
use crate::diag::{Report, quoted};
use crate::ops::raw::{Chmod, Chown, HardLink, Mkdir, Mknod, Remove, Rename, Symlink};
use crate::run::Errno;
use crate::script::binding::argument::{Bytes, IdNumber, Mode, OwnPath, Returned};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["file.rs";
    fn mkdir,
    fn mknod,
    fn symlink,
    fn link,
    fn rename,
    fn chmod,
    fn chown,
    fn write_file,
    fn read_file,
    fn stat,
    fn remove,
];

options! {
    /// How to write a file.
    struct Write {
        /// adds the content at the end
        append: bool = "false",
    }

    /// The owner of a file.
    struct Owner {
        /// the user id of the new owner; by default, the owner stays
        uid: IdNumber = "",
        /// the group id of the new group; by default, the group stays
        gid: IdNumber = "",
    }

    /// A file system node.
    struct Node {
        /// `"char"`, `"block"`, `"fifo"`, `"socket"` or `"file"`
        r#type: String = "\"char\"",
        /// the major number of a device
        major: i64 = "0",
        /// the minor number of a device
        minor: i64 = "0",
        /// the permission bits
        mode: Mode = "0o644",
    }
}

/// The largest file that a recipe can read.
const LARGEST: u64 = 64 << 20;

fn number(value: Option<i64>, key: &str, call: &Call<'_, '_>) -> Result<u32, VerbError> {
    let value = value.unwrap_or(0);
    u32::try_from(value).map_err(|_| {
        let report = Report::error(format!(
            "invalid device number {value}: expected a number from 0 to 4294967295"
        ));
        call.fail_at_key(key, report)
    })
}

/// The error of a failed system call on a file.
fn unanswered(what: &str, path: &Path, errno: Errno, call: &Call<'_, '_>) -> VerbError {
    let shown = quoted(path.to_string_lossy());
    let mut report = Report::error(format!("cannot {what} {shown}: {errno}"));
    report.facts.errno = Some(errno.code());
    report.facts.operation = Some(call.name().into());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    let report = match errno.name().as_str() {
        "EFBIG" => {
            report.hint("read a part of it with a program: a recipe can read files up to 64 MiB")
        }
        "ENOENT" | "EPERM" | "EACCES"
            if let Some(hint) = call.context.runner.hides_process(path) =>
        {
            report.hint(hint)
        }
        "ENOENT" => match call.context.runner.host().tree.near(path) {
            Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
            None => report,
        },
        _ => report,
    };
    call.fail(report)
}

/// The type of a file, in the words of `mknod`.
fn kind(file: &Metadata) -> &'static str {
    let kind = file.file_type();
    let kinds = [
        ("directory", kind.is_dir()),
        ("char", kind.is_char_device()),
        ("block", kind.is_block_device()),
        ("fifo", kind.is_fifo()),
        ("socket", kind.is_socket()),
    ];
    kinds.iter().find(|(_, is_it)| *is_it).map_or("file", |(word, _)| *word)
}

/// The metadata of a file; zeros for a file that a dry run did not create.
fn facts(file: Option<&Metadata>) -> Map {
    let number = |fact: fn(&Metadata) -> u64| {
        i64::try_from(file.map_or(0, fact)).unwrap_or(i64::MAX).into_dynamic()
    };
    let kind = file.map_or("file", kind).to_owned();
    Map::from([
        ("type".into(), kind.into_dynamic()),
        ("mode".into(), number(|file| u64::from(file.mode() & 0o7777))),
        ("uid".into(), number(|file| file.uid().into())),
        ("gid".into(), number(|file| file.gid().into())),
        ("size".into(), number(MetadataExt::size)),
        ("allocated".into(), number(|file| file.blocks().saturating_mul(512))),
        ("inode".into(), number(MetadataExt::ino)),
        ("device".into(), number(MetadataExt::dev)),
        ("links".into(), number(MetadataExt::nlink)),
    ])
}

/// Creates a directory with exactly these permission bits; the default is `0o755`.
///
/// # Errors
/// The path exists already. The parent directory is missing. The path is on a file system of the
/// host.
///
/// # Example
/// ```rhai
/// mkdir(`${scratch()}/data`, 0o700);
/// ```
/// # See
/// mkdir(2)
fn mkdir(call: &Call<'_, '_>, path: OwnPath, mode: Option<Mode>) -> Result<(), VerbError> {
    act(Mkdir { path: path.0, mode: mode.map_or(0o755, |mode| mode.0) }, call)
}

/// Creates a device, a FIFO, a socket or an empty file.
///
/// # Errors
/// Devices need CAP_MKNOD in the host's user namespace. As for `mkdir`.
///
/// # Example
/// ```rhai
/// mknod(`${scratch()}/queue`, #{ type: "fifo" });
/// ```
/// # See
/// mknod(2)
fn mknod(call: &Call<'_, '_>, path: OwnPath, options: Node) -> Result<(), VerbError> {
    let kind = match options.r#type.as_deref().unwrap_or("char") {
        "char" => 'c',
        "block" => 'b',
        "fifo" => 'p',
        "socket" => 's',
        "file" => 'f',
        other => {
            let message = format!("unknown node type {}", quoted(other));
            let hint = "expected `\"char\"`, `\"block\"`, `\"fifo\"`, `\"socket\"` or `\"file\"`";
            return Err(call.fail_at_key("type", Report::error(message).hint(hint)));
        }
    };
    let device = (number(options.major, "major", call)?, number(options.minor, "minor", call)?);
    let mode = options.mode.map_or(0o644, |mode| mode.0);
    act(Mknod { path: path.0, kind, mode, device }, call)
}

/// Creates a symbolic link at `path` that points to `target`, as ln(1) does.
///
/// # Errors
/// The path exists already. As for `mkdir`.
///
/// # Example
/// ```rhai
/// symlink("busybox", `${scratch()}/sh`);
/// ```
/// # See
/// symlink(2)
fn symlink(call: &Call<'_, '_>, target: String, path: OwnPath) -> Result<(), VerbError> {
    act(Symlink { says: no_nul(target, call)?, path: path.0 }, call)
}

/// Creates a hard link at `path`: a further name of the file `file`.
///
/// If `file` is a symbolic link, the link itself gets the further name.
///
/// # Errors
/// `file` does not exist, is a directory, or is on another file system (EXDEV). As for `mkdir`.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/one`, "1");
/// link(`${scratch()}/one`, `${scratch()}/two`);
/// assert_eq(stat(`${scratch()}/one`).links, 2);
/// ```
/// # See
/// link(2)
fn link(call: &Call<'_, '_>, file: OwnPath, path: OwnPath) -> Result<(), VerbError> {
    act(HardLink { file: file.0, path: path.0 }, call)
}

/// Renames a file or directory. An existing file, or an empty directory, is replaced at once.
///
/// # Errors
/// `from` does not exist. The paths are on different file systems (EXDEV), or on one of the host.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/old`, "1");
/// rename(`${scratch()}/old`, `${scratch()}/new`);
/// assert(!exists(`${scratch()}/old`));
/// ```
/// # See
/// rename(2)
fn rename(call: &Call<'_, '_>, from: OwnPath, to: OwnPath) -> Result<(), VerbError> {
    act(Rename { from: from.0, to: to.0 }, call)
}

/// Sets the permission bits of a file or directory. Symbolic links are followed.
///
/// # Errors
/// The path does not exist, belongs to another user, or is on a file system of the host.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/run`, "#!/bin/sh\n");
/// chmod(`${scratch()}/run`, 0o755);
/// ```
/// # See
/// chmod(2)
fn chmod(call: &Call<'_, '_>, path: OwnPath, mode: Mode) -> Result<(), VerbError> {
    act(Chmod { path: path.0, mode: mode.0 }, call)
}

/// Sets the owner or the group of a file or directory. Symbolic links are followed.
///
/// # Errors
/// An id is not mapped in this user namespace (EINVAL), or the process may not give the file away.
/// The path does not exist, or is on a file system of the host.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/data`, "");
/// chown(`${scratch()}/data`, #{ uid: getuid(), gid: getgid() });
/// ```
/// # See
/// chown(2), user_namespaces(7)
fn chown(call: &Call<'_, '_>, path: OwnPath, options: Owner) -> Result<(), VerbError> {
    let (uid, gid) = (options.uid.map(|id| id.0), options.gid.map(|id| id.0));
    if uid.is_none() && gid.is_none() {
        let report = Report::error("`chown` needs the option `uid` or `gid`");
        return Err(call.fail(report.hint("name the new owner: `#{ uid: 0, gid: 0 }`")));
    }
    act(Chown { path: path.0, uid, gid }, call)
}

/// Writes a file; an existing file is overwritten.
///
/// nsscript writes files in /proc with a single write(2), as id maps and settings require.
///
/// # Errors
/// The file is on a file system of the host, or the kernel refuses the write.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/motd`, "welcome\n");
/// ```
/// # See
/// write(2)
fn write_file(
    call: &Call<'_, '_>,
    path: OwnPath,
    content: Bytes,
    options: Write,
) -> Result<(), VerbError> {
    let append = options.append.unwrap_or(false);
    Ok(call.effects().write_file(&path.0, &content.0, append, call)?)
}

/// Returns the content of a file as text. Invalid UTF-8 becomes `\u{fffd}`.
///
/// # Errors
/// The file does not exist, may not be read, or is larger than 64 MiB.
///
/// # Example
/// ```rhai
/// print(read_file("/proc/self/uid_map"));
/// ```
/// # See
/// read(2)
fn read_file(call: &Call<'_, '_>, path: OwnPath) -> Result<String, VerbError> {
    // Files in /proc are about this process, or depend on its namespaces.
    if path.0.starts_with("/proc") {
        call.context.begin_session(call.origin().as_ref())?;
    }
    let content = call.effects().read_file(&path.0, LARGEST);
    let content = content.map_err(|errno| unanswered("read", &path.0, errno, call))?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// Returns the metadata of a file. Symbolic links are followed.
///
/// The map has `type` (`"file"`, `"directory"`, `"char"`, `"block"`, `"fifo"` or `"socket"`),
/// `mode` (the permission bits), `uid` and `gid` of the owner (65534 if the user namespace does not
/// map it), `size` and `allocated` in bytes, `inode`, `device` (the number of its file system) and
/// `links`.
///
/// # Errors
/// The file does not exist, or a directory on its path may not be searched.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/motd`, "welcome\n");
/// assert_eq(stat(`${scratch()}/motd`).size, 8);
/// ```
/// # See
/// stat(2), inode(7)
fn stat(call: &Call<'_, '_>, path: OwnPath) -> Result<Map, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let found = call.effects().metadata(&path.0);
    let found = found.map_err(|errno| unanswered("access", &path.0, errno, call))?;
    Ok(facts(found.as_ref()))
}

/// Removes a file, a symbolic link, or an empty directory.
///
/// # Errors
/// The path does not exist, is a directory that is not empty, or is on a file system of the host.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/x`, "");
/// remove(`${scratch()}/x`);
/// ```
/// # See
/// unlink(2), rmdir(2)
fn remove(call: &Call<'_, '_>, path: OwnPath) -> Result<(), VerbError> {
    act(Remove(path.0), call)
}

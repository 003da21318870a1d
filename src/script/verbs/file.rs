//! Files and directories, made and read at once.

use std::path::Path;

use super::kernel::{act, no_nul};
use crate::diag::{Report, quoted};
use crate::plan::{Action, RawAction};
use crate::run;
use crate::script::argument::{Bytes, HostPath, Mode};
use crate::script::call::Call;
use crate::script::child::is_rehearsal;
use crate::script::error::Failed;
use crate::script::options::options;
use crate::script::verb::verbs;

options! {
    /// How a file is written.
    struct Write {
        /// after what is there
        append: bool = "false",
    }

    /// What a node is.
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

/// What can be read of a file into a recipe.
const LARGEST: u64 = 64 << 20;

fn number(value: Option<i64>, key: &str, call: &Call<'_, '_>) -> Result<u32, Failed> {
    let value = value.unwrap_or(0);
    u32::try_from(value).map_err(|_| {
        let report = Report::error(format!("{value} is no number of a device"));
        call.fail_at_key(key, report)
    })
}

fn read(path: &Path, call: &Call<'_, '_>) -> Result<Vec<u8>, Failed> {
    run::read_file(path, LARGEST).map_err(|errno| {
        let shown = quoted(path.to_string_lossy());
        let mut report = Report::error(format!("cannot read {shown}: {errno}"));
        report.facts.errno = Some(errno.code());
        report.facts.operation = Some("read_file".into());
        report.facts.target = Some(path.to_string_lossy().into_owned());
        let report = match errno.name().as_str() {
            "EFBIG" => report.hint("a recipe reads files up to 64 MiB"),
            "ENOENT" => match call.context.runner.host().tree.near(path) {
                Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                None => report,
            },
            _ => report,
        };
        call.fail(report)
    })
}

verbs! {
    /// Makes a directory, with exactly these permission bits (`0o755` unless they are given).
    ///
    /// # Errors
    /// Something is there; the directory above is missing; it is on a file system of the host.
    ///
    /// # Example
    /// ```rhai
    /// mkdir(`${scratch()}/data`, 0o700);
    /// ```
    /// # See
    /// mkdir(2)
    fn mkdir(call, path: HostPath, mode: Option<Mode>) -> () {
        act(RawAction::Mkdir(path.0, mode.map_or(0o755, |mode| mode.0)), call)
    }

    /// Makes a device, a fifo, a socket or an empty file.
    ///
    /// # Errors
    /// Devices need the capability in the host's own user namespace; as for `mkdir`.
    ///
    /// # Example
    /// ```rhai
    /// mknod(`${scratch()}/queue`, #{ type: "fifo" });
    /// ```
    /// # See
    /// mknod(2)
    fn mknod(call, path: HostPath, options: Node) -> () {
        let kind = match options.r#type.as_deref().unwrap_or("char") {
            "char" => 'c',
            "block" => 'b',
            "fifo" => 'p',
            "socket" => 's',
            "file" => 'f',
            other => {
                let message = format!("no type of node {}", quoted(other));
                let hint = "a type is `\"char\"`, `\"block\"`, `\"fifo\"`, `\"socket\"` or `\"file\"`";
                return Err(call.fail_at_key("type", Report::error(message).hint(hint)));
            }
        };
        let device =
            (number(options.major, "major", call)?, number(options.minor, "minor", call)?);
        let mode = options.mode.map_or(0o644, |mode| mode.0);
        act(RawAction::Mknod { path: path.0, kind, mode, device }, call)
    }

    /// Makes a symbolic link at `path` that says `target`: as ln(1) has it.
    ///
    /// # Errors
    /// Something is there; as for `mkdir`.
    ///
    /// # Example
    /// ```rhai
    /// symlink("busybox", `${scratch()}/sh`);
    /// ```
    /// # See
    /// symlink(2)
    fn symlink(call, target: String, path: HostPath) -> () {
        act(RawAction::Symlink { says: no_nul(target, call)?, path: path.0 }, call)
    }

    /// Writes a file: a new one, or in place of what is in it.
    ///
    /// A file of /proc is written in one write(2), as its maps and settings want it.
    ///
    /// # Errors
    /// It is on a file system of the host; the kernel's answer.
    ///
    /// # Example
    /// ```rhai
    /// write_file(`${scratch()}/motd`, "welcome\n");
    /// ```
    /// # See
    /// write(2)
    fn write_file(call, path: HostPath, content: Bytes, options: Write) -> () {
        let append = options.append.unwrap_or(false);
        let action = RawAction::WriteFile { path: path.0.clone(), size: content.0.len(), append };
        if is_rehearsal(call) {
            call.context.rehearse(Action::Raw(action), call.origin());
            return Ok(());
        }
        let origin = call.origin();
        Ok(call.context.runner.write_file(action, &path.0, &content.0, append, origin.as_ref())?)
    }

    /// The content of a file, as text; bytes that are no UTF-8 become `\u{fffd}`.
    ///
    /// # Errors
    /// It does not exist, may not be read, or is larger than 64 MiB.
    ///
    /// # Example
    /// ```rhai
    /// print(read_file("/proc/self/uid_map"));
    /// ```
    /// # See
    /// read(2)
    fn read_file(call, path: HostPath) -> String {
        if path.0.starts_with("/proc") {
            call.context.begin_session(call.origin().as_ref());
        }
        match read(&path.0, call) {
            // What a rehearsal did not make is not there.
            Err(_) if is_rehearsal(call) => Ok(String::new()),
            content => Ok(String::from_utf8_lossy(&content?).into_owned()),
        }
    }

    /// Removes a file, a link, or an empty directory.
    ///
    /// # Errors
    /// It does not exist, is a directory with something in it, or on a file system of the host.
    ///
    /// # Example
    /// ```rhai
    /// write_file(`${scratch()}/x`, "");
    /// remove(`${scratch()}/x`);
    /// ```
    /// # See
    /// unlink(2), rmdir(2)
    fn remove(call, path: HostPath) -> () {
        let action = RawAction::Remove(path.0.clone());
        if is_rehearsal(call) {
            call.context.rehearse(Action::Raw(action), call.origin());
            return Ok(());
        }
        Ok(call.context.runner.remove_file(action, &path.0, call.origin().as_ref())?)
    }
}

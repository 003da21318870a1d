//! Mounts and roots of nsscript's own process: mount(2) in full.

use std::io::ErrorKind;
use std::path::PathBuf;

use rhai::Dynamic;

use super::mount_data::data;
use super::{act, no_nul};
use crate::diag::{Report, closest, list, os_error, quoted};
use crate::ops::RawAction;
use crate::ops::raw::{self, Chdir, Chroot, PivotRoot, SetAttributes};
use crate::run;
use crate::script::binding::argument::{OwnPath, Size};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{MOUNT_WORDS, MountFlags, PROPAGATIONS};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["mounting.rs";
    fn mount,
    fn umount,
    fn pivot_root,
    fn chroot,
    fn chdir,
    fn scratch,
];

options! {
    /// What to mount, and how.
    struct Mount {
        /// the type of the file system, as in /proc/filesystems
        r#type: String = "",
        /// the flags, named as by mount(8): an array, or a string such as `"ro,nosuid"`
        flags: Dynamic = "",
        /// the options of the file system: a map with `true` for options without a value, or a
        /// string
        data: Dynamic = "",
        /// shows the source, a file or directory, at the target too
        bind: bool = "false",
        /// includes mounts below: for `bind`, `propagation` and attributes
        recursive: bool = "false",
        /// refuses writes
        read_only: bool = "false",
        /// changes an existing mount: its file system, or with `bind` only this mount
        remount: bool = "false",
        /// moves the mount at the source to the target
        r#move: bool = "false",
        /// `"private"`, `"shared"`, `"slave"` or `"unbindable"`
        propagation: String = "",
        /// the position of the file system in an image
        offset: Size = "0",
        /// the size of the file system in an image; by default, the rest
        size_limit: Size = "",
    }

    /// How to unmount.
    struct Umount {
        /// detaches the mount now, and releases it when it is no longer in use
        lazy: bool = "false",
    }
}

/// Parses mount flags: those to set and those to clear.
fn flags(
    given: Option<&Dynamic>,
    call: &Call<'_, '_>,
) -> Result<(MountFlags, MountFlags), VerbError> {
    let (mut set, mut clear) = (MountFlags::default(), MountFlags::default());
    let Some(given) = given else { return Ok((set, clear)) };
    let words: Vec<String> = match given.read_lock::<rhai::Array>() {
        Some(array) => array.iter().map(ToString::to_string).collect(),
        None => given.to_string().split(',').map(str::to_owned).collect(),
    };
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let Some(known) = MOUNT_WORDS.iter().find(|known| known.word == word) else {
            let report = Report::error(format!("unknown mount flag {}", quoted(word)));
            let hint = match word.split('=').next().unwrap_or(word) {
                "bind" | "rbind" => "use the options `bind: true` and `recursive: true`",
                "loop" => "omit it: `mount` attaches a file to a loop device if `type` is given",
                "remount" | "move" | "offset" => "use the option of the same name",
                "private" | "shared" | "slave" | "unbindable" | "rprivate" | "rshared"
                | "rslave" | "runbindable" => {
                    "use the option `propagation`, with `recursive: true` for the mounts below"
                }
                _ => "",
            };
            let near = closest(word, MOUNT_WORDS.iter().map(|known| known.word));
            let report = match (hint, near) {
                ("", Some(near)) => report.hint(format!("did you mean {}?", quoted(near))),
                ("", None) => report.hint("put options of the file system itself into `data`"),
                (hint, _) => report.hint(hint),
            };
            return Err(call.fail_at_key("flags", report));
        };
        if known.set {
            set = set.and(known.flags);
            clear = clear.without(known.flags);
        } else {
            clear = clear.and(known.flags);
            set = set.without(known.flags);
        }
    }
    Ok((set, clear))
}

fn propagation(word: &str, call: &Call<'_, '_>) -> Result<MountFlags, VerbError> {
    let known = PROPAGATIONS.iter().find(|(known, _)| *known == word);
    known.map(|(_, flag)| *flag).ok_or_else(|| {
        let words: Vec<_> = PROPAGATIONS.iter().map(|(word, _)| quoted(word)).collect();
        let message =
            format!("invalid propagation {1}: expected {0}", list(&words, "or"), quoted(word));
        let report = Report::error(message);
        let plain = word.strip_prefix('r').filter(|plain| words.contains(&quoted(plain)));
        call.fail_at_key(
            "propagation",
            match plain {
                Some(plain) => {
                    report.hint(format!("use `propagation: \"{plain}\", recursive: true`"))
                }
                None => report,
            },
        )
    })
}

/// The arguments of `mount`.
struct Asked {
    source: Option<String>,
    target: PathBuf,
    options: Mount,
}

impl Asked {
    fn has(value: Option<bool>) -> bool {
        value.unwrap_or(false)
    }

    /// The system calls of the mount, in order.
    fn calls(&self, call: &Call<'_, '_>) -> Result<Vec<RawAction>, VerbError> {
        let options = &self.options;
        let (mut set, clear) = flags(options.flags.as_ref(), call)?;
        if Self::has(options.read_only) {
            set = set.and(MountFlags::READ_ONLY);
        }
        let recursive = Self::has(options.recursive);
        let (bind, remount) = (Self::has(options.bind), Self::has(options.remount));
        let kind = options.r#type.clone();
        let data = data(options.data.as_ref(), kind.as_deref().unwrap_or(""), call)?;
        let rec = if recursive { MountFlags::RECURSIVE } else { MountFlags::default() };
        let one = |source: Option<String>, kind, flags, data| {
            let target = self.target.clone();
            RawAction::from(raw::Mount { source, target, kind, flags, data })
        };
        let attributes = |set: MountFlags, clear: MountFlags| {
            let target = self.target.clone();
            RawAction::from(SetAttributes { target, recursive, set, clear })
        };
        let mut calls = Vec::new();
        if Self::has(options.r#move) {
            calls.push(one(self.source.clone(), None, MountFlags::MOVE, None));
        } else if remount && bind {
            calls.push(attributes(set, clear));
        } else if remount {
            let flags = MountFlags::REMOUNT.and(set);
            calls.push(one(self.source.clone(), None, flags, data));
        } else if bind {
            let source = self.source.clone();
            calls.push(one(source, None, MountFlags::BIND.and(rec), None));
            if set != MountFlags::default() || clear != MountFlags::default() {
                calls.push(attributes(set, clear));
            }
        } else if let Some(kind) = kind {
            let source = self.source.clone().unwrap_or_else(|| kind.clone());
            calls.push(one(Some(source), Some(kind), set, data));
        }
        if let Some(word) = &options.propagation {
            calls.push(one(None, None, propagation(word, call)?.and(rec), None));
        }
        if calls.is_empty() {
            let report = Report::error(
                "`mount` needs the option `type`, `bind`, `propagation`, `remount` or `move`",
            );
            return Err(call.fail(report.hint(
                "use `type` for a file system, `bind: true` for a file or directory, or \
                 `propagation`, `remount` or `move` to change a mount",
            )));
        }
        Ok(calls)
    }

    /// The image that must be attached to a loop device first: a file, if the file system needs a
    /// device.
    fn image(&self, call: &Call<'_, '_>) -> Result<Option<PathBuf>, VerbError> {
        let options = &self.options;
        let other =
            Self::has(options.bind) || Self::has(options.remount) || Self::has(options.r#move);
        let source = self.source.as_ref().filter(|_| options.r#type.is_some() && !other);
        let Some(source) = source else { return Ok(None) };
        let source = call.context.place(source);
        let is_image = call.effects().foreseen(&source) == Some(false)
            || match std::fs::metadata(&source) {
                Ok(found) => found.is_file(),
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    false
                }
                Err(error) => {
                    let shown = quoted(source.to_string_lossy());
                    let why = os_error(&error);
                    return Err(call.fail(Report::error(format!("cannot access {shown}: {why}"))));
                }
            };
        Ok(is_image.then_some(source))
    }
}

/// Mounts a file system in nsscript's own mount namespace, or changes mounts, as mount(8) does.
///
/// If only one path is given, it is the target. The options select the operation:
/// - `type` mounts a file system with the options in `data`. A regular file as source is attached
///   to a loop device, which is released with the mount. An overlay takes `lower` (a path, or an
///   array with the topmost first), `upper` and `work` in `data`. In a user namespace, overlays get
///   `userxattr` unless `data` sets it, because directories could otherwise not be removed or
///   replaced.
/// - `bind` shows a file or directory at a second path.
/// - `propagation`, `remount` and `move` change existing mounts.
///
/// With `recursive`, attributes such as `read_only` apply to all mounts below as well.
///
/// # Errors
/// The kernel refuses the mount; the error includes the kernel's explanation if there is one. A
/// flag is unknown. The mount would change the host.
///
/// # Example
/// ```rhai
/// let place = scratch();
/// mount("tmpfs", place, #{ type: "tmpfs", flags: "nosuid,nodev", data: #{ size: "1M" } });
/// mkdir(`${place}/etc`);
/// mount("/etc", `${place}/etc`, #{ bind: true, recursive: true, read_only: true });
/// mount("/", #{ propagation: "slave", recursive: true });
/// ```
/// # See
/// mount(2), mount(8), mount_namespaces(7), mount_setattr(2)
fn mount(
    call: &Call<'_, '_>,
    source: String,
    target: Option<String>,
    options: Mount,
) -> Result<(), VerbError> {
    let (source, target) = match target {
        Some(target) => (Some(no_nul(source, call)?), target),
        None => (None, source),
    };
    let target = call.context.place(no_nul(target, call)?);
    let mut asked = Asked { source, target, options };
    if asked.options.bind == Some(true) || asked.options.r#move == Some(true) {
        // A path can be relative, unlike a source that is only a name.
        let path = asked.source.as_ref().map(|source| call.context.place(source));
        asked.source = path.map(|path| path.to_string_lossy().into_owned());
    }
    let image = asked.image(call)?;
    let Some(file) = image else {
        return asked.calls(call)?.into_iter().try_for_each(|action| act(action, call));
    };
    let (offset, size_limit) = (asked.options.offset, asked.options.size_limit);
    let read_only = asked.options.read_only == Some(true);
    let settings = run::LoopSettings {
        read_only,
        offset: offset.map_or(0, |size| size.0),
        size_limit: size_limit.map_or(0, |size| size.0),
    };
    // The device is held until the mount holds it.
    let attached = call.effects().attach_loop(&file, settings, call)?;
    asked.source = Some(attached.path.clone());
    asked.calls(call)?.into_iter().try_for_each(|action| act(action, call))
}

/// Unmounts the mount at `target`.
///
/// # Errors
/// Nothing is mounted there, or the mount is in use; `lazy` detaches it all the same.
///
/// # Example
/// ```rhai
/// mount("tmpfs", "/mnt", #{ type: "tmpfs" });
/// umount("/mnt");
/// ```
/// # See
/// umount(2)
fn umount(call: &Call<'_, '_>, target: OwnPath, options: Umount) -> Result<(), VerbError> {
    act(raw::Umount { target: target.0, lazy: options.lazy.unwrap_or(false) }, call)
}

/// Makes a mount the root of the mount namespace.
///
/// The old root is moved to `put_old`, below the new root. If both are `"."`, the old root is
/// stacked on the new one, and `umount(".", #{ lazy: true })` removes it.
///
/// # Errors
/// `EINVAL`: `new_root` is not a mount, or its propagation is shared. `EBUSY`: it is the root
/// already.
///
/// # Example
/// ```rhai
/// let root = scratch();
/// mkdir(`${root}/old`);
/// within(MOUNT, || {
///     pivot_root(root, `${root}/old`);
///     chdir("/");
///     umount("/old", #{ lazy: true });
/// });
/// ```
/// # See
/// pivot_root(2)
fn pivot_root(call: &Call<'_, '_>, new_root: OwnPath, put_old: OwnPath) -> Result<(), VerbError> {
    act(PivotRoot { new: new_root.0, old: put_old.0 }, call)
}

/// Changes the root directory of this process to `path`.
///
/// The working directory does not change, so the process can still reach what is outside the new
/// root through it.
///
/// # Errors
/// The directory does not exist, or the process lacks CAP_SYS_CHROOT.
///
/// # Example
/// ```rhai
/// within(MOUNT, || { chroot(scratch()); chdir("/"); });
/// ```
/// # See
/// chroot(2)
fn chroot(call: &Call<'_, '_>, path: OwnPath) -> Result<(), VerbError> {
    act(Chroot(path.0), call)
}

/// Changes the working directory. Relative paths no longer start at the recipe's directory.
///
/// # Errors
/// The directory does not exist, or may not be entered.
///
/// # Example
/// ```rhai
/// chdir("/");
/// assert_eq(cwd(), "/");
/// ```
/// # See
/// chdir(2)
fn chdir(call: &Call<'_, '_>, path: OwnPath) -> Result<(), VerbError> {
    act(Chdir(path.0), call)?;
    call.context.moved.set(true);
    Ok(())
}

/// Returns the path of a private directory in memory, for files and mounts of the recipe.
///
/// Every call returns the same directory. It is removed when the recipe ends.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/note`, "hello");
/// ```
fn scratch(call: &Call<'_, '_>) -> Result<String, VerbError> {
    Ok(call.effects().scratch(call)?)
}

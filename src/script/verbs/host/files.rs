//! Files and directories of the host: what is there, and results for the caller.

use std::path::Path;

use crate::diag::{Report, quoted};
use crate::run::{Errno, Found};
use crate::script::binding::argument::{Bytes, HostPath, OwnPath};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["files.rs";
    fn ls,
    fn walk,
    fn glob,
    fn read_link,
    fn sha256_file,
    fn save,
];

options! {
    /// How to look for files.
    struct Search {
        /// leaves out directories that may not be read, instead of failing
        skip_unreadable: bool = "false",
    }

    /// How to save a file.
    struct Saving {
        /// replaces an existing file
        replace: bool = "false",
    }
}

/// The error of a path that cannot be read.
fn unread(what: &str, path: &Path, errno: Errno, call: &Call<'_, '_>) -> VerbError {
    let shown = path.to_string_lossy();
    let mut report = Report::error(format!("cannot {what} {}: {errno}", quoted(&shown)));
    report.facts.errno = Some(errno.code());
    report.facts.operation = Some(call.name().into());
    report.facts.source = Some(shown.into_owned());
    let name = errno.name();
    call.fail(match name.as_str() {
        "EFBIG" => report.hint("look at a part of it: a recipe gets at most 1000000 paths at once"),
        "EACCES" if matches!(call.name(), "walk" | "glob") => {
            report.hint("`#{ skip_unreadable: true }` leaves out what may not be read")
        }
        "ENOENT" => match call.context.runner.host().tree.near(path) {
            Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
            None => report,
        },
        _ => report,
    })
}

/// Files in /proc are about this process, or depend on its namespaces.
fn begin(path: &Path, call: &Call<'_, '_>) -> Result<(), VerbError> {
    if path.starts_with("/proc") {
        call.context.begin_session(call.origin().as_ref())?;
    }
    Ok(())
}

/// Returns the names in a directory, sorted by their bytes, without `.` and `..`.
///
/// Invalid UTF-8 in a name becomes `\u{fffd}`.
///
/// # Errors
/// The directory does not exist, or may not be read.
///
/// # Example
/// ```rhai
/// assert("passwd" in ls("/etc"));
/// ```
/// # See
/// ls(1), readdir(3)
fn ls(call: &Call<'_, '_>, directory: OwnPath) -> Result<Vec<String>, VerbError> {
    begin(&directory.0, call)?;
    let names = call.effects().names(&directory.0);
    names.map_err(|errno| unread("list", &directory.0, errno, call))
}

/// Returns the paths of everything below a directory, sorted. Symbolic links are not followed.
///
/// # Errors
/// A directory may not be read, unless `skip_unreadable` is true. There are more than 1000000
/// paths.
///
/// # Example
/// ```rhai
/// mkdir(`${scratch()}/data`);
/// write_file(`${scratch()}/data/one`, "");
/// assert_eq(walk(scratch()).map(|path| file_name(path)), ["data", "one"]);
/// ```
/// # See
/// find(1)
fn walk(
    call: &Call<'_, '_>,
    directory: OwnPath,
    options: Search,
) -> Result<Vec<String>, VerbError> {
    begin(&directory.0, call)?;
    let skip = options.skip_unreadable.unwrap_or(false);
    let found = call.effects().found(Found::Below(&directory.0), skip);
    found.map_err(|(path, errno)| unread("list", &path, errno, call))
}

/// Returns the paths that match a pattern, sorted.
///
/// `*` and `?` match any characters except `/`, `[…]` one of several, and `**` any number of
/// directories, of which none is reached through a link. A name that begins with a dot is matched
/// only by a pattern that begins with one.
///
/// # Errors
/// The pattern is invalid. A directory may not be read, unless `skip_unreadable` is true.
///
/// # Example
/// ```rhai
/// assert("/etc/passwd" in glob("/etc/pass*"));
/// ```
/// # See
/// glob(7)
fn glob(call: &Call<'_, '_>, pattern: String, options: Search) -> Result<Vec<String>, VerbError> {
    let mut full = pattern.clone();
    let here = call.context.place("");
    if !pattern.starts_with('/') && !here.as_os_str().is_empty() {
        // The directory of the recipe is no pattern.
        full = String::new();
        for letter in here.to_string_lossy().chars() {
            match letter {
                '*' | '?' | '[' => full.extend(['[', letter, ']']),
                other => full.push(other),
            }
        }
        full = format!("{}/{pattern}", full.trim_end_matches('/'));
    }
    begin(Path::new(&full), call)?;
    let skip = options.skip_unreadable.unwrap_or(false);
    let found = call.effects().found(Found::Matching(&full), skip);
    found.map_err(|(path, errno)| {
        if errno == Errno::EINVAL {
            let message = format!("invalid pattern {}", quoted(&pattern));
            let hint = "`**` stands alone between slashes, and `[` needs a `]`";
            return call.fail(Report::error(message).hint(hint));
        }
        unread("list", &path, errno, call)
    })
}

/// Returns the target of a symbolic link, as it is written in the link.
///
/// # Errors
/// The path does not exist, or is not a symbolic link (EINVAL).
///
/// # Example
/// ```rhai
/// symlink("target", `${scratch()}/link`);
/// assert_eq(read_link(`${scratch()}/link`), "target");
/// ```
/// # See
/// readlink(2)
fn read_link(call: &Call<'_, '_>, path: OwnPath) -> Result<String, VerbError> {
    begin(&path.0, call)?;
    let says = call.effects().read_link(&path.0);
    let says = says.map_err(|errno| unread("read the link", &path.0, errno, call))?;
    Ok(says.to_string_lossy().into_owned())
}

/// Returns the sha256 of a file as 64 hexadecimal digits. The file can be of any size.
///
/// # Errors
/// The file does not exist, or may not be read.
///
/// # Example
/// ```rhai
/// write_file(`${scratch()}/empty`, "");
/// assert_eq(sha256_file(`${scratch()}/empty`), sha256(""));
/// ```
/// # See
/// sha256sum(1), `sha256`
fn sha256_file(call: &Call<'_, '_>, path: OwnPath) -> Result<String, VerbError> {
    begin(&path.0, call)?;
    let digest = call.effects().digest(&path.0);
    digest.map_err(|errno| unread("read", &path.0, errno, call))
}

/// Saves a result as a file of the host, where the caller may write.
///
/// The file appears with its whole content, or not at all. `plan` shows it, and `plan` and `check`
/// refuse what a run would refuse. Use `write_file` for files of the recipe's own namespaces.
///
/// # Errors
/// The file exists already and `replace` is false. The directory does not exist, or the caller may
/// not write to it.
///
/// # Example
/// ```rhai
/// save(`${scratch()}/result.json`, to_json(#{ passed: 3 }) + "\n");
/// ```
/// # See
/// rename(2)
fn save(
    call: &Call<'_, '_>,
    path: HostPath,
    content: Bytes,
    options: Saving,
) -> Result<(), VerbError> {
    if path.0.file_name().is_none() {
        let message = format!("{} is not the name of a file", quoted(path.0.to_string_lossy()));
        return Err(call.fail(Report::error(message)));
    }
    let replace = options.replace.unwrap_or(false);
    Ok(call.effects().save(&path.0, &content.0, replace, call)?)
}

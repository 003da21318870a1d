//! A finished root filesystem: its tree, its digest, and its form as a directory or archive.

use std::rc::Rc;

use crate::diag::{Report, quoted};
use crate::plan::RootTree;
use crate::run::{Contents, Manifest};
use crate::script::binding::argument::HostPath;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Compression, Rootfs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["tree.rs";
    fn tree,
    fn size,
    fn build,
    fn pack,
    fn digest,
    fn manifest = manifest_text,
    fn verify,
    fn diff,
];

/// The maximum number of differences in an error.
const DIFFERENCES: usize = 10;

/// The layers of a root. Prints its warnings.
fn layers(rootfs: &Rootfs, call: &Call<'_, '_>) -> Result<Rc<RootTree>, VerbError> {
    let tree = call.context.runner.tree(rootfs)?;
    tree.warnings().for_each(|warning| call.context.warn(warning));
    Ok(tree)
}

fn contents(rootfs: &Rootfs, call: &Call<'_, '_>) -> Result<Contents, VerbError> {
    let runner = &call.context.runner;
    let tree = layers(rootfs, call)?;
    runner.contents(&tree).map_err(|report| call.fail(report))
}

fn manifest(rootfs: &Rootfs, call: &Call<'_, '_>) -> Result<Manifest, VerbError> {
    let runner = &call.context.runner;
    let tree = layers(rootfs, call)?;
    runner.manifest(&tree).map_err(|report| call.fail(report))
}

options! {
    /// What to build.
    struct Build {
        /// keeps set-user-ID and set-group-ID bits and file capabilities, which sandboxes ignore
        setuid: bool = "false",
    }

    /// How to pack a root.
    struct Pack {
        /// replaces an existing archive when the new one is complete
        replace: bool = "false",
    }
}

/// Builds a root in a new or empty directory.
fn build_into(
    rootfs: &Rootfs,
    directory: &HostPath,
    setuid: bool,
    call: &Call<'_, '_>,
) -> Result<(), VerbError> {
    let tree = layers(rootfs, call)?;
    let warnings = call.effects().build(&tree, &directory.0, setuid, call);
    let warnings = warnings.map_err(|report| call.fail(report))?;
    for warning in warnings {
        call.context.warn(&warning.at(call.origin()));
    }
    Ok(())
}

/// Returns the root as a text tree.
///
/// # Errors
/// Something in the root does not exist on the host.
///
/// # Example
/// ```rhai
/// print(rootfs().binary("sh").tree());
/// ```
fn tree(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<String, VerbError> {
    Ok(contents(&rootfs, call)?.drawing())
}

/// Returns the total size of all files in the root, in bytes.
///
/// # Example
/// ```rhai
/// print(rootfs().binary("sh").size());
/// ```
fn size(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<i64, VerbError> {
    Ok(i64::try_from(contents(&rootfs, call)?.size().1).unwrap_or(i64::MAX))
}

/// Builds the root in a new or empty directory of the host, and returns the path of the directory.
///
/// For root, files get their owners and devices are created. For other users, all files belong to
/// the caller.
///
/// # Errors
/// The directory is not empty, or cannot be created. Something in the root does not exist on the
/// host.
///
/// # Example
/// ```rhai
/// let path = rootfs().binary("sh").build("out");
/// print(path);
/// ```
fn build(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    directory: HostPath,
    options: Build,
) -> Result<String, VerbError> {
    build_into(&rootfs, &directory, options.setuid.unwrap_or(false), call)?;
    Ok(directory.0.to_string_lossy().into_owned())
}

/// Packs the root into a tar archive on the host, and returns the sha256 of the archive.
///
/// The same root always gives the same bytes: entries are sorted, and times are 0, or
/// `SOURCE_DATE_EPOCH` if it is set. The name selects the compression: `.tar`, `.tar.gz`,
/// `.tar.xz`, `.tar.zst` (or `.tgz`, `.txz`, `.tzst`). The format is ustar, with pax headers for
/// what ustar cannot store, such as long names and extended attributes.
///
/// # Errors
/// The archive exists already and `replace` is false, or cannot be written. Something in the root
/// does not exist on the host.
///
/// # Example
/// ```rhai
/// print(rootfs().file("/etc/motd", "hello\n").pack("root.tar.zst"));
/// ```
/// # See
/// tar(1), pax(1)
fn pack(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    file: HostPath,
    options: Pack,
) -> Result<String, VerbError> {
    let name = file.0.file_name().unwrap_or_default().to_string_lossy();
    let Some(compression) = Compression::of_name(&name) else {
        let name = quoted(file.0.to_string_lossy());
        let report = Report::error(format!("unknown archive type of {name}"));
        return Err(call.fail(report.hint(
            "name it `*.tar`, `*.tar.gz`, `*.tar.xz` or `*.tar.zst`: the ending selects the \
             compression",
        )));
    };
    let tree = layers(&rootfs, call)?;
    let replace = options.replace.unwrap_or(false);
    let packed = call.effects().pack(&tree, &file.0, compression, replace, call);
    packed.map_err(|report| call.fail(report))
}

/// Returns the digest of the root, `"sha256:…"`: the sha256 of its manifest.
///
/// The manifest has one line per entry with its type, mode, owner and content, without times. The
/// same recipe with the same inputs therefore gives the same digest, for root and for other users.
///
/// # Errors
/// Something in the root does not exist on the host, or cannot be read.
///
/// # Example
/// ```rhai
/// let root = rootfs().file("/etc/motd", "hello\n");
/// assert_eq(root.digest(), rootfs().file("/etc/motd", "hello\n").digest());
/// ```
fn digest(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<String, VerbError> {
    Ok(manifest(&rootfs, call)?.digest())
}

/// Returns the manifest of the root, the text that `digest` hashes: one line per entry.
///
/// A line is `TYPE MODE UID:GID DETAIL PATH`. The detail of a file is its size and sha256; that of
/// a symbolic link is its target.
///
/// # Errors
/// As for `digest`.
///
/// # Example
/// ```rhai
/// print(rootfs().file("/etc/motd", "hello\n").manifest());
/// ```
fn manifest_text(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<String, VerbError> {
    Ok(manifest(&rootfs, call)?.text().to_owned())
}

/// Returns the root if it has this digest; otherwise the recipe fails.
///
/// After this verb, the run reads each layer from the store completely before it uses it. It makes
/// changed layers again, with a warning that names them.
///
/// # Errors
/// The digest differs. If a root with the expected digest is in the store, the error lists the
/// first differences.
///
/// # Example
/// ```rhai
/// let root = rootfs().file("/etc/motd", "hello\n");
/// print(root.verify(root.digest()).tree());
/// ```
fn verify(call: &Call<'_, '_>, rootfs: Rootfs, digest: String) -> Result<Rootfs, VerbError> {
    let digits = digest.strip_prefix("sha256:").unwrap_or(&digest);
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let report = Report::error(format!("invalid digest {}", quoted(&digest)));
        return Err(call.fail(report.hint("expected `sha256:` and 64 hexadecimal digits")));
    }
    call.context.runner.distrust_store();
    let found = manifest(&rootfs, call)?;
    let digest = format!("sha256:{}", digits.to_lowercase());
    if call.effects().holds(found.digest() == digest) {
        return Ok(rootfs);
    }
    let mut report = Report::error("the root has a different digest");
    report.facts.operation = Some("verify".into());
    let report =
        report.note(format!("expected: {digest}")).note(format!("found:    {}", found.digest()));
    let Some(wanted) = call.context.runner.stored_manifest(&digest) else {
        let hint = "list the contents of the root with `manifest()`: the expected root is not in the \
             store, so it cannot be compared";
        return Err(call.fail(report.hint(hint)));
    };
    let lines = wanted.difference(&found);
    let shown = lines.iter().take(DIFFERENCES).cloned();
    let report = shown.fold(report, Report::note);
    Err(call.fail(match lines.len().saturating_sub(DIFFERENCES) {
        0 => report,
        more => report.note(format!("and {more} more lines")),
    }))
}

/// Returns the differences to another root, as lines of the manifest.
///
/// Lines that begin with `-` are only in this root, those with `+` only in the other one.
///
/// # Errors
/// As for `digest`.
///
/// # Example
/// ```rhai
/// let base = rootfs().file("/etc/motd", "hello\n");
/// for line in base.diff(base.file("/etc/hostname", "box\n")) { print(line); }
/// ```
fn diff(call: &Call<'_, '_>, rootfs: Rootfs, other: Rootfs) -> Result<Vec<String>, VerbError> {
    Ok(manifest(&rootfs, call)?.difference(&manifest(&other, call)?))
}

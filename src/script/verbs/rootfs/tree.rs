//! What a root filesystem comes to: its tree, its digest, the same as a directory or archive.

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

/// How many lines of a difference an error shows.
const DIFFERENCES: usize = 10;

/// The layers of a root; its warnings are said.
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
    /// What is built.
    struct Build {
        /// keeps set-user-ID and set-group-ID bits and file capabilities, which sandboxes never see
        setuid: bool = "false",
    }

    /// How a tree is packed.
    struct Pack {
        /// an archive that is there already is replaced, once the new one is complete
        replace: bool = "false",
    }
}

/// Builds a tree into a directory that is made, or empty.
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

/// The tree as text, as it would be built.
///
/// # Errors
/// Something of it is not on this host.
///
/// # Example
/// ```rhai
/// print(rootfs().binary("sh").tree());
/// ```
fn tree(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<String, VerbError> {
    Ok(contents(&rootfs, call)?.drawing())
}

/// The size of all files of the tree, in bytes.
///
/// # Example
/// ```rhai
/// print(rootfs().binary("sh").size());
/// ```
fn size(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<i64, VerbError> {
    Ok(i64::try_from(contents(&rootfs, call)?.size().1).unwrap_or(i64::MAX))
}

/// Builds the tree into a directory of the host, which is new or empty; gives its path.
///
/// For root, entries belong to whom the tree says, and devices are made; for a user all is the
/// user's own.
///
/// # Errors
/// The directory is not empty or cannot be made; something of the tree is not on this host.
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

/// Packs the tree into a tar archive of the host; gives its sha256.
///
/// The same tree gives the same bytes, whoever packs it and whenever: entries are sorted, and their
/// time is 0, or `SOURCE_DATE_EPOCH` where that is set. What the name ends in says how it is
/// compressed: `.tar`, `.tar.gz`, `.tar.xz`, `.tar.zst` (or `.tgz`, `.txz`, `.tzst`). What ustar has
/// no room for, as long names and extended attributes, stands in pax headers.
///
/// # Errors
/// The archive exists already, unless `replace` is said, or cannot be written; something of the tree is not on this host.
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
        let report = Report::error(format!("{name} has no name of an archive"));
        return Err(call.fail(report.hint(
            "it ends in `.tar`, `.tar.gz`, `.tar.xz` or `.tar.zst`, which says how it is \
             compressed",
        )));
    };
    let tree = layers(&rootfs, call)?;
    let replace = options.replace.unwrap_or(false);
    let packed = call.effects().pack(&tree, &file.0, compression, replace, call);
    packed.map_err(|report| call.fail(report))
}

/// What the tree is known by: `"sha256:…"`, the sha256 of its manifest.
///
/// The manifest has a line for each entry, with its type, mode, owner and content, and without
/// times: the same recipe on the same inputs gives the same digest, for root and for a user.
///
/// # Errors
/// Something of the tree is not on this host, or cannot be read.
///
/// # Example
/// ```rhai
/// let root = rootfs().file("/etc/motd", "hello\n");
/// assert_eq(root.digest(), rootfs().file("/etc/motd", "hello\n").digest());
/// ```
fn digest(call: &Call<'_, '_>, rootfs: Rootfs) -> Result<String, VerbError> {
    Ok(manifest(&rootfs, call)?.digest())
}

/// The tree in its canonical form, which the digest is of: a line for each entry.
///
/// A line is `TYPE MODE UID:GID DETAIL PATH`; the detail of a file is its size and sha256, of a
/// link what it says.
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

/// The root, where it has this digest; an error where it is another one.
///
/// From here on every layer that the run finds in the store is read to its end before it is used. One
/// that was changed is made again, with a warning that names it.
///
/// # Errors
/// The digest is another one: with the first paths that differ, where a root of the wanted
/// digest is in the store.
///
/// # Example
/// ```rhai
/// let root = rootfs().file("/etc/motd", "hello\n");
/// print(root.verify(root.digest()).tree());
/// ```
fn verify(call: &Call<'_, '_>, rootfs: Rootfs, digest: String) -> Result<Rootfs, VerbError> {
    let digits = digest.strip_prefix("sha256:").unwrap_or(&digest);
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let report = Report::error(format!("{} is no digest", quoted(&digest)));
        return Err(call.fail(report.hint("a digest is `sha256:` and 64 hexadecimal digits")));
    }
    call.context.runner.distrust_store();
    let found = manifest(&rootfs, call)?;
    let digest = format!("sha256:{}", digits.to_lowercase());
    if call.effects().holds(found.digest() == digest) {
        return Ok(rootfs);
    }
    let mut report = Report::error("the root has another digest");
    report.facts.operation = Some("verify".into());
    let report =
        report.note(format!("wanted: {digest}")).note(format!("found:  {}", found.digest()));
    let Some(wanted) = call.context.runner.stored_manifest(&digest) else {
        let hint = "the wanted root is not in the store, so what differs cannot be told; \
                    `manifest()` lists what is in a root";
        return Err(call.fail(report.hint(hint)));
    };
    let lines = wanted.difference(&found);
    let shown = lines.iter().take(DIFFERENCES).cloned();
    let report = shown.fold(report, Report::note);
    Err(call.fail(match lines.len().saturating_sub(DIFFERENCES) {
        0 => report,
        more => report.note(format!("and {more} lines more")),
    }))
}

/// What differs from another root, as lines of the manifest.
///
/// Those that begin with `-` only this one has, with `+` only the other one.
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

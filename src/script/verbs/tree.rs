//! What a root filesystem comes to: its tree, its digest, the same as a directory or archive.

use super::sandbox::build_into;
use crate::diag::{Report, quoted};
use crate::run::{self, Manifest, drawing};
use crate::script::argument::HostPath;
use crate::script::call::Call;
use crate::script::child::is_rehearsal;
use crate::script::error::Failed;
use crate::script::verb::verbs;
use crate::spec::Rootfs;

/// How many lines of a difference an error shows.
const DIFFERENCES: usize = 10;

fn manifest(rootfs: &Rootfs, call: &Call<'_, '_>) -> Result<Manifest, Failed> {
    let runner = &call.context.runner;
    let tree = runner.planner.tree(rootfs)?;
    Manifest::of(&tree, runner.host()).map_err(|report| call.fail(report))
}

verbs! {
    /// The tree as text, as it would be built.
    ///
    /// # Errors
    /// Something of it is not on this host.
    ///
    /// # Example
    /// ```rhai
    /// print(rootfs().binary("sh").tree());
    /// ```
    fn tree(call, rootfs: Rootfs) -> String {
        Ok(drawing(&*call.context.runner.planner.tree(&rootfs)?))
    }

    /// The size of all files of the tree, in bytes.
    ///
    /// # Example
    /// ```rhai
    /// print(rootfs().binary("sh").size());
    /// ```
    fn size(call, rootfs: Rootfs) -> i64 {
        let tree = call.context.runner.planner.tree(&rootfs)?;
        Ok(i64::try_from(tree.size()).unwrap_or(i64::MAX))
    }

    /// Builds the tree into a directory of the host, which is new or empty; gives its path.
    ///
    /// # Errors
    /// The directory is not empty or cannot be made; something of the tree is not on this host.
    ///
    /// # Example
    /// ```rhai
    /// let path = rootfs().binary("sh").build("out");
    /// print(path);
    /// ```
    fn build(call, rootfs: Rootfs, directory: HostPath) -> String {
        build_into(&rootfs, &directory, call)?;
        Ok(directory.0.to_string_lossy().into_owned())
    }

    /// Packs the tree into a new tar archive of the host; gives its sha256.
    ///
    /// The same tree gives the same bytes, whoever packs it and whenever: entries are sorted, and
    /// without times. The name of the archive ends in `.tar`.
    ///
    /// # Errors
    /// The archive exists already or cannot be written; something of the tree is not on this host.
    ///
    /// # Example
    /// ```rhai
    /// print(rootfs().file("/etc/motd", "hello\n").pack("root.tar"));
    /// ```
    /// # See
    /// tar(5)
    fn pack(call, rootfs: Rootfs, file: HostPath) -> String {
        if file.0.extension().is_none_or(|suffix| suffix != "tar") {
            let name = quoted(file.0.to_string_lossy());
            let report = Report::error(format!("{name} does not end in `.tar`"));
            return Err(call.fail(report.hint("compress it afterwards, as in `zstd root.tar`")));
        }
        let runner = &call.context.runner;
        let tree = runner.planner.tree(&rootfs)?;
        if call.context.mode == crate::script::Mode::Rehearse {
            return Ok(String::new());
        }
        run::pack(&tree, runner.host(), &file.0).map_err(|report| call.fail(report))
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
    fn digest(call, rootfs: Rootfs) -> String {
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
    fn manifest(call, rootfs: Rootfs) -> String {
        Ok(manifest(&rootfs, call)?.text().to_owned())
    }

    /// The root, where it has this digest; an error where it is another one.
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
    fn verify(call, rootfs: Rootfs, digest: String) -> Rootfs {
        let digits = digest.strip_prefix("sha256:").unwrap_or_default();
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let report = Report::error(format!("{} is no digest", quoted(&digest)));
            return Err(call.fail(report.hint("a digest is `sha256:` and 64 hexadecimal digits")));
        }
        let found = manifest(&rootfs, call)?;
        if found.digest() == digest.to_lowercase() || is_rehearsal(call) {
            return Ok(rootfs);
        }
        let mut report = Report::error("the root has another digest");
        report.facts.operation = Some("verify".into());
        let report = report.note(format!("wanted: {digest}")).note(format!("found:  {}", found.digest()));
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
    fn diff(call, rootfs: Rootfs, other: Rootfs) -> Vec<String> {
        Ok(manifest(&rootfs, call)?.difference(&manifest(&other, call)?))
    }
}

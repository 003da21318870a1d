//! Building the tree of a root.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::diag::{Report, quoted};
use crate::plan::{Entry, Made, RootTree};
use crate::sys::{self, Beneath, Errno};

/// Builds `tree` into `directory`, which exists and is empty, in the order of its paths.
///
/// # Errors
/// The first entry that cannot be made, with the line that asked for it.
pub fn build(tree: &RootTree, directory: &Path) -> Result<(), Report> {
    let cannot = |made: Option<&Made>, path: &Path, errno: Errno| {
        let mut report =
            Report::error(format!("cannot build {}: {errno}", quoted(path.to_string_lossy())));
        report.origin = made.and_then(|made| made.origin.clone());
        report.facts.operation = Some("build".into());
        report.facts.errno = Some(errno.code());
        report.facts.target = Some(path.to_string_lossy().into_owned());
        super::hint::for_build(report, errno, directory)
    };
    let root = Beneath::open(directory).map_err(|errno| cannot(None, directory, errno))?;
    for (path, made) in &tree.entries {
        let below = path.strip_prefix("/").unwrap_or(path);
        entry(&root, below, &made.entry).map_err(|errno| cannot(Some(made), path, errno))?;
    }
    // A directory without write permission would keep what comes after it out: modes last.
    let directories = tree.entries.iter().rev();
    for (path, made) in directories {
        if let Entry::Directory { mode } = made.entry {
            let below = path.strip_prefix("/").unwrap_or(path);
            root.directory(below, mode).map_err(|errno| cannot(Some(made), path, errno))?;
        }
    }
    Ok(())
}

/// Gives everything in the tree at `directory` to an owner on the host.
///
/// # Errors
/// The first entry that cannot be given, by its path.
pub(super) fn give(directory: &Path, owner: (u32, u32)) -> Result<(), (PathBuf, Errno)> {
    let fails = |path: &Path, error: &std::io::Error| (path.to_path_buf(), Errno::from(error));
    std::os::unix::fs::lchown(directory, Some(owner.0), Some(owner.1))
        .map_err(|error| fails(directory, &error))?;
    let entries = std::fs::read_dir(directory).map_err(|error| fails(directory, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| fails(directory, &error))?;
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            give(&path, owner)?;
        } else {
            std::os::unix::fs::lchown(&path, Some(owner.0), Some(owner.1))
                .map_err(|error| fails(&path, &error))?;
        }
    }
    Ok(())
}

fn entry(root: &Beneath, path: &Path, entry: &Entry) -> Result<(), Errno> {
    match entry {
        Entry::Directory { .. } => root.directory(path, 0o755),
        Entry::File { content, mode } => root.file(path, content, *mode),
        Entry::Device => root.file(path, &[], 0o666),
        Entry::Symlink { target } => root.symlink(path, target),
        Entry::Copy { source, id, mode, modified, .. } => {
            let file = File::open(source).map_err(|error| Errno::from(&error))?;
            let found = file.metadata().map_err(|error| Errno::from(&error))?;
            if (found.dev(), found.ino()) != *id {
                // Another file than the one that was looked at.
                return Err(Errno::STALE);
            }
            root.copy(path, &file, sys::Entry { mode: *mode, modified: *modified })
        }
    }
}

/// The tree as `tree(1)` would show it.
#[must_use]
pub fn drawing(tree: &RootTree) -> String {
    let paths: Vec<&PathBuf> = tree.entries.keys().collect();
    let mut out = String::from("/");
    for (index, path) in paths.iter().enumerate() {
        let depth = path.components().count() - 1;
        out.push('\n');
        for level in 1..depth {
            let above: PathBuf = path.components().take(level + 1).collect();
            out.push_str(if is_last(&paths, index, &above) { "    " } else { "│   " });
        }
        out.push_str(if is_last(&paths, index, path) { "└── " } else { "├── " });
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        out.push_str(&crate::diag::escape(&name));
        match &tree.entries[*path].entry {
            Entry::Symlink { target } => {
                let target = crate::diag::escape(&target.to_string_lossy());
                out.push_str(&format!(" -> {target}"));
            }
            Entry::Directory { .. } => out.push('/'),
            Entry::Device => out.push_str(" (device)"),
            _ => {}
        }
    }
    out
}

/// Whether nothing after `index` stands beside `path` in its directory.
fn is_last(paths: &[&PathBuf], index: usize, path: &Path) -> bool {
    let parent = path.parent();
    !paths[index + 1..].iter().any(|later| later.parent() == parent && later.as_path() != path)
}

//! The store: roots that were built, kept for the next run under what they hold.
//!
//! `roots/DIGEST` is a root: `tree`, `manifest`. `index/KEY` says which root a description on the
//! host as it is now gives. `building/…` are roots that are not ready. Everything is made beside and
//! renamed into its place, so that what is there is whole; what a run that was killed has left is
//! not locked, and goes with the next.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::manifest::{Manifest, sha256};
use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::plan::{Entry, RootTree};
use crate::sys::{self, Directory, Errno, Lock};

/// The directory of roots, and what leads to them.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
}

/// A root in the store, which is not removed as long as this lives.
#[derive(Debug)]
pub struct Stored {
    directory: PathBuf,
    _lock: Lock,
}

/// A root as `nsscript store` shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its digest.
    pub digest: String,
    /// Where its tree is.
    pub tree: PathBuf,
    /// How many entries it has.
    pub entries: usize,
    /// The bytes in all files.
    pub size: u64,
    /// When a run used it last.
    pub used: SystemTime,
}

impl Stored {
    /// Where the tree is.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    /// What is in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn manifest(&self) -> Result<Manifest, Report> {
        read_manifest(&self.directory)
    }
}

fn read_manifest(directory: &Path) -> Result<Manifest, Report> {
    let path = directory.join("manifest");
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
    Manifest::read(text).ok_or_else(|| {
        let message = format!("{} is no manifest of a root", quoted(path.to_string_lossy()));
        Report::error(message).hint("`nsscript store gc --all` empties the store")
    })
}

/// What helps where the store is full.
const FULL: &str = "no room is left in the store: `nsscript store gc` removes what was not used \
                    lately, or set `XDG_CACHE_HOME` to a larger place";

fn cannot(what: &str, path: &Path, error: &io::Error) -> Report {
    let errno = Errno::from(error);
    let message = format!("cannot {what} {}: {errno}", quoted(path.to_string_lossy()));
    let mut report = Report::error(message);
    report.facts.operation = Some("store".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    match errno.name().as_str() {
        "ENOSPC" | "EDQUOT" => report.hint(FULL),
        _ => report,
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Store {
    /// Where the store of the caller is: `$XDG_CACHE_HOME/nsscript`, or `~/.cache/nsscript`. None
    /// where neither is said.
    #[must_use]
    pub fn place(host: &Host) -> Option<PathBuf> {
        let absolute = |name: &str| {
            let path = PathBuf::from(host.environment.get(name)?);
            path.is_absolute().then_some(path)
        };
        let cache = absolute("XDG_CACHE_HOME");
        let cache = cache.or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("nsscript"))
    }

    /// Opens the store at `directory`, which is made where it is missing.
    ///
    /// # Errors
    /// It cannot be made, or others can write to it.
    pub fn open(directory: &Path) -> Result<Self, Report> {
        for name in ["roots", "index", "building"] {
            let path = directory.join(name);
            make(&path).map_err(|error| cannot("make", &path, &error))?;
        }
        let found = fs::symlink_metadata(directory);
        let found = found.map_err(|error| cannot("look at", directory, &error))?;
        let shown = quoted(directory.to_string_lossy());
        if !found.is_dir() || found.uid() != sys::ids().uid {
            let message = format!("the store {shown} belongs to somebody else");
            let hint = "set `XDG_CACHE_HOME` to a directory of your own";
            return Err(Report::error(message).hint(hint));
        }
        if found.mode() & 0o022 != 0 {
            let message = format!("the store {shown} can be written to by others");
            return Err(Report::error(message).hint(format!("`chmod 0700 {shown}` ends that")));
        }
        Ok(Self { directory: directory.to_path_buf() })
    }

    /// The root that `tree` gives, for files that belong to `owner` on the host: found, or built
    /// by `build` into the directory that it is given. Two runs that want the same build it once.
    ///
    /// # Errors
    /// It cannot be built, or the store cannot be written to.
    pub fn root(
        &self,
        tree: &RootTree,
        host: &Host,
        owner: Option<(u32, u32)>,
        build: impl FnOnce(&Path) -> Result<(), Report>,
    ) -> Result<Stored, Report> {
        let key = key(tree, owner);
        if let Some(stored) = self.find(&key) {
            return Ok(stored);
        }
        let wait = self.directory.join("building").join(format!("{key}.lock"));
        let lock = sys::lock_file(&wait)
            .map_err(|errno| cannot("lock", &wait, &io::Error::from_raw_os_error(errno.code())))?;
        // Somebody else may have built it meanwhile.
        let stored = match self.find(&key) {
            Some(stored) => Ok(stored),
            None => self.build(tree, host, owner, &key, build),
        };
        let _ = fs::remove_file(&wait);
        drop(lock);
        stored
    }

    fn find(&self, key: &str) -> Option<Stored> {
        let name = fs::read_to_string(self.directory.join("index").join(key)).ok()?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let stored = self.hold(&name).filter(|_| is_name)?;
        let _ = sys::touch(&stored.directory);
        Some(stored)
    }

    /// The root called `name`, kept from being removed.
    fn hold(&self, name: &str) -> Option<Stored> {
        let directory = self.directory.join("roots").join(name);
        let lock = sys::share_directory(&directory).ok()??;
        // It may have been removed before it was locked: then there is no mark.
        let mark = directory.join("boot");
        if fs::read_to_string(&mark).ok()? != boot() {
            // Nothing is waited for to reach the disk, so what an earlier life of the machine has
            // left is looked at once.
            let whole = |manifest: Manifest| manifest.is_of(&directory.join("tree"));
            if !read_manifest(&directory).is_ok_and(whole) {
                drop(lock);
                self.remove(&directory).ok()?;
                return None;
            }
            fs::write(&mark, boot()).ok()?;
        }
        Some(Stored { directory, _lock: lock })
    }

    /// Removes a root that no run uses.
    fn remove(&self, directory: &Path) -> io::Result<bool> {
        // A run that uses it holds a lock, which this one waits for no moment.
        let Ok(Some(_lock)) = sys::lock_directory(directory) else { return Ok(false) };
        let gone = sys::make_private_directory(&self.directory.join("building"), "root-");
        let gone = gone.map_err(|errno| io::Error::from_raw_os_error(errno.code()))?;
        // Out of its place at once, so that nobody finds half of it.
        fs::rename(directory, gone.join("root"))?;
        take_away(&gone)?;
        Ok(true)
    }

    fn build(
        &self,
        tree: &RootTree,
        host: &Host,
        owner: Option<(u32, u32)>,
        key: &str,
        build: impl FnOnce(&Path) -> Result<(), Report>,
    ) -> Result<Stored, Report> {
        self.sweep();
        let building = self.directory.join("building");
        let errno = |errno: Errno| io::Error::from_raw_os_error(errno.code());
        let place = sys::make_private_directory(&building, "root-");
        let place = place.map_err(|it| cannot("write to", &building, &errno(it)))?;
        let half = Half { place: place.clone() };
        let lock = sys::lock_directory(&place).map_err(|it| cannot("lock", &place, &errno(it)))?;
        let below = place.join("tree");
        let made = fs::create_dir(&below)
            .and_then(|()| fs::set_permissions(&below, fs::Permissions::from_mode(0o755)));
        made.map_err(|error| cannot("make", &below, &error))?;
        let manifest = Manifest::of(tree, host)?;
        build(&below).map_err(|mut report| {
            let full = report.facts.errno.is_some_and(|errno| Errno::new(errno).name() == "ENOSPC");
            if full {
                report.hints = vec![FULL.to_owned()];
            }
            report
        })?;
        let file = place.join("manifest");
        fs::write(&file, manifest.text()).map_err(|error| cannot("write", &file, &error))?;
        let file = place.join("boot");
        fs::write(&file, boot()).map_err(|error| cannot("write", &file, &error))?;
        let name = name(&manifest, owner);
        let target = self.directory.join("roots").join(&name);
        let renamed = fs::rename(&place, &target);
        let stored = match (renamed, lock) {
            (Ok(()), Some(lock)) => {
                std::mem::forget(half);
                lock.share().map_err(|it| cannot("lock", &target, &errno(it)))?;
                Stored { directory: target, _lock: lock }
            }
            // The same root, of another description: this one goes.
            (renamed, _) => self.hold(&name).ok_or_else(|| {
                let error = renamed.err().unwrap_or_else(|| io::Error::other("it is locked"));
                cannot("make", &target, &error)
            })?,
        };
        let index = self.directory.join("index");
        let new = building.join(format!("{key}.index"));
        fs::write(&new, &name).map_err(|error| cannot("write", &new, &error))?;
        let last = index.join(key);
        fs::rename(&new, &last).map_err(|error| cannot("write", &last, &error))?;
        Ok(stored)
    }

    /// Removes what runs that were killed have left.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.directory.join("building")) else { return };
        for entry in entries.flatten() {
            let is_root = entry.file_name().to_string_lossy().starts_with("root-");
            if is_root && let Ok(Some(_lock)) = sys::lock_directory(&entry.path()) {
                let _ = take_away(&entry.path());
            }
        }
    }

    /// The roots, those used last first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Report> {
        let roots = self.directory.join("roots");
        let entries = fs::read_dir(&roots).map_err(|error| cannot("read", &roots, &error))?;
        let mut listed: Vec<Listed> = entries
            .flatten()
            .filter_map(|entry| {
                let manifest = read_manifest(&entry.path()).ok()?;
                let (entries, size) = manifest.size();
                let used = entry.metadata().and_then(|found| found.modified()).ok()?;
                let (digest, tree) = (manifest.digest(), entry.path().join("tree"));
                Some(Listed { digest, tree, entries, size, used })
            })
            .collect();
        listed.sort_by(|one, two| two.used.cmp(&one.used).then(one.digest.cmp(&two.digest)));
        Ok(listed)
    }

    /// The manifest of the root that `digest`, or its beginning, names.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn show(&self, digest: &str) -> Result<Manifest, Report> {
        let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
        let all = self.list()?;
        let is_it = |listed: &&Listed| {
            listed.digest.strip_prefix("sha256:").is_some_and(|own| own.starts_with(digits))
        };
        let mut found: Vec<_> = all.iter().filter(is_it).collect();
        found.dedup_by(|one, two| one.digest == two.digest);
        match found[..] {
            [one] => read_manifest(one.tree.parent().unwrap_or(&one.tree)),
            [] => Err(Report::error(format!("no root {} in the store", quoted(digest)))
                .hint("`nsscript store list` lists them")),
            _ => Err(Report::error(format!("more than one root begins with {}", quoted(digest)))),
        }
    }

    /// Removes the roots that were not used since `since` (all, without it) and that no run uses;
    /// gives how many, and their bytes.
    ///
    /// # Errors
    /// The store cannot be read or written to.
    pub fn collect(&self, since: Option<SystemTime>) -> Result<(usize, u64), Report> {
        self.sweep();
        let (mut number, mut bytes) = (0, 0);
        for listed in self.list()? {
            let Some(directory) = listed.tree.parent() else { continue };
            if since.is_some_and(|since| listed.used >= since) {
                continue;
            }
            if self.remove(directory).map_err(|error| cannot("remove", directory, &error))? {
                number += 1;
                bytes += listed.size;
            }
        }
        self.forget_missing();
        Ok((number, bytes))
    }

    /// Removes what leads to no root any more.
    fn forget_missing(&self) {
        let Ok(entries) = fs::read_dir(self.directory.join("index")) else { return };
        for entry in entries.flatten() {
            let name = fs::read_to_string(entry.path()).unwrap_or_default();
            if !self.directory.join("roots").join(&name).is_dir() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Removes a directory of the store, and nothing that is mounted in it.
fn take_away(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let removed = Directory::hold(parent).and_then(|parent| parent.remove(name));
    removed.map_err(|errno| io::Error::from_raw_os_error(errno.code()))
}

/// What tells this life of the machine from others.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// A root that is being built: gone, where it does not get ready.
struct Half {
    place: PathBuf,
}

impl Drop for Half {
    fn drop(&mut self) {
        let _ = take_away(&self.place);
    }
}

/// What a root is called in the store. One that belongs to others on the host is another one.
fn name(manifest: &Manifest, owner: Option<(u32, u32)>) -> String {
    let digest = manifest.digest().replace("sha256:", "");
    match owner {
        Some((uid, gid)) => format!("{digest}-{uid}-{gid}"),
        None => digest,
    }
}

/// What tells a description on this host, as it is now, from others: for a file that is copied its
/// place, its number and its times, so that nothing has to be read.
fn key(tree: &RootTree, owner: Option<(u32, u32)>) -> String {
    let mut text = format!("1 {owner:?}\n");
    for (path, made) in &tree.entries {
        let (path, owner) = (path.as_os_str(), tree.owner_of(Path::new(path)));
        let line = match &made.entry {
            Entry::File { content, mode } => {
                format!("{:?}", (path, owner, "file", mode, sha256(content)))
            }
            Entry::Copy { source, id, mode, size, modified, changed } => {
                let source = (source, id, size, modified, changed);
                format!("{:?}", (path, owner, "copy", mode, source))
            }
            other => format!("{:?}", (path, owner, other)),
        };
        text.push_str(&line);
        text.push('\n');
    }
    sha256(text)
}

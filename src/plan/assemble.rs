//! The tree of a root filesystem, worked out entry by entry before anything is written.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::install::Installer;
use crate::diag::{Origin, Report, quoted};
use crate::host::{Host, accounts, elf};
use crate::spec::{Applets, FileOptions, GuestPath, Ingredient, Mixed, Rootfs};

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A file with this content.
    File {
        /// The content.
        content: Rc<[u8]>,
        /// Its permission bits.
        mode: u32,
    },
    /// A copy of a file of the host.
    Copy {
        /// The file, without links.
        source: PathBuf,
        /// Its device and inode.
        id: (u64, u64),
        /// Its permission bits, without set-user-ID and set-group-ID.
        mode: u32,
        /// Its size in bytes.
        size: u64,
        /// When it was changed last: seconds and nanoseconds since 1970.
        modified: (i64, i64),
        /// When anything about it was changed last, its owner and mode too.
        changed: (i64, i64),
    },
    /// A symbolic link.
    Symlink {
        /// What it says.
        target: PathBuf,
    },
    /// A device of the host: an empty file here, on which the device is bound at every launch.
    Device,
}

/// An entry and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The entry.
    pub entry: Entry,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// Whether it was asked for by its own path, and does not only come along with another.
    pub explicit: bool,
}

/// The tree of a root, by absolute path, directories before what is in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RootTree {
    /// The entries; the root itself is not among them.
    pub entries: BTreeMap<PathBuf, Made>,
    /// Entries whose owner is not the one who builds the tree.
    pub owners: Vec<(GuestPath, FileOptions, Option<Origin>)>,
    /// What is odd about it.
    pub warnings: Vec<Report>,
}

impl RootTree {
    /// The bytes in all its files.
    #[must_use]
    pub fn size(&self) -> u64 {
        let size = |made: &Made| match &made.entry {
            Entry::File { content, .. } => content.len() as u64,
            Entry::Copy { size, .. } => *size,
            _ => 0,
        };
        self.entries.values().map(size).sum()
    }

    /// The number that `name` has in the passwd or group file of the tree.
    #[must_use]
    pub fn number(&self, host: &Host, file: &str, name: &str) -> Option<u32> {
        match &self.entries.get(Path::new(file))?.entry {
            Entry::File { content, .. } => {
                accounts::number_in(&String::from_utf8_lossy(content), name)
            }
            Entry::Copy { source, .. } => accounts::number(&host.tree, source.to_str()?, name),
            _ => None,
        }
    }

    /// The user and group that an entry belongs to inside.
    #[must_use]
    pub fn owner_of(&self, path: &Path) -> (u32, u32) {
        let owner = self.owners.iter().rev().find(|(owned, ..)| Path::new(owned.as_str()) == path);
        let options = owner.map(|(_, options, _)| *options).unwrap_or_default();
        (options.uid.unwrap_or(0), options.gid.unwrap_or(0))
    }

    /// The devices in it.
    pub fn devices(&self) -> impl Iterator<Item = (&Path, Option<&Origin>)> {
        let devices = self.entries.iter().filter(|(_, made)| made.entry == Entry::Device);
        devices.map(|(path, made)| (path.as_path(), made.origin.as_ref()))
    }
}

/// Works out the tree of `rootfs`.
///
/// # Errors
/// Everything that cannot be found, each with its line.
pub fn assemble(rootfs: &Rootfs, host: &Host) -> Result<RootTree, Vec<Report>> {
    let mut assembler = Assembler {
        host,
        loader: elf::Loader::new(&host.tree),
        installer: Installer::new(&host.tree),
        owners: Vec::new(),
        reports: Vec::new(),
    };
    for mixed in rootfs.ingredients() {
        assembler.add(mixed);
    }
    let Assembler { installer, owners, reports, .. } = assembler;
    if !reports.is_empty() {
        return Err(reports);
    }
    Ok(RootTree { entries: installer.entries, owners, warnings: installer.warnings })
}

struct Assembler<'h> {
    host: &'h Host,
    loader: elf::Loader<'h>,
    installer: Installer<'h>,
    owners: Vec<(GuestPath, FileOptions, Option<Origin>)>,
    reports: Vec<Report>,
}

impl Assembler<'_> {
    fn add(&mut self, mixed: &Mixed) {
        self.installer.origin.clone_from(&mixed.origin);
        if let Err(report) = self.ingredient(&mixed.ingredient) {
            let origin = report.origin.clone().or_else(|| mixed.origin.clone());
            self.reports.push(report.at(origin));
        }
    }

    fn ingredient(&mut self, ingredient: &Ingredient) -> Result<(), Report> {
        match ingredient {
            Ingredient::Binary { program, into, applets } => {
                self.binary(program, into.as_ref(), applets)
            }
            Ingredient::Library(name) => self.library(name),
            Ingredient::Directory(path, options) => {
                self.owner(path, *options);
                let mode = options.mode.unwrap_or(0o755);
                self.installer.put(Path::new(path.as_str()), Entry::Directory { mode })
            }
            Ingredient::File(path, content, options) => {
                self.owner(path, *options);
                let mode = options.mode.unwrap_or(0o644);
                self.file(path.as_str(), content, mode)
            }
            Ingredient::Copy { source, target } => {
                self.installer.copy(source, Path::new(target.as_str()))
            }
            Ingredient::Symlink { target, path } => {
                let entry = Entry::Symlink { target: PathBuf::from(target) };
                self.installer.put(Path::new(path.as_str()), entry)
            }
            Ingredient::Device(path) => self.device(path),
            Ingredient::Users(users) => self.users(users),
            Ingredient::Layer => {
                self.installer.entries.values_mut().for_each(|made| made.explicit = false);
                Ok(())
            }
        }
    }

    fn owner(&mut self, path: &GuestPath, options: FileOptions) {
        if options.uid.is_some() || options.gid.is_some() {
            self.owners.push((path.clone(), options, self.installer.origin.clone()));
        }
    }

    fn file(&mut self, path: &str, content: &[u8], mode: u32) -> Result<(), Report> {
        self.installer.put(Path::new(path), Entry::File { content: content.into(), mode })
    }

    fn binary(
        &mut self,
        program: &str,
        into: Option<&GuestPath>,
        applets: &Applets,
    ) -> Result<(), Report> {
        let search = self.host.environment.get("PATH").map(String::as_str);
        let Some(path) = self.host.tree.which(program, search) else {
            return Err(no_program(program, self.host));
        };
        let needs = self.loader.needs(&path).map_err(|error| Report::error(error.to_string()))?;
        self.install_needs(&needs)?;
        let place = match into {
            None => path.clone(),
            Some(directory) => {
                let name = path.file_name().unwrap_or_default();
                let place = Path::new(directory.as_str()).join(name);
                self.installer.copy(&path, &place)?;
                place
            }
        };
        if into.is_none() {
            self.installer.install(&path)?;
        }
        self.applets(&path, &place, applets)
    }

    /// Installs everything that a program needs beside itself.
    fn install_needs(&mut self, needs: &elf::Needs) -> Result<(), Report> {
        if let Some(missing) = needs.all_missing().first() {
            let name = quoted(missing.name.to_string_lossy());
            let by = quoted(missing.by.to_string_lossy());
            let report =
                Report::error(format!("{name}, which {by} needs, is nowhere on this host"));
            return Err(
                report.hint("the host itself cannot run it either; install what is missing")
            );
        }
        for file in needs.files() {
            if file != needs.program {
                self.installer.install(file)?;
            }
        }
        Ok(())
    }

    fn applets(&mut self, program: &Path, place: &Path, applets: &Applets) -> Result<(), Report> {
        let names = match applets {
            Applets::None => return Ok(()),
            Applets::Named(names) => names.clone(),
            Applets::Own => {
                let own = crate::host::busybox::applets(&self.host.tree, program);
                own.ok_or_else(|| {
                    let program = quoted(program.to_string_lossy());
                    let report = Report::error(format!("{program} has no table of applets"));
                    report.hint("name them: `applets: [\"sh\", \"ls\"]`")
                })?
            }
        };
        let directory = place.parent().unwrap_or(Path::new("/"));
        let target = PathBuf::from(place.file_name().unwrap_or_default());
        for name in names.iter().filter(|name| target.as_os_str() != name.as_str()) {
            let entry = Entry::Symlink { target: target.clone() };
            self.installer.put_along(&directory.join(name), entry)?;
        }
        Ok(())
    }

    fn library(&mut self, name: &str) -> Result<(), Report> {
        let like = Path::new("/bin/sh");
        let needs = elf::library(&self.host.tree, name, like)
            .map_err(|error| Report::error(error.to_string()))?;
        self.install_needs(&needs)?;
        let program = needs.program.clone();
        self.installer.install(&program)
    }

    fn device(&mut self, path: &GuestPath) -> Result<(), Report> {
        use std::os::unix::fs::FileTypeExt;
        let kind = self.host.tree.metadata(Path::new(path.as_str())).map(|found| found.file_type());
        match kind {
            Ok(kind) if kind.is_char_device() || kind.is_block_device() => {
                self.installer.put(Path::new(path.as_str()), Entry::Device)
            }
            Ok(_) => Err(Report::error(format!("{} is no device", quoted(path.as_str())))),
            Err(_) => {
                let place = Path::new(path.as_str());
                let report =
                    Report::error(format!("no device {} on this host", quoted(path.as_str())));
                Err(match self.host.tree.near(place) {
                    Some(near) => {
                        let near = place.with_file_name(near);
                        report.hint(format!("did you mean {}?", quoted(near.to_string_lossy())))
                    }
                    None => report,
                })
            }
        }
    }

    fn users(&mut self, users: &[(String, u32, u32)]) -> Result<(), Report> {
        let (mut passwd, mut group, mut shadow) = (String::new(), String::new(), String::new());
        for (name, uid, gid) in users {
            let home = if *uid == 0 { "/root".to_owned() } else { format!("/home/{name}") };
            passwd.push_str(&format!("{name}:x:{uid}:{gid}:{name}:{home}:/bin/sh\n"));
            group.push_str(&format!("{name}:x:{gid}:\n"));
            shadow.push_str(&format!("{name}:*:::::::\n"));
        }
        let switch = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";
        self.file("/etc/passwd", passwd.as_bytes(), 0o644)?;
        self.file("/etc/group", group.as_bytes(), 0o644)?;
        self.file("/etc/shadow", shadow.as_bytes(), 0o600)?;
        self.file("/etc/nsswitch.conf", switch.as_bytes(), 0o644)
    }
}

/// The report of a program that the host does not have, or that is none.
#[must_use]
pub fn no_program(program: &str, host: &Host) -> Report {
    let shown = quoted(program);
    match host.tree.metadata(Path::new(program)) {
        Ok(found) if program.contains('/') && found.is_dir() => {
            Report::error(format!("{shown} is a directory, not a program"))
        }
        Ok(found) if program.contains('/') => {
            let mode = found.mode() & 0o7777;
            Report::error(format!("{shown} is not executable: it has mode {mode:04o}"))
        }
        _ => Report::error(format!("no program {shown} on this host"))
            .hint("install it, or give its path; names are looked for along `PATH`"),
    }
}

/// What is kept of a file of the host that is copied.
pub(super) fn copy_of(source: PathBuf, metadata: &std::fs::Metadata) -> Entry {
    Entry::Copy {
        source,
        id: (metadata.dev(), metadata.ino()),
        mode: metadata.mode() & 0o777,
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

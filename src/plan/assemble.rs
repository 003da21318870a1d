//! Layers of roots, assembled entry by entry before anything is written.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::data::Opened;
use super::gather::Gatherer;
use super::install::Installer;
use crate::diag::{Report, quoted};
use crate::host::{Host, elf};
use crate::ops::{Assembled, Entry, Layer, Owner};
use crate::spec::{Applets, DataTable, FileOptions, GuestPath, Ingredient, Mixed};

/// Assembles the layer of `ingredients` on top of `below`.
///
/// # Errors
/// All files that cannot be found, each with its line.
pub fn assemble(
    ingredients: &[Arc<Mixed>],
    host: &Host,
    below: &[Layer],
) -> Result<Assembled, Vec<Report>> {
    let mut assembler = Assembler {
        host,
        loader: elf::Loader::new(&host.tree),
        installer: Installer::new(host, below),
        gatherer: None,
        reports: Vec::new(),
    };
    for mixed in ingredients {
        assembler.add(mixed);
    }
    let Assembler { installer, reports, .. } = assembler;
    if !reports.is_empty() {
        return Err(reports);
    }
    Ok(installer.finish())
}

struct Assembler<'h> {
    host: &'h Host,
    loader: elf::Loader<'h>,
    installer: Installer<'h>,
    gatherer: Option<Gatherer<'h>>,
    reports: Vec<Report>,
}

impl Assembler<'_> {
    fn add(&mut self, mixed: &Mixed) {
        self.installer.origin.clone_from(&mixed.origin);
        let added = self.ingredient(&mixed.ingredient);
        if let Err(report) = added.and_then(|()| self.installer.link_root()) {
            let origin = report.origin.clone().or_else(|| mixed.origin.clone());
            self.reports.push(report.at(origin));
        }
    }

    fn ingredient(&mut self, ingredient: &Ingredient) -> Result<(), Report> {
        match ingredient {
            Ingredient::Binary { program, into, applets, data } => {
                let needs = self.binary(program, into.as_ref(), applets)?;
                data.as_ref().map_or(Ok(()), |table| self.data(table, &needs))
            }
            Ingredient::Library(name) => self.library(name),
            Ingredient::Directory(path, options) => {
                let entry = Entry::Directory { mode: options.mode.unwrap_or(0o755) };
                self.put_for(path, entry, *options)
            }
            Ingredient::File(path, content, options) => {
                let (content, mode) = (content.as_slice().into(), options.mode.unwrap_or(0o644));
                self.put_for(path, Entry::File { content, mode }, *options)
            }
            Ingredient::Copy { source, target, limit } => {
                self.installer.copy(source, Path::new(target.as_str()), *limit)
            }
            Ingredient::Symlink { target, path } => {
                let entry = Entry::Symlink { target: PathBuf::from(target) };
                self.installer.put(Path::new(path.as_str()), entry)
            }
            Ingredient::Device(path) => self.device(path),
            Ingredient::Users(users) => self.users(users),
            // These are separate layers, or start one.
            Ingredient::Layer | Ingredient::Archive(_) | Ingredient::Kept(_) => Ok(()),
        }
    }

    fn put_for(
        &mut self,
        path: &GuestPath,
        entry: Entry,
        FileOptions { uid, gid, .. }: FileOptions,
    ) -> Result<(), Report> {
        self.installer.put_for(Path::new(path.as_str()), entry, Owner { uid, gid })
    }

    fn binary(
        &mut self,
        program: &str,
        into: Option<&GuestPath>,
        applets: &Applets,
    ) -> Result<elf::Needs, Report> {
        let search = self.host.environment.get("PATH").map(String::as_str);
        let Some(path) = self.host.tree.which(program, search) else {
            return Err(no_program(program, self.host));
        };
        let needs = self.loader.needs(&path).map_err(|error| unreadable(&error, self.host))?;
        self.install_needs(&needs)?;
        self.warn_of_shim(&needs);
        let place = match into {
            None => path.clone(),
            Some(directory) => {
                let name = path.file_name().unwrap_or_default();
                let place = Path::new(directory.as_str()).join(name);
                self.installer.copy(&path, &place, u64::MAX)?;
                place
            }
        };
        if into.is_none() {
            self.installer.install(&path)?;
            self.installer.asked_for(&path);
            self.installer.link_program(&path)?;
        }
        self.applets(&path, &place, applets)?;
        Ok(needs)
    }

    /// Installs the files that a program opens at run time.
    fn data(&mut self, table: &Arc<DataTable>, needs: &elf::Needs) -> Result<(), Report> {
        let new = || Gatherer::new(self.host, Arc::clone(table));
        let data = self.gatherer.get_or_insert_with(new).gather(&mut self.loader, needs);
        for piece in &data.pieces {
            match &piece.what {
                Opened::Tree { paths, .. } => {
                    paths.iter().try_for_each(|path| self.installer.install_as_it_is(path))?;
                }
                Opened::Object { files, .. } => {
                    files.iter().try_for_each(|path| self.installer.install(path))?;
                }
                Opened::File { path, content } => {
                    let (content, mode) = (content.as_bytes().into(), 0o644);
                    self.installer.put_along(path, Entry::File { content, mode })?;
                }
            }
        }
        if let [first, rest @ ..] = data.left_out.as_slice() {
            let first = quoted(first.to_string_lossy());
            let others = match rest.len() {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            let program = quoted(needs.program.to_string_lossy());
            let message = format!("cannot read {first}{others}, data of {program}: skipped");
            let report = Report::warning(message).at(self.installer.origin.clone());
            self.installer.warnings.push(report);
        }
        Ok(())
    }

    /// Warns of a wrapper script in place of a program: it selects the real program when it runs.
    fn warn_of_shim(&mut self, needs: &elf::Needs) {
        let beside = needs.program.parent().and_then(Path::file_name);
        if !matches!(needs.kind, elf::Kind::Script(_)) || beside != Some("shims".as_ref()) {
            return;
        }
        let shown = quoted(needs.program.to_string_lossy());
        let report = Report::warning(format!("{shown} starts another program, which is not added"));
        let report = report
            .advise("shim", "give the path of the program itself; `pyenv which NAME` prints it");
        self.installer.warnings.push(report.at(self.installer.origin.clone()));
    }

    /// Installs everything that a program needs besides itself.
    fn install_needs(&mut self, needs: &elf::Needs) -> Result<(), Report> {
        if let Some(missing) = needs.all_missing().first() {
            if missing.cause != elf::LoadError::NotFound {
                return Err(Report::error(missing.to_string()));
            }
            let name = quoted(missing.name.to_string_lossy());
            let by = quoted(missing.by.to_string_lossy());
            let report =
                Report::error(format!("{name}, which {by} needs, was not found on this host"));
            return Err(report.advise(
                "library_nowhere",
                "the host cannot run it either: install the missing file",
            ));
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
                    let report = Report::error(format!("{program} does not list its applets"));
                    report.advise("applets_unnamed", "name them: `applets: [\"sh\", \"ls\"]`")
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
            .map_err(|error| unreadable(&error, self.host))?;
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
            Ok(_) => Err(Report::error(format!("{} is not a device", quoted(path.as_str())))),
            Err(_) => {
                let place = Path::new(path.as_str());
                let report = Report::error(format!(
                    "device {} not found on this host",
                    quoted(path.as_str())
                ));
                Err(match self.host.tree.near(place) {
                    Some(near) => {
                        let near = place.with_file_name(near);
                        let near = quoted(near.to_string_lossy());
                        report.advise("device_near", format!("did you mean {near}?"))
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
        let names: Vec<&str> = users.iter().map(|(name, ..)| name.as_str()).collect();
        let others = |path: &str, new: String| {
            let before = self.installer.text(Path::new(path)).unwrap_or_default();
            let is_new = |line: &&str| line.split(':').next().is_some_and(|it| names.contains(&it));
            let lines = before.lines().filter(|line| !is_new(line)).map(|line| format!("{line}\n"));
            lines.collect::<String>() + new.as_str()
        };
        let passwd = others("/etc/passwd", passwd);
        let group = others("/etc/group", group);
        let shadow = others("/etc/shadow", shadow);
        let switch = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";
        for (path, text, mode) in [
            ("/etc/passwd", passwd, 0o644),
            ("/etc/group", group, 0o644),
            ("/etc/shadow", shadow, 0o600),
        ] {
            self.installer.rewrite(Path::new(path), text, mode)?;
        }
        let switch = Entry::File { content: switch.as_bytes().into(), mode: 0o644 };
        self.installer.put_along(Path::new("/etc/nsswitch.conf"), switch)
    }
}

/// Reports a program or library that cannot be read.
#[must_use]
pub fn unreadable(error: &elf::ElfError, host: &Host) -> Report {
    host.tree.take_unseen().map_or_else(|| Report::error(error.to_string()), Report::from)
}

/// Reports a program that is missing on the host, or not a program.
#[must_use]
pub fn no_program(program: &str, host: &Host) -> Report {
    // A directory of the search could not be accessed.
    if let Some(unseen) = host.tree.take_unseen() {
        return unseen.into();
    }
    let shown = quoted(program);
    match host.tree.metadata(Path::new(program)) {
        Ok(found) if program.contains('/') && found.is_dir() => {
            Report::error(format!("{shown} is a directory, not a program"))
        }
        Ok(found) if program.contains('/') => {
            let mode = found.mode() & 0o7777;
            Report::error(format!("{shown} is not executable: it has mode {mode:04o}"))
        }
        _ => {
            absent(program, host, Report::error(format!("program {shown} not found on this host")))
        }
    }
}

/// Reports a program that is missing on the host, with a hint.
fn absent(program: &str, host: &Host, report: Report) -> Report {
    let path = Path::new(program);
    if !program.contains('/') {
        // Directories of programs for root are not on the `PATH` of every user.
        return match host.tree.which(program, None) {
            Some(found) => {
                let found = quoted(found.to_string_lossy());
                let hint =
                    format!("{found} exists, but its directory is not in `PATH`: use this path");
                report.advise("binary_off_path", hint)
            }
            None => report.advise(
                "binary_missing",
                "install it, or give its path: names are looked up in `PATH`",
            ),
        };
    }
    if let Ok(says) = std::fs::read_link(host.tree.real(path)) {
        let says = quoted(says.to_string_lossy());
        let hint = format!(
            "it is a link to {says}, which does not exist: give the path of the \
                            program itself"
        );
        return report.advise("binary_link_dangles", hint);
    }
    match host.tree.near(path) {
        Some(near) => {
            let near = quoted(path.with_file_name(near).to_string_lossy());
            report.advise("binary_near", format!("did you mean {near}?"))
        }
        None => report.advise("binary_path_missing", "give a path on the host"),
    }
}

/// The entry for a copy of a file of the host.
pub(super) fn copy_of(source: PathBuf, metadata: &std::fs::Metadata) -> Entry {
    Entry::Copy {
        source,
        id: (metadata.dev(), metadata.ino()),
        mode: metadata.mode() & 0o777,
        size: metadata.len(),
        names: metadata.nlink(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

//! Why a program could not be executed: the kernel's few error numbers, told apart by looking.

use std::path::{Path, PathBuf};

use super::runner::Runner;
use crate::diag::{Report, closest, count, list, quoted};
use crate::host::elf::{self, Role};
use crate::host::{DEFAULT_PATH, Tree};
use crate::plan::{Action, Backing, Plan, Planned};
use crate::spec::{Command, GuestPath};
use crate::sys::Errno;

/// The inside of a sandbox, looked at from outside after the fact.
pub(super) struct Guest<'a> {
    pub plan: &'a Plan,
    pub runner: &'a Runner,
    /// The root, where it was assembled.
    pub root: Option<Tree>,
}

/// The shell inside: the one that `SHELL` says; else bash, where it is there, and sh.
pub(super) fn shell(guest: &Guest<'_>) -> String {
    let variable = |wanted: &str| {
        let found = guest.plan.environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    if let Some(shell) = variable("SHELL") {
        return shell;
    }
    let path = variable("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let has = |directory: &str| guest.has(&Path::new(directory).join("bash")) == Some(true);
    if path.split(':').any(has) { "bash".into() } else { "sh".into() }
}

impl Guest<'_> {
    /// Whether it is no sandbox, but where nsscript itself is.
    fn is_here(&self) -> bool {
        // In a sandbox every program loses its capabilities.
        let is_sandbox = |planned: &Planned| planned.action == Action::DropCapabilities;
        self.plan.is_raw() || !self.plan.actions.iter().any(is_sandbox)
    }

    fn place(&self) -> &'static str {
        if self.is_here() { "in this root" } else { "in the sandbox" }
    }

    /// Where `path` lies on the host, as far as that can be told.
    fn on_host(&self, path: &str) -> Option<PathBuf> {
        let guest = GuestPath::new(path).ok()?;
        if let Some(place) = self.plan.view.on_host(&guest) {
            return Some(place);
        }
        let (base, backing, _) = self.plan.view.holder(&guest)?;
        (base.is_root() && *backing == Backing::Private).then_some(())?;
        Some(self.root.as_ref()?.real(Path::new(guest.as_str())))
    }

    /// The whole tree, where all of it is one directory of the host.
    fn tree(&self) -> Option<Tree> {
        let root = self.plan.view.on_host(&GuestPath::root());
        root.map(Tree::at).or_else(|| self.root.clone())
    }

    /// Whether something is at `path` inside; none where that cannot be told.
    fn has(&self, path: &Path) -> Option<bool> {
        let path = self.through_links(path.to_str()?);
        let Some(place) = self.on_host(&path) else { return Some(self.makes(&path)) };
        match self.tree().filter(|_| self.is_of_root(Path::new(&path))) {
            Some(tree) => Some(tree.exists(Path::new(&path)) || self.makes(&path)),
            None => Some(self.runner.host().tree.exists(&place)),
        }
    }

    /// `path` with the links followed that the plan makes.
    fn through_links(&self, path: &str) -> String {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let link = self.plan.actions.iter().find_map(|planned| match &planned.action {
                Action::MakeSymlink { path: link, target } => {
                    let rest = path.strip_prefix(link.as_str())?;
                    (rest.is_empty() || rest.starts_with('/')).then(|| {
                        let above = link.parent().map(|parent| parent.to_string());
                        let above = above.filter(|_| !target.starts_with('/')).unwrap_or_default();
                        format!("{}/{target}{rest}", above.trim_end_matches('/'))
                    })
                }
                _ => None,
            });
            match link.and_then(|link| GuestPath::new(&link).ok()) {
                Some(next) => path = next.to_string(),
                None => break,
            }
        }
        path
    }

    /// Whether the plan itself makes something at `path`.
    fn makes(&self, path: &str) -> bool {
        let Ok(path) = GuestPath::new(path) else { return false };
        self.plan.actions.iter().any(|planned| match &planned.action {
            Action::MakeFile(made, ..) => *made == path,
            Action::MakeDirectory(made, _) => made.is_within(&path),
            Action::Bind { target, .. } | Action::Mount { target, .. } => target.is_within(&path),
            _ => false,
        })
    }

    fn is_of_root(&self, path: &Path) -> bool {
        let guest = path.to_str().and_then(|path| GuestPath::new(path).ok());
        let holder =
            guest.and_then(|guest| self.plan.view.holder(&guest).map(|held| held.0.is_root()));
        holder.unwrap_or(false)
    }

    /// What the program at `path` needs, looked for inside.
    fn needs(&self, path: &str) -> Option<Result<elf::Needs, elf::ElfError>> {
        let path = &self.through_links(path);
        if self.is_of_root(Path::new(path)) {
            return Some(elf::needs(&self.tree()?, Path::new(path)));
        }
        Some(elf::needs(&self.runner.host().tree, &self.on_host(path)?))
    }

    /// What `needs` names that is not there inside: the name, who asks, and as what.
    fn missing(&self, needs: &elf::Needs) -> Vec<(PathBuf, PathBuf, Role)> {
        let absent = needs.all_missing().into_iter();
        let mut missing: Vec<_> = absent
            .map(|missing| (PathBuf::from(&missing.name), missing.by.clone(), missing.role))
            .collect();
        for file in needs.files() {
            if file != needs.program && self.has(file) == Some(false) {
                let role = match needs.library_at(file).map(|library| &library.rule) {
                    Some(elf::Rule::Interpreter) => Role::Loader,
                    Some(_) => Role::Library,
                    None => Role::Program,
                };
                missing.push((file.to_path_buf(), needs.program.clone(), role));
            }
        }
        missing
    }
}

/// The report with what is known of why `command` could not be executed.
pub(super) fn explain(
    mut report: Report,
    guest: &Guest<'_>,
    command: &Command,
    search: &[String],
    errno: Errno,
) -> Report {
    let program = command.program();
    let candidates: Vec<String> = if program.contains('/') {
        vec![program.to_owned()]
    } else {
        search.iter().map(|directory| format!("{directory}/{program}")).collect()
    };
    let there = candidates.iter().find(|path| guest.has(Path::new(path)) == Some(true));
    let shown = quoted(program);
    match (errno.name().as_str(), there) {
        ("ENOENT", Some(path)) => because_of_loader(report, guest, path),
        ("ENOENT", None) => {
            report.message = format!("no program {shown} {}", guest.place());
            not_found(report, guest, program, search)
        }
        ("EACCES", Some(path)) => forbidden(report, guest, path),
        ("EACCES", None) if guest.is_here() && !program.contains('/') => {
            report.message = format!("no program {shown} {}", guest.place());
            report.facts.status = Some(127);
            let report = report.note("some of the directories you may not search");
            not_found(report, guest, program, search)
        }
        ("ENOEXEC", _) => report.hint(
            "it is no program for this machine: neither an ELF file of its kind nor a \
                         script that begins with `#!`",
        ),
        ("EPERM", _) => report.hint(
            "the file has capabilities or a set-user-ID bit that this \
                                     sandbox cannot give; mount it without `suid`",
        ),
        ("E2BIG", _) => report.hint("the arguments and the environment are too long together"),
        _ => report,
    }
}

fn because_of_loader(mut report: Report, guest: &Guest<'_>, path: &str) -> Report {
    let shown = quoted(path);
    let needs = match guest.needs(path) {
        Some(Ok(needs)) => needs,
        Some(Err(elf::ElfError { fault: elf::Fault::InterpreterMissing(name), .. })) => {
            let interpreter = quoted(name.to_string_lossy());
            report.message = format!(
                "cannot execute {shown}: its interpreter {interpreter} is not {}",
                guest.place()
            );
            let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return report.hint(format!("`.binary(\"{name}\")` puts it into a root"));
        }
        _ => return report.hint(format!("{shown} is there; what it is loaded by is not")),
    };
    let missing = guest.missing(&needs);
    // The kernel itself looks only for the loader or interpreter; libraries come later.
    let first = missing.iter().position(|(_, _, role)| *role != Role::Library).unwrap_or(0);
    let Some((name, _, role)) = missing.get(first) else {
        return report.hint(format!("{shown} is there; what it is loaded by may not be"));
    };
    let name = quoted(name.to_string_lossy());
    let what = match (role, &needs.kind) {
        (Role::Loader, _) => "its loader",
        (_, elf::Kind::Script(_)) => "its interpreter",
        _ => "what it needs",
    };
    let place = guest.place();
    report.message = format!("cannot execute {shown}: {what} {name} is not {place}");
    let others = missing.iter().enumerate().filter(|(index, _)| *index != first);
    let others: Vec<_> = others.map(|(_, (path, ..))| quoted(path.to_string_lossy())).collect();
    if !others.is_empty() {
        let number = count(others.len(), "more file");
        report = report.note(format!("and {number}: {}", list(&others, "and")));
    }
    let program = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    report.hint(format!(
        "`rootfs().binary(\"{program}\")` takes along what a program needs; `needs(\"{program}\")` \
         lists it"
    ))
}

fn not_found(report: Report, guest: &Guest<'_>, program: &str, search: &[String]) -> Report {
    if program.contains('/') {
        if guest.is_here() {
            return report;
        }
        return report.hint("the path is one inside the sandbox, not one of the host");
    }
    let mut names = Vec::new();
    if let Some(tree) = guest.tree() {
        for directory in search {
            let found = tree.names(Path::new(directory)).unwrap_or_default();
            names.extend(found.into_iter().filter_map(|name| name.into_string().ok()));
        }
    }
    let report = report.note(format!("looked for along {}", quoted(search.join(":"))));
    match closest(program, names.iter().map(String::as_str)) {
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None if guest.is_here() => report.hint(format!(
            "a root of one's own has what was put into it: `rootfs().binary(\"{program}\")`"
        )),
        None => report.hint(format!("`.binary(\"{program}\")` puts it into a root")),
    }
}

fn forbidden(report: Report, guest: &Guest<'_>, path: &str) -> Report {
    use std::os::unix::fs::MetadataExt;
    let shown = quoted(path);
    let holder = GuestPath::new(path).ok().and_then(|path| {
        guest.plan.actions.iter().rev().find_map(|planned| {
            let (target, exec) = match &planned.action {
                Action::Bind { target, options, .. } => (target, options.exec),
                Action::Mount { target, options, .. } => (target, options.exec),
                _ => return None,
            };
            path.is_within(target).then(|| (exec, planned.origin.clone()))
        })
    });
    if let Some((false, origin)) = holder {
        let report = report.related(origin.as_ref(), "mounted without `exec` here");
        return report.hint("`exec: true` in the options of the mount allows programs in it");
    }
    let made = guest.plan.actions.iter().rev().find_map(|planned| match &planned.action {
        Action::MakeFile(made, _, options) if made.as_str() == path => Some(options.mode),
        _ => None,
    });
    if let Some(mode) = made.map(|mode| mode.unwrap_or(0o644)).filter(|mode| mode & 0o111 == 0) {
        return report.hint(format!("{shown} has mode {mode:04o}: nobody may execute it"));
    }
    let place = guest.on_host(path);
    let found = place.and_then(|place| guest.runner.host().tree.metadata(&place).ok());
    match found.map(|found| (found.is_dir(), found.mode() & 0o7777)) {
        Some((true, _)) => report.hint(format!("{shown} is a directory")),
        Some((_, bits)) if bits & 0o111 == 0 => {
            report.hint(format!("{shown} has mode {bits:04o}: nobody may execute it"))
        }
        _ => report,
    }
}

/// What a program lacks that could not be loaded: the loader itself says it and exits with 127.
pub(super) fn lacks(guest: &Guest<'_>, command: &Command) -> Option<String> {
    let program = command.program();
    let path = if program.contains('/') {
        program.to_owned()
    } else {
        guest.tree()?.which(program, None)?.to_string_lossy().into_owned()
    };
    let needs = guest.needs(&path)?.ok()?;
    let missing = guest.missing(&needs);
    let (name, by, _) = missing.iter().find(|(_, _, role)| *role == Role::Library)?;
    let (name, by) = (quoted(name.to_string_lossy()), quoted(by.to_string_lossy()));
    Some(format!("the library {name}, which {by} needs, is not in the sandbox"))
}

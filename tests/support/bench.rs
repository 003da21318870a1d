//! A place of one user's own, from which nsscript is run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Ended, Launch, User};

/// A directory with the compiled binary, a working directory and one for temporary files, which
/// the user owns. It is removed with the value.
#[derive(Debug)]
pub struct Bench {
    pub user: User,
    base: PathBuf,
}

impl Bench {
    pub fn new(user: User) -> Self {
        let bench = Self { user, base: new_directory() };
        fs::create_dir(bench.base.join("bin")).unwrap();
        let compiled = Path::new(env!("CARGO_BIN_EXE_nsscript"));
        let readable = compiled.metadata().unwrap().mode() & 0o005 == 0o005;
        if !readable || fs::hard_link(compiled, bench.binary()).is_err() {
            Self::copy_binary(&bench.binary());
        }
        for (directory, mode) in [("work", 0o755), ("tmp", 0o700)] {
            let directory = bench.base.join(directory);
            fs::create_dir(&directory).unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
            bench.give(&directory);
        }
        bench
    }

    /// The directory of all of it.
    pub fn base(&self) -> PathBuf {
        self.base.clone()
    }

    /// The compiled binary.
    pub fn binary(&self) -> PathBuf {
        self.base.join("bin/nsscript")
    }

    /// Copies the compiled binary, for a test that does things to it.
    pub fn copy_binary(to: &Path) {
        // By another process: a file that is open for writing here could not be executed, and
        // what other threads start has it open for a moment.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_nsscript")).arg(to).status();
        assert!(copied.unwrap().success());
        fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
    }

    /// Where nsscript puts its temporary files: `TMPDIR`.
    pub fn temporary(&self) -> PathBuf {
        self.base.join("tmp")
    }

    /// What nsscript has left in `TMPDIR`.
    pub fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.temporary()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// A path in the working directory, in which recipes are run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.base.join("work").join(name)
    }

    /// The same as text, for a recipe.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("temporary directories have readable names").to_owned()
    }

    /// Makes a file in the working directory, and the directories above it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.directory(parent);
        }
        fs::write(self.path(name), content).unwrap();
        self.mode(name, 0o644);
        self.give(&self.path(name));
        self.path(name)
    }

    /// Makes a directory in the working directory, and those above it.
    pub fn directory(&self, name: &str) -> PathBuf {
        let mut path = self.path("");
        for name in name.split('/') {
            path.push(name);
            if fs::create_dir(&path).is_ok() {
                fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
                self.give(&path);
            }
        }
        path
    }

    /// Makes a symbolic link in the working directory.
    pub fn link(&self, target: &str, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    /// Sets the permissions of something in the working directory.
    pub fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// What a file in the working directory holds.
    #[track_caller]
    pub fn content(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Makes the user the owner of something.
    pub fn give(&self, path: &Path) {
        if !self.user.is_self {
            chown(path, Some(self.user.uid), Some(self.user.gid)).unwrap();
        }
    }

    /// Makes the user the owner of a terminal, as login(1) does.
    pub fn give_terminal(&self, terminal: &std::os::fd::OwnedFd) {
        if !self.user.is_self {
            let owner = (Some(self.user.uid), Some(self.user.gid));
            std::os::unix::fs::fchown(terminal, owner.0, owner.1).unwrap();
        }
    }

    /// nsscript with these words on its command line.
    pub fn nsscript<W: AsRef<str>>(&self, words: &[W]) -> Launch<'_> {
        Launch::new(self, words)
    }

    /// A recipe given as text.
    pub fn recipe(&self, text: &str) -> Launch<'_> {
        self.nsscript(&["-e", text])
    }

    /// A shell script in the sandbox that the expression `guest` makes. nsscript ends as it does.
    pub fn script(&self, guest: &str, script: &str) -> Launch<'_> {
        let recipe =
            format!("exit(({guest}).run([\"sh\", \"-c\", args[0]], #{{ check: false }}).code)");
        self.nsscript(&["-e", &recipe, script])
    }

    /// The same, run to its end.
    #[track_caller]
    pub fn sh(&self, guest: &str, script: &str) -> Ended {
        self.script(guest, script).end()
    }

    /// What a shell script in a sandbox prints. It must succeed.
    #[track_caller]
    pub fn seen(&self, guest: &str, script: &str) -> String {
        self.sh(guest, script).succeeded()
    }

    /// Lets the owner enter every directory below, so that they can be removed without being root.
    pub fn open_up(directory: &Path) {
        let _ = fs::set_permissions(directory, Permissions::from_mode(0o700));
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                Self::open_up(&entry.path());
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        Self::open_up(&self.base);
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// A new directory that every user can reach.
fn new_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let places = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
    let parent = places.iter().find(|place| is_open(place)).expect("a directory open to all users");
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nsscript-test-{}-{number}", std::process::id());
        let path = parent.join(name);
        if fs::create_dir(&path).is_ok() {
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            return path;
        }
        assert!(path.exists(), "cannot make {}", path.display());
    }
}

/// Whether every user can go to a directory.
fn is_open(directory: &Path) -> bool {
    let open = |path: &Path| path.metadata().is_ok_and(|found| found.mode() & 0o001 != 0);
    directory.is_absolute() && directory.ancestors().all(open)
}

//! A recipe and a user that runs it: one run, and what is to be seen of it.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};

use super::archive;
use super::recipe::{RECIPES, Recipe, Store};
use super::support::host::Host;
use super::support::{Bench, User};
use super::tracer::{self, Aim, Traced};

/// How long a run may take. The slowest recipe takes a second, and a machine may have more to do.
const LONGEST: Duration = Duration::from_secs(15);

/// How many runs list the calls.
const LISTED: usize = 3;

/// A recipe, a user, and the place of both.
pub struct Subject {
    recipe: &'static Recipe,
    bench: Bench,
    /// The namespaces of the host: `uts:[4026531838]`.
    namespaces: BTreeSet<String>,
}

/// How a run ended, and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Everything about a run.
pub struct Run {
    pub traced: Traced,
    pub ended: Ended,
    /// Files outside of the store that it has left.
    pub files: BTreeSet<String>,
    /// What is half made in the store.
    pub half_made: Vec<String>,
    /// What it has changed on the host.
    pub host: Vec<String>,
}

/// What runs of a subject are compared with: one in which nothing has failed.
pub struct Reference {
    pub ended: Ended,
    /// The same of a run that finds what the one before has put into the store.
    next: Ended,
    pub calls: Vec<tracer::Made>,
}

/// The names of all subjects that this machine can run.
pub fn all() -> Vec<String> {
    let mut names = Vec::new();
    for recipe in RECIPES {
        let users = User::all().into_iter().filter(|user| recipe.can_run(*user));
        names.extend(users.map(|user| format!("{}/{}", recipe.name, user_name(user))));
    }
    names
}

fn user_name(user: User) -> &'static str {
    if user.is_root() { "root" } else { "user" }
}

impl Reference {
    /// How a run differs that nothing has failed in, whatever it found in the store.
    pub fn differences(&self, ended: &Ended) -> String {
        let differences = differences(&self.next, ended);
        let is_usual = differences.is_empty() || *ended == self.ended;
        if is_usual { String::new() } else { differences }
    }
}

impl Subject {
    /// The subject called `name`, in a new place.
    ///
    /// # Errors
    /// There is none, or its place cannot be made.
    pub fn new(name: &str) -> Result<Self, String> {
        let unknown = || format!("there is no subject `{name}`");
        let (recipe, user) = name.split_once('/').ok_or_else(unknown)?;
        let recipe = RECIPES.iter().find(|it| it.name == recipe).ok_or_else(unknown)?;
        let user = User::all().into_iter().find(|it| user_name(*it) == user).ok_or_else(unknown)?;
        let bench = Bench::new(user);
        bench.file("recipe.rhai", recipe.text);
        bench.file("data", "data\n");
        if recipe.text.contains("base.tar.gz") {
            bench.file("base.tar.gz", archive::base());
        }
        let probe = bench.path("probe");
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        if fs::hard_link(&this, &probe).is_err() {
            fs::copy(&this, &probe).map_err(|error| error.to_string())?;
        }
        fs::set_permissions(&probe, Permissions::from_mode(0o755)).map_err(|it| it.to_string())?;
        let kinds = fs::read_dir("/proc/self/ns").map_err(|error| error.to_string())?;
        let links = kinds.flatten().filter_map(|kind| fs::read_link(kind.path()).ok());
        let namespaces = links.map(|link| link.display().to_string()).collect();
        let subject = Self { recipe, bench, namespaces };
        for directory in ["cache", "home"] {
            subject.make(directory).map_err(|error| format!("{directory}: {error}"))?;
        }
        Ok(subject)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.bench.base().join(name)
    }

    /// Makes a directory of the user's own.
    fn make(&self, name: &str) -> io::Result<()> {
        let place = self.place(name);
        fs::create_dir(&place)?;
        fs::set_permissions(&place, Permissions::from_mode(0o700))?;
        self.bench.give(&place);
        Ok(())
    }

    /// Empties a directory, whatever is in it.
    fn empty(&self, name: &str) -> Result<(), String> {
        let place = self.place(name);
        Bench::open_up(&place);
        let emptied = fs::remove_dir_all(&place).and_then(|()| self.make(name));
        emptied.map_err(|error| format!("cannot empty {}: {error}", place.display()))
    }

    /// Makes everything as it is before a run.
    pub fn reset(&self) -> Result<(), String> {
        if fs::read_dir(self.place("tmp")).is_ok_and(|mut entries| entries.next().is_some()) {
            self.empty("tmp")?;
        }
        if self.recipe.store != Store::Warm {
            self.empty("cache")?;
        }
        Ok(())
    }

    /// Whether a run can leave something in the store that the next one finds.
    pub fn has_store(&self) -> bool {
        self.recipe.store != Store::Unused
    }

    /// Fills the store anew, if the recipe wants to find it filled.
    pub fn refill(&self) -> Result<(), String> {
        if self.recipe.store == Store::Warm {
            self.empty("cache")?;
            self.run(Aim::Watch)?;
        }
        Ok(())
    }

    /// Runs the recipe without a fault, and lists the calls that it makes every time: how often it
    /// waits, and which of two threads does something, is chance.
    ///
    /// # Errors
    /// Not every run prints the same; then no run tells anything.
    pub fn reference(&self) -> Result<Reference, String> {
        self.refill()?;
        self.reset()?;
        let listed = self.run(Aim::List)?;
        let unknown = &listed.traced.unknown;
        if !unknown.is_empty() {
            return Err(format!("calls.rs does not know the system calls {unknown:?}"));
        }
        let mut calls = listed.traced.calls;
        for _ in 1..LISTED {
            self.reset()?;
            let again = self.run(Aim::List)?;
            let differences = differences(&listed.ended, &again.ended);
            if !differences.is_empty() {
                return Err(format!("two runs differ though nothing fails:\n{differences}"));
            }
            let places: HashSet<_> = again.traced.calls.iter().map(|made| &made.place).collect();
            calls.retain(|made| places.contains(&made.place));
        }
        let files: Vec<_> = listed.files.into_iter().collect();
        let problems = [&files[..], &listed.half_made, &listed.host, &listed.traced.left];
        if problems.iter().any(|it| !it.is_empty()) || listed.ended.code != Some(0) {
            let Ended { code, stdout, stderr } = &listed.ended;
            return Err(format!("{code:?}, left: {problems:?}\n{stdout}\n{stderr}"));
        }
        let next = self.run(Aim::Watch)?.ended;
        Ok(Reference { ended: listed.ended, next, calls })
    }

    /// One run.
    pub fn run(&self, aim: Aim<'_>) -> Result<Run, String> {
        let host = Host::snapshot(&self.bench.base());
        let before = self.files();
        let terminal = self.recipe.at_terminal.then(|| Terminal::new(&self.bench)).transpose();
        let terminal = terminal.map_err(|errno| format!("no terminal: {errno}"))?;
        let mut command = self.command(terminal.as_ref()).map_err(|error| error.to_string())?;
        let traced = tracer::run(&mut command, aim, LONGEST);
        let traced = traced.map_err(|errno| format!("ptrace: {errno}"))?;
        // What is printed on a terminal ends when nobody can print there any more.
        drop(command);
        let mut changed = host.changes(&Host::snapshot(&self.bench.base()), traced.pid);
        let read = |name| fs::read(self.place(name)).map_err(|error| error.to_string());
        let printed = match terminal {
            Some(terminal) => {
                changed.extend(terminal.changes());
                terminal.end()
            }
            None => read("stdout")?,
        };
        let text = |bytes: &[u8]| self.normal(&String::from_utf8_lossy(bytes));
        let (stdout, stderr) = (text(&printed), text(&read("stderr")?));
        let ended = Ended { code: traced.code, stdout, stderr };
        let files = self.files().difference(&before).cloned().collect();
        let half_made = names_below(&self.place("cache/nsscript/building"), 1);
        let half_made = half_made.into_iter().collect();
        Ok(Run { traced, ended, files, half_made, host: changed })
    }

    /// nsscript with the recipe, as [`tracer::run`] takes it.
    fn command(&self, terminal: Option<&Terminal>) -> io::Result<Command> {
        let shell = self.bench.user.command("sh");
        let mut command = if let Some(terminal) = terminal {
            let mut command = tracer::waiting(shell, "<&1");
            command.args(["setsid", "--ctty"]).stdout(terminal.other.try_clone()?);
            command
        } else {
            // Descriptor 9 is one that a recipe can pass.
            let mut command = tracer::waiting(shell, "</dev/null 9</dev/null");
            command.stdout(File::create(self.place("stdout"))?);
            command
        };
        command.arg(self.bench.binary()).args(self.recipe.options).arg("recipe.rhai");
        command.current_dir(self.bench.path("")).stderr(File::create(self.place("stderr"))?);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", self.place("home")).env("XDG_CACHE_HOME", self.place("cache"));
        command.env("TMPDIR", self.bench.temporary());
        command.envs([("LANG", "C"), ("TERM", "dumb"), ("NSSCRIPT_PROGRESS", "never")]);
        Ok(command)
    }

    /// All files outside of the store.
    pub fn files(&self) -> BTreeSet<String> {
        let places = ["tmp", "home", "work"];
        let names = places.into_iter().flat_map(|name| names_below(&self.place(name), 2));
        // The last part of a name in TMPDIR is drawn.
        names.map(|name| replace_words(&name, "nsscript-", |_| "DRAWN".into())).collect()
    }

    /// A text without what differs from run to run: the place of the subject, names that are drawn,
    /// numbers of namespaces.
    fn normal(&self, text: &str) -> String {
        let place = self.bench.base().display().to_string();
        let text = text.replace(&place, "PLACE");
        let text = replace_words(&text, "PLACE/tmp/", |_| "DRAWN".into());
        let mut normal = text;
        for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
            normal = replace_words(&normal, &format!("{kind}:["), |number| {
                let is_host = self.namespaces.contains(&format!("{kind}:[{number}]"));
                if is_host { "HOST".into() } else { "NEW".into() }
            });
        }
        normal
    }
}

/// Takes away what a run has left on the host.
pub fn clean_host() {
    for network in names_below(Path::new("/run/netns"), 1) {
        let path = Path::new("/run/netns").join(network);
        let _ = Command::new("umount").arg(&path).stderr(Stdio::null()).status();
        let _ = fs::remove_file(path);
    }
}

/// Replaces the word behind every `mark`.
fn replace_words(text: &str, mark: &str, other: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(mark);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
        let (word, rest) = part.split_at(part.find(ends).unwrap_or(part.len()));
        replaced += &format!("{mark}{}{rest}", other(word));
    }
    replaced
}

/// The paths below a directory, as far as so many levels down.
fn names_below(directory: &Path, levels: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if levels > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let below = names_below(&entry.path(), levels - 1);
            names.extend(below.iter().map(|it| format!("{name}/{it}")));
        }
        names.insert(name);
    }
    names
}

/// The lines that only one of two runs has, and another status.
pub fn differences(one: &Ended, other: &Ended) -> String {
    let mut differences = Vec::new();
    if one.code != other.code {
        differences.push(format!("status {:?}, now {:?}", one.code, other.code));
    }
    differences.extend(different_lines(&one.stdout, &other.stdout));
    differences.extend(different_lines(&one.stderr, &other.stderr));
    differences.join("\n")
}

/// The lines that only one of two texts has, as diff(1) marks them.
pub fn different_lines(one: &str, other: &str) -> Vec<String> {
    let mut left: Vec<&str> = other.lines().collect();
    let mut different = Vec::new();
    for line in one.lines() {
        match left.iter().position(|it| *it == line) {
            Some(index) => drop(left.remove(index)),
            None => different.push(format!("-{line}")),
        }
    }
    different.extend(left.iter().map(|line| format!("+{line}")));
    if different.is_empty() && one != other {
        different.push("the same lines in another order".into());
    }
    different
}

/// A terminal, and what is printed on it.
struct Terminal {
    other: OwnedFd,
    before: Termios,
    reader: std::thread::JoinHandle<Vec<u8>>,
}

impl Terminal {
    fn new(bench: &Bench) -> nix::Result<Self> {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let made = openpty(Some(&size), None)?;
        fcntl(&made.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        fcntl(&made.slave, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        bench.give_terminal(&made.slave);
        let before = tcgetattr(&made.slave)?;
        let mut file = File::from(made.master);
        let reader = std::thread::spawn(move || {
            let mut seen = Vec::new();
            // EIO: nobody has the other end open any more.
            let _: io::Result<usize> = file.read_to_end(&mut seen);
            seen
        });
        Ok(Self { other: made.slave, before, reader })
    }

    /// Whether it has other settings than before.
    fn changes(&self) -> Vec<String> {
        match tcgetattr(&self.other) {
            Ok(now) if now == self.before => Vec::new(),
            Ok(now) => vec![format!("the terminal was {:?} and is {now:?}", self.before)],
            Err(errno) => vec![format!("the terminal: {}", Errno::desc(errno))],
        }
    }

    fn end(self) -> Vec<u8> {
        drop(self.other);
        self.reader.join().unwrap_or_default()
    }
}

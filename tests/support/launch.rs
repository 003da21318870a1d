//! How nsscript is started.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use super::host::Host;
use super::running::Left;
use super::screen::new_terminal;
use super::{Bench, Ended, Running, Screen, User, have, missing};

/// What a shell does in a mount namespace of its own: what the test asks for, then nsscript. What
/// nsscript leaves there is an error like what it leaves on the host.
const WORLD: &str = r#"
    set -e
    setup=$1
    shift
    eval "$setup"
    before=$(cat /proc/self/mountinfo)
    code=0
    "$@" || code=$?
    if [ "$before" != "$(cat /proc/self/mountinfo)" ]; then
        echo "mounts are left:" >&2
        cat /proc/self/mountinfo >&2
        exit 99
    fi
    exit $code
"#;

/// A run of nsscript in the making.
#[derive(Debug)]
pub struct Launch<'b> {
    pub(super) bench: &'b Bench,
    words: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    input: Vec<u8>,
    wrapper: Vec<String>,
    world: Option<String>,
    becoming: Option<Vec<String>>,
    pub(super) may_leave_files: bool,
    goes_on: bool,
}

impl<'b> Launch<'b> {
    pub fn new<W: AsRef<str>>(bench: &'b Bench, words: &[W]) -> Self {
        let words = words.iter().map(|word| word.as_ref().into()).collect();
        let keep = |name: &str| Some((name.to_owned(), std::env::var_os(name)?));
        let mut environment: Vec<_> = keep("PATH").into_iter().collect();
        environment.push(("TMPDIR".into(), bench.temporary().into()));
        // How long something takes is not for a test to say.
        environment.push(("NSSCRIPT_PROGRESS".into(), "never".into()));
        Self {
            bench,
            words,
            environment,
            input: Vec::new(),
            wrapper: Vec::new(),
            world: None,
            becoming: None,
            may_leave_files: false,
            goes_on: false,
        }
    }

    /// One more variable of nsscript's own environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// What nsscript reads; nothing without it.
    pub fn input(mut self, input: &[u8]) -> Self {
        self.input = input.to_vec();
        self
    }

    /// nsscript runs on one processor. Since Linux 6.18 each has a range of numbers for mount namespaces,
    /// and a younger one may be taken for an older one.
    pub fn on_one_processor(self) -> Self {
        let last = "$(taskset -cp $$ | sed 's/.*[ ,-]//')";
        self.by_shell(&format!("exec taskset -c {last} \"$@\""))
    }

    /// A shell script that nsscript is started by: `"$@"` is nsscript and its arguments.
    pub fn by_shell(mut self, script: &str) -> Self {
        self.wrapper = ["sh", "-c", script, "sh"].map(str::to_owned).to_vec();
        self
    }

    /// Runs nsscript in a mount namespace of its own, in which the shell script `setup` has been
    /// run with the right to mount. See [`may_mount`].
    pub fn in_world(mut self, setup: &str) -> Self {
        self.world = Some(setup.to_owned());
        self
    }

    /// nsscript is started by whoever runs the tests, who becomes somebody else by this command.
    pub fn becoming(mut self, command: &[&str]) -> Self {
        self.becoming = Some(command.iter().map(|&word| word.to_owned()).collect());
        self
    }

    /// The test looks itself at what is left in `TMPDIR`.
    pub fn may_leave_files(mut self) -> Self {
        self.may_leave_files = true;
        self
    }

    /// A program of it outlives it: the test itself looks at what is left, by [`Running::rest`].
    pub fn goes_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let (mut command, left) = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let stdin = if self.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut child = command.stdin(stdin).spawn().expect("nsscript starts");
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.clone();
            std::thread::spawn(move || stdin.write_all(&input));
        }
        Running::new(child, left)
    }

    /// Starts it at a terminal of its own, of 24 lines.
    pub fn at_terminal(mut self) -> Screen {
        let (terminal, other) = new_terminal(24, 80);
        let ours = self.wrapper;
        self.wrapper = ["setsid", "--ctty", "--wait"].map(str::to_owned).to_vec();
        self.wrapper.extend(ours);
        if !self.environment.iter().any(|(name, _)| name == "TERM") {
            self = self.env("TERM", "xterm");
        }
        self.bench.give_terminal(&other);
        let (mut command, left) = self.command();
        let end = || Stdio::from(other.try_clone().expect("a descriptor is left"));
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("nsscript starts");
        Screen::new(child, terminal, left)
    }

    /// The command, and what can be left of it.
    fn command(&self) -> (Command, Left) {
        let marker = next_marker();
        let host = Host::snapshot(&self.bench.base());
        let mut words = self.before(marker);
        let program = words.remove(0);
        let becomes_later = self.world.is_some() || self.becoming.is_some();
        let starts = if becomes_later { User::this() } else { self.bench.user };
        let mut command: Command = starts.command(program);
        command
            .args(words)
            .arg(self.bench.binary())
            .args(&self.words)
            .current_dir(self.bench.path(""));
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        let temporary = (!self.may_leave_files).then(|| self.bench.temporary());
        let goes_on = self.goes_on;
        (command, Left { marker, host, temporary, goes_on })
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.start().end()
    }

    /// The words that stand before nsscript.
    fn before(&self, marker: u64) -> Vec<OsString> {
        let mut words: Vec<String> = Vec::new();
        if let Some(setup) = &self.world {
            words.extend(world().iter().map(|&word| word.to_owned()));
            words.extend(["sh", "-c", WORLD, "sh", setup].map(str::to_owned));
        }
        let user = self.bench.user;
        if let Some(becoming) = &self.becoming {
            words.extend(becoming.iter().cloned());
        } else if self.world.is_some() && !user.is_self {
            let ids = [format!("--reuid={}", user.uid), format!("--regid={}", user.gid)];
            words.push("setpriv".into());
            words.extend(ids);
            words.push("--clear-groups".into());
        }
        words.extend(self.wrapper.iter().cloned());
        words.extend(["prlimit".into(), format!("--rttime={marker}")]);
        words.into_iter().map(OsString::from).collect()
    }
}

/// What makes a private mount namespace, with the rights of root in it.
fn world() -> &'static [&'static str] {
    if User::this().is_root() {
        &["unshare", "--mount", "--propagation", "private"]
    } else {
        &["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
    }
}

/// Whether tests can mount something, in a namespace of their own; says so where not.
pub fn may_mount() -> bool {
    have(&["unshare", "mount", "setpriv"])
}

/// The same with the rights of root of the machine: a proc or devices of one's own are for that alone.
pub fn may_mount_as_root() -> bool {
    let is_root = User::this().is_root();
    if !is_root {
        missing("root, who mounts what a user may not");
    }
    is_root && may_mount()
}

/// A bound for the time of real-time scheduling, in microseconds: so large that it means nothing,
/// and different for every run.
fn next_marker() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    1 << 52 | u64::from(std::process::id()) << 20 | number
}

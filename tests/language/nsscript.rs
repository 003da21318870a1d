//! Running nsscript, and what it gives.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_nsscript");

/// A user who is not root, and their group.
const NOBODY: u32 = 65534;

/// The directory of the package, from which every test runs.
pub const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// nsscript, about to be run with these arguments from the package root, without colours. What it
/// sweeps are directories of tests alone, and so is the store.
pub fn nsscript(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(PACKAGE).env("NO_COLOR", "1").stdin(Stdio::null());
    in_own_places(&mut command);
    command
}

/// Gives a command directories for temporary files and for the store that only tests use. What it
/// says does not hang on how long it takes.
pub fn in_own_places(command: &mut Command) {
    let own = env!("CARGO_TARGET_TMPDIR");
    command.env("TMPDIR", own).env("XDG_CACHE_HOME", format!("{own}/cache"));
    command.env("NSSCRIPT_PROGRESS", "never");
}

/// nsscript, about to be run in this directory by a user who is not root: for root, nobody.
/// `wrapper` is a command that runs another.
pub fn nsscript_as_user(scratch: &Scratch, wrapper: &[&str]) -> Command {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    // Where the package is may be a place that others cannot look into.
    let copy = || scratch.program("nsscript", fs::read(PROGRAM).unwrap());
    let program = if is_root { copy() } else { PROGRAM.into() };
    let mut words = wrapper.iter().map(OsString::from).chain([program.into()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(scratch.path()).stdin(Stdio::null());
    command.env("NO_COLOR", "1").env("NSSCRIPT_PROGRESS", "never");
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// How a run of nsscript ended, and what it wrote.
#[derive(Debug)]
pub struct Ran {
    /// The exit status; none where a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// Runs `command` to its end with `input` to read.
    pub fn reading(command: &mut Command, input: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that ends without reading all is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(input);
        Self::from(child.wait_with_output().unwrap())
    }

    /// What was printed by a run that must succeed and say nothing else.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// What was said by a run that must end with this status.
    #[track_caller]
    pub fn said(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        self.stderr
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let status = output.status.code();
        Self { status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs a recipe given on the command line.
pub fn run(code: &str) -> Ran {
    Ran::of(&mut nsscript(&["-e", code]))
}

/// Runs a recipe whose assertions must all hold.
#[track_caller]
pub fn holds(code: &str) {
    assert_eq!(run(code).printed(), "");
}

/// Runs a recipe that must print exactly this.
#[track_caller]
pub fn prints(code: &str, wanted: &str) {
    assert_eq!(run(code).printed(), wanted);
}

/// A directory of a test's own, removed with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty directory that every user may look into.
    pub fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("nsscript-language-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path.canonicalize().unwrap())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where it is, as text.
    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Writes a file and the directories above it; gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a file that may be executed.
    ///
    /// Another process writes it: the descriptor it is written through would go along with what
    /// other tests start at that moment, and nobody can execute a file that is open for writing.
    pub fn program(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name, "");
        fs::remove_file(&path).unwrap();
        let script = "cat > \"$0\" && chmod 755 \"$0\"";
        let mut command = Command::new("sh");
        let ran = Ran::reading(command.args(["-c", script]).arg(&path), content.as_ref());
        assert_eq!(ran.printed(), "");
        path
    }

    /// Makes a directory and those above it.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).unwrap().next().is_none()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Says that a test could not be done for want of something; with `NSSCRIPT_REQUIRE=1` that is a
/// failure.
pub fn missing(need: &str) {
    assert!(std::env::var_os("NSSCRIPT_REQUIRE").is_none(), "missing need: {need}");
    eprintln!("missing need, not tested: {need}");
}

/// Whether files of expectations are rewritten instead of compared.
pub fn updates() -> bool {
    std::env::var_os("NSSCRIPT_UPDATE").is_some()
}

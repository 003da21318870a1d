//! Who runs a test: whoever runs the tests and, where that is root, an unprivileged user too.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{Bench, missing};

/// The user and group that root's tests are run as once more: nobody's.
const NOBODY: u32 = 65534;

/// A user that tests are run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Whether this is who runs the tests.
    pub is_self: bool,
}

impl User {
    /// Who runs the tests.
    pub fn this() -> Self {
        let own = std::fs::metadata("/proc/self").expect("/proc is mounted");
        Self { uid: own.uid(), gid: own.gid(), is_self: true }
    }

    /// Every user that tests are run as here.
    pub fn all() -> Vec<Self> {
        static ALL: OnceLock<Vec<User>> = OnceLock::new();
        ALL.get_or_init(|| {
            let this = Self::this();
            let nobody = Self { uid: NOBODY, gid: NOBODY, is_self: false };
            let all = if this.is_root() { vec![this, nobody] } else { vec![this] };
            all.into_iter().filter(Self::may_make_namespaces).collect()
        })
        .clone()
    }

    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// A command that this user gives, in no group but the own.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if !self.is_self {
            // With a user and no groups given, std leaves all supplementary groups.
            command.gid(self.gid).uid(self.uid);
        }
        command
    }

    fn may_make_namespaces(&self) -> bool {
        let mut command = self.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "true"]).current_dir("/");
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let may = status.is_ok_and(|status| status.success());
        if !may {
            missing(&format!("user namespaces for {self}, as unshare(1) makes them"));
        }
        may
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            formatter.write_str("root")
        } else {
            write!(formatter, "user {}", self.uid)
        }
    }
}

/// Runs a test once as each user. The message of a failure says as whom it failed.
pub fn as_each_user(body: impl Fn(&Bench)) {
    let fails = |user: &User| catch_unwind(AssertUnwindSafe(|| body(&Bench::new(*user)))).is_err();
    let failed: Vec<_> =
        User::all().iter().filter(|user| fails(user)).map(User::to_string).collect();
    assert!(failed.is_empty(), "failed as {}", failed.join(" and as "));
}

//! User namespaces that are held open while their maps are written.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use super::call::{Call, Passed};
use super::errno::Errno;
use super::kernel::{CallError, Syscall};
use super::process::Child;
use super::program::{CStrings, LaunchError, Program, flags, spawn};

/// A process that holds a user namespace until its maps are written.
#[derive(Debug)]
pub struct Holder {
    child: Child,
}

/// A user namespace, held by a descriptor.
#[derive(Debug)]
pub struct UserNamespace {
    namespace: OwnedFd,
}

fn because(syscall: Syscall, error: &std::io::Error) -> CallError {
    CallError { syscall, errno: Errno::from(error) }
}

/// Creates a user namespace.
///
/// # Errors
/// clone3(2) if user namespaces are disabled, or there are too many.
pub fn hold_user_namespace() -> Result<Holder, CallError> {
    let calls = vec![
        Call::DieWithParent,
        Call::Execute { as_init: true, told: CStrings::default(), passed: Passed::default() },
    ];
    let program =
        Program { namespaces: flags::USER, share_memory: true, calls, ..Program::default() };
    match spawn(&program) {
        Ok(child) => Ok(Holder { child }),
        Err(LaunchError { error, .. }) => Err(error),
    }
}

impl Holder {
    /// The number of the process whose maps are written.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Writes both maps, as root, who may map any id.
    ///
    /// # Errors
    /// The kernel refuses a map: see user_namespaces(7).
    pub fn write_maps(&self, users: &str, groups: &str) -> Result<(), CallError> {
        for (name, text) in [("uid_map", users), ("gid_map", groups)] {
            let path = format!("/proc/{}/{name}", self.pid());
            let mut file = File::options().write(true).open(path);
            let written = file.as_mut().map_err(|error| because(Syscall::Openat, error));
            let written = written.map(|file| file.write_all(text.as_bytes()));
            written?.map_err(|error| because(Syscall::Write, &error))?;
        }
        Ok(())
    }

    /// Opens the namespace and ends the process.
    ///
    /// # Errors
    /// /proc is not mounted.
    pub fn into_namespace(self) -> Result<UserNamespace, CallError> {
        let path = format!("/proc/{}/ns/user", self.pid());
        let namespace = File::open(path).map_err(|error| because(Syscall::Openat, &error))?;
        Ok(UserNamespace { namespace: namespace.into() })
    }
}

impl UserNamespace {
    /// A new descriptor of it.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn descriptor(&self) -> Result<OwnedFd, CallError> {
        let copy = self.namespace.as_fd().try_clone_to_owned();
        copy.map_err(|error| because(Syscall::Fcntl, &error))
    }
}

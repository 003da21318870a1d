//! Raw calls, performed at once: refused if they would change the host, lowered, reported, and
//! explained if they fail.
#![warn(clippy::wildcard_enum_match_arm)]

pub(super) mod attach_loop;
mod enter;
pub(super) mod image;
pub(super) mod listing;
pub(super) mod open_output;
pub(super) mod passed;
mod pin;
pub(super) mod privilege;
mod save;

use std::cell::RefCell;
use std::ffi::CString;
use std::io::Write;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use self::attach_loop::attach_loop;
use super::advice::action_error::ActionError;
use super::layers::Layers;
use super::session::refuse;
use super::trace::explain::Explained;
use crate::diag::{Origin, Report};
use crate::ops::raw::{AttachLoop, Execute, Setns, WriteFile};
use crate::ops::{Performed, Performer, RawAction, clone_flags};
use crate::plan::{Plan, Planned, Side};
use crate::run::base::error::{Interrupted, RunError};
use crate::spec::Command;
use crate::sys::{self, CStrings, Errno, LoopDevice, LoopSettings, Raw, Syscall, Writing};

pub(super) use crate::sys::CallError;

/// One call.
pub(super) fn done(raw: &Raw<'_>) -> Result<(), CallError> {
    sys::act(raw)
}

/// Writes a file of /proc in one write(2), or any file.
pub(super) fn write(path: &Path, bytes: &[u8], append: bool) -> Result<(), CallError> {
    let because = |syscall| move |errno| CallError { syscall, errno };
    let is_proc = sys::is_procfs(path).is_ok_and(|is_procfs| is_procfs);
    let writing = match (append, is_proc) {
        (_, true) => Writing::Over,
        (true, false) => Writing::After,
        (false, false) => Writing::Anew,
    };
    let file = sys::open_to_write(path, writing).map_err(because(Syscall::Openat))?;
    let written = match writing {
        // The kernel does not wait, and a map that an interruption leaves out is half a session.
        Writing::Over => (&file).write_all(bytes).map_err(|error| Errno::from(&error)),
        Writing::After | Writing::Anew => sys::write_all(&file, bytes),
    };
    written.map_err(because(Syscall::Write))
}

pub(super) fn c(path: &Path) -> CString {
    text(path.as_os_str().as_bytes())
}

pub(super) fn text(bytes: &[u8]) -> CString {
    // The verbs refuse texts with a NUL.
    CString::new(bytes).unwrap_or_default()
}

/// Performs what needs nothing but the operation.
fn perform(action: &RawAction) -> Result<(), CallError> {
    let own = match action.performer() {
        Performer::Call(call) => return done(&call),
        Performer::Own(own) => own,
        // Nothing is done, which is an error and no success.
        Performer::Holder => return Err(CallError::unknown()),
    };
    let proc = |file: String| Path::new("/proc").join(file);
    match own {
        Performed::Remove(removed) => remove(&removed.0),
        Performed::MapIds(ids) => write(&proc(ids.file()), ids.map.as_bytes(), false),
        Performed::AllowSetgroups(allow) => {
            write(&proc(allow.file()), allow.word().as_bytes(), false)
        }
        Performed::SetCapabilities(capabilities) => {
            let kept = capabilities.set();
            if capabilities.bounding {
                done(&Raw::Bound(kept))?;
            }
            done(&Raw::Capset([kept, kept, 0]))
        }
        Performed::Signal(signal) => sys::kill(signal.pid, signal.number)
            .map_err(|errno| CallError { syscall: Syscall::Kill, errno }),
    }
}

/// Removes a file, a link or an empty directory.
fn remove(path: &Path) -> Result<(), CallError> {
    let found = std::fs::symlink_metadata(path);
    let (syscall, removed) = if found.is_ok_and(|found| found.is_dir()) {
        (Syscall::Rmdir, std::fs::remove_dir(path))
    } else {
        (Syscall::Unlink, std::fs::remove_file(path))
    };
    removed.map_err(|error| CallError { syscall, errno: Errno::from(&error) })
}

fn planned(action: RawAction, origin: Option<&Origin>) -> Planned {
    Planned { action: action.into(), side: Side::Parent, origin: origin.cloned() }
}

impl LoopSettings {
    /// The action of attaching `file` so.
    #[must_use]
    pub fn action(&self, file: &Path) -> RawAction {
        let Self { read_only, offset, size_limit } = *self;
        AttachLoop { file: file.to_path_buf(), read_only, offset, size_limit }.into()
    }
}

/// The raw layer of this run.
pub struct RawCalls {
    layers: Layers,
    /// The private directory in memory.
    scratch: RefCell<Option<PathBuf>>,
}

impl Deref for RawCalls {
    type Target = Layers;

    fn deref(&self) -> &Layers {
        &self.layers
    }
}

impl RawCalls {
    pub(super) fn new(layers: Layers) -> Self {
        Self { layers, scratch: RefCell::default() }
    }

    /// Attaches a file to a loop device, which goes when nobody holds or mounts it.
    ///
    /// # Errors
    /// As for [`attach_loop`]; the file is the host's and would be written to.
    pub fn attach_loop(
        &self,
        file: &Path,
        settings: LoopSettings,
        origin: Option<&Origin>,
    ) -> Result<LoopDevice, RunError> {
        self.begin_session(origin)?;
        let action = settings.action(file);
        refuse::refuse(&action, self.session()).map_err(|report| report.at(origin.cloned()))?;
        let mut told = None;
        let attached = self.attempt(&action, origin, || {
            attach_loop(file, &settings).map_err(|report| {
                let errno = Errno::new(report.facts.errno.unwrap_or_default());
                told = Some(report);
                CallError { syscall: Syscall::Ioctl, errno }
            })
        });
        attached.map_err(|trouble| match told {
            Some(report) => report.at(origin.cloned()).into(),
            None => self.raw_failure(action, origin, trouble).into(),
        })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// As for [`RawCalls::act`].
    pub fn write_file(
        &self,
        action: WriteFile,
        bytes: &[u8],
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        let (path, append) = (action.path.clone(), action.append);
        self.act_by(action.into(), origin, || write(&path, bytes, append))
    }

    /// Does one thing of the raw layer.
    ///
    /// # Errors
    /// It is refused as it would change the host, or the kernel's answer.
    pub fn act(&self, action: RawAction, origin: Option<&Origin>) -> Result<(), RunError> {
        let performed = action.clone();
        self.act_by(action, origin, || perform(&performed))
    }

    /// Enters namespaces by this descriptor.
    ///
    /// # Errors
    /// As for [`RawCalls::act`].
    pub fn enter(
        &self,
        action: Setns,
        descriptor: BorrowedFd<'_>,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        let call = Raw::Setns(descriptor, clone_flags(action.namespaces));
        self.act_by(action.into(), origin, || done(&call))
    }

    /// The same, where more than one call does it: `perform` does.
    ///
    /// # Errors
    /// As for [`RawCalls::act`].
    pub fn act_by<T>(
        &self,
        action: RawAction,
        origin: Option<&Origin>,
        perform: impl FnOnce() -> Result<T, CallError>,
    ) -> Result<T, RunError> {
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        self.begin_session(origin)?;
        refuse::refuse(&action, self.session()).map_err(|report| report.at(origin.cloned()))?;
        self.before_call(&action, origin)?;
        let done = self.attempt(&action, origin, perform);
        done.map_err(|trouble| self.raw_failure(action, origin, trouble).into())
    }

    /// Does something and explains it.
    pub(super) fn attempt<T>(
        &self,
        action: &RawAction,
        origin: Option<&Origin>,
        perform: impl FnOnce() -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let started = Instant::now();
        let done = perform();
        if done.is_ok() {
            self.session().moved(action);
        }
        let elapsed = Some(started.elapsed());
        self.explain(|| {
            let told = Explained { elapsed, ..self.raw_explained(action, origin) };
            match &done {
                Ok(_) => told,
                Err(trouble) => told.failing((trouble.syscall.name(), trouble.errno), 0),
            }
        });
        done
    }

    /// What a person is told of a raw call that failed.
    pub(super) fn raw_failure(
        &self,
        action: RawAction,
        origin: Option<&Origin>,
        trouble: CallError,
    ) -> Report {
        let namespaces = action.namespaces();
        let plan = Plan { namespaces, ..Plan::of_one(planned(action, origin)) };
        ActionError { plan: &plan, action: 0, error: trouble }.report(self)
    }

    /// Becomes a program. What was started ends with that one, as the kernel sees to it; a private
    /// directory in use stays until the next run.
    ///
    /// # Errors
    /// It returns only with an error.
    pub fn execute(
        &self,
        command: &Command,
        environment: Option<Vec<(String, String)>>,
        origin: Option<&Origin>,
    ) -> RunError {
        let action = RawAction::from(Execute(command.clone()));
        if let Err(problem) = self.begin_session(origin) {
            return problem;
        }
        let environment = environment.unwrap_or_else(|| self.environment());
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", |(_, path)| path);
        let candidates: Vec<CString> = if command.program().contains('/') {
            vec![text(command.program().as_bytes())]
        } else {
            let paths =
                path.split(':').map(|directory| format!("{directory}/{}", command.program()));
            paths.map(|path| text(path.as_bytes())).collect()
        };
        let words = CStrings::new(command.words().iter().cloned()).unwrap_or_default();
        let pairs = environment.iter().map(|(name, value)| format!("{name}={value}"));
        let pairs = CStrings::new(pairs).unwrap_or_default();
        // Once it is executed nobody is left to explain it.
        self.explain(|| self.raw_explained(&action, origin));
        let in_sandbox = self.session().is_in_sandbox();
        let trouble = sys::execute(&candidates, &words, &pairs, in_sandbox);
        let failed = (trouble.syscall.name(), trouble.errno);
        self.explain(|| self.raw_explained(&action, origin).failing(failed, 0));
        let mut report = self.raw_failure(action.clone(), origin, trouble);
        let missing = trouble.errno.name() == "ENOENT";
        report.facts.status = Some(if missing { 127 } else { 126 });
        let search: Vec<String> = path.split(':').map(str::to_owned).collect();
        let plan = Plan::of_one(planned(action, origin));
        let guest = super::advice::guest::Guest::new(&plan, self);
        super::advice::loader::explain(report, &guest, command, &search, trouble.errno).into()
    }

    /// The environment of programs that are executed.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let own = || {
            let pairs = self.host().environment.iter();
            pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        self.session().environment.borrow().clone().unwrap_or_else(own)
    }
}

/// The content of a file of at most `largest` bytes. What is no file is waited for: the other end
/// of a FIFO, a device.
///
/// # Errors
/// open(2) and read(2); `EFBIG` for a larger one, `EINTR` where a signal asks nsscript to end.
pub fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>, Errno> {
    sys::read_all(sys::open_to_read(path)?, largest)
}

//! The interface for what verbs do beyond computing values.
//!
//! A verb requests an effect from `call.effects()`, and does not know which implementation answers.
//! `Kernel` performs it through the runner. `DryRun` records it and returns a stand-in value, so
//! that the recipe can continue. No method has a default, so neither side can lack one.

mod files;
mod network;

use std::fs::Metadata;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, FnPtr};

use super::call::Call;
use super::context::{Context, Printed};
use super::error::VerbError;
use super::value::{ProcessHandle, SharedNetwork};
use super::verb::Verb;
use crate::diag::{Origin, Report};
use crate::ops::RawAction;
use crate::ops::raw::Setns;
use crate::plan::{Plan, Request, RootTree};
use crate::run::{
    self, Bounds, Changed, Errno, Exit, ImageType, Input, Keeping, LoopDevice, LoopSettings,
    Namespace, Output, RunError, Timeout, Verdict,
};
use crate::spec::{Command, Compression, IdMap, KeptLayer, Namespaces};
pub use files::FileEffects;
pub use network::NetworkEffects;
pub(in crate::script) use network::{joined, network_of, network_of_pid};

/// The place where a closure runs.
pub enum Place<'a> {
    /// In new namespaces.
    New(Namespaces),
    /// In an existing namespace.
    Namespace(&'a Namespace),
    /// In a network.
    Network(&'a SharedNetwork),
    /// In the sandbox of a started process.
    Process(&'a ProcessHandle, Request),
    /// In a new sandbox.
    Sandbox(Box<Plan>, Request),
}

/// A file that is attached to a loop device.
pub struct Attached {
    /// The path of the device.
    pub path: String,
    /// Keeps the device until a mount holds it; a dry run attaches none.
    pub device: Option<LoopDevice>,
}

/// A place in a recipe at which a run decides, and not the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependence {
    /// The place.
    pub origin: Origin,
    /// What is decided there, such as "which branch `if` takes".
    pub what: String,
    /// What decides it, such as "what `echo vm` prints".
    pub on: String,
}

/// The effects of verbs. Errors are those of the runner, unless a method documents more.
pub trait Effects: NetworkEffects + FileEffects {
    // The run.

    /// Records that a verb has returned to the recipe.
    fn returned_from(&self, verb: &Verb);

    /// Records a text that is about to run, with what it cannot decide before.
    fn reads(&self, depends: &dyn Fn() -> Vec<Dependence>);

    /// The reason to end a recipe after so many operations, if there is one.
    fn gives_up(&self, operations: u64, begun: Instant) -> Option<Dynamic>;

    /// Whether breakpoints stop the recipe.
    fn has_breakpoints(&self) -> bool;

    /// Prints a string for the recipe.
    fn print(&self, text: &str, kind: Printed, context: &Context) -> Result<(), Errno>;

    /// Prints an empty line if the next text needs one before it.
    fn part(&self, next: Printed, context: &Context) -> Result<(), Errno>;

    /// Prints a text that is expensive to make, or whose creation can fail.
    fn show(
        &self,
        text: &dyn Fn() -> Result<String, VerbError>,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError>;

    /// Begins the session before a question whose answer it changes.
    fn begin_session(&self, origin: Option<&Origin>, context: &Context) -> Result<(), RunError>;

    /// Whether the recipe may rely on a condition that it states.
    fn holds(&self, condition: bool) -> bool;

    /// Sleeps.
    fn sleep(&self, time: Duration, call: &Call<'_, '_>) -> Result<(), VerbError>;

    /// Waits for other processes, by `wait`.
    fn wait_until(&self, wait: &mut dyn FnMut() -> Result<(), VerbError>) -> Result<(), VerbError>;

    // Programs.

    /// Records a plan that contradicts itself.
    fn contradicted(&self, reports: &[Report]);

    /// Runs a program until it exits.
    fn run(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Exit, RunError>;

    /// Runs a program until it exits and keeps its output.
    fn output(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Output, RunError>;

    /// The report of a program that has ended with status 127 because it lacks a file.
    fn lacks(&self, plan: &Plan, call: &Call<'_, '_>) -> Option<Report>;

    /// Starts a program.
    fn start(
        &self,
        plan: Plan,
        request: &Request,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, RunError>;

    /// Runs another program in the sandbox of a process.
    fn join(
        &self,
        process: &ProcessHandle,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Exit, VerbError>;

    /// Runs another program in the sandbox of a process and keeps its output, at most `most` bytes.
    fn join_output(
        &self,
        process: &ProcessHandle,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Output, VerbError>;

    /// Waits until a process exits. Throws what its closure threw.
    fn wait(
        &self,
        process: &ProcessHandle,
        timeout: Option<Timeout>,
        call: &Call<'_, '_>,
    ) -> Result<Exit, VerbError>;

    /// Waits until a process exits, and returns the value of its closure.
    fn value(&self, process: &ProcessHandle, call: &Call<'_, '_>) -> Result<Dynamic, VerbError>;

    /// Sends a signal to a process that was started.
    fn kill(
        &self,
        process: &ProcessHandle,
        signal: i32,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError>;

    /// Sends a signal to the process with this number.
    fn kill_by_pid(&self, pid: i64, signal: i32, call: &Call<'_, '_>) -> Result<(), VerbError>;

    /// Writes to the input of a program.
    fn write(
        &self,
        process: &ProcessHandle,
        bytes: &[u8],
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError>;

    /// Reads a line of the output of a program.
    fn read_line(
        &self,
        process: &ProcessHandle,
        call: &Call<'_, '_>,
    ) -> Result<Option<Vec<u8>>, VerbError>;

    // Closures.

    /// Starts a child process that runs a closure.
    fn fork(
        &self,
        namespaces: Namespaces,
        closure: &FnPtr,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, VerbError>;

    /// Runs a closure elsewhere, and returns its value.
    fn within(
        &self,
        place: Place<'_>,
        closure: &FnPtr,
        call: &Call<'_, '_>,
    ) -> Result<Dynamic, VerbError>;

    /// Calls a closure for each item, in processes of their own, `most` at once.
    fn parallel(
        &self,
        items: Array,
        closure: &FnPtr,
        most: usize,
        call: &Call<'_, '_>,
    ) -> Result<Array, VerbError>;

    // Raw calls.

    /// Makes a raw call.
    fn act(&self, action: RawAction, call: &Call<'_, '_>) -> Result<(), RunError>;

    /// Enters a namespace with the call `action`.
    fn enter(
        &self,
        namespace: &Namespace,
        action: Setns,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError>;

    /// Enters the namespaces of a process, given as a handle or as a process id.
    fn enter_process(
        &self,
        process: Option<&ProcessHandle>,
        number: i32,
        kinds: Namespaces,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError>;

    /// Replaces this process by a program.
    fn execute(
        &self,
        command: Command,
        environment: Option<Vec<(String, String)>>,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError>;

    /// Maps users and groups of a user namespace.
    fn map_ids(
        &self,
        pid: i32,
        users: Option<&IdMap>,
        groups: Option<&IdMap>,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError>;

    /// Attaches a file to a loop device.
    fn attach_loop(
        &self,
        file: &Path,
        settings: LoopSettings,
        call: &Call<'_, '_>,
    ) -> Result<Attached, RunError>;

    /// Bind mounts a namespace at a path.
    fn pin(&self, namespace: &Namespace, path: &Path, call: &Call<'_, '_>) -> Result<(), RunError>;

    // Files.

    /// Writes a file.
    fn write_file(
        &self,
        path: &Path,
        content: &[u8],
        append: bool,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError>;

    /// Reads a file of at most `largest` bytes.
    fn read_file(&self, path: &Path, largest: u64) -> Result<Vec<u8>, Errno>;

    /// The metadata of a file; `None` if only a run would have created it.
    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, Errno>;

    /// Whether an earlier line would have created this path, and whether as a directory.
    fn foreseen(&self, path: &Path) -> Option<bool>;

    /// Whether an earlier line would have packed this archive.
    fn foresees_archive(&self, path: &Path) -> bool;

    /// Opens a namespace file; `None` if the file is not a namespace.
    fn open_namespace(&self, path: &Path) -> Result<Option<Namespace>, Errno>;

    /// The private directory of the recipe.
    fn scratch(&self, call: &Call<'_, '_>) -> Result<String, RunError>;

    // Roots as directories and archives.

    /// Creates a file that contains an empty file system.
    fn disk_image(
        &self,
        path: &Path,
        size: u64,
        kind: &ImageType,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError>;

    /// Builds a root in a directory, and returns the warnings.
    fn build(
        &self,
        tree: &Rc<RootTree>,
        directory: &Path,
        setuid: bool,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Report>, Report>;

    /// Packs a root into an archive, and returns its digest.
    fn pack(
        &self,
        tree: &Rc<RootTree>,
        file: &Path,
        compression: Compression,
        replace: bool,
        call: &Call<'_, '_>,
    ) -> Result<String, Report>;

    /// The kept changes of a root.
    fn changes(&self, keeping: &Keeping, call: &Call<'_, '_>) -> Result<Vec<Changed>, RunError>;

    /// Makes a layer of the kept changes; `None` if there are none.
    fn commit(&self, keeping: &Keeping, call: &Call<'_, '_>)
    -> Result<Option<KeptLayer>, RunError>;

    // The machine.

    /// The verdict on a fact. The error lists the known keys.
    fn fact(&self, key: &str, call: &Call<'_, '_>) -> Result<Verdict, Vec<&'static str>>;

    /// Whether raw calls run in a user namespace other than the machine's.
    fn in_user_namespace(&self, call: &Call<'_, '_>) -> bool;
}

// Look-ups that both implementations share.

/// Checks a process id that a signal is to be sent to.
pub(in crate::script) fn addressed(pid: i64, call: &Call<'_, '_>) -> Result<i32, VerbError> {
    if pid == i64::from(run::process_id()) {
        let report = Report::error(format!("process {pid} is nsscript itself"));
        return Err(call.fail(report.hint("use `exit(status)` to end the recipe")));
    }
    i32::try_from(pid).ok().filter(|number| *number > 0).ok_or_else(|| {
        let report = Report::error(format!("invalid process id {pid}"));
        call.fail(match pid {
            ..=0 => report.hint(
                "name one process by its id: kill(2) takes 0 and negative numbers for groups of \
                 processes",
            ),
            _ => report.hint("list the processes with `processes()`"),
        })
    })
}

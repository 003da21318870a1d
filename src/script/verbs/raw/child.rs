//! Closures in child processes: clone(2) and its relatives.

use rhai::{Array, Dynamic, FnPtr};

use crate::diag::Report;
use crate::ops::Sandbox;
use crate::script::binding::call::Call;
use crate::script::binding::effects::Place;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::{ProcessHandle, SharedNamespace};
use crate::script::binding::verb::{Verb, verbs};
use crate::script::verbs::sandbox::command::{planned, request, streams_of_closure};
use crate::spec::{Command, Namespaces};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["child.rs";
    fn clone,
    fn within,
    fn parallel,
    fn value,
    fn within = namespace_within,
    fn within = process_within,
    fn within = sandbox_within,
];

options! {
    /// How to share the work.
    struct Sharing {
        /// how many processes run at once; the default is the number of processors
        at_once: i64 = "",
    }
}

/// The most processes that `parallel` runs at once.
const MOST_AT_ONCE: usize = 1024;

/// Starts a child process in new namespaces that runs `closure`. The recipe continues meanwhile.
///
/// The child is a copy of nsscript: it sees all variables, and its changes to them are lost. `wait`
/// waits until it exits, and `value` returns the value of the closure. `exec` replaces it by a
/// program. It is killed when the recipe ends. A new user namespace maps no ids; see `map_ids`.
///
/// # Errors
/// The kernel refuses the namespaces. `wait` and `value` throw the errors of the closure.
///
/// # Example
/// ```rhai
/// let child = clone(UTS | PID, || {
///     sethostname("container");
///     print(`${hostname()} is process ${getpid()} here`);
/// });
/// child.wait();
/// ```
/// # See
/// clone(2), namespaces(7)
fn clone(
    call: &Call<'_, '_>,
    namespaces: Namespaces,
    closure: FnPtr,
) -> Result<ProcessHandle, VerbError> {
    call.effects().fork(namespaces, &closure, call)
}

/// Runs a closure in a child process in new namespaces, and returns its value.
///
/// Plain values can be returned: `()`, booleans, numbers, characters, strings, blobs, arrays, maps,
/// errors and exits. Errors of the closure are thrown here, with their own lines.
///
/// # Errors
/// The kernel refuses the namespaces; the closure throws an error; the child exits with a status
/// other than 0.
///
/// # Example
/// ```rhai
/// let name = within(UTS, || { sethostname("inside"); hostname() });
/// assert_eq(name, "inside");
/// ```
/// # See
/// clone(2), namespaces(7)
fn within(
    call: &Call<'_, '_>,
    namespaces: Namespaces,
    closure: FnPtr,
) -> Result<Dynamic, VerbError> {
    call.effects().within(Place::New(namespaces), &closure, call)
}

/// Calls a closure for each item, in child processes, and returns the values in order.
///
/// Each call is in a process of its own, a copy of nsscript as with `clone`: changes to variables
/// are lost, and the values are those that `within` can return.
///
/// # Errors
/// The first error of a call, with its item; the other calls are ended.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/");
/// let codes = parallel([1, 2, 3], |code| {
///     guest.run(["sh", "-c", `exit ${code}`], #{ check: false }).code
/// }, #{ at_once: 2 });
/// assert_eq(codes, [1, 2, 3]);
/// ```
/// # See
/// xargs(1)
fn parallel(
    call: &Call<'_, '_>,
    items: Array,
    closure: FnPtr,
    options: Sharing,
) -> Result<Array, VerbError> {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let most = match options.at_once {
        None => processors(),
        Some(most) => {
            let fits = usize::try_from(most).ok().filter(|it| (1..=MOST_AT_ONCE).contains(it));
            fits.ok_or_else(|| {
                let message = format!("invalid number of processes {most}");
                let hint = format!("expected a number from 1 to {MOST_AT_ONCE}");
                call.fail_at_key("at_once", Report::error(message).hint(hint))
            })?
        }
    };
    call.effects().parallel(items, &closure, most, call)
}

/// Waits until a process that `clone` started exits, and returns the value of its closure.
///
/// # Errors
/// An error that the closure threw. The process exited with a status other than 0. The process runs
/// a program, which has no value.
///
/// # Example
/// ```rhai
/// let child = clone(PID, || getpid());
/// assert_eq(child.value(), 1);
/// ```
/// # See
/// wait(2)
fn value(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Dynamic, VerbError> {
    call.effects().value(&process, call)
}

/// Runs a closure in a child process in this namespace, and returns its value.
///
/// The other namespaces are those of nsscript.
///
/// # Errors
/// The namespace cannot be entered. As for the function `within`.
///
/// # Example
/// ```rhai
/// let child = clone(UTS, || { sethostname("other"); sleep("5s"); });
/// sleep("50ms");
/// let uts = child.namespace(UTS);
/// print(uts.within(|| hostname()));
/// ```
/// # See
/// setns(2)
fn namespace_within(
    call: &Call<'_, '_>,
    namespace: SharedNamespace,
    closure: FnPtr,
) -> Result<Dynamic, VerbError> {
    call.effects().within(Place::Namespace(&namespace.0), &closure, call)
}

/// Runs a closure in a child process in all namespaces of this process, and returns its value.
///
/// In a sandbox, the child has the ids and capabilities of the sandbox's program.
///
/// # Errors
/// The process has exited. As for the function `within`.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").hostname("box").start("sleep 60");
/// assert_eq(sleeper.within(|| hostname()), "box");
/// ```
/// # See
/// setns(2)
fn process_within(
    call: &Call<'_, '_>,
    process: ProcessHandle,
    closure: FnPtr,
) -> Result<Dynamic, VerbError> {
    let request = request(Command::closure(), streams_of_closure(), call);
    call.effects().within(Place::Process(&process, request), &closure, call)
}

/// Runs a closure as process 1 of the sandbox, and returns its value.
///
/// The closure has the namespaces, root, user, limits and capabilities of a program in the sandbox.
/// `print` writes to the output of nsscript.
///
/// # Errors
/// As for `run`, and for the function `within`.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/").hostname("box");
/// assert_eq(guest.within(|| [hostname(), getpid()]), ["box", 1]);
/// ```
/// # See
/// clone(2)
fn sandbox_within(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    closure: FnPtr,
) -> Result<Dynamic, VerbError> {
    let request = request(Command::closure(), streams_of_closure(), call);
    let plan = planned(&sandbox, &request, call)?;
    call.effects().within(Place::Sandbox(Box::new(plan), request), &closure, call)
}

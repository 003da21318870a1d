//! Child processes that go on with a closure of the recipe: clone(2), and what is like it.

use rhai::{Dynamic, FnPtr};

use crate::ops::Sandbox;
use crate::script::binding::call::Call;
use crate::script::binding::effects::Place;
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{ProcessHandle, SharedNamespace};
use crate::script::binding::verb::{Verb, verbs};
use crate::script::verbs::sandbox::command::{planned, request, streams_of_closure};
use crate::spec::{Command, Namespaces};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["child.rs";
    fn clone,
    fn within,
    fn value,
    fn within = namespace_within,
    fn within = process_within,
    fn within = sandbox_within,
];

/// Starts a child process in new namespaces, which goes on with `closure`, and goes on itself.
///
/// The child is a copy of nsscript: it sees every variable as it is, and what it changes is
/// its own. `wait` waits for its end and `value` gives what the closure gave. `exec` in it
/// makes it a program. It ends with nsscript at the latest. A new user namespace maps no ids:
/// see `map_ids`.
///
/// # Errors
/// The namespaces cannot be made. What the closure throws comes from `wait` and `value`.
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

/// Runs `closure` in a child process in new namespaces, to its end, and gives its value.
///
/// Plain values come back: `()`, booleans, numbers, characters, texts, blobs, arrays, maps,
/// errors, how programs ended. What is thrown in it is thrown here, with its own line.
///
/// # Errors
/// The namespaces cannot be made; what the closure throws; the child ends with another status
/// than 0.
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

/// Waits for the end of a process that `clone` started, and gives what its closure gave.
///
/// # Errors
/// What the closure has thrown; the process ended with another status than 0; it runs a
/// program, which gives no value.
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

/// Runs `closure` in a child process in this namespace, to its end, and gives its value.
///
/// The other namespaces are those of nsscript.
///
/// # Errors
/// The namespace cannot be entered; as for the function `within`.
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

/// Runs `closure` in a child in all namespaces of this process, and gives its value.
///
/// In a sandbox it has the ids of its program and no capability.
///
/// # Errors
/// The process has ended; as for the function `within`.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").read_only_root().hostname("box").start("sleep 60");
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

/// Runs `closure` as process 1 of the sandbox, to its end, and gives its value.
///
/// It has what a program of the sandbox has: its namespaces, its root, its user, no
/// capability. What it prints comes out as usual.
///
/// # Errors
/// As for `run`, and for the function `within`.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/").read_only_root().hostname("box");
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
    call.effects().within(Place::Sandbox(plan, request), &closure, call)
}

//! The types that nsscript adds to the language.

use std::any::TypeId;
use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, Variant};

use super::argument::{Argument, ArgumentError, Returned, a_kind};
use super::call::Call;
use super::catalog;
use super::error::ScriptError;
use crate::host::elf::Needs;
use crate::script::language::named::Named;

use crate::ops::Sandbox;
use crate::plan::{Data, Plan};
use crate::run::{self, Exit, Namespace, Network, Output, Process};
use crate::spec::{Namespaces, Parts, Policy, Rootfs};

/// A started program. All copies are the same program.
#[derive(Clone, Debug)]
pub struct ProcessHandle {
    /// The program; `None` in a dry run, which starts nothing.
    pub process: Option<Rc<RefCell<Process>>>,
    /// Its process id; `None` in a dry run.
    pub pid: Option<i32>,
    /// The plan of the program that a dry run did not start.
    pub planned: Option<Rc<Plan>>,
    /// The value of a closure in a dry run; `()` if a process was started.
    pub value: Dynamic,
}

impl ProcessHandle {
    /// Whether it is still running. A process in which this one runs a closure has not ended.
    pub fn running(&self) -> bool {
        let running = |process: &RefCell<Process>| {
            process.try_borrow_mut().map_or(true, |mut it| it.running())
        };
        self.process.as_ref().is_some_and(|process| running(process))
    }

    /// Whether it has exited. A process of a dry run has not.
    pub fn has_ended(&self) -> bool {
        self.process.is_some() && !self.running()
    }

    /// The plan that it was started with; `None` for the closure of a dry run, and for a process in
    /// which this one runs a closure.
    pub fn plan(&self) -> Option<Rc<Plan>> {
        let own = || Some(Rc::new(self.process.as_ref()?.try_borrow().ok()?.plan().clone()));
        self.planned.clone().or_else(own)
    }
}

/// A plan, shared so that assignments do not copy it.
#[derive(Clone, Debug)]
pub struct SharedPlan(pub Rc<Plan>);

/// The files that a program needs.
#[derive(Clone, Debug)]
pub struct SharedNeeds {
    /// The files that it needs to be loaded.
    pub needs: Rc<Needs>,
    /// The files that it opens while it runs, if requested.
    pub data: Option<Rc<Data>>,
}

impl SharedNeeds {
    fn text(&self) -> String {
        let mut text = self.needs.outline().to_string();
        if let Some(data) = &self.data {
            text.push_str(&data.to_string());
        }
        text.trim_end().to_owned()
    }
}

/// An open namespace. All copies are the same one.
#[derive(Clone, Debug)]
pub struct SharedNamespace(pub Rc<Namespace>);

impl PartialEq for SharedNamespace {
    fn eq(&self, other: &Self) -> bool {
        (self.0.kind, self.0.inode) == (other.0.kind, other.0.inode)
    }
}

/// A network. All copies are the same one.
#[derive(Clone, Debug)]
pub struct SharedNetwork {
    /// The network; `None` in a dry run, which creates none.
    pub network: Option<Rc<Network>>,
    /// Its label in messages.
    pub label: String,
}

impl SharedNetwork {
    /// Its name, if it has one.
    pub fn name(&self) -> Option<String> {
        match &self.network {
            Some(network) => network.name().map(|name| name.as_str().to_owned()),
            None => Some(self.label.clone()).filter(|label| !is_anonymous(label)),
        }
    }

    /// Its network namespace; `None` in a dry run.
    pub fn namespace(&self) -> Option<SharedNamespace> {
        self.network.as_ref().map(|network| SharedNamespace(network.namespace().clone()))
    }
}

/// Whether a dry run has given this label to a network without a name.
fn is_anonymous(label: &str) -> bool {
    let number = label.strip_prefix("net");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()))
}

impl PartialEq for SharedNetwork {
    fn eq(&self, other: &Self) -> bool {
        let inode = |it: &Self| it.network.as_ref().map(|network| network.namespace().inode);
        match (inode(self), inode(other)) {
            (None, None) => self.label == other.label,
            (one, other) => one == other,
        }
    }
}

/// The output of a program.
#[derive(Clone, Debug)]
pub struct SharedOutput(pub Rc<Output>);

/// The machine. Its facts are read on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFacts;

macro_rules! values {
    ($($type:ty, $name:literal, $kind:literal;)*) => {
        $(
            impl Argument for $type {
                const KIND: &'static str = $kind;
                const RECEIVER: &'static str = $name;
                const TYPE_ID: Option<fn() -> TypeId> = Some(TypeId::of::<$type>);

                fn take(value: Option<Dynamic>, _: &Call<'_, '_>) -> Result<Self, ArgumentError> {
                    let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
                    let value = value.and_then(Dynamic::try_cast::<$type>);
                    value.ok_or(ArgumentError::Type { wanted: $kind, given })
                }
            }

            impl Returned for $type {
                const KIND: &'static str = $name;

                fn into_dynamic(self) -> Dynamic {
                    Dynamic::from(self)
                }
            }
        )*

        /// The names of nsscript's own types.
        pub const TYPES: &[&str] = &[$($name),*];

        /// Registers the names of the types with the engine.
        pub fn name_types(engine: &mut Engine) {
            $(engine.register_type_with_name::<$type>($name);)*
        }
    };
}

values! {
    Sandbox, "Sandbox", "a Sandbox";
    Rootfs, "Rootfs", "a Rootfs";
    Policy, "Policy", "a Policy";
    ProcessHandle, "Process", "a Process";
    Exit, "Exit", "an Exit";
    SharedOutput, "Output", "an Output";
    SharedPlan, "Plan", "a Plan";
    SharedNeeds, "Dependencies", "a Dependencies";
    Namespaces, "Namespaces", "namespaces such as `PID | NET`";
    Parts, "Parts", "parts such as `FILES | FS`";
    SharedNamespace, "Namespace", "a Namespace";
    SharedNetwork, "Network", "a Network";
    ScriptError, "Error", "an Error";
    HostFacts, "Host", "the Host";
}

/// Registers printing and comparison for the types that a recipe can use.
pub fn printing(engine: &mut Engine, named: &Named<'_>) {
    fn show<T: Variant + Clone>(engine: &mut Engine, text: fn(&T) -> String) {
        engine.register_fn("to_string", move |value: &mut T| text(value));
        engine.register_fn("to_debug", move |value: &mut T| text(value));
        engine.register_fn("debug", move |value: &mut T| text(value));
    }
    if named.has("sandbox") {
        show::<Sandbox>(engine, ToString::to_string);
        equality::<Sandbox>(engine);
    }
    if named.has("rootfs") {
        show::<Rootfs>(engine, ToString::to_string);
        equality::<Rootfs>(engine);
    }
    if named.has("seccomp") {
        show::<Policy>(engine, ToString::to_string);
        equality::<Policy>(engine);
    }
    if named.has_any(&["run", "wait", "output", "shell"]) {
        show::<Exit>(engine, ToString::to_string);
        equality::<Exit>(engine);
    }
    if named.has_any(&["namespace", "namespaces"]) {
        show::<SharedNamespace>(engine, |namespace| namespace.0.to_string());
        equality::<SharedNamespace>(engine);
    }
    if named.has("netns") {
        show::<SharedNetwork>(engine, |network| format!("network {}", network.label));
        equality::<SharedNetwork>(engine);
    }
    if named.has("plan") {
        show::<SharedPlan>(engine, |plan| plan.0.to_string());
    }
    if named.has("dependencies") {
        show::<SharedNeeds>(engine, SharedNeeds::text);
    }
    if named.has("output") {
        show::<SharedOutput>(engine, |output| {
            String::from_utf8_lossy(&output.0.stdout).trim_end().to_owned()
        });
    }
    if named.has("catch") {
        show::<ScriptError>(engine, ScriptError::message);
    }
    if named.has_any(&["start", "clone"]) {
        show::<ProcessHandle>(engine, |handle| match handle.pid {
            Some(pid) => format!("process {pid}"),
            None => "process that was not started (dry run)".into(),
        });
    }
    if named.has("host") {
        show::<HostFacts>(engine, |_| {
            let uname = run::uname();
            format!("Linux {} on {}", uname.release, uname.machine)
        });
        equality::<HostFacts>(engine);
    }
    if catalog::constants().iter().any(|constant| named.has(constant.name)) {
        show::<Namespaces>(engine, ToString::to_string);
        equality::<Namespaces>(engine);
        engine.register_fn("|", |one: Namespaces, other: Namespaces| one | other);
        engine.register_fn("-", |one: Namespaces, other: Namespaces| one - other);
        show::<Parts>(engine, ToString::to_string);
        equality::<Parts>(engine);
        engine.register_fn("|", |one: Parts, other: Parts| one | other);
        engine.register_fn("|", |one: Parts, other: Namespaces| one | other.into());
        engine.register_fn("|", |one: Namespaces, other: Parts| Parts::from(one) | other);
    }
}

fn equality<T: Variant + Clone + PartialEq>(engine: &mut Engine) {
    engine.register_fn("==", |one: T, other: T| one == other);
    engine.register_fn("!=", |one: T, other: T| one != other);
}

/// A value as text, on several lines if it is long.
pub fn laid_out(value: &Dynamic) -> String {
    const WIDTH: usize = 80;
    let short = shown(value);
    if short.chars().count() <= WIDTH {
        return short;
    }
    let inner = |value: &Dynamic| laid_out(value).replace('\n', "\n  ");
    if let Some(array) = value.read_lock::<Array>() {
        let lines: Vec<_> = array.iter().map(|it| format!("  {}", inner(it))).collect();
        return format!("[\n{},\n]", lines.join(",\n"));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let line = |(key, value)| format!("  {key}: {}", inner(value));
        let lines: Vec<_> = map.iter().map(line).collect();
        return format!("#{{\n{},\n}}", lines.join(",\n"));
    }
    short
}

/// A value for a message: strings in quotes, nsscript's own types as they print.
pub fn shown(value: &Dynamic) -> String {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return format!("{:?}", text.as_str());
    }
    if let Some(array) = value.read_lock::<Array>() {
        let elements: Vec<_> = array.iter().map(shown).collect();
        return format!("[{}]", elements.join(", "));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let pairs: Vec<_> =
            map.iter().map(|(key, value)| format!("{key}: {}", shown(value))).collect();
        return format!("#{{{}}}", pairs.join(", "));
    }
    let ours = value
        .read_lock::<Sandbox>()
        .map(|value| value.to_string())
        .or_else(|| value.read_lock::<Rootfs>().map(|value| value.to_string()))
        .or_else(|| value.read_lock::<Policy>().map(|value| value.to_string()))
        .or_else(|| value.read_lock::<Exit>().map(|value| value.to_string()))
        .or_else(|| value.read_lock::<Namespaces>().map(|value| value.to_string()))
        .or_else(|| value.read_lock::<Parts>().map(|value| value.to_string()))
        .or_else(|| value.read_lock::<SharedNamespace>().map(|value| value.0.to_string()));
    ours.unwrap_or_else(|| match value.type_name() {
        "()" => "()".into(),
        name if TYPES.contains(&name) || name.starts_with("nsscript::") => {
            super::argument::a_type(name)
        }
        _ => value.to_string(),
    })
}

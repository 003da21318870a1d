//! Lowering of plans to programs of new processes.

use super::stream::Given;
use crate::ops::clone_flags;
use crate::ops::{Lowering, Op, OwnDirectory, Prepared};
use crate::plan::{Plan, Planned, Side};
use crate::spec::{Kind, Streams};
use crate::sys::{Call, Program, flags};

/// A program, with the action of each call.
#[derive(Debug)]
pub(in crate::run) struct Lowered {
    pub program: Program,
    pub actions: Vec<usize>,
}

impl Lowered {
    /// The index of the action of call number `call`.
    pub fn action_of(&self, call: usize) -> Option<usize> {
        self.actions.get(call).copied()
    }
}

/// The prepared data of a launch.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Supplies<'a> {
    /// The layers of the root, the topmost first.
    pub layers: &'a [OwnDirectory],
    /// The copy of the layers, if this machine has no overlay for them.
    pub copy: Option<&'a OwnDirectory>,
    /// The directory for kept changes.
    pub changes: Option<&'a OwnDirectory>,
    /// The mounts of images, by descriptor.
    pub images: &'a [i32],
    /// The copies of mounts with mapped ids, by descriptor.
    pub mapped: &'a [i32],
    /// The standard streams.
    pub streams: Given,
    /// The version of Linux.
    pub kernel: (u32, u32),
    /// The caller's ids, which differ if the session has a user namespace.
    pub own: (u32, u32),
    /// Whether the program waits at a gate before it is executed.
    pub gated: bool,
}

/// Lowers the actions of the new process to a program.
pub(in crate::run) fn lower(plan: &Plan, supplies: Supplies<'_>) -> Lowered {
    // The umask of the caller must not change the modes in the plan.
    let is_umask = |planned: &Planned| matches!(planned.action, Op::Umask(_));
    let before = if plan.actions.iter().any(is_umask) { vec![Call::Umask(0)] } else { Vec::new() };
    let Lowered { mut program, actions } = lower_joining(plan, supplies, before);
    // A process that shares its parent's memory enters a new time namespace only when it executes a
    // program, and on kernels such as 6.1 not at all. A process with a copy is in it from the
    // start.
    // Programs of a sandbox that is joined could read shared memory.
    let joins = plan.actions.iter().any(|it| matches!(it.action, Op::EnterSandbox(_)));
    program.share_memory =
        !joins && (!plan.namespaces.has(Kind::Time) || supplies.kernel >= (6, 6));
    program.namespaces = clone_flags(plan.namespaces);
    if program.calls.iter().any(|call| matches!(call, Call::SetClock { .. })) {
        program.namespaces &= !flags::TIME;
    }
    Lowered { program, actions }
}

/// Lowers a plan for a process that enters existing namespaces and performs `before` first.
pub(in crate::run) fn lower_joining(
    plan: &Plan,
    supplies: Supplies<'_>,
    before: Vec<Call>,
) -> Lowered {
    let Supplies { layers, copy, changes, images, mapped, streams, own, gated, kernel: _ } =
        supplies;
    let connects = |planned: &Planned| match &planned.action {
        Op::Connect(connect) => connect.0 == Streams::Terminal,
        _ => false,
    };
    let prepared = Prepared {
        layers,
        copy,
        changes,
        images,
        mapped,
        streams: streams.call(),
        own,
        gated,
        new_user: plan.apart().has(Kind::User),
        terminal: plan.actions.iter().any(connects),
        closure: plan.command.is_closure(),
    };
    let mut actions = vec![plan.start().unwrap_or(0); before.len()];
    let mut lowering = Lowering::new(prepared, before);
    let directories = plan.actions.iter().find_map(|planned| match &planned.action {
        Op::MakeRoot(root) => Some(root.directories(&lowering.prepared)),
        _ => None,
    });
    lowering.directories = directories.unwrap_or_default();
    for (index, planned) in plan.actions.iter().enumerate() {
        if planned.side != Side::Parent {
            planned.action.lower(&mut lowering);
            actions.resize(lowering.calls.len(), index);
        }
    }
    Lowered { program: Program { calls: lowering.calls, ..Program::default() }, actions }
}

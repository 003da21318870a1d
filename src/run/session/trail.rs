//! The trail of this process: the namespaces that it has left, as known from its own actions.

use crate::ops::Effect;
use crate::spec::{Kind, Namespaces};

/// The effects of a process's actions on itself.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Trail {
    /// The kinds of namespaces that it has created for itself.
    left: Namespaces,
    /// The kinds of which it has entered an existing namespace.
    entered: Namespaces,
    /// The same for its children, if it differs: PID and time namespaces apply to them first.
    next: Next,
    /// The number of namespace changes by kind, for itself or its children.
    times: [u32; Kind::ALL.len()],
    /// The number of changes of its ids.
    pub ids: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Next {
    left: Namespaces,
    entered: Namespaces,
}

impl Trail {
    /// Whether it is in a namespace of this kind that it created itself.
    pub fn has_left(&self, kind: Kind) -> bool {
        self.left.has(kind)
    }

    /// Whether it has entered a namespace of this kind.
    pub fn has_entered(&self, kind: Kind) -> bool {
        self.entered.has(kind)
    }

    /// Whether its children start in another PID namespace.
    pub fn children_are_elsewhere(&self) -> bool {
        (self.next.left | self.next.entered).has(Kind::Pid)
    }

    /// The kinds of namespaces in which it, or its children, may differ from `then`.
    pub fn kinds_since(&self, then: &Self) -> Namespaces {
        let moved = Kind::ALL.into_iter().zip(self.times.iter().zip(then.times));
        let moved = moved.filter(|(_, (now, then))| **now != *then);
        moved.fold(Namespaces::NONE, |all, (kind, _)| all | kind.into())
    }

    /// Notes an action of the process.
    pub fn act(&mut self, effect: Effect<'_>) {
        self.count(effect.namespaces());
        match effect {
            Effect::Session(namespaces) => self.leave(namespaces),
            Effect::Unshare(namespaces) => {
                // unshare(2): the process itself stays in its PID and time namespaces.
                let of_children = Namespaces::from(Kind::Pid) | Kind::Time.into();
                self.leave(namespaces - of_children);
                self.next_leave(namespaces & of_children);
            }
            Effect::Enter(namespaces) => {
                // setns(2): the process itself stays in its PID namespace.
                self.enter(namespaces - Kind::Pid.into());
                let pid = namespaces & Kind::Pid.into();
                self.next.left = self.next.left - pid;
                self.next.entered = self.next.entered | pid;
            }
            Effect::Ids => self.ids += 1,
            // What is done to others, or moves this process nowhere.
            Effect::Own
            | Effect::Child(_)
            | Effect::Maps(_)
            | Effect::Held(_)
            | Effect::Mount(_)
            | Effect::Pin(_)
            | Effect::Name(..)
            | Effect::Content(_)
            | Effect::Metadata(_)
            | Effect::Rename(..)
            | Effect::Image(_)
            | Effect::Process(_)
            | Effect::Network
            | Effect::Result(..) => {}
        }
    }

    /// Continues as the trail of a copy that was created like this.
    pub fn begin_copy(&mut self, effect: Effect<'_>) {
        let Next { left, entered } = std::mem::take(&mut self.next);
        self.leave(left);
        self.enter(entered);
        self.count(effect.namespaces());
        match effect {
            Effect::Enter(namespaces) => self.enter(namespaces),
            Effect::Session(namespaces)
            | Effect::Unshare(namespaces)
            | Effect::Child(namespaces) => self.leave(namespaces),
            // Nothing else makes a copy.
            Effect::Own
            | Effect::Ids
            | Effect::Maps(_)
            | Effect::Held(_)
            | Effect::Mount(_)
            | Effect::Pin(_)
            | Effect::Name(..)
            | Effect::Content(_)
            | Effect::Metadata(_)
            | Effect::Rename(..)
            | Effect::Image(_)
            | Effect::Process(_)
            | Effect::Network
            | Effect::Result(..) => {}
        }
    }

    /// Continues as the trail of a process in a sandbox, which cannot change the host by accident.
    pub fn enter_sandbox(&mut self) {
        self.count(Namespaces::ALL);
        self.leave(Namespaces::ALL);
        self.next = Next::default();
    }

    fn leave(&mut self, namespaces: Namespaces) {
        self.left = self.left | namespaces;
        self.entered = self.entered - namespaces;
    }

    fn enter(&mut self, namespaces: Namespaces) {
        self.left = self.left - namespaces;
        self.entered = self.entered | namespaces;
    }

    fn next_leave(&mut self, namespaces: Namespaces) {
        self.next.left = self.next.left | namespaces;
        self.next.entered = self.next.entered - namespaces;
    }

    fn count(&mut self, namespaces: Namespaces) {
        let times = Kind::ALL.into_iter().zip(&mut self.times);
        times.filter(|(kind, _)| namespaces.has(*kind)).for_each(|(_, times)| *times += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Kind, Namespaces, Trail};

    fn setns(kind: Kind) -> Effect<'static> {
        Effect::Enter(kind.into())
    }

    #[test]
    fn a_new_pid_namespace_is_that_of_the_children() {
        let mut trail = Trail::default();
        trail.act(Effect::Unshare(Namespaces::from(Kind::Pid) | Kind::Uts.into()));
        assert!(trail.has_left(Kind::Uts) && !trail.has_left(Kind::Pid));
        let mut child = trail;
        child.begin_copy(Effect::Child(Namespaces::NONE));
        assert!(child.has_left(Kind::Pid) && child.has_left(Kind::Uts));
        trail.act(setns(Kind::Pid));
        assert!(!trail.has_entered(Kind::Pid));
        let mut child = trail;
        child.begin_copy(Effect::Child(Namespaces::NONE));
        assert!(child.has_entered(Kind::Pid) && !child.has_left(Kind::Pid));
        trail.begin_copy(Effect::Child(Kind::Pid.into()));
        assert!(trail.has_left(Kind::Pid));
    }

    #[test]
    fn the_last_step_counts() {
        let mut trail = Trail::default();
        let before = trail;
        trail.act(Effect::Unshare(Kind::Net.into()));
        trail.act(setns(Kind::Net));
        assert!(trail.has_entered(Kind::Net) && !trail.has_left(Kind::Net));
        trail.act(Effect::Unshare(Kind::Net.into()));
        assert!(trail.has_left(Kind::Net));
        assert_eq!(trail.kinds_since(&before), Kind::Net.into());
        assert_eq!(trail.kinds_since(&trail), Namespaces::NONE);
    }

    #[test]
    fn a_copy_that_enters_a_namespace_is_in_it() {
        let mut trail = Trail::default();
        trail.begin_copy(setns(Kind::Pid));
        assert!(trail.has_entered(Kind::Pid));
    }
}

//! The filter of programs that make no user namespaces.

use std::rc::Rc;

use super::calls::Architecture;
use super::compile::{self, Decision, Instruction, LOW, Table, Test, Values};
use super::{ALLOW, ENOSYS, EPERM, ERRNO, KILL, X32};

/// `CLONE_NEWUSER` of clone(2).
const NEW_USER: u64 = 0x1000_0000;

/// What programs call to get into another user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// clone(2) and unshare(2): the flag is in the first argument.
    Flag,
    /// setns(2): the second argument has the flag, or is 0 for any kind of namespace.
    Enter,
    /// clone3(2): the flags are in memory, where no filter sees them.
    Unseen,
}

use Way::{Enter, Flag, Unseen};

/// The calls, with their numbers in order.
fn calls(architecture: Architecture) -> [(&'static str, u32, Way); 4] {
    match architecture {
        Architecture::X86_64 => [
            ("clone", 56, Flag),
            ("unshare", 272, Flag),
            ("setns", 308, Enter),
            ("clone3", 435, Unseen),
        ],
        Architecture::I386 => [
            ("clone", 120, Flag),
            ("unshare", 310, Flag),
            ("setns", 346, Enter),
            ("clone3", 435, Unseen),
        ],
        Architecture::Aarch64 => [
            ("unshare", 97, Flag),
            ("clone", 220, Flag),
            ("setns", 268, Enter),
            ("clone3", 435, Unseen),
        ],
    }
}

fn denied(errno: u16) -> Decision {
    Decision::Return(ERRNO | u32::from(errno))
}

impl Way {
    fn decision(self) -> Decision {
        let unless = |argument, values, otherwise| Decision::If {
            test: Test { argument, mask: LOW, values, negated: false },
            then: Rc::new(denied(EPERM)),
            otherwise: Rc::new(otherwise),
        };
        let allowed = Decision::Return(ALLOW);
        match self {
            Flag => unless(0, Values::Bits(NEW_USER), allowed),
            Enter => unless(1, Values::Bits(NEW_USER), unless(1, Values::Any(vec![0]), allowed)),
            // The C library then calls clone(2).
            Unseen => denied(ENOSYS),
        }
    }
}

fn table(architecture: Architecture) -> Table {
    let mut ranges = vec![(0, Decision::Return(ALLOW))];
    for (_, number, way) in calls(architecture) {
        ranges.push((number, way.decision()));
        ranges.push((number + 1, Decision::Return(ALLOW)));
    }
    if architecture == Architecture::X86_64 {
        ranges.push((X32, denied(ENOSYS)));
    }
    Table { architecture: architecture.audit(), ranges }
}

/// A filter under which programs neither create nor enter user namespaces, and can do everything
/// else. Those of an architecture that has no table are killed.
#[must_use]
pub fn without_user_namespaces() -> Vec<Instruction> {
    let tables: Vec<_> = Architecture::OWN.iter().map(|it| table(*it)).collect();
    compile::compile(&tables, KILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernel_in_order() {
        for architecture in [Architecture::X86_64, Architecture::I386, Architecture::Aarch64] {
            let calls = calls(architecture);
            for (name, number, _) in calls {
                assert_eq!(architecture.numbers().get(name), Some(&number), "{name}");
            }
            assert!(calls.is_sorted_by_key(|(_, number, _)| *number));
        }
    }

    #[test]
    fn the_filter_is_small() {
        let length = without_user_namespaces().len();
        assert!(length < 60, "{length}");
    }
}

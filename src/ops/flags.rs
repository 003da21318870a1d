//! Clone flags of namespaces.

use crate::spec::{Kind, Namespaces, Parts, ProcessPart};
use crate::sys::flags;

/// The clone flags of a set of namespaces.
#[must_use]
pub fn clone_flags(namespaces: Namespaces) -> u64 {
    let flag = |kind| match kind {
        Kind::User => flags::USER,
        Kind::Mount => flags::MOUNT,
        Kind::Pid => flags::PID,
        Kind::Net => flags::NET,
        Kind::Uts => flags::UTS,
        Kind::Ipc => flags::IPC,
        Kind::Cgroup => flags::CGROUP,
        Kind::Time => flags::TIME,
    };
    namespaces.kinds().map(flag).fold(0, |all, flag| all | flag)
}

/// The clone flags of namespaces and other parts.
pub(super) fn part_flags(parts: Parts) -> u64 {
    let flag = |part| match part {
        ProcessPart::Files => flags::FILES,
        ProcessPart::Fs => flags::FS,
        ProcessPart::Sysvsem => flags::SYSVSEM,
    };
    parts.others().map(flag).fold(clone_flags(parts.namespaces), |all, flag| all | flag)
}

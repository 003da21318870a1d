//! Session keyrings: session-keyring(7), keyctl(2).

use super::kernel::{Answer, NULL, call};
use super::{Errno, Syscall};

const GET_KEYRING_ID: i64 = 0;
const JOIN_SESSION_KEYRING: i64 = 1;
const SPEC_SESSION_KEYRING: i64 = -3;

/// Joins a new, empty session keyring.
pub(super) fn new_session_keyring() -> Answer<()> {
    match call!(Keyctl, SYS_keyctl, JOIN_SESSION_KEYRING, NULL) {
        Err(error) if !is_out_of_reach(error.errno) => Err(error),
        _ => Ok(()),
    }
}

/// Whether every keyctl(2) call fails with `refused`: the kernel has no keys, or a seccomp filter,
/// which programs inherit, refuses the call.
fn is_out_of_reach(refused: Errno) -> bool {
    // The kernel itself returns success, ENOKEY or EFAULT for these.
    let answers = [
        call!(Keyctl, SYS_keyctl, GET_KEYRING_ID, SPEC_SESSION_KEYRING, 0),
        call!(AddKey, SYS_add_key, NULL, NULL, NULL, 0, 0),
        call!(RequestKey, SYS_request_key, NULL, NULL, NULL, 0),
    ];
    answers.into_iter().all(|answer| answer.is_err_and(|error| error.errno == refused))
}

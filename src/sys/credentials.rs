//! The ids of this process, and the version of its kernel.

/// The ids of this process: credentials(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
}

/// The effective ids of this process.
#[must_use]
pub fn ids() -> Ids {
    Ids { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}

/// Whether this program was started set-user-ID, set-group-ID or with file capabilities. It must
/// then refuse to work, because it would do what its caller says with more rights than the caller
/// has (`AT_SECURE` of getauxval(3)).
#[must_use]
pub fn is_secure_execution() -> bool {
    // SAFETY: getauxval takes a number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The version of Linux, major and minor, from uname(2); `(0, 0)` if the release does not start
/// with two numbers.
#[must_use]
pub fn kernel_version() -> (u32, u32) {
    let name = nix::sys::utsname::uname();
    let release = name.as_ref().map(|name| name.release().to_string_lossy()).unwrap_or_default();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    (next(), next())
}

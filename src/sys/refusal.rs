//! The file system's own reason for a refused mount: the messages of fsconfig(2).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::mount;

/// The maximum length of a kernel message, in bytes.
const LONGEST: usize = 1024;

/// Configures a file system of type `kind` without attaching it, and returns its messages. The
/// result is empty if it only reports an error number.
#[must_use]
pub fn refusal(
    kind: &CStr,
    source: Option<&CStr>,
    options: &[(CString, Option<CString>)],
) -> Vec<String> {
    let Ok(context) = mount::fsopen(kind) else { return Vec::new() };
    // SAFETY: fsopen gave a new descriptor that nobody owns.
    let mut context = File::from(unsafe { OwnedFd::from_raw_fd(context) });
    let number = context.as_raw_fd();
    let source = source.map(|source| (c"source", Some(source)));
    let options = options.iter().map(|(key, value)| (key.as_c_str(), value.as_deref()));
    let configured = source
        .into_iter()
        .chain(options)
        .try_for_each(|(key, value)| mount::fsconfig_set(number, key, value));
    if configured.is_ok() {
        let _ = mount::fsconfig_create(number);
    }
    let mut said = Vec::new();
    let mut bytes = [0; LONGEST];
    // Every read(2) returns one message, and an error after the last.
    while let Ok(length @ 1..) = context.read(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..length]);
        let text = text.trim_end();
        // A leading letter distinguishes errors from warnings.
        said.push(text.split_once(' ').map_or(text, |(_, text)| text).to_owned());
    }
    said
}

//! The applets of a busybox, read from its bytes.
//!
//! A busybox keeps the names of its applets as one string constant: the names in order, a NUL after
//! each, and a last NUL that ends the constant. This module searches that list; it runs nothing.

use std::path::Path;

use crate::host::tree::Tree;

/// A busybox is 1 or 2 MB; a far larger file is not one.
const LARGEST: u64 = 16 << 20;

/// The banner of every busybox; the version follows.
const BANNER: &[u8] = b"BusyBox v";

/// Applets of which a useful busybox has at least one. Other sorted lists of words, such as the
/// operations of `mt` and the facilities of `syslogd`, have none.
const USUAL: [&[u8]; 8] = [b"ash", b"busybox", b"cat", b"echo", b"hush", b"init", b"ls", b"sh"];

/// The names of the applets in the busybox `program`, in alphabetical order, as `busybox --list`
/// prints them; `None` if it cannot be read or is not a busybox.
#[must_use]
pub fn applets(tree: &Tree, program: &Path) -> Option<Vec<String>> {
    let found = tree.metadata(program).ok()?;
    if !found.is_file() || found.len() > LARGEST {
        return None;
    }
    let bytes = tree.read(program).ok()?;
    let names = applet_names(&bytes)?;
    Some(names.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

fn applet_names(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    if !bytes.starts_with(b"\x7fELF") || !bytes.windows(BANNER.len()).any(|part| part == BANNER) {
        return None;
    }
    let mut longest: Vec<&[u8]> = Vec::new();
    let mut row: Vec<&[u8]> = Vec::new();
    for string in bytes.split(|byte| *byte == 0) {
        let name = own_name(string);
        if is_name(name) && row.last().is_none_or(|last| *last < name) && name == string {
            row.push(name);
            continue;
        }
        let ended = string.is_empty();
        if ended && row.len() > longest.len() && row.iter().any(|name| USUAL.contains(name)) {
            longest.clone_from(&row);
        }
        row.clear();
        if is_name(name) {
            row.push(name);
        }
    }
    (!longest.is_empty()).then_some(longest)
}

/// The first name, `[`, if it directly follows bytes that are not a string.
fn own_name(string: &[u8]) -> &[u8] {
    match string {
        [.., before, name @ b'['] if *before != b'[' => std::slice::from_ref(name),
        _ => string,
    }
}

/// Whether a string could name an applet: `[`, `[[`, `ash`, `mkfs.ext2`, `run-parts`.
fn is_name(string: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match string {
        b"[" | b"[[" => true,
        [first, rest @ ..] => {
            letter(first) && rest.iter().all(|byte| letter(byte) || b"._+-".contains(byte))
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Fixture;

    fn named(bytes: &[u8]) -> Option<Vec<String>> {
        let made = Fixture::new(&format!("busybox-{}", bytes.len()));
        made.program("bin/busybox", bytes);
        applets(&made.tree(), Path::new("/bin/busybox"))
    }

    #[test]
    fn the_row_of_names_is_told_from_other_words() {
        let elf = b"\x7fELF\0BusyBox v1.35.0 (Debian)\0".to_vec();
        let words = b"auth\0authpriv\0cron\0daemon\0ftp\0\0x\0";
        let names = b"\xbb\x82[\0[[\0ash\0cat\0run-parts\0\0/var/log/wtmp\0zz\0";
        let expected = ["[", "[[", "ash", "cat", "run-parts"].map(str::to_owned).to_vec();
        let whole = [&elf[..], words, names].concat();
        assert_eq!(named(&whole), Some(expected));
        assert_eq!(named(&[&elf[..], words].concat()), None);
        assert_eq!(named(&whole[1..]), None);
        assert_eq!(named(&[b"\x7fELF\0", &names[..]].concat()), None);
        // Without `[`, and without the NUL that ends the constant.
        let few = [&elf[..], b"ash\0cat\0\0"].concat();
        assert_eq!(named(&few).map(|names| names.len()), Some(2));
        assert_eq!(named(&[&elf[..], b"ash\0cat"].concat()), None);
    }

    #[test]
    fn no_bytes_are_too_wrong() {
        let whole = b"\x7fELF\0BusyBox v1\0x[\0[[\0ash\0cat\0\0";
        for length in 0..whole.len() {
            let _ = applet_names(&whole[..length]);
            for value in 0..=255 {
                let mut damaged = whole.to_vec();
                damaged[length] = value;
                let _ = applet_names(&damaged);
            }
        }
    }

    #[test]
    fn other_programs_are_no_busybox() {
        assert_eq!(applets(&Tree::host(), Path::new("/bin/true")), None);
        assert_eq!(applets(&Tree::host(), Path::new("/none")), None);
        assert_eq!(applets(&Tree::host(), Path::new("/dev/zero")), None);
    }
}

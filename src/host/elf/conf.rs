//! `/etc/ld.so.conf`, from which `ldconfig(8)` creates the cache.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::host::FileView;

/// The maximum depth of includes; it stops a file that includes itself.
const DEEPEST: usize = 8;

/// The directories that `/etc/ld.so.conf` lists, in order; none if it cannot be read.
pub(super) fn directories(tree: &dyn FileView) -> Vec<PathBuf> {
    let mut listed = Vec::new();
    add(tree, Path::new("/etc/ld.so.conf"), DEEPEST, &mut listed);
    listed
}

fn add(tree: &dyn FileView, file: &Path, deeper: usize, listed: &mut Vec<PathBuf>) {
    let is_file = tree.metadata(file).is_ok_and(|found| found.is_file());
    let Some(content) = is_file.then(|| tree.read(file).ok()).flatten() else {
        return;
    };
    for line in content.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        if let Some(patterns) = after_word(line, b"include") {
            if deeper > 0 {
                for pattern in words(patterns) {
                    for file in matching(tree, &beside(file, pattern)) {
                        add(tree, &file, deeper - 1, listed);
                    }
                }
            }
        } else if after_word(line, b"hwcap").is_none() {
            // A kind of library could once be given after the directory: `/lib=libc6`.
            let directory = line.split(|byte| *byte == b'=').next().unwrap_or_default();
            let directory = Path::new(OsStr::from_bytes(directory.trim_ascii_end()));
            if directory.is_absolute() && !listed.iter().any(|known| known == directory) {
                listed.push(directory.to_owned());
            }
        }
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The rest of `line` after `word`, if it begins with that.
fn after_word<'l>(line: &'l [u8], word: &[u8]) -> Option<&'l [u8]> {
    line.strip_prefix(word).filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
}

/// A path relative to the directory of the file that names it.
fn beside(file: &Path, pattern: &[u8]) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).join(OsStr::from_bytes(pattern))
}

/// The files that match `pattern`, sorted; its last name may contain wildcards.
fn matching(tree: &dyn FileView, pattern: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let name = name.as_bytes();
    if !name.iter().any(|byte| b"*?".contains(byte)) {
        return vec![pattern.to_owned()];
    }
    let names = tree.names(directory).unwrap_or_default();
    let wanted = names.iter().map(|name| name.as_bytes()).filter(|candidate| {
        // As in the shell, a wildcard does not stand for the dot of a hidden file.
        (!candidate.starts_with(b".") || name.starts_with(b".")) && matches(name, candidate)
    });
    wanted.map(|name| directory.join(OsStr::from_bytes(name))).collect()
}

/// Whether `name` matches `pattern`, with `*` and `?`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where to take up again, one byte later, when what follows the last `*` does not match.
    let mut resume: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                resume = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                (p, n) = (p + 1, n + 1);
            }
            _ => {
                let Some((star, from)) = resume else {
                    return false;
                };
                resume = Some((star, from + 1));
                (p, n) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Fixture;

    #[test]
    fn directories_come_in_order_and_from_included_files() {
        let made = Fixture::new("elf-conf");
        made.file(
            "etc/ld.so.conf",
            b"# first\n/opt/a  # why\ninclude ld.so.conf.d/*.conf\n/opt/z=libc6\nhwcap 0 x\n\
              relative\n/opt/a\ninclude /etc/ld.so.conf\n",
        );
        made.file("etc/ld.so.conf.d/2.conf", b"/opt/two\n");
        made.file("etc/ld.so.conf.d/1.conf", b"/opt/one\n");
        made.file("etc/ld.so.conf.d/.hidden.conf", b"/opt/hidden\n");
        made.file("etc/ld.so.conf.d/not", b"/opt/not\n");
        let expected = ["/opt/a", "/opt/one", "/opt/two", "/opt/z"].map(PathBuf::from);
        assert_eq!(directories(&made.tree()), expected);
        assert!(directories(&Fixture::new("elf-no-conf").tree()).is_empty());
    }

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", true),
            ("*.conf", "a.conf.old", false),
            ("a*b*c", "axbxbc", true),
            ("a*b*c", "axbxb", false),
            ("?.conf", "a.conf", true),
            ("?", "", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}

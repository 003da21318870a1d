//! `RPATH` and `RUNPATH`: lists of directories, with tokens that the loader expands.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::cpu::Processor;
use super::system::{Flavour, System};
use crate::host::FileView;

/// A token in a list of directories; see "Dynamic string tokens" in `ld.so(8)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// The directory of the object.
    Origin,
    /// `lib`, `lib64` or the like.
    Lib,
    /// The processor.
    Platform,
}

/// The directories of a colon-separated list, for an object in the directory `origin`.
///
/// If a token has several values, each results in a directory. Directories that are not absolute
/// are omitted: they are relative to the working directory of a process that does not exist yet.
pub(super) fn directories(
    list: &[u8],
    origin: &Path,
    system: &System,
    tree: &dyn FileView,
    processor: &Processor,
) -> Vec<PathBuf> {
    if system.flavour == Flavour::Musl && has_other_than_origin(list) {
        return Vec::new();
    }
    list.split(|byte| *byte == b':')
        .flat_map(|item| expand(item, origin, system, tree, processor))
        .filter(|path| path.is_absolute())
        .collect()
}

/// The expansions of one path with tokens.
pub(super) fn expand(
    item: &[u8],
    origin: &Path,
    system: &System,
    tree: &dyn FileView,
    processor: &Processor,
) -> Vec<PathBuf> {
    let mut meanings: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = item;
    while let Some((first, after)) = rest.split_first() {
        let Some((token, after)) = token(rest) else {
            for meaning in &mut meanings {
                meaning.push(*first);
            }
            rest = after;
            continue;
        };
        rest = after;
        let values: Vec<&[u8]> = match token {
            Token::Origin => vec![origin.as_os_str().as_bytes()],
            Token::Lib => system.lib(tree).iter().map(Vec::as_slice).collect(),
            Token::Platform => {
                let names = system.platforms(tree, processor);
                names.into_iter().map(str::as_bytes).collect()
            }
        };
        meanings = meanings
            .iter()
            .flat_map(|meaning| values.iter().map(move |value| [meaning, *value].concat()))
            .collect();
        // A line of tokens would multiply without end; none has more than one of these.
        meanings.truncate(64);
    }
    meanings.iter().map(|meaning| PathBuf::from(OsStr::from_bytes(meaning))).collect()
}

/// The token at the beginning of `text`, and the rest.
fn token(text: &[u8]) -> Option<(Token, &[u8])> {
    let name = text.strip_prefix(b"$")?;
    let known =
        [(&b"ORIGIN"[..], Token::Origin), (b"LIB", Token::Lib), (b"PLATFORM", Token::Platform)];
    known.into_iter().find_map(|(word, token)| {
        let rest = match name.strip_prefix(b"{") {
            Some(braced) => braced.strip_prefix(word)?.strip_prefix(b"}")?,
            None => name.strip_prefix(word)?,
        };
        Some((token, rest))
    })
}

/// Whether musl, which knows only `$ORIGIN`, would ignore the whole list.
fn has_other_than_origin(list: &[u8]) -> bool {
    (0..list.len())
        .filter(|at| list[*at] == b'$')
        .any(|at| !matches!(token(&list[at..]), Some((Token::Origin, _))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::elf::abi::Abi;
    use crate::host::fixture::Fixture;

    fn expanded(interpreter: &str, list: &str) -> Vec<String> {
        let made = Fixture::new(&format!("elf-tokens-{}", interpreter.len()));
        made.file("lib64/ld.so", b"\0/lib64/\0/usr/lib64/\0");
        let abi = Abi::new(object::elf::EM_AARCH64.0, true, true, 0);
        let system = System::new(&made.tree(), abi, Some(Path::new(interpreter)));
        directories(
            list.as_bytes(),
            Path::new("/opt/bin"),
            &system,
            &made.tree(),
            &Processor::default(),
        )
        .into_iter()
        .map(|path| path.into_os_string().into_string().unwrap())
        .collect()
    }

    #[test]
    fn tokens_stand_for_what_the_loader_puts_in() {
        let glibc = |list| expanded("/lib64/ld.so", list);
        assert_eq!(glibc("$ORIGIN/../lib:${ORIGIN}:/x"), ["/opt/bin/../lib", "/opt/bin", "/x"]);
        assert_eq!(glibc("/a/$LIB/$PLATFORM"), ["/a/lib64/aarch64"]);
        assert_eq!(glibc("/a/$FOO:/b/${LIB:/c/$"), ["/a/$FOO", "/b/${LIB", "/c/$"]);
        assert!(glibc(":lib:./lib::").is_empty());
    }

    #[test]
    fn musl_knows_origin_alone() {
        let musl = |list| expanded("/lib/ld-musl-aarch64.so.1", list);
        assert_eq!(musl("$ORIGIN:/x"), ["/opt/bin", "/x"]);
        assert!(musl("/x:$LIB").is_empty());
    }
}

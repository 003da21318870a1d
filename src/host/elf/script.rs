//! Scripts: the `#!` line as the kernel and `env` read it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::error::ElfErrorKind;

/// The number of bytes of a script that the kernel reads; see `execve(2)`.
const LOOKED_AT: usize = 256;

/// The contents of the first line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shebang {
    /// The program that is to run the script.
    pub interpreter: PathBuf,
    /// The rest of the line, which is passed as one argument.
    pub argument: Option<OsString>,
}

/// The program that `env` runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub program: OsString,
    /// The `PATH` in which it is searched, if the line sets one.
    pub path_variable: Option<OsString>,
}

impl Shebang {
    /// Reads the `#!` line at the beginning of a file; `None` if there is none.
    pub(super) fn read(head: &[u8]) -> Result<Option<Self>, ElfErrorKind> {
        let Some(rest) = head.strip_prefix(b"#!") else {
            return Ok(None);
        };
        let seen = &rest[..rest.len().min(LOOKED_AT - 2)];
        let ends = |byte: &u8| *byte == b'\n' || *byte == 0;
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let end = seen.iter().position(ends);
        let cut = end.is_none() && seen.len() == LOOKED_AT - 2;
        // Of a line whose end it cannot see the kernel leaves out the last byte that it can.
        let line = trim(&seen[..end.unwrap_or(seen.len() - usize::from(cut))]);
        let name_end = line.iter().position(blank).unwrap_or(line.len());
        let (name, argument) = line.split_at(name_end);
        if name.is_empty() {
            return Err(ElfErrorKind::Malformed("its `#!` line names no interpreter"));
        }
        // The kernel runs no interpreter of whose name it cannot see the end.
        if cut && argument.is_empty() && !seen.last().is_some_and(blank) {
            return Err(ElfErrorKind::Malformed("its `#!` line is longer than 255 bytes"));
        }
        let argument = trim(argument);
        Ok(Some(Self {
            interpreter: PathBuf::from(OsStr::from_bytes(name)),
            argument: (!argument.is_empty()).then(|| OsString::from_vec(argument.to_vec())),
        }))
    }

    /// The program that the interpreter will search and run, if it is `env`.
    pub(super) fn wanted_of_env(&self) -> Option<Wanted> {
        if self.interpreter.file_name() != Some(OsStr::new("env")) {
            return None;
        }
        let argument = self.argument.as_deref()?.as_bytes();
        let mut path_variable = None;
        let mut words = split(argument).into_iter();
        while let Some(word) = words.next() {
            if matches!(word, b"-u" | b"--unset" | b"-C" | b"--chdir") {
                words.next();
            } else if let Some(value) = word.strip_prefix(b"PATH=") {
                path_variable = Some(OsStr::from_bytes(value).to_owned());
            } else if !word.starts_with(b"-") && !word.contains(&b'=') {
                let program = OsStr::from_bytes(word).to_owned();
                return Some(Wanted { program, path_variable });
            }
        }
        None
    }
}

/// The words of `env`'s argument: one, unless `-S` splits it.
fn split(argument: &[u8]) -> Vec<&[u8]> {
    let long = argument.strip_prefix(b"--split-string");
    // Short options can stand before it in the same word: `-iS`, `-vS`.
    let short = || {
        let flags = argument.strip_prefix(b"-")?;
        let at = flags.iter().position(|byte| !byte.is_ascii_lowercase() && *byte != b'0')?;
        (flags[at] == b'S').then(|| &flags[at + 1..])
    };
    match long.or_else(short) {
        Some(text) => text
            .strip_prefix(b"=")
            .unwrap_or(text)
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .collect(),
        None => vec![argument],
    }
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shebang(head: &[u8]) -> (String, Option<String>) {
        let read = Shebang::read(head).unwrap().unwrap();
        let argument = read.argument.map(|argument| argument.into_string().unwrap());
        (read.interpreter.to_str().unwrap().to_owned(), argument)
    }

    fn wanted(line: &str) -> Option<String> {
        let read = Shebang::read(line.as_bytes()).unwrap().unwrap();
        Some(read.wanted_of_env()?.program.into_string().unwrap())
    }

    #[test]
    fn the_line_is_read_as_the_kernel_reads_it() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(shebang(b"#!/bin/sh\necho"), ("/bin/sh".into(), None));
        assert_eq!(shebang(b"#! \t/bin/sh  -e -x \t\n"), ("/bin/sh".into(), some("-e -x")));
        assert_eq!(shebang(b"#!/bin/sh"), ("/bin/sh".into(), None));
        assert_eq!(shebang(b"#!/bin/sh\0junk\n"), ("/bin/sh".into(), None));
        assert_eq!(shebang(b"#!/bin/sh\r\n"), ("/bin/sh\r".into(), None));
        assert_eq!(Shebang::read(b"echo"), Ok(None));
        for empty in [&b"#!"[..], b"#!\n/bin/sh", b"#!  \t \n"] {
            assert!(matches!(Shebang::read(empty), Err(ElfErrorKind::Malformed(_))));
        }
        let long = |length: usize| [b"#!/".to_vec(), vec![b'x'; length], b"\n".to_vec()].concat();
        assert!(Shebang::read(&long(252)).is_ok());
        assert!(Shebang::read(&long(253)).is_err());
        let cut_argument = [b"#!/bin/sh ".to_vec(), vec![b'x'; 400]].concat();
        assert_eq!(shebang(&cut_argument).1.unwrap().len(), 245);
    }

    #[test]
    fn env_is_asked_for_the_program_it_will_run() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(wanted("#!/usr/bin/env python3\n"), some("python3"));
        assert_eq!(wanted("#!/usr/bin/env python3 -u\n"), some("python3 -u"));
        assert_eq!(wanted("#!/usr/bin/env -S python3 -u\n"), some("python3"));
        assert_eq!(wanted("#!/usr/bin/env -vS -i -u A B=c perl -w\n"), some("perl"));
        assert_eq!(wanted("#!/usr/bin/env --split-string=awk -f\n"), some("awk"));
        assert_eq!(wanted("#!/usr/bin/env -iSruby\n"), some("ruby"));
        assert_eq!(wanted("#!/usr/bin/env\n"), None);
        assert_eq!(wanted("#!/bin/sh python\n"), None);
        let line = b"#!/usr/bin/env -S PATH=/opt/bin tool\n";
        let read = Shebang::read(line).unwrap().unwrap().wanted_of_env().unwrap();
        assert_eq!(read.path_variable, Some("/opt/bin".into()));
    }
}

//! What scripts start and load, read from their text and never run.
//!
//! The readers are conservative: they find what is written out plainly, and pass over what only a
//! run would compute.

mod perl;
mod python;
mod shell;

use std::path::Path;

/// A language whose scripts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The language of sh(1) and of shells like it.
    Shell,
    /// Perl.
    Perl,
    /// Python.
    Python,
}

/// What a script asks for, each thing once and in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests {
    /// Names and absolute paths of programs.
    pub programs: Vec<String>,
    /// Names in the directory of the script: of programs, or of files that it reads.
    pub beside: Vec<String>,
    /// What follows the script's own path in that of a program: `.bin` of `$0.bin`.
    pub ends: Vec<String>,
    /// Absolute paths of files in the same language.
    pub files: Vec<String>,
    /// Directories with modules.
    pub directories: Vec<String>,
    /// Modules, with the separator of the language between their names.
    pub modules: Vec<String>,
}

impl Language {
    /// The language of an interpreter, by its file name.
    #[must_use]
    pub fn of(interpreter: &Path) -> Option<Self> {
        let name = interpreter.file_name()?.to_str()?;
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        match base {
            "sh" | "ash" | "bash" | "dash" | "ksh" | "mksh" | "zsh" | "busybox" => {
                Some(Self::Shell)
            }
            "perl" => Some(Self::Perl),
            "python" => Some(Self::Python),
            // Debian's second name of perl: `perl5.36-x86_64-linux-gnu`.
            _ if name.starts_with("perl5.") => Some(Self::Perl),
            _ => None,
        }
    }

    /// What a text in this language asks for.
    #[must_use]
    pub fn requests(self, text: &str) -> Requests {
        match self {
            Self::Shell => shell::requests(text),
            Self::Perl => perl::requests(text),
            Self::Python => python::requests(text),
        }
    }
}

/// Adds a thing that is not there yet.
fn add(to: &mut Vec<String>, what: &str) {
    if !what.is_empty() && !to.iter().any(|known| known == what) {
        to.push(what.to_owned());
    }
}

/// The same for several things, or none.
fn add_all<'t>(to: &mut Vec<String>, what: impl IntoIterator<Item = &'t str>) {
    for what in what {
        add(to, what);
    }
}

/// The program that a command line begins with, if it is written out plainly.
fn program_of(line: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    line.split_ascii_whitespace().next().filter(|word| word.chars().all(plain))
}

/// The text of a string literal at the beginning of `text`, without escapes in it.
fn literal(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = &text[1..];
    let end = rest.find(quote)?;
    (!rest[..end].contains(['\\', '\n'])).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_known_by_their_names() {
        let of = |path: &str| Language::of(Path::new(path));
        for shell in ["/bin/sh", "/usr/bin/dash", "/bin/bash", "/usr/bin/zsh", "/bin/busybox"] {
            assert_eq!(of(shell), Some(Language::Shell), "{shell}");
        }
        for perl in ["/usr/bin/perl", "/usr/bin/perl5.36.0", "/usr/bin/perl5.36-x86_64-linux-gnu"] {
            assert_eq!(of(perl), Some(Language::Perl), "{perl}");
        }
        for python in ["/usr/bin/python3", "/opt/bin/python3.11", "/usr/bin/python"] {
            assert_eq!(of(python), Some(Language::Python), "{python}");
        }
        for other in ["/usr/bin/env", "/usr/bin/node", "/usr/bin/perldoc", "/usr/bin/fish", "/"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}

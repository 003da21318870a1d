//! Commands that run in a sandbox.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use super::value_error::ValueError;
use crate::diag::quoted;

/// A program and its arguments, at least one word: argv of execve(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    words: Vec<String>,
}

impl Command {
    /// A command of these words.
    ///
    /// # Errors
    /// There is no word, the program name is empty, or a word contains a NUL byte.
    pub fn new(words: Vec<String>) -> Result<Self, ValueError> {
        let Some(program) = words.first() else {
            return Err(ValueError::new("the command is empty")
                .hint("write a command such as `\"ls -l\"` or `[\"ls\", \"-l\"]`"));
        };
        if program.is_empty() {
            return Err(ValueError::new("the command has an empty program name"));
        }
        if let Some(word) = words.iter().find(|word| word.contains('\0')) {
            return Err(ValueError::new(format!(
                "word {} of the command contains a NUL byte",
                quoted(word)
            )));
        }
        Ok(Self { words })
    }

    /// A placeholder for a closure of the recipe that runs instead of a program.
    #[must_use]
    pub fn closure() -> Self {
        Self { words: vec![String::new()] }
    }

    /// Whether a closure of the recipe runs instead of a program.
    #[must_use]
    pub fn is_closure(&self) -> bool {
        self.program().is_empty()
    }

    /// The program: a path, or a name that is searched in `PATH` inside the sandbox.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.words[0]
    }

    /// Program and arguments.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The command as a shell would take it.
    #[must_use]
    pub fn shown(&self) -> String {
        let word = |word: &String| shell_word(word);
        self.words.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// An environment variable: environ(7).
///
/// # Errors
/// The name is empty, or contains `=` or a NUL byte; the value contains a NUL byte.
pub fn variable(name: &str, value: &str) -> Result<(String, String), ValueError> {
    if name.is_empty() {
        return Err(ValueError::new("the variable name is empty"));
    }
    if name.contains(['=', '\0']) {
        let error = ValueError::new(format!("invalid variable name {}", quoted(name)));
        return Err(error.hint("expected a name without `=` and NUL bytes"));
    }
    if value.contains('\0') {
        return Err(ValueError::new(format!("the value of {} contains a NUL byte", quoted(name))));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A word as a shell takes it: in quotes if it needs them.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The connections of a program's standard streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Those of nsscript itself.
    Inherited,
    /// A terminal of their own, relayed to that of nsscript.
    Terminal,
    /// Empty input; separate pipes for output and errors.
    Captured,
    /// Pipes for input and output; errors go where nsscript's go.
    Piped,
    /// Output or errors go elsewhere.
    Redirected(Redirected),
}

/// The streams of a program whose output or errors go elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirected {
    /// Whether input and output are pipes.
    pub piped: bool,
    /// The standard output.
    pub output: Sink,
    /// The standard error.
    pub errors: Sink,
}

/// The place that an output of a program is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// That of nsscript itself.
    #[default]
    Inherited,
    /// Nowhere.
    Discarded,
    /// A file of the host.
    File(OutputFile),
}

/// A file of the host that a program writes to.
#[derive(Clone, Debug)]
pub struct OutputFile {
    /// The path.
    pub path: PathBuf,
    /// Whether earlier content stays.
    pub append: bool,
    /// The open file; none in a dry run.
    pub descriptor: Option<Arc<OwnedFd>>,
}

impl PartialEq for OutputFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.append) == (&other.path, other.append)
    }
}

impl Eq for OutputFile {}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn a_command_has_a_program_and_prints_as_a_shell_takes_it() {
        let command =
            |words: &[&str]| Command::new(words.iter().map(ToString::to_string).collect());
        assert!(command(&[]).is_err());
        assert!(command(&[""]).is_err());
        assert!(command(&["a\0b"]).is_err());
        assert_eq!(command(&["sh", "-c", "it's"]).unwrap().shown(), r"sh -c 'it'\''s'");
    }
}

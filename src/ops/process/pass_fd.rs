//! Descriptors of nsscript's caller that the program gets.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::diag::{Origin, Report};
use crate::ops::{
    Asking, Called, Carried, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope,
    Told, Turn,
};
use crate::spec::{GuestPath, Namespaces, ValueError};

/// The largest number of a passed descriptor.
const MOST: i64 = 255;

/// Passes a descriptor of the caller to the program.
#[derive(Clone, Debug)]
pub struct PassFd {
    /// The number that the caller knows, if it has one.
    from: Option<i32>,
    /// The number that the program knows.
    number: i32,
    /// Whether it is a directory.
    directory: bool,
    /// A duplicate, so that no other file can take its number.
    descriptor: Arc<OwnedFd>,
    key: String,
}

impl PartialEq for PassFd {
    fn eq(&self, other: &Self) -> bool {
        (self.from, self.number, self.directory) == (other.from, other.number, other.directory)
    }
}

impl PassFd {
    /// A descriptor that the program gets as `number`.
    ///
    /// # Errors
    /// As for [`PassFd::number`].
    pub fn new(
        from: Option<i32>,
        number: i64,
        directory: bool,
        descriptor: OwnedFd,
    ) -> Result<Self, ValueError> {
        let number = Self::number(number)?;
        let key = format!("pass_fd {number}");
        Ok(Self { from, number, directory, descriptor: Arc::new(descriptor), key })
    }

    /// Checks the number of a descriptor that is passed.
    ///
    /// # Errors
    /// It is that of a standard stream, negative, or too large.
    pub fn number(number: i64) -> Result<i32, ValueError> {
        if (0..3).contains(&number) {
            let error = ValueError::new(format!("descriptor {number} is a standard stream"));
            return Err(error.hint(
                "every program has the standard streams: `stdin`, `stdout` and `stderr` are \
                 options of `run`",
            ));
        }
        let valid = i32::try_from(number).ok().filter(|_| (3..=MOST).contains(&number));
        valid.ok_or_else(|| {
            let error = ValueError::new(format!("invalid descriptor {number}"));
            error.hint(format!("expected a number from 3 to {MOST}"))
        })
    }

    fn shown(&self) -> String {
        let Self { from, number, directory, .. } = self;
        let what = if *directory { "directory descriptor" } else { "descriptor" };
        match from {
            Some(from) if from == number => format!("{what} {from}"),
            Some(from) => format!("{what} {from} as {number}"),
            None => format!("{what} as {number}"),
        }
    }
}

impl Operation for PassFd {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "pass_fd",
            turn: Turn::Passing,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("pass the {} to the program", self.shown()),
            source: None,
            target: None,
            shell: self.from.map(|from| format!("exec {}<&{from}", self.number)),
        }
    }
}

impl Lower for PassFd {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.passed.push((self.descriptor.as_raw_fd(), self.number));
    }
}

impl Carried for PassFd {
    fn calls(&self) -> Vec<Called> {
        vec![Called::new(format!("dup3(passed, {}, 0)", self.number))]
    }
}

impl Asking for PassFd {
    fn name(&self) -> &'static str {
        "pass_fd"
    }

    fn say(&self) -> String {
        self.shown()
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        if self.directory {
            let message = format!(
                "the program can reach all files of the host that its user can, because the {} \
                 leads out of its root",
                self.shown()
            );
            let hint = "bind the directory instead";
            to.warnings.push(Report::warning(message).at(origin.cloned()).hint(hint));
        }
        to.push(self.clone(), origin);
        Ok(())
    }
}

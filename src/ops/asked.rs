//! Steps of a recipe that become operations by themselves.

use std::fmt::Debug;

use super::{Op, Operation, Planning};
use crate::diag::Origin;
use crate::spec::{GuestPath, ValueError};

/// The subject that a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// The root, which needs a separate mount namespace.
    Root,
    /// The names of the UTS namespace, which must be a separate one.
    Uts,
    /// Only programs.
    Program,
}

/// A step of a recipe.
pub trait Asking: Debug {
    /// The verb of the step.
    fn name(&self) -> &'static str;

    /// The line for the step in a printed sandbox.
    fn say(&self) -> String;

    /// The subject that it changes.
    fn changes(&self) -> Changes;

    /// The key of the step: it replaces an earlier one with the same key. `None` if both apply.
    fn key(&self) -> Option<&str>;

    /// The place inside, if it has one.
    fn target(&self) -> Option<&GuestPath>;

    /// Adds its operations.
    ///
    /// # Errors
    /// An impossible place inside; other contradictions are noted in the planning.
    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError>;
}

/// A step that is its own operation.
pub trait AsIs: Operation + Clone + Into<Op> {
    /// As for [`Asking::say`].
    fn say(&self) -> String;

    /// As for [`Asking::changes`].
    fn changes(&self) -> Changes;

    /// As for [`Asking::key`].
    fn key(&self) -> Option<&str>;
}

impl<T: AsIs> Asking for T {
    fn name(&self) -> &'static str {
        self.facts().name
    }

    fn say(&self) -> String {
        AsIs::say(self)
    }

    fn changes(&self) -> Changes {
        AsIs::changes(self)
    }

    fn key(&self) -> Option<&str> {
        AsIs::key(self)
    }

    fn target(&self) -> Option<&GuestPath> {
        self.facts().leaves.place()
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        to.push(self.clone(), origin);
        Ok(())
    }
}

macro_rules! asked {
    ($($ask:ident)*) => {
        /// All steps that become operations by themselves.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Ask {
            $($ask($ask),)*
        }

        $(impl From<$ask> for What {
            fn from(one: $ask) -> Self { Self::Ask(Ask::$ask(one)) }
        })*

        impl std::ops::Deref for Ask {
            type Target = dyn Asking;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$ask(one) => one,)*
                }
            }
        }
    };
}

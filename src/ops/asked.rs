//! What a recipe asks of a sandbox, where that becomes operations by itself.

use std::fmt::Debug;

use super::{Op, Operation, Planning};
use crate::diag::Origin;
use crate::spec::{GuestPath, ValueError};

/// What is changed by something that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// The root, which needs a mount namespace of the sandbox's own.
    Root,
    /// The names of the UTS namespace, which has to be the sandbox's own.
    Uts,
    /// Programs alone.
    Program,
}

/// One thing that is asked for.
pub trait Asking: Debug {
    /// The verb that asks for it.
    fn name(&self) -> &'static str;

    /// How a sandbox is printed that has it.
    fn say(&self) -> String;

    /// What it changes.
    fn changes(&self) -> Changes;

    /// What it replaces: an earlier one with the same key. None if both hold.
    fn key(&self) -> Option<&str>;

    /// The place inside that it is about.
    fn target(&self) -> Option<&GuestPath>;

    /// Adds the operations that do it.
    ///
    /// # Errors
    /// A place inside that cannot be; other contradictions are noted in the planning.
    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError>;
}

/// An operation that is asked for as it is done.
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
        /// Everything that becomes operations by itself.
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

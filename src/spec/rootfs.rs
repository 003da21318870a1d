//! A root filesystem: what its tree is made of.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use super::path::GuestPath;
use super::step::FileOptions;
use crate::diag::{Origin, count};

/// One thing that a root filesystem is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Ingredient {
    /// A program with its loader and its libraries.
    Binary {
        /// A path on the host, or a name that is looked for along the host's `PATH`.
        program: String,
        /// The directory to put the program in, where it is not its own.
        into: Option<GuestPath>,
        /// Names that the program answers to, each made a link to it.
        applets: Applets,
    },
    /// A shared library with the libraries that it needs.
    Library(String),
    /// A directory.
    Directory(GuestPath, FileOptions),
    /// A file with its content.
    File(GuestPath, Vec<u8>, FileOptions),
    /// A file or directory of the host.
    Copy {
        /// The place on the host, absolute.
        source: PathBuf,
        /// The place inside.
        target: GuestPath,
    },
    /// A symbolic link.
    Symlink {
        /// What the link says.
        target: String,
        /// Where the link stands.
        path: GuestPath,
    },
    /// A device of the host, at the same place.
    Device(GuestPath),
    /// What comes from here on is another layer: it may take the place of what is there.
    Layer,
    /// The user and group files, for these `(name, uid, gid)`.
    Users(Vec<(String, u32, u32)>),
}

/// Names that one program answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applets {
    /// Only its own.
    None,
    /// Those that a busybox program says it has.
    Own,
    /// These.
    Named(Vec<String>),
}

/// An ingredient and the place that asked for it. Two are equal where they put in the same.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// What goes in.
    pub ingredient: Ingredient,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl PartialEq for Mixed {
    fn eq(&self, other: &Self) -> bool {
        self.ingredient == other.ingredient
    }
}

/// A root filesystem as a list of ingredients; every addition gives a new value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rootfs {
    ingredients: Vec<Rc<Mixed>>,
}

impl Rootfs {
    /// This root and one more ingredient.
    #[must_use]
    pub fn with(&self, ingredient: Ingredient, origin: Option<Origin>) -> Self {
        let mut ingredients = Vec::with_capacity(self.ingredients.len() + 1);
        ingredients.extend(self.ingredients.iter().cloned());
        ingredients.push(Rc::new(Mixed { ingredient, origin }));
        Self { ingredients }
    }

    /// This root on top of `base`: what both hold is as it is here.
    #[must_use]
    pub fn on(&self, base: &Self) -> Self {
        let boundary = Rc::new(Mixed { ingredient: Ingredient::Layer, origin: None });
        let above = std::iter::once(&boundary).chain(&self.ingredients);
        Self { ingredients: base.ingredients.iter().chain(above).cloned().collect() }
    }

    /// Whether this is `other` itself, made at the same lines, and not only its equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let mut pairs = self.ingredients.iter().zip(&other.ingredients);
        self.ingredients.len() == other.ingredients.len()
            && pairs.all(|(one, two)| Rc::ptr_eq(one, two))
    }

    /// The ingredients, in the order they were asked for.
    #[must_use]
    pub fn ingredients(&self) -> &[Rc<Mixed>] {
        &self.ingredients
    }
}

impl fmt::Display for Rootfs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "rootfs of {}", count(self.ingredients.len(), "ingredient"))
    }
}

//! A root filesystem: what its tree is made of.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::archive::Archive;
use super::data::DataTable;
use super::mount_options::FileOptions;
use super::path::GuestPath;
use crate::diag::{Origin, count};

/// What the root of a sandbox is.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// An empty directory in memory.
    Empty,
    /// A directory of the host, by its absolute path.
    Directory(PathBuf),
    /// A tree that is assembled.
    Rootfs(Rootfs),
}

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
        /// What programs open while they run, where that goes in too.
        data: Option<Arc<DataTable>>,
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
        /// The most that it may hold, in bytes.
        limit: u64,
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
    /// What an archive holds: a layer of its own.
    Archive(Archive),
    /// A layer that is in the store.
    Kept(KeptLayer),
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

/// A layer that is in the store, by its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLayer {
    /// Its name.
    pub name: String,
}

/// A part of a root that becomes one layer.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// What is put together from the host.
    Assembled(&'a [Rc<Mixed>]),
    /// An archive, and which line asked for it.
    Archive(&'a Archive, &'a Option<Origin>),
    /// A layer of the store.
    Kept(&'a KeptLayer, &'a Option<Origin>),
}

impl Part<'_> {
    /// Whether this is `other` itself, made at the same lines.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Assembled(one), Self::Assembled(two)) => {
                one.len() == two.len()
                    && one.iter().zip(*two).all(|(one, two)| Rc::ptr_eq(one, two))
            }
            (Self::Archive(one, _), Self::Archive(two, _)) => std::ptr::eq(*one, *two),
            (Self::Kept(one, _), Self::Kept(two, _)) => std::ptr::eq(*one, *two),
            _ => false,
        }
    }
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

    /// The layers that it consists of, the lowest first: one at least.
    #[must_use]
    pub fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut rest = self.ingredients.as_slice();
        while let Some(first) = rest.first() {
            match &first.ingredient {
                Ingredient::Layer => rest = &rest[1..],
                Ingredient::Archive(archive) => {
                    parts.push(Part::Archive(archive, &first.origin));
                    rest = &rest[1..];
                }
                Ingredient::Kept(layer) => {
                    parts.push(Part::Kept(layer, &first.origin));
                    rest = &rest[1..];
                }
                _ => {
                    let ends = |mixed: &Rc<Mixed>| {
                        use Ingredient::{Archive, Kept, Layer};
                        matches!(mixed.ingredient, Layer | Archive(_) | Kept(_))
                    };
                    let end = rest.iter().position(ends).unwrap_or(rest.len());
                    parts.push(Part::Assembled(&rest[..end]));
                    rest = &rest[end..];
                }
            }
        }
        if parts.is_empty() {
            parts.push(Part::Assembled(&[]));
        }
        parts
    }

    /// How many of its parts, from the lowest up, are those of `other` too.
    #[must_use]
    pub fn shared_parts(&self, other: &Self) -> usize {
        let pairs = self.parts().into_iter().zip(other.parts());
        pairs.take_while(|(one, two)| one.is(two)).count()
    }

    /// Whether a file is put at this path by itself.
    #[must_use]
    pub fn has_file(&self, path: &GuestPath) -> bool {
        self.ingredients.iter().any(|mixed| match &mixed.ingredient {
            Ingredient::File(place, ..) | Ingredient::Copy { target: place, .. } => place == path,
            _ => false,
        })
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

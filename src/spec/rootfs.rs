//! Root filesystems and their ingredients.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::archive::Archive;
use super::data::DataTable;
use super::mount_options::FileOptions;
use super::path::GuestPath;
use super::value_error::ValueError;
use crate::diag::{Origin, count, quoted};

/// The root of a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// An empty directory in memory.
    Empty,
    /// A directory of the host, by its absolute path.
    Directory(PathBuf),
    /// A tree that is assembled.
    Rootfs(Rootfs),
}

impl Root {
    /// Whether it is the host's tree.
    #[must_use]
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Directory(path) if path.parent().is_none())
    }
}

/// One ingredient of a root filesystem.
#[derive(Clone, Debug, PartialEq)]
pub enum Ingredient {
    /// A program with its loader and its libraries.
    Binary {
        /// A path on the host, or a name that is searched in the host's `PATH`.
        program: String,
        /// The directory for the program, if it is not its own.
        into: Option<GuestPath>,
        /// Names of the program, each of which becomes a link to it.
        applets: Applets,
        /// The table of files that programs open at run time, if they are added too.
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
        /// The path on the host, absolute.
        source: PathBuf,
        /// The path inside.
        target: GuestPath,
        /// The maximum size in bytes.
        limit: u64,
    },
    /// A symbolic link.
    Symlink {
        /// The target of the link.
        target: String,
        /// The path of the link.
        path: GuestPath,
    },
    /// A device of the host, at the same path.
    Device(GuestPath),
    /// The start of another layer, whose entries may replace earlier ones.
    Layer,
    /// The contents of an archive: a separate layer.
    Archive(Archive),
    /// A layer that is in the store.
    Kept(KeptLayer),
    /// The user and group files, for these `(name, uid, gid)`.
    Users(Vec<(String, u32, u32)>),
}

/// Names of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applets {
    /// Only its own name.
    None,
    /// The applets listed in a busybox program.
    Own,
    /// These names.
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
    /// Files assembled from the host.
    Assembled(&'a [Arc<Mixed>]),
    /// An archive, and the line that asked for it.
    Archive(&'a Archive, &'a Option<Origin>),
    /// A layer of the store.
    Kept(&'a KeptLayer, &'a Option<Origin>),
}

impl Part<'_> {
    /// Whether this is `other` itself, created at the same lines.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Assembled(one), Self::Assembled(two)) => {
                one.len() == two.len()
                    && one.iter().zip(*two).all(|(one, two)| Arc::ptr_eq(one, two))
            }
            (Self::Archive(one, _), Self::Archive(two, _)) => std::ptr::eq(*one, *two),
            (Self::Kept(one, _), Self::Kept(two, _)) => std::ptr::eq(*one, *two),
            _ => false,
        }
    }
}

/// An ingredient and the place that asked for it. Two are equal if they add the same.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// The ingredient.
    pub ingredient: Ingredient,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl PartialEq for Mixed {
    fn eq(&self, other: &Self) -> bool {
        self.ingredient == other.ingredient
    }
}

/// A root filesystem as a list of ingredients; every addition returns a new value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rootfs {
    ingredients: Vec<Arc<Mixed>>,
}

impl Rootfs {
    /// This root and one more ingredient.
    #[must_use]
    pub fn with(&self, ingredient: Ingredient, origin: Option<Origin>) -> Self {
        let mut ingredients = Vec::with_capacity(self.ingredients.len() + 1);
        ingredients.extend(self.ingredients.iter().cloned());
        ingredients.push(Arc::new(Mixed { ingredient, origin }));
        Self { ingredients }
    }

    /// This root on top of `base`: its files take precedence.
    #[must_use]
    pub fn on(&self, base: &Self) -> Self {
        let boundary = Arc::new(Mixed { ingredient: Ingredient::Layer, origin: None });
        let above = std::iter::once(&boundary).chain(&self.ingredients);
        Self { ingredients: base.ingredients.iter().chain(above).cloned().collect() }
    }

    /// Whether this is `other` itself, created at the same lines, and not only its equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let mut pairs = self.ingredients.iter().zip(&other.ingredients);
        self.ingredients.len() == other.ingredients.len()
            && pairs.all(|(one, two)| Arc::ptr_eq(one, two))
    }

    /// Its layers, the lowest first: at least one.
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
                    let ends = |mixed: &Arc<Mixed>| {
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

    /// The number of its parts, from the lowest up, that are also those of `other`.
    #[must_use]
    pub fn shared_parts(&self, other: &Self) -> usize {
        let pairs = self.parts().into_iter().zip(other.parts());
        pairs.take_while(|(one, two)| one.is(two)).count()
    }

    /// Whether an ingredient puts a file at exactly this path.
    #[must_use]
    pub fn has_file(&self, path: &GuestPath) -> bool {
        self.ingredients.iter().any(|mixed| match &mixed.ingredient {
            Ingredient::File(place, ..) | Ingredient::Copy { target: place, .. } => place == path,
            _ => false,
        })
    }

    /// The ingredients, in the order of the recipe.
    #[must_use]
    pub fn ingredients(&self) -> &[Arc<Mixed>] {
        &self.ingredients
    }
}

impl Applets {
    /// These names.
    ///
    /// # Errors
    /// One of them cannot be the name of a file.
    pub fn named(names: Vec<String>) -> Result<Self, ValueError> {
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']) && name.len() <= 255
        };
        match names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(ValueError::new(format!("invalid file name {}", quoted(name)))),
            None => Ok(Self::Named(names)),
        }
    }
}

/// The users `"name"`, `"name:uid"` or `"name:uid:gid"`, as `(name, uid, gid)`. Names without a
/// number get the next one from 1000 up, and `root` gets 0.
///
/// # Errors
/// A text is none of these.
pub fn users<'a>(
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<(String, u32, u32)>, ValueError> {
    let mut next = 1000;
    texts.into_iter().map(|text| user(text, &mut next)).collect()
}

fn user(text: &str, next: &mut u32) -> Result<(String, u32, u32), ValueError> {
    let mut fields = text.split(':');
    let name = fields.next().unwrap_or_default();
    let sound = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.$".contains(&byte))
        && !name.starts_with('-');
    let number = |field: &str| field.parse::<u32>().ok().filter(|id| *id != u32::MAX);
    let ids: Option<Vec<u32>> = fields.map(number).collect();
    let wrong = || {
        let error = ValueError::new(format!("invalid user {}", quoted(text)));
        Err(error.hint("expected `\"name\"`, `\"name:uid\"` or `\"name:uid:gid\"`"))
    };
    let (true, Some(ids)) = (sound, ids) else { return wrong() };
    match ids.as_slice() {
        [] if name == "root" => Ok((name.to_owned(), 0, 0)),
        [] => {
            *next += 1;
            Ok((name.to_owned(), *next - 1, *next - 1))
        }
        [uid] => Ok((name.to_owned(), *uid, *uid)),
        [uid, gid] => Ok((name.to_owned(), *uid, *gid)),
        _ => wrong(),
    }
}

/// Checks that a file can be at `path`.
///
/// # Errors
/// The path is the root.
pub fn check_file(path: &GuestPath) -> Result<(), ValueError> {
    if path.is_root() {
        return Err(ValueError::new("`/` is a directory, not a file"));
    }
    Ok(())
}

/// Checks that a symbolic link to `target` can be at `path`.
///
/// # Errors
/// The target is empty or contains a NUL byte, or the path is the root.
pub fn check_link(target: &str, path: &GuestPath) -> Result<(), ValueError> {
    if target.is_empty() || target.contains('\0') {
        return Err(ValueError::new("the target of the link is empty or contains a NUL byte"));
    }
    if path.is_root() {
        return Err(ValueError::new("`/` is a directory, not a link"));
    }
    Ok(())
}

impl fmt::Display for Rootfs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "rootfs of {}", count(self.ingredients.len(), "ingredient"))
    }
}

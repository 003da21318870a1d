//! The builder of root filesystems.

use std::fmt;
use std::path::Path;

use super::error::{Error, here, invalid};
use super::options::{BinaryOptions, FileOptions, TarOptions};
use super::sandbox::{guest, host_path};
use crate::diag::{Report, quoted};
use crate::run::Runner;
use crate::spec::{self, Archive, Compression, Ingredient, ValueError};

/// The root of a sandbox, assembled from programs of the host with the libraries that they need,
/// files and archives. It is a value: nothing is read before it is used.
///
/// Layers that were assembled once are kept in the store of the user, so the next use is quick.
/// Without a home directory that can be written to, each use assembles them again.
///
/// ```
/// use nsscript::{Rootfs, Sandbox};
///
/// let root = Rootfs::new().binary("cat").file("/etc/motd", "welcome\n");
/// let output = Sandbox::rootfs(root).command("cat").arg("/etc/motd").output()?;
/// assert_eq!(output.stdout, b"welcome\n");
/// # Ok::<(), nsscript::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a root filesystem does nothing until it is used"]
pub struct Rootfs {
    inner: spec::Rootfs,
    invalid: Vec<Report>,
}

impl Rootfs {
    /// An empty root.
    pub fn new() -> Self {
        Self::default()
    }

    #[track_caller]
    fn with(self, ingredient: Ingredient) -> Self {
        Self { inner: self.inner.with(ingredient, here()), invalid: self.invalid }
    }

    #[track_caller]
    fn try_with(self, ingredient: impl FnOnce() -> Result<Ingredient, ValueError>) -> Self {
        match ingredient() {
            Ok(ingredient) => self.with(ingredient),
            Err(error) => self.refused(invalid(&error, here())),
        }
    }

    fn refused(mut self, report: Report) -> Self {
        self.invalid.push(report);
        self
    }

    pub(super) fn into_inner(self) -> Result<spec::Rootfs, Vec<Report>> {
        if self.invalid.is_empty() { Ok(self.inner) } else { Err(self.invalid) }
    }

    /// Adds a program of the host with its loader and its libraries: a path, or a name that is
    /// searched in `PATH`.
    #[track_caller]
    pub fn binary(self, program: &str) -> Self {
        self.binary_with(program, BinaryOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn binary_with(self, program: &str, options: BinaryOptions) -> Self {
        self.try_with(|| {
            if program.is_empty() {
                return Err(ValueError::new("the name of the program is empty"));
            }
            let program = if program.contains('/') {
                host_path(Path::new(program))?.to_string_lossy().into_owned()
            } else {
                program.to_owned()
            };
            options.ingredient(program)
        })
    }

    /// Adds several programs.
    #[track_caller]
    pub fn binaries(self, programs: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut root = self;
        for program in programs {
            root = root.binary(program.as_ref());
        }
        root
    }

    /// Adds a shared library with the libraries that it needs: a path, or a name that the loader
    /// finds.
    #[track_caller]
    pub fn library(self, name: &str) -> Self {
        self.with(Ingredient::Library(name.to_owned()))
    }

    /// Adds a directory, with its parents.
    #[track_caller]
    pub fn directory(self, path: impl AsRef<Path>) -> Self {
        self.directory_with(path, FileOptions::new())
    }

    /// The same with mode and owner.
    #[track_caller]
    pub fn directory_with(self, path: impl AsRef<Path>, options: FileOptions) -> Self {
        self.try_with(|| Ok(Ingredient::Directory(guest(path.as_ref())?, options.checked()?)))
    }

    /// Adds a file with this content.
    #[track_caller]
    pub fn file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        self.file_with(path, content, FileOptions::new())
    }

    /// The same with mode and owner.
    #[track_caller]
    pub fn file_with(
        self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
        options: FileOptions,
    ) -> Self {
        self.try_with(|| {
            let path = guest(path.as_ref())?;
            spec::check_file(&path)?;
            Ok(Ingredient::File(path, content.as_ref().to_vec(), options.checked()?))
        })
    }

    /// Copies a file or directory of the host, of at most 8 GiB.
    #[track_caller]
    pub fn copy(self, source: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.try_with(|| {
            let (source, target) = (host_path(source.as_ref())?, guest(target.as_ref())?);
            Ok(Ingredient::Copy { source, target, limit: Archive::LIMIT })
        })
    }

    /// Adds a symbolic link at `path` to `target`, in the order of `ln -s`.
    #[track_caller]
    pub fn symlink(self, target: &str, path: impl AsRef<Path>) -> Self {
        self.try_with(|| {
            let path = guest(path.as_ref())?;
            spec::check_link(target, &path)?;
            Ok(Ingredient::Symlink { target: target.to_owned(), path })
        })
    }

    /// Adds the contents of a tar archive: plain, or compressed by gzip, xz or zstd.
    #[track_caller]
    pub fn tar(self, file: impl AsRef<Path>) -> Self {
        self.tar_with(file, TarOptions::new())
    }

    /// The same with options.
    #[track_caller]
    pub fn tar_with(self, file: impl AsRef<Path>, options: TarOptions) -> Self {
        let at = here();
        let archive = host_path(file.as_ref()).map_err(|error| invalid(&error, at.clone()));
        match archive.and_then(|file| options.archive(&file, at)) {
            Ok(archive) => self.with(Ingredient::Archive(archive)),
            Err(report) => self.refused(report),
        }
    }

    /// Adds a device of the host, at the same path: `/dev/null`.
    #[track_caller]
    pub fn device(self, path: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(path.as_ref()).map(Ingredient::Device))
    }

    /// Adds `/etc/passwd`, `/etc/group` and `/etc/shadow` with these users: `"name"`, `"name:uid"`
    /// or `"name:uid:gid"`. Without a number they get those from 1000 up.
    #[track_caller]
    pub fn users(self, users: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let users: Vec<_> = users.into_iter().collect();
        let texts = users.iter().map(AsRef::as_ref);
        self.try_with(|| spec::users(texts).map(Ingredient::Users))
    }

    /// Puts this root on top of another one. Its files replace those below.
    pub fn overlay_on(mut self, base: Self) -> Self {
        self.invalid.extend(base.invalid);
        Self { inner: self.inner.on(&base.inner), invalid: self.invalid }
    }

    /// The sha256 of the canonical list of everything in the root: names, types, modes, owners,
    /// contents. It is the same on every machine that has the same files.
    ///
    /// # Errors
    /// Everything that is missing or invalid, with its line.
    #[track_caller]
    pub fn digest(&self) -> Result<String, Error> {
        let at = here();
        let made = self.tree().and_then(|(runner, tree)| Ok(runner.manifest(&tree)?.digest()));
        made.map_err(|error| error.or_at(at.as_ref()))
    }

    /// Builds the root into a new directory of the host. Set-user-ID bits are left out.
    ///
    /// # Errors
    /// As for [`Rootfs::digest`]; the directory exists and is not empty, or cannot be written.
    #[track_caller]
    pub fn build(&self, directory: impl AsRef<Path>) -> Result<(), Error> {
        let at = here();
        let directory =
            host_path(directory.as_ref()).map_err(|error| invalid(&error, at.clone()))?;
        let built = self.tree().and_then(|(runner, tree)| {
            runner.build(&tree, &directory, false)?;
            Ok(())
        });
        built.map_err(|error| error.or_at(at.as_ref()))
    }

    /// Packs the root into a new archive, and returns the sha256 of that file. The end of the name
    /// says how it is compressed: `.tar`, `.tar.gz`, `.tar.xz` or `.tar.zst`.
    ///
    /// # Errors
    /// As for [`Rootfs::digest`]; the file exists, or its name is not that of an archive.
    #[track_caller]
    pub fn pack(&self, file: impl AsRef<Path>) -> Result<String, Error> {
        let at = here();
        let file = host_path(file.as_ref()).map_err(|error| invalid(&error, at.clone()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let Some(compression) = Compression::of_name(&name) else {
            let message = format!("unknown kind of archive {}", quoted(&name));
            let hint = "the name ends in `.tar`, `.tar.gz`, `.tar.xz` or `.tar.zst`";
            return Err(Report::error(message).hint(hint).at(at).into());
        };
        let packed = self
            .tree()
            .and_then(|(runner, tree)| Ok(runner.pack(&tree, &file, compression, false)?));
        packed.map_err(|error| error.or_at(at.as_ref()))
    }

    fn tree(&self) -> Result<(Runner, std::rc::Rc<crate::plan::RootTree>), Error> {
        let inner = self.clone().into_inner()?;
        let runner = Runner::new();
        let tree = runner.tree(&inner)?;
        Ok((runner, tree))
    }
}

impl fmt::Display for Rootfs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(out)
    }
}

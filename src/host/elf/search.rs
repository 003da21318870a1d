//! The search for a library, in the loader's order; see `ld.so(8)`.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::cache::Cache;
use super::closure::Node;
use super::conf;
use super::cpu::Processor;
use super::error::{ElfError, ElfErrorKind};
use super::files::{Content, Files, Identity};
use super::needs::{LoadError, Rule};
use super::object::Object;
use super::system::{Flavour, System};
use super::tokens;
use crate::host::FileView;

/// A library found by a search.
#[derive(Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    pub identity: Identity,
    pub object: Rc<Object>,
    pub rule: Rule,
}

/// The searches in one tree, with their cached results.
pub(super) struct Search<'t> {
    pub files: Files<'t>,
    pub processor: Processor,
    cache: OnceCell<Option<Cache>>,
    listed: OnceCell<Vec<PathBuf>>,
    /// For a directory, and whether levels count: itself, if it exists, with its subdirectories
    /// for levels that the processor reaches before it.
    with_levels: HashMap<(PathBuf, bool), Rc<[PathBuf]>>,
}

/// One search: its requester, its name, and the files it skipped.
struct Quest<'q> {
    system: &'q System,
    name: &'q OsStr,
    /// The first file of that name for another machine.
    misfit: Option<PathBuf>,
}

impl<'t> Search<'t> {
    pub fn of(tree: &'t dyn FileView) -> Self {
        Self {
            files: Files::of(tree),
            processor: Processor::default(),
            cache: OnceCell::new(),
            listed: OnceCell::new(),
            with_levels: HashMap::new(),
        }
    }

    /// Finds the library `name` for the first object of `chain`, behind which stand those that
    /// led to it, nearest first. The chain is empty for a library looked up for itself.
    pub fn find(
        &mut self,
        system: &System,
        chain: &[&Node],
        name: &OsStr,
    ) -> Result<Found, LoadError> {
        let mut quest = Quest { system, name, misfit: None };
        let found = if name.as_bytes().contains(&b'/') {
            self.by_path(&mut quest, chain)?
        } else {
            match system.flavour {
                Flavour::Glibc => self.as_glibc(&mut quest, chain)?,
                Flavour::Musl => self.as_musl(&mut quest, chain)?,
            }
        };
        found.ok_or_else(|| quest.misfit.map_or(LoadError::NotFound, LoadError::OtherMachine))
    }

    /// A name with a `/` is a path, and can have tokens in it.
    fn by_path(&mut self, quest: &mut Quest, chain: &[&Node]) -> Result<Option<Found>, LoadError> {
        let origin = chain.first().map_or(Path::new("/"), |asker| &asker.origin);
        let meant = match quest.system.flavour {
            Flavour::Glibc => tokens::expand(
                quest.name.as_bytes(),
                origin,
                quest.system,
                self.files.tree,
                &self.processor,
            ),
            Flavour::Musl => vec![PathBuf::from(quest.name)],
        };
        for path in meant.into_iter().filter(|path| path.is_absolute()) {
            if let Some(found) = self.at(quest, path, &Rule::Path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn as_glibc(&mut self, quest: &mut Quest, chain: &[&Node]) -> Result<Option<Found>, LoadError> {
        let asker = chain.first();
        if asker.is_none_or(|asker| asker.object.runpath.is_none()) {
            for ancestor in chain {
                let rule = || Rule::Rpath(ancestor.path.clone());
                if let Some(found) = self.within(quest, &ancestor.rpath, rule)? {
                    return Ok(Some(found));
                }
            }
        }
        if let Some(asker) = asker
            && let Some(found) = self.within(quest, &asker.runpath, || Rule::Runpath)?
        {
            return Ok(Some(found));
        }
        let no_default = asker.is_some_and(|asker| asker.object.no_default);
        if let Some(path) = self.cached(quest) {
            let defaults = || quest.system.directories(self.files.tree);
            if !(no_default && defaults().iter().any(|directory| path.starts_with(directory)))
                && let Some(found) = self.at(quest, path, &Rule::Cache)?
            {
                return Ok(Some(found));
            }
        }
        if no_default {
            return Ok(None);
        }
        let system = quest.system;
        let found =
            self.within(quest, system.directories(self.files.tree), || Rule::DefaultDirectory)?;
        if found.is_some() || self.cache().is_some() {
            return Ok(found);
        }
        // What the loader will find as soon as `ldconfig` has run in this tree.
        let listed = self.listed.get_or_init(|| conf::directories(self.files.tree)).clone();
        self.within(quest, &listed, || Rule::Configuration)
    }

    fn as_musl(&mut self, quest: &mut Quest, chain: &[&Node]) -> Result<Option<Found>, LoadError> {
        for ancestor in chain {
            // Unlike the GNU C library, musl lets both kinds be inherited, and prefers RUNPATH.
            let rule = || match ancestor.object.runpath {
                Some(_) => Rule::Runpath,
                None => Rule::Rpath(ancestor.path.clone()),
            };
            for directories in [&ancestor.runpath, &ancestor.rpath] {
                if let Some(found) = self.within(quest, directories, rule)? {
                    return Ok(Some(found));
                }
            }
        }
        let system = quest.system;
        self.within(quest, system.directories(self.files.tree), || Rule::DefaultDirectory)
    }

    /// The first match in `directories`, and in their subdirectories for this processor.
    fn within(
        &mut self,
        quest: &mut Quest,
        directories: &[PathBuf],
        rule: impl Fn() -> Rule,
    ) -> Result<Option<Found>, LoadError> {
        for directory in directories {
            for place in &*self.with_levels(quest.system, directory) {
                if let Some(found) = self.at(quest, place.join(quest.name), &rule())? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The library at `path`; `None` if it is missing or for another machine.
    fn at(
        &mut self,
        quest: &mut Quest,
        path: PathBuf,
        rule: &Rule,
    ) -> Result<Option<Found>, LoadError> {
        match self.files.known(&path) {
            Err(error) if error.is_absence() => Ok(None),
            // The loader gives up on a damaged file, it does not look further.
            Err(error) => Err(LoadError::Unusable(error)),
            Ok(known) => match known.content {
                Content::Script(_) => {
                    Err(LoadError::Unusable(ElfError::new(&path, ElfErrorKind::NotProgram)))
                }
                Content::Elf(object) if !quest.system.abi.loads(object.abi) => {
                    quest.misfit.get_or_insert(path);
                    Ok(None)
                }
                Content::Elf(object) => {
                    Ok(Some(Found { path, identity: known.identity, object, rule: rule.clone() }))
                }
            },
        }
    }

    fn cached(&self, quest: &Quest) -> Option<PathBuf> {
        let levels = || {
            if quest.system.abi.has_levels() { self.processor.levels() } else { &[] }
        };
        let (name, flags) = (quest.name.as_bytes(), quest.system.abi.cache_flags());
        self.cache()?.find(name, flags, levels)
    }

    fn cache(&self) -> Option<&Cache> {
        let tree = self.files.tree;
        let path = Path::new("/etc/ld.so.cache");
        let read = || {
            let is_file = tree.metadata(path).is_ok_and(|found| found.is_file());
            Cache::parse(is_file.then(|| tree.read(path).ok()).flatten()?)
        };
        self.cache.get_or_init(read).as_ref()
    }

    fn with_levels(&mut self, system: &System, directory: &Path) -> Rc<[PathBuf]> {
        let key = (directory.to_owned(), system.abi.has_levels());
        if let Some(known) = self.with_levels.get(&key) {
            return Rc::clone(known);
        }
        let exists = |path: &Path| self.files.tree.metadata(path).is_ok_and(|found| found.is_dir());
        let mut places = Vec::new();
        if exists(directory) {
            let levels = directory.join("glibc-hwcaps");
            if system.flavour == Flavour::Glibc && key.1 && exists(&levels) {
                let supported = self.processor.levels().iter().map(|level| levels.join(level));
                places.extend(supported.filter(|path| exists(path)));
            }
            places.push(directory.to_owned());
        }
        let places: Rc<[PathBuf]> = places.into();
        self.with_levels.insert(key, Rc::clone(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::elf::abi::Abi;
    use crate::host::elf::sample::Sample;
    use crate::host::fixture::Fixture;

    fn found(made: &Fixture, levels: &[&'static str], machine: object::elf::Machine) -> String {
        let tree = made.tree();
        let processor = Processor::with_levels(levels.to_vec());
        let mut search = Search { processor, ..Search::of(&tree) };
        let system = System::new(&tree, Abi::new(machine.0, true, true, 0), None);
        match search.find(&system, &[], OsStr::new("libx.so")) {
            Ok(found) => format!("{} {}", found.path.display(), found.rule),
            Err(cause) => format!("{cause:?}"),
        }
    }

    #[test]
    fn the_best_level_of_each_directory_comes_before_it() {
        let made = Fixture::new("elf-levels");
        let library = Sample::library(&[]).bytes();
        made.file("lib64/glibc-hwcaps/x86-64-v2/libx.so", &library);
        made.file("lib64/glibc-hwcaps/x86-64-v3/libx.so", &library);
        made.file("lib64/libx.so", &library);
        let x86 = object::elf::EM_X86_64;
        let best = found(&made, &["x86-64-v4", "x86-64-v3", "x86-64-v2"], x86);
        assert_eq!(best, "/lib64/glibc-hwcaps/x86-64-v3/libx.so default directory");
        assert_eq!(found(&made, &[], x86), "/lib64/libx.so default directory");
        let other = found(&made, &["x86-64-v3"], object::elf::EM_AARCH64);
        assert_eq!(other, "OtherMachine(\"/lib64/libx.so\")");
    }

    #[test]
    fn configured_directories_serve_where_there_is_no_cache() {
        let made = Fixture::new("elf-configured");
        made.file("etc/ld.so.conf", b"/opt/lib\n");
        made.file("opt/lib/libx.so", &Sample::library(&[]).bytes());
        assert!(
            found(&made, &[], object::elf::EM_X86_64).starts_with("/opt/lib/libx.so ld.so.conf")
        );
        made.file("etc/ld.so.cache", &[b"glibc-ld.so.cache1.1".to_vec(), vec![0; 28]].concat());
        assert_eq!(found(&made, &[], object::elf::EM_X86_64), "NotFound");
    }
}

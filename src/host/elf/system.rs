//! The loader that a program names, and its built-in defaults.
//!
//! Where it searches, and what `$LIB` means, was decided when it was compiled: Debian, Fedora,
//! Arch and Nix differ. The loader of the GNU C library holds these directories as a row of
//! strings, so they are read from its bytes rather than guessed.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::abi::Abi;
use super::cpu::{PLATFORMS, Processor};
use crate::host::FileView;

/// A loader is about 200 KB; a far larger file is not one.
const LARGEST: u64 = 8 << 20;

/// The rules that a loader follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Those of the GNU C library; see `ld.so(8)`.
    Glibc,
    /// Those of musl.
    Musl,
}

/// The loader of a program and its defaults.
#[derive(Debug)]
pub(super) struct System {
    pub abi: Abi,
    pub flavour: Flavour,
    /// `PT_INTERP` as written in the program.
    pub interpreter: Option<PathBuf>,
    built_in: OnceCell<BuiltIn>,
}

#[derive(Debug)]
struct BuiltIn {
    directories: Vec<PathBuf>,
    /// The possible values of `$LIB`.
    lib: Vec<Vec<u8>>,
    /// The processors for which it has its own names.
    platforms: Vec<&'static str>,
}

impl System {
    /// The system of a program with this interpreter; without one, the system whose loader for
    /// this ABI the tree has.
    pub fn new(tree: &dyn FileView, abi: Abi, interpreter: Option<&Path>) -> Self {
        let usual = || {
            let candidates = [PathBuf::from(abi.glibc_loader()), PathBuf::from(abi.musl_loader())];
            candidates.into_iter().find(|path| tree.exists(path))
        };
        let interpreter = interpreter.map(Path::to_owned).or_else(usual);
        let is_musl = interpreter.as_deref().is_some_and(|path| musl_name(path).is_some());
        let flavour = if is_musl { Flavour::Musl } else { Flavour::Glibc };
        Self { abi, flavour, interpreter, built_in: OnceCell::new() }
    }

    /// The default directories.
    pub fn directories(&self, tree: &dyn FileView) -> &[PathBuf] {
        &self.built_in(tree).directories
    }

    /// The possible values of `$LIB`.
    pub fn lib(&self, tree: &dyn FileView) -> &[Vec<u8>] {
        &self.built_in(tree).lib
    }

    /// The possible values of `$PLATFORM` on this processor: the kernel's name, `AT_PLATFORM`,
    /// unless the loader has another one.
    pub fn platforms(&self, tree: &dyn FileView, processor: &Processor) -> Vec<&'static str> {
        let named =
            || processor.platform().filter(|name| self.built_in(tree).platforms.contains(name));
        match self.abi.is_x86_64().then(named).flatten() {
            Some(name) => vec![name],
            None => self.abi.platforms().to_vec(),
        }
    }

    fn built_in(&self, tree: &dyn FileView) -> &BuiltIn {
        self.built_in.get_or_init(|| match (self.flavour, &self.interpreter) {
            (Flavour::Musl, Some(interpreter)) => musl(tree, interpreter),
            (_, Some(interpreter)) => {
                glibc(tree, interpreter).unwrap_or_else(|| usual(tree, self.abi))
            }
            (_, None) => usual(tree, self.abi),
        })
    }
}

/// The defaults in the loader of the GNU C library; `None` if it is not recognised.
fn glibc(tree: &dyn FileView, interpreter: &Path) -> Option<BuiltIn> {
    let found = tree.metadata(interpreter).ok()?;
    if !found.is_file() || found.len() > LARGEST {
        return None;
    }
    let bytes = tree.read(interpreter).ok()?;
    let directories = row_of_directories(&bytes)?;
    let holds = |name: &&str| bytes.split(|byte| *byte == 0).any(|text| text == name.as_bytes());
    let platforms = PLATFORMS.iter().map(|(name, _)| *name).filter(holds).collect();
    let lib = lib_of(directories.first()?).to_vec();
    let path = |bytes: &Vec<u8>| PathBuf::from(OsStr::from_bytes(bytes));
    let directories = directories.iter().map(path).collect();
    Some(BuiltIn { directories, lib: vec![lib], platforms })
}

/// The longest row of strings that are each the path of a library directory: they stand one
/// behind the other, begin and end with `/`, and have a name in them that begins with `lib`.
fn row_of_directories(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut longest: Vec<Vec<u8>> = Vec::new();
    let mut row: Vec<Vec<u8>> = Vec::new();
    for string in bytes.split(|byte| *byte == 0) {
        if is_directory(string) {
            row.push(string[..string.len() - 1].to_vec());
            continue;
        }
        if row.len() > longest.len() {
            longest = std::mem::take(&mut row);
        }
        row.clear();
    }
    (!longest.is_empty()).then_some(longest)
}

fn is_directory(string: &[u8]) -> bool {
    let [b'/', names @ .., b'/'] = string else {
        return false;
    };
    string.iter().all(u8::is_ascii_graphic)
        && names.split(|byte| *byte == b'/').any(|name| name.starts_with(b"lib"))
        && !names.windows(6).any(|part| part == b"locale")
}

/// What `$LIB` stands for, given the loader's own directory: the part from the last name that
/// begins with `lib` on, `lib/x86_64-linux-gnu` on Debian and `lib64` on Fedora.
fn lib_of(directory: &[u8]) -> &[u8] {
    let starts = directory.windows(4).rposition(|part| part == b"/lib");
    &directory[starts.map_or(0, |slash| slash + 1)..]
}

/// The defaults of distributions, for a tree without a loader to read.
fn usual(tree: &dyn FileView, abi: Abi) -> BuiltIn {
    let mut lib: Vec<Vec<u8>> = Vec::new();
    if !abi.triplet().is_empty() {
        lib.push(format!("lib/{}", abi.triplet()).into_bytes());
    }
    if abi.wide {
        lib.push(b"lib64".to_vec());
    } else {
        lib.push(b"lib32".to_vec());
    }
    lib.push(b"lib".to_vec());
    let path = |top: &str, lib: &[u8]| Path::new(top).join(OsStr::from_bytes(lib));
    let directories = lib.iter().flat_map(|lib| [path("/", lib), path("/usr", lib)]);
    let directories = directories.collect();
    lib.retain(|lib| tree.exists(&path("/", lib)) || tree.exists(&path("/usr", lib)));
    BuiltIn { directories, lib, platforms: Vec::new() }
}

/// The architecture in the name of a loader of musl, `/lib/ld-musl-x86_64.so.1`.
fn musl_name(interpreter: &Path) -> Option<&OsStr> {
    let name = interpreter.file_name()?.as_bytes().strip_prefix(b"ld-musl-")?;
    let end = name.windows(3).position(|part| part == b".so")?;
    Some(OsStr::from_bytes(&name[..end]))
}

/// The directories from musl's configuration file, or its built-in ones.
fn musl(tree: &dyn FileView, interpreter: &Path) -> BuiltIn {
    // The file stands in the `etc` beside the directory of the loader.
    let prefix = interpreter.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let mut name = OsStr::new("ld-musl-").to_owned();
    name.push(musl_name(interpreter).unwrap_or_default());
    name.push(".path");
    let file = prefix.join("etc").join(name);
    let is_file = tree.metadata(&file).is_ok_and(|found| found.is_file());
    let listed = is_file.then(|| tree.read(&file).ok()).flatten();
    let listed = listed.unwrap_or_else(|| b"/lib:/usr/local/lib:/usr/lib".to_vec());
    let directories = listed.split(|byte| *byte == b':' || *byte == b'\n');
    let directories = directories.map(|path| PathBuf::from(OsStr::from_bytes(path)));
    let directories = directories.filter(|path| path.is_absolute()).collect();
    BuiltIn { directories, lib: Vec::new(), platforms: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Fixture;

    fn x86() -> Abi {
        Abi::new(object::elf::EM_X86_64.0, true, true, 0)
    }

    #[test]
    fn directories_are_read_from_the_loader() {
        let made = Fixture::new("elf-system");
        made.file("lib64/fedora.so", b"\x7fELF\0/lib64/\0/usr/lib64/\0junk\0/lib/locale/\0");
        made.file("lib64/nix.so", b"x\0/nix/store/abc-glibc-2.40/lib/\0/dev/null\0/usr/\0");
        made.file("lib64/none.so", b"/proc/\0/libx\0");
        let tree = made.tree();
        let system = |path: &str| System::new(&tree, x86(), Some(Path::new(path)));
        let told = |path: &str| {
            let system = system(path);
            let directories = system.directories(&tree).to_vec();
            let lib = system.lib(&tree).iter().map(|lib| String::from_utf8_lossy(lib).into());
            (directories, lib.collect::<Vec<String>>())
        };
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let fedora = (paths(&["/lib64", "/usr/lib64"]), vec!["lib64".to_owned()]);
        assert_eq!(told("/lib64/fedora.so"), fedora);
        let nix = (paths(&["/nix/store/abc-glibc-2.40/lib"]), vec!["lib".to_owned()]);
        assert_eq!(told("/lib64/nix.so"), nix);
        let (directories, lib) = told("/lib64/none.so");
        assert_eq!(directories[0], Path::new("/lib/x86_64-linux-gnu"));
        assert_eq!(lib, ["lib64"]);
    }

    #[test]
    fn a_loader_may_have_a_name_of_its_own_for_a_processor() {
        let made = Fixture::new("elf-platform");
        made.file("lib64/old.so", b"\0/lib64/\0x86_64\0");
        made.file("lib64/ld.so", b"\0/lib64/\0xeon_phi\0haswell\0x86_64\0");
        let tree = made.tree();
        let told = |loader: &str, cpuinfo: &str| {
            let system = System::new(&tree, x86(), Some(Path::new(loader)));
            system.platforms(&tree, &Processor::told(cpuinfo))
        };
        let intel =
            "vendor_id\t: GenuineIntel\nflags\t\t: avx2 bmi1 bmi2 abm movbe popcnt fma avx512cd\n";
        assert_eq!(told("/lib64/ld.so", intel), ["haswell"]);
        assert_eq!(told("/lib64/old.so", intel), ["x86_64"]);
        assert_eq!(told("/lib64/none.so", intel), ["x86_64"]);
        let phi = intel.replace("avx512cd", "avx512cd avx512er avx512pf");
        assert_eq!(told("/lib64/ld.so", &phi), ["xeon_phi"]);
        for other in [intel.replace("GenuineIntel", "AuthenticAMD"), intel.replace("movbe", "")] {
            assert_eq!(told("/lib64/ld.so", &other), ["x86_64"]);
        }
    }

    #[test]
    fn lib_is_the_end_of_the_own_directory() {
        for (directory, lib) in [
            ("/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"),
            ("/lib64", "lib64"),
            ("/usr/lib", "lib"),
            ("/usr/lib64", "lib64"),
        ] {
            assert_eq!(lib_of(directory.as_bytes()), lib.as_bytes());
        }
    }

    #[test]
    fn musl_reads_its_path_file() {
        let made = Fixture::new("elf-musl-path");
        let tree = made.tree();
        let loader = Path::new("/opt/m/lib/ld-musl-x86_64.so.1");
        let system = || System::new(&tree, x86(), Some(loader));
        assert_eq!(system().flavour, Flavour::Musl);
        assert_eq!(system().directories(&tree)[1], Path::new("/usr/local/lib"));
        made.file("opt/m/etc/ld-musl-x86_64.path", b"/a:/b\n/c\n");
        let expected = ["/a", "/b", "/c"].map(PathBuf::from);
        assert_eq!(system().directories(&tree), expected);
    }
}

//! The packages of the distribution: which of them has a file, and its other files.
//!
//! Only the lists of files that package managers keep as plain text are read: those of dpkg and of
//! pacman. Nothing is run.
//!
//! The database of rpm is not read. Its format is private to rpm, and rpm(8) itself is no way for a
//! plan, which changes nothing: as root, `rpm -qf` opens the database for writing and leaves files
//! beside it (`rpmdb.sqlite-wal`, `rpmdb.sqlite-shm`), and it runs the commands in the caller's
//! `~/.rpmmacros`.

use std::io::Read;
use std::path::Path;

use super::tree::Tree;

/// Where dpkg keeps a list for each package.
const DPKG: &str = "/var/lib/dpkg/info";
/// Where pacman keeps a directory for each package.
const PACMAN: &str = "/var/lib/pacman/local";
/// The largest list that is read, and the most of all of them.
const MOST_OF_ONE: u64 = 16 << 20;
const MOST: usize = 256 << 20;
/// Directories of `/` that are links to those of the same name in `/usr` on merged systems.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// The lists of files of all installed packages.
#[derive(Debug, Default)]
pub struct Packages {
    packages: Vec<Package>,
}

/// An installed package.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its files and directories, each in a line, between line breaks.
    list: String,
}

impl Packages {
    /// Reads the lists of a tree; those that cannot be read are passed over.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let (mut packages, mut size) = (Vec::new(), 0);
        let mut add = |package: Option<Package>| {
            if let Some(package) = package.filter(|package| size + package.list.len() <= MOST) {
                size += package.list.len();
                packages.push(package);
            }
        };
        for name in tree.names(Path::new(DPKG)).unwrap_or_default() {
            if let Some(package) = name.to_str().and_then(|name| name.strip_suffix(".list")) {
                add(dpkg(tree, package, &Path::new(DPKG).join(&name)));
            }
        }
        for name in tree.names(Path::new(PACMAN)).unwrap_or_default() {
            if let Some(package) = name.to_str() {
                add(pacman(tree, package, &Path::new(PACMAN).join(&name).join("files")));
            }
        }
        Self { packages }
    }

    /// The package that has the file `path`; the first, if several have it.
    #[must_use]
    pub fn owner(&self, path: &Path) -> Option<&Package> {
        let lines: Vec<String> = names(path).iter().map(|name| format!("\n{name}\n")).collect();
        let has = |package: &&Package| lines.iter().any(|line| package.list.contains(line));
        self.packages.iter().find(has)
    }
}

impl Package {
    /// Its files and directories, in the order of the list.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.list.lines().filter(|line| !line.is_empty()).map(Path::new)
    }
}

/// A path as lists can have it: with `/usr` and without.
fn names(path: &Path) -> Vec<String> {
    let path = path.to_string_lossy().into_owned();
    let below = path.strip_prefix("/usr/").or_else(|| path.strip_prefix('/')).unwrap_or_default();
    let first = below.split('/').next().unwrap_or_default();
    if !MERGED.contains(&first) {
        return vec![path];
    }
    vec![format!("/usr/{below}"), format!("/{below}")]
}

fn dpkg(tree: &Tree, name: &str, list: &Path) -> Option<Package> {
    let list = read(tree, list)?;
    // Of several architectures each has its list: `libc6:amd64`.
    let name = name.split(':').next().unwrap_or(name).to_owned();
    Some(Package { name, list: format!("\n{list}\n") })
}

fn pacman(tree: &Tree, name: &str, list: &Path) -> Option<Package> {
    let text = read(tree, list)?;
    let (_, files) = text.split_once("%FILES%\n")?;
    let files = files.split("\n\n").next().unwrap_or(files);
    let mut list = String::from("\n");
    for file in files.lines() {
        list.push('/');
        list.push_str(file.trim_end_matches('/'));
        list.push('\n');
    }
    // `bash-5.2.037-1`: name, version, release.
    let name = name.rsplitn(3, '-').nth(2).unwrap_or(name).to_owned();
    Some(Package { name, list })
}

fn read(tree: &Tree, path: &Path) -> Option<String> {
    let mut list = Vec::new();
    tree.open(path).ok()?.take(MOST_OF_ONE).read_to_end(&mut list).ok()?;
    Some(String::from_utf8_lossy(&list).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Fixture;

    #[test]
    fn files_belong_to_packages_and_packages_have_files() {
        let made = Fixture::new("packages");
        let list = b"/.\n/bin\n/bin/tool\n/usr/share/tool\n/usr/share/tool/data\n";
        made.file("var/lib/dpkg/info/tool:amd64.list", list);
        made.file("var/lib/dpkg/info/tool:amd64.md5sums", b"/usr/share/other\n");
        made.file("var/lib/dpkg/info/more.list", b"/.\n/usr/lib/more.py\n/usr/share/tool/data2\n");
        let files = b"%FILES%\nusr/\nusr/bin/\nusr/bin/arch\n\n%BACKUP%\netc/x\n";
        made.file("var/lib/pacman/local/arch-tools-1.2-3/files", files);
        let packages = Packages::of(&made.tree());
        let owner = |path: &str| Some(packages.owner(Path::new(path))?.name.as_str());
        assert_eq!(owner("/usr/share/tool/data"), Some("tool"));
        assert_eq!(owner("/usr/share/tool/data2"), Some("more"));
        // A list has the path from before the directories were merged.
        assert_eq!(owner("/usr/bin/tool"), Some("tool"));
        assert_eq!(owner("/lib/more.py"), Some("more"));
        assert_eq!(owner("/usr/bin/arch"), Some("arch-tools"));
        assert_eq!(owner("/usr/share/other"), None);
        assert_eq!(owner("/share/tool/data"), None);
        assert_eq!(owner("/etc/x"), None);
        let files: Vec<&Path> =
            packages.owner(Path::new("/usr/bin/arch")).unwrap().files().collect();
        assert_eq!(files, ["/usr", "/usr/bin", "/usr/bin/arch"].map(Path::new));
    }
}

//! Images: files of the host with a file system in them, made by the `mkfs` of its type.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::RawCalls;
use crate::diag::{Origin, Report, bytes, closest, escape, list, quoted};
use crate::host::Host;
use crate::ops::RawAction;
use crate::ops::raw::DiskImage;
use crate::run::base::error::{Interrupted, RunError};
use crate::sys::{self, CallError, Errno, Held, Syscall};

/// Where a `mkfs` is looked for before `PATH`: ordinary users often have no `sbin` in theirs.
const SYSTEM: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// No file system fits in less.
const LEAST: u64 = 64 << 10;
/// Whoever can read an image can read every file in it, whatever their modes say.
const MODE: u32 = 0o600;
/// How many lines of what a `mkfs` says are told. The first say why, the last how it is used.
const LINES: usize = 3;

/// What is known of a type: its name, the Debian package of its `mkfs`, the options for a file,
/// and the size from which it makes sense.
#[derive(Debug)]
struct Known {
    name: &'static str,
    package: &'static str,
    options: &'static [&'static str],
    least: u64,
}

const fn known(
    name: &'static str,
    package: &'static str,
    options: &'static [&'static str],
    least: u64,
) -> Known {
    Known { name, package, options, least }
}

const KNOWN: [Known; 9] = [
    known("ext4", "e2fsprogs", &["-q", "-F", "-t", "ext4", "--"], 2 << 20),
    known("ext3", "e2fsprogs", &["-q", "-F", "-t", "ext3", "--"], 2 << 20),
    known("ext2", "e2fsprogs", &["-q", "-F", "-t", "ext2", "--"], 128 << 10),
    known("xfs", "xfsprogs", &["-q", "--"], 300 << 20),
    known("btrfs", "btrfs-progs", &["-q", "--"], 128 << 20),
    known("vfat", "dosfstools", &["--"], 64 << 10),
    known("exfat", "exfatprogs", &["--"], 4 << 20),
    known("f2fs", "f2fs-tools", &["-q", "--"], 64 << 20),
    known("ntfs", "ntfs-3g", &["-F", "-Q", "-q"], 2 << 20),
];

/// Types whose images are made from a tree, all at once, and cannot be written to later.
const FROM_TREES: [(&str, &str); 4] = [
    ("squashfs", "mksquashfs"),
    ("erofs", "mkfs.erofs"),
    ("cramfs", "mkfs.cramfs"),
    ("iso9660", "xorriso"),
];

/// A type of file system that an image can be given.
#[derive(Debug)]
pub struct ImageType {
    name: String,
    known: Option<&'static Known>,
}

impl ImageType {
    /// The type called `name`: one that is known, or any that the host has a `mkfs` for.
    ///
    /// # Errors
    /// There is none such.
    pub fn new(name: &str, host: &Host) -> Result<Self, Report> {
        let known = KNOWN.iter().find(|known| known.name == name);
        let found = Self { name: name.to_owned(), known };
        let shown = quoted(name);
        if let Some((_, tool)) = FROM_TREES.iter().find(|(known, _)| *known == name) {
            let message =
                format!("an image of type {shown} is built from a directory, not created empty");
            let hint = format!("build a root with `.build(directory)`, and run `{tool}` on that");
            return Err(Report::error(message).hint(hint));
        }
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || b"_-+.".contains(&letter);
        let is_name = !name.is_empty() && name.bytes().all(plain);
        if known.is_some() || (is_name && found.program(host).is_some()) {
            return Ok(found);
        }
        let report = Report::error(format!("unknown file system type {shown}"));
        let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
        if let Some(near) = closest(name, names.iter().copied()) {
            return Err(report.hint(format!("did you mean {}?", quoted(near))));
        }
        let names: Vec<_> = names.iter().map(quoted).collect();
        let names = list(&names, "and");
        Err(report.hint(format!("there are {names}, and others with a `mkfs.TYPE`")))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its `mkfs`.
    fn mkfs(&self) -> String {
        format!("mkfs.{}", self.name)
    }

    fn program(&self, host: &Host) -> Option<PathBuf> {
        let path = host.environment.get("PATH").map_or("", String::as_str);
        host.tree.which(&self.mkfs(), Some(&format!("{SYSTEM}:{path}")))
    }

    /// What is said where its `mkfs` is missing.
    fn missing(&self) -> Report {
        let (mkfs, name) = (quoted(self.mkfs()), quoted(&self.name));
        let message =
            format!("cannot create a file system of type {name}: {mkfs} is not installed");
        match self.known {
            Some(Known { package, .. }) => Report::error(message)
                .hint(format!("on Debian it is in {}: `apt install {package}`", quoted(package))),
            None => Report::error(message),
        }
    }

    /// What is said where its `mkfs` said this, about an image of this size.
    fn refused(&self, path: &str, size: u64, said: &str) -> Report {
        const FULL: &str = "No space left on device";
        let mkfs = quoted(self.mkfs());
        let message = format!("{mkfs} cannot create a file system in {}", quoted(path));
        let mut report = Report::error(message);
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        report.notes.extend(lines.take(LINES).map(escape));
        if said.contains(FULL) {
            report.facts.errno = Some(Errno::NO_SPACE.code());
            return report.hint("the disk that holds the image is full");
        }
        match self.known.filter(|known| size < known.least) {
            Some(known) => {
                report.hint(format!("{} needs at least {}", self.name, quoted(short(known.least))))
            }
            None => report,
        }
    }
}

/// A size as recipes write it.
fn short(size: u64) -> String {
    if size.is_multiple_of(1 << 20) {
        format!("{}M", size >> 20)
    } else {
        format!("{}K", size >> 10)
    }
}

/// Makes sure that a file system can have this size.
///
/// # Errors
/// It is too small for any.
pub fn check_image_size(size: u64, kind: &ImageType) -> Result<(), Report> {
    if size >= LEAST {
        return Ok(());
    }
    let report = Report::error(format!("no file system fits in {}", bytes(size)));
    let least = kind.known.map_or(LEAST, |known| known.least);
    Err(report.hint(format!(
        "{} needs at least {}: write a number of bytes, or a string such as `\"64M\"`",
        kind.name,
        quoted(short(least))
    )))
}

/// `report` with the image that it is about, for programs.
#[must_use]
pub fn about_image(mut report: Report, path: &Path) -> Report {
    report.facts.operation = Some("disk_image".into());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    report
}

impl RawCalls {
    /// Makes an image, as `make_image` does, and remembers that it is the recipe's own.
    ///
    /// # Errors
    /// As for `make_image`.
    pub fn disk_image(
        &self,
        path: &Path,
        size: u64,
        kind: &ImageType,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        use std::os::unix::fs::MetadataExt;
        let name = kind.name().to_owned();
        let action = RawAction::from(DiskImage { path: path.to_path_buf(), size, kind: name });
        let mut problem = None;
        let made = self.attempt(&action, origin, || {
            make_image(self.host(), path, size, kind).map_err(|why| {
                let errno = match &why {
                    RunError::Reports(reports) => reports.first().and_then(|it| it.facts.errno),
                    RunError::Interrupted(_) => None,
                };
                problem = Some(why);
                // A mkfs that refuses has no number to say.
                CallError {
                    syscall: Syscall::Openat,
                    errno: errno.map_or(Errno::INVALID, Errno::new),
                }
            })
        });
        match (made, problem) {
            (Err(_), Some(problem)) => Err(problem),
            (Err(trouble), None) => Err(self.raw_failure(action, origin, trouble).into()),
            (Ok(()), _) => {
                if let Ok(found) = fs::metadata(path) {
                    self.session().images.borrow_mut().push((found.dev(), found.ino()));
                }
                Ok(())
            }
        }
    }
}

/// Makes a sparse file of `size` bytes at `path`, where nothing is, and a file system of type
/// `kind` in it. Only its owner can read it.
///
/// # Errors
/// The file cannot be made, or not formatted. Nothing is left of it then.
fn make_image(host: &Host, path: &Path, size: u64, kind: &ImageType) -> Result<(), RunError> {
    let about = |report: Report| RunError::from(about_image(report, path));
    check_image_size(size, kind).map_err(about)?;
    if size > sys::largest_file() {
        return Err(about(not_made(host, path, Errno::TOO_BIG)));
    }
    let fails = |error: &io::Error| not_made(host, path, Errno::from(error));
    let mut options = OpenOptions::new();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let held = Held::open(parent.unwrap_or(Path::new(".")));
    let held = held.map_err(|errno| about(not_made(host, path, errno)))?;
    let place = held.join(path.file_name().unwrap_or_default());
    let opened = options.write(true).create_new(true).mode(MODE).open(&place);
    let file = opened.map_err(|error| about(fails(&error)))?;
    let resized = file.set_len(size);
    // The mkfs finds this file, whatever lies at its path by then; and nobody has it open.
    let named = resized.map_err(|error| fails(&error)).and_then(|()| {
        sys::FileName::of(&file, &place).map_err(|errno| not_made(host, path, errno))
    });
    drop(file);
    let done = named.and_then(|named| format(host, (path, named.path()), size, kind));
    let done = done.map_err(about);
    // A signal from the terminal ends the mkfs as well, which is no failure then.
    let done = match sys::interrupted() {
        Some(signal) => Err(Interrupted { signal }.into()),
        None => done,
    };
    if done.is_err() {
        let _ = fs::remove_file(&place);
    }
    done
}

/// Makes a file system in a file that is called `path`, and found at `place`.
fn format(
    host: &Host,
    (path, place): (&Path, &Path),
    size: u64,
    kind: &ImageType,
) -> Result<(), Report> {
    let program = kind.program(host).ok_or_else(|| kind.missing())?;
    let options = kind.known.map_or(&[][..], |known| known.options);
    let mut arguments: Vec<_> = options.iter().map(AsRef::as_ref).collect();
    arguments.push(place.as_os_str());
    match sys::run_helper(&program, &arguments) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(said)) => {
            let path = path.to_string_lossy();
            let said = said.replace(&*place.to_string_lossy(), &path);
            Err(kind.refused(&path, size, &said))
        }
        Err(error) => {
            let errno = Errno::from(&error);
            let program = quoted(program.to_string_lossy());
            let mut report = Report::error(format!("cannot execute {program}: {errno}"));
            report.facts.errno = Some(errno.code());
            Err(report)
        }
    }
}

/// What is said where the file cannot be made.
fn not_made(host: &Host, path: &Path, errno: Errno) -> Report {
    let shown = quoted(path.to_string_lossy());
    let directory = path.parent().unwrap_or(path);
    let mut report = match errno.name().as_str() {
        "EEXIST" => Report::error(format!("cannot create the image {shown}: it exists already"))
            .hint("remove the existing file first, or choose another name"),
        "ENOENT" => {
            let shown = quoted(directory.to_string_lossy());
            let near = host.tree.near(directory);
            let near = near.map(|near| directory.with_file_name(near));
            let hint = match near {
                Some(near) => {
                    format!("did you mean the directory {}?", quoted(near.to_string_lossy()))
                }
                None => "create it first".to_owned(),
            };
            let message = format!("the directory {shown} does not exist");
            Report::error(message).hint(hint)
        }
        "ENOTDIR" => {
            let in_the_way = directory.ancestors().find(|path| path.exists()).unwrap_or(directory);
            let in_the_way = quoted(in_the_way.to_string_lossy());
            Report::error(format!("cannot create the image {shown}: {errno}"))
                .hint(format!("{in_the_way} is a file"))
        }
        "EACCES" => Report::error(format!("cannot create the image {shown}: {errno}"))
            .hint("choose a directory that you can write to"),
        "EFBIG" => Report::error(format!("cannot create the image {shown}: {errno}"))
            .hint("the file system that it lies on, or `ulimit -f`, allows no files of this size"),
        _ => Report::error(format!("cannot create the image {shown}: {errno}")),
    };
    report.facts.errno = Some(errno.code());
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Tree;

    /// A machine without any file, whose `PATH` is this.
    fn host(path: &str) -> Host {
        let environment = [("PATH".to_owned(), path.to_owned())].into();
        let tree = Tree::at("/proc/self/fdinfo");
        Host { tree, uid: 1000, gid: 1000, kernel: (6, 1), environment }
    }

    fn kind(name: &str) -> ImageType {
        ImageType::new(name, &host("")).expect("it is known")
    }

    #[test]
    fn every_package_is_named_where_its_mkfs_is_missing() {
        for known in &KNOWN {
            let report = kind(known.name).missing();
            assert!(report.message.ends_with(&format!("`mkfs.{}` is not installed", known.name)));
            assert!(report.hints[0].ends_with(&format!("`apt install {}`", known.package)));
        }
    }

    #[test]
    fn a_type_is_a_name_and_not_a_path() {
        for name in ["", "../../bin/sh", "a/b", "ext4 ", "ünix"] {
            assert!(ImageType::new(name, &crate::run::base::this_host()).is_err(), "{name}");
        }
    }

    #[test]
    fn what_a_mkfs_says_is_told() {
        let said =
            "\nFilesystem must be larger than 300MB.\nUsage: mkfs.xfs\n\u{1b}[1m\n/* size */\n";
        let report = kind("xfs").refused("/a.img", 16 << 20, said);
        assert_eq!(report.message, "`mkfs.xfs` cannot create a file system in `/a.img`");
        let lines = ["Filesystem must be larger than 300MB.", "Usage: mkfs.xfs", "\\u{1b}[1m"];
        assert_eq!(report.notes, lines);
        assert_eq!(report.hints, ["xfs needs at least `300M`"]);
        assert!(kind("xfs").refused("/a.img", 300 << 20, said).hints.is_empty());
        let full = kind("ext2").refused("/a.img", 1, "write: No space left on device");
        assert_eq!(full.hints, ["the disk that holds the image is full"]);
        assert_eq!(full.facts.errno, Some(28));
    }
}

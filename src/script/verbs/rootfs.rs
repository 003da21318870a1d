//! What a root filesystem is made of.

pub mod data;
pub mod image;
pub mod needs;
pub mod tree;

use rhai::Dynamic;

use super::sandbox::invalid;
use super::sandbox::mount::{Look, look};
use crate::diag::{Report, closest, list, quoted};
use crate::script::binding::argument::{Bytes, HostPath, HostProgram, Size, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{self, Applets, Archive, Compression, GuestPath, Ingredient, Rootfs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["rootfs.rs";
    fn rootfs,
    fn binary,
    fn binaries,
    fn library,
    fn directory,
    fn file,
    fn copy,
    fn symlink,
    fn tar,
    fn device,
    fn overlay_on,
    fn users,
];

options! {
    /// Where a program goes, and what it answers to.
    struct Binary {
        /// the directory to put it in, instead of the one it has on the host
        into: GuestPath = "",
        /// `true` for the applets of a busybox, or an array of names: links to the program
        applets: Dynamic = "false",
        /// what well-known programs open while they run goes in, too
        data: bool = "false",
    }

    /// Where programs go.
    struct Binaries {
        /// the directory to put them in, instead of those they have on the host
        into: GuestPath = "",
        /// what well-known programs open while they run goes in, too
        data: bool = "false",
    }

    /// What is copied.
    struct Copied {
        /// the most that it may hold
        limit: Size = "\"8G\"",
    }

    /// What is taken from an archive.
    struct Tar {
        /// the sha256 that the file has to have
        sha256: String = "",
        /// how many names are taken away at the beginning of every path
        strip: i64 = "0",
        /// `"gzip"`, `"xz"`, `"zstd"` or `"none"`, where the first bytes do not tell
        compression: String = "",
        /// the most that it may hold, decompressed
        limit: Size = "\"8G\"",
    }
}

/// The archive that a recipe names.
fn archive(file: HostPath, options: Tar, call: &Call<'_, '_>) -> Result<Archive, VerbError> {
    let sha256 = options.sha256.map(|digits| Archive::digest(&digits)).transpose();
    let sha256 = sha256.map_err(|error| invalid(&error, call))?;
    let strip = options.strip.unwrap_or(0);
    let strip = u32::try_from(strip).map_err(|_| {
        let message = format!("the option `strip` takes a number of names, not {strip}");
        call.fail(Report::error(message))
    })?;
    let compression = options.compression.map(|name| {
        // What the ends of names are called, too.
        let name = match name.as_str() {
            "gz" => "gzip".to_owned(),
            "zst" => "zstd".to_owned(),
            _ => name,
        };
        let known = Compression::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let report = Report::error(format!("no compression {} is known", quoted(&name)));
            let names = Compression::ALL.map(|known| quoted(known.name()));
            let near = closest(&name, Compression::ALL.map(Compression::name));
            call.fail(match near {
                Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                None => report.hint(format!("those are {}", list(&names, "and"))),
            })
        })
    });
    let compression = compression.transpose()?;
    let limit = options.limit.map_or(Archive::LIMIT, |size| size.0);
    let made = call.effects().foresees_archive(&file.0) && !file.0.exists();
    Ok(Archive { file: file.0, sha256, strip, compression, limit, made })
}

fn applets(value: Option<Dynamic>, call: &Call<'_, '_>) -> Result<Applets, VerbError> {
    let Some(value) = value else { return Ok(Applets::None) };
    if let Ok(own) = value.as_bool() {
        return Ok(if own { Applets::Own } else { Applets::None });
    }
    let given = a_kind(&value);
    let names =
        <Vec<String> as crate::script::binding::argument::Argument>::take(Some(value), call);
    let names = names.map_err(|_| {
        let message =
            format!("the option `applets` takes a boolean or an array of strings, not {given}");
        call.fail(Report::error(message))
    })?;
    Applets::named(names).map_err(|error| invalid(&error, call))
}

/// An empty root filesystem, to be filled.
///
/// It is a value: every verb gives a new one. It is built when a sandbox needs it, and kept in
/// the store for the next one that needs the same.
///
/// # Example
/// ```rhai
/// let root = rootfs().binary("sh").directory("/tmp", #{ mode: 0o1777 });
/// print(root.tree());
/// ```
fn rootfs(_call: &Call<'_, '_>) -> Rootfs {
    Rootfs::default()
}

/// Adds a program with its loader and its libraries, all at the paths the host has them.
///
/// The program is found along `PATH` and read, never executed. Symbolic links on the way to
/// a file come along, so that every name of it works inside. A script brings its interpreter.
///
/// What a program opens only while it runs, its file does not tell: with `data`, well-known
/// programs and libraries bring that, too. Those are name service modules, the locale C.UTF-8,
/// the local time, what terminals can do, certificates, the standard libraries of Python and
/// Perl, the commands of Git and the like; `needs(program, #{ data: true })` tells what and why.
/// Devices such as /dev/null, which Perl and Git open as well, are the sandbox's: `.dev("/dev")`.
///
/// # Errors
/// No such program, or one whose libraries the host itself does not have.
///
/// # Example
/// ```rhai
/// let root = rootfs().binary("sh").binary("env", #{ into: "/bin" });
/// sandbox(root).run("sh -c true");
/// print(rootfs().binary("getent", #{ data: true }).size());
/// ```
/// # See
/// ld.so(8), elf(5)
fn binary(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    program: HostProgram,
    options: Binary,
) -> Result<Rootfs, VerbError> {
    let applets = applets(options.applets, call)?;
    let (program, into, data) = (program.0, options.into, data::table(options.data));
    let ingredient = Ingredient::Binary { program, into, applets, data };
    Ok(rootfs.with(ingredient, call.origin()))
}

/// Adds several programs, each as `binary` does.
///
/// # Example
/// ```rhai
/// let root = rootfs().binaries(["ls", "cat", "id"]);
/// print(root.size());
/// ```
fn binaries(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    programs: Vec<String>,
    options: Binaries,
) -> Rootfs {
    let mut root = rootfs;
    for program in programs {
        let (into, applets) = (options.into.clone(), Applets::None);
        let data = data::table(options.data);
        root = root.with(Ingredient::Binary { program, into, applets, data }, call.origin());
    }
    root
}

/// Adds a shared library by its name, with the libraries that it needs.
///
/// For what programs load while they run, which no ELF header tells: name service modules,
/// character sets.
///
/// # Example
/// ```rhai
/// let root = rootfs().binary("id").library("libc.so.6");
/// print(root.tree());
/// ```
/// # See
/// ld.so(8)
fn library(call: &Call<'_, '_>, rootfs: Rootfs, name: String) -> Rootfs {
    rootfs.with(Ingredient::Library(name), call.origin())
}

/// Adds a directory, and those above it.
///
/// # Example
/// ```rhai
/// print(rootfs().directory("/tmp", #{ mode: 0o1777 }).tree());
/// ```
fn directory(call: &Call<'_, '_>, rootfs: Rootfs, path: GuestPath, options: Look) -> Rootfs {
    let look = look(&options);
    rootfs.with(Ingredient::Directory(path, look), call.origin())
}

/// Adds a file of this content.
///
/// # Example
/// ```rhai
/// print(rootfs().file("/etc/motd", "hello\n", #{ mode: 0o600 }).tree());
/// ```
fn file(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    path: GuestPath,
    content: Bytes,
    options: Look,
) -> Result<Rootfs, VerbError> {
    let look = look(&options);
    spec::check_file(&path).map_err(|error| invalid(&error, call))?;
    Ok(rootfs.with(Ingredient::File(path, content.0, look), call.origin()))
}

/// Copies a file, or a directory with all that is in it, from the host.
///
/// Permission bits and times are kept, set-user-ID bits are not. A link at the source itself
/// is followed, links below it are copied as links.
///
/// # Errors
/// It does not exist, or is neither a file nor a directory; it holds more than `limit`, the holes in
/// files counted too.
///
/// # Example
/// ```rhai
/// print(rootfs().copy("/etc/hostname", "/etc/hostname").tree());
/// ```
fn copy(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    source: HostPath,
    target: GuestPath,
    options: Copied,
) -> Rootfs {
    let limit = options.limit.map_or(Archive::LIMIT, |size| size.0);
    let ingredient = Ingredient::Copy { source: source.0, target, limit };
    rootfs.with(ingredient, call.origin())
}

/// Adds a symbolic link: `path` is where it stands, `target` what it says.
///
/// # Example
/// ```rhai
/// print(rootfs().symlink("busybox", "/bin/sh").tree());
/// ```
fn symlink(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    target: String,
    path: GuestPath,
) -> Result<Rootfs, VerbError> {
    spec::check_link(&target, &path).map_err(|error| invalid(&error, call))?;
    Ok(rootfs.with(Ingredient::Symlink { target, path }, call.origin()))
}

/// Adds what a tar archive holds, as a layer of its own.
///
/// The archive is one of `docker export`, of debootstrap, or any other; plain, or compressed by
/// gzip, xz or zstd. It is unpacked into the store once, and found there
/// again as long as the file is the same. Owners, set-user-ID bits and extended attributes are in
/// the manifest and in what is packed; in a sandbox, files belong to whom its maps say, and
/// nothing gives rights to who executes a file. Times are kept where programs look for them, and
/// count for no digest.
///
/// Links are followed inside of the root only, also those of what is below. Devices are packed
/// again, and a user's disk has none; in a sandbox they cannot be opened, as an archive gives no
/// rights over the machine: `.dev("/dev")` has those that programs need.
///
/// # Errors
/// The archive is cut off, damaged or none; another sha256; a member with an absolute path or
/// `..`; more than `limit`. Nothing is left of it then.
///
/// # Example
/// ```rhai
/// rootfs().binary("cat").file("/etc/motd", "hello\n").pack("root.tar.gz");
/// let root = rootfs().tar("root.tar.gz").file("/etc/issue", "more\n");
/// sandbox(root).run("cat /etc/motd /etc/issue");
/// ```
/// # See
/// tar(1), tar(5)
fn tar(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    file: HostPath,
    options: Tar,
) -> Result<Rootfs, VerbError> {
    let archive = archive(file, options, call)?;
    Ok(rootfs.with(Ingredient::Archive(archive), call.origin()))
}

/// Adds a device of the host: the device itself is bound at every launch.
///
/// # Example
/// ```rhai
/// print(rootfs().device("/dev/null").tree());
/// ```
fn device(call: &Call<'_, '_>, rootfs: Rootfs, path: GuestPath) -> Rootfs {
    rootfs.with(Ingredient::Device(path), call.origin())
}

/// Puts this root on top of another one: what both hold is as it is in this one.
///
/// # Errors
/// As for the verbs that have put things there: something is a directory in one and a file in
/// the other.
///
/// # Example
/// ```rhai
/// let base = rootfs().binary("sh").file("/etc/motd", "hello\n");
/// let tools = rootfs().binary("ls").overlay_on(base);
/// sandbox(tools).run("sh -c 'ls /etc'");
/// ```
fn overlay_on(_call: &Call<'_, '_>, rootfs: Rootfs, base: Rootfs) -> Rootfs {
    rootfs.on(&base)
}

/// Adds users to the files that name them: passwd, group and shadow in `/etc`.
///
/// Users who are there already, as those of an archive, stay, but for those of the same name; where
/// there is no nsswitch.conf one is made.
///
/// A user is `"name"`, `"name:uid"` or `"name:uid:gid"`. `"root"` is user 0; others without a
/// number count from 1000.
///
/// # Example
/// ```rhai
/// let root = rootfs().binary("id").users(["root", "alice:1000"]);
/// sandbox(root).user("alice").run("id -un");
/// ```
/// # See
/// passwd(5), group(5), nsswitch.conf(5)
fn users(call: &Call<'_, '_>, rootfs: Rootfs, users: Vec<String>) -> Result<Rootfs, VerbError> {
    let users = spec::users(users.iter().map(String::as_str));
    let users = users.map_err(|error| invalid(&error, call))?;
    Ok(rootfs.with(Ingredient::Users(users), call.origin()))
}

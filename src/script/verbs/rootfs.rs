//! The ingredients of a root filesystem.

pub mod data;
pub mod dependencies;
pub mod image;
pub mod tree;

use rhai::Dynamic;

use super::sandbox::contents::{Look, look};
use super::sandbox::invalid;
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
    /// The place of a program, and its other names.
    struct Binary {
        /// the directory to put the program in, instead of its directory on the host
        into: GuestPath = "",
        /// links to the program: an array of names, or `true` for the applets of a busybox
        applets: Dynamic = "false",
        /// also adds what well-known programs open while they run
        data: bool = "false",
    }

    /// The place of programs.
    struct Binaries {
        /// the directory to put the programs in, instead of their directories on the host
        into: GuestPath = "",
        /// also adds what well-known programs open while they run
        data: bool = "false",
    }

    /// What to copy.
    struct Copied {
        /// the maximum size of the source
        limit: Size = "\"8G\"",
    }

    /// What to take from an archive.
    struct Tar {
        /// the expected sha256 of the file
        sha256: String = "",
        /// the number of leading path components to remove
        strip: i64 = "0",
        /// `"gzip"`, `"xz"`, `"zstd"` or `"none"`; detected by default
        compression: String = "",
        /// the maximum size of the contents, decompressed
        limit: Size = "\"8G\"",
    }
}

/// Checks the arguments of `tar`.
fn archive(file: HostPath, options: Tar, call: &Call<'_, '_>) -> Result<Archive, VerbError> {
    let sha256 = options.sha256.map(|digits| Archive::digest(&digits)).transpose();
    let sha256 = sha256.map_err(|error| invalid(&error, call))?;
    let strip = options.strip.unwrap_or(0);
    let strip = u32::try_from(strip).map_err(|_| {
        let message = format!("the option `strip` takes a number of names, not {strip}");
        call.fail(Report::error(message))
    })?;
    let compression = options.compression.map(|name| {
        // The file name endings are accepted as well.
        let name = match name.as_str() {
            "gz" => "gzip".to_owned(),
            "zst" => "zstd".to_owned(),
            _ => name,
        };
        let known = Compression::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let report = Report::error(format!("unknown compression {}", quoted(&name)));
            let names = Compression::ALL.map(|known| quoted(known.name()));
            let near = closest(&name, Compression::ALL.map(Compression::name));
            call.fail(match near {
                Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                None => report.hint(format!("expected {}", list(&names, "or"))),
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

/// Returns an empty root filesystem, to which other verbs add files.
///
/// Every verb returns a new value and leaves the old one unchanged. nsscript builds the root when a
/// sandbox needs it, and keeps it in the store for later runs.
///
/// # Example
/// ```rhai
/// let root = rootfs().binary("sh").directory("/tmp", #{ mode: 0o1777 });
/// print(root.tree());
/// ```
/// # See
/// nsscript(1)
fn rootfs(_call: &Call<'_, '_>) -> Rootfs {
    Rootfs::default()
}

/// Adds a program of the host with its loader and its libraries, at the paths of the host.
///
/// The program is looked up in `PATH` and read, but never executed. Symbolic links on the path are
/// added too, so every name of a file works inside. A script brings its interpreter. Links in the
/// root directory of the host, such as `/bin -> usr/bin`, are added with their target directory:
/// programs find `/bin/sh`. If the root has a directory `/bin` of its own, the program gets a link
/// in it.
///
/// An ELF file does not list what the program opens while it runs. With `data`, nsscript adds that
/// for well-known programs and libraries: name service modules, the locale C.UTF-8, time zones,
/// terminal descriptions, certificates, the standard libraries of Python and Perl, the commands of
/// Git, the Java runtime, and others. A script in the language of sh(1), Perl or Python brings the
/// programs that it starts, the files and modules that it loads, and the files of its package that
/// everybody may read. It is read, but not run, so a name that it computes is not known.
/// `dependencies(program, #{ data: true })` lists the files and the reasons. Devices such as /dev/null come
/// from the sandbox: `.dev()`.
///
/// # Errors
/// The program does not exist, or the host itself lacks one of its libraries.
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

/// Adds a shared library by name, with the libraries that it needs.
///
/// Use it for libraries that a program loads with dlopen(3), which its ELF file does not list.
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

/// Adds a directory, with its parent directories.
///
/// # Example
/// ```rhai
/// print(rootfs().directory("/tmp", #{ mode: 0o1777 }).tree());
/// ```
/// # See
/// mkdir(2)
fn directory(call: &Call<'_, '_>, rootfs: Rootfs, path: GuestPath, options: Look) -> Rootfs {
    let look = look(&options);
    rootfs.with(Ingredient::Directory(path, look), call.origin())
}

/// Adds a file with this content.
///
/// # Example
/// ```rhai
/// print(rootfs().file("/etc/motd", "hello\n", #{ mode: 0o600 }).tree());
/// ```
/// # See
/// open(2)
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

/// Copies a file, or a directory with its contents, from the host.
///
/// Permission bits and times are kept; set-user-ID bits are not. If `source` is a symbolic link, it
/// is followed; links below it are copied as links.
///
/// # Errors
/// The source does not exist, or is neither a file nor a directory. It is larger than `limit`;
/// holes in files count.
///
/// # Example
/// ```rhai
/// print(rootfs().copy("/etc/hostname", "/etc/hostname").tree());
/// ```
/// # See
/// cp(1)
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

/// Adds a symbolic link at `path` that points to `target`.
///
/// # Example
/// ```rhai
/// print(rootfs().symlink("busybox", "/bin/sh").tree());
/// ```
/// # See
/// symlink(2)
fn symlink(
    call: &Call<'_, '_>,
    rootfs: Rootfs,
    target: String,
    path: GuestPath,
) -> Result<Rootfs, VerbError> {
    spec::check_link(&target, &path).map_err(|error| invalid(&error, call))?;
    Ok(rootfs.with(Ingredient::Symlink { target, path }, call.origin()))
}

/// Adds the contents of a tar archive, as a layer of its own.
///
/// The archive can come from `docker export`, debootstrap or tar(1), plain or compressed with gzip,
/// xz or zstd. nsscript unpacks it into the store once, and reuses it while the file is unchanged.
///
/// The manifest, and archives that `pack` writes, keep owners, set-user-ID bits and extended
/// attributes. In a sandbox, files belong to the users in its id maps, and no file grants rights to
/// those who execute it. Times are kept, but do not affect the digest.
///
/// Symbolic links are resolved inside the root. Devices are kept for `pack`, but cannot be opened
/// in a sandbox; use `.dev()` for the usual ones.
///
/// # Errors
/// The archive is truncated, damaged or not an archive; its sha256 differs; a member has an
/// absolute path or contains `..`; the contents exceed `limit`. Nothing is kept in that case.
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

/// Adds a device of the host. It is bind-mounted at every launch.
///
/// # Example
/// ```rhai
/// print(rootfs().device("/dev/null").tree());
/// ```
/// # See
/// mknod(2)
fn device(call: &Call<'_, '_>, rootfs: Rootfs, path: GuestPath) -> Rootfs {
    rootfs.with(Ingredient::Device(path), call.origin())
}

/// Puts this root on top of another one. If both contain a file, the one in this root is used.
///
/// # Errors
/// A path is a directory in one root and a file in the other. As for the verbs that added the
/// files.
///
/// # Example
/// ```rhai
/// let base = rootfs().binary("sh").file("/etc/motd", "hello\n");
/// let tools = rootfs().binary("ls").overlay_on(base);
/// sandbox(tools).sh("ls /etc");
/// ```
/// # See
/// mount(8)
fn overlay_on(_call: &Call<'_, '_>, rootfs: Rootfs, base: Rootfs) -> Rootfs {
    rootfs.on(&base)
}

/// Adds users to passwd, group and shadow in `/etc`, and creates nsswitch.conf if it is missing.
///
/// A user is `"name"`, `"name:uid"` or `"name:uid:gid"`. `"root"` has the id 0; other users without
/// an id are numbered from 1000. Existing users, for example of an archive, are kept unless their
/// name is given.
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

//! Archives as layers of roots: what GNU tar packs, and what it reads of what is packed here.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::mkfifo;

use crate::support::{Bench, Launch, as_each_user, have, may_mount, missing};

/// nsscript with a store of its own.
fn keeping<'b>(bench: &'b Bench, words: &[&str]) -> Launch<'b> {
    bench.directory("cache");
    bench.nsscript(words).env("XDG_CACHE_HOME", bench.text("cache"))
}

/// What a recipe prints.
#[track_caller]
fn printed(bench: &Bench, recipe: &str) -> String {
    keeping(bench, &["-e", recipe]).end().succeeded()
}

/// What is said of a recipe that fails.
#[track_caller]
fn said(bench: &Bench, recipe: &str) -> String {
    keeping(bench, &["-e", recipe]).end().failed(125)
}

/// Runs a program of the host.
#[track_caller]
fn host(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    output.stdout
}

/// Makes sure that nothing is in the store, whole or half.
#[track_caller]
fn nothing_is_kept(bench: &Bench) {
    nothing_is_kept_but(bench, 0);
}

/// Makes sure that this many layers are in the store, and nothing half.
#[track_caller]
fn nothing_is_kept_but(bench: &Bench, layers: usize) {
    for (directory, number) in [("layers", layers), ("index", layers), ("building", 0)] {
        let place = bench.path("cache/nsscript").join(directory);
        let names: Vec<_> = fs::read_dir(place).into_iter().flatten().flatten().collect();
        assert_eq!(names.len(), number, "{directory}: {names:?}");
    }
}

/// A tree of everything that tar(5) has a type for, with names and numbers of every length.
fn make_tree(bench: &Bench) -> PathBuf {
    let top = bench.directory("tree");
    let make = |name: &str, content: &[u8], mode: u32| {
        fs::write(top.join(name), content).unwrap();
        fs::set_permissions(top.join(name), Permissions::from_mode(mode)).unwrap();
    };
    for name in ["bin", "etc", "empty", "tmp"] {
        fs::create_dir(top.join(name)).unwrap();
    }
    fs::set_permissions(top.join("tmp"), Permissions::from_mode(0o1777)).unwrap();
    make("bin/tool", b"tool", 0o755);
    make("bin/setuid", b"setuid", 0o4755);
    make("etc/closed", b"closed", 0o600);
    make("etc/empty", b"", 0o644);
    make("etc/large", &vec![7; 700_000], 0o444);
    make("etc/one\nline and \\ \"more\"", b"x", 0o640);
    let long = top.join("long").join("d".repeat(120)).join("e".repeat(130));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("f".repeat(200)), "far away").unwrap();
    fs::hard_link(top.join("bin/tool"), top.join("a tool")).unwrap();
    fs::hard_link(top.join("bin/tool"), top.join("etc/tool")).unwrap();
    symlink("../bin/tool", top.join("etc/link")).unwrap();
    symlink("l".repeat(150), top.join("etc/far")).unwrap();
    symlink("/nowhere", top.join("etc/dangling")).unwrap();
    mkfifo(&top.join("tmp/fifo"), Mode::S_IRUSR).unwrap();
    fs::set_permissions(top.join("tmp/fifo"), Permissions::from_mode(0o622)).unwrap();
    let holes = fs::File::create(top.join("etc/holes")).unwrap();
    holes.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, b"island", 1 << 20).unwrap();
    let is_root = bench.user.is_root();
    if is_root {
        let device = |name: &str, kind, major, minor| {
            mknod(&top.join(name), kind, Mode::S_IRUSR, makedev(major, minor)).unwrap();
            fs::set_permissions(top.join(name), Permissions::from_mode(0o660)).unwrap();
        };
        device("tmp/null", SFlag::S_IFCHR, 1, 3);
        device("tmp/disk", SFlag::S_IFBLK, 259, 70_000);
        let own = |name: &str, uid, gid| {
            std::os::unix::fs::lchown(top.join(name), Some(uid), Some(gid)).unwrap();
        };
        own("etc/closed", 42, 8);
        own("etc/link", 1000, 100);
        own("empty", 3_000_000, 3_000_001);
    } else {
        for entry in walk(&top).keys().filter(|_| !bench.user.is_self) {
            let (uid, gid) = (Some(bench.user.uid), Some(bench.user.gid));
            std::os::unix::fs::lchown(top.join(entry), uid, gid).unwrap();
        }
        // To give a file away takes its rights.
        fs::set_permissions(top.join("bin/setuid"), Permissions::from_mode(0o4755)).unwrap();
    }
    bench.give(&top);
    top
}

/// All that can be told of a tree but times, by path.
fn walk(top: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut files: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    let mut directories = vec![top.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let kind = metadata.file_type();
            let what = if kind.is_dir() {
                directories.push(path.clone());
                "directory".into()
            } else if kind.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_file() {
                let content = fs::read(&path).unwrap();
                let sum: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
                format!("file {} {sum}", content.len())
            } else if kind.is_fifo() {
                "fifo".into()
            } else {
                format!("device {} {:x}", kind.is_block_device(), metadata.rdev())
            };
            let names = match files.entry((metadata.dev(), metadata.ino())) {
                std::collections::btree_map::Entry::Occupied(first) => {
                    format!(" like {}", first.get().display())
                }
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(path.strip_prefix(top).unwrap().to_path_buf());
                    String::new()
                }
            };
            let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
            let told = format!("{what} {mode:o} {uid}:{gid}{names}");
            found.insert(path.strip_prefix(top).unwrap().to_path_buf(), told);
        }
    }
    found
}

/// Packs the tree with GNU tar.
fn gnu_tar(bench: &Bench, name: &str, options: &[&str]) -> String {
    let (file, tree) = (bench.text(name), bench.text("tree"));
    let fixed = ["--numeric-owner", "-cf", &file, "-C", &tree, "."];
    host("tar", &[options, &fixed].concat());
    bench.give(&bench.path(name));
    file
}

#[test]
fn every_format_of_gnu_tar_is_the_same_root() {
    as_each_user(|bench| {
        make_tree(bench);
        gnu_tar(bench, "posix.tar", &["--format=posix"]);
        gnu_tar(bench, "gnu.tar", &["--format=gnu"]);
        gnu_tar(bench, "oldgnu.tar", &["--format=oldgnu", "--sparse"]);
        for version in ["0.0", "0.1", "1.0"] {
            let name = format!("holes-{version}.tar");
            let version = format!("--sparse-version={version}");
            gnu_tar(bench, &name, &["--format=posix", "--sparse", &version]);
        }
        let recipe = r#"let names = ["posix", "gnu", "oldgnu", "holes-0.0", "holes-0.1", "holes-1.0"];
            let first = rootfs().tar("posix.tar");
            for name in names {
                let root = rootfs().tar(`${name}.tar`);
                for line in first.diff(root) { print(`${name}: ${line}`); }
            }
            print(first.manifest());"#;
        let told = printed(bench, recipe);
        assert!(told.starts_with("nsscript tree 1\n"), "{told}");
        let (uid, gid) = (bench.user.uid, bench.user.gid);
        let closed = if bench.user.is_root() { "42:8".into() } else { format!("{uid}:{gid}") };
        for line in [
            format!("d 1777 {uid}:{gid} - /tmp\n"),
            format!("f 4755 {uid}:{gid} 6:"),
            format!("f 0600 {closed} 6:"),
            format!("h 0755 {uid}:{gid} /a\\040tool /bin/tool\n"),
            format!("h 0755 {uid}:{gid} /a\\040tool /etc/tool\n"),
            " /etc/one\\012line\\040and\\040\\134\\040\"more\"\n".into(),
            format!("p 0622 {uid}:{gid} - /tmp/fifo\n"),
            format!("l 0777 {uid}:{gid} /nowhere /etc/dangling\n"),
            format!("f 0644 {uid}:{gid} 3145728:"),
        ] {
            assert!(told.contains(&line), "{line} in {told}");
        }
        if bench.user.is_root() {
            for line in [
                "c 0660 0:0 1:3 /tmp/null\n",
                "b 0660 0:0 259:70000 /tmp/disk\n",
                "d 0755 3000000:3000001 - /empty\n",
                "l 0777 1000:100 ../bin/tool /etc/link\n",
            ] {
                assert!(told.contains(line), "{line} in {told}");
            }
        }
    });
}

#[test]
fn older_formats_are_read_as_far_as_they_go() {
    as_each_user(|bench| {
        bench.file("tree/bin/tool", "tool");
        bench.mode("tree/bin/tool", 0o755);
        fs::hard_link(bench.path("tree/bin/tool"), bench.path("tree/bin/other")).unwrap();
        bench.link("tool", "tree/bin/link");
        for format in ["v7", "ustar", "gnu"] {
            gnu_tar(bench, &format!("{format}.tar"), &[&format!("--format={format}")]);
        }
        let told = printed(
            bench,
            r#"let roots = ["v7", "ustar", "gnu"].map(|name| rootfs().tar(`${name}.tar`).digest());
            assert_eq(roots[0], roots[2]);
            assert_eq(roots[1], roots[2]);
            print(rootfs().tar("v7.tar").tree());"#,
        );
        let expected = "/\n└── bin/\n    ├── link -> tool\n    ├── other\n    \
                        └── tool (the same file as /bin/other)\n";
        assert_eq!(told, expected);
    });
}

#[test]
fn compressed_archives_are_told_by_their_first_bytes() {
    as_each_user(|bench| {
        make_tree(bench);
        let plain = gnu_tar(bench, "root.tar", &[]);
        let bytes = fs::read(&plain).unwrap();
        bench.file("gz", host("gzip", &["-c", &plain]));
        bench.file("zst", zstd::encode_all(bytes.as_slice(), 3).unwrap());
        let mut names = vec!["gz", "zst"];
        if have(&["xz"]) {
            bench.file("xz", host("xz", &["-c", "-1", "--block-size=65536", &plain]));
            names.push("xz");
        }
        // Several one after the other are one.
        let (one, two) = bytes.split_at(bytes.len() / 2);
        let parts = [one, two].map(|part| zstd::encode_all(part, 1).unwrap());
        bench.file("parts", parts.concat());
        names.push("parts");
        if have(&["xz"]) {
            let (one, two) = (bench.file("one", one), bench.file("two", two));
            let [one, two] = [one, two].map(|part| host("xz", &["-c", part.to_str().unwrap()]));
            bench.file("parts.xz", [one, vec![0; 8], two, vec![0; 4]].concat());
            names.push("parts.xz");
            let mut more = fs::read(bench.path("xz")).unwrap();
            more.extend(b"more");
            bench.file("more.xz", more);
            let wrong = said(bench, r#"rootfs().tar("more.xz").digest();"#);
            assert!(wrong.contains("the xz data is truncated"), "{wrong}");
        }
        for name in names {
            let recipe = format!(
                r#"assert_eq(rootfs().tar("{name}").digest(), rootfs().tar("root.tar").digest());"#
            );
            printed(bench, &recipe);
        }
        let wrong = said(bench, r#"rootfs().tar("gz", #{ compression: "zstd" }).digest();"#);
        assert!(wrong.contains("the zstd data is damaged"), "{wrong}");
        let unknown = said(bench, r#"rootfs().tar("gz", #{ compression: "gzp" }).digest();"#);
        assert!(unknown.contains("unknown compression `gzp`"), "{unknown}");
        assert!(unknown.contains("did you mean `gzip`?"), "{unknown}");
    });
}

#[test]
fn a_label_is_no_member() {
    as_each_user(|bench| {
        make_tree(bench);
        gnu_tar(bench, "plain.tar", &[]);
        gnu_tar(bench, "gnu.tar", &["--format=gnu", "--label=of the archive"]);
        gnu_tar(bench, "posix.tar", &["--format=posix", "--label=of the archive"]);
        let none = ["--label=empty", "--files-from=/dev/null", "-cf", &bench.text("empty.tar")];
        host("tar", &none);
        // Another one behind a long name of its own, and one at the end.
        let mut archive =
            tar::Builder::new(fs::read(bench.path("empty.tar")).unwrap()[..512].to_vec());
        let mut label = tar::Header::new_gnu();
        label.set_entry_type(tar::EntryType::new(b'V'));
        label.set_size(0);
        archive.append_data(&mut label, "label".repeat(40), &[][..]).unwrap();
        let mut file = tar::Header::new_gnu();
        file.set_size(2);
        file.set_mode(0o644);
        file.set_uid(0);
        file.set_gid(0);
        file.set_mtime(0);
        archive.append_data(&mut file, "file", &b"hi"[..]).unwrap();
        archive.append_data(&mut label, "last/", &[][..]).unwrap();
        bench.file("labels.tar", archive.into_inner().unwrap());
        let recipe = r#"
            for name in ["gnu.tar", "posix.tar"] {
                assert_eq(rootfs().tar(name).digest(), rootfs().tar("plain.tar").digest());
            }
            print(rootfs().tar("empty.tar").tree());
            print(rootfs().tar("labels.tar").tree());"#;
        assert_eq!(printed(bench, recipe), "/\n/\n└── file\n");
    });
}

#[test]
fn an_archive_is_not_blamed_for_memory_that_is_not_there() {
    as_each_user(|bench| {
        make_tree(bench);
        gnu_tar(bench, "root.tar", &[]);
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        // What unpacks it needs 128 MiB for that alone.
        encoder.window_log(27).unwrap();
        encoder.write_all(&fs::read(bench.path("root.tar")).unwrap()).unwrap();
        bench.file("wide.tar.zst", encoder.finish().unwrap());
        let recipe = r#"print(rootfs().tar("wide.tar.zst").digest());"#;
        let said = bench.recipe(recipe).by_shell("ulimit -v 150000; exec \"$@\"").end().failed(125);
        assert!(said.contains(": out of memory (ENOMEM)\n"), "{said}");
        assert!(!said.contains("sound"), "{said}");
        bench.recipe(recipe).end().succeeded();
    });
}

#[test]
fn nothing_is_lost_on_the_way_through_a_root() {
    as_each_user(|bench| {
        let top = make_tree(bench);
        fs::create_dir(bench.path("again")).unwrap();
        // Attributes of the file system that the tests are on, where it has any.
        let mut set = Command::new("setfattr");
        set.args(["-n", "user.note", "-v", "kept"]).arg(top.join("bin/tool")).stderr(Stdio::null());
        let has_attributes = set.status().is_ok_and(|status| status.success());
        gnu_tar(bench, "in.tar", &["--format=posix", "--xattrs", "--xattrs-include=*", "--sparse"]);
        let recipe = r#"let root = rootfs().tar("in.tar");
            let sums = ["out.tar", "out.tar.gz", "out.tar.zst", "out.tar.xz"].map(|name| root.pack(name));
            for name in ["out.tar", "out.tar.gz", "out.tar.zst", "out.tar.xz"] {
                let again = rootfs().tar(name);
                assert_eq(again.digest(), root.digest());
                assert_eq(again.pack("again/" + name), root.verify(again.digest()).pack("again/2" + name));
            }
            for sum in sums { print(sum); }
            print(root.manifest());"#;
        bench.give(&bench.path("again"));
        let told = printed(bench, recipe);
        assert_eq!(told.contains("user.note=kept"), has_attributes);
        for name in ["out.tar", "out.tar.gz", "out.tar.zst", "out.tar.xz"] {
            let again = fs::read(bench.path(&format!("again/{name}"))).unwrap();
            assert!(fs::read(bench.path(name)).unwrap() == again, "{name} is packed otherwise");
        }
        // What GNU tar makes of ours is what it makes of its own.
        for name in ["in", "out"] {
            let directory = bench.text(&format!("by-{name}"));
            fs::create_dir(&directory).unwrap();
            let archive = bench.text(&format!("{name}.tar"));
            let owner = if crate::support::User::this().is_root() { "--same-owner" } else { "-o" };
            let options = ["--numeric-owner", "--xattrs", "--xattrs-include=*", owner];
            host("tar", &[&options[..], &["-xpf", &archive, "-C", &directory]].concat());
        }
        let [wanted, found] = ["by-in", "by-out"].map(|name| walk(&bench.path(name)));
        assert_eq!(found, wanted);
        assert_eq!(wanted.len(), walk(&top).len());
        let listed = host("tar", &["--numeric-owner", "-tvf", &bench.text("out.tar")]);
        let listed = String::from_utf8_lossy(&listed).into_owned();
        assert_eq!(listed.lines().count(), wanted.len() + 1, "{listed}");
        assert!(listed.lines().all(|line| line.contains(" 1970-01-01 00:00 ")), "{listed}");
    });
}

#[test]
fn the_time_of_what_is_packed_is_that_of_the_source() {
    as_each_user(|bench| {
        let pack = r#"rootfs().file("/x", "").pack(args[0]);"#;
        let launch = keeping(bench, &["-e", pack, "dated.tar"]);
        launch.env("SOURCE_DATE_EPOCH", "1000000000").end().succeeded();
        let listed = host("tar", &["--utc", "-tvf", &bench.text("dated.tar")]);
        let listed = String::from_utf8(listed).unwrap();
        assert!(listed.lines().all(|line| line.contains("2001-09-09 01:46")), "{listed}");
        let launch = keeping(bench, &["-e", pack, "never.tar"]).env("SOURCE_DATE_EPOCH", "today");
        let said = launch.end().failed(125);
        assert!(said.contains("invalid `SOURCE_DATE_EPOCH` `today`"), "{said}");
        assert!(!bench.path("never.tar").exists());
    });
}

#[test]
fn names_are_taken_away_at_the_beginning() {
    as_each_user(|bench| {
        bench.file("tree/app-1.0/bin/app", "app");
        bench.file("tree/note", "outside");
        fs::hard_link(bench.path("tree/app-1.0/bin/app"), bench.path("tree/app-1.0/bin/b"))
            .unwrap();
        gnu_tar(bench, "app.tar", &[]);
        let told = printed(bench, r#"print(rootfs().tar("app.tar", #{ strip: 1 }).tree());"#);
        assert_eq!(told, "/\n└── bin/\n    ├── app\n    └── b (the same file as /bin/app)\n");
        let wrong = said(bench, r#"print(rootfs().tar("app.tar", #{ strip: 9 }).tree());"#);
        assert!(wrong.contains("no member has more than 9 path components"), "{wrong}");
        nothing_is_kept_but(bench, 1);
        let wrong = said(bench, r#"rootfs().tar("app.tar", #{ strip: -1 }).digest();"#);
        assert!(wrong.contains("the option `strip` takes a number of names, not -1"), "{wrong}");
    });
}

#[test]
fn what_is_put_on_an_archive_goes_where_its_links_lead() {
    as_each_user(|bench| {
        // A merged /usr, as systems of today have it.
        for name in ["usr/bin", "usr/lib", "var", "run", "etc"] {
            bench.directory(&format!("tree/{name}"));
        }
        bench.link("usr/bin", "tree/bin");
        bench.link("usr/lib", "tree/lib");
        bench.link("/run", "tree/var/run");
        bench.file("tree/etc/motd", "of the archive\n");
        bench.mode("tree/etc", 0o711);
        gnu_tar(bench, "base.tar", &[]);
        fs::rename(bench.path("tree"), bench.path("base")).unwrap();
        bench.file("tree/bin/app", "#!/bin/sh\necho app\n");
        bench.mode("tree/bin/app", 0o755);
        bench.file("tree/var/run/state", "state\n");
        gnu_tar(bench, "app.tar", &[]);
        let recipe = r#"
            let base = rootfs().tar("base.tar");
            let root = base.tar("app.tar").binaries(["sh", "cat", "stat"], #{ into: "/bin" })
                .file("/etc/issue", "issue\n").file("/var/run/more", "more\n").directory("/bin");
            let guest = sandbox(root);
            print(guest.output("app").stdout.trim());
            print(guest.output("cat /run/state /run/more /etc/motd /etc/issue").stdout.trim());
            print(guest.output("stat -c '%F %a %N' /bin /lib /var/run /etc /usr/bin/app").stdout.trim());
            print(rootfs().file("/etc/motd", "above\n").overlay_on(root).digest() == root.digest());
            print(sandbox(rootfs().file("/etc/motd", "above\n").overlay_on(root))
                .output("cat /etc/motd").stdout.trim());
            print(sandbox(root).output("cat /etc/motd").stdout.trim());"#;
        let told = printed(bench, recipe);
        let expected = "app\nstate\nmore\nof the archive\nissue\n\
            symbolic link 777 '/bin' -> 'usr/bin'\nsymbolic link 777 '/lib' -> 'usr/lib'\n\
            symbolic link 777 '/var/run' -> '/run'\ndirectory 711 '/etc'\n\
            regular file 755 '/usr/bin/app'\nfalse\nabove\nof the archive\n";
        assert_eq!(told, expected);
        // Of a directory nobody makes a file, nor of a file a directory.
        let wrong = said(bench, r#"rootfs().tar("base.tar").file("/usr", "").digest();"#);
        assert!(wrong.contains("`/usr` is already a directory"), "{wrong}");
        let wrong = said(bench, r#"rootfs().tar("base.tar").file("/etc/motd/x", "").digest();"#);
        assert!(wrong.contains("`/etc/motd` is not a directory"), "{wrong}");
        // What an archive has itself takes the place of a file below.
        bench.file("tree/etc/motd/x", "");
        gnu_tar(bench, "other.tar", &[]);
        let told =
            printed(bench, r#"print(rootfs().tar("base.tar").tar("other.tar").manifest());"#);
        assert!(told.contains(" /etc/motd/x\n") && told.contains(" - /etc/motd\n"), "{told}");
    });
}

#[test]
fn users_are_those_of_the_archive() {
    as_each_user(|bench| {
        bench.file("tree/etc/passwd", "root:x:0:0::/:/bin/sh\nann:x:0:0::/:/bin/sh\n");
        gnu_tar(bench, "base.tar", &[]);
        let recipe = r#"let guest = sandbox(rootfs().tar("base.tar").binary("id"));
            print(guest.user("ann").output("id -u").stdout.trim());
            guest.user("bob").run("id");"#;
        let ended = keeping(bench, &["-e", recipe]).end();
        assert_eq!(ended.stdout, "0\n");
        let said = ended.failed(125);
        assert!(said.contains("user `bob` is not in `/etc/passwd` of the root"), "{said}");
    });
}

#[test]
fn users_are_added_to_those_of_the_archive() {
    as_each_user(|bench| {
        bench.file("tree/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:5:5::/:/bin/sh\n");
        bench.file("tree/etc/group", "root:x:0:\nshadow:x:42:\n");
        bench.file("tree/etc/nsswitch.conf", "passwd: files systemd\n");
        gnu_tar(bench, "users.tar", &[]);
        let recipe = r#"let root = rootfs().tar("users.tar").users(["alice"]).users(["bob:1001"]);
            root.build("built");"#;
        printed(bench, recipe);
        let passwd = bench.content("built/etc/passwd");
        let names: Vec<_> = passwd.lines().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(names, ["root", "alice", "bob"]);
        assert!(passwd.contains("root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000:"), "{passwd}");
        assert!(
            bench.content("built/etc/group").starts_with("root:x:0:\nshadow:x:42:\nalice:x:1000:")
        );
        assert_eq!(bench.content("built/etc/nsswitch.conf"), "passwd: files systemd\n");
    });
}

#[test]
fn what_an_archive_cannot_give_is_said() {
    as_each_user(|bench| {
        let warned = |recipe: &str| keeping(bench, &["-e", recipe]).end().stderr;
        bench.file("tree/oci-layout", "{}");
        gnu_tar(bench, "image.tar", &[]);
        let said = warned(r#"print(rootfs().tar("image.tar").tree());"#);
        assert!(
            said.contains("`image.tar` is an image") || said.contains("image.tar` is an image")
        );
        assert!(said.contains("`docker export`"), "{said}");
        // A device is none in a sandbox: for a user it is not even there.
        let mut header = tar::Header::new_ustar();
        header.set_path("dev/null").unwrap();
        header.set_entry_type(tar::EntryType::Char);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_mode(0o666);
        header.set_size(0);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, std::io::empty()).unwrap();
        bench.file("devices.tar", builder.into_inner().unwrap());
        let said = warned(r#"print(rootfs().tar("devices.tar").digest());"#);
        let why = if bench.user.is_root() {
            "the device `/dev/null` is unusable in sandboxes"
        } else {
            "the device `/dev/null` is left out"
        };
        assert!(said.contains(why) && said.contains("`.dev(\"/dev\")`"), "{said}");
    });
}

#[test]
fn an_archive_is_replaced_where_that_is_said() {
    as_each_user(|bench| {
        let pack = |content: &str, options: &str| {
            format!("print(rootfs().file(\"/x\", \"{content}\").pack(\"x.tar\"{options}));")
        };
        let first = printed(bench, &pack("1", ""));
        let wrong = said(bench, &pack("2", ""));
        assert!(wrong.contains("file exists (EEXIST)"), "{wrong}");
        assert!(
            wrong.contains("pass `#{ replace: true }` to replace an existing archive"),
            "{wrong}"
        );
        let second = printed(bench, &pack("2", ", #{ replace: true }"));
        assert_ne!(first, second);
        assert_eq!(printed(bench, r#"print(rootfs().tar("x.tar").size());"#), "1\n");
        let names = fs::read_dir(bench.path("")).unwrap().flatten().map(|entry| entry.file_name());
        let beside: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('.')).collect();
        assert!(beside.is_empty(), "{beside:?}");
    });
}

#[test]
fn attributes_of_the_host_are_packed_with_their_files() {
    as_each_user(|bench| {
        let top = bench.directory("tree");
        bench.file("tree/f", "x");
        fs::hard_link(top.join("f"), top.join("g")).unwrap();
        let set = |name: &str| {
            let mut set = Command::new("setfattr");
            set.args(["-n", name, "-v", "val"]).arg(top.join("f")).stderr(Stdio::null());
            set.status().is_ok_and(|status| status.success())
        };
        if !["user.plain", "user.a=b", "user.c%d"].map(set).iter().all(|done| *done) {
            return missing("extended attributes where the tests are, and `setfattr`");
        }
        gnu_tar(bench, "gnu.tar", &["--format=posix", "--xattrs", "--owner=0", "--group=0"]);
        let recipe = r#"let copied = rootfs().copy("tree", "/");
            let sum = copied.pack("out.tar", #{ replace: true });
            let again = rootfs().tar("out.tar");
            assert_eq(again.diff(copied), []);
            assert_eq(rootfs().tar("gnu.tar").diff(copied).filter(|line| !line.contains(" /\n")).len(), 0);
            print(copied.manifest());"#;
        let manifest = printed(bench, recipe);
        let line = "user.a\\075b=val user.c%d=val user.plain=val /f";
        assert!(manifest.contains(line), "{manifest}");
        assert!(manifest.lines().any(|line| line.ends_with("/f /g")), "{manifest}");
    });
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_that_leaves_nothing() {
    as_each_user(|bench| {
        fs::write(bench.path("large"), vec![7_u8; 3 << 20]).unwrap();
        bench.give(&bench.path("large"));
        let limited = |recipe: &str| {
            let launch = keeping(bench, &["-e", recipe]);
            launch.by_shell(r#"ulimit -f 1000; exec "$@""#).end().failed(125)
        };
        let said = limited(r#"print(rootfs().copy("large", "/large").pack("cut.tar"));"#);
        assert!(said.contains("(EFBIG)") && said.contains("`ulimit -f`"), "{said}");
        assert!(!bench.path("cut.tar").exists());
        printed(bench, r#"print(rootfs().copy("large", "/large").pack("whole.tar"));"#);
        let said = limited(r#"print(rootfs().tar("whole.tar").digest());"#);
        assert!(said.contains("(EFBIG)") && said.contains("`ulimit -f`"), "{said}");
        nothing_is_kept(bench);
    });
}

#[test]
fn a_signal_ends_the_copying_and_hashing_of_one_large_file() {
    as_each_user(|bench| {
        let large = fs::File::create(bench.path("large")).unwrap();
        large.set_len(200 << 30).unwrap();
        bench.give(&bench.path("large"));
        for verb in ["digest()", "build(\"built\")"] {
            let recipe = format!(
                "let root = rootfs().copy(\"large\", \"/large\", #{{ limit: \"1T\" }}); print(\"ready\");
                root.{verb}; print(\"after\");"
            )
            .replace("root.build", "let path = root.build");
            let recipe = recipe.replace("root.digest()", "print(root.digest())");
            let mut running = keeping(bench, &["-e", &recipe]).may_leave_files().start();
            running.wait_for("ready\n");
            std::thread::sleep(Duration::from_millis(200));
            running.signal(Signal::SIGINT);
            let ended = running.end();
            assert_eq!(ended.status.code(), Some(130), "{verb}");
            assert!(!ended.stdout.contains("after"), "{verb}");
        }
        let built = fs::read_dir(bench.path("built")).into_iter().flatten().count();
        assert_eq!(built, 0);
    });
}

#[test]
fn an_archive_is_unpacked_once_until_it_changes() {
    as_each_user(|bench| {
        bench.file("tree/x", "one");
        gnu_tar(bench, "root.tar", &[]);
        let recipe = r#"print(rootfs().tar("root.tar").digest());"#;
        let digest = printed(bench, recipe);
        let place = bench.path(&format!("cache/nsscript/layers/{}/tree/x", &digest[7..71]));
        let before = fs::metadata(&place).unwrap();
        assert_eq!(printed(bench, recipe), digest);
        let after = fs::metadata(&place).unwrap();
        assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
        bench.file("tree/x", "two");
        gnu_tar(bench, "root.tar", &[]);
        assert_ne!(printed(bench, recipe), digest);
        let listed = keeping(bench, &["store", "list"]).end().succeeded();
        assert_eq!(listed.matches("root.tar\n").count(), 2, "{listed}");
    });
}

#[test]
fn an_archive_has_the_sha256_that_the_recipe_says() {
    as_each_user(|bench| {
        bench.file("tree/x", "content");
        let file = gnu_tar(bench, "root.tar", &[]);
        let sum = String::from_utf8(host("sha256sum", &[&file])).unwrap()[..64].to_owned();
        for sum in [&sum, &sum.to_uppercase(), &format!("sha256:{sum}")] {
            let recipe =
                format!(r#"print(rootfs().tar("root.tar", #{{ sha256: "{sum}" }}).size());"#);
            assert_eq!(printed(bench, &recipe), "7\n");
        }
        fs::remove_dir_all(bench.path("cache")).unwrap();
        let other = sum.replace(|letter| ('1'..='9').contains(&letter), "0");
        let recipe = format!(r#"rootfs().tar("root.tar", #{{ sha256: "{other}" }}).size();"#);
        let wrong = said(bench, &recipe);
        assert!(wrong.contains(&format!("its sha256 is {sum}")), "{wrong}");
        assert!(wrong.contains(&format!("expected: {other}")), "{wrong}");
        nothing_is_kept(bench);
        let wrong = said(bench, r#"rootfs().tar("root.tar", #{ sha256: "abc" }).digest();"#);
        assert!(wrong.contains("invalid sha256 `abc`"), "{wrong}");
    });
}

#[test]
fn an_archive_that_is_cut_off_is_told_with_the_member() {
    as_each_user(|bench| {
        bench.file("tree/a", vec![b'a'; 3000]);
        bench.file("tree/b", vec![b'b'; 600_000]);
        let file = gnu_tar(bench, "whole.tar", &["--sort=name"]);
        let whole = fs::read(&file).unwrap();
        let recipe = r#"rootfs().tar("cut.tar").digest();"#;
        // In a header, in a file, after a file, in a large file, in the end mark.
        for (length, told) in [
            (100, "it is not a tar archive"),
            (700, "it ends after its member `./`, without an end mark"),
            (512 * 2 + 700, "it ends in the middle of its member `./a`"),
            (512 * 8, "it ends after its member `./a`, without an end mark"),
            (512 * 9 + 300_000, "it ends in the middle of its member `./b`"),
            (whole.len() / 10240 * 10240 - 10240, "it ends"),
        ] {
            bench.file("cut.tar", &whole[..length]);
            let wrong = said(bench, recipe);
            assert!(wrong.contains(told), "{length}: {wrong}");
            nothing_is_kept(bench);
        }
        let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
        zstd.include_checksum(true).unwrap();
        zstd.write_all(&whole).unwrap();
        let mut compressed = vec![("zstd", zstd.finish().unwrap())];
        compressed.push(("gzip", host("gzip", &["-c", &file])));
        if have(&["xz"]) {
            compressed.push(("xz", host("xz", &["-c", "-1", &file])));
            compressed.push(("xz", host("xz", &["-c", "-1", "--block-size=65536", &file])));
        }
        for (name, bytes) in compressed {
            for length in [bytes.len() / 3, bytes.len() - 1] {
                bench.file("cut.tar", &bytes[..length]);
                let wrong = said(bench, recipe);
                let cut_off = wrong.contains("it ends") || wrong.contains("data is truncated");
                assert!(cut_off, "{name} cut at {length}: {wrong}");
                nothing_is_kept(bench);
            }
            let mut damaged = bytes.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x55;
            bench.file("cut.tar", &damaged);
            let wrong = said(bench, recipe);
            assert!(wrong.contains("cannot unpack"), "{name} damaged: {wrong}");
            nothing_is_kept(bench);
        }
        let mut damaged = whole.clone();
        damaged[512 + 10] ^= 1;
        bench.file("cut.tar", &damaged);
        let wrong = said(bench, recipe);
        assert!(wrong.contains("damaged") && wrong.contains("`./`"), "{wrong}");
        nothing_is_kept(bench);
    });
}

#[test]
fn what_is_no_archive_is_called_what_it_is() {
    as_each_user(|bench| {
        for (bytes, told) in [
            (b"BZh91AY&SY".as_slice(), "the file is compressed by bzip2"),
            (b"PK\x03\x04xxxx", "the file is a zip archive"),
            (b"!<arch>\ndebian-binary", "the file is an ar archive, such as a Debian package"),
        ] {
            let mut file = bytes.to_vec();
            file.resize(1024, 1);
            bench.file("other", file);
            let wrong = said(bench, r#"rootfs().tar("other").digest();"#);
            assert!(wrong.contains("is not a tar archive") && wrong.contains(told), "{wrong}");
        }
        bench.file("empty.tar", "");
        let wrong = said(bench, r#"rootfs().tar("empty.tar").digest();"#);
        assert!(wrong.contains("cannot unpack"), "{wrong}");
        let wrong = said(bench, r#"rootfs().tar("empty.tr").digest();"#);
        assert!(wrong.contains("did you mean") && wrong.contains("empty.tar"), "{wrong}");
        bench.directory("directory");
        let wrong = said(bench, r#"rootfs().tar("directory").digest();"#);
        assert!(wrong.contains("it is not a file"), "{wrong}");
        nothing_is_kept(bench);
    });
}

#[test]
fn a_full_disk_leaves_no_half_of_an_archive() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.file("tree/small", "x");
        bench.file("tree/zzz", vec![1; 3 << 20]);
        gnu_tar(bench, "root.tar", &["--sort=name"]);
        let directory = bench.directory("cache");
        let setup = format!(
            "mount -t tmpfs -o size=1M,mode=1777 tmpfs {0}
            trap 'find {0}/nsscript -name layer-\\* -o -path \\*/layers/\\* >&2; echo looked >&2' EXIT",
            directory.display()
        );
        let recipe = r#"rootfs().tar("root.tar").digest();"#;
        let said = keeping(bench, &["-e", recipe]).in_world(&setup).end().failed(125);
        assert!(said.contains("its member `./zzz` cannot be written: no space left"), "{said}");
        assert!(said.contains("remove unused layers with `nsscript store gc`"), "{said}");
        assert!(said.ends_with("\nlooked\n") && !said.contains("layer-"), "{said}");
    });
}

#[test]
fn what_was_killed_while_it_unpacked_is_unpacked_again() {
    as_each_user(|bench| {
        let top = bench.directory("tree");
        for number in 0..600 {
            let name = format!("{number}");
            fs::write(top.join(&name), vec![b'x'; number * 7]).unwrap();
            bench.give(&top.join(&name));
        }
        gnu_tar(bench, "root.tar", &[]);
        let recipe = r#"print(rootfs().tar("root.tar").digest());"#;
        for round in 0..12 {
            let running = keeping(bench, &["-e", recipe]).may_leave_files().start();
            std::thread::sleep(Duration::from_millis(4 * round));
            running.signal(Signal::SIGKILL);
            running.end();
            // Whatever is there is whole.
            for layer in fs::read_dir(bench.path("cache/nsscript/layers")).into_iter().flatten() {
                let tree = layer.unwrap().path().join("tree");
                assert_eq!(fs::read_dir(tree).unwrap().count(), 600);
            }
        }
        let digest = printed(bench, recipe);
        let building = bench.path("cache/nsscript/building");
        let left: Vec<_> =
            fs::read_dir(building).unwrap().map(|it| it.unwrap().file_name()).collect();
        let left: Vec<_> =
            left.iter().filter(|name| !name.to_string_lossy().ends_with(".lock")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(printed(bench, recipe), digest);
    });
}

#[test]
fn a_signal_ends_unpacking() {
    as_each_user(|bench| {
        // Zeros without end, as far as the test goes: 4 GiB in a hundred kilobytes.
        let mut header = tar::Header::new_ustar();
        header.set_path("zeros").unwrap();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(4 << 30);
        header.set_cksum();
        let mut archive = zstd::encode_all(header.as_bytes().as_slice(), 1).unwrap();
        let zeros = zstd::encode_all(vec![0_u8; 32 << 20].as_slice(), 1).unwrap();
        for _ in 0..128 {
            archive.write_all(&zeros).unwrap();
        }
        bench.file("zeros.tar", archive);
        let recipe = r#"print("begun"); rootfs().tar("zeros.tar").digest(); print("done");"#;
        let mut running = keeping(bench, &["-e", recipe]).start();
        running.wait_for("begun\n");
        std::thread::sleep(Duration::from_millis(50));
        running.signal(Signal::SIGINT);
        let ended = running.end();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(130), "begun\n"));
        nothing_is_kept(bench);
    });
}

#[test]
fn unpacking_needs_little_memory() {
    as_each_user(|bench| {
        if !have(&["prlimit"]) {
            return;
        }
        let file = fs::File::create(bench.path("large")).unwrap();
        file.set_len(300 << 20).unwrap();
        bench.give(&bench.path("large"));
        host("tar", &["-cf", &bench.text("root.tar"), "-C", &bench.text(""), "large"]);
        bench.give(&bench.path("root.tar"));
        let recipe = r#"print(rootfs().tar("root.tar").size());"#;
        let launch = keeping(bench, &["-e", recipe]);
        let seen = launch.by_shell(r#"exec prlimit --data=100000000 "$@""#).end().succeeded();
        assert_eq!(seen, format!("{}\n", 300 << 20));
    });
}

#[test]
fn where_no_thread_can_be_started_there_is_an_error_or_one_is_enough() {
    as_each_user(|bench| {
        // Nobody bounds root.
        if bench.user.is_root() || !have(&["prlimit"]) {
            return;
        }
        bench.file("tree/x", "x");
        gnu_tar(bench, "root.tar", &[]);
        let alone = |recipe| {
            let launch = keeping(bench, &["-e", recipe]);
            launch.by_shell(r#"exec prlimit --nproc=1 "$@""#).end()
        };
        let recipe = r#"print(rootfs().binaries(["sh", "ls", "id"]).digest());"#;
        assert_eq!(alone(recipe).succeeded(), printed(bench, recipe));
        let wrong = alone(r#"print(rootfs().tar("root.tar").digest());"#).failed(125);
        assert!(wrong.contains("no thread can be started"), "{wrong}");
        assert!(wrong.contains("`ulimit -u`"), "{wrong}");
        // A program that process 1 cannot start is an error, too, and nobody waits for it.
        let launch = keeping(bench, &["-e", r#"sandbox("/").read_only_root().run("true");"#]);
        let wrong = launch.by_shell(r#"exec prlimit --nproc=2 "$@""#).end();
        assert!(wrong.stderr.contains("(EAGAIN)"), "{}", wrong.stderr);
        nothing_is_kept(bench);
    });
}

/// A Debian system in an archive, as mmdebstrap(1) makes it with perl, python3, git and curl. The
/// variable names the file, as making it takes a network.
fn debian() -> Option<PathBuf> {
    let file = std::env::var_os("NSSCRIPT_DEBIAN_TAR").map(PathBuf::from);
    if file.is_none() {
        missing("an archive of a Debian system, named by NSSCRIPT_DEBIAN_TAR");
    }
    file
}

#[test]
fn a_debian_system_runs_and_is_packed_again() {
    let Some(file) = debian() else { return };
    let mut digests = Vec::new();
    let seen = std::sync::Mutex::new(&mut digests);
    as_each_user(|bench| {
        let recipe = format!(
            r#"
            let root = rootfs().tar("{file}");
            let guest = sandbox(root).proc("/proc").dev("/dev").tmpfs("/tmp")
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
            print(guest.output("apt --version").stdout.trim());
            print(guest.output(["perl", "-MPOSIX", "-e", "print 6 * 7"]).stdout);
            print(guest.output(["bash", "-c", "echo $BASH_VERSION; id -un"]).stdout.trim());
            print(guest.output(["python3", "-c", "import ssl, json; print(json.dumps([1]))"]).stdout.trim());
            guest.run("apt list", #{{ check: false, stdin: "" }});
            print(root.digest());
            print(root.manifest().split("\n").len() > 10000);
            print(root.pack("debian.tar.zst"));
            let again = rootfs().tar("debian.tar.zst");
            assert_eq(again.digest(), root.digest());
            print(again.pack("again.tar.zst"));"#,
            file = file.display()
        );
        let told = printed(bench, &recipe);
        let lines: Vec<&str> = told.lines().filter(|line| !line.starts_with("Listing")).collect();
        assert!(lines[0].starts_with("apt ") && lines[1] == "42", "{told}");
        assert_eq!((lines[3], lines[4]), ("root", "[1]"), "{told}");
        let digest = lines.iter().find(|line| line.starts_with("sha256:")).unwrap();
        let sums = &lines[lines.len() - 3..];
        assert_eq!((sums[0], sums[1]), ("true", sums[2]), "{told}");
        seen.lock().unwrap().push((*digest).to_owned());
    });
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

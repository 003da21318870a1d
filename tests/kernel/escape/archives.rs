//! Archives that lead out of the root, give rights, or have no end.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use tar::{EntryType, Header};

use super::Canary;
use crate::support::{Bench, Ended, as_each_user};

/// An archive that is written header by header, so that nothing is set right.
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
}

impl Raw {
    fn add(mut self, name: &str, kind: EntryType, link: &str, content: &[u8]) -> Self {
        self.header(name, kind, link, 0o644, content.len() as u64);
        self.content(content)
    }

    fn header(&mut self, name: &str, kind: EntryType, link: &str, mode: u32, size: u64) {
        let mut header = Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_device_major(0).unwrap();
        header.set_device_minor(0).unwrap();
        header.set_cksum();
        self.bytes.extend(header.as_bytes());
    }

    fn content(mut self, content: &[u8]) -> Self {
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    fn directory(self, name: &str) -> Self {
        self.add(name, EntryType::Directory, "", b"")
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.add(name, EntryType::Regular, "", content.as_bytes())
    }

    fn link(self, name: &str, says: &str) -> Self {
        self.add(name, EntryType::Symlink, says, b"")
    }

    fn hard(self, name: &str, first: &str) -> Self {
        self.add(name, EntryType::Link, first, b"")
    }

    /// What stands before a member in a pax header.
    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.records(records, EntryType::XHeader)
    }

    /// The same, of all members that follow.
    fn global(self, records: &[(&str, &[u8])]) -> Self {
        self.records(records, EntryType::XGlobalHeader)
    }

    fn records(self, records: &[(&str, &[u8])], kind: EntryType) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + rest.to_string().len();
            length = rest + length.to_string().len();
            text.extend(format!("{length} {key}=").into_bytes());
            text.extend(*value);
            text.push(b'\n');
        }
        self.add("pax", kind, "", &text)
    }

    fn end(mut self, bench: &Bench) {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        bench.file("attack.tar", self.bytes);
    }
}

/// Runs a program in a root of the archive, with a shell's few programs.
fn run(bench: &Bench, script: &str) -> Ended {
    bench.directory("cache");
    let guest = r#"sandbox(rootfs().tar("attack.tar").binaries(["sh", "cat", "ls", "stat"]))"#;
    let recipe = format!("exit({guest}.run([\"sh\", \"-c\", args[0]], #{{ check: false }}).code)");
    let launch = bench.nsscript(&["-e", &recipe, script]);
    launch.env("XDG_CACHE_HOME", bench.text("cache")).end()
}

/// Makes sure that nothing of a layer is in the store.
#[track_caller]
fn nothing_is_kept(bench: &Bench) {
    for directory in ["layers", "building", "index"] {
        let place = bench.path("cache/nsscript").join(directory);
        let names: Vec<_> = fs::read_dir(place).into_iter().flatten().flatten().collect();
        assert!(names.is_empty(), "{directory}: {names:?}");
    }
}

#[test]
fn members_that_lie_outside_are_refused_by_name() {
    as_each_user(|bench| {
        for name in ["../../x", "/x", "a/../../x", "a/..", "..", "/", "//etc/x"] {
            let canary = Canary::new(bench);
            Raw::default().directory("a").file(name, "attack").end(bench);
            let ended = run(bench, "true");
            canary.holds(name, &ended);
            let said = ended.failed(125);
            let refused = said.contains("absolute path") || said.contains("upward by `..`");
            assert!(refused && said.contains(&format!("its member `{name}`")), "{name}: {said}");
            nothing_is_kept(bench);
        }
    });
}

#[test]
fn a_link_leads_no_later_member_out_of_the_root() {
    as_each_user(|bench| {
        let host = bench.path("host");
        let host = host.to_str().unwrap();
        let up = format!("../../../../../../../..{host}");
        for says in [host, &up, "/proc/self/root", "/proc/self/cwd", ".."] {
            for via in ["d", "d/../d", "e"] {
                let canary = Canary::new(bench);
                Raw::default()
                    .link("d", says)
                    .link("e", "d")
                    .file(&format!("{}/x", via.rsplit('/').next().unwrap()), "attack")
                    .directory("d/sub")
                    .file("d/sub/y", "attack")
                    .end(bench);
                let ended = run(bench, "cat /d/x /e/x; ls / > /dev/null");
                canary.holds(&format!("{says} via {via}"), &ended);
                assert!(!Path::new(&format!("{host}/x")).exists());
                // It lies inside, where the link leads there; the link itself still is one.
                let layers = fs::read_dir(bench.path("cache/nsscript/layers")).unwrap();
                let places = layers.flatten().map(|layer| layer.path().join("tree/d"));
                let found: Vec<_> = places.filter_map(|it| fs::symlink_metadata(it).ok()).collect();
                assert!(!found.is_empty() && found.iter().all(fs::Metadata::is_symlink));
                fs::remove_dir_all(bench.path("cache")).unwrap();
            }
        }
    });
}

#[test]
fn links_in_layers_below_lead_nowhere_else_either() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        let host = bench.text("host");
        Raw::default().link("etc", &host).link("var", "../../..").end(bench);
        fs::rename(bench.path("attack.tar"), bench.path("below.tar")).unwrap();
        Raw::default().file("etc/x", "attack").file("var/x", "attack").end(bench);
        bench.directory("cache");
        let recipe = r#"let root = rootfs().tar("below.tar").tar("attack.tar").file("/etc/y", "attack");
            print(root.manifest());"#;
        let launch = bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("cache"));
        let ended = launch.end();
        canary.holds("a link below", &ended);
        let told = ended.succeeded();
        for path in [format!(" {host}/x\n"), format!(" {host}/y\n"), " /x\n".to_owned()] {
            assert!(told.contains(&path), "{path} in {told}");
        }
    });
}

#[test]
fn the_root_stays_a_directory() {
    as_each_user(|bench| {
        for (name, kind) in [
            (".", EntryType::Symlink),
            ("./", EntryType::Symlink),
            ("./.", EntryType::Regular),
            (".", EntryType::Link),
            (".", EntryType::Fifo),
        ] {
            let canary = Canary::new(bench);
            let host = bench.text("host");
            Raw::default().add(name, kind, &host, b"").file("x", "attack").end(bench);
            let ended = run(bench, "true");
            canary.holds(&format!("{name} as {kind:?}"), &ended);
            let said = ended.failed(125);
            let refused = said.contains("is the root of the tree") || said.contains("absolute");
            assert!(refused || said.contains("takes the place of"), "{said}");
            nothing_is_kept(bench);
        }
    });
}

#[test]
fn hard_links_to_files_outside_are_refused() {
    as_each_user(|bench| {
        let secret = bench.text("host/secret");
        for first in ["../host/secret", &secret, "none", "d/secret", "l/x"] {
            let canary = Canary::new(bench);
            let host = bench.text("host");
            Raw::default().link("d", &host).link("l", &secret).hard("x", first).end(bench);
            let ended = run(bench, "cat /x");
            canary.holds(first, &ended);
            let said = ended.failed(125);
            assert!(said.contains("its member `x`"), "{first}: {said}");
            nothing_is_kept(bench);
        }
        // Another name of a link is that link, and leads nowhere inside.
        let canary = Canary::new(bench);
        Raw::default().link("l", &secret).hard("x", "l").end(bench);
        let ended = run(bench, "cat /x 2> /dev/null || echo nothing");
        canary.holds("a name of a link", &ended);
        assert_eq!(ended.succeeded(), "nothing\n");
    });
}

/// The names of the extended attributes of a file, as GNU tar sees them.
fn attributes(file: &Path) -> Vec<String> {
    let mut tar = Command::new("tar");
    tar.args(["--format=posix", "--xattrs", "--xattrs-include=*", "-cf", "-", "-C"]);
    let packed = tar.arg(file.parent().unwrap()).arg(file.file_name().unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&packed.stdout).into_owned();
    let names = text.split("SCHILY.xattr.").skip(1).filter_map(|rest| rest.split('=').next());
    names.map(str::to_owned).collect()
}

#[test]
fn nothing_that_gives_rights_is_on_the_disk() {
    as_each_user(|bench| {
        let mut archive = Raw::default().pax(&[
            ("SCHILY.xattr.security.capability", b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            ("SCHILY.xattr.user.overlay.redirect", b"/etc"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.user.note", b"kept"),
        ]);
        archive.header("tool", EntryType::Regular, "", 0o6755, 4);
        archive = archive.content(b"tool");
        archive.header("box", EntryType::Directory, "", 0o3777, 0);
        archive.end(bench);
        let ended = run(bench, "stat -c '%a %n' /tool /box");
        assert_eq!(ended.succeeded(), "755 /tool\n3777 /box\n");
        let layers: Vec<_> = fs::read_dir(bench.path("cache/nsscript/layers")).unwrap().collect();
        let tool = |layer: &fs::DirEntry| layer.path().join("tree/tool");
        let tool = layers.iter().map(|it| tool(it.as_ref().unwrap())).find(|it| it.exists());
        let tool = tool.unwrap();
        assert_eq!(fs::metadata(&tool).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(attributes(&tool), ["user.note"]);
        // What the archive said is told all the same, and packed again.
        let recipe = r#"let root = rootfs().tar("attack.tar");
            print(root.manifest());
            assert_eq(rootfs().tar({ root.pack("again.tar"); "again.tar" }).digest(), root.digest());"#;
        let told = bench.recipe(recipe).end().succeeded();
        assert!(told.contains("f 6755 0:0 4:"), "{told}");
        for name in ["security.capability=", "user.overlay.redirect=/etc", "user.note=kept"] {
            assert!(told.contains(name), "{name} in {told}");
        }
    });
}

#[test]
fn rights_are_built_only_where_they_are_asked_for() {
    as_each_user(|bench| {
        let mut archive = Raw::default();
        archive.header("tool", EntryType::Regular, "", 0o4755, 0);
        archive.end(bench);
        let recipe = r#"let root = rootfs().tar("attack.tar");
            root.build("plain"); root.build("rights", #{ setuid: true });"#;
        bench.recipe(recipe).end().succeeded();
        let mode = |name: &str| fs::metadata(bench.path(name)).unwrap().mode() & 0o7777;
        assert_eq!((mode("plain/tool"), mode("rights/tool")), (0o755, 0o4755));
    });
}

#[test]
fn devices_are_left_out_with_one_warning_and_none_takes_anything_away() {
    as_each_user(|bench| {
        let mut archive = Raw::default().directory("dev");
        for (name, minor) in [("dev/one", 3), ("dev/two", 5)] {
            let mut header = Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(EntryType::Char);
            header.set_mode(0o666);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(0);
            header.set_device_major(1).unwrap();
            header.set_device_minor(minor).unwrap();
            header.set_cksum();
            archive.bytes.extend(header.as_bytes());
        }
        archive.end(bench);
        let ended = run(bench, "ls /dev; cat /dev/one || echo closed");
        let warned = ended.stderr.matches("left out, because only root can create devices").count();
        assert_eq!(warned, usize::from(!bench.user.is_root()), "{}", ended.stderr);
        // A device of a root is none that could be opened.
        let shown = if bench.user.is_root() { "one\ntwo\n" } else { "" };
        assert_eq!(ended.succeeded(), format!("{shown}closed\n"));
        Raw::default().file("x", "").add("x", EntryType::Char, "", b"").end(bench);
        let said = run(bench, "true").failed(125);
        assert!(said.contains("is device 0:0"), "{said}");
    });
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    as_each_user(|bench| {
        let long = "n".repeat(300);
        for (key, value) in
            [("path", long.as_bytes()), ("path", b"a\0b"), ("linkpath", b"a\0b".as_slice())]
        {
            let canary = Canary::new(bench);
            Raw::default().pax(&[(key, value)]).hard("x", "y").end(bench);
            let ended = run(bench, "true");
            canary.holds(key, &ended);
            let said = ended.failed(125);
            assert!(said.contains("no name that a file can have"), "{said}");
            nothing_is_kept(bench);
        }
    });
}

#[test]
fn what_an_archive_says_does_not_decide_how_much_memory_is_used() {
    as_each_user(|bench| {
        let mut endless = Raw::default();
        endless.header("pax", EntryType::XHeader, "", 0o644, 8 << 30);
        endless.end(bench);
        let said = run(bench, "true").failed(125);
        assert!(said.contains("has a header of more than 1 MiB"), "{said}");
        for (map, size) in [
            ("0,1,0,1", "4"),
            ("8,1", "4"),
            ("18446744073709551615,2", "4"),
            ("0,2", "4"),
            ("x", "4"),
        ] {
            let records =
                [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())];
            Raw::default().pax(&records).file("holes", "x").end(bench);
            let said = run(bench, "true").failed(125);
            assert!(said.contains("has holes that do not lie in it"), "{map}: {said}");
        }
        nothing_is_kept(bench);
    });
}

#[test]
fn small_archives_do_not_become_large_in_memory() {
    as_each_user(|bench| {
        let refused = |raw: Raw, why: &str| {
            raw.end(bench);
            let said = run(bench, "true").failed(125);
            assert!(said.contains(why), "{why}: {said}");
            nothing_is_kept(bench);
        };
        // One attribute for thousands of members.
        let value = vec![b'1'; 60_000];
        let mut raw = Raw::default().global(&[("SCHILY.xattr.user.a", &value)]);
        for number in 0..2000 {
            raw = raw.file(&format!("f{number}"), "");
        }
        refused(raw, "has more than 64 MiB of extended attributes");
        // Headers for all members that add up; those that mean nothing do not count.
        let mut raw = Raw::default();
        for number in 0..20 {
            let (unknown, key) = (format!("c{number}"), format!("SCHILY.xattr.user.{number}"));
            raw = raw.global(&[(&unknown, &vec![b'1'; 900_000]), (&key, &value)]);
        }
        refused(raw.file("x", ""), "has a header of more than 1 MiB");
        let long = format!("SCHILY.xattr.{}", "a".repeat(300));
        for (key, size) in [(long.as_str(), 1), ("SCHILY.xattr.user.a", 70_000)] {
            let raw = Raw::default().pax(&[(key, &vec![b'1'; size])]).file("x", "");
            refused(raw, "which no file can have");
        }
        // Directories on the way count, and no path has too many of them.
        let path = ["a/".repeat(300), "b".into()].concat();
        let raw = Raw::default().pax(&[("path", path.as_bytes())]).file("x", "");
        refused(raw, "has a path that is too long");
        // Sizes that nothing can have.
        for size in [&b"18446744073709551615"[..], b"9223372036854775807"] {
            refused(Raw::default().pax(&[("size", size)]).file("x", ""), "holds more than 8 GiB");
        }
        let mut raw = Raw::default();
        raw.header("x", EntryType::Regular, "", 0o644, 0);
        raw.bytes[124..136].fill(0xff);
        let sum: u32 = raw
            .bytes
            .iter()
            .enumerate()
            .map(|(place, byte)| if (148..156).contains(&place) { 32 } else { u32::from(*byte) })
            .sum();
        raw.bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        raw.end(bench);
        let said = run(bench, "true").failed(125);
        assert!(!said.contains("panicked"), "{said}");
    });
}

#[test]
fn nothing_below_goes_missing_as_a_file_takes_the_place_of_its_directory() {
    as_each_user(|bench| {
        Raw::default().directory("d").file("d/x", "below").end(bench);
        fs::rename(bench.path("attack.tar"), bench.path("base.tar")).unwrap();
        bench.directory("cache");
        for raw in [Raw::default().directory("d").file("d", "2"), Raw::default().file("d", "2")] {
            raw.end(bench);
            let recipe = r#"print(rootfs().tar("base.tar").tar("attack.tar").tree());"#;
            let launch = bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("cache"));
            let said = launch.end().failed(125);
            assert!(said.contains("takes the place of a directory that holds something"), "{said}");
        }
        // Two names of each other are one file.
        Raw::default().file("a", "hi").hard("b", "a").hard("a", "b").end(bench);
        let recipe = r#"print(rootfs().tar("attack.tar").tree());"#;
        let launch = bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("cache"));
        assert_eq!(launch.end().succeeded(), "/\n├── a\n└── b (the same file as /a)\n");
    });
}

#[test]
fn archives_stop_at_the_limit() {
    as_each_user(|bench| {
        // A file of 10 GiB in two kilobytes: one hole.
        let records: [(&str, &[u8]); 3] = [
            ("GNU.sparse.realsize", b"10737418240"),
            ("GNU.sparse.numblocks", b"0"),
            ("GNU.sparse.map", b"10737418240,0"),
        ];
        Raw::default().pax(&records).file("hole", "").end(bench);
        let said = run(bench, "true").failed(125);
        assert!(said.contains("holds more than 8 GiB"), "{said}");
        nothing_is_kept(bench);
        // 10 GiB of zeros, of which only as much is decompressed as may be.
        let mut raw = Raw::default();
        raw.header("zeros", EntryType::Regular, "", 0o644, (1 << 33) - 1);
        let mut bomb = zstd::encode_all(raw.bytes.as_slice(), 1).unwrap();
        let zeros = zstd::encode_all(vec![0_u8; 64 << 20].as_slice(), 1).unwrap();
        for _ in 0..160 {
            bomb.extend(&zeros);
        }
        bench.file("attack.tar", bomb);
        let recipe = r#"sandbox(rootfs().tar("attack.tar", #{ limit: "64M" })).run("true");"#;
        let launch = bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("cache"));
        let said = launch.end().failed(125);
        assert!(said.contains("holds more than 64 MiB"), "{said}");
        assert!(said.contains("raise the limit with `limit: \"128M\"`"), "{said}");
        nothing_is_kept(bench);
        // The same without a size in a header: many small files.
        let mut many = Vec::new();
        let mut raw = Raw::default();
        raw.header("one", EntryType::Regular, "", 0o644, 1 << 20);
        let file = raw.content(&vec![0; 1 << 20]).bytes;
        for _ in 0..80 {
            many.write_all(&file).unwrap();
        }
        bench.file("attack.tar", many);
        let launch = bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("cache"));
        let said = launch.end().failed(125);
        assert!(said.contains("holds more than 64 MiB"), "{said}");
        nothing_is_kept(bench);
    });
}

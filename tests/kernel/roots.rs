//! The kinds of roots, and what becomes of changes in them.

use crate::support::{Bench, HOST, TREE, as_each_user, may_mount};

/// The host's programs, for a root that has none.
const SYSTEM: &str =
    r#".bind("/usr").bind("/bin").bind("/lib").bind("/lib64", #{ optional: true })"#;

/// A directory to be a root: a file, a directory with a file, and places for the host's programs.
fn make_root(bench: &Bench) {
    for directory in ["usr", "bin", "lib", "lib64", "proc"] {
        bench.directory(&format!("root/{directory}"));
    }
    bench.file("root/motd", "hello\n");
    bench.file("root/data/kept", "kept\n");
}

/// Two runs in one sandbox, one after the other.
fn twice(bench: &Bench, guest: &str, scripts: [&str; 2]) -> String {
    let recipe = format!(
        "let guest = {guest};
        guest.run([\"sh\", \"-c\", args[0]]);
        guest.run([\"sh\", \"-c\", args[1]]);"
    );
    bench.nsscript(&["-e", &recipe, scripts[0], scripts[1]]).end().succeeded()
}

#[test]
fn an_empty_root_holds_what_is_mounted_in_it_and_can_be_written_to() {
    as_each_user(|bench| {
        let guest = format!(r#"sandbox(){SYSTEM}.tmpfs("/a/b")"#);
        let seen = bench.seen(&guest, "ls -A / /a && stat -c %a / && touch /x && mkdir /y");
        let seen: Vec<_> = seen.split_whitespace().filter(|word| *word != "lib64").collect();
        assert_eq!(seen, ["/:", "a", "bin", "lib", "usr", "/a:", "b", "755"]);
        let said = bench.sh(&format!("sandbox(){SYSTEM}.read_only_root()"), "> /x").failed(2);
        assert!(said.contains("Read-only file system"), "{said}");
        let said = bench.recipe(r#"sandbox().run("true")"#).end().failed(127);
        assert!(said.contains("program `true` not found in the sandbox"), "{said}");
    });
}

#[test]
fn changes_of_a_rootfs_vanish() {
    as_each_user(|bench| {
        let change = "touch /new && rm /bin/env /usr/bin/env 2> /dev/null; echo x > /etc/motd";
        let guest = format!(
            r#"{TREE}.root(rootfs().binaries(["sh", "ls", "cat", "touch", "rm", "env"])
            .file("/etc/motd", "hello\n"))"#
        );
        let seen = twice(bench, &guest, [change, "ls / && cat /etc/motd && env true || ls /"]);
        assert!(!seen.contains("new") && seen.contains("hello\n"), "{seen}");
    });
}

#[test]
fn a_read_only_rootfs_refuses_changes_but_not_below_its_mounts() {
    as_each_user(|bench| {
        let guest = format!(r#"{TREE}.tmpfs("/made/by/mount").directory("/etc").read_only_root()"#);
        let script = "touch /made/by/mount/x && touch /etc/x /new";
        let ended = bench.sh(&guest, script);
        let said = ended.failed(1);
        assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
    });
}

#[test]
fn the_files_of_a_rootfs_belong_to_the_user_inside() {
    as_each_user(|bench| {
        let seen = bench.seen(TREE, "stat -L -c '%u:%g %a' / /tmp /usr $(command -v sh)");
        assert_eq!(seen, "0:0 755\n0:0 1777\n0:0 755\n0:0 755\n");
    });
}

#[test]
fn changes_of_a_directory_vanish_and_the_host_has_none() {
    as_each_user(|bench| {
        make_root(bench);
        let guest = format!(r#"sandbox("root"){SYSTEM}"#);
        let change = "set -e
            echo changed > /motd; rm /data/kept; rmdir /data; mkdir /data; touch /data/new /new
            cat /motd; ls /data /new";
        let seen = twice(bench, &guest, [change, "cat /motd; ls /data; ls -d /n* || true"]);
        assert_eq!(seen, "changed\n/new\n\n/data:\nnew\nhello\nkept\n");
        assert_eq!(bench.content("root/motd"), "hello\n");
        assert_eq!(bench.content("root/data/kept"), "kept\n");
        assert!(!bench.path("root/new").exists());
    });
}

#[test]
fn read_only_holds_for_the_mounts_below_a_root_too() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        make_root(bench);
        bench.directory("root/sub");
        let setup = "for place in root/sub /mnt; do
                mount -t tmpfs -o mode=777 none $place && echo in > $place/file
                chmod 666 $place/file
            done";
        let directory = format!(r#"sandbox("root"){SYSTEM}.read_only_root()"#);
        let roots = [(HOST.to_owned(), "/mnt"), (directory, "/sub")];
        for (guest, place) in roots {
            let script = format!("cd {place} && cat file && echo out > file || touch new");
            let ended = bench.script(&guest, &script).in_world(setup).end();
            assert_eq!(ended.stdout, "in\n", "{guest}: {}", ended.stderr);
            assert_eq!(
                ended.stderr.matches("Read-only file system").count(),
                2,
                "{}",
                ended.stderr
            );
        }
    });
}

#[test]
fn chroot_enters_the_same_root() {
    as_each_user(|bench| {
        for guest in [HOST, TREE] {
            let pivoted = bench.seen(guest, "ls / && stat -c %i /proc && pwd");
            let rooted =
                bench.seen(&format!("{guest}.chroot()"), "ls / && stat -c %i /proc && pwd");
            assert_eq!(rooted, pivoted);
        }
        let said = bench.sh(&format!("{HOST}.chroot()"), "touch /usr/x").failed(1);
        assert!(said.contains("Read-only file system"), "{said}");
    });
}

#[test]
fn with_mounts_shared_a_root_is_a_directory_as_it_is() {
    as_each_user(|bench| {
        let made = bench.recipe(r#"rootfs().binaries(["sh", "ls", "touch"]).build("root")"#).end();
        made.succeeded();
        let guest = r#"sandbox("root").share(MOUNT).chroot()"#;
        let seen = bench.seen(guest, "touch /new && ls -d /new /etc/passwd; pwd");
        assert_eq!(seen, "/new\n/\n");
        assert!(bench.path("root/new").exists());
        for guest in [r#"sandbox("root").share(MOUNT)"#, "sandbox().share(MOUNT).chroot()"] {
            let said = bench.sh(guest, "true").failed(125);
            assert!(said.contains("can only chroot into a directory"), "{said}");
        }
        let said =
            bench.sh(r#"sandbox("root").share(MOUNT).chroot().tmpfs("/tmp")"#, "true").failed(125);
        assert!(said.contains("if MOUNT is shared"), "{said}");
    });
}

#[test]
fn with_mounts_shared_nothing_is_called_read_only_that_is_not() {
    as_each_user(|bench| {
        bench.recipe(r#"rootfs().binaries(["sh", "touch"]).build("root")"#).end().succeeded();
        let guest = r#"sandbox("root").share(MOUNT).chroot().read_only_root()"#;
        bench.sh(guest, "touch /new");
        assert!(!bench.path("root/new").exists(), "the read-only root was written to");
    });
}

#[test]
fn a_device_that_vanishes_between_two_launches_is_an_error() {
    as_each_user(|bench| {
        let recipe = r#"
            let place = `${scratch()}/null`;
            write_file(place, "");
            mount("/dev/null", place, #{ bind: true });
            let guest = sandbox(rootfs().binaries(["sh", "ls"]).device(place));
            guest.run(["sh", "-c", "test -c " + place]);
            umount(place);
            remove(place);
            guest.run(["sh", "-c", "ls -l " + place]);"#;
        let said = bench.recipe(recipe).end().failed(125);
        assert!(said.contains("error: device `") && said.contains("null` not found"), "{said}");
        assert!(said.contains("<command line>:5:"), "{said}");
    });
}

#[test]
fn programs_find_the_shell_at_its_usual_place() {
    if !crate::support::have(&["make", "awk", "python3"]) {
        return;
    }
    as_each_user(|bench| {
        let root = r##"rootfs().binaries(["sh", "awk", "ls", "make"]).binary("/usr/bin/python3", #{ data: true })
            .file("/work/Makefile", "all:\n\t@ls /work; echo made by $$0\n")
            .file("/work/script", "#!/bin/sh\necho script\n", #{ mode: 0o755 })"##;
        let guest = format!("sandbox({root})");
        let seen =
            |command: &str| bench.recipe(&format!("({guest}).run({command})")).end().succeeded();
        assert!(seen(r#"["awk", "BEGIN { system(\"ls /\") }"]"#).contains("work\n"));
        assert_eq!(seen(r#"["make", "-C", "/work", "-s"]"#), "Makefile\nscript\nmade by /bin/sh\n");
        assert_eq!(seen(r#"["/work/script"]"#), "script\n");
        let python = r#"import subprocess; subprocess.run("ls /work", shell=True, check=True)"#;
        let python = format!(r#"["/usr/bin/python3", "-c", `{python}`]"#);
        if std::path::Path::new("/usr/bin/python3").exists() {
            assert_eq!(seen(&python), "Makefile\nscript\n");
        }
    });
}

#[test]
fn links_of_the_host_leave_what_a_recipe_makes() {
    as_each_user(|bench| {
        // A directory of the recipe stays one, and the shell is in it under its other name.
        for before in [
            r##".file("/bin/tool", "#!/bin/sh\necho tool\n", #{ mode: 0o755 })"##,
            r##".directory("/bin").file("/bin/tool", "#!/bin/sh\necho tool\n", #{ mode: 0o755 })"##,
        ] {
            let guest = format!(r#"sandbox(rootfs(){before}.binaries(["sh", "readlink", "ls"]))"#);
            let script = "/bin/tool; readlink /bin || ls -d /bin/sh";
            assert_eq!(bench.seen(&guest, script), "tool\n/bin/sh\n", "{before}");
        }
        // A link of the recipe's own stays as well; one that comes later replaces the host's.
        let guest = r#"sandbox(rootfs().symlink("other", "/bin").binaries(["sh", "readlink"]))"#;
        assert_eq!(bench.seen(guest, "readlink /bin"), "other\n");
        // Without the target directory, there is no link.
        let listed = bench.recipe(r#"print(rootfs().file("/etc/x", "").manifest())"#).end();
        assert!(!listed.succeeded().contains("/bin"));
        // A later file goes where the link leads; two runs give one digest.
        let recipe = r#"let root = rootfs().binaries(["sh", "cat"]).file("/bin/data", "text");
            sandbox(root).run("cat /bin/data"); print(root.digest() == rootfs()
            .binaries(["sh", "cat"]).file("/bin/data", "text").digest());"#;
        assert_eq!(bench.recipe(recipe).end().succeeded(), "texttrue\n");
    });
}

#[test]
fn an_archive_on_top_goes_where_links_of_the_host_lead() {
    if !crate::support::have(&["tar"]) {
        return;
    }
    as_each_user(|bench| {
        bench.file("up/bin/tool", "#!/bin/sh\necho tool\n");
        bench.mode("up/bin/tool", 0o755);
        let archive = bench.text("up.tar");
        let mut tar = std::process::Command::new("tar");
        let made = tar.args(["-C", &bench.text("up"), "-cf", &archive, "bin"]).status();
        assert!(made.unwrap().success());
        for root in [
            format!(r#"rootfs().binaries(["sh"]).tar("{archive}")"#),
            format!(r#"rootfs().tar("{archive}").binaries(["sh"])"#),
        ] {
            let seen = bench.recipe(&format!(r#"sandbox({root}).run("/bin/tool")"#)).end();
            assert_eq!(seen.succeeded(), "tool\n", "{root}");
        }
    });
}

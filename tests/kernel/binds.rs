//! Files and directories of the host inside.

use crate::support::{HOST, TREE, as_each_user, may_mount};

#[test]
fn a_bound_directory_is_the_hosts() {
    as_each_user(|bench| {
        bench.file("data/file", "old\n");
        let guest = format!(r#"{TREE}.bind("data", "/data")"#);
        let seen =
            bench.seen(&guest, "cat /data/file && echo new > /data/file && mkdir /data/made");
        assert_eq!(seen, "old\n");
        assert_eq!(bench.content("data/file"), "new\n");
        assert!(bench.path("data/made").is_dir());
    });
}

#[test]
fn read_only_is_refused_every_way_of_writing() {
    as_each_user(|bench| {
        bench.file("data/file", "old\n");
        let guest = format!(r#"{TREE}.bind("data", "/data", #{{ read_only: true }})"#);
        let script = r#"
            cat /data/file
            for change in "echo new > /data/file" "echo new >> /data/file" "touch /data/file" \
                "touch /data/x" "mkdir /data/x" "rm /data/file" "chmod 777 /data/file"
            do
                sh -c "$change" 2>&1 | grep -q "Read-only file system" || echo "$change"
            done"#;
        let guest = guest.replacen(".binaries([", r#".binaries(["grep", "#, 1);
        assert_eq!(bench.seen(&guest, script), "old\n");
        assert_eq!(bench.content("data/file"), "old\n");
    });
}

#[test]
fn read_only_holds_for_the_mounts_below_the_source() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.directory("data/sub");
        let setup = "mount -t tmpfs -o mode=777 none data/sub && echo old > data/sub/file
            mkdir data/sub/deep && mount -t tmpfs -o mode=777 none data/sub/deep
            chmod 666 data/sub/file";
        let guest = format!(r#"{TREE}.bind("data", "/data", #{{ read_only: true }})"#);
        let script = "cat /data/sub/file; echo new > /data/sub/file; touch /data/sub/deep/new";
        let ended = bench.script(&guest, script).in_world(setup).end();
        assert_eq!(ended.stdout, "old\n", "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("Read-only file system").count(), 2, "{}", ended.stderr);
        let writable = format!(r#"{TREE}.bind("data", "/data")"#);
        let ended = bench.script(&writable, "touch /data/sub/deep/new").in_world(setup).end();
        ended.succeeded();
    });
}

#[test]
fn what_is_mounted_below_the_source_is_never_uncovered() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.file("data/sub/covered", "");
        let setup = "mount -t tmpfs -o mode=777 none data/sub";
        let guest = format!(r#"{TREE}.bind("data", "/data", #{{ recursive: false }})"#);
        // The kernel lets nobody look below a mount who could not have unmounted it.
        let ended = bench.script(&guest, "ls /data/sub").in_world(setup).end();
        assert!(!ended.stdout.contains("covered"), "{}", ended.stdout);
        let said = ended.failed(125);
        assert!(said.contains("`/data`") && said.contains("(EINVAL)"), "{said}");
        if bench.user.is_root() {
            let shared = format!("{guest}.share(USER)");
            let seen = bench.script(&shared, "ls /data/sub").in_world(setup).end().succeeded();
            assert_eq!(seen, "covered\n", "with the rights of the host, on request");
        }
    });
}

#[test]
fn files_can_be_bound() {
    as_each_user(|bench| {
        bench.file("one", "one\n");
        bench.file("two", "two\n");
        let guest = format!(
            r#"{TREE}.bind("one", "/one").bind("two", "/made/for/two", #{{ read_only: true }})"#
        );
        let script = "cat /one /made/for/two; echo new > /one; echo new > /made/for/two";
        let ended = bench.sh(&guest, script);
        assert_eq!(ended.stdout, "one\ntwo\n", "{}", ended.stderr);
        assert!(ended.stderr.contains("Read-only file system"), "{}", ended.stderr);
        assert_eq!([bench.content("one"), bench.content("two")], ["new\n", "two\n"]);
    });
}

#[test]
fn sources_begin_at_the_recipe_and_links_to_them_are_followed() {
    as_each_user(|bench| {
        bench.file("recipes/data/file", "found\n");
        bench.link("data", "recipes/link");
        let recipe =
            format!(r#"{TREE}.bind("data", "/a").bind("./link", "/b").run("cat /a/file /b/file")"#);
        bench.file("recipes/one.rhai", recipe);
        assert_eq!(bench.nsscript(&["recipes/one.rhai"]).end().succeeded(), "found\nfound\n");
    });
}

#[test]
fn a_missing_source_is_an_error_unless_it_is_optional() {
    as_each_user(|bench| {
        bench.file("data", "");
        let recipe = format!(r#"{TREE}.bind("dota", "/data").run("ls /data")"#);
        let said = bench.recipe(&recipe).end().failed(125);
        assert!(said.contains("does not exist") && said.contains("did you mean"), "{said}");
        let guest = format!(r#"{TREE}.bind("dota", "/data", #{{ optional: true }})"#);
        assert_eq!(bench.seen(&guest, "ls -d /data 2> /dev/null || echo none"), "none\n");
    });
}

#[test]
fn a_place_is_made_in_the_root_but_never_on_the_host() {
    as_each_user(|bench| {
        bench.file("data/file", "found\n");
        bench.directory("other");
        let seen = bench.seen(&format!(r#"{TREE}.bind("data", "/a/b/c")"#), "cat /a/b/c/file");
        assert_eq!(seen, "found\n");
        let below = format!(r#"{TREE}.bind("other", "/other").bind("data", "/other/data")"#);
        let said = bench.sh(&below, "true").failed(125);
        assert!(said.contains("would be created on the host"), "{said}");
        assert!(!bench.path("other/data").exists());
        let read_only =
            r#".bind("other", "/other", #{ read_only: true }).bind("data", "/other/data")"#;
        let said = bench.sh(&format!("{TREE}{read_only}"), "true").failed(125);
        assert!(said.contains("cannot be created below a read-only mount"), "{said}");
    });
}

#[test]
fn a_directory_is_bound_on_a_directory_and_a_file_on_a_file() {
    as_each_user(|bench| {
        bench.file("data/file", "");
        for (source, target, wrong) in [
            ("data", "/etc/passwd", "is a file, not a directory"),
            ("data/file", "/etc", "is a directory, not a file"),
        ] {
            let guest = format!(r#"{HOST}.bind("{source}", "{target}")"#);
            let said = bench.sh(&guest, "true").failed(125);
            assert!(said.contains(wrong), "{said}");
        }
    });
}

#[test]
fn devices_programs_and_set_user_id_bits_are_options() {
    as_each_user(|bench| {
        bench.file("data/program", "#!/bin/sh\necho executed\n");
        bench.mode("data/program", 0o755);
        let bound = |options: &str| {
            format!(r#"{HOST}.tmpfs("/mnt").bind("data", "/mnt/d", #{{ {options} }})"#)
        };
        let options = |options: &str| {
            let seen = bench
                .seen(&bound(options), "while read -r line; do echo $line; done < /proc/mounts");
            let line = seen.lines().find(|line| line.contains(" /mnt/d ")).unwrap().to_owned();
            ["nosuid", "nodev", "noexec"]
                .map(|flag| line.split([' ', ',']).any(|word| word == flag))
        };
        assert_eq!(options(""), [true, true, false]);
        assert_eq!(options("devices: true, suid: true"), [false, false, false]);
        assert_eq!(options("exec: false"), [true, true, true]);
        assert_eq!(bench.seen(&bound(""), "/mnt/d/program"), "executed\n");
        let said =
            bench.recipe(&format!(r#"{}.run("/mnt/d/program")"#, bound("exec: false"))).end();
        let said = said.failed(126);
        assert!(said.contains("(EACCES)") && said.contains("`exec: true`"), "{said}");
    });
}

#[test]
fn links_are_followed_unless_that_is_refused() {
    as_each_user(|bench| {
        bench.file("data/file", "content\n");
        std::os::unix::fs::symlink("file", bench.path("data/link")).unwrap();
        let script = "cat /data/file; cat /data/link 2>&1; readlink /data/link";
        let bound = |options: &str| {
            let tree = TREE.replacen(".binaries([", r#".binaries(["readlink", "#, 1);
            bench.seen(&format!(r#"{tree}.bind("data", "/data", #{{ {options} }})"#), script)
        };
        assert_eq!(bound(""), "content\ncontent\nfile\n");
        let refused = bound("symlinks: false");
        assert!(refused.starts_with("content\n") && refused.ends_with("file\n"), "{refused}");
        assert!(refused.contains("Too many levels of symbolic links"), "{refused}");
        let mounted = format!(
            r#"{TREE}.mount("t", "/data", #{{ type: "tmpfs", symlinks: false }})
                .symlink("/etc", "/data/link")"#
        );
        assert_eq!(
            bench.seen(&mounted, "ls /data/link/ 2> /dev/null || echo refused"),
            "refused\n"
        );
    });
}

#[test]
fn a_device_works_only_where_devices_do() {
    as_each_user(|bench| {
        for (options, works) in [("", false), ("devices: true", true)] {
            let guest = format!(r#"{TREE}.bind("/dev/null", "/null", #{{ {options} }})"#);
            let seen = bench.seen(&guest, "(: > /null) 2> /dev/null && echo works || echo refused");
            assert_eq!(seen, if works { "works\n" } else { "refused\n" });
        }
    });
}

#[test]
fn flags_of_the_source_are_kept() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.directory("data");
        let setup = "mount -t tmpfs -o nosuid,nodev,noexec,ro,noatime none data";
        let all = "devices: true, suid: true, exec: true, read_only: false";
        let guest = format!(r#"{TREE}.bind("data", "/data", #{{ {all} }})"#);
        let script = "while read -r line; do echo $line; done < /proc/mounts";
        let seen = bench.script(&guest, script).in_world(setup).end().succeeded();
        let line = seen.lines().find(|line| line.contains(" /data ")).unwrap();
        for flag in ["nosuid", "nodev", "noexec", "ro", "noatime"] {
            assert!(line.split([' ', ',']).any(|word| word == flag), "{flag} of {line}");
        }
    });
}

#[test]
fn a_source_that_may_not_be_read_is_told() {
    as_each_user(|bench| {
        bench.directory("shut/in");
        bench.mode("shut", 0o000);
        for options in ["#{ optional: true }", "#{}"] {
            let ended =
                bench.sh(&format!(r#"{TREE}.bind("shut/in", "/data", {options})"#), "ls -d /data");
            if bench.user.is_root() {
                assert_eq!(ended.succeeded(), "/data\n", "root goes everywhere");
                continue;
            }
            let said = ended.failed(125);
            assert!(said.contains("shut") && said.contains("permission denied"), "{said}");
        }
    });
}

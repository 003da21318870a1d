//! Binds whose ids are mapped: files of id N on the host belong to id N of the sandbox.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

use crate::support::{Bench, HOST, TREE, as_each_user, maps_ids, may_mount};

/// The steps that map 65536 ids, none of them to itself.
const MAPS: &str = ".map_user(0, 200000, 65536).map_group(0, 200000, 65536)";

/// A directory `data` of root, with a file of root, one of user 1000, one of nobody who is mapped, and
/// a directory of user 1000.
fn data(bench: &Bench) {
    for (name, id) in [("data/root", 0), ("data/user", 1000), ("data/other", 100_000)] {
        let path = bench.file(name, format!("{id}\n"));
        bench.mode(name, 0o640);
        chown(path, Some(id), Some(id)).unwrap();
    }
    let own = bench.directory("data/own");
    bench.mode("data/own", 0o700);
    chown(own, Some(1000), Some(1000)).unwrap();
}

/// The owner and the group of a file on the host.
fn owner(bench: &Bench, name: &str) -> (u32, u32) {
    let found = fs::symlink_metadata(bench.path(name)).unwrap();
    (found.uid(), found.gid())
}

/// Whether ids can be mapped, which only root does.
fn can_map(bench: &Bench) -> bool {
    bench.user.is_root() && maps_ids(&bench.base())
}

const LIST: &str = "stat -c '%u:%g %n' /data/root /data/user /data/other";

#[test]
fn files_belong_to_the_same_numbers_inside() {
    as_each_user(|bench| {
        if !can_map(bench) {
            return;
        }
        data(bench);
        let plain = bench.seen(&format!(r#"{TREE}{MAPS}.bind("data", "/data")"#), LIST);
        let nobody =
            ["/data/root", "/data/user", "/data/other"].map(|it| format!("65534:65534 {it}\n"));
        assert_eq!(plain, nobody.concat());
        let guest = format!(
            r#"{TREE}{MAPS}.user(1000).group(1000).bind("data", "/data", #{{ idmap: true }})"#
        );
        let script = format!(
            "{LIST}; cat /data/user; cat /data/root || echo closed
            echo new > /data/own/new; mkdir /data/own/made; touch /data/x || echo refused
            stat -c '%u:%g' /data/own/new"
        );
        let seen = bench.sh(&guest, &script);
        let owners = "0:0 /data/root\n1000:1000 /data/user\n65534:65534 /data/other\n";
        let rest = "1000\nclosed\nrefused\n1000:1000\n";
        assert_eq!(seen.stdout, format!("{owners}{rest}"), "{}", seen.stderr);
        for name in ["data/user", "data/own", "data/own/new", "data/own/made"] {
            assert_eq!(owner(bench, name), (1000, 1000), "{name}");
        }
        assert_eq!(owner(bench, "data/root"), (0, 0));
        assert_eq!(owner(bench, "data/other"), (100_000, 100_000));
        assert!(!bench.path("data/x").exists());
    });
}

#[test]
fn root_of_the_sandbox_has_the_files_of_root() {
    as_each_user(|bench| {
        if !can_map(bench) {
            return;
        }
        data(bench);
        // Two binds, one of a file; and the map that differs for users and groups.
        let guest = format!(
            r#"{TREE}.map_user(0, 300000, 2000).map_group(0, 400000, 2000)
            .bind("data", "/data", #{{ idmap: true }}).bind("data/root", "/file", #{{ idmap: true, read_only: true }})"#
        );
        let script = "cat /file /data/root; echo new > /data/root; touch /data/made
            echo x > /file || echo refused; cat /data/user || echo closed; stat -c %u:%g /data/made";
        let seen = bench.sh(&guest, script);
        assert_eq!(seen.stdout, "0\n0\nrefused\nclosed\n0:0\n", "{}", seen.stderr);
        assert!(seen.stderr.contains("Read-only file system"), "{}", seen.stderr);
        assert_eq!(owner(bench, "data/made"), (0, 0));
        assert_eq!(bench.content("data/root"), "new\n");
    });
}

#[test]
fn a_map_of_one_id_is_one() {
    as_each_user(|bench| {
        if !can_map(bench) {
            return;
        }
        data(bench);
        let guest =
            format!(r#"{TREE}.user(1000).group(1000).bind("data", "/data", #{{ idmap: true }})"#);
        let script = format!("id -u; {LIST}; touch /data/own/new; cat /data/user");
        let seen = bench.seen(&guest, &script);
        let owners = "65534:65534 /data/root\n1000:1000 /data/user\n65534:65534 /data/other\n";
        assert_eq!(seen, format!("1000\n{owners}1000\n"));
        assert_eq!(owner(bench, "data/own/new"), (1000, 1000));
    });
}

#[test]
fn there_is_nothing_to_map_where_ids_are_the_same() {
    as_each_user(|bench| {
        bench.file("data/file", "");
        let (uid, gid) = (bench.user.uid, bench.user.gid);
        let same = format!(".user({uid}).group({gid})");
        let mut steps = vec![same];
        if bench.user.is_root() {
            steps.push(".share(USER)".to_owned());
        }
        for steps in steps {
            let guest = format!(r#"{TREE}{steps}.bind("data", "/data", #{{ idmap: true }})"#);
            let seen = bench.seen(&guest, "stat -c %u:%g /data/file; touch /data/new");
            assert_eq!(seen, format!("{uid}:{gid}\n"), "{steps}");
            assert_eq!(owner(bench, "data/new"), (uid, gid), "{steps}");
            let recipe = format!(r#"{guest}.run("true");"#);
            let plan = bench.nsscript(&["plan", "-e", &recipe]).end().succeeded();
            assert!(!plan.contains("ids of"), "{plan}");
        }
    });
}

#[test]
fn only_root_maps_the_ids_of_files() {
    as_each_user(|bench| {
        if bench.user.is_root() {
            return;
        }
        bench.file("data/file", "content\n");
        let guest = format!(r#"{TREE}.bind("data", "/data", #{{ idmap: true }})"#);
        let said = bench.sh(&guest, "true").failed(125);
        assert!(
            said.contains("cannot map the ids of `") && said.contains("only root can"),
            "{said}"
        );
        assert!(said.contains("belong to user 0 of the sandbox"), "{said}");
    });
}

#[test]
fn every_process_of_a_sandbox_sees_it() {
    as_each_user(|bench| {
        if !can_map(bench) {
            return;
        }
        data(bench);
        let recipe = format!(
            r#"let sandbox = {TREE}{MAPS}.bind("data", "/data", #{{ idmap: true }});
            let process = sandbox.start(["sleep", "60"]);
            process.run(["stat", "-c", "%u", "/data/user"]);
            process.within(|| print(read_file("/data/root")));
            process.kill("KILL");
            sandbox.within(|| exec(["stat", "-c", "%g", "/data/user"]));
            parallel([1, 2], |number| sandbox.run(["stat", "-c", "%u", "/data/user"]));"#
        );
        let ended = bench.recipe(&recipe).end();
        assert_eq!(ended.stdout, "1000\n0\n\n1000\n1000\n1000\n", "{}", ended.stderr);
    });
}

#[test]
fn mounts_below_are_mapped_and_none_is_a_peer_of_the_hosts() {
    as_each_user(|bench| {
        if !can_map(bench) || !may_mount() {
            return;
        }
        data(bench);
        bench.directory("data/below");
        let setup = "mount --bind data data && mount --make-shared data
            mount --bind data/own data/below && touch data/below/file && chown 1000:1000 data/below/file";
        let guest = format!(
            r#"{HOST}{MAPS}.user(1000).group(1000).bind("data", "/mnt", #{{ idmap: true }})
            .tmpfs("/mnt/own")"#
        );
        let script = "stat -c %u:%g /mnt/below/file
            grep ' /mnt' /proc/self/mountinfo | cut -d' ' -f 5-7 | tr -d -";
        let launch = bench.script(&guest, script).in_world(setup);
        let ended = launch.by_shell("\"$@\"; grep -c tmpfs.*data/own /proc/self/mountinfo").end();
        let mounts: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(mounts[0], "1000:1000", "{}", ended.stderr);
        for (line, place) in [(1, "/mnt "), (2, "/mnt/below ")] {
            assert!(mounts[line].starts_with(place), "{mounts:?}");
            assert!(
                mounts[line].contains("nosuid,nodev") && mounts[line].contains("idmapped"),
                "{mounts:?}"
            );
            assert!(!mounts[line].contains("shared"), "{mounts:?}");
        }
        assert_eq!(*mounts.last().unwrap(), "0", "the host has the mount of a sandbox: {mounts:?}");

        let alone = guest.replacen("idmap: true", "idmap: true, recursive: false", 1);
        let said = bench.script(&alone, "true").in_world(setup).end().failed(125);
        assert!(said.contains("a sandbox may not see what it hides"), "{said}");
    });
}

#[test]
fn what_cannot_be_mapped_is_an_error() {
    as_each_user(|bench| {
        if !can_map(bench) {
            return;
        }
        bench.directory("data");
        for (steps, message, hint) in [
            (
                r#".bind("/proc/sys", "/mnt", #{ idmap: true })"#,
                "cannot map the ids of `/proc/sys` like those of the sandbox: invalid argument (EINVAL)",
                "`/proc/sys` is in a file system that cannot map ids on this kernel, proc",
            ),
            (
                r#".bind("data", "/mnt", #{ idmap: true }).keep_capabilities(["SYS_ADMIN"])"#,
                "could undo what protects the host's files at `/mnt`",
                "keep other capabilities",
            ),
            (
                r#".bind("data", "/mnt", #{ idmap: true }).propagation("/mnt", "slave")"#,
                "`/mnt` cannot be a slave: its ids are mapped",
                "leave this line out",
            ),
        ] {
            let guest =
                format!(r#"sandbox(rootfs().binary("true").directory("/mnt")){MAPS}{steps}"#);
            let said = bench.recipe(&format!(r#"{guest}.run("true");"#)).end().failed(125);
            let words: Vec<_> = said.split_whitespace().collect();
            let said = words.join(" ");
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
    });
}

#[test]
fn the_calls_that_map_ids_are_explained() {
    as_each_user(|bench| {
        if !can_map(bench) {
            return;
        }
        data(bench);
        let explained = |steps: &str| {
            let guest = format!(r#"{TREE}{steps}.bind("data", "/data", #{{ idmap: true }})"#);
            let recipe = format!(r#"{guest}.run("true");"#);
            let ended = bench.nsscript(&["--explain", "-e", &recipe]).end();
            let words: Vec<_> = ended.stderr.split_whitespace().collect();
            words.join(" ")
        };
        let calls = [
            "OPEN_TREE_CLONE|AT_RECURSIVE) = mount",
            "{attr_set=MOUNT_ATTR_IDMAP|MOUNT_ATTR_NOSUID|MOUNT_ATTR_NODEV, propagation=MS_PRIVATE, userns_fd=fd}",
        ];
        for (steps, made) in [(MAPS, "0 200000 65536"), (".user(1000)", "1000 0 1")] {
            let said = explained(steps);
            let at = said.find("map the ids of").unwrap_or_else(|| panic!("{said}"));
            for call in calls {
                assert!(said[at..].contains(call), "{call}: {said}");
            }
            // The namespace is made before, or only for this.
            let end = at + said[at..].find("start a process").unwrap();
            assert_eq!(said[at..end].contains(made), steps != MAPS, "{said}");
            assert!(said[at..].contains(", with its ids"), "{said}");
        }
    });
}

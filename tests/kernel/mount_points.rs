//! Places that the host lacks, in a view of the host.

use std::fs;
use std::path::Path;

use crate::support::schema::fitting;
use crate::support::{Bench, HOST, User, as_each_user, have, may_mount};

/// The host as a user sees it first.
const SYSTEM: &str = r#"sandbox("/")"#;

/// The names in a directory of the host.
fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The places that tests add, below directories that every host has.
const PLACES: [&str; 6] = [
    "/nsadded",
    "/nsother/deep",
    "/etc/nsadded",
    "/usr/share/nsadded/x",
    "/usr/bin/nsadded",
    "/etc/nsfile",
];

#[test]
fn a_place_is_added_anywhere_and_nothing_is_made_on_the_host() {
    as_each_user(|bench| {
        bench.file("data/file", "found\n");
        let before = ["/", "/etc", "/usr/share", "/usr/bin"].map(names);
        for system in [SYSTEM, HOST, "sandbox().host_view()"] {
            let guest = format!(
                r#"{system}.bind("data", "/nsadded").tmpfs("/nsother/deep").bind("data", "/etc/nsadded")
                .bind("data", "/usr/share/nsadded/x", #{{ read_only: true }})
                .bind("data/file", "/etc/nsfile").mount("m", "/usr/bin/nsadded", #{{ type: "tmpfs" }})"#
            );
            let script = "
                cat /nsadded/file /etc/nsadded/file /usr/share/nsadded/x/file /etc/nsfile
                touch /nsother/deep/x /usr/bin/nsadded/x
                for place in /x /nsother/x /etc/x /usr/share/x /usr/share/nsadded/x/x /usr/bin/x /usr/x; do
                    touch $place 2>&1 | grep -q 'Read-only file system' || echo $place is writable
                done
                ls -A / | grep -v -e '^nsadded$' -e '^nsother$'; echo
                ls -A /etc | grep -v -e '^nsadded$' -e '^nsfile$'; echo
                ls -A /usr/share | grep -v '^nsadded$'; echo
                ls -A /usr/bin | grep -v '^nsadded$'";
            let seen = bench.seen(&guest, &format!("export LC_ALL=C; {script}"));
            let expected = before.clone().map(|names| names.join("\n")).join("\n\n");
            assert_eq!(seen, format!("{}{expected}\n", "found\n".repeat(4)), "{system}");
            assert_eq!(before, ["/", "/etc", "/usr/share", "/usr/bin"].map(names));
            assert!(PLACES.iter().all(|place| !Path::new(place).exists()));
        }
    });
}

#[test]
fn files_directories_and_links_are_added() {
    as_each_user(|bench| {
        let passwd = fs::read("/etc/passwd").unwrap();
        let guest = format!(
            r##"{SYSTEM}.file("/etc/nsfile", "new\n", #{{ mode: 0o640 }}).file("/nsadded/file", "top\n")
            .file("/usr/bin/nstool", "#!/bin/sh\necho tool $1\n", #{{ mode: 0o755 }})
            .directory("/nsother/deep", #{{ mode: 0o711 }}).directory("/etc/nsadded", #{{ mode: 0o700 }})
            .symlink("nsfile", "/etc/nslink").symlink("/etc/nsfile", "/nslink")
            .file("/etc/passwd", "root:x:0:0::/:/bin/sh\n", #{{ mode: 0o600 }})
            .file("/etc/nsadded/in", "in\n").file("/tmp/own", "own\n")"##
        );
        let script = "
            cat /etc/nsfile /nsadded/file /etc/nslink /nslink /etc/passwd /etc/nsadded/in /tmp/own
            nstool 1; readlink /etc/nslink /nslink
            stat -c '%a %n' /etc/nsfile /nsother/deep /etc/nsadded /etc/passwd
            for place in /etc/nsfile /nsadded/file /etc/passwd /etc/nsadded/x; do
                sh -c \"echo > $place\" 2>&1 | grep -q 'Read-only file system' || echo $place is writable
            done";
        let expected = "new\ntop\nnew\nnew\nroot:x:0:0::/:/bin/sh\nin\nown\ntool 1\nnsfile\n/etc/nsfile\n\
            640 /etc/nsfile\n711 /nsother/deep\n700 /etc/nsadded\n600 /etc/passwd\n";
        assert_eq!(bench.seen(&guest, script), expected);
        assert_eq!(fs::read("/etc/passwd").unwrap(), passwd);
        assert!(!Path::new("/etc/nsfile").exists() && !Path::new("/nslink").exists());
        // The file that is covered may have been added by the recipe.
        let twice =
            format!(r#"{SYSTEM}.file("/etc/nsfile", "one\n").file("/etc/nsfile", "two\n")"#);
        assert_eq!(bench.seen(&twice, "cat /etc/nsfile"), "two\n");
        let said = bench.sh(&format!(r#"{SYSTEM}.file("/etc", "")"#), "true").failed(125);
        assert!(said.contains("`/etc` is a directory, not a file"), "{said}");
        let said = bench.sh(&format!(r#"{SYSTEM}.directory("/etc")"#), "true").failed(125);
        assert!(said.contains("cannot create `/etc`"), "{said}");
    });
}

#[test]
fn a_file_is_written_where_links_lead() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let setup = "mount -t tmpfs none /mnt && mkdir -p /mnt/real /mnt/empty
            ln -s real /mnt/link && echo old > /mnt/real/file && ln -s real/file /mnt/tofile
            ln -s /run/none/conf /mnt/dangling; ln -s /run /mnt/run";
        let guest = format!(
            r#"{SYSTEM}.file("/mnt/tofile", "new\n").file("/mnt/dangling", "run\n").file("/mnt/link/x", "x\n")
            .bind("data", "/mnt/link/y").tmpfs("/mnt/run/z")"#
        );
        bench.file("data/file", "found\n");
        let script =
            "cd /mnt; cat real/file run/none/conf /run/none/conf real/x link/y/file; ls /run";
        let ended = bench.script(&guest, script).in_world(setup).end();
        assert_eq!(ended.succeeded(), "new\nrun\nrun\nx\nfound\nnone\nz\n");
    });
}

#[test]
fn mounts_of_the_host_stay_visible_and_protected() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.file("data/file", "found\n");
        let setup = "mount -t tmpfs -o suid,dev none /mnt && cd /mnt && mkdir sub empty && echo top > file
            ln -s sub 'a link' && mkfifo fifo && mount -t tmpfs -o suid,dev none sub && mkdir sub/deep
            mount -t tmpfs none sub/deep && echo deep > sub/deep/file && chmod -R a+rwX . && cd - > /dev/null";
        let guest = format!(
            r#"{SYSTEM}.bind("data", "/mnt/nsadded/x").tmpfs("/mnt/sub/new").file("/mnt/nsfile", "new\n")
            .bind("data", "/nsadded")"#
        );
        let script = "
            cd /mnt; ls; cat file nsfile sub/deep/file 'a link/deep/file' nsadded/x/file /nsadded/file
            [ -p fifo ] || echo no fifo
            for place in x sub/x sub/deep/x empty/x nsadded/y file; do
                touch $place 2>&1 | grep -q 'Read-only file system' || echo $place is writable
            done
            touch sub/new/x
            cut -d' ' -f5,6 /proc/self/mountinfo | grep '^/mnt' | grep -v -e nsadded/x -e sub/new \
                | grep -v ' ro,nosuid,nodev' | grep -v '^/mnt\\(/sub\\)\\? rw,nosuid,nodev,'";
        let ended =
            bench.script(&guest, &format!("export LC_ALL=C; {script} || :")).in_world(setup).end();
        let expected = "a link\nempty\nfifo\nfile\nnsadded\nnsfile\nsub\n\
            top\nnew\ndeep\ndeep\nfound\nfound\n";
        assert_eq!(ended.succeeded(), expected);
    });
}

/// A script that makes `/mnt/two` an overlay on an overlay, the most that the kernel allows.
const STACKED: &str =
    "mount -t tmpfs none /mnt && cd /mnt && mkdir low none one two && mkdir low/sub
    echo low > low/file && mount -t overlay -o lowerdir=low:none overlay one
    mount -t overlay -o lowerdir=one:none overlay two && cd - > /dev/null";

#[test]
fn a_directory_of_which_there_is_no_overlay_is_extended_by_its_entries() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let guest = format!(r#"{SYSTEM}.file("/mnt/two/new", "new\n").tmpfs("/mnt/two/sub/x/y")"#);
        let script =
            "cd /mnt/two; ls; cat file new; touch sub/x/y/z; touch a 2>&1 | grep -c Read-only";
        let ended = bench.script(&guest, script).in_world(STACKED).end();
        assert_eq!(ended.succeeded(), "file\nnew\nsub\nlow\nnew\n1\n");
    });
}

#[test]
fn a_sandbox_with_all_ids_and_one_without_subordinate_ids_see_the_same() {
    as_each_user(|bench| {
        bench.file("data/file", "found\n");
        let guest = format!(
            r#"{SYSTEM}.bind("data", "/nsadded").bind("data", "/etc/nsadded").file("/usr/share/nsfile", "new\n")
            .directory("/usr/share/nsother", #{{ mode: 0o750 }}).file("/etc/hosts", "hosts\n")"#
        );
        let script = "cat /nsadded/file /etc/nsadded/file /usr/share/nsfile /etc/hosts
            stat -c %a /usr/share/nsother; touch /etc/x /usr/share/x /x 2>&1 | grep -c Read-only";
        let expected = "found\nfound\nnew\nhosts\n750\n3\n";
        assert_eq!(bench.seen(&guest, script), expected);
        if !have(&["newuidmap", "newgidmap"]) || !may_mount() || !User::this().is_root() {
            return;
        }
        bench.file("ranges", format!("{}:100000:65536\n", bench.user.uid));
        for (source, more) in
            [("ranges", r#".map_users("all").map_groups("all")"#), ("/dev/null", "")]
        {
            let setup = format!(
                "for file in /etc/subuid /etc/subgid; do mount --bind {source} $file; done"
            );
            let setup = if bench.user.is_root() { "true".to_owned() } else { setup };
            let guest = format!("{guest}{more}");
            let ended = bench.script(&guest, script).in_world(&setup).end();
            assert_eq!(ended.succeeded(), expected, "{more}");
        }
    });
}

#[test]
fn what_joins_a_sandbox_sees_the_same() {
    as_each_user(|bench| {
        bench.file("data/file", "found\n");
        let recipe = format!(
            r#"let guest = {SYSTEM}.bind("data", "/nsadded").file("/etc/nsfile", "new\n").tmpfs("/usr/share/nsadded/x");
            let running = guest.start(["sh", "-c", "echo started > /usr/share/nsadded/x/file; exec sleep 600"]);
            let script = `until [ -s /usr/share/nsadded/x/file ]; do :; done
                cat /nsadded/file /etc/nsfile /usr/share/nsadded/x/file; touch /etc/x 2>&1 | grep -c Read-only`;
            print(running.output(["sh", "-c", script]).stdout);
            running.kill("KILL"); running.wait(#{{ check: false }});"#
        );
        let seen = bench.recipe(&recipe).end().succeeded();
        assert_eq!(seen.trim_end(), "found\nnew\nstarted\n1");
    });
}

#[test]
fn a_closed_directory_is_not_opened() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let setup =
            "mount -t tmpfs none /mnt && mkdir /mnt/closed && echo secret > /mnt/closed/file
            chmod 711 /mnt/closed";
        for guest in [r#".tmpfs("/mnt/closed/x/y")"#, r#".file("/mnt/closed/new", "")"#] {
            let guest = format!("{SYSTEM}{guest}");
            let said = bench.script(&guest, "true").in_world(setup).end().failed(125);
            assert!(said.contains("`/mnt/closed` is closed to others: mode 0711"), "{said}");
        }
    });
}

/// The operations of a plan.
fn operations(bench: &Bench, guest: &str) -> Vec<String> {
    let recipe = format!("{guest}.run(\"true\");");
    let plans = bench.nsscript(&["plan", "--json", "-e", &recipe]).end().succeeded();
    let plans = fitting("plan", &plans);
    let actions = plans["plans"][0]["actions"].as_array().unwrap();
    let name = |action: &serde_json::Value| action["operation"].as_str().unwrap().to_owned();
    actions.iter().map(name).collect()
}

#[test]
fn a_view_is_extended_only_if_a_place_is_missing() {
    as_each_user(|bench| {
        bench.directory("data");
        let usual = operations(bench, SYSTEM);
        assert!(!usual.iter().any(|name| name == "extend"));
        let there =
            operations(bench, &format!(r#"{SYSTEM}.bind("data", "/opt").tmpfs("/tmp/x/y")"#));
        assert_eq!(there.len(), usual.len() + 2, "{there:?}");
        assert!(!there.iter().any(|name| name == "extend"));
        let added = operations(bench, &format!(r#"{SYSTEM}.bind("data", "/nsadded")"#));
        // The tmpfs, the bind, and the end of writing.
        assert_eq!(added.len(), usual.len() + 3, "{added:?}");
        let deep =
            format!(r#"{SYSTEM}.bind("data", "/etc/nsadded/a").bind("data", "/etc/nsadded/b")"#);
        let deep = operations(bench, &deep);
        assert_eq!(deep.iter().filter(|name| *name == "extend").count(), 1, "{deep:?}");
    });
}

#[test]
fn a_place_in_a_writable_directory_of_the_host_is_made_on_request() {
    as_each_user(|bench| {
        bench.file("file", "found\n");
        bench.directory("data");
        let guest = |options: &str| {
            format!(
                r#"{SYSTEM}.bind("data", "/added/data").tmpfs("/added/data/a/b"{options})
                .bind("file", "/added/data/c/file"{options})"#
            )
        };
        let said = bench.sh(&guest(""), "true").failed(125);
        assert!(
            said.contains("`/added/data/a/b` does not exist, and would be created on the host"),
            "{said}"
        );
        assert!(said.contains("`create: true`") && !bench.path("data/a").exists(), "{said}");
        let guest = guest(", #{ create: true }");
        let planned = operations(bench, &guest);
        assert_eq!(planned.iter().filter(|name| *name == "create").count(), 2, "{planned:?}");
        assert!(!bench.path("data/a").exists(), "a plan makes nothing");
        let script = "touch /added/data/a/b/x && cat /added/data/c/file";
        // The second time, they are there.
        for _ in 0..2 {
            assert_eq!(bench.seen(&guest, script), "found\n");
        }
        assert!(fs::read_dir(bench.path("data/a/b")).unwrap().next().is_none());
        assert_eq!(bench.content("data/c/file"), "");
        for place in ["data/a", "data/a/b", "data/c/file"] {
            let made = fs::metadata(bench.path(place)).unwrap();
            assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), bench.user.uid, "{place}");
        }
        let planned = operations(bench, &guest);
        assert!(!planned.iter().any(|name| name == "create"), "{planned:?}");
    });
}

#[test]
fn what_is_made_on_the_host_is_in_the_directory_that_is_bound() {
    as_each_user(|bench| {
        bench.directory("outside");
        bench.directory("data/sub");
        bench.link("../outside", "data/up");
        bench.link(&bench.text("outside"), "data/out");
        bench.link("sub", "data/link");
        let guest = |path: &str| {
            format!(r#"{SYSTEM}.bind("data", "/added/data").tmpfs("{path}", #{{ create: true }})"#)
        };
        // A link is followed as a program inside follows it.
        bench.seen(&guest("/added/data/link/x"), "touch /added/data/sub/x/y");
        assert!(bench.path("data/sub/x").is_dir());
        // This one leads to a place of the view.
        bench.seen(&guest("/added/data/up/x"), "touch /added/outside/x/y");
        bench.seen(&guest("/added/data/out/x"), &format!("touch {}/x/y", bench.text("outside")));
        assert!(fs::read_dir(bench.path("outside")).unwrap().next().is_none());
        // Without the option, a link changes nothing.
        let guest = format!(r#"{SYSTEM}.bind("data", "/added/data").tmpfs("/added/data/link/z")"#);
        let said = bench.sh(&guest, "true").failed(125);
        assert!(said.contains("would be created on the host"), "{said}");
        assert!(!bench.path("data/sub/z").exists());
        let closed =
            format!(r#"{SYSTEM}.bind("/usr", "/added").tmpfs("/added/none", #{{ create: true }})"#);
        if !bench.user.is_root() {
            let said = bench.sh(&closed, "true").failed(125);
            assert!(
                said.contains("cannot create `/usr/none` on the host: permission denied (EACCES)"),
                "{said}"
            );
        }
    });
}

#[test]
fn a_pinned_path_stays_and_one_that_can_be_renamed_is_warned_about() {
    as_each_user(|bench| {
        bench.file("plain/sub/deep/.git/config", "kept\n");
        bench.file("pinned/sub/deep/.git/config", "kept\n");
        let guest = |directory: &str, more: &str| {
            format!(
                r#"{HOST}.bind("{directory}", "/tmp/w").read_only("/tmp/w/sub/deep/.git"){more}"#
            )
        };
        let script = "export LC_ALL=C; cd /tmp/w
            for way in sub/deep/.git sub/deep sub; do mv $way moved 2> /dev/null && echo $way; done
            echo more > sub/deep/file; echo x 2> /dev/null > sub/deep/.git/config; cat sub/deep/.git/config";
        let plain = bench.script(&guest("plain", ""), script).end();
        let warned = "warning: a program can rename `/tmp/w/sub`, and put another file at the \
                      read-only path `/tmp/w/sub/deep/.git`";
        assert!(plain.stderr.contains(warned), "{}", plain.stderr);
        let hint = ".pin(\"/tmp/w/sub/deep/.git\")";
        let hinted = format!("hint: keep the path with `{hint}` and `.forbid_user_namespaces()`");
        assert!(plain.stderr.contains(&hinted), "{}", plain.stderr);
        assert!(plain.stdout.starts_with("sub/deep\n"), "{}", plain.stdout);
        let pinned = bench.script(&guest("pinned", hint), script).end().succeeded();
        assert_eq!(pinned, "kept\n");
        assert_eq!(bench.content("pinned/sub/deep/file"), "more\n");
        let said = bench.script(&guest("pinned", ".pin(\"/tmp/w/none\")"), "").end().failed(125);
        let missing = "cannot keep the path of `/tmp/w/none`: it does not exist";
        assert!(said.contains(missing), "{said}");
    });
}

//! What sandboxes change in their roots, where it is kept, and as layers.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;

use crate::support::{Bench, Launch, as_each_user, have, may_mount};

/// A root with something to change.
const ROOT: &str = r#"rootfs().binaries(["sh", "cat", "chmod", "ln", "ls", "mkdir", "mkfifo", "mv", "rm",
        "sleep", "stat", "touch"])
    .file("/etc/motd", "hello\n").file("/etc/issue", "issue\n", #{ mode: 0o600 })
    .file("/srv/deep/below/file", "x\n").directory("/srv/empty").directory("/moved")
    .file("/moved/inside", "y\n").file("/usr/share/quiet", "z\n")"#;

/// nsscript with a store of its own.
fn keeping<'b>(bench: &'b Bench, recipe: &str) -> Launch<'b> {
    bench.directory("cache");
    let recipe =
        format!("let root = {ROOT};\nlet guest = sandbox(root).keep_changes(\"state\");\n{recipe}");
    bench.recipe(&recipe).env("XDG_CACHE_HOME", bench.text("cache"))
}

#[track_caller]
fn printed(bench: &Bench, recipe: &str) -> String {
    keeping(bench, recipe).end().succeeded()
}

#[test]
fn changes_are_there_again_and_nowhere_else() {
    as_each_user(|bench| {
        let write = r#"guest.run(["sh", "-c", "echo kept > /note; echo more >> /etc/motd; rm /etc/issue"]);
            print(guest.output(["sh", "-c", "cat /note /etc/motd; ls /etc"]).stdout);"#;
        let seen = "kept\nhello\nmore\nmotd\n\n";
        assert_eq!(printed(bench, write), seen);
        let read = r#"print(guest.output(["sh", "-c", "cat /note /etc/motd; ls /etc"]).stdout);
            print(sandbox(root).output(["sh", "-c", "cat /etc/motd; ls /etc"]).stdout);"#;
        assert_eq!(printed(bench, read), format!("{seen}hello\nissue\nmotd\n\n"));
        // Whoever kept it can remove it: nothing in it is closed to its owner.
        let kept = bench.path("state/overlay/work");
        assert_eq!(fs::read_dir(kept).unwrap().count(), 0);
        // The directory is closed to others, and what it is of is as it was.
        assert_eq!(fs::metadata(bench.path("state")).unwrap().mode() & 0o777, 0o700);
        for layer in fs::read_dir(bench.path("cache/nsscript/layers")).unwrap() {
            let tree = layer.unwrap().path().join("tree");
            assert_eq!(fs::read_to_string(tree.join("etc/motd")).unwrap(), "hello\n");
            assert!(tree.join("etc/issue").exists() && !tree.join("note").exists());
        }
    });
}

#[test]
fn every_kind_of_change_is_told() {
    as_each_user(|bench| {
        let script = "echo new > /note; echo other > /etc/motd; rm /etc/issue; mkdir /made /made/sub; \
            ln -s note /link; mkfifo /fifo; chmod 700 /srv/empty; rm -rf /srv/deep; mkdir /srv/deep; \
            mv /moved /elsewhere; cat /usr/share/quiet; touch /usr/share/made; rm /usr/share/made; \
            ln /note /name";
        let recipe = format!(
            r#"guest.run(["sh", "-c", "{script}"]);
            for row in guest.changes() {{ print(`${{row.change}} ${{row["type"]}} ${{row.path}}`); }}"#
        );
        let told = printed(bench, &recipe);
        let expected = [
            "z",
            "added directory /elsewhere",
            "added file /elsewhere/inside",
            "removed file /etc/issue",
            "changed file /etc/motd",
            "added fifo /fifo",
            "added link /link",
            "added directory /made",
            "added directory /made/sub",
            "removed directory /moved",
            "added file /name",
            "added file /note",
            "removed directory /srv/deep/below",
            "changed directory /srv/empty",
        ];
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
        // What was changed and changed back is none.
        let again = r#"guest.run(["sh", "-c", "echo hello > /etc/motd; rm /name /note /link /fifo"]);
            for row in guest.changes() { print(row.path); }"#;
        let told = printed(bench, again);
        assert!(!told.contains("/etc/motd") && !told.contains("/note"), "{told}");
    });
}

#[test]
fn changes_become_a_layer() {
    as_each_user(|bench| {
        let recipe = r#"
            guest.run(["sh", "-c", "echo new > /note; ln /note /name; rm /etc/issue; \
                rm -rf /srv/deep; mkdir /srv/deep; touch /srv/deep/only; mv /moved /elsewhere"]);
            let next = guest.commit();
            guest.run(["sh", "-c", "echo later > /note"]);
            let inside = ["sh", "-c", "cat /note; ls /etc /srv/deep /elsewhere; stat -c %h /note; ls -d /moved"];
            let seen = sandbox(next).output(inside, #{ check: false });
            print(seen.stdout);
            // The same in one layer, by the way of an archive.
            next.pack("next.tar");
            let packed = rootfs().tar("next.tar");
            assert_eq(packed.digest(), next.digest());
            assert_eq(sandbox(packed).output(inside, #{ check: false }).stdout, seen.stdout);
            // And once more on top of itself.
            let more = sandbox(next).keep_changes("more");
            more.run(["sh", "-c", "rm -rf /srv/deep /etc/motd; echo hello > /etc/issue"]);
            let third = more.commit();
            print(sandbox(third).output("ls /srv /etc").stdout);
            for line in next.diff(third) { print(line); }
            assert_eq(third.overlay_on(rootfs().file("/other", "")).digest(), third.file("/other", "").digest());"#;
        let told = printed(bench, recipe);
        let expected = "new\n/elsewhere:\ninside\n\n/etc:\nmotd\n\n/srv/deep:\nonly\n2\n\n\
            /etc:\nissue\n\n/srv:\nempty\n\n";
        assert!(told.starts_with(expected), "{told}");
        let differences = &told[expected.len()..];
        let kinds: Vec<_> = differences.lines().map(|line| &line[..2]).collect();
        assert_eq!(kinds, ["+f", "-f", "-d", "-f"], "{differences}");
        let listed = bench.nsscript(&["store", "list"]).env("XDG_CACHE_HOME", bench.text("cache"));
        let listed = listed.end().succeeded();
        assert_eq!(listed.matches("changes of a sandbox\n").count(), 2, "{listed}");
    });
}

#[test]
fn nothing_that_was_changed_is_no_layer() {
    as_each_user(|bench| {
        let recipe = r#"guest.run("cat /etc/motd");
            assert_eq(guest.changes(), []);
            assert_eq(guest.commit(), root);
            print("none");"#;
        assert_eq!(printed(bench, recipe), "hello\nnone\n");
    });
}

#[test]
fn one_sandbox_at_a_time_keeps_its_changes() {
    as_each_user(|bench| {
        let recipe = r#"
            let first = guest.start("sleep 60");
            for what in [|| guest.run("cat /etc/motd"), || guest.changes(), || guest.commit(),
                || guest.start("sleep 60")] {
                try { what.call(); print("done"); } catch (error) { print(error.message); }
            }
            first.kill("KILL");
            first.wait();
            guest.run("cat /etc/motd");"#;
        let told = printed(bench, recipe);
        let refused = format!("the changes in `{}` are in use by a sandbox\n", bench.text("state"));
        assert_eq!(told, format!("{}hello\n", refused.repeat(4)));
        let mut running = keeping(bench, r#"print("up"); guest.run("sleep 60");"#).start();
        running.wait_for("up\n");
        // It may take a moment until the sandbox has its directory.
        let busy = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            keeping(bench, r#"guest.run("cat /etc/motd");"#)
                .end()
                .stderr
                .contains("in use by a sandbox")
        });
        assert!(busy);
        running.signal(Signal::SIGKILL);
        running.end();
        assert_eq!(printed(bench, r#"guest.run("cat /etc/motd");"#), "hello\n");
    });
}

#[test]
fn others_do_not_get_at_what_is_kept() {
    as_each_user(|bench| {
        bench.directory("state");
        bench.mode("state", 0o755);
        let said = keeping(bench, r#"guest.run("true");"#).end().failed(125);
        assert!(
            said.contains("is open to other users") && said.contains("choose a new directory"),
            "{said}"
        );
        bench.mode("state", 0o700);
        if bench.user.is_root() {
            std::os::unix::fs::chown(bench.path("state"), Some(65534), None).unwrap();
            let said = keeping(bench, r#"guest.run("true");"#).end().failed(125);
            assert!(said.contains("belongs to another user"), "{said}");
            std::os::unix::fs::chown(bench.path("state"), Some(0), None).unwrap();
        }
        // What nobody has a right to is told of all the same.
        let recipe = r#"guest.run(["sh", "-c", "echo x > /f; mkdir /d; chmod 0 /f /d"]);
            for row in guest.changes() { print(`${row.change} ${row.path}`); }
            print(sandbox(guest.commit()).output(["stat", "-c", "%a", "/f"]).stdout);"#;
        assert_eq!(printed(bench, recipe), "added /d\nadded /f\n400\n\n");
    });
}

#[test]
fn changes_belong_to_the_ids_and_the_root_that_they_were_made_with() {
    as_each_user(|bench| {
        printed(bench, r#"guest.run("touch /note");"#);
        let other = r#"let next = sandbox(root.file("/more", "")).keep_changes("state");
            next.run("ls /note /more");"#;
        let ended = keeping(bench, other).end();
        assert!(ended.stderr.contains("were made on top of another root"), "{}", ended.stderr);
        assert_eq!(ended.succeeded(), "/more\n/note\n");
        let said = keeping(bench, r#"guest.user(7).group(7).run("true");"#).end();
        let said = said.failed(125);
        assert!(said.contains("belong to a sandbox with other ids"), "{said}");
        // Nor is any directory one of changes.
        bench.file("sources/file", "");
        bench.mode("sources", 0o700);
        let said = keeping(bench, r#"sandbox(root).keep_changes("sources").run("ls");"#).end();
        let said = said.failed(125);
        assert!(said.contains("is not a directory of changes: it contains `file`"), "{said}");
        let said = keeping(bench, r#"print(sandbox(root).keep_changes("never").changes());"#).end();
        let said = said.failed(125);
        assert!(said.contains("no sandbox has kept changes there: run one"), "{said}");
    });
}

#[test]
fn a_directory_and_nothing_at_all_keep_changes_too() {
    as_each_user(|bench| {
        bench.file("root/etc/motd", "of the directory\n");
        bench.mode("root/etc", 0o750);
        let recipe = r#"
            let shell = ["/bin", "/lib", "/lib64", "/usr"];
            fn bound(guest, places) {
                for place in places { guest = guest.bind(place, place, #{ read_only: true, optional: true }); }
                guest
            }
            let empty = bound(sandbox().keep_changes("nothing"), shell);
            empty.run(["/bin/sh", "-c", "echo new > /note"]);
            print(empty.output(["/bin/cat", "/note"]).stdout);
            print(sandbox(empty.commit()).changes == ());"#;
        let recipe = recipe.replace("print(sandbox(empty.commit()).changes == ());", "")
            + r#"print(empty.commit().manifest().contains(" /note"));
            let directory = bound(sandbox("root").keep_changes("above"), shell);
            directory.run(["/bin/sh", "-c", "echo changed > /etc/motd; echo new > /etc/new"]);
            print(directory.output(["/bin/cat", "/etc/motd"]).stdout);
            for row in directory.changes() {
                if row.path.starts_with("/etc") { print(`${row.change} ${row.path}`); }
            }
            try { directory.commit().digest(); } catch (error) { print(error.hint); }"#;
        let ended = bench.recipe(&recipe).end();
        assert_eq!(
            ended.succeeded(),
            "new\n\ntrue\nchanged\n\nchanged /etc/motd\nadded /etc/new\n\
             make a layer of it with `rootfs().copy(path, \"/\")`\n"
        );
        assert_eq!(bench.content("root/etc/motd"), "of the directory\n");
    });
}

#[test]
fn layers_are_copied_where_there_is_no_overlay_for_them() {
    as_each_user(|bench| {
        if !may_mount() || !have(&["mount"]) {
            return;
        }
        // No overlay may lie on two others: the store is on two.
        bench.directory("cache");
        for name in ["one", "two", "three"] {
            bench.directory(name);
        }
        let setup = r"
            mount -t tmpfs -o mode=777 tmpfs one
            mkdir one/l one/u one/w one/m
            mount -t overlay -o lowerdir=one/l,upperdir=one/u,workdir=one/w overlay one/m
            mount -t tmpfs -o mode=777 tmpfs two
            mkdir two/u two/w two/m
            mount -t overlay -o lowerdir=one/m,upperdir=two/u,workdir=two/w overlay two/m
            chmod 1777 two/m
            mount --bind two/m cache";
        let recipe = format!(
            r#"let root = rootfs().file("/etc/above", "above\n").overlay_on({ROOT});
            let guest = sandbox(root);
            guest.run(["sh", "-c", "echo changed > /etc/motd; touch /new; cat /etc/motd /etc/above"]);
            guest.run(["sh", "-c", "cat /etc/motd; ls -d /new || true; stat -c '%u %a' /etc/issue"]);
            print(guest.within(|| read_file("/etc/motd")));"#
        );
        bench.file("again.rhai", &recipe);
        let launch = bench.nsscript(&["again.rhai"]).in_world(setup);
        let launch = launch.env("XDG_CACHE_HOME", bench.text("cache"));
        let ended = launch.end();
        assert_eq!(
            ended.stderr.matches("copies them at every launch").count(),
            1,
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("(EINVAL)"), "{}", ended.stderr);
        assert_eq!(ended.succeeded(), "changed\nabove\nhello\n0 600\nhello\n\n");
        // What is to be kept cannot be.
        let keeps = recipe.replace("sandbox(root)", "sandbox(root).keep_changes(\"cache/state\")");
        bench.file("keeps.rhai", keeps);
        let launch = bench.nsscript(&["keeps.rhai"]).in_world(setup);
        let said = launch.env("XDG_CACHE_HOME", bench.text("cache")).end().failed(125);
        assert!(said.contains("keep changes in") && said.contains("a local disk"), "{said}");
    });
}

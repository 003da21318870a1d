//! What a recipe makes in the root: directories, files, links, hidden and read-only places.

use crate::support::{HOST, TREE, as_each_user};

#[test]
fn directories_files_and_links_are_made_as_asked() {
    as_each_user(|bench| {
        let guest = format!(
            r##"{TREE}.directory("/a/b", #{{ mode: 0o700 }}).directory("/plain")
                .file("/a/text", "one\ntwo\n").file("/bin/tool", "#!/bin/sh\necho tool\n", #{{ mode: 0o755 }})
                .file("/a/bytes", blob(3, 0x41)).symlink("b/../text", "/a/link")"##
        );
        let script = "stat -c '%F %a %u:%g' /a /a/b /plain /a/text /bin/tool
            cat /a/text /a/bytes /a/link && echo && readlink /a/link && /bin/tool";
        let seen = bench.seen(&guest, script);
        let expected = "directory 755 0:0\ndirectory 700 0:0\ndirectory 755 0:0\n\
            regular file 644 0:0\nregular file 755 0:0\n\
            one\ntwo\nAAAone\ntwo\n\nb/../text\ntool\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn the_umask_of_the_caller_changes_no_mode() {
    as_each_user(|bench| {
        let root = r#"rootfs().binaries(["sh", "stat"]).directory("/r").file("/deep/f", "")"#;
        let guest = format!(
            r#"sandbox({root}).directory("/a/b").file("/a/f", "").bind(".", "/m/n").tmpfs("/t/u")"#
        );
        let script = "stat -c '%n %a' /r /deep /deep/f /a /a/b /a/f /m /t";
        let seen =
            bench.script(&guest, script).by_shell(r#"umask 077; exec "$@""#).end().succeeded();
        assert_eq!(
            seen,
            "/r 755\n/deep 755\n/deep/f 644\n/a 755\n/a/b 755\n/a/f 644\n/m 755\n/t 755\n"
        );
    });
}

#[test]
fn a_file_replaces_the_content_of_one_that_is_there() {
    as_each_user(|bench| {
        bench.file("root/etc/motd", "a longer text\n");
        let guest = r#"sandbox("root").bind("/usr").bind("/bin").bind("/lib")
            .bind("/lib64", #{ optional: true }).file("/etc/motd", "short\n", #{ mode: 0o600 })"#;
        assert_eq!(bench.seen(guest, "cat /etc/motd; stat -c %a /etc/motd"), "short\n600\n");
        assert_eq!(bench.content("root/etc/motd"), "a longer text\n");
    });
}

#[test]
fn what_is_in_the_way_is_told() {
    as_each_user(|bench| {
        for (verb, told) in [
            (r#"file("/tmp", "")"#, "`/tmp`"),
            (r#"symlink("x", "/tmp")"#, "`/tmp`"),
            (r#"file("/x", "").directory("/x")"#, "`/x`"),
            (r#"file("/x", "").directory("/x/y")"#, "`/x/y`"),
        ] {
            let said = bench.sh(&format!("{TREE}.{verb}"), "true").failed(125);
            assert!(said.contains("cannot create") || said.contains("cannot write"), "{said}");
            assert!(said.contains(told), "{said}");
        }
    });
}

#[test]
fn a_mask_hides_files_and_directories() {
    as_each_user(|bench| {
        let guest = format!(r#"{HOST}.mask("/etc/passwd").mask("/usr/share")"#);
        let script = "cat /etc/passwd; ls -A /usr/share
            for place in /etc/passwd /usr/share/x; do
                (echo x > $place) 2> /dev/null && echo $place was written to
            done; test -d /usr/share && test ! -d /etc/passwd && echo hidden";
        assert_eq!(bench.seen(&guest, script), "hidden\n");
        let said = bench.sh(&format!(r#"{HOST}.mask("/etc/none")"#), "true").failed(125);
        assert!(said.contains("cannot hide `/etc/none`: it does not exist"), "{said}");
    });
}

#[test]
fn a_read_only_place_is_that_with_all_that_is_mounted_below_it() {
    as_each_user(|bench| {
        bench.file("data/file", "old\n");
        let guest = format!(
            r#"{TREE}.tmpfs("/a").file("/a/file", "old\n").tmpfs("/a/b").bind("data", "/a/data")
                .read_only("/a").tmpfs("/a/b")"#
        );
        let script = "for place in /a/x /a/file /a/data/x /a/data/file; do
                (echo new > $place) 2> /dev/null && echo $place was written to
            done
            cat /a/file /a/data/file; touch /a/b/x && ls /a/b; touch /tmp/x && echo tmp";
        // What is mounted after it was not there to be made read-only.
        assert_eq!(bench.seen(&guest, script), "old\nold\nx\ntmp\n");
        assert_eq!(bench.content("data/file"), "old\n");
    });
}

#[test]
fn things_are_made_in_the_order_of_the_recipe() {
    as_each_user(|bench| {
        bench.file("data/file", "bound\n");
        let below = format!(r#"{TREE}.tmpfs("/a").file("/a/file", "made\n")"#);
        assert_eq!(bench.seen(&below, "cat /a/file"), "made\n");
        let covered = format!(r#"{TREE}.file("/a/file", "made\n").bind("data", "/a")"#);
        assert_eq!(bench.seen(&covered, "cat /a/file"), "bound\n");
        let twice = format!(r#"{TREE}.bind("data", "/a").tmpfs("/a").file("/a/new", "")"#);
        let ended = bench.sh(&twice, "ls /a");
        assert!(ended.stderr.contains("warning"), "{}", ended.stderr);
        assert_eq!(ended.succeeded(), "new\n");
        assert!(!bench.path("data/new").exists(), "the file was made below the mount");
    });
}

#[test]
fn a_sandbox_that_a_function_was_given_is_not_changed_by_it() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"fn more(guest) {{ guest.file("/more", "") }}
            let guest = {TREE};
            more(guest).run("ls /more");
            let code = guest.output("ls /more", #{{ check: false }}).code;
            print(code);"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "/more\n2\n");
    });
}

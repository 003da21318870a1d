//! Paths that are followed out of the new root while it is built.

use super::{Canary, SECRET, make_root};
use crate::support::{Bench, as_each_user, may_mount};

/// The ways to make the attacker's directory the root.
const ROOTS: [&str; 2] = [r#"sandbox("root")"#, r#"sandbox("root").read_only_root()"#];

/// Verbs that make or mount something at `PLACE`.
const VERBS: [&str; 12] = [
    r#".directory("PLACE", #{ mode: 0o777 })"#,
    r#".file("PLACE", "from the recipe", #{ mode: 0o777 })"#,
    r#".symlink("/etc/passwd", "PLACE")"#,
    r#".bind("source", "PLACE")"#,
    r#".bind("source/file", "PLACE")"#,
    r#".tmpfs("PLACE")"#,
    r#".proc("PLACE")"#,
    r#".dev("PLACE")"#,
    r#".devpts("PLACE")"#,
    r#".mount("none", "PLACE", #{ type: "mqueue" })"#,
    r#".mask("PLACE")"#,
    r#".read_only("PLACE")"#,
];

/// What a program tries once it runs: to read the secret where it may have come to light.
const PROBE: &str = "cat /a/secret /a/x/secret /dev/secret /etc/secret; ls -lR /a /dev /etc
    for file in /a/secret /a/x/secret /dev/secret /etc/secret; do echo changed > $file; done
    echo new > /a/new; chmod 777 /a /a/secret";

/// Tries every verb at `place` in a root in which `link` leads to the canary in several ways.
fn attack(bench: &Bench, link: &str, place: &str) {
    make_root(bench);
    bench.file("source/file", "");
    let canary = Canary::new(bench);
    let host = bench.text("host");
    for target in
        [host.clone(), format!("../../../../../../../..{host}"), format!("/oldroot{host}")]
    {
        bench.link(&target, &format!("root/{link}"));
        for root in ROOTS {
            for verb in VERBS {
                let verb = verb.replace("PLACE", place);
                let ended = bench.sh(&format!("{root}{verb}"), PROBE);
                canary.holds(&format!("{root}{verb} with {link} -> {target}"), &ended);
            }
        }
        std::fs::remove_file(bench.path(&format!("root/{link}"))).unwrap();
    }
}

#[test]
fn a_link_on_the_way_leads_nowhere_else() {
    as_each_user(|bench| attack(bench, "a", "/a/x"));
}

#[test]
fn a_link_far_up_on_the_way_leads_nowhere_else() {
    as_each_user(|bench| attack(bench, "a", "/a/x/y"));
}

#[test]
fn a_link_as_the_place_itself_leads_nowhere_else() {
    as_each_user(|bench| attack(bench, "a", "/a"));
}

#[test]
fn a_link_in_place_of_dev_or_etc_leads_nowhere_else() {
    as_each_user(|bench| {
        attack(bench, "dev", "/dev");
        std::fs::remove_dir_all(bench.path("root")).unwrap();
        attack(bench, "etc", "/etc/passwd");
    });
}

#[test]
fn an_ordinary_link_in_the_root_is_followed_inside() {
    as_each_user(|bench| {
        make_root(bench);
        bench.directory("root/var");
        bench.directory("root/run/there");
        bench.directory("root/narrow/there");
        bench.mode("root/narrow", 0o711);
        bench.link("/run", "root/var/run");
        bench.link("../run", "root/var/lock");
        bench.file("source/file", "found\n");
        for place in ["/var/run/there", "/var/lock/there", "/narrow/there"] {
            for root in ROOTS {
                let guest = format!(r#"{root}.bind("source", "{place}")"#);
                assert_eq!(bench.seen(&guest, &format!("cat {place}/file")), "found\n", "{guest}");
            }
            let made = format!(r#"sandbox("root").bind("source", "{place}/new")"#);
            assert_eq!(bench.seen(&made, &format!("cat {place}/new/file")), "found\n");
        }
        assert!(!bench.path("root/run/there/new").exists(), "it was made on the host");
    });
}

#[test]
fn places_below_a_process_are_refused_by_name() {
    as_each_user(|bench| {
        make_root(bench);
        bench.file("source/file", "");
        for place in [
            "/proc/self/root/x",
            "/proc/self/cwd",
            "/proc/1/root/x",
            "/proc/thread-self/root/x",
            "/proc/self/fd/3",
            "//proc/./self/root",
        ] {
            for verb in VERBS {
                let verb = verb.replace("PLACE", place);
                let said = bench
                    .sh(&format!(r#"sandbox("root").proc("/proc"){verb}"#), "true")
                    .failed(125);
                assert!(said.contains("passes through a link of a process"), "{verb}: {said}");
            }
        }
        let said = bench.sh(r#"sandbox("root").tmpfs("/proc/self/root/..")"#, "true").failed(125);
        assert!(said.contains("`/proc/self/root/..`"), "{said}");
    });
}

#[test]
fn links_of_a_process_are_not_followed_under_other_names() {
    as_each_user(|bench| {
        make_root(bench);
        bench.file("source/file", "");
        bench.link("/proc/self/root", "root/a");
        let canary = Canary::new(bench);
        let host = bench.text("host");
        let process = format!("/p/self/root{host}/x");
        for place in
            [format!("/a{host}/x"), process, format!("/p/self/cwd{host}/x"), "/p/self/fd/3".into()]
        {
            for verb in VERBS {
                let guest = format!(r#"sandbox("root").proc("/proc").proc("/p"){verb}"#);
                let ended = bench.sh(&guest.replace("PLACE", &place), PROBE);
                canary.holds(&format!("{verb} at {place}"), &ended);
                let code = ended.status.code();
                assert_eq!(code, Some(125), "{verb} at {place}: {}", ended.stderr);
            }
        }
    });
}

#[test]
fn links_in_a_rootfs_are_not_followed_while_it_is_built() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        bench.file("source/file", "from the recipe");
        let host = bench.text("host");
        for target in [host.clone(), format!("../../../../../../../..{host}")] {
            for verb in [
                r#".file("/a/x", "")"#,
                r#".file("/a/secret", "")"#,
                r#".directory("/a/x")"#,
                r#".directory("/a", #{ mode: 0o777 })"#,
                r#".symlink("x", "/a/x")"#,
                r#".copy("source", "/a/x")"#,
                r#".copy("source/file", "/a/secret")"#,
                r#".binary("cat", #{ into: "/a" })"#,
                r#".device("/dev/null")"#,
            ] {
                let root = format!(
                    r#"rootfs().binaries(["sh", "ls", "cat", "chmod"]).symlink("{target}", "/a"){verb}"#
                );
                let ended = bench.sh(&format!("sandbox({root})"), PROBE);
                canary.holds(&format!("{verb} with /a -> {target}"), &ended);
                let ended = bench.recipe(&format!(r#"{root}.build("built");"#)).end();
                canary.holds(&format!("{verb}.build with /a -> {target}"), &ended);
                let _ = std::fs::remove_dir_all(bench.path("built"));
            }
        }
    });
}

#[test]
fn copying_a_tree_follows_no_link_in_it() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        bench.directory("source");
        bench.link(&bench.text("host"), "source/all");
        bench.link(&bench.text("host/secret"), "source/one");
        let guest = r#"sandbox(rootfs().binaries(["sh", "ls", "cat"]).copy("source", "/a"))"#;
        let ended = bench.sh(guest, "cat /a/one /a/all/secret; ls -l /a");
        canary.holds("copy of a directory with links", &ended);
        assert!(
            ended.stdout.contains("all -> ") && ended.stdout.contains("one -> "),
            "{}",
            ended.stdout
        );
        assert!(!ended.stdout.contains(SECRET));
    });
}

#[test]
fn nothing_is_written_to_a_proc_that_is_none() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let setup = "mount -t tmpfs none /proc && mkdir /proc/self
            for file in setgroups uid_map gid_map mountinfo; do
                : > /proc/self/$file
                chmod 666 /proc/self/$file
            done";
        let after = r#""$@"; code=$?; cat /proc/self/*; exit $code"#;
        let recipe = r#"sandbox("/").read_only_root().run("true");"#;
        let ended = bench.recipe(recipe).by_shell(after).in_world(setup).end();
        assert_eq!(ended.stdout, "", "the false files were written to");
        ended.failed(125);
    });
}

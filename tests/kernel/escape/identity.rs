//! Identity and capabilities.

use std::os::unix::fs::chown;

use crate::support::{HOST, TREE, User, as_each_user, field, have, may_mount, missing};

/// Whether the tests may give files and rights to others; says so where not.
fn is_root() -> bool {
    let root = User::this().is_root();
    if !root {
        missing("root, to become others");
    }
    root
}

#[test]
fn no_group_can_be_dropped_to_gain_access() {
    as_each_user(|bench| {
        // Root could read the file anyhow.
        if !is_root() || bench.user.is_root() || !have(&["setpriv"]) {
            return;
        }
        // A member of the group may less than everybody else.
        bench.file("data/file", "for all but the members\n");
        chown(bench.path("data/file"), Some(4243), Some(4242)).unwrap();
        bench.mode("data/file", 0o604);
        let guest = format!(r#"{HOST}.tmpfs("/mnt").bind("data", "/mnt/data")"#);
        let script = "cat /mnt/data/file
            setpriv --clear-groups true && echo groups were dropped
            setpriv --groups=0 true && echo groups were changed
            unshare --user --map-root-user setpriv --clear-groups cat /mnt/data/file
            cat /proc/self/setgroups";
        let member = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=4242"];
        let ended = bench.script(&guest, script).becoming(&member).end();
        assert_eq!(ended.stdout, "deny\n");
    });
}

#[test]
fn capabilities_of_the_caller_are_not_inherited() {
    as_each_user(|bench| {
        if !is_root() || !have(&["setpriv"]) {
            return;
        }
        let ids = [format!("--reuid={}", bench.user.uid), format!("--regid={}", bench.user.gid)];
        let capabilities = "+chown,+net_raw,+sys_admin,+setuid";
        let sets = [format!("--inh-caps={capabilities}"), format!("--ambient-caps={capabilities}")];
        let capable = ["setpriv", &ids[0], &ids[1], "--clear-groups", &sets[0], &sets[1]];
        for guest in [HOST, TREE] {
            let recipe = format!(
                r#"let guest = {guest};
                guest.run("cat /proc/self/status");
                let first = guest.start("sleep 60");
                first.run("cat /proc/self/status");"#
            );
            let seen = bench.recipe(&recipe).becoming(&capable).end().succeeded();
            for status in seen.split("Name:").skip(1) {
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    assert_eq!(field(status, set), "0000000000000000", "{set}");
                }
            }
            assert_eq!(seen.matches("CapInh").count(), 2);
        }
    });
}

#[test]
fn nsscript_refuses_to_serve_with_rights_that_its_caller_lacks() {
    as_each_user(|bench| {
        if !is_root() || !may_mount() {
            return;
        }
        bench.directory("suid");
        let binary = bench.binary();
        let binary = binary.to_str().unwrap();
        let user = bench.user.uid;
        let (owner, group) = if user == 0 { ("65534", "65534") } else { ("0", "0") };
        let mut ways = vec![
            format!("chown {owner} suid/nsscript && chmod 4755 suid/nsscript"),
            format!("chgrp {group} suid/nsscript && chmod 2755 suid/nsscript"),
        ];
        if user != 0 && have(&["setcap"]) {
            ways.push("setcap cap_sys_admin+ep suid/nsscript".into());
        }
        let by = r#"shift 3; exec suid/nsscript "$@""#;
        for way in ways {
            let setup = format!("mount -t tmpfs none suid && cp {binary} suid/nsscript && {way}");
            let ended = bench.recipe("print(1)").by_shell(by).in_world(&setup).end();
            assert_eq!(ended.stdout, "", "{way}");
            let said = ended.failed(125);
            assert!(said.contains("must not be installed set-user-ID"), "{said}");
        }
        let setup = format!("mount -t tmpfs none suid && cp {binary} suid/nsscript");
        let ended = bench.recipe("print(1)").by_shell(by).in_world(&setup).end();
        assert_eq!(ended.succeeded(), "1\n", "without any of these it serves");
    });
}

#[test]
fn a_set_user_id_program_gains_nothing() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.directory("suid");
        let id = crate::support::which("id").unwrap();
        let setup = format!(
            "mount -t tmpfs -o mode=755 none suid && cp {} suid/id && chmod 6755 suid/id
            cp suid/id suid/other && {{ chown 4242:4242 suid/other || true; }} && chmod 6755 suid/other",
            id.display()
        );
        for options in ["", "suid: true"] {
            let guest = format!(
                r#"{HOST}.tmpfs("/mnt").bind("suid", "/mnt/suid", #{{ {options} }}).user(1000).group(100)"#
            );
            let script = "for program in /mnt/suid/id /mnt/suid/other; do
                    $program -u; $program -ru; $program -g; $program -rg
                done";
            let seen = bench.script(&guest, script).in_world(&setup).end().succeeded();
            assert_eq!(seen, "1000\n1000\n100\n100\n".repeat(2), "{options}");
        }
    });
}

#[test]
fn a_command_that_looks_like_an_option_is_a_command() {
    as_each_user(|bench| {
        let said = bench.recipe(&format!(r#"{HOST}.run(["--bind", "/", "/"])"#)).end().failed(127);
        assert!(said.contains("program `--bind` not found in the sandbox"), "{said}");
        let guest = format!(
            r##"{TREE}.file("/bin/--bind", "#!/bin/sh\necho $0 $*\n", #{{ mode: 0o755 }})"##
        );
        let recipe = format!(r#"{guest}.run(["--bind", "/", "-e", "exit(3)"])"#);
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "/bin/--bind / -e exit(3)\n");
    });
}

#[test]
fn what_follows_the_recipe_is_for_the_recipe() {
    as_each_user(|bench| {
        let words = ["-e", "print(args)", "--trust-recipe", "-e", "exit(3)", "--help", "plan"];
        let seen = bench.nsscript(&words).end().succeeded();
        assert_eq!(seen, "[\"--trust-recipe\", \"-e\", \"exit(3)\", \"--help\", \"plan\"]\n");
        bench.file("one.rhai", "print(args)");
        let seen = bench.nsscript(&["one.rhai", "-e", "exit(3)", "--version"]).end().succeeded();
        assert_eq!(seen, "[\"-e\", \"exit(3)\", \"--version\"]\n");
    });
}

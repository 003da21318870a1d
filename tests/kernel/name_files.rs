//! The files with a sandbox's own name: /etc/hosts and /etc/hostname.

use std::fs;

use super::capabilities::{debian, with_ids};
use crate::support::{as_each_user, have};

/// The beginning of each hosts(5).
const LOCALHOST: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

#[test]
fn a_container_finds_its_own_name() {
    if !have(&["getent"]) {
        return;
    }
    as_each_user(|bench| {
        let root = r#"rootfs().binaries(["sh", "cat", "hostname", "getent"])"#;
        let script = "cat /etc/hosts /etc/hostname; getent hosts $(hostname); hostname";
        for (with, address, names) in [
            (".container()", "127.0.1.1", "container"),
            (r#".container().hostname("box.example.org")"#, "127.0.1.1", "box.example.org box"),
            (
                r#".hostname("box").name_files().network(netns().address("lo", "10.9.8.7/32"))"#,
                "10.9.8.7",
                "box",
            ),
        ] {
            let guest = format!("sandbox({root}){with}");
            let seen = bench.script(&guest, script).end().succeeded();
            let name = names.split(' ').next().unwrap();
            let files = format!("{LOCALHOST}{address} {names}\n{name}\n");
            let Some(rest) = seen.strip_prefix(&files) else { panic!("{with}: {seen}") };
            let mut words = rest.split_whitespace();
            assert_eq!(words.next(), Some(address), "{with}: {seen}");
            assert!(rest.ends_with(&format!("{names}\n{name}\n")), "{with}: {seen}");
        }
    });
}

#[test]
fn a_plan_says_what_a_run_writes() {
    as_each_user(|bench| {
        let code = r#"let net = netns().address("lo", "10.9.8.7/32").address("lo", "10.9.8.6/32");
            net.remove_address("lo", "10.9.8.7/32");
            let guest = sandbox(rootfs().binaries(["sh", "cat"])).hostname("box").name_files().network(net);
            guest.sh("cat /etc/hosts");"#;
        let seen = bench.recipe(code).end().succeeded();
        assert_eq!(seen, format!("{LOCALHOST}10.9.8.6 box\n"));
        let plan = bench.nsscript(&["plan", "-e", code]).end().succeeded();
        assert!(plan.contains(&format!("write {} bytes to `/etc/hosts`", seen.len())), "{plan}");
        assert!(plan.contains("write 4 bytes to `/etc/hostname`"), "{plan}");
    });
}

#[test]
fn files_of_the_recipe_stay() {
    as_each_user(|bench| {
        bench.file("hosts", "own\n");
        let hosts = bench.text("hosts");
        let root = r#"rootfs().binaries(["sh", "cat"])"#;
        let script = "cat /etc/hosts /etc/hostname";
        for guest in [
            format!(r#"sandbox({root}).container().file("/etc/hosts", "own\n")"#),
            format!(r#"sandbox({root}).file("/etc/hosts", "own\n").container()"#),
            format!(r#"sandbox({root}).container().bind({hosts:?}, "/etc/hosts")"#),
            format!(r#"sandbox({root}.file("/etc/hosts", "own\n")).container()"#),
            format!(r#"sandbox({root}.copy({hosts:?}, "/etc/hosts")).container()"#),
        ] {
            let seen = bench.script(&guest, script).end().succeeded();
            assert_eq!(seen, "own\ncontainer\n", "{guest}");
        }
        // A directory that the recipe mounts is not written to.
        let guest = format!(r#"sandbox({root}).container().bind(".", "/etc")"#);
        let seen = bench.script(&guest, "ls /etc").end();
        assert!(seen.stderr.is_empty() || !seen.stderr.contains("hides"), "{}", seen.stderr);
        assert!(!bench.path("hostname").exists());
        assert_eq!(fs::read_to_string(bench.path("hosts")).unwrap(), "own\n");
    });
}

#[test]
fn a_root_is_not_changed_for_a_name() {
    as_each_user(|bench| {
        let recipe = r#"let root = rootfs().binaries(["sh", "cat"]).directory("/etc").file("/etc/hosts.d", "");
            let built = root.build("root");
            for read_only in [false, true] {
                let guest = sandbox(built).hostname("box").name_files();
                if read_only { guest = guest.read_only_root(); }
                guest.sh("cat /etc/hostname");
            }"#;
        let seen = bench.recipe(recipe).end().succeeded();
        assert_eq!(seen, "box\nbox\n");
        let names = fs::read_dir(bench.path("root/etc")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert!(
            !names.contains(&"hosts".into()) && !names.contains(&"hostname".into()),
            "{names:?}"
        );
    });
}

#[test]
fn a_view_of_the_host_gets_files_in_memory() {
    as_each_user(|bench| {
        let before = [fs::read("/etc/hosts").ok(), fs::read("/etc/hostname").ok()];
        let guest = r#"sandbox("/").hostname("box").name_files()"#;
        let seen =
            bench.seen(guest, "cat /etc/hosts /etc/hostname; echo x 2>&1 > /etc/hosts || true");
        assert!(seen.starts_with(&format!("{LOCALHOST}127.0.1.1 box\nbox\n")), "{seen}");
        assert_eq!([fs::read("/etc/hosts").ok(), fs::read("/etc/hostname").ok()], before);
    });
}

#[test]
fn a_debian_system_finds_its_own_name_and_may_replace_the_files() {
    let Some(file) = debian() else { return };
    as_each_user(|bench| {
        let recipe = format!(
            r#"sandbox(rootfs().tar("{}")).container().run(["sh", "-c", args[0]]);"#,
            file.display()
        );
        let script = "getent hosts localhost | tr -s ' '; getent hosts $(hostname) | tr -s ' '
            hostname --fqdn
            # As a package manager does.
            for file in hosts hostname; do
                cp /etc/$file /etc/$file.new; echo '# new' >> /etc/$file.new; mv /etc/$file.new /etc/$file
                tail -n 1 /etc/$file
            done";
        let launch = bench.nsscript(&["-e", &recipe, script]);
        let Some(launch) = with_ids(bench, launch) else { return };
        let seen = launch.end().succeeded();
        let found = "::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 container\ncontainer\n";
        assert_eq!(seen, format!("{found}# new\n# new\n"));
    });
}

#[test]
fn python_finds_the_address_of_its_host() {
    if !have(&["/usr/bin/python3"]) {
        return;
    }
    as_each_user(|bench| {
        let recipe = r#"let root = rootfs().binary("/usr/bin/python3", #{ data: true });
            let code = "import socket; print(socket.gethostbyname(socket.gethostname()))";
            sandbox(root).hostname("box").name_files().run(["/usr/bin/python3", "-c", code]);
            let net = netns().address("lo", "10.9.8.7/32");
            sandbox(root).hostname("box").name_files().network(net).run(["/usr/bin/python3", "-c", code]);"#;
        assert_eq!(bench.recipe(recipe).end().succeeded(), "127.0.1.1\n10.9.8.7\n");
    });
}

//! The eight namespaces: new unless they are shared.

use crate::support::{Bench, GUESTS, HOST, as_each_user, field, fields, mounts};

/// The constant of the language, and the file below /proc/PID/ns.
const KINDS: [(&str, &str); 8] = [
    ("USER", "user"),
    ("MOUNT", "mnt"),
    ("PID", "pid"),
    ("NET", "net"),
    ("UTS", "uts"),
    ("IPC", "ipc"),
    ("CGROUP", "cgroup"),
    ("TIME", "time"),
];

fn of_host(file: &str) -> String {
    let link = std::fs::read_link(format!("/proc/self/ns/{file}")).unwrap();
    link.to_str().unwrap().to_owned()
}

/// The namespaces of a program in `guest`, in the order of [`KINDS`].
fn inside(bench: &Bench, guest: &str) -> Vec<String> {
    let files: Vec<_> = KINDS.iter().map(|(_, file)| format!("/proc/self/ns/{file}")).collect();
    let seen = bench.seen(guest, &format!("readlink {}", files.join(" ")));
    let seen: Vec<_> = seen.lines().map(str::to_owned).collect();
    assert_eq!(seen.len(), KINDS.len(), "{seen:?}");
    seen
}

#[test]
fn all_eight_are_new() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            for ((kind, file), seen) in KINDS.iter().zip(inside(bench, guest)) {
                assert_ne!(seen, of_host(file), "{kind} in {name}");
            }
        }
    });
}

#[test]
fn a_shared_one_is_the_hosts_and_the_others_are_new() {
    as_each_user(|bench| {
        for shared in ["NET", "UTS", "IPC", "CGROUP", "TIME"] {
            let seen = inside(bench, &format!("{HOST}.share({shared})"));
            for ((kind, file), seen) in KINDS.iter().zip(seen) {
                assert_eq!(seen == of_host(file), *kind == shared, "{kind} with {shared} shared");
            }
        }
    });
}

#[test]
fn all_may_be_shared_but_those_that_are_asked_for() {
    as_each_user(|bench| {
        let guest = r#"sandbox("/").read_only_root().share(ALL - USER - MOUNT).unshare(IPC)"#;
        for ((kind, file), seen) in KINDS.iter().zip(inside(bench, guest)) {
            let is_new = ["USER", "MOUNT", "IPC"].contains(kind);
            assert_eq!(seen != of_host(file), is_new, "{kind}");
        }
    });
}

#[test]
fn root_may_share_the_user_namespace() {
    as_each_user(|bench| {
        let guest = format!("{HOST}.share(USER)");
        if !bench.user.is_root() {
            let said = bench.sh(&guest, "true").failed(125);
            assert!(said.contains("while USER is shared"), "{said}");
            return;
        }
        for ((kind, file), seen) in KINDS.iter().zip(inside(bench, &guest)) {
            assert_eq!(seen == of_host(file), *kind == "USER", "{kind}");
        }
        let status = bench.seen(&guest, "cat /proc/self/status");
        assert_eq!(field(&status, "CapEff"), "0000000000000000");
        assert_eq!(field(&status, "CapBnd"), "0000000000000000");
    });
}

#[test]
fn two_sandboxes_share_none_and_another_program_in_one_shares_all() {
    as_each_user(|bench| {
        let recipe = format!(
            "let guest = {HOST};
            let first = guest.start(\"sleep 60\");
            first.run([\"sh\", \"-c\", args[0]]);
            first.run([\"sh\", \"-c\", args[0]]);
            guest.run([\"sh\", \"-c\", args[0]]);"
        );
        let files = KINDS.map(|(_, file)| format!("/proc/self/ns/{file}")).join(" ");
        let seen = bench.nsscript(&["-e", &recipe, &format!("readlink {files}")]).end().succeeded();
        let links: Vec<_> = seen.lines().collect();
        assert_eq!(links.len(), 3 * KINDS.len(), "{seen}");
        assert_eq!(links[..8], links[8..16]);
        for ((kind, _), (one, other)) in KINDS.iter().zip(links[..8].iter().zip(&links[16..])) {
            assert_ne!(one, other, "{kind}");
        }
    });
}

#[test]
fn the_mounts_inside_are_those_of_the_sandbox_alone() {
    as_each_user(|bench| {
        bench.directory("root/proc");
        for directory in ["usr", "bin", "lib", "lib64", "dev"] {
            bench.directory(&format!("root/{directory}"));
        }
        let system =
            r#".bind("/usr").bind("/bin").bind("/lib").bind("/lib64", #{ optional: true })"#;
        let tree = r#"sandbox(rootfs().binaries(["sh", "cat"])).proc("/proc")"#;
        let overlay = format!(r#"sandbox("root").proc("/proc"){system}"#);
        let empty = format!(r#"sandbox().proc("/proc"){system}"#);
        for guest in [tree, &overlay, &empty] {
            let seen = bench.seen(guest, "cat /proc/self/mountinfo");
            let mounts = fields(&seen);
            assert_eq!(mounts[0][4], "/", "{seen}");
            for mount in &mounts {
                let place = mount[4];
                let own = ["/", "/usr", "/bin", "/lib", "/lib64"].contains(&place);
                assert!(own || place.starts_with("/proc"), "{guest}: {place}\n{seen}");
            }
            // One at the root: no other lies beneath it, from which something could be uncovered.
            let roots = mounts.iter().filter(|mount| mount[4] == "/").count();
            assert_eq!(roots, 1, "{guest}\n{seen}");
        }
    });
}

#[test]
fn the_tree_of_the_host_has_each_mount_of_the_host_once() {
    as_each_user(|bench| {
        let seen = bench.seen(r#"sandbox("/").writable_root()"#, "cat /proc/self/mountinfo");
        let places = |text: &str| {
            let mut places: Vec<_> = fields(text).iter().map(|mount| mount[4].to_owned()).collect();
            places.sort();
            places
        };
        assert_eq!(places(&seen), places(&mounts()));
        for mount in fields(&seen) {
            let options: Vec<_> = mount[5].split(',').collect();
            assert!(["nosuid", "nodev"].iter().all(|it| options.contains(it)), "{mount:?}");
            assert!(!mount.iter().any(|word| word.starts_with("shared:")), "{mount:?}");
        }
    });
}

#[test]
fn nothing_but_lo_is_in_the_network_and_it_is_up() {
    as_each_user(|bench| {
        let guest = format!(r#"{HOST}.sysfs("/sys")"#);
        let seen = bench.seen(&guest, "ls /sys/class/net; cat /sys/class/net/lo/flags");
        assert_eq!(seen, "lo\n0x9\n", "IFF_UP and IFF_LOOPBACK");
    });
}

#[test]
fn host_name_and_domain_name_are_the_sandboxs_own() {
    as_each_user(|bench| {
        let guest = format!(r#"{HOST}.hostname("box").domainname("lan")"#);
        let script = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname";
        assert_eq!(bench.seen(&guest, script), "box\nlan\n");
        let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_ne!(own, "box\n");
        let said = bench.sh(&format!(r#"{HOST}.share(UTS).hostname("box")"#), "true").failed(125);
        assert!(said.contains("would change the host's name"), "{said}");
    });
}

#[test]
fn a_namespace_that_only_nsscript_was_in_is_told_from_new_ones() {
    as_each_user(|bench| {
        // The kernel gives the number of a namespace that has ended to the next one.
        let recipe = r#"
            scratch();
            for time in 0..4 { within(MOUNT, || mount("/", #{ propagation: "private" })); }
            for time in 0..4 { within(UTS, || sethostname("box")); }"#;
        let user = if bench.user.is_root() { "" } else { "--user --map-root-user" };
        let script = format!("exec unshare {user} --mount --uts -- \"$@\"");
        bench.recipe(recipe).by_shell(&script).end().succeeded();
    });
}

//! The session: what a recipe works in before its first raw call.

use std::fs;

use super::printed;
use crate::support::{Bench, Launch, User, as_each_user, have, may_mount, missing};

/// The files of namespaces below /proc/PID/ns.
const FILES: [&str; 8] = ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time"];

fn of_host(file: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{file}")).unwrap();
    link.to_str().unwrap().to_owned()
}

#[test]
fn mounts_are_private_and_for_a_user_the_user_namespace_is_new() {
    as_each_user(|bench| {
        let recipe = "let own = namespaces();
            for file in args { print(`${file}:[${own[file].inode}]`); }";
        let words: Vec<&str> = ["-e", recipe].into_iter().chain(FILES).collect();
        let seen = bench.nsscript(&words).end().succeeded();
        for (file, seen) in FILES.iter().zip(seen.lines()) {
            let new = *file == "mnt" || *file == "user" && !bench.user.is_root();
            assert_eq!(seen != of_host(file), new, "{file}");
        }
        let kinds = "let kinds = []; for mount in mounts() { kinds += mount.propagation; }
            assert(kinds.len() > 2); assert(kinds.all(|kind| kind == \"private\"));";
        printed(bench, kinds);
    });
}

#[test]
fn the_caller_is_root_in_it_and_has_every_capability() {
    as_each_user(|bench| {
        let recipe = r#"print(`${getuid()} ${getgid()} ${capabilities().effective.len() > 30}`);
            print(read_file("/proc/self/uid_map").trim());"#;
        let seen = printed(bench, recipe);
        let mut lines = seen.lines();
        assert_eq!(lines.next(), Some("0 0 true"));
        let map: Vec<_> = lines.next().unwrap().split_whitespace().collect();
        if bench.user.is_root() {
            let own = fs::read_to_string("/proc/self/uid_map").unwrap();
            assert_eq!(map, own.split_whitespace().collect::<Vec<_>>());
        } else {
            assert_eq!(map, ["0", &bench.user.uid.to_string(), "1"]);
        }
    });
}

/// Gives the user of a test a range of subordinate ids, where the machine's root can.
fn with_range<'b>(bench: &'b Bench, more: &str, recipe: &str) -> Option<Launch<'b>> {
    if bench.user.is_root() {
        return None;
    }
    if !User::this().is_root() || !have(&["newuidmap", "newgidmap"]) || !may_mount() {
        missing("root, to give the user a range of ids");
        return None;
    }
    bench.file("ranges", format!("{}:100000:65536\n", bench.user.uid));
    let setup =
        format!("for file in /etc/subuid /etc/subgid; do mount --bind ranges $file; done\n{more}");
    Some(bench.recipe(recipe).in_world(&setup))
}

#[test]
fn subordinate_ids_are_mapped_where_newuidmap_is() {
    as_each_user(|bench| {
        let recipe = r#"print(read_file("/proc/self/uid_map"));
            print(read_file("/proc/self/gid_map"));
            print(within(PID, || { setgroups([]); setgid(5); setuid(1000); [getuid(), getgid()] }));"#;
        let Some(launch) = with_range(bench, "", recipe) else { return };
        let seen = launch.end().succeeded();
        let words: Vec<_> = seen.split_whitespace().collect();
        let map = ["0", "65534", "1", "1", "100000", "65536"];
        assert_eq!(words, [&map[..], &map, &["[1000,", "5]"]].concat(), "{seen}");
    });
}

#[test]
fn without_newuidmap_the_own_id_alone_is_mapped() {
    as_each_user(|bench| {
        let recipe = r#"print(read_file("/proc/self/uid_map"));"#;
        let hide = "for it in $(command -v newuidmap newgidmap); do \
                    mount --bind /dev/null $it; done";
        let Some(launch) = with_range(bench, hide, recipe) else { return };
        let seen = launch.end().succeeded();
        assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["0", "65534", "1"]);
    });
}

#[test]
fn nothing_propagates_out_of_it() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let place = bench.directory("place");
        let recipe = r#"mount("x", "place", #{ type: "tmpfs" });
            mount("/etc", "place", #{ bind: true, recursive: true });
            mount("/", #{ propagation: "shared", recursive: true });
            within(MOUNT, || mount("y", "place", #{ type: "tmpfs" }));
            print("done");"#;
        // The harness compares the mounts of that world before and after, too.
        let launch = bench.recipe(recipe).in_world("mount --make-rshared /");
        assert_eq!(launch.end().succeeded(), "done\n");
        assert_eq!(fs::read_dir(place).unwrap().count(), 0);
    });
}

#[test]
fn a_recipe_without_raw_calls_begins_none() {
    as_each_user(|bench| {
        let recipe = r#"print(exists("/proc")); sandbox("/").read_only_root().run("true");"#;
        let ended = bench.nsscript(&["--explain", "-e", recipe]).end();
        assert!(!ended.stderr.contains("unshare("), "{}", ended.stderr);
        assert_eq!(ended.succeeded(), "true\n");
    });
}

/// A world of one's own, with a name of its own, in which nsscript works on the host, and what it
/// is like afterwards.
fn in_own_world<'b>(bench: &'b Bench, words: &[&str], after: &str) -> Launch<'b> {
    let inner = format!("\"$@\" || exit; {after}");
    let script = format!("exec unshare -Urmu --propagation private sh -c '{inner}' sh \"$@\"");
    bench.nsscript(words).by_shell(&script)
}

#[test]
fn on_the_host_everything_is_done_for_real() {
    as_each_user(|bench| {
        bench.directory("place");
        let recipe = r#"sethostname("changed"); mount("x", "place", #{ type: "tmpfs" });
            mkdir("place/made"); write_file("written", "w"); print(getuid());"#;
        let after = "hostname; ls place; grep -c place /proc/self/mountinfo";
        let seen = in_own_world(bench, &["--host", "-e", recipe], after).end().succeeded();
        assert_eq!(seen, "0\nchanged\nmade\n1\n");
        assert_eq!(bench.content("written"), "w");
    });
}

#[test]
fn without_it_nothing_of_that_is() {
    as_each_user(|bench| {
        bench.directory("place");
        let recipe = r#"unshare(UTS); sethostname("changed"); mount("x", "place", #{ type: "tmpfs" });
            mkdir("place/made"); print(hostname());"#;
        let after = "hostname; ls place; grep -c place /proc/self/mountinfo; true";
        let seen = in_own_world(bench, &["-e", recipe], after).end().succeeded();
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(seen, format!("changed\n{name}0\n"));
    });
}

/// nsscript as root of a user namespace that has no capability and may have no other.
fn without_namespaces<'b>(bench: &'b Bench, recipe: &str) -> Launch<'b> {
    let inner = "echo 0 > /proc/sys/user/max_user_namespaces; \
                 exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    bench
        .recipe(recipe)
        .by_shell(&format!("exec unshare -Urm --propagation private sh -ec '{inner}' sh \"$@\""))
}

#[test]
fn a_machine_without_user_namespaces_says_so_at_the_first_raw_call() {
    as_each_user(|bench| {
        if !have(&["setpriv"]) {
            return;
        }
        let ended = without_namespaces(bench, "print(getpid() > 1);\nunshare(UTS);").end();
        assert_eq!(ended.stdout, "true\n");
        let said = ended.failed(125);
        assert!(
            said.contains("error: cannot work in a private user and mount namespace"),
            "{said}"
        );
        assert!(said.contains("`user.max_user_namespaces` is 0"), "{said}");
        assert!(said.contains("──▶ <command line>:2:1"), "{said}");
    });
}

#[test]
fn questions_are_answered_without_one() {
    as_each_user(|bench| {
        let recipe = "print(mounts().len() > 0); print(getuid()); print(namespaces().len() > 5);";
        if have(&["setpriv"]) {
            let seen = without_namespaces(bench, recipe).end();
            assert_eq!(seen.stdout, "true\n0\ntrue\n", "{}", seen.stderr);
        }
    });
}

#[test]
fn scratch_is_one_directory_in_memory_that_is_gone_afterwards() {
    as_each_user(|bench| {
        let recipe = r#"let place = scratch();
            assert_eq(place, scratch());
            write_file(`${place}/note`, "x");
            let mount = mounts().filter(|mount| mount.target == place)[0];
            assert_eq(mount["type"], "tmpfs");
            assert_eq(within(PID | MOUNT, || read_file(`${scratch()}/note`)), "x");
            print(place);"#;
        let place = printed(bench, recipe);
        assert!(!fs::exists(place.trim_end()).unwrap());
        assert_eq!(bench.left(), Vec::<std::path::PathBuf>::new());
    });
}

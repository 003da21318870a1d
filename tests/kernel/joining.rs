//! What joins a sandbox is where the sandbox is, as what its first program is.

use super::networks::with_a_way_out;
use crate::support::{Bench, HOST, Launch, User, as_each_user, have, may_mount, missing};

/// What the probe needs, in a root of its own.
pub(super) const TREE: &str = r#"sandbox(rootfs().binaries(["sh", "cat", "env", "grep", "readlink", "sleep",
    "sort", "stat"])).proc("/proc").dev("/dev")"#;

/// What a program sees of where and what it is, a line each. Numbers of processes are left out.
pub(super) const PROBE: &str = r#"
    for kind in user mnt pid net uts ipc cgroup time; do readlink /proc/self/ns/$kind; done
    grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Sig(Blk|Ign))' /proc/self/status
    cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups /proc/self/cgroup
    cat /proc/self/limits /proc/self/oom_score_adj /proc/self/mountinfo
    echo "dumpable: $(stat -c %u /proc/self/environ)"
    echo "root: $(stat -L -c %d:%i /)"
    pwd; umask; cat /proc/self/personality; env | sort
"#;

/// In `guest`, what its first program sees, and what each way to join it sees.
fn seen(bench: &Bench, guest: &str) -> [String; 3] {
    looked(bench.nsscript(&["-e", &recipe(&format!("let sandbox = {guest};"), ""), PROBE]))
}

/// The same of the value `sandbox` that `before` makes, and with `between` done to nsscript before
/// the others join.
fn moved_seen(bench: &Bench, before: &str, between: &str) -> [String; 3] {
    looked(bench.nsscript(&["-e", &recipe(before, between), PROBE]))
}

fn recipe(before: &str, between: &str) -> String {
    format!(
        r#"{before}
        let probe = args[0];
        let first = sandbox.start(["sh", "-c", probe + "\necho ==\nexec sleep 60"], #{{ pipes: true }});
        loop {{
            let line = first.read_line();
            print(line);
            if line == "==" {{ break; }}
        }}
        {between}
        first.run(["sh", "-c", probe]);
        print("==");
        first.within(|| exec(["sh", "-c", probe]));"#
    )
}

fn looked(launch: Launch<'_>) -> [String; 3] {
    let parts = launch.end().succeeded();
    let parts: Vec<_> = parts.split("==\n").map(str::to_owned).collect();
    parts.try_into().unwrap_or_else(|parts| panic!("{parts:?}"))
}

#[track_caller]
fn assert_same(guest: &str, [first, run, within]: &[String; 3]) {
    assert!(first.lines().count() > 30, "{guest}: {first}");
    for (what, seen) in [("another program", run), ("a closure", within)] {
        let lines = first.lines().zip(seen.lines());
        let differing: Vec<_> = lines.filter(|(first, seen)| first != seen).take(5).collect();
        assert!(first == seen, "{what} in {guest} differs: {differing:#?}");
    }
}

#[test]
fn a_program_that_joins_is_where_the_first_one_is() {
    as_each_user(|bench| {
        let mut guests = vec![HOST.to_owned(), TREE.to_owned(), "sandbox(\"/\")".to_owned()];
        let mut with = |more: &str| guests.push(format!("{HOST}{more}"));
        for kind in ["PID", "NET", "UTS", "IPC", "CGROUP", "TIME"] {
            with(&format!(".share({kind})"));
        }
        for network in [r#""none""#, r#""host""#, "netns()"] {
            with(&format!(".network({network})"));
        }
        with(".network(netns()).share(UTS)");
        with(".network(netns()).pid1()");
        with(".chroot()");
        with(".chroot().network(netns())");
        with(
            ".workdir(\"/usr\").umask(0o27).personality([\"ADDR_NO_RANDOMIZE\"]).env(\"A\", \"1\")",
        );
        with(".user(1000).group(1000)");
        with(".seccomp(seccomp(\"default\"))");
        with(".keep_capabilities(\"container\")");
        with(".user(1000).group(1000).keep_capabilities([\"NET_RAW\"])");
        with(".pid1()");
        if bench.user.is_root() {
            with(".share(USER)");
            with(".share(USER).keep_capabilities([\"CHOWN\"])");
            with(".map_users(\"all\").map_groups(\"all\").keep_capabilities(\"container\")");
            with(".share(USER).network(netns())");
            with(".share(USER).user(65534).group(65534)");
            with(".map_user(0, 0).map_user(1000, 1000, 10).map_group(0, 0).user(1000)");
            with(".share(USER | NET | UTS | PID | IPC | CGROUP | TIME)");
        }
        // What shares PID has no proc of its own.
        for guest in guests {
            let guest = if guest.contains("PID") {
                guest.replace(r#".proc("/proc")"#, r#".bind("/proc")"#)
            } else {
                guest
            };
            assert_same(&guest, &seen(bench, &guest));
        }
    });
}

#[test]
fn a_program_that_joins_a_sandbox_with_a_shared_mount_namespace_is_in_its_root() {
    as_each_user(|bench| {
        let build = r#"rootfs().binaries(["sh", "cat", "env", "grep", "readlink", "sleep", "sort",
            "stat"]).build("built");"#;
        bench.recipe(build).end().succeeded();
        // Nothing can be mounted there: the host's /proc is not seen, and the links are not either.
        let guest = r#"sandbox("built").share(MOUNT).chroot()"#;
        let recipe = format!(
            r#"let first = {guest}.start(["sh", "-c", "exec sleep 60"]);
            let look = ["sh", "-c", "pwd; stat -c %i /"];
            {guest}.run(look);
            first.run(look);
            first.within(|| {{ print(cwd()); exec(["stat", "-c", "%i", "/"]) }});"#
        );
        let seen = bench.recipe(&recipe).end().succeeded();
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines.len(), 6, "{seen}");
        assert!(lines.chunks(2).all(|pair| pair == ["/", lines[1]]), "{seen}");
    });
}

#[test]
fn what_joins_is_outside_where_nsscript_is_connected() {
    as_each_user(|bench| {
        if !User::this().is_root() || !may_mount() || !have(&["pasta", "ip"]) {
            return;
        }
        let guest = format!(r#"let sandbox = {HOST}.network("outbound");"#);
        let launch = bench.nsscript(&["-e", &recipe(&guest, ""), PROBE]);
        assert_same(&guest, &looked(with_a_way_out(bench, launch, "666")));
    });
}

#[test]
fn a_program_of_the_host_in_a_network_is_joined_with_its_rights() {
    as_each_user(|bench| {
        let parts = moved_seen(bench, "let sandbox = netns(); chdir(\"/usr\");", "");
        assert_same("a network", &parts);
        assert!(parts[1].contains("\n/usr\n"), "{}", parts[1]);
    });
}

#[test]
fn what_joins_is_where_the_sandbox_is_also_when_nsscript_has_gone_elsewhere() {
    as_each_user(|bench| {
        let host = HOST.replace(r#".proc("/proc")"#, r#".bind("/proc")"#);
        let guest = format!("let sandbox = {host}.share(UTS | IPC | NET | CGROUP | PID);");
        // A user may go back to nothing that belongs to the machine.
        let leaves = "unshare(UTS | IPC | NET | CGROUP); sethostname(\"elsewhere\");";
        if bench.user.is_root() {
            assert_same(&guest, &moved_seen(bench, &guest, leaves));
        }
        let recipe = format!(
            "{guest} let first = sandbox.start(\"sleep 60\"); unshare(PID); first.run(\"true\");"
        );
        let said = bench.recipe(&recipe).end().failed(125);
        assert!(said.contains("entered another PID namespace"), "{said}");
        let own = format!("unshare(UTS); sethostname(\"before\"); {guest}");
        assert_same(&own, &moved_seen(bench, &own, "unshare(UTS); sethostname(\"after\");"));
    });
}

#[test]
fn what_joins_has_the_ids_from_when_the_sandbox_started_or_is_refused() {
    as_each_user(|bench| {
        let recipe = format!(
            "let first = {HOST}.start(\"sleep 60\"); clone(UTS, || 1).wait(); {}; first.run(\"id\");",
            if bench.user.is_root() { "setgroups([7])" } else { "setgid(getgid())" }
        );
        let said = bench.recipe(&recipe).end().failed(125);
        assert!(said.contains("nsscript changed its ids"), "{said}");
        let fixed = format!(
            "let first = {HOST}.start(\"sleep 60\"); clone(UTS, || setgid(getgid())).wait();
            first.run(\"true\");"
        );
        bench.recipe(&fixed).end().succeeded();
    });
}

/// A cgroup of the test's own, removed with the value.
pub(super) struct Group(std::path::PathBuf);

impl Group {
    /// One of a hierarchy that this machine has; none where no such is there or may be made.
    pub(super) fn new(bench: &Bench) -> Option<Self> {
        let name = format!("nsscript-joining-{}-{}", std::process::id(), bench.user.uid);
        let tops = ["freezer", "pids", "unified", ""];
        tops.iter().find_map(|top| {
            let path = std::path::Path::new("/sys/fs/cgroup").join(top);
            let path = path.join(&name);
            let has = std::fs::create_dir(&path).is_ok() && path.join("cgroup.procs").exists();
            has.then_some(Self(path))
        })
    }

    /// Its directory.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..500 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
fn what_joins_is_in_the_control_group_that_the_sandbox_was_put_into() {
    as_each_user(|bench| {
        let Some(group) = Group::new(bench) else {
            return missing("a hierarchy of control groups to make one in");
        };
        let recipe = format!(
            r#"let sandbox = {HOST}.share(CGROUP);
            let first = sandbox.start("sleep 60");
            print(first.pid);
            while !exists("moved") {{ sleep("10ms"); }}
            first.run("cat /proc/self/cgroup");
            first.within(|| exec(["cat", "/proc/self/cgroup"]));"#
        );
        let mut run = bench.recipe(&recipe).start();
        run.wait_for("\n");
        std::fs::write(group.0.join("cgroup.procs"), run.printed().trim()).unwrap();
        bench.file("moved", "");
        let name = group.0.file_name().unwrap().to_string_lossy().into_owned();
        if bench.user.is_root() {
            let seen = run.end().succeeded();
            assert_eq!(seen.lines().filter(|line| line.ends_with(&name)).count(), 2, "{seen}");
        } else {
            let said = run.end().failed(125);
            assert!(said.contains("cannot enter the control group of the sandbox"), "{said}");
            assert!(said.contains("(EACCES)"), "{said}");
        }
    });
}

#[test]
fn a_sandbox_is_found_where_proc_shows_another_pid_namespace() {
    as_each_user(|bench| {
        // Its number there is that of a stranger in /proc, whose root would be entered.
        let recipe = format!(
            r#"within(PID, || {{
                let sandbox = {TREE}.file("/marker", "inside\n").chroot().start("sleep 60");
                sandbox.run("cat /marker");
            }});"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "inside\n");
    });
}

#[test]
fn what_joins_ignores_no_signal_that_the_caller_ignores() {
    as_each_user(|bench| {
        let recipe = recipe(&format!("let sandbox = {TREE};"), "");
        let launch = bench.nsscript(&["-e", &recipe, "grep SigIgn /proc/self/status"]);
        let [first, run, within] =
            looked(launch.by_shell("exec env --ignore-signal=USR1,HUP,RTMIN \"$@\""));
        assert_eq!(first, "SigIgn:\t0000000000000000\n");
        assert_eq!([&run, &within], [&first, &first]);
    });
}

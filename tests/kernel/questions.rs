//! What a recipe asks about its own process and the machine, held against what the kernel and
//! other programs say.

use std::collections::BTreeSet;
use std::fs;

use nsscript::internal::spec::Capability;

use crate::support::{Bench, Launch, as_each_user, field, fields, have, mounts};

/// nsscript with a recipe that asks about the process as it was started: without a session.
fn asking<'b>(bench: &'b Bench, recipe: &str) -> Launch<'b> {
    bench.nsscript(&["--host", "-e", recipe])
}

/// nsscript with a recipe, in new namespaces: `flags` are those of unshare(1). The shell script
/// `setup` is run there first.
fn in_new<'b>(bench: &'b Bench, flags: &str, setup: &str, recipe: &str) -> Launch<'b> {
    let script = format!("exec unshare {flags} sh -ec '{setup}\nexec \"$@\"' sh \"$@\"");
    asking(bench, recipe).by_shell(&script)
}

/// What nsscript prints in a process that first prints what the shell script `before` does.
#[track_caller]
fn both(bench: &Bench, before: &str, recipe: &str) -> (String, String) {
    let script = format!("{before}\necho =\nexec \"$@\"");
    let printed = asking(bench, recipe).by_shell(&script).end().succeeded();
    let (told, answered) = printed.split_once("=\n").expect("both have printed");
    (told.to_owned(), answered.to_owned())
}

#[test]
fn the_process_is_the_one_that_the_shell_has_started() {
    as_each_user(|bench| {
        let recipe = "print(getpid()); print(gettid()); print(getppid());";
        let (told, answered) = both(bench, "echo $$; echo $$; echo $PPID", recipe);
        assert_eq!(told, answered);
    });
}

#[test]
fn the_user_and_the_groups_are_those_of_the_caller() {
    as_each_user(|bench| {
        let ids = "print(`${getuid()}\n${getgid()}`);";
        let (told, answered) = both(bench, "id -u; id -g", ids);
        assert_eq!(told, answered);
        let groups = "for group in getgroups() { print(group); }";
        let (told, answered) = both(bench, "grep ^Groups: /proc/self/status", groups);
        assert_eq!(
            field(&told, "Groups"),
            answered.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        let inside = in_new(bench, "-Ur", "", ids).end().succeeded();
        assert_eq!(inside, "0\n0\n");
        let (uid, gid) = (bench.user.uid, bench.user.gid);
        let mapped = in_new(bench, "-U --map-user=5 --map-group=6", "", ids).end().succeeded();
        assert_eq!(mapped, "5\n6\n", "{uid} and {gid} outside");
    });
}

#[test]
fn the_groups_that_one_is_given_are_told() {
    as_each_user(|bench| {
        if bench.user.is_root() {
            let recipe = "print(getgroups());";
            let launch = asking(bench, recipe).by_shell("exec setpriv --groups=7,8 \"$@\"");
            assert_eq!(launch.end().succeeded(), "[7, 8]\n");
        }
    });
}

#[test]
fn the_names_of_the_host_are_those_of_the_namespace() {
    as_each_user(|bench| {
        let recipe = "print(hostname()); print(domainname());";
        let files = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname";
        let (told, answered) = both(bench, files, recipe);
        assert_eq!(told, answered);
        if have(&["hostname"]) {
            let inside = in_new(bench, "-Ur --uts", "hostname box", recipe).end().succeeded();
            assert_eq!(inside.lines().next(), Some("box"));
        }
    });
}

#[test]
fn the_mounts_are_those_of_mountinfo() {
    as_each_user(|bench| {
        let recipe = "for m in mounts() { print(`${m.id} ${m.parent} ${m.root} ${m.target} \
                      ${m.options} ${m.type} ${m.source} ${m.super_options}`); }";
        let printed = asking(bench, recipe).end().succeeded();
        let told = mounts();
        let told: Vec<_> = told
            .lines()
            .map(|line| {
                let (own, filesystem) = line.split_once(" - ").expect("a line of mountinfo");
                let own: Vec<_> = own.split(' ').collect();
                format!("{} {} {} {} {} {filesystem}", own[0], own[1], own[3], own[4], own[5])
            })
            .collect();
        assert_eq!(printed.lines().collect::<Vec<_>>(), told);
    });
}

#[test]
fn what_was_mounted_is_told_with_its_name_and_propagation() {
    as_each_user(|bench| {
        for name in ["a b", "shared", "slave", "nowhere"] {
            bench.directory(name);
        }
        let setup = r#"
            mount -t tmpfs -o ro,nosuid,size=64k "the source" "a b"
            mount -t tmpfs shared shared
            mount --make-shared shared
            mount --bind shared slave
            mount --make-slave slave
            mount -t tmpfs nowhere nowhere
            mount --make-unbindable nowhere"#;
        let recipe = r#"
            for m in mounts().filter(|m| m.target.starts_with(cwd())) {
                let name = m.target.sub_string(cwd().len() + 1);
                let kind = m.propagation.split(":")[0];
                print(`${name}, ${m.source}, ${m.type}, ${m.options}, ${kind}`);
            }
            let tmpfs = mounts().find(|m| m.source == "the source");
            assert("ro" in tmpfs.super_options && "size=64k" in tmpfs.super_options);"#;
        let printed = in_new(bench, "-Urm", setup, recipe).end().succeeded();
        let expected = "a b, the source, tmpfs, ro,nosuid,relatime, private\n\
                        shared, shared, tmpfs, rw,relatime, shared\n\
                        slave, shared, tmpfs, rw,relatime, slave\n\
                        nowhere, nowhere, tmpfs, rw,relatime, unbindable\n";
        assert_eq!(printed, expected);
    });
}

#[test]
fn the_processes_are_those_of_the_proc_that_is_mounted() {
    as_each_user(|bench| {
        let setup = "sleep 60 &
            until [ \"$(cat /proc/$!/comm)\" = sleep ] && grep -qs State:.S /proc/$!/status; do :; done";
        let recipe = "for p in processes() {
            print(`${p.pid} ${p.ppid} ${p.uid} ${p.user} ${p.name}`);
        }
        let sleeper = processes()[1];
        assert_eq!(sleeper.command, \"sleep 60\");
        assert_eq!(sleeper.state, \"sleeping\");
        let own = processes()[0];
        assert(\"-e for p in\" in own.command);
        assert_eq!(own.state, \"running\");"
            .replace("assert_eq!", "assert_eq");
        let printed = in_new(bench, "-Urpf --mount-proc", setup, &recipe).end().succeeded();
        assert_eq!(printed, "1 0 0 root nsscript\n2 1 0 root sleep\n");
    });
}

#[test]
fn every_process_that_can_be_seen_is_listed() {
    as_each_user(|bench| {
        let recipe = "let all = processes();
            let own = all.find(|p| p.pid == getpid());
            assert_eq(own.ppid, getppid());
            assert_eq(own.uid, getuid());
            assert_eq(own.name, \"nsscript\");
            let first = all[0];
            print(`${first.pid} ${first.name}`);";
        let printed = asking(bench, recipe).end().succeeded();
        let name = fs::read_to_string("/proc/1/comm").unwrap();
        assert_eq!(printed, format!("1 {name}"));
    });
}

#[test]
fn questions_that_proc_answers_say_what_they_lack() {
    as_each_user(|bench| {
        for verb in ["mounts", "processes", "lsns", "routes", "cgroup"] {
            let setup = "mount -t tmpfs none /proc";
            let said = in_new(bench, "-Urm", setup, &format!("{verb}();")).end().failed(125);
            assert!(said.contains("error: cannot read `/proc"), "{verb}: {said}");
            let hint = "hint: mount a proc filesystem on `/proc`";
            assert!(said.contains(hint), "{verb}: {said}");
        }
        let others = "capabilities(); interfaces(); hostname(); getgroups(); clock(\"boottime\");
            host.kernel;";
        assert_eq!(
            in_new(bench, "-Urm", "mount -t tmpfs none /proc", others).end().succeeded(),
            ""
        );
    });
}

/// The sets of a text like /proc/self/status, in the order of `CAPABILITIES`.
fn sets(status: &str) -> Vec<u64> {
    let set = |name: &&str| u64::from_str_radix(&field(status, name), 16).unwrap();
    ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"].iter().map(set).collect()
}

/// A recipe that prints a line for each set.
const CAPABILITIES: &str = r#"let sets = capabilities();
    for set in ["effective", "permitted", "inheritable", "bounding", "ambient"] {
        print(sets[set].reduce(|line, name| line + " " + name, ""));
    }"#;

/// What that has printed, as sets.
fn named(printed: &str) -> Vec<u64> {
    let bit = |name: &str| 1 << Capability::parse(name).unwrap().number();
    let set = |line: &str| line.split_whitespace().map(bit).fold(0, |set, bit: u64| set | bit);
    printed.lines().map(set).collect()
}

#[test]
fn capabilities_are_those_of_the_status() {
    as_each_user(|bench| {
        let (told, answered) = both(bench, "cat /proc/self/status", CAPABILITIES);
        assert_eq!(sets(&told), named(&answered));
        let confined = "unshare -Ur setpriv --inh-caps +chown,+syslog --ambient-caps +chown \
                        --bounding-set -sys_time,-bpf";
        let script =
            format!("exec {confined} sh -c 'cat /proc/self/status; echo =; exec \"$@\"' sh \"$@\"");
        let printed = asking(bench, CAPABILITIES).by_shell(&script).end().succeeded();
        let (told, answered) = printed.split_once("=\n").unwrap();
        assert_eq!(sets(told), named(answered));
        assert_eq!(sets(told)[4], 1, "CAP_CHOWN is ambient");
    });
}

#[test]
fn the_interfaces_are_those_of_the_namespace() {
    as_each_user(|bench| {
        let printed = asking(bench, "for i in interfaces() { print(i.name); }").end().succeeded();
        let told = fs::read_to_string("/proc/self/net/dev").unwrap();
        let told: BTreeSet<_> =
            told.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
        assert_eq!(printed.lines().collect::<BTreeSet<_>>(), told);
        let recipe = "let lo = interfaces().find(|i| i.name == \"lo\");
            print(`${lo.index} ${lo.up} ${lo.running} ${lo.loopback} ${lo.mac} ${lo.mtu} ${lo.addresses}`);";
        let inside = in_new(bench, "-Urn", "", recipe).end().succeeded();
        assert_eq!(inside, "1 false false true 00:00:00:00:00:00 65536 []\n");
    });
}

#[test]
fn a_loopback_device_that_is_up_has_its_addresses() {
    as_each_user(|bench| {
        // A program in a sandbox finds the device up; nsscript itself is asked there.
        bench.file(
            "ask.rhai",
            "print(interfaces().find(|i| i.name == \"lo\").addresses);\
                                print(routes().len());",
        );
        let binary = bench.binary();
        let (program, work) = (binary.to_str().unwrap(), bench.text(""));
        let guest =
            format!("sandbox(\"/\").bind({:?}).workdir({work:?})", bench.base().to_str().unwrap());
        let recipe = format!("{guest}.run([{program:?}, \"ask.rhai\"]);");
        let printed = asking(bench, &recipe).end().succeeded();
        let ipv6 = fs::exists("/proc/sys/net/ipv6").unwrap();
        let addresses = if ipv6 { r#"["127.0.0.1/8", "::1/128"]"# } else { r#"["127.0.0.1/8"]"# };
        assert_eq!(printed.lines().next(), Some(addresses), "{printed}");
    });
}

#[test]
fn the_routes_are_those_of_the_namespace() {
    as_each_user(|bench| {
        let inside = in_new(bench, "-Urn", "", "print(routes());").end().succeeded();
        assert_eq!(inside, "[]\n");
        let recipe = "for r in routes() { print(`${r.device} ${r.metric}`); }
            for r in routes() {
                assert(interfaces().some(|i| i.name == r.device) || r.device == ());
            }";
        let printed = asking(bench, recipe).end().succeeded();
        let told = fs::read_to_string("/proc/self/net/route").unwrap();
        let told: Vec<_> = fields(&told)
            .into_iter()
            .skip(1)
            .map(|line| format!("{} {}", line[0], line[6]))
            .collect();
        let printed: Vec<_> = printed.lines().take(told.len()).collect();
        assert_eq!(printed, told);
    });
}

#[test]
fn the_cgroups_are_those_of_the_process() {
    as_each_user(|bench| {
        let recipe =
            "let all = cgroup(); for name in all.keys() { print(`${name} ${all[name]}`); }";
        let (told, answered) = both(bench, "cat /proc/self/cgroup", recipe);
        let mut expected: Vec<String> = Vec::new();
        for line in told.lines() {
            let (controllers, path) = line.split_once(':').unwrap().1.split_once(':').unwrap();
            let names = controllers.split(',').map(|name| name.trim_start_matches("name="));
            let names = names.map(|name| if name.is_empty() { "unified" } else { name });
            expected.extend(names.map(|name| format!("{name} {path}")));
        }
        expected.sort();
        assert_eq!(answered.lines().collect::<Vec<_>>(), expected);
    });
}

#[test]
fn clocks_show_the_time_of_the_namespace() {
    as_each_user(|bench| {
        let recipe = "print(clock(\"boottime\"));";
        let seconds = |text: &str| text.split_whitespace().next().unwrap().parse::<f64>().unwrap();
        let (told, answered) = both(bench, "cat /proc/uptime", recipe);
        let passed = seconds(&answered) - seconds(&told);
        assert!((-1.0..60.0).contains(&passed), "{told} and then {answered}");
        let inside = in_new(bench, "-UrT --boottime 100000 --fork", "", recipe).end().succeeded();
        let ahead = seconds(&inside) - seconds(&answered);
        assert!((99_999.0..100_060.0).contains(&ahead), "{inside} and {answered}");
        let recipe =
            "print(clock(\"realtime\")); assert(clock(\"monotonic\") <= clock(\"boottime\"));";
        let (told, answered) = both(bench, "date +%s", recipe);
        let passed = seconds(&answered) - seconds(&told);
        assert!((0.0..60.0).contains(&passed), "{told} and then {answered}");
    });
}

#[test]
fn the_machine_is_told_by_host() {
    as_each_user(|bench| {
        let recipe = "print(host.kernel); print(host.machine);
            print(`${host.uid} ${host.gid} ${host.is_root} ${host.user_namespaces}`);";
        let (told, answered) = both(bench, "uname -r; uname -m", recipe);
        let (uid, gid, is_root) = (bench.user.uid, bench.user.gid, bench.user.is_root());
        assert_eq!(answered, format!("{told}{uid} {gid} {is_root} true\n"));
        let setup = "echo 0 > /proc/sys/user/max_user_namespaces";
        let off = in_new(bench, "-Ur", setup, "print(host.user_namespaces);").end().succeeded();
        assert_eq!(off, "false\n");
    });
}

#[test]
fn the_layout_of_cgroups_is_what_is_mounted() {
    as_each_user(|bench| {
        let printed = asking(bench, "print(host.cgroup);").end().succeeded();
        let (one, two) = (mounts().contains(" - cgroup "), mounts().contains(" - cgroup2 "));
        let expected = match (one, two) {
            (true, true) => "hybrid\n",
            (true, false) => "v1\n",
            (false, true) => "v2\n",
            (false, false) => "none\n",
        };
        assert_eq!(printed, expected);
    });
}

#[test]
fn namespaces_are_listed_as_lsns_does() {
    if !have(&["lsns"]) {
        return;
    }
    as_each_user(|bench| {
        // In both there is the shell, and beside it the one that asks.
        let script = "exec unshare -Urpf --mount-proc sh -c \
                      '\"$@\"; echo =; lsns -n -r -o NS,TYPE,NPROCS,PID,USER' sh \"$@\"";
        let recipe = "for n in lsns() {
            print(`${n.inode} ${n.kind} ${n.processes} ${n.pid} ${n.user}`);
        }";
        let printed = asking(bench, recipe).by_shell(script).end().succeeded();
        let (answered, told) = printed.split_once("=\n").unwrap();
        assert_eq!(answered.lines().count(), 8, "{printed}");
        assert_eq!(answered, told);
    });
}

#[test]
fn a_namespace_that_only_a_mount_keeps_is_listed() {
    as_each_user(|bench| {
        bench.file("blue", "");
        let recipe = "for n in lsns().filter(|n| n.processes == 0) {
                assert(n.pid == () && n.user == () && n.command == ());
                print(`${n.kind} ${n.path}`);
            }
            let used = lsns().filter(|n| n.processes > 0);
            assert(used.len() >= 8 && used.all(|n| n.path == ()));";
        let setup = "unshare --net=blue true";
        let printed = in_new(bench, "-Urm", setup, recipe).end().succeeded();
        assert_eq!(printed, format!("net {}\n", bench.text("blue")));
    });
}

#[test]
fn namespaces_of_a_program_are_listed_with_it() {
    as_each_user(|bench| {
        let recipe = r#"
            let program = sandbox("/").read_only_root().start("sleep 60");
            let own = lsns().filter(|n| n.pid == program.pid);
            print(own.map(|n| n.kind).reduce(|line, kind| line + " " + kind, ""));
            program.kill("KILL");"#;
        let printed = asking(bench, recipe).end().succeeded();
        let kinds: BTreeSet<_> = printed.split_whitespace().collect();
        let all = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
        assert_eq!(kinds, BTreeSet::from(all));
    });
}

#[test]
fn a_signal_is_sent_by_number() {
    as_each_user(|bench| {
        let script = "sleep 60 & export sleeper=$!; exec \"$@\"";
        let recipe = r#"
            let pid = parse_int(env("sleeper"));
            let program = processes().find(|p| p.pid == pid);
            assert(program.state != "zombie");
            kill(pid, "SIGKILL");
            while processes().find(|p| p.pid == pid).state != "zombie" {}
            let program = sandbox("/").read_only_root().start("sleep 60");
            kill(program.pid, 15);
            print(program.wait().signal);"#;
        assert_eq!(asking(bench, recipe).by_shell(script).end().succeeded(), "15\n");
    });
}

#[test]
fn a_signal_for_many_or_for_oneself_is_refused() {
    as_each_user(|bench| {
        // Nobody minds this signal, should it be sent all the same.
        for pid in ["0", "-1", "-getpid()", "9999999999"] {
            let said = asking(bench, &format!("kill({pid}, \"URG\");")).end().failed(125);
            assert!(said.contains("invalid process id"), "{said}");
        }
        let said = asking(bench, "kill(getpid(), \"TERM\");").end().failed(125);
        assert!(said.contains("is nsscript itself"), "{said}");
        let caught = "try { kill(4194304, 9); } catch (e) { print(`${e.operation} ${e.errno}`); }";
        assert_eq!(asking(bench, caught).end().succeeded(), "kill 3\n");
        if !bench.user.is_root() {
            // Not SIGCONT, which kill(2) lets anybody send within a session.
            let said = asking(bench, "kill(1, \"URG\");").end().failed(125);
            assert!(said.contains("EPERM") && said.contains("another user"), "{said}");
        }
    });
}

#[test]
fn a_dry_run_answers_and_sends_no_signal() {
    as_each_user(|bench| {
        let recipe = r#"
            kill(getppid(), "KILL");
            let program = sandbox("/").read_only_root().start("sleep 60");
            kill(program.pid, "TERM");
            if getpid() == 0 || hostname() == "" || processes().len() == 0 || mounts().len() == 0
                || lsns().len() == 0 || host.uid != getuid() {
                throw "an answer is missing";
            }"#;
        let script = "\"$@\"; echo \"ended with $?\"";
        let launch = bench.nsscript(&["plan", "-e", recipe]).by_shell(script);
        let printed = launch.end().succeeded();
        assert!(printed.ends_with("ended with 0\n"), "{printed}");
    });
}

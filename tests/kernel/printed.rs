//! The shell commands that `plan --json` prints: run one after the other, they make what nsscript makes.

use crate::support::schema::fitting;
use crate::support::{Bench, HOST, as_each_user, have, have_clock_offsets};

/// What a program sees of the namespaces, the root and the process that it is in.
const PROBE: &str = "
    cut -d' ' -f4- /proc/self/mountinfo
    id -u; id -g; id -G
    cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
    grep -E '^(Cap|NoNewPrivs|Umask)' /proc/self/status
    cat /proc/self/personality /proc/self/timens_offsets
    grep -E 'open files' /proc/self/limits
    cd /proc/sys/net/ipv4; cat ip_default_ttl ip_unprivileged_port_start ping_group_range; cd - >/dev/null
    hostname; domainname; pwd
    tail -n +3 /proc/net/dev | cut -d: -f1
    cut -d' ' -f1 /proc/net/if_inet6 2>/dev/null
    cd /; stat -c '%A %u:%g %t:%T %n' bin srv srv/* alone alone/in/* dev/* tmp etc etc/passwd 2>/dev/null || true
    ls -l dev/fd srv/link alone/link 2>/dev/null | sed 's/.*-> //'
    cat srv/file alone/in/here 2>/dev/null || true
    ls usr/share usr/games 2>/dev/null | head -3
";

/// Commands that begin another program, in which the rest goes on.
const WRAPPERS: &[&str] =
    &["unshare --fork", "nsenter", "setpriv", "keyctl session", "setarch", "setsid", "chroot"];

/// A script of `commands`, in their order, and then `last`; and the scripts that go on in the programs
/// that a command begins, by the variables that they are in.
fn script(commands: &[String], last: &str) -> (String, Vec<(String, String)>) {
    let mut stages = Vec::new();
    let add = |rest: String, command: &String| {
        if WRAPPERS.iter().any(|wrapper| command.starts_with(wrapper)) {
            let stage = format!("STAGE{}", stages.len());
            let goes_on = format!("exec {command} sh -ec \"${stage}\"");
            stages.push((stage, rest));
            goes_on
        } else {
            format!("{command}\n{rest}")
        }
    };
    let first = commands.iter().rev().fold(last.to_owned(), add);
    (first, stages)
}

/// What was seen, of mounts only those that no other one hides.
fn visible(seen: &str) -> String {
    let place = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    let lines: Vec<&str> = seen.lines().collect();
    let is_hidden = |(index, line): &(usize, &&str)| {
        let later = lines[index + 1..].iter().filter(|line| line.contains(" - "));
        line.contains(" - ") && later.into_iter().any(|later| place(later) == place(line))
    };
    let shown = lines.iter().enumerate().filter(|line| !is_hidden(line));
    // nsscript names the directories of an overlay from a stage, and not by their paths.
    let plain = |line: &str| line.split(" overlay overlay ").next().unwrap_or_default().to_owned();
    let shown: Vec<String> = shown.map(|(_, line)| plain(line)).collect();
    shown.join("\n")
}

/// Runs what is printed for `guest`, and compares what a program sees with what it sees in `guest`.
/// How many commands were run.
fn compare(bench: &Bench, guest: &str) -> usize {
    let probe = PROBE.replace('"', "\\\"");
    let recipe = format!(
        "let guest = {guest};\nguest.run([\"sh\", \"-ec\", `{probe}`], #{{ tty: false }});"
    );
    let seen = bench.recipe(&recipe).end().succeeded();
    let plans = bench.nsscript(&["plan", "--json", "-e", &recipe]).end().succeeded();
    let plans = fitting("plan", &plans);
    let actions = plans["plans"][0]["actions"].as_array().unwrap();
    let commands: Vec<String> = actions
        .iter()
        .filter(|action| action["operation"] != "execute")
        .filter_map(|action| action["shell"].as_str().map(str::to_owned))
        .collect();
    let (script, stages) = script(&commands, PROBE);
    let script = format!("root=/mnt; export root\n{script}");
    let mut shell = bench.user.command("unshare");
    // What the script leaves in the background ends with its PID namespace.
    let alone: &[&str] = if commands.iter().any(|command| command.contains("sleep inf &")) {
        &["--pid", "--fork", "--kill-child", "--mount-proc"]
    } else {
        &[]
    };
    let shell = shell.args(alone).args(["sh", "-ec", &script]);
    let ended = shell.envs(stages).output().unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    let (seen, printed) = (visible(&seen), visible(&printed));
    assert!(
        printed == seen,
        "{guest}\n--- nsscript\n{seen}--- the shell\n{printed}{errors}--- the commands\n{}",
        commands.join("\n")
    );
    commands.len()
}

/// The directories of the host that hold programs, and what they load.
const PROGRAMS: &str = r#".bind("/usr").bind("/bin").bind("/lib").bind("/lib64", #{ optional: true })
    .bind("/sbin", #{ optional: true })"#;

#[test]
fn what_is_printed_makes_what_nsscript_makes() {
    if !have(&["keyctl", "findmnt", "setarch"]) {
        return;
    }
    as_each_user(|bench| {
        let data = bench.directory("the 'data'");
        bench.file("the 'data'/file", "text\n");
        let data = data.display();
        let clock = if have_clock_offsets() { r#".clock_offset("boottime", "1d")"# } else { "" };
        let everything = format!(
            r#"sandbox(){PROGRAMS}.proc("/proc").sysfs("/sys").dev("/dev").tmpfs("/tmp", #{{ size: "1M" }})
            .bind("/etc/passwd", #{{ read_only: true }}).bind("{data}", "/srv/its data", #{{ read_only: true }})
            .bind("{data}/file", "/srv/own", #{{ suid: true, devices: true, exec: false, symlinks: false }})
            .mount("memory", "/srv/memory", #{{ type: "tmpfs", data: #{{ size: "64K" }}, exec: false }})
            .directory("/srv/closed", #{{ mode: 0o700 }}).file("/srv/file", "it's 100%\n", #{{ mode: 0o640 }})
            .symlink("file", "/srv/link").file("/alone/in/here", "-x\n").symlink("-f", "/alone/link")
            .directory("/srv/closed", #{{ mode: 0o711 }}).mask("/usr/share").mask("/etc/passwd").read_only("/srv")
            .hostname("box").domainname("lan").umask(0o027).personality(["LINUX32", "ADDR_NO_RANDOMIZE"]).workdir("/srv")
            {clock}.limit("nofile", #{{ soft: 60, hard: 70 }}).sysctl("net.ipv4.ip_default_ttl", 33)"#
        );
        let view = "sandbox().host_view().hostname(\"view\").limit(\"nofile\", 60)";
        let host = format!("{HOST}.limit(\"nofile\", 60)");
        let added = format!(
            "{HOST}.tmpfs(\"/srv/deep/x\").file(\"/etc/nsfile\", \"x\\n\").file(\"/etc/hosts\", \"x\\n\")
            .directory(\"/alone/in\").file(\"/alone/in/here\", \"here\\n\").symlink(\"in\", \"/alone/link\")
            .limit(\"nofile\", 60)"
        );
        let mut run = compare(bench, &everything) + compare(bench, view) + compare(bench, &host);
        run += compare(bench, &added);
        if bench.user.is_root() {
            let mapped =
                format!("{everything}.map_user(0, 100000, 65536).map_group(0, 100000, 65536)");
            run += compare(bench, &format!("{HOST}.chroot().limit(\"nofile\", 60)"));
            run += compare(bench, &mapped);
        }
        println!("{run} commands were run as {}", bench.user);
    });
}

//! Settings of the kernel for the namespaces of a sandbox.

use crate::support::{HOST, User, as_each_user};

/// Reads a setting of the host, where it is there.
fn of_host(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default()
}

#[test]
fn a_setting_is_that_of_the_sandbox_alone() {
    as_each_user(|bench| {
        let names = ["net/ipv4/ip_forward", "net/ipv4/ip_default_ttl", "kernel/msgmax"];
        let before = names.map(of_host);
        let set = format!(
            r#"{HOST}.sysctl("net.ipv4.ip_forward", 1).sysctl("net.ipv4.ip_default_ttl", 33)
                .sysctl("net.ipv4.ip_default_ttl", "44").sysctl("kernel/msgmax", 4444)
                .sysctl("net/ipv4/ping_group_range", "0\t0")"#
        );
        let script = "cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ip_default_ttl \
                      kernel/msgmax net/ipv4/ping_group_range";
        assert_eq!(bench.seen(&set, script), "1\n44\n4444\n0\t0\n");
        assert_eq!(names.map(of_host), before);
    });
}

#[test]
fn what_joins_is_where_the_settings_are() {
    as_each_user(|bench| {
        let recipe = bench.recipe(&format!(
            r#"let process = {HOST}.sysctl("net.ipv4.ip_default_ttl", 33).start("sleep 60");
            process.run("cat /proc/sys/net/ipv4/ip_default_ttl");"#
        ));
        assert_eq!(recipe.end().succeeded(), "33\n");
    });
}

#[test]
fn settings_of_the_machine_and_of_others_are_refused() {
    as_each_user(|bench| {
        for (name, said) in [
            ("kernel.core_pattern", "has no setting `kernel.core_pattern` of its own"),
            ("net.netfilter.nf_hooks_lwtunnel", "has no setting"),
            ("kernel.hostname", "`.hostname(…)` sets the host name"),
            ("net/../kernel/core_pattern", "invalid setting"),
            ("net..x", "invalid setting"),
            ("", "invalid setting"),
        ] {
            let code = format!(r#"sandbox().sysctl("{name}", "1").run("true");"#);
            let failed = bench.recipe(&code).end().failed(125);
            assert!(failed.contains(said), "{name}: {failed}");
        }
        for others in ["share(NET)", "network(\"host\")", "network(netns())"] {
            let code = format!(r#"{HOST}.{others}.sysctl("net.ipv4.ip_forward", 1).run("true");"#);
            let failed = bench.recipe(&code).end().failed(125);
            assert!(failed.contains("namespace is not a new one"), "{others}: {failed}");
        }
    });
}

#[test]
fn a_setting_that_the_kernel_has_not_is_told_with_its_line() {
    as_each_user(|bench| {
        let code = format!("{HOST}\n.sysctl(\"net.ipv4.no_such_setting\", 1).run(\"true\");");
        let failed = bench.recipe(&code).end().failed(125);
        assert!(failed.contains("cannot set `net/ipv4/no_such_setting` to `1`"), "{failed}");
        assert!(failed.contains("(ENOENT)") && failed.contains(":2:"), "{failed}");
        let code = format!("{HOST}.sysctl(\"net.ipv4.ip_forward\", \"yes\").run(\"true\");");
        let failed = bench.recipe(&code).end().failed(125);
        assert!(failed.contains("(EINVAL)"), "{failed}");
    });
}

/// A Python program that sends itself an ICMP echo and listens at port 80, as any program may.
const PLAIN_PROGRAM: &str = r#"
import os, socket
try:
    ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    ping.settimeout(20)
    ping.sendto(b"\x08\0\0\0\0\0\0\x01hello", ("127.0.0.1", 0))
    print(os.getuid(), os.getgid(), ping.recv(99)[-5:].decode())
except PermissionError:
    print(os.getuid(), os.getgid(), "no ping")
try:
    server = socket.socket()
    server.bind(("127.0.0.1", 80))
    print("port 80")
except PermissionError:
    print("no port 80")
"#;

#[test]
fn programs_in_a_network_of_ours_can_ping_and_use_low_ports() {
    if !crate::support::have(&["python3"]) {
        return;
    }
    as_each_user(|bench| {
        let names = ["net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range"];
        let before = names.map(of_host);
        bench.file("program.py", PLAIN_PROGRAM);
        let run = |guest: &str| {
            let program = bench.text("program.py");
            let run = format!(r#"{guest}.bind("{program}").run(["python3", "{program}"])"#);
            bench.recipe(&run).end().succeeded()
        };
        let view = r#"sandbox("/").user(0).group(0)"#;
        for network in ["", ".network(netns())"] {
            let seen = run(&format!("{view}{network}"));
            assert_eq!(seen, "0 0 hello\nport 80\n", "{network}");
            let seen = run(&format!("{view}{network}.user(1000).group(1000)"));
            assert_eq!(seen, "1000 1000 hello\nport 80\n", "{network}");
        }
        if bench.user.is_root() {
            let maps = ".map_user(0, 100000, 65536).map_group(0, 100000, 65536)";
            let seen = run(&format!("{view}{maps}.user(33).group(44)"));
            assert_eq!(seen, "33 44 hello\nport 80\n");
            let seen = run(&format!("{view}.share(USER).user(33).group(44)"));
            assert_eq!(seen, "33 44 hello\nport 80\n");
        }
        // The recipe has the last word.
        let closed = r#".sysctl("net.ipv4.ip_unprivileged_port_start", 1024)"#;
        assert_eq!(run(&format!("{view}{closed}")), "0 0 hello\nno port 80\n");
        assert_eq!(names.map(of_host), before);
    });
}

#[test]
fn other_networks_keep_their_settings() {
    as_each_user(|bench| {
        // Groups that are not mapped have other numbers inside.
        let setting = "net/ipv4/ip_unprivileged_port_start";
        let view = r#"sandbox("/").read_only_root().network("host")"#;
        assert_eq!(bench.seen(view, &format!("cat /proc/sys/{setting}")), of_host(setting));
    });
}

#[test]
fn a_network_without_writable_settings_is_as_the_kernel_made_it() {
    if !crate::support::may_mount() {
        return;
    }
    as_each_user(|bench| {
        for setup in [
            "mount --bind -o ro /proc/sys /proc/sys",
            "mount --bind /sys /proc/sys",
            "mount -t tmpfs none /proc/sys",
        ] {
            // A user may not bind a sysfs that has mounts below it.
            if setup.contains("/sys /proc/sys") && !User::this().is_root() {
                continue;
            }
            let setup = format!("{setup}; mount -o remount,bind,ro /proc/sys");
            let recipe = r#"sandbox("/").read_only_root().run("echo in")"#;
            assert_eq!(bench.recipe(recipe).in_world(&setup).end().succeeded(), "in\n");
        }
    });
}

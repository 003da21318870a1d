//! Settings of the kernel for the namespaces of a sandbox.

use crate::support::{HOST, as_each_user};

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

//! Maps, users, groups and capabilities of the raw layer.

use super::{printed, tries};
use crate::support::{Bench, User, as_each_user, field};

/// Whether setgroups(2) is allowed in the session: where a user's own id alone is mapped, it is not.
fn setgroups(bench: &Bench) -> &'static str {
    let told = printed(bench, r#"print(read_file("/proc/self/setgroups").trim());"#);
    if told.trim_end() == "allow" { "allow" } else { "deny" }
}

#[test]
fn a_map_is_written_once_by_whoever_may() {
    as_each_user(|bench| {
        let told = tries(
            bench,
            r#"fn waiting() { clone(USER, || { while getuid() != 0 { sleep("1ms"); }
                [getuid(), getgid(), read_file("/proc/self/setgroups").trim()] }) }
            t("before", || within(USER, || [getuid(), getgid(), capabilities().effective.len() > 30]));
            t("users", || { let child = waiting(); map_ids(child, #{ users: [[0, 0, 1]] });
                child.value() });
            t("both", || {
                let child = clone(USER, || { while getuid() != 0 || getgid() != 0 { sleep("1ms"); }
                    [getuid(), getgid()] });
                map_ids(child, #{ groups: [[0, 0, 1]], users: [[0, 0, 1]] });
                child.wait(); [child.value()[0], child.value()[1]] });
            t("by number", || { let child = waiting(); map_ids(child.pid, #{ users: [[0, 0, 1]] });
                child.value()[0] });
            t("by itself", || within(USER, || { write_file("/proc/self/setgroups", "deny");
                write_file("/proc/self/uid_map", "5 0 1"); write_file("/proc/self/gid_map", "6 0 1");
                [getuid(), getgid()] }));
            t("twice", || { let child = waiting(); map_ids(child, #{ users: [[0, 0, 1]] });
                map_ids(child, #{ users: [[0, 0, 1]] }) });
            t("overlapping", || map_ids(waiting(), #{ users: [[0, 0, 1], [0, 0, 1]] }));
            t("elsewhere", || map_ids(waiting(), #{ users: [[0, 4000000000, 2]] }));
            t("no map", || map_ids(waiting(), #{ }));
            t("not three", || map_ids(waiting(), #{ users: [[0, 1]] }));
            t("ended", || { let child = clone(USER, || 1); child.wait();
                map_ids(child, #{ users: [[0, 0, 1]] }) });"#,
        );
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[0], "before: [65534, 65534, true]");
        let setgroups = setgroups(bench);
        assert_eq!(lines[1], format!("users: [0, 65534, \"{setgroups}\"]"));
        assert_eq!(lines[3], "by number: 0");
        assert_eq!(lines[4], "by itself: [5, 6]");
        assert!(lines[2].starts_with("both: [0, "), "{told}");
        assert!(lines[5].ends_with("operation not permitted (EPERM)"), "{told}");
        assert!(lines[6].ends_with("invalid argument (EINVAL)"), "{told}");
        if setgroups == "deny" {
            assert!(lines[7].ends_with("operation not permitted (EPERM)"), "{told}");
        }
        assert!(lines[8].ends_with("missing id map"), "{told}");
        assert!(lines[9].ends_with("takes ranges `[inside, outside, count]`"), "{told}");
        assert!(lines[10].contains("!! cannot map the users of process "), "{told}");
    });
}

#[test]
fn groups_of_a_user_are_mapped_with_setgroups_denied() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(USER, || { while getgid() != 0 { sleep("1ms"); }
                let told = ""; try { setgroups([]); } catch (e) { told = e.message; }
                [read_file("/proc/self/setgroups").trim(), told] });
            map_ids(child, #{ users: [[0, 0, 1]], groups: [[0, 0, 1]] });
            print(child.value());"#;
        let seen = printed(bench, recipe);
        let denied =
            r#"["deny", "cannot leave all other groups: operation not permitted (EPERM)"]"#;
        let wanted = if setgroups(bench) == "allow" { r#"["allow", ""]"# } else { denied };
        assert_eq!(seen.trim_end(), wanted);
    });
}

#[test]
fn capabilities_are_dropped_in_every_set_and_do_not_come_back() {
    as_each_user(|bench| {
        let recipe = r#"within(UTS, || {
                set_capabilities(["SYS_ADMIN", "CAP_CHOWN"]);
                let now = capabilities();
                assert_eq(now.effective.len(), 2);
                assert(now.effective.contains("CAP_CHOWN") && now.permitted.contains("CAP_SYS_ADMIN"));
                assert_eq(now.inheritable, []);
                assert_eq(now.ambient, []);
                assert_eq(now.bounding.len(), 2);
                exec("cat /proc/self/status")
            });"#;
        let status = printed(bench, recipe);
        // 0 executes it, so that it gains what the bounding set leaves.
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(field(&status, set), "0000000000200001", "{set}");
        }
        assert_eq!(field(&status, "CapInh"), "0000000000000000");
        let told = tries(
            bench,
            r#"t("again", || within(UTS, || { set_capabilities([]); set_capabilities(["CHOWN"]) }));
            t("without", || within(UTS, || { set_capabilities([]); sethostname("x") }));
            t("kept", || within(UTS, || { set_capabilities(["SYS_ADMIN"]); sethostname("x") }));
            t("bounding", || within(UTS, || { set_capabilities(["CHOWN"], #{ bounding: false });
                capabilities().bounding.len() > 30 }));
            t("unknown", || set_capabilities(["SYS_ADMNI"]));"#,
        );
        let lines: Vec<_> = told.lines().collect();
        assert!(lines[0].ends_with("operation not permitted (EPERM)"), "{told}");
        assert!(lines[1].ends_with("operation not permitted (EPERM)"), "{told}");
        assert_eq!(lines[2..4], ["kept: ", "bounding: true"]);
        assert!(lines[4].contains("SYS_ADMNI"), "{told}");
    });
}

#[test]
fn leaving_user_0_empties_the_capabilities() {
    as_each_user(|bench| {
        // The one id that everybody has more of is none: it is mapped from outside first.
        let recipe = r#"let child = clone(USER, || {
                while getuid() != 5 { sleep("1ms"); }
                let before = capabilities().effective.len() > 30;
                setuid(5);
                [before, getuid(), capabilities().effective.len() > 30] });
            map_ids(child, #{ users: [[5, 0, 1]] });
            print(child.value());
            print(within(USER, || { let told = ""; try { setuid(7); } catch (e) { told = e.message; }
                told }));"#;
        let seen = printed(bench, recipe);
        assert_eq!(seen, "[true, 5, true]\ncannot become user 7: invalid argument (EINVAL)\n");
        if bench.user.is_root() {
            let recipe = r#"within(UTS, || { setgroups([3, 4]); setgid(6); setuid(7);
                exec("cat /proc/self/status") });"#;
            let status = printed(bench, recipe);
            assert_eq!(field(&status, "Uid"), "7 7 7 7");
            assert_eq!(field(&status, "Gid"), "6 6 6 6");
            assert_eq!(field(&status, "Groups"), "3 4");
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(field(&status, set), "0000000000000000", "{set}");
            }
        }
    });
}

#[test]
fn no_program_gains_rights_after_no_new_privs() {
    as_each_user(|bench| {
        let recipe = r#"within(UTS, || { no_new_privs(); exec("cat /proc/self/status") });"#;
        assert_eq!(field(&printed(bench, recipe), "NoNewPrivs"), "1");
        let told = tries(
            bench,
            r#"t("inherited", || within(UTS, || { no_new_privs();
                within(USER, || read_file("/proc/self/status").contains("NoNewPrivs:\t1")) }));
            t("twice", || within(UTS, || { no_new_privs(); no_new_privs(); }));
            t("kept", || within(UTS, || { let had = capabilities().effective.len();
                no_new_privs(); capabilities().effective.len() == had }));
            t("its own", || { let before = read_file("/proc/self/status").contains("NoNewPrivs:\t1");
                within(UTS, || no_new_privs());
                read_file("/proc/self/status").contains("NoNewPrivs:\t1") == before });"#,
        );
        assert_eq!(told, "inherited: true\ntwice: \nkept: true\nits own: true\n");
    });
}

#[test]
fn a_setuid_program_gives_rights_unless_they_were_refused() {
    if !User::this().is_root() {
        return;
    }
    let bench = &Bench::new(User::this());
    let id = bench.path("id");
    std::fs::copy("/usr/bin/id", &id).unwrap();
    bench.mode("id", 0o4755);
    let recipe = format!(
        r#"for refused in [false, true] {{
            let child = clone(UTS, || {{
                setgid(65534);
                setuid(65534);
                if refused {{ no_new_privs(); }}
                exec(["{}", "-u"])
            }});
            child.wait();
        }}"#,
        id.display()
    );
    assert_eq!(printed(bench, &recipe), "0\n65534\n");
}

//! Resource limits: what programs see of them, whom they bind, and whom not.

use super::INIT_RUNS;
use crate::support::{HOST, as_each_user};

/// The soft and hard limit of open files, as the kernel shows them.
const SEEN: &str = "grep 'open files' /proc/self/limits | tr -s ' ' | cut -d' ' -f4,5";

#[test]
fn a_program_sees_the_limits_of_its_sandbox() {
    as_each_user(|bench| {
        let limited = format!(r#"{HOST}.limit("nofile", #{{ soft: 40, hard: 50 }})"#);
        assert_eq!(bench.seen(&limited, SEEN), "40 50\n");
        assert_eq!(bench.seen(&format!(r#"{limited}.limit("nofile", 30)"#), SEEN), "30 30\n");
        let core = "grep core /proc/self/limits | tr -s ' ' | cut -d' ' -f5";
        assert_eq!(bench.seen(&format!(r#"{HOST}.limit("core", "8K")"#), core), "8192\n");
        let none = format!(r#"{HOST}.limit("cpu", #{{ soft: 9, hard: "unlimited" }})"#);
        assert_eq!(bench.seen(&none, "ulimit -St; ulimit -Ht"), "9\nunlimited\n");
    });
}

#[test]
fn a_limit_binds() {
    as_each_user(|bench| {
        let limited = format!(r#"{HOST}.tmpfs("/tmp").limit("fsize", 1000).limit("nofile", 16)"#);
        let script = "trap '' XFSZ; head -c 2000 /dev/zero > /tmp/x 2>/dev/null; stat -c %s /tmp/x; \
                      sh -c 'exec 17</dev/null' 2>/dev/null || echo none";
        assert_eq!(bench.seen(&limited, script), "1000\nnone\n");
    });
}

#[test]
fn what_joins_has_the_limits_and_init_has_not() {
    as_each_user(|bench| {
        let script =
            format!("{INIT_RUNS}; grep 'open files' /proc/1/limits | tr -s ' ' | cut -d' ' -f4");
        let own = bench.seen(HOST, SEEN);
        let own = own.split(' ').next().unwrap();
        let limited = format!(r#"{HOST}.limit("nofile", #{{ soft: 40, hard: 50 }})"#);
        assert_eq!(bench.seen(&limited, &script).trim(), own);
        let recipe = bench.recipe(&format!(
            r#"let process = {limited}.start("sleep 60");
            process.run(["sh", "-c", "{SEEN}"]);
            let seen = || read_file("/proc/self/limits").split("\n").filter(|it| it.contains("open files"));
            print(process.within(seen)[0].contains("40                   50"));
            print({limited}.within(seen)[0].contains("40                   50"));
            {limited}.pid1().run(["sh", "-c", "{SEEN}"]);
            process.kill("KILL");"#
        ));
        assert_eq!(recipe.end().succeeded(), "40 50\ntrue\ntrue\n40 50\n");
    });
}

#[test]
fn a_limit_above_that_of_nsscript_is_told_with_its_line() {
    as_each_user(|bench| {
        let code = r#"print(sandbox().host_view()
            .limit("nofile", 5000000000).output("true").code);"#;
        let said = bench.recipe(code).end().failed(125);
        assert!(said.contains("cannot limit `nofile` to 5000000000"), "{said}");
        assert!(said.contains("(EPERM)") && said.contains("<command line>:2:"), "{said}");
        // The lower one decides, and that of nsscript differs between machines.
        let known =
            ["`fs.nr_open` allows a process at most", "the hard limit `nofile` of nsscript"];
        assert!(known.iter().any(|why| said.contains(why)), "{said}");
    });
}

#[test]
fn the_limit_that_is_refused_is_the_one_that_is_named() {
    as_each_user(|bench| {
        let code = r#"sandbox().host_view()
            .limit("nofile", 5000000000)
            .limit("core", 0).run("true");"#;
        let said = bench.nsscript(&["--explain", "-e", code]).end().failed(125);
        let refused = said.split("✗ ").nth(1).unwrap_or_default();
        assert!(refused.starts_with("limit `nofile` to 5000000000"), "{said}");
        assert!(refused.contains("= -1 EPERM") && !refused.contains("RLIMIT_CORE"), "{said}");
        assert!(said.contains("error: cannot limit `nofile`"), "{said}");
        assert!(said.contains("<command line>:2:"), "{said}");
    });
}

#[test]
fn a_limit_that_cannot_be_is_an_error() {
    as_each_user(|bench| {
        let said =
            |limit: &str| bench.recipe(&format!("print({HOST}.limit({limit}))")).end().failed(125);
        for (limit, what) in [
            (r#""nofiles", 3"#, "did you mean `nofile`?"),
            (r#""nofile", -1"#, "invalid limit -1"),
            (r#""nofile", "many""#, "takes a number or `\"unlimited\"`"),
            (
                r#""nofile", #{ soft: 9, hard: 8 }"#,
                "the soft limit of `nofile` is above its hard limit",
            ),
            (r#""nofile", #{ max: 9 }"#, "`limit` has no option `max`"),
            (r#""nofile", #{}"#, "`limit` needs `soft`, `hard`, or both"),
        ] {
            let said = said(limit);
            assert!(said.contains(what), "{limit}: {said}");
        }
    });
}

#[test]
fn that_nproc_does_not_bind_root_is_a_warning() {
    as_each_user(|bench| {
        let recipe = bench.recipe(&format!(r#"{HOST}.limit("nproc", 100).run("true");"#));
        let ended = recipe.end();
        let warned = ended.stderr.contains("`nproc` does not limit this program");
        assert_eq!(warned, bench.user.uid == 0, "{}", ended.stderr);
    });
}

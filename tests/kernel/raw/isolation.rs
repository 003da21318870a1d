//! Closures inside of what others are in: what they see, what they may, who may look at them.

use super::printed;
use crate::support::{as_each_user, field};

/// A sandbox in which programs of the host run.
const GUEST: &str =
    r#"sandbox("/").user(0).proc("/proc").dev("/dev").tmpfs("/tmp").hostname("guest")"#;

#[test]
fn a_closure_in_a_sandbox_is_what_its_program_would_be() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {GUEST};
            let seen = guest.within(|| [hostname(), getpid(), getuid(), processes().len(),
                interfaces().map(|one| one.name), exists("/tmp/x")]);
            assert_eq(seen, ["guest", 1, 0, 1, ["lo"], false]);
            let sleeper = guest.start("sleep 60");
            sleeper.run("touch /tmp/x");
            // Its init may still be about to execute it.
            sleeper.within(|| wait_until(|| processes().some(|one| one.name == "sleep")));
            let seen = sleeper.within(|| [hostname(), getpid() > 1, exists("/tmp/x"),
                processes().some(|one| one.name == "sleep")]);
            assert_eq(seen, ["guest", true, true, true]);
            for kind in [USER, MOUNT, PID, NET, UTS, IPC, CGROUP] {{
                let own = sleeper.namespace(kind);
                let seen = sleeper.within(|| namespaces().values().map(|one| one.inode));
                assert(seen.contains(own.inode));
            }}
            print("done");"#
        );
        assert_eq!(printed(bench, &recipe), "done\n");
    });
}

#[test]
fn it_has_no_capability_and_gets_none() {
    as_each_user(|bench| {
        for place in [
            format!("{GUEST}.within"),
            format!("{GUEST}.start(\"sleep 60\").within"),
            format!("{GUEST}.pid1().start(\"sleep 60\").within"),
        ] {
            let recipe = format!(
                r#"let place = || exec("cat /proc/self/status");
                {place}(|| {{
                    let now = capabilities();
                    for set in now.keys() {{ assert_eq(now[set], []); }}
                    let told = [];
                    for closure in [|| unshare(UTS), || sethostname("x"), || chroot("/"),
                        || mount("x", "/tmp", #{{ type: "tmpfs" }}), || umount("/proc")] {{
                        try {{ closure.call(); told.push("done"); }} catch (e) {{ told.push(e.errno); }}
                    }}
                    assert_eq(told, [1, 1, 1, 1, 1]);
                    exec("cat /proc/self/status")
                }});"#
            );
            let status = printed(bench, &recipe);
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(field(&status, set), "0000000000000000", "{set} in {place}");
            }
            assert_eq!(field(&status, "NoNewPrivs"), "1", "{place}");
        }
    });
}

#[test]
fn programs_of_the_sandbox_cannot_look_into_it() {
    as_each_user(|bench| {
        let script = r#"read go; until [ -e /tmp/end ]; do
                for process in /proc/[0-9]*; do
                    [ "$(cat $process/comm 2>/dev/null)" = nsscript ] || continue
                    seen=met
                    for file in environ maps auxv; do
                        [ -z "$(cat $process/$file 2>/dev/null | head -c 1 | tr '\0' x)" ] || seen="$seen $file"
                    done
                    for link in exe root cwd fd/0 fd/1 ns/mnt; do
                        readlink $process/$link >/dev/null 2>&1 && seen="$seen $link"
                    done
                    head -c 1 $process/mem >/dev/null 2>&1 && seen="$seen mem"
                    # It may have become a program of the sandbox meanwhile, which can be looked into.
                    [ "$(cat $process/comm 2>/dev/null)" = nsscript ] || continue
                    for word in $seen; do echo $word; done
                done
            done; echo end"#;
        let recipe = format!(
            r#"let guest = {GUEST}.start(["sh", "-c", args[0]], #{{ pipes: true }});
            guest.write("go\n");
            guest.within(|| sleep("200ms"));
            guest.within(|| {{ sleep("50ms"); within(UTS - UTS, || sleep("100ms")) }});
            guest.run("touch /tmp/end");
            let seen = #{{}};
            let line = guest.read_line();
            while line != "end" {{ seen[line] = true; line = guest.read_line(); }}
            print(seen.keys());"#
        );
        let seen = bench.nsscript(&["-e", &recipe, script]).end().succeeded();
        assert_eq!(seen, "[\"met\"]\n");
    });
}

#[test]
fn a_program_that_is_executed_has_no_descriptor_of_nsscript() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let held = namespaces();
            let guest = {GUEST};
            let piped = guest.start("cat", #{{ pipes: true }});
            let sleeper = guest.start("sleep 60");
            let child = clone(UTS | NET, || sleep(60));
            let place = scratch();
            fn list() {{ exec(["sh", "-c", "cd /proc/$$/fd; echo *"]) }}
            within(UTS, || list());
            within(UTS, || within(NET, || {{ let more = namespaces(); list() }}));
            child.within(|| list());
            child.namespace(NET).within(|| list());
            child.run(["sh", "-c", "cd /proc/$$/fd; echo *"]);
            print("in sandboxes");
            guest.within(|| list());
            sleeper.within(|| list());
            sleeper.run(["sh", "-c", "cd /proc/$$/fd; echo *"]);"#
        );
        // What nsscript was started with is the program's too, as after every execve(2), but in a
        // sandbox. The shell opens the directory.
        let before = "exec 7</; sh -c 'cd /proc/$$/fd; echo *'; exec \"$@\"";
        let seen = bench.recipe(&recipe).by_shell(before).end().succeeded();
        let (own, sandboxed) = seen.split_once("in sandboxes\n").unwrap();
        let own: Vec<_> = own.lines().collect();
        assert_eq!(own, [own[0]; 6]);
        assert!(own[0].contains(" 7"), "{seen}");
        assert_eq!(sandboxed, "0 1 2 3\n".repeat(3));
    });
}

#[test]
fn a_closure_of_a_process_is_in_all_its_namespaces_with_capabilities() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(UTS | NET | IPC | PID | MOUNT, || {
                sethostname("child"); mount("x", "/mnt", #{ type: "tmpfs" });
                write_file("/mnt/here", ""); sleep(60) });
            while !child.within(|| exists("/mnt/here")) { sleep("1ms"); }
            let seen = child.within(|| [hostname(), interfaces().len(), getpid() > 1,
                exists("/mnt/here"), capabilities().effective.len() > 30, getuid()]);
            assert_eq(seen, ["child", 1, true, true, true, 0]);
            child.within(|| sethostname("changed"));
            assert_eq(child.namespace(UTS).within(|| hostname()), "changed");
            assert_eq(child.run("true").code, 0);
            let told = "";
            child.kill("KILL"); child.wait();
            try { child.within(|| 1); } catch (e) { told = e.message; }
            assert(told.starts_with("the process has exited"));
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

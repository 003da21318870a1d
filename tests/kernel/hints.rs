//! What is said of a raw call for which the kernel has one word, and several reasons.

use crate::support::as_each_user;

#[test]
fn a_raw_call_that_fails_says_what_helps() {
    let cases = [
        (
            "within(USER | MOUNT, || mount(\"proc\", scratch(), #{ type: \"proc\" }));",
            "`within(PID | MOUNT, || …)`",
        ),
        (
            "within(USER | MOUNT, || mount(\"s\", scratch(), #{ type: \"sysfs\" }));",
            "`within(NET | MOUNT, || …)`",
        ),
        (
            "mkdir(`${scratch()}/a`); pivot_root(`${scratch()}/a`, `${scratch()}/a`);",
            "makes it one",
        ),
        (
            "mount(\"t\", scratch(), #{ type: \"tmpfs\" }); chdir(scratch()); umount(scratch());",
            "lazy",
        ),
        ("mkdir(`${scratch()}/a`); umount(`${scratch()}/a`);", "nothing is mounted at"),
        (
            "within(MOUNT, || namespaces().mnt.pin(`${scratch()}/mnt`));",
            "the one that was there before",
        ),
        ("setns(namespaces().user);", "the user namespace that it is in"),
        (
            "let held = clone(PID, || sleep(\"60s\")); let pids = held.namespace(PID); \
          held.kill(\"KILL\"); held.wait(); pids.within(|| 1);",
            "has ended",
        ),
        (
            "let child = clone(NET, || sleep(\"60s\")); let net = child.namespace(NET); within(IPC, || { set_capabilities([]); \
          setns(net); });",
            "this process lacks CAP_SYS_ADMIN",
        ),
        (
            "unshare(TIME); within(UTS, || 1); \
          write_file(\"/proc/self/timens_offsets\", \"boottime 1 0\\n\");",
            "and the first child",
        ),
        (
            "unshare(TIME); write_file(\"/proc/self/timens_offsets\", \"boottime -99999999999 0\\n\");",
            "less than 0",
        ),
    ];
    as_each_user(|bench| {
        for (recipe, hint) in cases {
            let said = bench.recipe(recipe).end().failed(125);
            assert!(said.contains("hint: ") && said.contains(hint), "{recipe}\n{said}");
        }
    });
}

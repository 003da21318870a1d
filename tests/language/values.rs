//! Sandboxes and roots are values: every verb gives a new one, and no one changes another.

use super::nsscript::{holds, prints, run};

#[test]
fn a_sandbox_that_is_derived_from_leaves_its_base_as_it_is() {
    holds(
        r#"
        let base = sandbox("/").read_only_root().hostname("base");
        let first = base.hostname("first");
        let second = base.hostname("second");
        let names = [base, first, second].map(|guest| guest.output("uname -n").stdout);
        assert_eq(names, ["base\n", "first\n", "second\n"]);
        "#,
    );
}

#[test]
fn a_root_that_is_derived_from_leaves_its_base_as_it_is() {
    holds(
        r#"
        let base = rootfs().file("/a", "1");
        let first = base.file("/b", "22");
        let second = base.file("/c", "333");
        assert_eq(base.size(), 1);
        assert_eq(first.size(), 3);
        assert_eq(second.size(), 4);
        assert(!second.tree().contains("/b"), "what one root has is not in the other");
        "#,
    );
}

#[test]
fn a_function_cannot_change_the_sandbox_of_its_caller() {
    holds(
        r#"
        fn change(guest) {
            guest = guest.hostname("changed");
            guest
        }
        let guest = sandbox().hostname("kept");
        let other = change(guest);
        assert(guest != other, "the function has its own");
        assert_eq(guest, sandbox().hostname("kept"));
        "#,
    );
}

#[test]
fn a_constant_can_be_derived_from() {
    holds(
        r#"
        const BASE = sandbox("/").read_only_root();
        let guest = BASE.hostname("box");
        assert_eq(guest.output("uname -n").stdout, "box\n");
        assert_eq(BASE, sandbox("/").read_only_root());
        "#,
    );
}

#[test]
fn values_in_arrays_and_maps_are_copies() {
    holds(
        r#"
        let guests = [sandbox()];
        let first = guests[0].hostname("first");
        assert_eq(guests[0], sandbox());
        let named = #{ guest: sandbox() };
        named.guest = named.guest.hostname("box");
        assert_eq(named.guest, sandbox().hostname("box"));
        assert(first != named.guest, "two sandboxes");
        "#,
    );
}

#[test]
fn equal_descriptions_are_equal_wherever_they_are_written() {
    holds(
        r#"
        fn described() {
            sandbox().tmpfs("/run", #{ size: "1M" })
        }
        assert_eq(described(), sandbox().tmpfs("/run", #{ size: 1048576 }));
        assert(described() != sandbox().tmpfs("/run"), "without the size it is another");
        assert(sandbox().tmpfs("/a").tmpfs("/b") != sandbox().tmpfs("/b").tmpfs("/a"),
            "the order counts");
        assert_eq(rootfs().file("/a", "1"), rootfs().file("/a", "1"));
        assert(rootfs().file("/a", "1") != rootfs().file("/a", "2"), "the content counts");
        "#,
    );
}

#[test]
fn values_of_different_types_are_never_equal() {
    holds(
        r#"
        assert(sandbox() != rootfs(), "a sandbox is no root");
        assert(sandbox() != (), "a sandbox is something");
        assert(NET != 1, "namespaces are no number");
        assert(NET != "NET", "namespaces are no text");
        "#,
    );
}

#[test]
fn namespaces_are_joined_and_taken_away() {
    holds(
        r#"
        assert_eq(NET | PID, PID | NET);
        assert_eq(NET | NET, NET);
        assert_eq((NET | PID) - PID, NET);
        assert_eq(NET - PID, NET);
        assert_eq(ALL - (ALL - UTS), UTS);
        assert_eq(USER | MOUNT | PID | NET | UTS | IPC | CGROUP | TIME, ALL);
        assert(NET != PID, "kinds differ");
        "#,
    );
}

#[test]
fn namespaces_print_as_the_flags_of_the_kernel() {
    prints("print(NET);", "CLONE_NEWNET\n");
    prints("print(UTS | USER);", "CLONE_NEWUSER|CLONE_NEWUTS\n");
    let all = "CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWUTS|CLONE_NEWIPC|\
               CLONE_NEWCGROUP|CLONE_NEWTIME\n";
    prints("print(ALL);", all);
}

#[test]
fn constants_and_arguments_are_known_in_functions_and_closures() {
    holds(
        r"
        fn kinds() {
            NET | UTS
        }
        fn count() {
            args.len()
        }
        let closure = || ALL - NET;
        assert_eq(kinds(), NET | UTS);
        assert_eq(closure.call(), ALL - NET);
        assert_eq(count(), 0);
        ",
    );
}

#[test]
fn constants_are_known_in_closures_of_functions_and_of_closures() {
    holds(
        r"
        fn kinds(given) {
            let own = |kind| [NET, kind, given, host.uid >= 0];
            own.call(UTS)
        }
        assert_eq(kinds(3), [NET, UTS, 3, true]);
        let outer = || [1].map(|number| [number, IPC, args.len()]);
        assert_eq(outer.call(), [[1, IPC, 0]]);
        fn nested() { within(UTS, || within(IPC, || getpid() > 1)) }
        assert(nested());
        ",
    );
}

#[test]
fn a_variable_can_have_the_name_of_a_constant() {
    holds(
        r"
        fn given(UTS) { (|| [UTS, NET]).call() }
        assert_eq(given(1), [1, NET]);
        for PID in [2] { assert_eq(PID, 2); }
        let PID = 3;
        PID += 1;
        assert_eq((|| PID).call(), 4);
        ",
    );
    assert!(run("NET = 1;").said(125).contains("cannot assign to the constant `NET`"));
}

#[test]
fn text_that_is_trimmed_is_a_new_text() {
    holds(
        r#"
        let text = " box\n";
        assert_eq(text.trim(), "box");
        assert_eq(text, " box\n");
        let guest = sandbox("/").read_only_root().hostname("box");
        assert_eq(guest.output("uname -n").stdout.trim(), "box");
        "#,
    );
}

#[test]
fn a_process_is_the_same_one_in_every_copy() {
    holds(
        r#"
        let program = sandbox("/").read_only_root().start("cat", #{ pipes: true });
        let copy = program;
        copy.write("hello\n");
        assert_eq(program.read_line(), "hello");
        assert_eq(program.pid, copy.pid);
        program.kill("KILL");
        assert_eq(copy.wait().signal, 9);
        assert(!program.running, "it has ended for every copy");
        "#,
    );
}

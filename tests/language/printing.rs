//! How values print: as something that a person can read.

use super::nsscript::{Ran, nsscript, prints, run};

#[test]
fn a_sandbox_prints_as_its_steps() {
    let code = r#"
        print(sandbox("/").read_only_root().hostname("box").tmpfs("/run").share(NET));
    "#;
    let printed = "sandbox of 5 steps\n   1  root: /\n   2  read-only root\n   \
                   3  hostname box\n   4  tmpfs on /run\n   5  share NET\n";
    prints(code, printed);
}

#[test]
fn a_root_prints_as_its_ingredients() {
    prints("print(rootfs());", "rootfs of 0 ingredients\n");
    prints(r#"print(rootfs().file("/a", "1"));"#, "rootfs of 1 ingredient\n");
}

#[test]
fn a_tree_prints_every_entry_with_its_place() {
    let code = r#"
        let root = rootfs()
            .file("/etc/motd", "hello\n", #{ mode: 0o600 })
            .symlink("motd", "/etc/issue")
            .directory("/tmp", #{ mode: 0o1777 });
        print(root.tree());
    "#;
    let tree = run(code).printed();
    for part in ["etc/", "motd\n", "issue -> motd", "tmp/"] {
        assert!(tree.contains(part), "{part} is not in\n{tree}");
    }
}

#[test]
fn what_a_program_did_prints_as_what_counts() {
    let code = r#"
        let guest = sandbox("/").read_only_root();
        print(guest.run("true"));
        print(guest.run("sh -c 'exit 3'", #{ check: false }));
        print(guest.run("sh -c 'kill -TERM $$'", #{ check: false }));
        print(guest.output("echo hello"));
    "#;
    let printed = "exited with status 0\nexited with status 3\nended by SIGTERM (15)\nhello\n";
    prints(code, printed);
}

#[test]
fn a_process_prints_its_number() {
    let code = r#"
        let program = sandbox("/").read_only_root().start("cat", #{ pipes: true });
        assert_eq(`${program}`, `process ${program.pid}`);
        assert(program.pid > 1, "it has a number");
    "#;
    prints(code, "");
}

#[test]
fn what_a_program_needs_prints_as_a_tree() {
    let printed = run(r#"print(dependencies("sh"));"#).printed();
    assert!(printed.starts_with('/'), "{printed}");
    assert!(!printed.ends_with("\n\n"), "an empty line follows\n{printed}");
}

#[test]
fn values_print_alike_alone_within_text_and_within_others() {
    prints("print(`net: ${NET}`);", "net: CLONE_NEWNET\n");
    prints(r#"print("net: " + NET);"#, "net: CLONE_NEWNET\n");
    prints(r#"print([NET, "a", 1]);"#, "[CLONE_NEWNET, \"a\", 1]\n");
    prints("print(#{ kind: NET });", "#{\"kind\": CLONE_NEWNET}\n");
}

#[test]
fn types_have_the_names_of_the_reference() {
    let code = r#"
        let guest = sandbox("/").read_only_root();
        let root = rootfs();
        for value in [guest, root, NET, guest.run("true"), guest.output("true"),
            guest.start("true"), guest.plan("true"), dependencies("sh")] {
            print(type_of(value));
        }
    "#;
    prints(code, "Sandbox\nRootfs\nNamespaces\nExit\nOutput\nProcess\nPlan\nDependencies\n");
}

#[test]
fn a_plan_prints_what_is_done_by_whom_and_for_which_line() {
    let code = "let guest = sandbox()\n    .hostname(\"box\");\nprint(guest.plan(\"true\"));";
    let printed = run(code).printed();
    assert!(printed.starts_with("plan for `true`\n  nsscript\n    1  "), "{printed}");
    let step = printed.lines().find(|line| line.contains("set the host name to `box`")).unwrap();
    assert!(step.ends_with("<command line>:2:6"), "{step}");
}

#[test]
fn debug_writes_to_standard_error() {
    let ran = run("debug(NET);");
    assert_eq!(
        (ran.status, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "CLONE_NEWNET\n")
    );
}

#[test]
fn messages_are_coloured_only_for_a_terminal() {
    let mut command = nsscript(&["-e", "assert(false);"]);
    let ran = Ran::of(command.env_remove("NO_COLOR"));
    assert!(!ran.said(125).contains('\u{1b}'));
}

//! What a recipe tells a person: headings, narration, tables, and what it needs to be run.

use super::nsscript::{Ran, nsscript, prints, run};
use crate::support::schema::fitting;

fn planned(code: &str) -> Ran {
    Ran::of(&mut nsscript(&["plan", "-e", code]))
}

fn rule(title: &str) -> String {
    let start = format!("── {title} ");
    let rest = 72 - start.chars().count();
    format!("{start}{}\n", "─".repeat(rest))
}

#[test]
fn a_section_is_parted_from_what_was_printed_before() {
    let (one, two) = (rule("One"), rule("Two"));
    prints(r#"section("One"); section("Two");"#, &format!("{one}\n{two}"));
    prints(r#"print("a"); section("One"); print("b");"#, &format!("a\n\n{one}b\n"));
    let code = r#"sandbox("/").read_only_root().run("echo a"); section("One");"#;
    prints(code, &format!("a\n\n{one}"));
}

#[test]
fn narration_is_parted_from_what_is_shown() {
    let one = rule("One");
    prints(r#"note("a"); print("b"); print("c");"#, "a\n\nb\nc\n");
    prints(r#"print("a"); note("b"); note("c");"#, "a\n\nb\n\nc\n");
    prints(r#"section("One"); note("a"); section("One");"#, &format!("{one}a\n\n{one}"));
    prints(r#"section("One"); print("a");"#, &format!("{one}a\n"));
    prints(r#"note("a"); table([["b"], [()]]);"#, "a\n\nb\n─\n-\n");
    prints(r#"note("a"); sandbox("/").read_only_root().run("echo b");"#, "a\n\nb\n");
}

#[test]
fn narration_is_parted_from_what_a_child_process_shows() {
    prints(r#"note("a"); within(UTS, || print("b")); print("c");"#, "a\n\nb\nc\n");
    prints(r#"within(UTS, || print("a")); note("b");"#, "a\n\nb\n");
    prints(r#"within(UTS, || print("a")); section("One");"#, &format!("a\n\n{}", rule("One")));
    prints(r#"note("a"); clone(UTS, || exec("echo b")).wait(); note("c");"#, "a\n\nb\n\nc\n");
    prints(r#"note("a"); within(UTS, || 1); print("b");"#, "a\n\nb\n");
    prints(r#"within(UTS, || note("a")); print("b");"#, "a\n\nb\n");
    let guest = r#"let guest = sandbox("/").read_only_root();"#;
    prints(&format!(r#"{guest} note("a"); guest.within(|| print("b"));"#), "a\n\nb\n");
}

#[test]
fn what_a_program_wrote_into_a_pipe_was_not_printed() {
    let code = r#"let out = sandbox("/").read_only_root().output("echo a"); section("One");"#;
    prints(code, &rule("One"));
}

#[test]
fn a_note_is_not_indented_as_the_recipe_around_it_is() {
    let code = "
        fn explain() {
            note(`
                A namespace
                is a view.

                - one
                - two

                    $ ls /proc/self/ns
            `);
        }
        explain();
    ";
    prints(code, "A namespace is a view.\n\n- one\n- two\n\n    $ ls /proc/self/ns\n");
    prints("note(`One\n    two.`);", "One two.\n");
    prints("note(\"\");", "\n");
}

#[test]
fn a_note_is_as_wide_as_a_heading_at_the_most() {
    let told = run(r#"let text = ""; for n in 0..50 { text += "word "; } note(text);"#).printed();
    let widest = told.lines().map(str::len).max();
    assert_eq!((told.lines().count(), widest), (4, Some(69)), "{told}");
}

#[test]
fn what_would_move_the_cursor_is_not_passed_on() {
    let code = r#"let text = "a\x1b[2Jb"; section(text); note(text); table([["x"], [text]]);"#;
    let told = run(code).printed();
    assert!(!told.contains('\u{1b}') && told.matches("a\\u{1b}[2Jb").count() == 3, "{told}");
}

#[test]
fn a_table_of_maps_has_the_keys_as_columns() {
    let code = r#"table([#{ name: "lo", mtu: 65536 }, #{ name: "eth0", up: true }]);"#;
    let wanted = "  mtu  name  up\n─────  ────  ────\n65536  lo    -\n    -  eth0  true\n";
    prints(code, wanted);
}

#[test]
fn the_columns_of_a_table_can_be_chosen_and_put_in_order() {
    let wanted = "c  a\n─  ─\n3  1\n";
    prints(r#"table([#{ a: 1, b: 2, c: 3 }], #{ columns: ["c", "a"] });"#, wanted);
    prints(r#"table([["a", "b", "c"], [1, 2, 3]], #{ columns: ["c", "a"] });"#, wanted);
}

#[test]
fn the_first_of_several_arrays_is_the_head() {
    let code = r#"table([["kind", "inode"], ["uts", 4026531838], ["net", ()], ["pid"]]);"#;
    let wanted = "kind       inode\n────  ──────────\nuts   4026531838\nnet            -\n\
                  pid            -\n";
    prints(code, wanted);
}

#[test]
fn only_columns_of_nothing_but_numbers_end_at_one_place() {
    prints("table([[\"a\"], [10], [\"b\"]]);", "a\n──\n10\nb\n");
    prints("table([[\"a\"], [10], [1.5]]);", "  a\n───\n 10\n1.5\n");
    prints("table([[\"head\"], [()]]);", "head\n────\n-\n");
}

#[test]
fn the_cells_of_a_table_are_what_their_values_print_as() {
    let code = r#"
        let captured = "x";
        let closure = || captured;
        table([["value"], [NET | PID], [[1, "a"]], [captured], ["two\nlines"]]);
    "#;
    let wanted = "value\n─────────────────────────\nCLONE_NEWPID|CLONE_NEWNET\n[1, \"a\"]\nx\n\
                  two lines\n";
    prints(code, wanted);
}

#[test]
fn a_table_without_rows_says_so() {
    for code in ["table([]);", "table([[\"a\"]]);", "table([], #{ columns: [\"a\"] });"] {
        prints(code, "(none)\n");
    }
}

#[test]
fn what_is_needed_and_there_is_no_reason_to_end() {
    prints("skip_unless(true, \"it\"); print(1);", "1\n");
}

#[test]
fn a_recipe_that_needs_what_is_not_there_ends_with_77() {
    for code in [
        "skip_unless(false, \"loop devices\"); print(1);",
        "fn f() { skip_unless(false, \"loop\\n    devices\"); } f();",
        "[1].for_each(|| skip_unless(false, \"loop devices\"));",
        "try { skip_unless(false, \"loop devices\"); } catch { print(1); } print(2);",
    ] {
        let ran = run(code);
        assert_eq!(ran.stdout, "", "{code}");
        assert_eq!(ran.said(77), "not run: loop devices\n", "{code}");
    }
}

#[test]
fn what_is_missing_has_the_form_that_was_asked_for() {
    let said = |format| {
        let code = "skip_unless(false, \"loop devices\");";
        Ran::of(&mut nsscript(&["--error-format", format, "-e", code])).said(77)
    };
    assert_eq!(said("short"), "not run: loop devices\n");
    let report = fitting("report", &said("json"));
    assert_eq!(report["severity"], "not run");
    assert_eq!(report["message"], "loop devices");
}

#[test]
fn what_was_started_is_ended_where_something_is_missing() {
    let code = r#"
        let sleeper = sandbox("/").read_only_root().start("sleep 60");
        skip_unless(false, "patience");
    "#;
    assert_eq!(run(code).said(77), "not run: patience\n");
}

#[test]
fn a_dry_run_tells_nothing_and_needs_nothing() {
    let code = r#"
        section("a");
        note("b");
        table([["c"], [1, 2]], #{ columns: ["d"] });
        skip_unless(false, "e");
        sandbox().run("x");
    "#;
    let plan = planned(code).printed();
    assert!(plan.starts_with("plan for `x`"), "{plan}");
    assert!(planned("table(3);").said(125).contains("not an integer"));
}

//! What is said while work takes a while.

use std::process::Command;

use crate::support::{Bench, Launch, as_each_user, have};

/// Delays each piece that nsscript writes by 20 ms, so that its work takes a while on every machine,
/// and reaches each part of it.
const SLOWLY: &str =
    r#"exec strace -o /dev/null -e trace=write -e inject=write:delay_enter=20000 -- "$@""#;

/// The same on a terminal.
const ON_A_TERMINAL: &str = r#"
    export TERM=xterm SLOWLY
    for word; do printf "'%s' " "$word" >> words; done
    script -qec "sh -c '$SLOWLY' sh $(cat words)" /dev/null
"#;

/// A recipe that unpacks an archive of many pieces, which is also there.
fn unpacking(bench: &Bench) -> String {
    let file = std::fs::File::create(bench.directory("tree").join("large")).unwrap();
    file.set_len(20 << 20).unwrap();
    let pack = ["-cf", &bench.text("large.tar"), "-C", &bench.text("tree"), "large"];
    assert!(Command::new("tar").args(pack).status().unwrap().success());
    bench.directory("cache");
    format!("rootfs().tar(`{}`).digest()", bench.text("large.tar"))
}

fn progress<'b>(bench: &'b Bench, words: &[&str], show: &str, script: &str) -> Launch<'b> {
    let launch = bench.nsscript(words).env("XDG_CACHE_HOME", bench.text("cache"));
    launch.env("NSSCRIPT_PROGRESS", show).env("SLOWLY", SLOWLY).by_shell(script)
}

#[test]
fn lines_say_how_far_work_is_where_there_is_no_terminal() {
    if !have(&["strace"]) {
        return;
    }
    as_each_user(|bench| {
        let recipe = unpacking(bench);
        let ended = progress(bench, &["-e", &recipe], "", SLOWLY).end();
        let said = &ended.stderr;
        assert_eq!(ended.status.code(), Some(0), "{said}");
        let what = format!("unpack `{}`: ", bench.text("large.tar"));
        let lines: Option<Vec<&str>> = said.lines().map(|line| line.strip_prefix(&what)).collect();
        let lines = lines.unwrap_or_else(|| panic!("{said}"));
        let [first, .., last] = lines[..] else { panic!("{said}") };
        assert!(first.contains("B of ") && last.ends_with(" s"), "{said}");
    });
}

#[test]
fn a_bar_on_a_terminal_goes_when_the_work_is_done() {
    if !have(&["strace"]) {
        return;
    }
    as_each_user(|bench| {
        let recipe = unpacking(bench);
        let ended = progress(bench, &["-e", &recipe], "", ON_A_TERMINAL).end();
        let shown = &ended.stdout;
        assert_eq!(ended.status.code(), Some(0), "{shown}");
        let frame = shown.split('\r').find(|frame| frame.contains("B of 20"));
        assert!(frame.is_some_and(|frame| frame.contains("  unpack `/")), "{shown:?}");
        assert!(shown.contains('█'), "{shown:?}");
        assert!(shown.ends_with("\r\u{1b}[2K"), "{shown:?}");
    });
}

#[test]
fn nothing_is_said_of_work_to_who_does_not_want_to_know() {
    if !have(&["strace"]) {
        return;
    }
    as_each_user(|bench| {
        let recipe = unpacking(bench);
        for (format, show) in [("human", "never"), ("json", ""), ("short", "lines")] {
            let words = ["--error-format", format, "-e", &recipe];
            let ended = progress(bench, &words, show, SLOWLY).end();
            assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""), "{format}");
            std::fs::remove_dir_all(bench.path("cache/nsscript")).unwrap();
        }
    });
}

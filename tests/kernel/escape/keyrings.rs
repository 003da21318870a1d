//! The caller's session keyring: session-keyring(7).

use crate::support::{Bench, HOST, as_each_user, have, missing};

/// Perl with functions for the system calls about keys.
const KEYS: &str = r#"
use strict; use warnings; use POSIX ();
my ($add, $request, $keyctl) = (POSIX::uname())[4] eq "x86_64" ? (248, 249, 250) : (217, 218, 219);
sub join_session { syscall($keyctl, 1, 0) > 0 }
sub session { syscall($keyctl, 0, -3, 0) }
sub add { my ($type, $name, $text) = ("user", @_); syscall($add, $type, $name, $text, length $text, -3) > 0 }
sub found { my ($type, $name) = ("user", @_); syscall($request, $type, $name, 0, 0) > 0 }
"#;

/// nsscript in a session with a key `treasure`: says so if that can be made, and then whether a key
/// `planted` is in the session.
const OUTSIDE: &str = r#"
exit 77 unless join_session() && add("treasure", "of the host");
my $status = system(@ARGV);
print found("planted") ? "outside: planted\n" : "outside: nothing planted\n";
exit $status >> 8;
"#;

/// What a program sees of that, and tries.
const INSIDE: &str = r#"
print found("treasure") ? "the treasure is found\n" : "nothing is found\n";
print add("planted", "by the program") && found("planted") ? "added\n" : "not added\n";
print "session " . session() . "\n";
"#;

/// A run of this recipe, in which `keys` is the command of a program that looks for keys, in a
/// session with a key; none where this machine has no keys.
fn run(bench: &Bench, recipe: &str) -> Option<String> {
    if !have(&["perl"]) {
        return None;
    }
    bench.file("outside.pl", format!("{KEYS}{OUTSIDE}"));
    let text = format!("let keys = [\"perl\", \"-e\", args[0]];\n{recipe}");
    let launch = bench.nsscript(&["-e", &text, &format!("{KEYS}{INSIDE}")]);
    let ended = launch.by_shell(r#"exec perl outside.pl "$@""#).end();
    if ended.status.code() == Some(77) {
        missing("session keyrings: keyctl(2)");
        return None;
    }
    Some(ended.succeeded())
}

#[test]
fn the_keys_of_the_caller_are_neither_found_nor_added_to() {
    as_each_user(|bench| {
        let ways = [
            format!("{HOST}.run(keys);"),
            format!("{HOST}.pid1().run(keys);"),
            format!("{HOST}.user(1000).run(keys);"),
            format!("{HOST}.within(|| exec(keys));"),
            format!("let first = {HOST}.start(\"sleep 60\"); first.run(keys);"),
            format!("let first = {HOST}.start(\"sleep 60\"); first.within(|| exec(keys));"),
        ];
        for way in ways {
            let Some(seen) = run(bench, &way) else { return };
            assert!(seen.starts_with("nothing is found\nadded\nsession "), "{way}: {seen}");
            assert!(seen.ends_with("\noutside: nothing planted\n"), "{way}: {seen}");
            println!("held, as {}: {way}", bench.user);
        }
    });
}

#[test]
fn each_program_that_is_started_has_a_session_keyring_of_its_own() {
    as_each_user(|bench| {
        let recipe = format!(
            "let first = {HOST}.start(\"sleep 60\"); {HOST}.run(keys); first.run(keys); first.run(keys);"
        );
        let Some(seen) = run(bench, &recipe) else { return };
        let mut sessions: Vec<_> =
            seen.lines().filter(|line| line.starts_with("session")).collect();
        sessions.sort_unstable();
        sessions.dedup();
        assert_eq!(sessions.len(), 3, "{seen}");
    });
}

#[test]
fn a_closure_that_runs_on_the_host_keeps_the_keys_of_the_caller() {
    as_each_user(|bench| {
        let Some(seen) = run(bench, "clone(UTS, || exec(keys)).wait();") else { return };
        assert!(seen.starts_with("the treasure is found\nadded\n"), "{seen}");
        assert!(seen.ends_with("\noutside: planted\n"), "{seen}");
    });
}

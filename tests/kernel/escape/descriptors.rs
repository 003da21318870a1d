//! Descriptors that lead out, and the launcher itself.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Canary;
use crate::kernel::INIT_RUNS;
use crate::support::{Bench, HOST, as_each_user, have};

/// A root with the host's programs in which nothing else of the host is seen.
const SYSTEM: &str = r#"sandbox().bind("/usr").bind("/bin").bind("/lib")
    .bind("/lib64", #{ optional: true }).proc("/proc").proc("/p").dev("/dev")"#;

/// A shell that hands nsscript directories of the host as descriptors.
const LEAK: &str = r#"exec 3< host 4< / 5< .. 6< host 7< host 8< / 9< host; exec "$@""#;

/// What a program tries to get at the canary from where it is.
const LOOK_AROUND: &str = "pwd; ls; cat secret host/secret work/host/secret
    up=.
    for level in 1 2 3 4 5 6 7 8 9; do
        up=$up/..
        cat $up/secret $up/host/secret $up/HOST/secret
    done";

#[test]
fn the_working_directory_is_never_a_descriptor() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        let script = LOOK_AROUND.replace("/HOST", &bench.text("host"));
        let mut escaped = Vec::new();
        for number in 3..24 {
            let linked =
                format!(r#"{SYSTEM}.symlink("/proc/self/fd/{number}", "/w").workdir("/w")"#);
            let elsewhere = format!(r#"{SYSTEM}.workdir("/p/self/fd/{number}")"#);
            for guest in [&linked, &elsewhere] {
                let ended = bench.script(guest, &script).by_shell(LEAK).end();
                canary.holds(guest, &ended);
                if ended.status.code() != Some(125) {
                    escaped.push((number, ended.stdout));
                }
            }
        }
        assert_eq!(escaped, [], "a directory of the host was entered");
        let said = bench.sh(&format!(r#"{HOST}.workdir("/proc/self/fd/7")"#), "true").failed(125);
        assert!(said.contains("passes through a link of a process"), "{said}");
    });
}

#[test]
fn the_working_directory_of_another_program_is_never_a_descriptor() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        // The link is right when the sandbox starts, and led elsewhere before the program joins.
        let recipe = format!(
            r#"let guest = {SYSTEM}.directory("/w").workdir("/w");
            let first = guest.start(["sh", "-c", args[0]], #{{ pipes: true }});
            first.read_line();
            first.run(["sh", "-c", args[1]], #{{ check: false }});"#
        );
        for number in 3..24 {
            let swap =
                format!("rmdir /w && ln -s /proc/self/fd/{number} /w && echo swapped; sleep 60");
            let script = LOOK_AROUND.replace("/HOST", &bench.text("host"));
            let launch = bench.nsscript(&["-e", &recipe, &swap, &script]).by_shell(LEAK);
            let ended = launch.end();
            canary.holds(&format!("a joining program with /w -> /proc/self/fd/{number}"), &ended);
            assert_eq!(ended.status.code(), Some(125), "{number}: {}", ended.stdout);
        }
    });
}

#[test]
fn no_descriptor_is_left_to_walk_out_by() {
    as_each_user(|bench| {
        if !have(&["perl"]) {
            return;
        }
        let canary = Canary::new(bench);
        let script = r#"
            my $secret = shift;
            sub look { my $up = "."; for (1 .. 12) { print <$_> if open($_, "<", "$up$secret"); $up .= "/.." } }
            mkdir "/jail";
            if (chroot "/jail") { chdir ".." for 1 .. 20; chroot "."; print "chroot\n"; look }
            for my $number (3 .. 1023) {
                next unless open(my $directory, "<&=", $number);
                print "descriptor $number\n" if chdir $directory;
                look;
            }
            look;
            chdir "/";
            look;
            print "done\n";"#;
        let host = bench.text("host/secret");
        for way in ["", ".chroot()"] {
            let recipe = format!(r#"{SYSTEM}{way}.run(["perl", "-e", args[0], args[1]]);"#);
            let launch = bench.nsscript(&["-e", &recipe, script, &host]).by_shell(LEAK);
            let ended = launch.end();
            canary.holds(&format!("walking up{way}"), &ended);
            assert_eq!(ended.succeeded(), "done\n");
        }
    });
}

#[test]
fn a_process_that_enters_a_sandbox_cannot_be_looked_into() {
    as_each_user(|bench| {
        if !have(&["perl"]) {
            return;
        }
        let canary = Canary::new(bench);
        // Looks at every process as fast as it can, until it is told to stop.
        let script = r#"
            my $secret = shift;
            $| = 1;
            my %told;
            print "watching\n";
            until (-e "/stop") {
                opendir(my $proc, "/proc");
                for my $pid (grep { /^\d+$/ && $_ > 2 } readdir $proc) {
                    my $exe = readlink "/proc/$pid/exe";
                    print "exe $exe\n" if defined $exe && $exe !~ m{/true$} && !$told{$exe}++;
                    print "root of $pid\n" if -e "/proc/$pid/root$secret";
                    print "working directory of $pid\n" if -e "/proc/$pid/cwd$secret";
                    print "memory of $pid\n" if defined $exe && $exe =~ /nsscript/ && open(my $m, "<", "/proc/$pid/mem");
                }
            }
            print "stopped\n";"#;
        let recipe = format!(
            r#"let first = {SYSTEM}.start(["perl", "-e", args[0], args[1]], #{{ pipes: true }});
            first.read_line();
            for round in 0..40 {{ first.run("true"); }}
            first.run("touch /stop", #{{ check: false }});
            loop {{ let line = first.read_line(); if line == () {{ break }} print(line); }}"#
        );
        let host = bench.text("host/secret");
        let ended = bench.nsscript(&["-e", &recipe, script, &host]).end();
        canary.holds("looking into processes that enter", &ended);
        let seen = ended.succeeded();
        // For a moment it may be seen as the carried program, which holds nothing of the host.
        let carried = |line: &&str| line.ends_with("/touch") || line.contains("/memfd:init");
        let told: Vec<_> = seen.lines().filter(|line| !carried(line)).collect();
        assert_eq!(told, ["stopped"], "{seen}");
    });
}

#[test]
fn the_program_of_nsscript_cannot_be_written_to() {
    as_each_user(|bench| {
        if !have(&["perl"]) {
            return;
        }
        // A binary of the test's own, which the user may write to: the worst case.
        Bench::copy_binary(&bench.path("own"));
        bench.give(&bench.path("own"));
        let before = fs::read(bench.path("own")).unwrap();
        let found = fs::metadata(bench.path("own")).unwrap();
        let identity = format!("{}:{}", found.dev(), found.ino());
        // Executes what the launching process knows itself by, so that another process can open
        // that file. "Text file busy" holds only until the launcher has ended, and the other
        // process may live a moment longer.
        let trap = r##".file("/trap", "#!/proc/self/exe\nsleep(60);\n", #{ mode: 0o755 })"##;
        let script = r#"
            my ($identity, $end) = (shift, time + 2);
            while (time < $end) {
                for my $process (glob "/proc/[0-9]*") {
                    my @found = stat "$process/exe" or next;
                    next unless "$found[0]:$found[1]" eq $identity;
                    if (open(my $file, "+<", "$process/exe")) { print "nsscript can be written to\n"; exit }
                    if ($! == 26) { print "nsscript can be written to once it has ended\n"; exit }
                }
            }"#;
        let recipe = format!(
            r#"let guest = {SYSTEM}{trap};
            try {{ let first = guest.start("/trap"); first.run(["perl", "-e", args[0], args[1]]); }}
            catch (error) {{ print(error.message); }}
            let first = guest.start(["perl", "-e", args[0], args[1]]);
            try {{ first.run("/trap", #{{ check: false }}); }} catch (error) {{ print(error.message); }}"#
        );
        let by = format!("shift 3; exec {} \"$@\"", bench.text("own"));
        let ended = bench.nsscript(&["-e", &recipe, script, &identity]).by_shell(&by).end();
        assert!(!ended.stdout.contains("can be written to"), "{}", ended.stdout);
        ended.succeeded();
        assert!(fs::read(bench.path("own")).unwrap() == before, "nsscript was overwritten");
    });
}

#[test]
fn init_cannot_be_written_to() {
    as_each_user(|bench| {
        let script = format!(
            "trap '' TERM HUP; {INIT_RUNS}
            (echo x > /proc/1/exe) 2> /dev/null && echo the program of init was written to
            (echo x > /proc/1/mem) 2> /dev/null && echo its memory was written to
            (echo x > /proc/1/fd/3) 2> /dev/null && echo what it tells was written to
            kill -9 1; kill -15 1; kill -1 1; sleep 0.05; cat /proc/1/comm"
        );
        assert_eq!(bench.seen(HOST, &script), "init\n");
    });
}

#[test]
fn how_a_program_ends_cannot_be_forged() {
    as_each_user(|bench| {
        let script = format!("{INIT_RUNS}; printf \"$0\" > /proc/1/fd/3; kill -9 $$");
        let recipe = format!(
            r#"print({HOST}.output(["sh", "-c", args[0], args[1]], #{{ check: false }}).exit.signal);"#
        );
        // Eight bytes of little moment: a status, one more, a failure to execute, all bits.
        for bytes in
            [r"\1\0\0\0\0\0\0\0", r"\0\2\0\0\4\0\0\0", r"\0\0\0\0\0\2\0\100", &r"\377".repeat(8)]
        {
            let ended = bench.nsscript(&["-e", &recipe, &script, bytes]).end();
            assert_eq!(ended.stdout, "9\n", "{bytes}: {}", ended.stderr);
        }
    });
}

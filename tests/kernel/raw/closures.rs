//! Closures in processes of their own: `clone` and `within`, what comes back, what does not.

use super::{fails, printed, tries};
use crate::support::as_each_user;

#[test]
fn every_kind_of_value_comes_back_as_what_it_was() {
    as_each_user(|bench| {
        let recipe = r#"let values = [
                (), true, false, 0, -1, 9223372036854775807, -9223372036854775807 - 1, 2.5, -0.0,
                1e308, 'x', '✓', "", "text \u0000 \\ \" ✓\n", blob(3, 7), blob(), [], [1, [2, [()]]],
                #{}, #{ a: 1, "b c": #{ d: [()] }, "float": 'f', "map": 2.0 }, USER | PID, ALL,
            ];
            for value in values {
                let came = within(UTS, || value);
                assert_eq(type_of(came), type_of(value));
                assert_eq(`${came}`, `${value}`);
                let child = clone(UTS, || value);
                assert_eq(`${child.value()}`, `${value}`);
            }
            assert_eq(`${within(UTS, || [0.0 / 0.0, 1.0 / 0.0])}`, "[NaN, inf]");
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn what_cannot_leave_its_process_is_named() {
    as_each_user(|bench| {
        let told = tries(
            bench,
            r#"t("a sandbox", || within(UTS, || sandbox()));
            t("a root", || within(UTS, || [1, rootfs()]));
            t("a process", || within(UTS, || clone(UTS, || 1)));
            t("a namespace", || within(UTS, || #{ a: [namespaces().uts] }));
            t("a function", || within(UTS, || #{ b: || 1 }));
            t("too deep", || within(UTS, || { let a = 0; for n in 0..60 { a = [a]; } a }));"#,
        );
        let wanted = [
            "the value is a Sandbox",
            "the value[1] is a Rootfs",
            "the value is a Process",
            "the value.a[0] is a Namespace",
            "the value.b is a function",
            "the value is nested deeper than 48 levels",
        ];
        assert_eq!(told.lines().count(), wanted.len(), "{told}");
        for (line, wanted) in told.lines().zip(wanted) {
            assert!(line.contains("cannot be passed back: ") && line.contains(wanted), "{line}");
        }
    });
}

#[test]
fn large_values_come_back_whole() {
    as_each_user(|bench| {
        let recipe = r#"let text = ""; text.pad(10000000, 'x');
            assert(within(UTS, || text) == text);
            let bytes = blob(300000, 255);
            let child = clone(UTS, || bytes);
            assert(child.wait().success);
            assert(child.value() == bytes);
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn closures_see_variables_as_they_are_and_change_their_own() {
    as_each_user(|bench| {
        let recipe = r#"fn double(number) { number * 2 }
            let list = [1, 2]; let number = 5; const NAME = "name";
            let outer = || double(number);
            assert_eq(within(UTS, || { list.push(number); [list, outer.call(), NAME] }),
                [[1, 2, 5], 10, "name"]);
            assert_eq(list, [1, 2]);
            let sum = 0;
            for index in 0..5 { sum += within(UTS, || index * index); }
            assert_eq(sum, 30);
            let children = [];
            for index in 0..5 { let own = index; children.push(clone(UTS, || own)); }
            assert_eq(children.map(|child| child.value()), [0, 1, 2, 3, 4]);
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn an_error_comes_back_with_its_line_and_what_led_to_it() {
    as_each_user(|bench| {
        let recipe = "fn inner() {\n    mkdir(\"/no/such\");\n}\nfn outer() {\n    inner();\n}\n\
                      within(UTS, || {\n    within(PID, || outer())\n});\n";
        let said = fails(bench, recipe);
        let wanted = [
            "error: cannot create the directory `/no/such` with mode 0755: no such file or directory",
            "──▶ <command line>:2:5",
            "the call was mkdirat(AT_FDCWD, \"/no/such\", 0755)",
            "= in the child process of `within` at <command line>:8:5",
            "= in the child process of `within` at <command line>:7:1",
            "= asked for by `inner`, called at <command line>:5:5",
            "= asked for by `outer`, called at <command line>:8:20",
        ];
        for wanted in wanted {
            assert!(said.contains(wanted), "{wanted}\nin:\n{said}");
        }
    });
}

#[test]
fn an_error_can_be_caught_and_has_what_is_known_of_it() {
    as_each_user(|bench| {
        let recipe = r#"let told = "";
            try { within(UTS, || mkdir("/no/such")); } catch (e) {
                told = `${e.errno} ${e.operation} ${e.target}`;
            }
            assert_eq(told, "2 mkdir /no/such");
            try { clone(UTS, || throw "own words").wait(); } catch (e) { told = e.message; }
            assert_eq(told, "own words");
            try { within(UTS, || within(UTS, || throw "deep")); } catch (e) { told = e.message; }
            assert_eq(told, "deep");
            let error = within(UTS, || { let kept = ();
                try { chdir("/none"); } catch (e) { kept = e; } kept });
            assert_eq(error.errno, 2);
            try { throw error; } catch (e) { told = e.message; }
            assert(told.starts_with("cannot change directory to `/none`"));
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn closures_are_nested_and_each_is_where_it_says() {
    as_each_user(|bench| {
        let recipe = r#"let seen = within(UTS | PID, || {
                sethostname("one");
                let inner = within(UTS | PID, || {
                    sethostname("two");
                    [hostname(), getpid(), within(PID, || getpid())]
                });
                [hostname(), getpid(), inner]
            });
            print(seen);"#;
        assert_eq!(printed(bench, recipe), "[\"one\", 1, [\"two\", 1, 1]]\n");
    });
}

#[test]
fn a_thousand_closures_leave_neither_descriptors_nor_processes() {
    as_each_user(|bench| {
        // A closure that has just begun may have its pipe still open: what is left stays in every count.
        let recipe = r#"fn files(pid) {
                let count = `for n in 1 2 3 4 5; do ls /proc/${pid}/fd | wc -l; sleep 0.02; done`;
                within(UTS, || exec(["sh", "-c", count + " | sort -n | head -n 1"]));
            }
            within(UTS, || 1);
            files(getpid());
            for number in 0..1000 {
                let came = if number % 2 == 0 { within(UTS, || number) }
                    else { clone(UTS, || number).value() };
                if came != number { throw `${came} is not ${number}`; }
            }
            files(getpid());
            print(read_file("/proc/thread-self/children").trim().len());"#;
        let printed = printed(bench, recipe);
        let lines: Vec<_> = printed.lines().collect();
        let number = |line: &str| line.trim().parse::<u32>().unwrap();
        assert!(number(lines[1]) <= number(lines[0]), "{printed}");
        assert_eq!(lines[2], "0", "{printed}");
    });
}

#[test]
fn both_sides_launch_sandboxes_at_the_same_time() {
    as_each_user(|bench| {
        let recipe = r#"let guest = sandbox("/").read_only_root();
            let child = clone(UTS | NET, || {
                for number in 0..10 { guest.run(["sh", "-c", `exit $((${number} - ${number}))`]); }
                guest.output("uname -n").stdout
            });
            for number in 0..10 { guest.run("true"); }
            let before = guest.start("sleep 60");
            assert_eq(child.value(), guest.output("uname -n").stdout);
            assert(before.running);
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn a_program_that_was_started_before_is_not_the_closures_to_end() {
    as_each_user(|bench| {
        let recipe = r#"let sleeper = sandbox("/").read_only_root().start("sleep 60");
            let child = clone(UTS, || sleep("60s"));
            within(UTS, || { let other = sleeper; let another = child; 1 });
            within(PID, || 1);
            assert(sleeper.running);
            assert(child.running);
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

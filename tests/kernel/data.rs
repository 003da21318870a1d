//! Programs that open more while they run than their files tell of, in roots that are put together.

use std::path::Path;
use std::process::Command;

use crate::support::{Bench, as_each_user, have, missing};

/// A program in a root of its own with its data, what is run in it, and what that prints.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("getent", "getent passwd root nobody", "root:x:0:0:"),
    ("getent", "getent group root", "root:x:0:"),
    ("getent", "getent hosts localhost", "localhost"),
    ("getent", "getent services ssh/tcp", "22/tcp"),
    ("locale", "locale -a", "C.utf8"),
    ("date", "date -d '2020-06-01 12:00 UTC' +%H:%M", ":00"),
    ("date", "env TZ=Europe/Berlin date -d '2020-06-01 12:00 UTC' '+%H:%M %Z'", "14:00 CEST"),
    ("iconv", "sh -c 'printf x | iconv -t UTF-16BE | od -An -c'", "\\0   x"),
    ("curl", "curl --version", "libcurl/"),
    ("perl", "perl -MPOSIX -MEncode -MFile::Temp -e 'print strftime(q(%Y), gmtime(0))'", "1970"),
    ("/usr/bin/python3", "/usr/bin/python3 -c 'import ssl, json; print(json.dumps([1]))'", "[1]"),
    ("/usr/bin/python3", "/usr/bin/python3 -c 'import ctypes, sqlite3, zoneinfo; print(2)'", "2"),
    ("tput", "tput -T xterm cols", "80"),
    ("git", "git --exec-path", "git-core"),
    ("ldd", "ldd /usr/bin/env", "libc.so.6"),
    ("zgrep", "sh -c 'echo one two | zgrep -o two'", "two"),
    ("/usr/bin/pip3", "/usr/bin/pip3 --version", "pip "),
    ("/usr/bin/py3versions", "/usr/bin/py3versions --default", "python3."),
];

/// What `command` prints in a root of `program` with its data, and of a few others without.
#[track_caller]
fn printed(bench: &Bench, program: &str, command: &str) -> String {
    let recipe = r#"
        let root = rootfs().binaries(["sh", "env", "od", "cat"]).binary(args[0], #{ data: true })
            .directory("/tmp", #{ mode: 0o1777 });
        let guest = sandbox(root).proc("/proc").dev("/dev").bind(args[2], "/repository", #{ optional: true });
        print(guest.output(args[1]).stdout);
    "#;
    bench.directory("cache");
    let repository = bench.text("repository");
    let words = ["-e", recipe, program, command, &repository];
    bench.nsscript(&words).env("XDG_CACHE_HOME", bench.text("cache")).end().succeeded()
}

/// Whether a program or file is on this machine; says so where it is not.
fn is_there(what: &str) -> bool {
    if !what.starts_with('/') {
        return have(&[what]);
    }
    let is_there = Path::new(what).exists();
    if !is_there {
        missing(what);
    }
    is_there
}

#[test]
fn programs_find_what_they_open_while_they_run() {
    as_each_user(|bench| {
        for &(program, command, expected) in PROGRAMS {
            let zone = command.contains("Berlin").then_some("/usr/share/zoneinfo/Europe/Berlin");
            let services = command.contains("services").then_some("/etc/services");
            if [Some(program), zone, services].into_iter().flatten().all(is_there) {
                let told = printed(bench, program, command);
                assert!(told.contains(expected), "{command}: {told}");
            }
        }
    });
}

#[test]
fn git_clones_a_repository() {
    as_each_user(|bench| {
        if !is_there("git") {
            return;
        }
        bench.file("repository/file", "committed\n");
        let git = |words: &[&str]| {
            let user = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
            let mut command: Command = bench.user.command("git");
            command.arg("-C").arg(bench.path("repository")).args(user).args(words);
            command.env("HOME", bench.path("")).env("GIT_CONFIG_NOSYSTEM", "1");
            assert!(command.status().unwrap().success(), "{words:?}");
        };
        git(&["init", "--quiet"]);
        git(&["add", "file"]);
        git(&["commit", "--quiet", "--message", "first"]);
        let clone = "sh -c 'git clone --quiet /repository /tmp/clone && cat /tmp/clone/file'";
        assert_eq!(printed(bench, "git", clone), "committed\n\n");
    });
}

#[test]
fn a_virtual_environment_of_python_has_its_packages() {
    as_each_user(|bench| {
        let python = "/usr/bin/python3";
        if !is_there(python) {
            return;
        }
        let place = bench.text("venv");
        let mut made: Command = bench.user.command(python);
        made.args(["-m", "venv", "--without-pip", "--system-site-packages", &place]);
        assert!(made.status().unwrap().success());
        let version = std::fs::read_link("/usr/bin/python3").unwrap();
        let packages = format!("venv/lib/{}/site-packages", version.display());
        bench.file(&format!("{packages}/own.py"), "VALUE = 5\n");
        let python = format!("{place}/bin/python3");
        let command = format!("{python} -c 'import own, sys; print(own.VALUE, sys.prefix)'");
        assert_eq!(printed(bench, &python, &command), format!("5 {place}\n\n"));
    });
}

#[test]
fn what_a_recipe_says_itself_counts() {
    as_each_user(|bench| {
        let recipe = r#"
            let own = "root:x:0:0:me:/:/bin/sh\n";
            let before = rootfs().file("/etc/passwd", own).binary("getent", #{ data: true });
            let after = rootfs().binaries(["getent"], #{ data: true }).file("/etc/passwd", own);
            for root in [before, after] {
                print(sandbox(root).output("getent passwd root").stdout.trim());
            }
        "#;
        let told = bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("")).end().succeeded();
        assert_eq!(told, "root:x:0:0:me:/:/bin/sh\nroot:x:0:0:me:/:/bin/sh\n");
    });
}

#[test]
fn it_is_told_what_is_opened_and_why() {
    as_each_user(|bench| {
        let recipe = r#"
            let needs = dependencies("getent", #{ data: true });
            print(needs);
            for row in needs.data() {
                if row.path == "/etc/nsswitch.conf" { print(`${row.why}; ${row.by}`); }
            }
            assert(dependencies("getent").data().is_empty());
        "#;
        let told = bench.recipe(recipe).end().succeeded();
        let why = "names of users, groups, hosts and services";
        assert!(told.contains("\n  libc.so.6 => "), "{told}");
        assert!(told.contains(&format!("\n{why}, for /")), "{told}");
        assert!(told.contains("\n  /etc/nsswitch.conf, if there is none\n"), "{told}");
        assert!(told.lines().last().is_some_and(|last| last.starts_with(why)), "{told}");
        assert!(told.ends_with("/libc.so.6\n"), "{told}");
    });
}

#[test]
fn what_cannot_be_read_is_left_out_and_a_script_that_stands_for_a_program_is_told_of() {
    as_each_user(|bench| {
        if !bench.user.is_root() {
            // A runtime like that of Java, of which a part is closed.
            bench.file("jvm/lib/modules", "");
            bench.file("jvm/lib/closed", "");
            bench.mode("jvm/lib/closed", 0);
            std::fs::create_dir(bench.path("jvm/bin")).unwrap();
            std::fs::copy("/bin/true", bench.path("jvm/bin/java")).unwrap();
            let recipe = r"print(sandbox(rootfs().binary(args[0], #{ data: true })).run(args[0]));";
            let program = bench.text("jvm/bin/java");
            let ended = bench.nsscript(&["-e", recipe, &program]).end();
            let wanted = format!(
                "warning: cannot read `{}`, data of `{program}`: skipped",
                bench.text("jvm/lib/closed")
            );
            assert!(ended.stderr.starts_with(&wanted), "{ended:?}");
            assert_eq!(ended.status.code(), Some(0));
        }
        bench.file("shims/tool", "#!/bin/sh\nexec other\n");
        bench.mode("shims/tool", 0o755);
        let root = format!("rootfs().binary(`{}`)", bench.text("shims/tool"));
        let ended = bench.recipe(&format!("sandbox({root}).run(\"/bin/sh -c true\")")).end();
        assert!(ended.stderr.contains("starts another program, which is not added"), "{ended:?}");
    });
}

#[test]
fn a_script_comes_with_what_it_starts_and_reads() {
    as_each_user(|bench| {
        bench.file(
            "tool/run",
            concat!(
                "#!/bin/sh\n",
                "editor=sed\n",
                ". \"$(dirname \"$0\")/functions\"\n",
                "shout() { tr a-z A-Z; }\n",
                "echo one two | $editor s/one/three/ | shout\n",
                "if command -v wc >/dev/null; then printf x | wc -c | head -n 1; fi\n",
                "report\n",
            ),
        );
        bench.file("tool/functions", "report() {\n    seq 3 | tail -n 1\n}\n");
        bench.mode("tool/run", 0o755);
        let recipe = r#"
            let root = rootfs().binary(args[0], #{ data: args[1] == "true" });
            print(sandbox(root).dev("/dev").output([args[0]], #{ check: false }).stdout);
            for row in dependencies(args[0], #{ data: true }).data() {
                if row.path.ends_with("/seq") { print(`${row.why}; ${row.by}`); }
            }
        "#;
        let run = |data: &str| {
            let words = ["-e", recipe, &bench.text("tool/run"), data];
            bench.nsscript(&words).env("XDG_CACHE_HOME", bench.text("cache")).end().succeeded()
        };
        let why = format!("programs that the script starts; {}\n", bench.text("tool/functions"));
        assert_eq!(run("true"), format!("THREE TWO\n1\n3\n\n{why}"));
        assert_eq!(run("false"), format!("\n{why}"));
    });
}

#[test]
fn scripts_of_perl_and_python_come_with_their_modules() {
    as_each_user(|bench| {
        let own = bench.text("lib");
        bench.file(
            "lib/Own.pm",
            "package Own;\nsub text { my $x = `basename /a/b`; return $x }\n1;\n",
        );
        bench.file(
            "perl",
            format!("#!/usr/bin/perl\nuse lib '{own}';\nuse Own;\nprint Own::text();\n"),
        );
        bench.file(
            "beside.py",
            "import subprocess\ntext = subprocess.check_output(['basename', '/a/c'], text=True)\n",
        );
        bench.file("python", "#!/usr/bin/python3\nimport beside\nprint(beside.text, end='')\n");
        for (script, interpreter, expected) in
            [("perl", "/usr/bin/perl", "b\n\n"), ("python", "/usr/bin/python3", "c\n\n")]
        {
            bench.mode(script, 0o755);
            if is_there(interpreter) {
                let path = bench.text(script);
                assert_eq!(printed(bench, &path, &path), expected);
            }
        }
    });
}

#[test]
fn a_root_with_scripts_is_the_same_each_time() {
    as_each_user(|bench| {
        if !is_there("zgrep") {
            return;
        }
        let recipe = r#"print(rootfs().binary("zgrep", #{ data: true }).digest());"#;
        let digest =
            || bench.recipe(recipe).env("XDG_CACHE_HOME", bench.text("cache")).end().succeeded();
        assert_eq!(digest(), digest());
    });
}

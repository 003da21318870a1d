//! Completion, in the shells that do it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::nsscript::{PROGRAM, Ran, Scratch, in_own_places, nsscript};
use crate::support::have;

/// Recipes, directories, and files that are none; and a store with a layer, whose digest it knows.
struct Place {
    files: Scratch,
    cache: Scratch,
    digest: String,
}

impl Place {
    fn new() -> Self {
        let (files, cache) = (Scratch::new(), Scratch::new());
        for name in ["hello.rhai", "help.txt", "sub/hull.rhai", "sub/deep/x", "two words.rhai"] {
            files.file(name, "");
        }
        let printed =
            |words: &[&str]| Ran::of(nsscript(words).env("XDG_CACHE_HOME", cache.path())).printed();
        printed(&["-e", "sandbox(rootfs().binary(\"true\")).run(\"true\");"]);
        let listed = printed(&["store", "list"]);
        let digest = listed.split_whitespace().next().expect("a launch keeps its layer").to_owned();
        Self { files, cache, digest }
    }

    /// The beginning of the digest.
    fn start(&self) -> &str {
        &self.digest[..12]
    }

    /// A shell that runs a script among the files and finds the nsscript under test.
    fn shell(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let directory = Path::new(PROGRAM).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        in_own_places(&mut command);
        command.env("PATH", format!("{}:{path}", directory.display()));
        command.env("HOME", self.files.path()).env("XDG_CACHE_HOME", self.cache.path());
        command.args(arguments).current_dir(self.files.path()).stdin(Stdio::null());
        command
    }
}

/// What a shell finds for each of these lines.
fn bash(place: &Place, lines: &[&[&str]]) -> Vec<Vec<String>> {
    // As bash has it: the line, and its words, parted at `=` and `:` too.
    let script = r#"
        source <(nsscript completions bash) || exit
        complete -p nsscript >/dev/null || exit
        while IFS= read -r -d '' number; do
            COMP_WORDS=()
            IFS= read -r -d '' COMP_LINE
            for ((; number > 0; number--)); do
                IFS= read -r -d '' word
                COMP_WORDS+=("$word")
            done
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE}
            _nsscript
            ((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"
            echo --
        done"#;
    let mut input = Vec::new();
    for line in lines {
        let (whole, words) = line.split_first().unwrap();
        for part in [&[words.len().to_string().as_str(), whole][..], words].concat() {
            input.extend_from_slice(part.as_bytes());
            input.push(0);
        }
    }
    let mut command = place.shell("bash", &["--norc", "-c", script]);
    let printed = Ran::reading(&mut command, &input).printed();
    let sorted = |part: &str| {
        let mut words: Vec<_> = part.lines().map(str::to_owned).collect();
        words.sort();
        words
    };
    printed.split_terminator("--\n").map(sorted).collect()
}

#[test]
fn bash_completes() {
    if !have(&["bash"]) {
        return;
    }
    let place = Place::new();
    let (kind, start) = place.start().split_once(':').unwrap();
    let asked = format!("nsscript store show {}", place.start());
    let rest = place.digest.split_once(':').unwrap().1;
    let cases: &[(&[&str], &[&str])] = &[
        (&["nsscript st", "nsscript", "st"], &["store"]),
        (&["nsscript he", "nsscript", "he"], &["hello.rhai", "help"]),
        (&["nsscript s", "nsscript", "s"], &["store", "sub"]),
        (&["nsscript sub/", "nsscript", "sub/"], &["sub/deep", "sub/hull.rhai"]),
        (&["nsscript two", "nsscript", "two"], &["two words.rhai"]),
        (&["nsscript two\\ w", "nsscript", "two\\ w"], &["two words.rhai"]),
        (&["nsscript plan h", "nsscript", "plan", "h"], &["hello.rhai"]),
        (&["nsscript test sub hel", "nsscript", "test", "sub", "hel"], &["hello.rhai"]),
        (
            &["nsscript hello.rhai hel", "nsscript", "hello.rhai", "hel"],
            &["hello.rhai", "help.txt"],
        ),
        (&["nsscript -e 1 hel", "nsscript", "-e", "1", "hel"], &["hello.rhai", "help.txt"]),
        (&["nsscript --host he", "nsscript", "--host", "he"], &["hello.rhai", "help"]),
        (
            &["nsscript --error-format ", "nsscript", "--error-format", ""],
            &["human", "json", "short"],
        ),
        (&["nsscript --error-format=j", "nsscript", "--error-format", "=", "j"], &["json"]),
        (&["nsscript --explain=", "nsscript", "--explain", "="], &["human", "json"]),
        (&["nsscript --explain hel", "nsscript", "--explain", "hel"], &["hello.rhai", "help"]),
        (&["nsscript --tr", "nsscript", "--tr"], &["--trust-recipe"]),
        (&["nsscript store ", "nsscript", "store", ""], &["gc", "list", "path", "show", "verify"]),
        (&["nsscript store gc --a", "nsscript", "store", "gc", "--a"], &["--all"]),
        (&[&asked, "nsscript", "store", "show", kind, ":", start], &[rest]),
        (&["nsscript help bin", "nsscript", "help", "bin"], &["binaries", "binary", "bind"]),
        (&["nsscript help sandbox.bi", "nsscript", "help", "sandbox.bi"], &["sandbox.bind"]),
        (&["nsscript help net::p", "nsscript", "help", "net", "::", "p"], &["pair"]),
        (&["nsscript definitions ", "nsscript", "definitions", ""], &["sub"]),
        (&["nsscript completions ", "nsscript", "completions", ""], &["bash", "fish", "zsh"]),
        (&["nsscript new ", "nsscript", "new", ""], &[]),
        (&["nsscript reference ", "nsscript", "reference", ""], &[]),
    ];
    let lines: Vec<&[&str]> = cases.iter().map(|(line, _)| *line).collect();
    let found = bash(&place, &lines);
    assert_eq!(found.len(), cases.len());
    for ((line, wanted), found) in cases.iter().zip(found) {
        assert_eq!(found, *wanted, "{}", line[0]);
    }
}

#[test]
fn bash_is_offered_every_command_and_no_hidden_one() {
    if !have(&["bash"]) {
        return;
    }
    let found = bash(&Place::new(), &[&["nsscript --host ", "nsscript", "--host", ""]]);
    let files = ["hello.rhai", "sub", "two words.rhai"];
    let found: Vec<_> = found[0].iter().filter(|word| !files.contains(&word.as_str())).collect();
    let help = Ran::of(&mut nsscript(&["--help"])).printed();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let mut commands: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    commands.sort_unstable();
    assert_eq!(found, commands);
}

#[test]
fn fish_completes() {
    if !have(&["fish"]) {
        return;
    }
    let place = Place::new();
    let script = "nsscript completions fish | source; \
                  for line in $argv; complete -C $line; echo ==; end";
    let asked = format!("nsscript store show {}", place.start());
    let cases: &[(&str, &[&str])] = &[
        ("nsscript st", &["store"]),
        ("nsscript he", &["hello.rhai", "help"]),
        ("nsscript s", &["store", "sub/"]),
        ("nsscript sub/", &["sub/deep/", "sub/hull.rhai"]),
        ("nsscript two", &["two words.rhai"]),
        ("nsscript plan h", &["hello.rhai"]),
        ("nsscript hello.rhai hel", &["hello.rhai", "help.txt"]),
        ("nsscript --error-format ", &["human", "json", "short"]),
        ("nsscript --error-format=j", &["--error-format=json"]),
        ("nsscript --tr", &["--trust-recipe"]),
        ("nsscript store ", &["gc", "list", "path", "show", "verify"]),
        (&asked, &[&place.digest]),
        ("nsscript help bin", &["binaries", "binary", "bind"]),
        ("nsscript help sandbox.bi", &["sandbox.bind"]),
        ("nsscript help net::p", &["net::pair"]),
        ("nsscript definitions ", &["sub/"]),
        ("nsscript new ", &[]),
    ];
    let arguments: Vec<&str> = ["--no-config", "-c", script]
        .into_iter()
        .chain(cases.iter().map(|(line, _)| *line))
        .collect();
    let printed = Ran::of(&mut place.shell("fish", &arguments)).printed();
    let found: Vec<_> = printed.split_terminator("==\n").collect();
    assert_eq!(found.len(), cases.len(), "{printed}");
    for ((line, wanted), found) in cases.iter().zip(found) {
        let mut words: Vec<_> =
            found.lines().map(|line| line.split('\t').next().unwrap()).collect();
        words.sort_unstable();
        assert_eq!(words, *wanted, "{line}");
    }
    assert!(printed.contains("store\tList, check or remove"), "{printed}");
}

#[test]
fn zsh_completes() {
    if !have(&["zsh"]) {
        return;
    }
    let place = Place::new();
    // A shell of its own on a pseudo-terminal is typed to; control-X shows what the line is then.
    let script = r#"
        zmodload zsh/zpty
        zpty inner zsh -f -i
        zpty -w inner "PROMPT= RPROMPT=; unset zle_bracketed_paste; autoload -Uz compinit; compinit -D -u"
        zpty -w inner 'source <(nsscript completions zsh); setopt no_beep no_list_beep no_auto_menu'
        zpty -w inner 'show() { print -r -- "<""<$BUFFER>>"; BUFFER=; }; zle -N show; bindkey "^X" show'
        zpty -w inner 'bindkey "^I" complete-word; LISTMAX=1000; print RE""ADY'
        zpty -r inner out '*READY*'
        for line in "$@"; do
            zpty -w -n inner "$line"$'\t'$'\x18'
            zpty -r inner out '*<<*>>*'
            out=${out##*<<}
            print -r -- "${out%%>>*}"
        done
        zpty -d inner"#;
    let asked = format!("nsscript store show {}", place.start());
    let whole = format!("nsscript store show {} ", place.digest);
    let cases: &[(&str, &str)] = &[
        ("nsscript sto", "nsscript store "),
        ("nsscript hel", "nsscript hel"),
        ("nsscript hell", "nsscript hello.rhai "),
        ("nsscript su", "nsscript sub/"),
        ("nsscript sub/h", "nsscript sub/hull.rhai "),
        ("nsscript two", "nsscript two\\ words.rhai "),
        ("nsscript plan h", "nsscript plan hello.rhai "),
        ("nsscript hello.rhai help", "nsscript hello.rhai help.txt "),
        ("nsscript --error-format j", "nsscript --error-format json "),
        ("nsscript --error-format=j", "nsscript --error-format=json "),
        ("nsscript --tr", "nsscript --trust-recipe "),
        ("nsscript store g", "nsscript store gc "),
        (&asked, &whole),
        ("nsscript help sandbox.bi", "nsscript help sandbox.bind "),
        ("nsscript help net::pa", "nsscript help net::pair "),
        ("nsscript help bina", "nsscript help binar"),
        ("nsscript definitions ", "nsscript definitions sub/"),
    ];
    let arguments: Vec<&str> = ["-f", "-c", script, "zsh"]
        .into_iter()
        .chain(cases.iter().map(|(line, _)| *line))
        .collect();
    let printed = Ran::of(&mut place.shell("zsh", &arguments)).printed();
    for ((line, wanted), found) in cases.iter().zip(printed.lines()) {
        assert_eq!(found, *wanted, "{line}");
    }
    assert_eq!(printed.lines().count(), cases.len());
}

#[test]
fn every_script_can_be_read_by_its_shell() {
    for (program, arguments) in
        [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])]
    {
        let scratch = Scratch::new();
        let script = Ran::of(&mut nsscript(&["completions", program])).printed();
        let file = scratch.file("script", script);
        if have(&[program]) {
            let mut command = Command::new(program);
            assert_eq!(Ran::of(command.args(arguments).arg(file)).printed(), "");
        }
    }
    let said = Ran::of(&mut nsscript(&["completions", "csh"])).said(125);
    assert!(said.contains("bash, zsh, fish"), "{said}");
}

//! Words of other languages and tools, with what a recipe says instead.
//!
//! One table serves the errors of a run, of `check` and of the prompt, and `help`.

use Place::{Function, Name, Statement, Verb};

/// Where a recipe has the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A verb of a sandbox or root: `.volume(…)`.
    Verb,
    /// A function, also one that is called on a plain value: `str(5)`, `text.upper()`.
    Function,
    /// A variable or a property: `None`, `list.length`.
    Name,
    /// A word of a statement, where the text cannot be read: `elif`, `echo "x"`.
    Statement,
}

/// A word of another language or tool.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What to write instead, a hint.
    pub hint: &'static str,
}

/// The hint for a word in one of these places.
#[must_use]
pub fn hint(word: &str, places: &[Place]) -> Option<&'static str> {
    let is_it = |row: &&Word| row.word == word && places.contains(&row.place);
    WORDS.iter().find(is_it).map(|row| row.hint)
}

/// The hint for a word, wherever it stands.
#[must_use]
pub fn anywhere(word: &str) -> Option<&'static str> {
    hint(word, &[Verb, Function, Name, Statement])
}

const fn row(word: &'static str, place: Place, hint: &'static str) -> Word {
    Word { word, place, hint }
}

const BIND: &str = "use `.bind(source, target)` of a sandbox";
const READ_ONLY: &str = "use `.bind(source, target, #{ read_only: true })`";
const OPTIONAL: &str = "use `.bind(source, target, #{ optional: true })`";
const ARCHIVE: &str = "a root is made of files: `sandbox(rootfs().tar(\"image.tar\"))`";
const OUTBOUND: &str = "use `.network(\"outbound\", …)`, whose options say what can be reached: `nsscript help network`";
const NEW_NAMESPACES: &str = "all namespaces of a sandbox are new unless `.share(…)` excludes some";
const ENVIRONMENT: &str = "use `.env(name, value)`";
const EMPTY_ENVIRONMENT: &str =
    "the environment of a sandbox has only `PATH`; `.env(…)` and `.keep_env(…)` add variables";
const CAPABILITIES: &str =
    "a program has no capabilities, unless `.keep_capabilities([\"CHOWN\"])` keeps some";
const COMMAND: &str = "pass the command to `.run(command)`";
const FILE: &str = "use `.file(path, text)`";
const MEMORY: &str = "use `.limit(\"as\", \"1G\")`, which limits each process";
const UNIT: &str = "the empty value is `()`";
const TRUE: &str = "write `true`";
const FALSE: &str = "write `false`";
const VARIABLE: &str = "declare a variable with `let`: `let x = 1;`";
const FUNCTION: &str = "define a function with `fn`: `fn double(x) { x * 2 }`";
const CLOSURE: &str = "write a closure as `|x| x * 2`";
const PRINT: &str = "use `print(text)`; a string in backticks contains values: `` `x is ${x}` ``";
const BRANCH: &str = "write `else if`";
const CATCH: &str = "write `try { … } catch (e) { … }`";
const THROW: &str = "write `throw \"message\"`";
const NO_CLASS: &str = "the language has no types of one's own; use a map: `#{ name: \"a\" }`";
const TEXT: &str = "use `value.to_string()`, or a string in backticks: `` `${value}` ``";
const INTEGER: &str = "use `text.parse_int()` or `number.to_int()`";
const SWITCH: &str = "write `switch value { 1 => …, _ => … }`";
const KEPT: &str = "`output(command)` keeps what a program writes: `.output(\"ls\").stdout`";
const SUDO: &str = "programs gain no rights by it: run nsscript itself as root, or give the program another user \
    with `.user(id)`";
const LENGTH: &str = "use `.len()`";
const CHANGE: &str = "an assignment does that: `x += 1`";
const IN_A_SANDBOX: &str = "run a program in a sandbox: `sandbox(\"/\").run(\"ls -l\")`";
const MODULES: &str = "import a module of recipes: `import \"std/net\" as net;`";
const LOOP: &str = "write `for i in 0..3 { … }`";
const BRACES: &str = "write blocks in braces: `if x > 1 { … }`";

/// All words.
pub const WORDS: &[Word] = &[
    // Earlier versions of nsscript.
    row("need", Function, "it is called `skip_unless(condition, reason)` now"),
    row("needs", Function, "it is called `dependencies(program)` now"),
    // docker and its files.
    row("volume", Verb, BIND),
    row("volumes", Verb, BIND),
    row("from", Verb, ARCHIVE),
    row("image", Verb, ARCHIVE),
    row("pull", Verb, ARCHIVE),
    row("add", Verb, "use `.copy(source, target)` of a root, or `.bind(source, target)`"),
    row("publish", Verb, OUTBOUND),
    row("expose", Verb, OUTBOUND),
    row("ports", Verb, OUTBOUND),
    row("net", Verb, "use `.network(…)`: `\"none\"`, `\"host\"`, `\"outbound\"` or a Network"),
    row("dns", Verb, "set the name servers of a Network: `netns().resolver([\"10.0.0.53\"])`"),
    row("cmd", Verb, COMMAND),
    row("command", Verb, COMMAND),
    row("entrypoint", Verb, COMMAND),
    row("exec", Verb, COMMAND),
    row("privileged", Verb, CAPABILITIES),
    row("cap_add", Verb, CAPABILITIES),
    row("cap_drop", Verb, CAPABILITIES),
    row("memory", Verb, MEMORY),
    row("mem_limit", Verb, MEMORY),
    row("ulimit", Verb, "use `.limit(name, value)`"),
    row("rm", Verb, "nothing is left of a sandbox, unless `.keep_changes(…)` keeps its changes"),
    row("tty", Verb, "it is an option of `run`: `.run(command, #{ tty: true })`"),
    row("interactive", Verb, "use `.shell()`, or `.run(command, #{ tty: true })`"),
    row("detach", Verb, "use `.start(command)`, which continues without waiting"),
    row("working_dir", Verb, "use `.workdir(path)`"),
    row("environment", Verb, ENVIRONMENT),
    // bwrap.
    row("ro_bind", Verb, READ_ONLY),
    row("bind_ro", Verb, READ_ONLY),
    row("ro_bind_try", Verb, "use `.bind(source, target, #{ read_only: true, optional: true })`"),
    row("bind_try", Verb, OPTIONAL),
    row("dev_bind", Verb, "use `.bind(source, target, #{ devices: true })`"),
    row("ro_bind_data", Verb, FILE),
    row("bind_data", Verb, FILE),
    row("unshare_all", Verb, NEW_NAMESPACES),
    row("unshare_net", Verb, NEW_NAMESPACES),
    row("unshare_pid", Verb, NEW_NAMESPACES),
    row("unshare_user", Verb, NEW_NAMESPACES),
    row("unshare_ipc", Verb, NEW_NAMESPACES),
    row("unshare_uts", Verb, NEW_NAMESPACES),
    row("unshare_cgroup", Verb, NEW_NAMESPACES),
    row("share_net", Verb, "use `.network(\"host\")`"),
    row("setenv", Verb, ENVIRONMENT),
    row("unsetenv", Verb, EMPTY_ENVIRONMENT),
    row("clearenv", Verb, EMPTY_ENVIRONMENT),
    row("chdir", Verb, "use `.workdir(path)`"),
    row(
        "die_with_parent",
        Verb,
        "every sandbox ends with nsscript, unless it has `.outlive_parent()`",
    ),
    row("disable_userns", Verb, "use `.forbid_user_namespaces()`"),
    row("security_opt", Verb, "use `.seccomp(seccomp_profile(path))`"),
    row("new_session", Verb, "every program has a session of its own"),
    row("as_pid_1", Verb, "use `.pid1()`"),
    row("uid", Verb, "use `.user(id)`"),
    row("gid", Verb, "use `.group(id)`"),
    row("dir", Verb, "use `.directory(path)`"),
    row("remount_ro", Verb, "use `.read_only(target)`, or `.read_only_root()`"),
    row("perms", Verb, "it is an option: `.file(path, text, #{ mode: 0o600 })`"),
    // Python.
    row("None", Name, UNIT),
    row("True", Name, TRUE),
    row("False", Name, FALSE),
    row("pass", Name, "leave the block empty: `{ }`"),
    row("os", Name, MODULES),
    row("sys", Name, MODULES),
    row("subprocess", Name, IN_A_SANDBOX),
    row("and", Statement, "did you mean `&&`?"),
    row("or", Statement, "did you mean `||`?"),
    row("not", Statement, "did you mean `!`?"),
    row("elif", Statement, BRANCH),
    row("elseif", Statement, BRANCH),
    row("elsif", Statement, BRANCH),
    row("def", Statement, FUNCTION),
    row("lambda", Statement, CLOSURE),
    row("from", Statement, MODULES),
    row("raise", Statement, THROW),
    row("except", Statement, CATCH),
    row("finally", Statement, "a `try` has a `catch (e) { … }`, and no `finally`"),
    row("del", Statement, "remove a key with `map.remove(key)`; variables end with their block"),
    row("global", Statement, "pass the value to the function as a parameter"),
    row("nonlocal", Statement, "pass the value to the function as a parameter"),
    row("is", Statement, "compare with `==`; `type_of(value)` gives the type"),
    row("with", Statement, "no value needs to be closed: assign it with `let`"),
    row("yield", Statement, "return an array"),
    row("class", Statement, NO_CLASS),
    row("f", Statement, "write the string in backticks: `` `x is ${x}` ``"),
    row("range", Function, "name both ends: `0..3` or `range(0, 3)`"),
    row("str", Function, TEXT),
    row("repr", Function, TEXT),
    row("int", Function, INTEGER),
    row("float", Function, "use `text.parse_float()` or `number.to_float()`"),
    row("list", Function, "write an array: `[1, 2]`"),
    row("dict", Function, "write a map: `#{ name: \"a\" }`"),
    row("append", Function, "`append` adds the elements of an array; add one value with `push`"),
    row("upper", Function, "use `.to_upper()`"),
    row("lower", Function, "use `.to_lower()`"),
    row("strip", Function, "use `.trim()`"),
    row("sorted", Function, "use `list.sort()`, which changes the list"),
    row("isinstance", Function, "compare `type_of(value)`"),
    row("enumerate", Function, "write `for (value, index) in list { … }`"),
    row("open", Function, "use `read_file(path)` or `write_file(path, text)`"),
    row("input", Function, "the arguments of the recipe are in `args`"),
    row("print", Function, PRINT),
    // Shells.
    row("echo", Statement, PRINT),
    row("echo", Function, PRINT),
    row("cd", Statement, "use `chdir(path)`"),
    row("cd", Name, "use `chdir(path)`"),
    row("cd", Function, "use `chdir(path)`"),
    row("pwd", Function, "use `cwd()`"),
    row("exit", Statement, "it is a function: `exit(1)`"),
    row("local", Statement, VARIABLE),
    row("unset", Statement, EMPTY_ENVIRONMENT),
    row("set", Name, "an error ends a recipe unless it is caught"),
    row("set", Statement, "an error ends a recipe unless it is caught"),
    row("then", Statement, BRACES),
    row("fi", Name, BRACES),
    row("done", Name, BRACES),
    row("esac", Name, SWITCH),
    row("case", Statement, SWITCH),
    row("function", Statement, FUNCTION),
    row("source", Statement, MODULES),
    row("sudo", Function, SUDO),
    row("sudo", Statement, SUDO),
    row("cat", Function, "use `read_file(path)`"),
    row("rm", Function, "use `remove(path)`"),
    row("touch", Function, "use `write_file(path, \"\")`"),
    row("bash", Function, "run a shell in a sandbox: `sandbox(\"/\").sh(\"…\")`"),
    row("system", Function, IN_A_SANDBOX),
    row("spawn", Statement, "use `.start(command)` of a sandbox"),
    // JavaScript.
    row("var", Statement, VARIABLE),
    row("null", Statement, UNIT),
    row("undefined", Name, UNIT),
    row("NaN", Name, UNIT),
    row("typeof", Statement, "use `type_of(value)`"),
    row("new", Statement, "values are made by verbs, without `new`: `sandbox(\"/\")`, `rootfs()`"),
    row(
        "async",
        Statement,
        "functions are not asynchronous; `.start(command)` continues without waiting",
    ),
    row("await", Statement, "use `process.wait()`"),
    row("delete", Statement, "a variable ends with its block; `map.remove(key)` removes a key"),
    row("console", Name, PRINT),
    row("JSON", Name, "use `value.to_json()` or `parse_json(text)`"),
    row("Math", Name, "numbers have functions: `number.abs()`"),
    row("require", Function, MODULES),
    row("length", Name, LENGTH),
    row("stdout", Name, KEPT),
    row("stderr", Name, KEPT),
    row("length", Function, LENGTH),
    row("forEach", Function, "use a loop: `for x in list { … }`"),
    row("includes", Function, "use `.contains(value)`"),
    row("toUpperCase", Function, "use `.to_upper()`"),
    row("toLowerCase", Function, "use `.to_lower()`"),
    row("toString", Function, TEXT),
    row("charAt", Function, "use an index: `text[0]`"),
    row("substring", Function, "use `text.sub_string(start, length)`"),
    row("substr", Function, "use `text.sub_string(start, length)`"),
    row("startsWith", Function, "use `.starts_with(text)`"),
    row("endsWith", Function, "use `.ends_with(text)`"),
    row("indexOf", Function, "use `.index_of(value)`"),
    row("parseInt", Function, INTEGER),
    row("setTimeout", Function, "use `sleep(\"1s\")`"),
    // C, C++, Go and Rust.
    row("int", Statement, VARIABLE),
    row("char", Statement, VARIABLE),
    row("auto", Statement, VARIABLE),
    row("mut", Statement, "variables of `let` can change: leave out `mut`"),
    row("match", Statement, SWITCH),
    row("nil", Statement, UNIT),
    row("NULL", Name, UNIT),
    row("nullptr", Name, UNIT),
    row("void", Statement, FUNCTION),
    row("func", Statement, FUNCTION),
    row("static", Statement, "declare a constant with `const NAME = 1;`"),
    row("struct", Statement, NO_CLASS),
    row("enum", Statement, NO_CLASS),
    row("use", Statement, MODULES),
    row("using", Statement, MODULES),
    row("std", Name, MODULES),
    row("printf", Function, PRINT),
    row("println", Function, PRINT),
    row("puts", Function, PRINT),
    row("sizeof", Function, LENGTH),
    row("unsafe", Statement, "leave it out: write its statements alone"),
    row("goto", Statement, "use a loop or a function"),
];

/// What was likely meant where the text cannot be read: by the line up to there, and the rest. With
/// `reserved`, the word there is one that the language reserves.
#[must_use]
pub fn syntax(before: &str, rest: &str, reserved: bool) -> Option<Mistake> {
    let start = begin_of_statement(before);
    let statement = &before[start..];
    let (previous, gap) = last_word(before);
    let next = word(rest);
    let at = |offset: usize, length: usize, is_foreign: bool, hint: &'static str| {
        Some(Mistake { offset, length, is_foreign, hint })
    };
    // Without a word before it in its line, the word may be a statement of its own.
    let is_within = !statement.trim().is_empty();
    if let Some(hint) = hint(next, &[Statement])
        && (reserved || (!before.trim().is_empty() && WITHIN.contains(&next)))
    {
        return at(before.len(), next.len(), true, hint);
    }
    if let Some(hint) = hint(previous, &[Statement])
        && is_operand(rest)
        && (previous != "f" || gap == 0 && rest.starts_with(['"', '`']))
    {
        return at(before.len() - gap - previous.len(), previous.len(), true, hint);
    }
    let is_symbol = |(symbol, _): &&(&str, &str)| {
        let own = ["&&", "??", "?.", "#{", "#\""];
        rest.starts_with(symbol) && !own.iter().any(|two| rest.starts_with(two))
    };
    if let Some((symbol, hint)) = SYMBOLS.iter().find(is_symbol) {
        return at(before.len(), symbol.len(), *symbol != "&", hint);
    }
    let first = word(statement);
    let is_colon = rest.starts_with(':') && !rest.starts_with("::");
    match first {
        "for" if format!("{statement}{rest}")[3..].trim_start().starts_with('(') => {
            at(start, 3, false, LOOP)
        }
        "let" if statement.trim_end() == "let" && rest.starts_with(['{', '[']) => {
            at(before.len(), 1, false, "assign each variable with a `let` of its own")
        }
        "let" | "const" | "fn" if is_colon && !statement.contains(['=', '{']) => {
            let hint = "variables and parameters have no types: leave out the type";
            at(before.len(), 1, false, hint)
        }
        "if" | "while" | "for" | "else" | "loop" | "try" | "switch" if is_colon => {
            at(before.len(), 1, false, BRACES)
        }
        "export" if rest.starts_with('=') => {
            at(start, first.len(), false, "set a variable of programs with `.env(name, value)`")
        }
        _ if rest.starts_with('{') && statement.contains("function(") => {
            at(start + statement.find("function(").unwrap_or(0), 8, true, CLOSURE)
        }
        "while" | "for" if rest.starts_with(';') => at(before.len(), 1, false, BRACES),
        _ if is_within && next == "if" => {
            at(before.len(), 2, false, "`if` has a value: `if a { b } else { c }`")
        }
        _ if is_within && next == "for" => at(before.len(), 3, false, "use `list.map(|x| x * 2)`"),
        _ if is_colon && last_open(statement) == Some('[') => {
            at(before.len(), 1, false, "use a range: `list.extract(1..2)`, `text.sub_string(1, 2)`")
        }
        _ if is_colon => at(before.len(), 1, false, "write a map as `#{ … }`"),
        _ => None,
    }
}

/// The words of other languages within a statement.
const WITHIN: [&str; 9] =
    ["and", "or", "elif", "elseif", "elsif", "is", "except", "finally", "then"];

/// Symbols that the language does not have.
const SYMBOLS: [(&str, &str); 9] = [
    ("++", CHANGE),
    ("--", "an assignment does that: `x -= 1`"),
    ("->", "write `value.name`; a function declares no type of its value"),
    (":=", "`let x = 1` declares a variable, and `x = 1` assigns one"),
    ("=>", CLOSURE),
    ("?", "`if` has a value: `if a { b } else { c }`"),
    ("#", "a comment begins with `//`"),
    ("$", "variables have no `$`; in a string, backticks insert values: `` `x is ${x}` ``"),
    ("&", "values are copied, and have no references"),
];

/// A mistake in a line: the place of the word, in bytes of the line, and the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The start of the word.
    pub offset: usize,
    /// Its length.
    pub length: usize,
    /// Whether the language does not have it at all.
    pub is_foreign: bool,
    /// The hint.
    pub hint: &'static str,
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    &text[..end]
}

/// The word that a text ends with, and the number of spaces after it.
fn last_word(text: &str) -> (&str, usize) {
    let trimmed = text.trim_end();
    let start = trimmed.rfind(|letter| !is_word(letter));
    let start = start.map_or(0, |at| at + trimmed[at..].chars().next().map_or(0, char::len_utf8));
    (&trimmed[start..], text.len() - trimmed.len())
}

/// Whether a text begins with a value, so that a word before it is none.
fn is_operand(text: &str) -> bool {
    text.starts_with(|letter: char| is_word(letter) || "\"'`[{(|-/.$~".contains(letter))
}

/// The last bracket of a text that is not closed in it.
fn last_open(text: &str) -> Option<char> {
    let mut open = Vec::new();
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => open.push(letter),
            ')' | ']' | '}' => _ = open.pop(),
            _ => {}
        }
    }
    open.pop()
}

/// The start of the last statement of a text, a part of a line.
fn begin_of_statement(text: &str) -> usize {
    let (mut start, mut quote) = (0, None);
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '`') => quote = Some(letter),
            (None, ';' | '{' | '}') => start = at + 1,
            (Some(_) | None, _) => {}
        }
    }
    start + text[start..].len() - text[start..].trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::{Place, WORDS, syntax};

    #[test]
    fn no_word_stands_twice_in_the_table() {
        let key = |row: &super::Word| (row.word, row.place as u8);
        let mut all: Vec<_> = WORDS.iter().map(key).collect();
        let number = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), number);
        assert!(WORDS.iter().any(|row| row.place == Place::Statement));
    }

    #[test]
    fn the_word_at_fault_is_found_in_a_line() {
        let found = |line: &str| {
            let (before, rest) = line.split_once('^').unwrap();
            let text = format!("{before}{rest}");
            syntax(before, rest, false).map(|it| text[it.offset..it.offset + it.length].to_owned())
        };
        for (line, word) in [
            ("print(1); echo ^\"hello\";", "echo"),
            ("if x ^and y { }", "and"),
            ("if not ^x { }", "not"),
            ("let f = lambda ^x: x;", "lambda"),
            ("print(f^\"hello\");", "f"),
            ("let mut ^x = 1;", "mut"),
            ("for i in range(0, 3)^: print(i)", ":"),
            ("let x = a ^? b : c", "?"),
            ("for ^(let i = 0; i < 3; i++) {}", "for"),
            ("^# a comment", "#"),
        ] {
            assert_eq!(found(line).as_deref(), Some(word), "{line}");
        }
        for line in ["let x = 1 ^let y = 2;", "print(\"echo \" ^1)", "f ^= 1", "x.echo(^)"] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}

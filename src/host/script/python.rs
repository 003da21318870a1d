//! Python scripts: their modules, and the programs that they start.

use super::{Requests, add, add_all, literal, program_of};

/// Functions whose first argument is a program, or an array that begins with one.
const STARTS: &[&str] = &[
    "subprocess.run(",
    "subprocess.call(",
    "subprocess.check_call(",
    "subprocess.check_output(",
    "subprocess.Popen(",
    "Popen(",
    "check_call(",
    "check_output(",
    "os.system(",
    "os.popen(",
    "os.execv(",
    "os.execvp(",
    "os.execl(",
    "os.execlp(",
    "getoutput(",
    "getstatusoutput(",
];

/// Functions whose first argument is the name of a module.
const IMPORTS: &[&str] = &["__import__(", "import_module("];

/// What a Python script asks for.
pub(super) fn requests(text: &str) -> Requests {
    let mut found = Requests::default();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix("import ") {
            for part in rest.split([';', '#']).next().unwrap_or_default().split(',') {
                add(&mut found.modules, name(part.trim_start()));
            }
        } else if let Some(rest) = line.strip_prefix("from ") {
            from(rest, &mut found);
        }
    }
    for start in STARTS {
        for rest in after(text, start) {
            let rest = rest.trim_start_matches(['[', '(']).trim_start();
            let program = literal(rest).and_then(program_of);
            add_all(&mut found.programs, program);
        }
    }
    if ["shell=True", "os.system(", "os.popen(", "getoutput("]
        .iter()
        .any(|call| text.contains(call))
    {
        add(&mut found.programs, "/bin/sh");
    }
    for import in IMPORTS {
        for rest in after(text, import) {
            add_all(&mut found.modules, literal(rest).map(name));
        }
    }
    for rest in ["sys.path.insert(0,", "sys.path.append("].iter().flat_map(|call| after(text, call))
    {
        if let Some(directory) = literal(rest).filter(|path| path.starts_with('/')) {
            add(&mut found.directories, directory);
        }
    }
    found
}

/// The dotted name at the beginning of a text.
fn name(text: &str) -> &str {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text[..text.find(|c| !is_name(c)).unwrap_or(text.len())].trim_end_matches('.')
}

/// `from module import names`: the names can be modules in it. Modules beside this one, with a dot
/// before them, come with it.
fn from(rest: &str, found: &mut Requests) {
    let module = name(rest.trim_start());
    if module.is_empty() || module.starts_with('.') {
        return;
    }
    let after = rest.trim_start()[module.len()..].trim_start();
    let Some(names) = after.strip_prefix("import ") else { return };
    add(&mut found.modules, module);
    let names = names.split(['#', ';']).next().unwrap_or_default();
    for part in names.trim_start().trim_start_matches('(').split(',') {
        let part = name(part.trim());
        if !part.is_empty() {
            add(&mut found.modules, &format!("{module}.{part}"));
        }
    }
}

/// The texts after each `what`.
fn after<'t>(text: &'t str, what: &str) -> impl Iterator<Item = &'t str> {
    text.match_indices(what).map(|(at, found)| text[at + found.len()..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[test]
    fn modules_directories_and_programs_are_found() {
        let found = requests(concat!(
            "import os, sys as system, a.b.c\n",
            "from yaml import load, dump as d  # comment\n",
            "from . import beside\n",
            "from .other import thing\n",
            "from parts import (one,\n    two)\n",
            "# import commented\n",
            "    import indented; x = 1\n",
            "sys.path.insert(0, '/usr/share/tool')\n",
            "subprocess.run([\"sed\", '-n'])\n",
            "subprocess.check_output('uname -m', shell=True)\n",
            "os.system(\"/usr/bin/id\"); subprocess.run([name, 'x'])\n",
            "importlib.import_module('late')\n",
            "importance = 'from here on'\n",
        ));
        let modules = [
            "os",
            "sys",
            "a.b.c",
            "yaml",
            "yaml.load",
            "yaml.dump",
            "parts",
            "parts.one",
            "indented",
            "late",
        ];
        assert_eq!(found.modules, modules);
        assert_eq!(found.directories, ["/usr/share/tool"]);
        assert_eq!(found.programs, ["sed", "uname", "/usr/bin/id", "/bin/sh"]);
    }
}

//! Perl scripts: their modules, and the programs that they start.

use super::{Requests, add, add_all, literal, program_of};

/// What runs a command that is one text, if it has signs of the shell in it.
const SHELL: &str = "/bin/sh";

/// What a Perl script asks for.
pub(super) fn requests(text: &str) -> Requests {
    let mut found = Requests::default();
    let mut is_manual = false;
    for line in text.lines() {
        if line == "__END__" || line == "__DATA__" {
            break;
        }
        if line.starts_with('=') && line[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            is_manual = !line.starts_with("=cut");
            continue;
        }
        let line = line.trim_start();
        if is_manual || line.starts_with('#') {
            continue;
        }
        line.split(';').for_each(|statement| module(statement.trim_start(), &mut found));
        for (at, word) in words(line) {
            let rest = line[at + word.len()..].trim_start();
            match word {
                "system" | "exec" => started(rest, &mut found),
                "qx" => {
                    add(&mut found.programs, SHELL);
                    let inside = rest.get(1..).unwrap_or_default();
                    add_all(&mut found.programs, program_of(inside));
                }
                "open" => opened(rest, &mut found),
                _ => {}
            }
        }
        if let Some((_, inside)) = line.split_once('`') {
            add(&mut found.programs, SHELL);
            add_all(&mut found.programs, program_of(inside));
        }
    }
    found
}

/// The names in a line, each with its place; variables, methods and parts of names are none.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].find(is_name)?;
        let end = line[start..].find(|c| !is_name(c)).map_or(line.len(), |length| start + length);
        at = end;
        Some((start, &line[start..end]))
    })
    .filter(|(start, _)| {
        !line[..*start].ends_with(['$', '@', '%', '&', '>', ':', '{', '\'', '"', '-'])
    })
}

/// `use Module`, `require Module`, `use lib "directory"`, `require "file"`.
fn module(line: &str, found: &mut Requests) {
    let Some(rest) = line.strip_prefix("use ").or_else(|| line.strip_prefix("require ")) else {
        return;
    };
    let rest = rest.trim_start();
    if let Some(path) = literal(rest) {
        if path.starts_with('/') {
            add(&mut found.files, path);
        }
        return;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if name == "lib" {
        let rest = rest.trim_start();
        let list = rest.strip_prefix("qw").unwrap_or(rest).trim_start();
        let inside = list.strip_prefix(['(', '{', '[']).unwrap_or(list);
        for path in inside.split([' ', ',', '"', '\'', ')', '}', ']', ';']) {
            if path.starts_with('/') && !path.contains(['$', '@']) {
                add(&mut found.directories, path);
            }
        }
    } else if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        add(&mut found.modules, name);
    }
}

/// The program in the arguments of `system` or `exec`.
fn started(rest: &str, found: &mut Requests) {
    let rest = rest.trim_start_matches('(').trim_start();
    let is_list =
        literal(rest).is_some_and(|text| rest[text.len() + 2..].trim_start().starts_with(','));
    if !is_list && rest.starts_with(['"', '\'', '$', 'q']) {
        add(&mut found.programs, SHELL);
    }
    if let Some(name) = literal(rest).and_then(program_of) {
        add(&mut found.programs, name);
    }
}

/// The program of a pipe that is opened: `"|program"`, `"program |"`, or after the mode `"-|"`.
fn opened(rest: &str, found: &mut Requests) {
    let mut literals = Vec::new();
    let mut ahead = rest;
    while let Some(start) = ahead.find(['"', '\'']) {
        let Some(text) = literal(&ahead[start..]) else { break };
        literals.push(text);
        ahead = &ahead[start + text.len() + 2..];
    }
    let pipe = |text: &&str| matches!(text.trim(), "-|" | "|-");
    let program = match literals.as_slice() {
        [mode, command, ..] if pipe(mode) => program_of(command),
        [command, ..] => {
            let inside = command.trim();
            let command = inside.strip_prefix('|').or_else(|| inside.strip_suffix('|'));
            command.and_then(program_of)
        }
        [] => None,
    };
    if program.is_some() && literals.len() == 1 {
        add(&mut found.programs, SHELL);
    }
    add_all(&mut found.programs, program);
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[test]
    fn modules_directories_and_programs_are_found() {
        let found = requests(concat!(
            "#!/usr/bin/perl -w\n",
            "use strict;\n",
            "use lib '/usr/share/tool';\n",
            "use lib qw(/opt/one /opt/two);\n",
            "  require File::Temp;\n",
            "require '/usr/share/tool/more.pl';\n",
            "=head1 NAME\n\nuse Manual; system 'manual';\n\n=cut\n",
            "# system 'comment';\n",
            "system('sed', '-i', $x);\n",
            "exec \"/usr/bin/env sh\";\n",
            "my $out = `uname -m`;\n",
            "my $more = qx{date -u};\n",
            "open(my $f, '-|', 'gzip', '-dc');\n",
            "open F, \"sort $file |\";\n",
            "open G, 'plain'; $system 'x'; $o->exec('y');\n",
            "exec $unknown; system \"$tool -x\";\n",
            "__END__\nuse After; system 'after';\n",
        ));
        assert_eq!(found.modules, ["strict", "File::Temp"]);
        assert_eq!(found.directories, ["/usr/share/tool", "/opt/one", "/opt/two"]);
        assert_eq!(found.files, ["/usr/share/tool/more.pl"]);
        assert_eq!(
            found.programs,
            ["sed", "/bin/sh", "/usr/bin/env", "uname", "date", "gzip", "sort"]
        );
    }
}

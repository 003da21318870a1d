//! Shell syntax in command strings, which no shell reads.

use super::call::Call;
use crate::diag::{Origin, Report, quoted};

/// Shell syntax outside of quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellSyntax {
    /// The command string.
    pub text: String,
    /// The position of the syntax in it, in characters from 0.
    pub at: usize,
    /// The syntax, such as `&&` or `$HOME`.
    pub syntax: String,
}

/// Operators, the longer ones first.
const OPERATORS: [&str; 10] = ["&&", "||", ">>", "<<", "|", ";", ">", "<", "&", "`"];

impl ShellSyntax {
    /// The first shell syntax in a command string that a shell would act on.
    pub fn find(text: &str) -> Option<Self> {
        let letters: Vec<char> = text.chars().collect();
        let found = |at: usize, length: usize| {
            let syntax = letters.iter().skip(at).take(length).collect();
            Some(Self { text: text.to_owned(), at, syntax })
        };
        let mut quote = None;
        let mut at = 0;
        while let Some(letter) = letters.get(at) {
            let begins_word = at == 0 || letters[at - 1].is_whitespace();
            let rest = &letters[at + 1..];
            match (quote, letter) {
                (Some('\''), '\'') | (Some('"'), '"') => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => at += 1,
                (None, '\'' | '"') => quote = Some(*letter),
                (_, '`') | (None, '*' | '?') => return found(at, 1),
                (_, '$') if expansion(rest) > 0 => return found(at, 1 + expansion(rest)),
                (Some(_), _) => {}
                (None, '~' | '#') if begins_word => return found(at, 1),
                (None, _) => {
                    let is_here = |operator: &&&str| {
                        letters[at..].starts_with(&operator.chars().collect::<Vec<_>>())
                    };
                    if let Some(operator) = OPERATORS.iter().find(is_here) {
                        return found(at, operator.len());
                    }
                }
            }
            at += 1;
        }
        None
    }

    /// The report for a call of a verb with this command.
    pub fn report(&self, call: &Call<'_, '_>) -> Report {
        let is_backtick = self.syntax == "`";
        let syntax = if is_backtick { "a backtick".into() } else { quoted(&self.syntax) };
        let script = literal(&self.text);
        let by_shell = match call.name() {
            "run" => format!("call `.sh({script})`"),
            verb => format!("pass an array: `{verb}([\"sh\", \"-c\", {script}])`"),
        };
        let otherwise = match self.syntax.as_str() {
            "#" => "; write a comment outside of the string, after `//`".to_owned(),
            syntax if syntax.contains(['\'', '`']) => String::new(),
            syntax => {
                format!("; if the program is to get {0}, quote it: `'{syntax}'`", quoted(syntax))
            }
        };
        let message = format!("a command string is not a shell, so {syntax} has no meaning in it");
        Report::error(message)
            .hint(format!("to run a shell, {by_shell}{otherwise}"))
            .at(self.place(call.origin(), call))
    }

    /// The place of the syntax in the recipe, if the line of the call contains the string as it is.
    fn place(&self, call_origin: Option<Origin>, call: &Call<'_, '_>) -> Option<Origin> {
        let origin = call_origin?;
        let line = call.context.sources.line(&origin.source, origin.line);
        let start = line.and_then(|line| {
            let letters: Vec<char> = line.chars().collect();
            let text: Vec<char> = self.text.chars().collect();
            let from = origin.column as usize - 1;
            (from..letters.len()).find(|start| letters[*start..].starts_with(&text))
        });
        let Some(start) = start else { return Some(origin) };
        let column = u32::try_from(start + self.at + 1).ok()?;
        Some(Origin { column, ..origin }.underlining(self.syntax.chars().count()))
    }
}

/// The number of characters of an expansion after a dollar sign; 0 if the sign means itself.
fn expansion(rest: &[char]) -> usize {
    let is_name = |letter: &&char| letter.is_ascii_alphanumeric() || **letter == '_';
    match rest.first() {
        Some('(' | '{') => {
            let close = if rest[0] == '(' { ')' } else { '}' };
            rest.iter().position(|letter| *letter == close).map_or(rest.len(), |end| end + 1)
        }
        Some(letter) if letter.is_ascii_alphabetic() || *letter == '_' => {
            rest.iter().take_while(is_name).count()
        }
        Some(letter) if letter.is_ascii_digit() || "?#$!@*-".contains(*letter) => 1,
        _ => 0,
    }
}

/// A text as a string of the language, shortened if it is long.
fn literal(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() > LONGEST || text.contains(['\n', '\\', '`']) {
        return "\"…\"".into();
    }
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::ShellSyntax;

    #[test]
    fn shell_syntax_outside_of_quotes_is_found() {
        let found = |text: &str| ShellSyntax::find(text).map(|it| (it.at, it.syntax));
        let cases = [
            ("a && b", 2, "&&"),
            ("a||b", 1, "||"),
            ("a | b", 2, "|"),
            ("a; b", 1, ";"),
            ("a > b", 2, ">"),
            ("a 2>&1", 3, ">"),
            ("a >> b", 2, ">>"),
            ("a < b", 2, "<"),
            ("a &", 2, "&"),
            ("echo $HOME/x", 5, "$HOME"),
            ("echo ${HOME}/x", 5, "${HOME}"),
            ("echo $(date) x", 5, "$(date)"),
            ("echo $? x", 5, "$?"),
            ("echo `date`", 5, "`"),
            ("ls *.c", 3, "*"),
            ("ls a?", 4, "?"),
            ("ls ~/x", 3, "~"),
            ("ls # all", 3, "#"),
            ("echo \"$HOME\"", 6, "$HOME"),
            ("echo \"a `b`\"", 8, "`"),
            ("echo 'é' | cat", 9, "|"),
            ("echo 'a' \\; ; b", 12, ";"),
        ];
        for (text, at, syntax) in cases {
            assert_eq!(found(text), Some((at, syntax.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_a_shell_would_pass_on_is_not_shell_syntax() {
        let fine = [
            "ls -l /a",
            "sh -c 'a && b; $X > c | d `e` * ? ~ # &'",
            "find . -name \\*.c -exec ls {} \\;",
            "grep end$ file",
            "grep \"a$ b\" file",
            "git show HEAD~1 a#b",
            "echo \"a && b; > < | * ? ~ # &\"",
            "echo \\$HOME \\`",
            "echo \"\\$HOME\"",
            "test ! -e x",
            "unterminated 'quote; x",
            "ends with \\",
            "",
        ];
        for text in fine {
            assert_eq!(ShellSyntax::find(text), None, "{text}");
        }
    }
}

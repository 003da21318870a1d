//! Text laid out for a terminal: headings, paragraphs, tables.

use unicode_width::UnicodeWidthStr;

use super::words::escape;

/// The width of headings and paragraphs in columns.
const WIDTH: usize = 72;

/// A heading: the title in a line across the page.
#[must_use]
pub fn heading(title: &str) -> String {
    let title = escape(title.trim());
    let start = if title.is_empty() { String::new() } else { format!("── {title} ") };
    let rule = "─".repeat(WIDTH.saturating_sub(start.width()));
    format!("{start}{rule}").trim_end().to_owned()
}

/// Removes the indentation of the surrounding code from a text, and wraps it.
///
/// Empty lines separate paragraphs. A line that begins with `- ` begins a list item. A line that is
/// indented deeper than the rest is kept unchanged, unless it continues the item above it.
#[must_use]
pub fn paragraphs(text: &str) -> String {
    let mut out = Vec::new();
    let mut open = Paragraph::default();
    for line in dedented(text) {
        let is_item = line.starts_with("- ");
        let goes_on = match line.strip_prefix(ITEM) {
            Some(rest) => open.is_item && !rest.starts_with(' '),
            None => !is_item && !line.is_empty() && !open.words.is_empty() && !open.is_item,
        };
        if !goes_on {
            open.close(&mut out);
            open.is_item = is_item;
        }
        if line.starts_with(' ') && !goes_on || line.is_empty() {
            out.push(escape(&line));
        } else {
            open.words.extend(line.split_whitespace().map(escape));
        }
    }
    open.close(&mut out);
    out.join("\n")
}

/// The indentation of the second line of an item, as wide as its mark.
const ITEM: &str = "  ";

/// A paragraph or list item, as far as it has been read.
#[derive(Default)]
struct Paragraph {
    words: Vec<String>,
    is_item: bool,
}

impl Paragraph {
    /// Adds its lines, each with as many words as fit.
    fn close(&mut self, out: &mut Vec<String>) {
        let mut line = String::new();
        for word in self.words.drain(..) {
            if line.is_empty() {
                line = word;
            } else if line.width() + 1 + word.width() <= WIDTH {
                line.push(' ');
                line.push_str(&word);
            } else {
                let next = if self.is_item { format!("{ITEM}{word}") } else { word };
                out.push(std::mem::replace(&mut line, next));
            }
        }
        if !line.is_empty() {
            out.push(line);
        }
        self.is_item = false;
    }
}

/// The lines of a text without their common indentation, and without empty lines at its ends.
///
/// The indentation of the first line does not count if it is zero: that line follows the quote.
fn dedented(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_end().replace('\t', "    "));
    let lines: Vec<String> = lines.collect();
    let begin = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(begin, |last| last + 1);
    let lines = &lines[begin..end];
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let counts = |(index, line): &(usize, &String)| {
        !line.is_empty() && (*index > 0 || begin > 0 || indent(line) > 0)
    };
    let counted = lines.iter().enumerate().filter(counts);
    let common = counted.map(|(_, line)| indent(line)).min().unwrap_or(0);
    lines.iter().map(|line| line[common.min(indent(line))..].to_owned()).collect()
}

/// Wraps a text into lines of at most `first` columns and then `next`, broken after blanks and, if
/// that does not help, after the `|` between flags.
#[must_use]
pub fn wrapped(text: &str, first: usize, next: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let words = text.split_inclusive(' ');
    // Flags stay together where there is room for them on a line.
    let pieces = words.flat_map(|word| {
        let together = word.trim_end().width() <= next;
        word.split_inclusive(move |letter| !together && letter == '|')
    });
    for piece in pieces {
        let room = if lines.len() == 1 { first } else { next };
        if let Some(line) = lines.last_mut() {
            let fits = line.width() + piece.trim_end().width() <= room;
            if line.is_empty() || fits {
                line.push_str(piece);
                continue;
            }
        }
        lines.push(piece.to_owned());
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub head: String,
    /// Its cells, from top to bottom.
    pub cells: Vec<String>,
    /// Whether it is aligned to the right, like numbers.
    pub is_right: bool,
}

/// A table: columns beside each other, below their headings.
#[must_use]
pub fn table(columns: &[Column]) -> String {
    let shown = |text: &String| escape(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let columns: Vec<(bool, Vec<String>)> = columns
        .iter()
        .map(|column| {
            let mut cells: Vec<_> = column.cells.iter().map(shown).collect();
            let head = shown(&column.head);
            let width = cells.iter().chain([&head]).map(|cell| cell.width()).max().unwrap_or(0);
            cells.splice(..0, [head, "─".repeat(width)]);
            (column.is_right, cells)
        })
        .collect();
    let height = columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let line = |row: usize| {
        let mut line = String::new();
        for (is_right, cells) in &columns {
            // The rule is as wide as the column.
            let width = cells.get(1).map_or(0, |rule| rule.width());
            let cell = cells.get(row).map_or("", String::as_str);
            let space = " ".repeat(width.saturating_sub(cell.width()));
            let cell = if *is_right { space + cell } else { format!("{cell}{space}") };
            line.push_str(&format!("{cell}  "));
        }
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Column, heading, paragraphs, table};
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn a_heading_is_as_wide_as_the_page_or_its_title() {
        assert_eq!(heading("Mounts").width(), 72);
        assert!(heading(" Mounts\n").starts_with("── Mounts ───"));
        assert_eq!(heading("日本").width(), 72);
        assert_eq!(heading(""), "─".repeat(72));
        let long = "long ".repeat(20);
        assert_eq!(heading(&long), format!("── {}", long.trim_end()));
    }

    #[test]
    fn indentation_is_taken_away_and_lines_are_filled() {
        let text = "\n    One\n    two.\n\n    Three.\n  ";
        assert_eq!(paragraphs(text), "One two.\n\nThree.");
        assert_eq!(paragraphs("One\n    two."), "One two.");
        assert_eq!(paragraphs(""), "");
        let long = paragraphs(&"word ".repeat(40));
        assert!(long.lines().all(|line| line.width() <= 72), "{long}");
        assert_eq!(long.lines().count(), 3);
    }

    #[test]
    fn lists_and_what_is_indented_deeper_keep_their_lines() {
        let text =
            "    Two:\n    - one\n      more\n    - two\n\n        $ id\n        uid=0\n    End";
        assert_eq!(paragraphs(text), "Two:\n- one more\n- two\n\n    $ id\n    uid=0\nEnd");
        let item = paragraphs(&format!("- {}", "word ".repeat(20)));
        assert_eq!(item.lines().nth(1).map(|line| &line[..6]), Some("  word"));
    }

    #[test]
    fn a_line_behind_an_item_that_is_not_indented_is_a_paragraph() {
        assert_eq!(paragraphs("- one\ntwo\nthree"), "- one\ntwo three");
    }

    #[test]
    fn an_emoji_with_a_variation_selector_takes_two_columns() {
        let hearts = paragraphs(&"\u{2764}\u{fe0f} ".repeat(40));
        assert_eq!(hearts.lines().next().map(UnicodeWidthStr::width), Some(71));
    }

    #[test]
    fn what_would_move_the_cursor_is_made_visible() {
        assert_eq!(paragraphs("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(heading("\u{1b}").chars().nth(3), Some('\\'));
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let column = |head: &str, cells: [&str; 2], is_right| Column {
            head: head.into(),
            cells: cells.map(str::to_owned).to_vec(),
            is_right,
        };
        let columns = [
            column("name", ["日本", "a\nb"], false),
            column("pid", ["1", "4026"], true),
            column("", ["x", ""], false),
        ];
        let wanted = "name   pid\n────  ────  ─\n日本     1  x\na b   4026";
        assert_eq!(table(&columns), wanted);
    }
}

//! Conversion of Markdown to a manual page.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, line_break, roman};

/// The name and section of a manual page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageName {
    /// Its name: `nsscript`.
    pub name: &'static str,
    /// The section of the manual: 1 for commands, 5 for formats of files.
    pub section: &'static str,
    /// The title of the section, for the header of the page.
    pub title: &'static str,
}

impl PageName {
    /// Its path in a manual directory: `man1/nsscript.1`.
    #[must_use]
    pub fn path(self) -> String {
        format!("man{0}/{1}.{0}", self.section, self.name)
    }
}

/// Converts Markdown to man(7) macros; its top-level headings are the sections. `comment` is the
/// first line.
#[must_use]
pub fn roff(page: PageName, comment: &str, markdown: &str) -> String {
    let mut writer = Writer::default();
    let version = concat!("nsscript ", env!("CARGO_PKG_VERSION"));
    // Without a date, the page is always the same.
    let name = page.name.to_uppercase();
    writer.roff.control("TH", [name.as_str(), page.section, "\"\"", version, page.title]);
    // Words and commands are not broken at line ends.
    writer.roff.control("nh", []).control("ad", ["l"]);
    writer.fresh = true;
    for event in Parser::new_ext(markdown, Options::ENABLE_DEFINITION_LIST) {
        writer.take(event);
    }
    format!(".\\\" {comment}\n{}", writer.roff.render())
}

/// The page that is being written.
#[derive(Default)]
struct Writer {
    roff: Roff,
    line: Vec<Inline>,
    /// The fonts, innermost last.
    fonts: Vec<fn(String) -> Inline>,
    /// Whether a heading or item mark precedes directly, so that no paragraph begins.
    fresh: bool,
    /// The number of open lists.
    depth: usize,
    code: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.begin(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code => {
                for line in text.lines() {
                    self.roff.text([roman(line)]);
                }
            }
            Event::Text(text) => {
                let font = self.fonts.last().copied().unwrap_or(Inline::Roman);
                self.line.push(font(text.into_string()));
            }
            Event::Code(text) => self.line.push(bold(text.into_string())),
            Event::SoftBreak => self.line.push(roman(" ")),
            Event::HardBreak => self.line.push(line_break()),
            _ => {}
        }
    }

    fn begin(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph => self.paragraph(),
            Tag::CodeBlock(kind) => {
                self.flush();
                if !self.fresh {
                    self.roff.control("sp", []);
                }
                let by = if matches!(kind, CodeBlockKind::Fenced(_)) { "4" } else { "2" };
                self.roff.control("RS", [by]).control("nf", []);
                self.code = true;
            }
            Tag::List(_) => {
                self.flush();
                self.depth += 1;
                if self.depth > 1 {
                    self.roff.control("RS", ["4"]);
                }
            }
            Tag::Item => {
                self.roff.control("IP", ["\\(bu", "3"]);
                self.fresh = true;
            }
            Tag::DefinitionList => self.depth += 1,
            Tag::DefinitionListTitle => {
                self.roff.control("TP", []);
            }
            Tag::DefinitionListDefinition => self.fresh = true,
            Tag::Strong => self.fonts.push(Inline::Bold),
            Tag::Emphasis => self.fonts.push(Inline::Italic),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let name = if level == HeadingLevel::H1 { "SH" } else { "SS" };
                self.roff.control(name, []);
                self.flush();
                self.fresh = true;
            }
            TagEnd::Paragraph | TagEnd::Item | TagEnd::DefinitionListTitle => self.flush(),
            TagEnd::DefinitionListDefinition => {
                self.flush();
                self.fresh = false;
            }
            TagEnd::CodeBlock => {
                self.roff.control("fi", []).control("RE", []);
                (self.code, self.fresh) = (false, false);
            }
            TagEnd::List(_) => {
                self.depth -= 1;
                if self.depth > 0 {
                    self.roff.control("RE", []);
                }
            }
            TagEnd::DefinitionList => self.depth -= 1,
            TagEnd::Strong | TagEnd::Emphasis => {
                self.fonts.pop();
            }
            _ => {}
        }
    }

    /// Begins a paragraph, indented as the item in a list.
    fn paragraph(&mut self) {
        if !self.fresh {
            self.roff.control(if self.depth > 0 { "IP" } else { "PP" }, []);
        }
    }

    /// Writes the collected text.
    fn flush(&mut self) {
        if !self.line.is_empty() {
            self.roff.text(std::mem::take(&mut self.line));
            self.fresh = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PageName, roff};

    const PAGE: PageName = PageName { name: "it", section: "1", title: "Its Manual" };

    /// The lines of a page below its header.
    fn lines(markdown: &str) -> String {
        let page = roff(PAGE, "Made.", markdown);
        page.split_once(".ad l\n").unwrap().1.to_owned()
    }

    #[test]
    fn sections_paragraphs_and_lists_become_macros() {
        let text = "# NAME\n\nit \\- one\nline\n\n## Sub\n\nA `b` **c**.\n\nD.\n\n- one\n- two\n";
        let wanted = ".SH\nNAME\nit \\- one line\n.SS\nSub\nA \\fBb\\fR \\fBc\\fR.\n.PP\nD.\n\
                      .IP \\(bu 3\none\n.IP \\(bu 3\ntwo\n";
        assert_eq!(lines(text), wanted);
    }

    #[test]
    fn what_roff_would_take_for_its_own_is_text() {
        let text = "# A\n\n.so x\n'a' `-\\n`\n\n```\n.x\n\n'y\n```\n";
        let wanted = ".SH\nA\n\\&.so x \\*(Aqa\\*(Aq \\fB\\-\\\\n\\fR\n.sp\n.RS 4\n.nf\n\\&.x\n\n\
                      \\*(Aqy\n.fi\n.RE\n";
        assert_eq!(lines(text), wanted);
    }

    #[test]
    fn definitions_are_tagged_paragraphs() {
        let text = "# A\n\n`-e` CODE\n: Runs it.\n\n  More.\n\n`-f`\n: Two.\n";
        let wanted =
            ".SH\nA\n.TP\n\\fB\\-e\\fR CODE\nRuns it.\n.IP\nMore.\n.TP\n\\fB\\-f\\fR\nTwo.\n";
        assert_eq!(lines(text), wanted);
    }
}

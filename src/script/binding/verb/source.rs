//! The doc comment and parameter names of a function, which only its source text has.
//!
//! The compiler reads that text when it makes the catalog. It finds a function in the form that
//! rustfmt writes: `fn` at the beginning of a line, with lines of `///` and possibly attributes
//! above.

/// The text of one function.
#[derive(Clone, Copy)]
pub struct Source {
    /// The lines of its doc comment.
    doc: &'static [u8],
    /// The text from its opening parenthesis on.
    parameters: &'static [u8],
}

impl Source {
    /// The function `name` of a file; `None` if it is missing or has no doc comment.
    pub const fn find(file: &'static str, name: &str) -> Option<Self> {
        let mut rest = file.as_bytes();
        let mut doc: &[u8] = &[];
        while !rest.is_empty() {
            let (line, below) = split_line(rest);
            if after(line, b"///").is_some() {
                if doc.is_empty() {
                    doc = rest;
                }
            } else if let Some(parameters) = parameters_of(rest, name.as_bytes()) {
                let doc = doc.split_at(doc.len().saturating_sub(rest.len())).0;
                return if doc.is_empty() { None } else { Some(Self { doc, parameters }) };
            } else if after(line, b"#[").is_none() {
                doc = &[];
            }
            rest = below;
        }
        None
    }

    /// The doc comment without slashes. With `SIZE` 0, only its length.
    pub const fn doc<const SIZE: usize>(self) -> Text<SIZE> {
        let mut text = Text::new();
        let mut rest = self.doc;
        while !rest.is_empty() {
            let (line, below) = split_line(rest);
            if let Some(written) = after(line, b"///") {
                text = text.with_line(written);
            }
            rest = below;
        }
        text
    }

    /// The names of the parameters after the first, one per line; or their length, as for `doc`.
    pub const fn names<const SIZE: usize>(self) -> Text<SIZE> {
        let mut text = Text::new();
        let mut is_first = true;
        let mut rest = self.parameters;
        let mut word = rest;
        while let [byte, below @ ..] = rest {
            // A name is followed by a colon and a space; paths have no space there.
            if let [b':', b' ', ..] = rest {
                if !is_first {
                    // The name of an unused parameter begins with `_`.
                    let ([b'_', name @ ..] | name) = word.split_at(word.len() - rest.len()).0;
                    text = text.with_line(name);
                }
                is_first = false;
            }
            if *byte == b')' {
                break;
            }
            if !is_of_word(*byte) {
                word = below;
            }
            rest = below;
        }
        text
    }
}

/// A string that the compiler makes.
#[derive(Clone, Copy)]
pub struct Text<const SIZE: usize> {
    bytes: [u8; SIZE],
    length: usize,
}

impl<const SIZE: usize> Text<SIZE> {
    const fn new() -> Self {
        Self { bytes: [0; SIZE], length: 0 }
    }

    /// Its length, also if it does not fit.
    pub const fn length(self) -> usize {
        self.length
    }

    /// It as a string.
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text,
            Err(_) => panic!("whole lines of a source are UTF-8"),
        }
    }

    const fn with_line(self, line: &[u8]) -> Self {
        let mut text = self;
        let mut rest = line;
        while let [byte, below @ ..] = rest {
            text = text.with(*byte);
            rest = below;
        }
        text.with(b'\n')
    }

    const fn with(mut self, byte: u8) -> Self {
        if self.length < SIZE {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
        self
    }
}

/// The line `index` of a text.
pub const fn line(text: &str, index: usize) -> &str {
    let (mut line, mut rest) = split_line(text.as_bytes());
    let mut left = index;
    while left > 0 {
        (line, rest) = split_line(rest);
        left -= 1;
    }
    match std::str::from_utf8(line) {
        Ok(line) => line,
        Err(_) => panic!("a line of a string is a string"),
    }
}

/// The text after `fn name(`, if the text begins with that.
const fn parameters_of<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let text = match after(text, b"pub(super) ") {
        Some(text) => text,
        None => text,
    };
    let Some(text) = after(text, b"fn ") else { return None };
    let Some(text) = after(text, name) else { return None };
    after(text, b"(")
}

/// The first line of a text, and the rest.
const fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = text;
    while let [byte, below @ ..] = rest {
        if *byte == b'\n' {
            return (text.split_at(text.len() - rest.len()).0, below);
        }
        rest = below;
    }
    (text, rest)
}

/// The text after `prefix`, if the text begins with it.
const fn after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (mut text, mut prefix) = (text, prefix);
    while let [wanted, more @ ..] = prefix {
        match text {
            [byte, rest @ ..] if *byte == *wanted => (text, prefix) = (rest, more),
            _ => return None,
        }
    }
    Some(text)
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
/// Binds.
///
/// # See
/// mount(2)
#[must_use]
fn bind(
    call: &Call<'_, '_>,
    sandbox: spec::Sandbox,
    target: Option<GuestPath>,
) -> Result<Sandbox, VerbError> {
    let other: u8 = 0;
}

/// Binds everything.
pub(super) fn bind_all(_call: &Call<'_, '_>, _host: HostFacts) {}

/// Of another one.

fn undocumented(call: &Call<'_, '_>, name: String) {}
";

    fn texts(name: &str) -> Option<(String, String)> {
        let source = Source::find(FILE, name)?;
        let text = |text: Text<200>| text.as_str().trim_end_matches('\0').to_owned();
        Some((text(source.doc()), text(source.names())))
    }

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let bind = (" Binds.\n\n # See\n mount(2)\n".into(), "sandbox\ntarget\n".into());
        assert_eq!(texts("bind"), Some(bind));
        assert_eq!(texts("bind_all"), Some((" Binds everything.\n".into(), "host\n".into())));
        assert_eq!(texts("bind_"), None);
    }

    #[test]
    fn a_function_without_a_doc_comment_is_not_found() {
        assert_eq!(texts("undocumented"), None);
    }

    #[test]
    fn a_text_of_no_size_knows_how_long_it_would_be() {
        let source = Source::find(FILE, "bind_all").expect("it is there");
        assert_eq!(source.doc::<0>().length(), " Binds everything.\n".len());
    }
}

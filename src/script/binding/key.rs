//! Positions of option keys in the text of a recipe.

use super::context::Context;
use crate::diag::Origin;

impl Context {
    /// The text after `key` and its colon in the option map of the call at `origin`.
    pub fn text_after_key(&self, origin: Option<Origin>, key: &str) -> Option<String> {
        let start = origin.clone()?;
        let place = self.place_of_key(origin, key).filter(|place| *place != start)?;
        let line = self.sources.line(&place.source, place.line)?;
        let rest: String = line.chars().skip(place.column as usize - 1).collect();
        Some(rest.split_once(':')?.1.trim_start().to_owned())
    }

    /// The text after the first parenthesis of the call at `origin`, up to the end of the line.
    pub fn text_in_parentheses(&self, origin: Option<Origin>) -> Option<String> {
        let start = origin?;
        let line = self.sources.line(&start.source, start.line)?;
        let rest: String = line.chars().skip(start.column as usize - 1).collect();
        Some(rest.split_once('(')?.1.trim_start().to_owned())
    }

    /// The position of `key` in the option map of the call at `origin`, if the text contains it.
    pub fn place_of_key(&self, origin: Option<Origin>, key: &str) -> Option<Origin> {
        let origin = origin?;
        let text = self.sources.text(&origin.source)?;
        let mut line = origin.line;
        for (index, shown) in text.lines().enumerate().skip(origin.line as usize - 1).take(20) {
            let skip = if index + 1 == origin.line as usize { origin.column as usize } else { 0 };
            if let Some(column) = find_key(shown, key, skip) {
                line += u32::try_from(index + 1).ok()? - origin.line;
                let column = u32::try_from(column + 1).ok()?;
                let place = Origin { line, column, ..origin };
                return Some(place.underlining(key.chars().count()));
            }
        }
        Some(origin)
    }
}

/// The column, in characters from 0, at which `key` is followed by a colon.
fn find_key(line: &str, key: &str, skip: usize) -> Option<usize> {
    let letters: Vec<char> = line.chars().collect();
    let key: Vec<char> = key.chars().collect();
    let is_word =
        |letter: Option<&char>| letter.is_some_and(|one| one.is_alphanumeric() || *one == '_');
    (skip..letters.len()).find(|start| {
        let end = start + key.len();
        let matches = letters.get(*start..end) == Some(key.as_slice());
        let whole = !is_word(start.checked_sub(1).and_then(|before| letters.get(before)));
        let after = letters.get(end..).unwrap_or_default();
        let after = after.iter().find(|one| !one.is_whitespace() && **one != '"');
        matches && whole && after == Some(&':')
    })
}

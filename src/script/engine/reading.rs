//! Reading a text: the engine's parser, and integers that it takes for others.
//!
//! The engine reads an integer in base 16, 8 or 2 as an unsigned one, so a large one would be
//! negative. It reads a sign before an integer as a part of it only in base 10. So a negative
//! integer that does not begin with a sign is too large.

use rhai::{AST, Engine, LexError, ParseError, ParseErrorType, Position};

use crate::script::binding::context::Context;

/// Reads a text.
///
/// # Errors
/// The first mistake.
pub(in crate::script) fn read(
    engine: &Engine,
    context: &Context,
    text: &str,
) -> Result<AST, ParseError> {
    context.negative.borrow_mut().clear();
    let read = engine.compile(text);
    let places = context.negative.take();
    let ast = read?;
    match without_sign(text, places) {
        None => Ok(ast),
        Some((digits, position)) => {
            let kind = ParseErrorType::BadInput(LexError::MalformedNumber(digits));
            Err(ParseError(Box::new(kind), position))
        }
    }
}

/// The first of these places, with a line and a column each, at which there is no sign, and the
/// digits there.
fn without_sign(text: &str, mut places: Vec<(u32, u32)>) -> Option<(String, Position)> {
    // The engine does not count further.
    let is_known = |number: u32| (1..u32::from(u16::MAX)).contains(&number);
    places.retain(|(line, column)| is_known(*line) && is_known(*column));
    places.sort_unstable();
    places.dedup();
    let mut places = places.into_iter().peekable();
    for (line, number) in text.lines().zip(1_u32..) {
        let mut column = 0;
        let mut letters = line.chars();
        while let Some((_, wanted)) = places.next_if(|(of, _)| *of == number) {
            let letter = letters.nth((wanted - column - 1) as usize);
            column = wanted;
            if letter == Some('-') {
                continue;
            }
            // The zero is read already, and the base stands behind it.
            let digits = letters.skip(1).filter(|letter| *letter != '_');
            let digits = digits.take_while(char::is_ascii_hexdigit).collect();
            let place = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
            return Some((digits, Position::new(place(number), place(wanted))));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::without_sign;

    #[test]
    fn integers_without_a_sign_are_found() {
        let text = "let a = -5;\nlet b = \"ä\"; let c = [-1, -2, 0xFFFF_FFFF_FFFF_FFFF];";
        let found = |places: &[(u32, u32)]| without_sign(text, places.to_vec());
        assert_eq!(found(&[(1, 9)]), None);
        assert_eq!(found(&[(2, 27), (2, 23), (2, 23)]), None);
        let (digits, position) = found(&[(2, 31), (2, 23), (1, 9), (2, 27)]).unwrap();
        assert_eq!((digits.as_str(), position.position()), ("FFFFFFFFFFFFFFFF", Some(31)));
        assert_eq!(without_sign("", vec![(1, 1)]), None);
    }
}

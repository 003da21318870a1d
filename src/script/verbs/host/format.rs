//! Templates with values in braces, in the notation of Rust and Python.

use rhai::{Array, Dynamic, Map};

use crate::diag::quoted;
use crate::script::binding::argument::a_kind;
use crate::script::binding::memory::{exceeded, has_room};
use crate::spec::ValueError;

/// The form of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Form {
    fill: char,
    align: Option<char>,
    width: usize,
    precision: Option<usize>,
    base: Option<char>,
}

/// The values of a template.
enum Values<'v> {
    Listed(&'v [Dynamic]),
    Named(&'v Map),
}

/// The template with values in place of its braces.
///
/// # Errors
/// A form is invalid, or a value is missing, unused or of another kind.
pub fn formatted(
    template: &str,
    values: &Dynamic,
    printed: &dyn Fn(&Dynamic) -> String,
) -> Result<String, ValueError> {
    let (array, map) = (values.read_lock::<Array>(), values.read_lock::<Map>());
    let single = [values.clone()];
    let values = match (&array, &map) {
        (Some(array), _) => Values::Listed(array),
        (None, Some(map)) => Values::Named(map),
        (None, None) => Values::Listed(&single),
    };
    let (mut out, mut rest, mut next) = (String::new(), template, 0);
    let mut used = vec![false; if let Values::Listed(listed) = values { listed.len() } else { 0 }];
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let Some((field, after)) = rest.split_once('}').filter(|_| brace == "{") else {
            let message = format!("unpaired `{brace}` in the template {}", quoted(template));
            return Err(ValueError::new(message).hint("write `{{` and `}}` for braces"));
        };
        rest = after;
        let (name, form) = field.split_once(':').unwrap_or((field, ""));
        let value = match &values {
            Values::Named(map) => map.get(name),
            Values::Listed(listed) => {
                let index = if name.is_empty() { Some(next) } else { name.parse().ok() };
                next += usize::from(name.is_empty());
                index.and_then(|index: usize| {
                    *used.get_mut(index)? = true;
                    listed.get(index)
                })
            }
        };
        let value = value.ok_or_else(|| {
            ValueError::new(format!("no value for {}", quoted(format!("{{{field}}}"))))
                .hint("pass an array for `{}` and `{0}`, or a map for `{name}`")
        })?;
        let form = parsed(form).ok_or_else(|| {
            let message = format!("invalid form {}", quoted(format!("{{{field}}}")));
            let forms = "expected `[[fill]align][0][width][.precision][type]`: `{:>8}`, `{:.2}`, \
                         `{:04x}`";
            ValueError::new(message).hint(forms)
        })?;
        append(&mut out, value, form, printed)?;
    }
    out.push_str(rest);
    match used.iter().position(|used| !used) {
        Some(index) => Err(ValueError::new(format!("the value at index {index} is not used"))),
        None => Ok(out),
    }
}

fn parsed(text: &str) -> Option<Form> {
    let mut form = Form { fill: ' ', align: None, width: 0, precision: None, base: None };
    let mut rest = text;
    let mut letters = text.chars();
    let (first, second) = (letters.next(), letters.next());
    let is_align = |letter: char| matches!(letter, '<' | '^' | '>');
    if let (Some(fill), Some(align)) = (first, second.filter(|letter| is_align(*letter))) {
        (form.fill, form.align) = (fill, Some(align));
        rest = &text[fill.len_utf8() + 1..];
    } else if let Some(align) = first.filter(|letter| is_align(*letter)) {
        form.align = Some(align);
        rest = &text[1..];
    }
    if let Some(after) = rest.strip_prefix('0')
        && form.align.is_none()
    {
        form.fill = '0';
        rest = after;
    }
    let number = |text: &str| {
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        let number = if end == 0 { None } else { Some(text[..end].parse().ok()?) };
        Some((number, end))
    };
    let (width, end): (Option<usize>, _) = number(rest)?;
    form.width = width.unwrap_or(0);
    rest = &rest[end..];
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, end) = number(after)?;
        form.precision = Some(precision?);
        rest = &after[end..];
    }
    form.base = match rest {
        "" => None,
        "x" => Some('x'),
        "X" => Some('X'),
        "o" => Some('o'),
        "b" => Some('b'),
        _ => return None,
    };
    Some(form)
}

/// Appends a value in its form.
fn append(
    out: &mut String,
    value: &Dynamic,
    form: Form,
    printed: &dyn Fn(&Dynamic) -> String,
) -> Result<(), ValueError> {
    let bytes = form.width.saturating_add(form.precision.unwrap_or(0)).saturating_mul(4);
    if !has_room(bytes) {
        return Err(ValueError::new(exceeded()));
    }
    let integer = value.as_int().ok();
    let text = match (form.base, integer, value.as_float().ok()) {
        (Some('x'), Some(number), _) => format!("{number:x}"),
        (Some('X'), Some(number), _) => format!("{number:X}"),
        (Some('o'), Some(number), _) => format!("{number:o}"),
        (Some(_), Some(number), _) => format!("{number:b}"),
        (Some(base), None, _) => {
            let message = format!("the type `{base}` needs an integer, not {}", a_kind(value));
            return Err(ValueError::new(message));
        }
        // More digits than that are all 0.
        (None, _, Some(number)) if let Some(decimals) = form.precision => {
            let exact = decimals.min(1100);
            format!("{number:.exact$}{}", "0".repeat(decimals - exact))
        }
        (None, _, _) => match form.precision {
            Some(most) if integer.is_none() => printed(value).chars().take(most).collect(),
            _ => printed(value),
        },
    };
    let missing = form.width.saturating_sub(text.chars().count());
    let is_number = integer.is_some() || value.is_float();
    if form.fill == '0' && form.align.is_none() && is_number {
        // Zeros stand after the sign.
        let (sign, digits) = text.split_at(usize::from(text.starts_with('-')));
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
        return Ok(());
    }
    let left = match form.align {
        Some('<') => 0,
        Some('^') => missing / 2,
        Some(_) => missing,
        None => {
            if is_number {
                missing
            } else {
                0
            }
        }
    };
    out.extend(std::iter::repeat_n(form.fill, left));
    out.push_str(&text);
    out.extend(std::iter::repeat_n(form.fill, missing - left));
    Ok(())
}

#[cfg(test)]
mod tests {
    use rhai::{Array, Dynamic};

    use super::formatted;

    #[track_caller]
    fn gives(template: &str, values: Array, expected: &str) {
        let found = formatted(template, &values.into(), &ToString::to_string);
        assert_eq!(found.map_err(|it| it.to_string()).as_deref(), Ok(expected));
    }

    #[track_caller]
    fn fails(template: &str, values: Array, why: &str) {
        let found = formatted(template, &values.into(), &ToString::to_string);
        let said = found.map_err(|it| it.to_string());
        assert!(said.as_ref().is_err_and(|it| it.contains(why)), "{said:?}");
    }

    #[test]
    fn values_are_aligned_and_cut() {
        let text = || vec![Dynamic::from("äbc")];
        gives("{:<5}|", text(), "äbc  |");
        gives("{:*^6}|", text(), "*äbc**|");
        gives("{:é>5}|", text(), "ééäbc|");
        gives("{:.2}|{0:2}|", text(), "äb|äbc|");
        gives("{{{}}}", text(), "{äbc}");
    }

    #[test]
    fn numbers_have_bases_and_decimals() {
        gives(
            "{:5}|{:<5}|{:05}",
            vec![7_i64.into(), 7_i64.into(), (-7_i64).into()],
            "    7|7    |-0007",
        );
        gives("{0:x} {0:X} {0:o} {0:b}", vec![255_i64.into()], "ff FF 377 11111111");
        gives("{:.2} {:08.3}", vec![2.0_f64.into(), (-1.5_f64).into()], "2.00 -001.500");
        gives("{:x}", vec![(-1_i64).into()], "ffffffffffffffff");
    }

    #[test]
    fn mistakes_are_told() {
        fails("{", vec![], "unpaired `{`");
        fails("}", vec![], "unpaired `}`");
        fails("{} {}", vec![1_i64.into()], "no value for `{}`");
        fails("{1}", vec![1_i64.into()], "no value for `{1}`");
        fails("{}", vec![1_i64.into(), 2_i64.into()], "index 1 is not used");
        fails("{:q}", vec![1_i64.into()], "invalid form `{:q}`");
        fails("{:.}", vec![1_i64.into()], "invalid form `{:.}`");
        fails("{:x}", vec![Dynamic::from("a")], "needs an integer");
        fails("{:99999999999999999999}", vec![1_i64.into()], "invalid form");
        fails("{:9999999999999}", vec![1_i64.into()], "more memory");
    }
}

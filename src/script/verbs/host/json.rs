//! Values as JSON.

use rhai::{Array, Blob, Dynamic, Map};

use crate::script::binding::error::VerbError;

/// The reason why a value is not written.
pub enum Unwritten {
    /// JSON cannot express this value.
    Value(Dynamic),
    /// The call ends.
    Call(VerbError),
}

/// The text of a value; `go_on` is asked before each part.
///
/// # Errors
/// JSON cannot express a part of it, or `go_on` ends the call.
pub fn text(
    value: &Dynamic,
    pretty: bool,
    go_on: &mut dyn FnMut() -> Result<(), VerbError>,
) -> Result<String, Unwritten> {
    let mut writer = Writer { out: String::new(), pretty, go_on };
    writer.write(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    pretty: bool,
    go_on: &'a mut dyn FnMut() -> Result<(), VerbError>,
}

impl Writer<'_> {
    fn line(&mut self, depth: usize) {
        if self.pretty {
            self.out.push('\n');
            self.out.push_str(&"  ".repeat(depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn write(&mut self, value: &Dynamic, depth: usize) -> Result<(), Unwritten> {
        (self.go_on)().map_err(Unwritten::Call)?;
        if value.is_unit() {
            self.out.push_str("null");
        } else if let Ok(text) = value.as_immutable_string_ref() {
            self.string(&text);
        } else if let Ok(letter) = value.as_char() {
            self.string(letter.encode_utf8(&mut [0; 4]));
        } else if let Ok(truth) = value.as_bool() {
            self.out.push_str(&truth.to_string());
        } else if let Ok(number) = value.as_int() {
            self.out.push_str(&number.to_string());
        } else if let Ok(number) = value.as_float() {
            let number = serde_json::Number::from_f64(number);
            let number = number.ok_or_else(|| Unwritten::Value(value.clone()))?;
            self.out.push_str(&number.to_string());
        } else if let Some(array) = value.read_lock::<Array>() {
            self.list(array.iter(), ['[', ']'], depth, |own, value| own.write(value, depth + 1))?;
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.list(blob.iter(), ['[', ']'], depth, |own, byte| {
                own.out.push_str(&byte.to_string());
                Ok(())
            })?;
        } else if let Some(map) = value.read_lock::<Map>() {
            self.list(map.iter(), ['{', '}'], depth, |own, (key, value)| {
                own.string(key);
                own.out.push_str(if own.pretty { ": " } else { ":" });
                own.write(value, depth + 1)
            })?;
        } else {
            return Err(Unwritten::Value(value.clone()));
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        parts: impl ExactSizeIterator<Item = T>,
        [begin, end]: [char; 2],
        depth: usize,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Unwritten>,
    ) -> Result<(), Unwritten> {
        self.out.push(begin);
        let is_empty = parts.len() == 0;
        for (index, part) in parts.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line(depth + 1);
            write(self, part)?;
        }
        if !is_empty {
            self.line(depth);
        }
        self.out.push(end);
        Ok(())
    }
}

//! Wording that all messages share.

use std::fmt::Write;

/// `text` in backticks, with control characters and other invisible ones escaped, so that a name
/// from an untrusted tree cannot write to the terminal.
#[must_use]
pub fn quoted(text: impl AsRef<str>) -> String {
    format!("`{}`", escape(text.as_ref()))
}

/// `text` with every control character, escape and bidirectional mark made visible.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let invisible = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if invisible {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The beginning of a text that is longer than `most` characters, and its end.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `text` as C and strace(1) write it.
#[must_use]
pub fn c_literal(text: &str) -> String {
    let plain = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escape(&plain))
}

/// The names of errors from reading and writing files: errno(3), with the same numbers on x86-64
/// and aarch64.
const ERRNOS: [(i32, &str); 37] = [
    (1, "EPERM"),
    (2, "ENOENT"),
    (3, "ESRCH"),
    (4, "EINTR"),
    (5, "EIO"),
    (6, "ENXIO"),
    (9, "EBADF"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (18, "EXDEV"),
    (19, "ENODEV"),
    (20, "ENOTDIR"),
    (21, "EISDIR"),
    (22, "EINVAL"),
    (23, "ENFILE"),
    (24, "EMFILE"),
    (25, "ENOTTY"),
    (26, "ETXTBSY"),
    (27, "EFBIG"),
    (28, "ENOSPC"),
    (29, "ESPIPE"),
    (30, "EROFS"),
    (31, "EMLINK"),
    (32, "EPIPE"),
    (36, "ENAMETOOLONG"),
    (37, "ENOLCK"),
    (38, "ENOSYS"),
    (39, "ENOTEMPTY"),
    (40, "ELOOP"),
    (61, "ENODATA"),
    (75, "EOVERFLOW"),
    (95, "EOPNOTSUPP"),
    (116, "ESTALE"),
    (122, "EDQUOT"),
];

/// An error of the standard library as the kernel's: `no such file or directory (ENOENT)`.
#[must_use]
pub fn os_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
    let name = ERRNOS.iter().find(|(number, _)| Some(*number) == error.raw_os_error());
    let name = name.map(|(_, name)| format!(" ({name})")).unwrap_or_default();
    format!("{first}{}{name}", letters.as_str())
}

/// Words joined as a sentence joins them: `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list<T: AsRef<str>>(words: &[T], last: &str) -> String {
    let mut out = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            let joint = if index + 1 == words.len() { format!(" {last} ") } else { ", ".into() };
            out.push_str(&joint);
        }
        out.push_str(word.as_ref());
    }
    out
}

/// A number with its noun: `1 file`, `3 files`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A size as a person reads it: `512 B`, `3.2 KiB`, `16 MiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    let mut unit = "B";
    let mut whole = number;
    let mut tenths = 0;
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    let mut out = whole.to_string();
    if tenths > 0 && whole < 100 {
        let _ = write!(out, ".{tenths}");
    }
    format!("{out} {unit}")
}

/// A size as recipes write it: a number of bytes, or a number with `K`, `M`, `G` or `T` (powers
/// of 1024), as in `"64M"`.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let power = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 1,
        "M" | "MB" | "MIB" => 2,
        "G" | "GB" | "GIB" => 3,
        "T" | "TB" | "TIB" => 4,
        _ => return None,
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, escape, list, size};

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(size("64M"), Some(64 << 20));
        assert_eq!(size("10"), Some(10));
        assert_eq!(size("1 k"), Some(1024));
        for wrong in ["", "M", "12Q", "-1", "1.5G", "99999999999T", "eleven"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(3 * 1024 + 205), "3.2 KiB");
        assert_eq!(bytes(16 << 20), "16 MiB");
    }

    #[test]
    fn errors_of_files_are_named() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(super::os_error(&error), "no such file or directory (ENOENT)");
    }

    #[test]
    fn words_are_joined_and_made_visible() {
        assert_eq!(list(&["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(escape("a\u{1b}[31m"), "a\\u{1b}[31m");
    }
}

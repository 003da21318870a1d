//! Records of pax headers: `LENGTH KEY=VALUE\n`, with any bytes in the value.

use super::error::ArchiveErrorKind;

/// The records of a pax header, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::run) struct Records {
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Records {
    /// Parses records.
    ///
    /// # Errors
    /// A record is malformed.
    pub fn read(mut text: &[u8]) -> Result<Self, ArchiveErrorKind> {
        let mut records = Vec::new();
        // Some writers fill the last block with NULs and count them.
        while let Some(first) = text.first().filter(|first| **first != 0) {
            let space =
                text.iter().position(|byte| *byte == b' ').ok_or(ArchiveErrorKind::Record)?;
            let length = std::str::from_utf8(&text[..space]).ok().and_then(|it| it.parse().ok());
            let length: usize =
                length.filter(|_| first.is_ascii_digit()).ok_or(ArchiveErrorKind::Record)?;
            let record = text.get(space + 1..length).and_then(|it| it.strip_suffix(b"\n"));
            let record = record.ok_or(ArchiveErrorKind::Record)?;
            let equals =
                record.iter().position(|byte| *byte == b'=').ok_or(ArchiveErrorKind::Record)?;
            records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
            text = &text[length..];
        }
        Ok(Self { records })
    }

    /// Adds a record.
    pub fn push(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.records.push((key.into(), value.into()));
    }

    /// Whether it has no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The last value of a key; an empty one cancels earlier values.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let found = self.records.iter().rev().find(|(own, _)| own == key.as_bytes());
        found.map(|(_, value)| value.as_slice()).filter(|value| !value.is_empty())
    }

    /// The value of a key as a number.
    ///
    /// # Errors
    /// It is not a number.
    pub fn number(&self, key: &'static str) -> Result<Option<u64>, ArchiveErrorKind> {
        let Some(value) = self.get(key) else { return Ok(None) };
        // Times have a fraction.
        let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
        let number = std::str::from_utf8(whole).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or(ArchiveErrorKind::Number(key))
    }

    /// All records, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// These records after those of `others`.
    pub fn over(mut self, others: &Self) -> Self {
        let mut records = others.records.clone();
        records.append(&mut self.records);
        Self { records }
    }

    /// The last record of each known key.
    pub fn of_use(self) -> Self {
        let is_known = |key: &[u8]| {
            let known: [&[u8]; 6] = [b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"];
            known.contains(&key)
                || key.starts_with(b"SCHILY.xattr.")
                || key.starts_with(b"GNU.sparse.")
        };
        let mut last: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, value) in self.records.into_iter().filter(|(key, _)| is_known(key)) {
            match last.iter_mut().find(|(known, _)| *known == key) {
                Some((_, before)) => *before = value,
                None => last.push((key, value)),
            }
        }
        Self { records: last }
    }

    /// Their size in bytes.
    pub fn size(&self) -> usize {
        self.records.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    /// Encodes the records.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (key, value) in &self.records {
            let rest = key.len() + value.len() + 3;
            // The length includes its own digits.
            let digits = |number: usize| number.to_string().len();
            let mut length = rest + digits(rest);
            length = rest + digits(length);
            text.extend(length.to_string().into_bytes());
            text.push(b' ');
            text.extend(key);
            text.push(b'=');
            text.extend(value);
            text.push(b'\n');
        }
        text
    }
}

/// Decodes the name of an extended attribute, in which GNU tar escapes `=` and `%`.
pub(in crate::run) fn attribute_name(key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(key.len());
    let mut rest = key;
    while let Some((first, after)) = rest.split_first() {
        let (byte, length) = match rest {
            [b'%', b'3', b'D' | b'd', ..] => (b'=', 3),
            [b'%', b'2', b'5', ..] => (b'%', 3),
            _ => (*first, rest.len() - after.len()),
        };
        name.push(byte);
        rest = &rest[length..];
    }
    name
}

/// Encodes the name of an extended attribute for a key.
pub(in crate::run) fn attribute_key(name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'=' => key.extend(b"%3D"),
            b'%' => key.extend(b"%25"),
            other => key.push(*other),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let mut records = Records::default();
        for length in [0, 1, 80, 90, 91, 92, 93, 94, 95, 96, 97, 990, 994, 995, 9990] {
            records.push(format!("k{length}"), "\n=".repeat(length));
        }
        assert_eq!(Records::read(&records.to_bytes()).unwrap(), records);
        let padded = [records.to_bytes(), vec![0; 3]].concat();
        assert_eq!(Records::read(&padded).unwrap(), records);
    }

    #[test]
    fn the_last_value_counts_and_an_empty_one_is_none() {
        let read = |text: &str| Records::read(text.as_bytes()).unwrap();
        let records = read("9 path=a\n9 path=b\n9 size=7\n19 mtime=12.345678\n");
        assert_eq!(records.get("path"), Some(b"b".as_slice()));
        assert_eq!(records.number("size").unwrap(), Some(7));
        assert_eq!(records.number("mtime").unwrap(), Some(12));
        assert_eq!(read("8 path=\n").over(&records).get("path"), None);
        assert!(matches!(read("9 size=x\n").number("size"), Err(ArchiveErrorKind::Number("size"))));
    }

    #[test]
    fn of_headers_for_all_members_what_is_known_counts_once() {
        let read = |text: &str| Records::read(text.as_bytes()).unwrap();
        let records = read("9 path=a\n12 comment=\n9 path=b\n9 size=7\n").of_use();
        assert_eq!(records.iter().count(), 2);
        assert_eq!(records.get("path"), Some(b"b".as_slice()));
        assert_eq!(records.size(), 10);
    }

    #[test]
    fn names_of_attributes_can_hold_anything() {
        for name in [b"user.a=b".as_slice(), b"user.%", b"user.%3D", b"user.plain"] {
            let key = attribute_key(name);
            assert!(!key.contains(&b'='), "{key:?}");
            assert_eq!(attribute_name(&key), name);
        }
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for text in ["7 a=b\n", "x a=b\n", "6 ab\n", "5 a=b", "99 a=b\n", " a=b\n", "0 a=b\n"] {
            let read = Records::read(text.as_bytes());
            assert!(matches!(read, Err(ArchiveErrorKind::Record)), "{text:?}: {read:?}");
        }
    }
}

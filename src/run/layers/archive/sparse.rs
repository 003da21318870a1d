//! Pieces of sparse files, in the formats of GNU tar.

use std::io::Read;

use super::error::ArchiveErrorKind;
use super::pax::Records;

/// A piece of a file: its offset and its length.
pub(in crate::run) type Piece = (u64, u64);

/// The maximum number of pieces of a file.
pub(super) const MOST_PIECES: usize = 1 << 20;

/// Checks that pieces are in order within a file of `size` bytes, and have `stored` bytes together.
///
/// # Errors
/// They are not.
pub(super) fn check(pieces: &[Piece], size: u64, stored: u64) -> Result<(), ArchiveErrorKind> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for (offset, length) in pieces {
        if *offset < end {
            return Err(ArchiveErrorKind::Sparse);
        }
        end = offset.checked_add(*length).ok_or(ArchiveErrorKind::Sparse)?;
        sum = sum.checked_add(*length).ok_or(ArchiveErrorKind::Sparse)?;
    }
    if end <= size && sum == stored { Ok(()) } else { Err(ArchiveErrorKind::Sparse) }
}

/// Reads the pieces from pax records, in the formats 0.0 and 0.1.
///
/// # Errors
/// A number is malformed.
pub(super) fn in_records(records: &Records) -> Result<Option<Vec<Piece>>, ArchiveErrorKind> {
    if let Some(map) = records.get("GNU.sparse.map") {
        let numbers = map.split(|byte| *byte == b',').map(number).collect::<Result<Vec<_>, _>>()?;
        return pairs(&numbers).map(Some);
    }
    let mut numbers = Vec::new();
    for (key, value) in records.iter() {
        // An offset precedes its length.
        let wanted = if numbers.len().is_multiple_of(2) {
            "GNU.sparse.offset"
        } else {
            "GNU.sparse.numbytes"
        };
        if key == wanted.as_bytes() {
            numbers.push(number(value)?);
        }
    }
    if numbers.is_empty() { Ok(None) } else { pairs(&numbers).map(Some) }
}

/// Reads the pieces before the content, in the format 1.0: one number per line, in whole blocks.
/// Also returns the number of bytes read.
///
/// # Errors
/// A number is malformed, or the archive ends.
pub(super) fn before_content(
    content: &mut dyn Read,
) -> Result<(Vec<Piece>, u64), ArchiveErrorKind> {
    let mut taken = 0;
    let (mut numbers, mut digits) = (Vec::new(), Vec::new());
    let mut wanted = None;
    loop {
        let mut block = [0; 512];
        content.read_exact(&mut block)?;
        taken += 512;
        for byte in block {
            if wanted == Some(numbers.len()) {
                // The rest of the block is empty.
                break;
            }
            if byte != b'\n' {
                digits.push(byte);
                if digits.len() > 20 {
                    return Err(ArchiveErrorKind::Sparse);
                }
                continue;
            }
            let number = number(&digits)?;
            digits.clear();
            match wanted {
                None => {
                    let pieces = usize::try_from(number).unwrap_or(usize::MAX);
                    if pieces > MOST_PIECES {
                        return Err(ArchiveErrorKind::Sparse);
                    }
                    wanted = Some(pieces * 2);
                }
                Some(_) => numbers.push(number),
            }
        }
        if wanted == Some(numbers.len()) {
            return Ok((pairs(&numbers)?, taken));
        }
    }
}

fn number(digits: &[u8]) -> Result<u64, ArchiveErrorKind> {
    let text = std::str::from_utf8(digits).ok();
    text.and_then(|text| text.parse().ok()).ok_or(ArchiveErrorKind::Sparse)
}

fn pairs(numbers: &[u64]) -> Result<Vec<Piece>, ArchiveErrorKind> {
    if !numbers.len().is_multiple_of(2) || numbers.len() > 2 * MOST_PIECES {
        return Err(ArchiveErrorKind::Sparse);
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_in_their_file() {
        check(&[(0, 2), (2, 3), (10, 0)], 10, 5).unwrap();
        for (pieces, size, stored) in [
            (vec![(0, 2), (1, 1)], 10, 3),
            (vec![(8, 3)], 10, 3),
            (vec![(0, 2)], 10, 3),
            (vec![(u64::MAX, 2)], 10, 2),
        ] {
            assert!(check(&pieces, size, stored).is_err(), "{pieces:?}");
        }
    }

    #[test]
    fn every_form_is_read() {
        let read = |text: &[u8]| in_records(&Records::read(text).unwrap()).unwrap();
        assert_eq!(read(b"26 GNU.sparse.map=0,1,5,2\n"), Some(vec![(0, 1), (5, 2)]));
        let mut records = Records::default();
        for (key, value) in [("offset", "0"), ("numbytes", "1"), ("offset", "5"), ("numbytes", "2")]
        {
            records.push(format!("GNU.sparse.{key}"), value);
        }
        assert_eq!(in_records(&records).unwrap(), Some(vec![(0, 1), (5, 2)]));
        assert_eq!(in_records(&Records::default()).unwrap(), None);
        let mut content = b"2\n0\n1\n5\n2\n".to_vec();
        content.resize(512, 0);
        content.extend(b"abc");
        let mut content = content.as_slice();
        assert_eq!(before_content(&mut content).unwrap(), (vec![(0, 1), (5, 2)], 512));
        assert_eq!(content, b"abc");
        let mut endless = [b'9'; 512].as_slice();
        assert!(before_content(&mut endless).is_err());
        let many = format!("{}\n", u64::MAX);
        let mut block = many.into_bytes();
        block.resize(512, 0);
        assert!(before_content(&mut block.as_slice()).is_err());
    }
}

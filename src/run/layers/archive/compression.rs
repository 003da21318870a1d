//! Compression of archives: gzip, xz and zstd, detected by their first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Check, MtStreamBuilder};
use liblzma::write::XzEncoder;
use sha2::{Digest, Sha256};

use super::error::ArchiveErrorKind;
use crate::run::layers::hash::hexadecimal;
use crate::run::layers::progress::Task;
use crate::spec::Compression;
use crate::sys::Errno;

/// The number of bytes to read and to send at once.
const PIECE: usize = 256 << 10;
/// The memory limit of xz, in bytes: `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 512 << 20;
/// The limit of the window of zstd, as a logarithm: `zstd --ultra -22` needs 27, which is 128 MiB.
const ZSTD_WINDOW: u32 = 27;
/// The block size of xz, in bytes. The output depends on it, but not on the number of processors.
const XZ_BLOCK: u64 = 16 << 20;

/// The error of truncated compressed data.
pub(in crate::run) const CUT_OFF: &str = "it ends too early";

/// A file that is read once, with a count of its bytes, and a hash if requested.
struct Counted<'a> {
    file: File,
    digest: Option<Sha256>,
    task: &'a Task,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        self.task.add(length as u64);
        if let Some(digest) = &mut self.digest {
            digest.update(&buffer[..length]);
        }
        Ok(length)
    }
}

/// The decompressed bytes of a file, from another thread.
#[derive(Debug)]
pub(in crate::run) struct Decoded {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
}

impl Decoded {
    /// Wraps a receiver.
    pub fn new(pieces: Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { pieces, piece: Vec::new(), taken: 0 }
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            // The sender is gone at the end.
            self.piece = self.pieces.recv().unwrap_or(Ok(Vec::new()))?;
            self.taken = 0;
        }
        let length = (&self.piece[self.taken..]).read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

/// Decompresses `file` and sends the bytes. Without `compression`, it is detected from the first
/// bytes. Stops early if the receiver is gone. Returns the sha256 of the file if `hashes` is set.
pub(in crate::run) fn decode(
    file: File,
    compression: Option<Compression>,
    hashes: bool,
    task: &Task,
    sender: &SyncSender<io::Result<Vec<u8>>>,
) -> Option<String> {
    let counted = Counted { file, digest: hashes.then(Sha256::new), task };
    let mut input = BufReader::with_capacity(PIECE, counted);
    let found = match input.fill_buf() {
        Ok(first) => compression.unwrap_or(Compression::of_bytes(first)),
        Err(error) => {
            let _ = sender.send(Err(error));
            return None;
        }
    };
    let done = decompress(&mut input, found, sender);
    match done {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => {
            let error = unsound(found, error);
            let _ = sender.send(Err(error));
            return None;
        }
    }
    // The sha256 includes bytes after the compressed data.
    if hashes && io::copy(&mut input, &mut io::sink()).is_err() {
        return None;
    }
    input.into_inner().digest.map(hexadecimal)
}

fn decompress(
    input: &mut dyn BufRead,
    compression: Compression,
    sender: &SyncSender<io::Result<Vec<u8>>>,
) -> io::Result<bool> {
    match compression {
        Compression::None => send(input, sender),
        Compression::Gzip => send(&mut MultiGzDecoder::new(input), sender),
        Compression::Xz => decompress_xz(input, sender),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            send(&mut decoder, sender)
        }
    }
}

/// Decompresses a sequence of streams, each with as many threads as it has blocks.
fn decompress_xz(
    input: &mut dyn BufRead,
    sender: &SyncSender<io::Result<Vec<u8>>>,
) -> io::Result<bool> {
    loop {
        let stream = MtStreamBuilder::new()
            .threads(processors())
            .memlimit_threading(XZ_MEMORY)
            .memlimit_stop(XZ_MEMORY)
            .decoder()?;
        if !send(&mut XzDecoder::new_stream(&mut *input, stream), sender)? {
            return Ok(false);
        }
        // The format allows zeros between streams, and after the last one.
        loop {
            let rest = input.fill_buf()?;
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            if rest.is_empty() {
                return Ok(true);
            }
            if zeros == 0 {
                break;
            }
            input.consume(zeros);
        }
    }
}

/// The number of threads to use.
fn processors() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(processors).unwrap_or(1)
}

/// Sends all input; returns false if the receiver is gone.
fn send(input: &mut dyn Read, sender: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<bool> {
    loop {
        let mut piece = vec![0; PIECE];
        let mut filled = 0;
        // Whole pieces, because each one wakes the other thread.
        while filled < piece.len() {
            match input.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    piece.truncate(filled);
                    // An empty piece would mean the end.
                    if filled > 0 {
                        let _ = sender.send(Ok(piece));
                    }
                    return Err(error);
                }
            }
        }
        piece.truncate(filled);
        let ended = filled < PIECE;
        if filled > 0 && sender.send(Ok(piece)).is_err() {
            return Ok(false);
        }
        if ended {
            return Ok(true);
        }
    }
}

/// Converts the error of a decoder: an error of the file itself, or damaged data.
fn unsound(compression: Compression, error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() {
        return error;
    }
    let mut why = error.to_string();
    // Both libraries report a failed allocation only in words.
    if why.contains("not enough memory") || why.contains("allocate memory") {
        return Errno::NO_MEMORY.into();
    }
    let cut_off = ["incomplete frame", "unexpected end", "premature"];
    let is_cut_off = cut_off.iter().any(|words| why.to_lowercase().contains(words));
    if is_cut_off || error.kind() == io::ErrorKind::UnexpectedEof {
        CUT_OFF.clone_into(&mut why);
    }
    ArchiveErrorKind::Compression(compression.name(), why).into()
}

/// A writer that compresses.
pub(in crate::run) enum Encoder<W: Write> {
    /// Without compression.
    None(W),
    /// By gzip.
    Gzip(GzEncoder<W>),
    /// By xz.
    Xz(XzEncoder<W>),
    /// By zstd.
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// Creates an encoder that writes to `inner`. The output is the same on every machine.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn new(inner: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(inner),
            // flate2 writes no name and no time by default.
            Compression::Gzip => Self::Gzip(GzEncoder::new(inner, flate2::Compression::new(6))),
            Compression::Xz => {
                let stream = MtStreamBuilder::new()
                    .threads(processors())
                    .block_size(XZ_BLOCK)
                    .preset(6)
                    .check(Check::Crc64)
                    .encoder()?;
                Self::Xz(XzEncoder::new_stream(inner, stream))
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(inner, 3)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::None(inner) => Ok(inner),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Xz(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(inner) => inner.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Xz(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(inner) => inner.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Xz(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

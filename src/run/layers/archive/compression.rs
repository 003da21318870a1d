//! Compression of archives: gzip, xz and zstd, told apart by their first bytes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Check, MtStreamBuilder};
use liblzma::write::XzEncoder;
use sha2::{Digest, Sha256};

use crate::run::layers::hash::hexadecimal;
use crate::run::layers::progress::Task;
use crate::spec::Compression;
use crate::sys::Errno;

/// How much is read, and passed on, at a time.
const PIECE: usize = 256 << 10;
/// The memory that xz may use, however much an archive asks for: `xz -9` takes 65 MiB.
const XZ_MEMORY: u64 = 512 << 20;
/// The logarithm of the window that zstd may use: `zstd --ultra -22` takes 27, which is 128 MiB.
const ZSTD_WINDOW: u32 = 27;
/// How much xz compresses on its own: what comes out depends on this, and not on the processors.
const XZ_BLOCK: u64 = 16 << 20;

/// What is wrong with compressed bytes that end too early.
pub(in crate::run) const CUT_OFF: &str = "it is truncated";

/// What is wrong with compressed bytes, as an error of reading them.
#[derive(Debug)]
pub(in crate::run) struct Unsound {
    /// How they are compressed.
    pub name: &'static str,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Unsound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "no sound {}: {}", self.name, self.why)
    }
}

impl std::error::Error for Unsound {}

/// A file that is read once: its bytes are counted, and hashed where that is asked for.
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

/// The decompressed bytes of a file, which another thread sends.
#[derive(Debug)]
pub(in crate::run) struct Decoded {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
}

impl Decoded {
    /// What is received here.
    pub fn new(pieces: Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { pieces, piece: Vec::new(), taken: 0 }
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            // Nobody sends any more at the end.
            self.piece = self.pieces.recv().unwrap_or(Ok(Vec::new()))?;
            self.taken = 0;
        }
        let length = (&self.piece[self.taken..]).read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

/// Sends what is in `file`, decompressed; `compression` is what its first bytes say where that is
/// not given. Ends early where nobody listens any more. Gives the sha256 of the file, where `hashes`.
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
    // What follows the compressed bytes counts for the sha256.
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

/// As many streams as follow each other, each by as many threads as it has blocks for.
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

/// How many threads there are room for.
fn processors() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(processors).unwrap_or(1)
}

/// Whether everything could be sent.
fn send(input: &mut dyn Read, sender: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<bool> {
    loop {
        let mut piece = vec![0; PIECE];
        let mut filled = 0;
        // In whole pieces, as every one of them wakes the other thread.
        while filled < piece.len() {
            match input.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    piece.truncate(filled);
                    // An empty one would be the end.
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

/// The error of a decoder: that of the file itself, or that the bytes are not sound.
fn unsound(compression: Compression, error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() {
        return error;
    }
    let mut why = error.to_string();
    // Both libraries allocate by themselves, and have only words for that.
    if why.contains("not enough memory") || why.contains("allocate memory") {
        return Errno::NO_MEMORY.into();
    }
    let cut_off = ["incomplete frame", "unexpected end", "premature"];
    let is_cut_off = cut_off.iter().any(|words| why.to_lowercase().contains(words));
    if is_cut_off || error.kind() == io::ErrorKind::UnexpectedEof {
        CUT_OFF.clone_into(&mut why);
    }
    let unsound = Unsound { name: compression.name(), why };
    io::Error::new(io::ErrorKind::InvalidData, unsound)
}

/// Compresses what is written to it.
pub(in crate::run) enum Encoder<W: Write> {
    /// Not at all.
    None(W),
    /// By gzip.
    Gzip(GzEncoder<W>),
    /// By xz.
    Xz(XzEncoder<W>),
    /// By zstd.
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// An encoder that writes to `inner`. The same bytes become the same bytes, on every machine.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(inner: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(inner),
            // Without a name and a time, as flate2 writes it by itself.
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

    /// Writes what is left.
    ///
    /// # Errors
    /// Those of writing.
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

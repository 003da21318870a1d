//! Digests, and parallel work.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use crate::sys::Errno;

/// The sha256 of bytes, as hexadecimal digits.
pub(in crate::run) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// The sha256 of bytes, as hexadecimal digits.
#[must_use]
pub fn digest_of_bytes(bytes: &[u8]) -> String {
    sha256(bytes)
}

/// A digest as hexadecimal digits.
pub(in crate::run) fn hexadecimal(digest: Sha256) -> String {
    let mut digits = String::with_capacity(64);
    for byte in digest.finalize() {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The number of bytes to read at once.
const PIECE: usize = 256 << 10;

/// Reads a file to its end, and returns its size and sha256. Writes the bytes to `target`, if
/// given.
///
/// # Errors
/// read(2) or write(2).
pub(in crate::run) fn read_hashed(
    mut source: &File,
    mut target: Option<&File>,
) -> io::Result<(u64, String)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; PIECE];
    let mut size = 0;
    loop {
        if crate::sys::interrupted().is_some() {
            return Err(Errno::INTERRUPTED.into());
        }
        let length = match source.read(&mut buffer) {
            Ok(0) => return Ok((size, hexadecimal(digest))),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = &buffer[..length];
        digest.update(piece);
        if let Some(target) = &mut target {
            target.write_all(piece)?;
        }
        size += length as u64;
    }
}

/// Runs independent jobs on all processors. Every thread has ended when this returns, because
/// namespaces require nsscript to have a single thread.
///
/// # Errors
/// The error of the first failed job, in order.
pub(in crate::run) fn in_parallel<J: Sync, T: Send, E: Send>(
    jobs: &[J],
    one: &(dyn Fn(&J) -> Result<T, E> + Sync),
) -> Result<Vec<T>, (usize, E)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { return done };
            let result = one(job);
            let failed = result.is_err();
            done.push((index, result));
            if failed {
                // Later jobs are not started.
                next.fetch_max(jobs.len(), Ordering::Relaxed);
            }
        }
    };
    let mut done = std::thread::scope(|scope| {
        // At the limit of threads, fewer are used.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(start).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(index, done)| done.map_err(|error| (index, error))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_once_and_answers_come_in_order() {
        let jobs: Vec<usize> = (0..1000).collect();
        let doubled = in_parallel(&jobs, &|job| Ok::<_, ()>(job * 2)).unwrap();
        assert_eq!(doubled, jobs.iter().map(|job| job * 2).collect::<Vec<_>>());
        let failed =
            in_parallel(&jobs, &|job| if [7, 900].contains(job) { Err(()) } else { Ok(()) });
        assert_eq!(failed.unwrap_err().0, 7);
        assert!(in_parallel(&[], &|(): &()| Ok::<_, ()>(())).unwrap().is_empty());
    }

    #[test]
    fn what_is_read_is_hashed_and_copied() {
        let directory = std::env::temp_dir();
        let [from, to] = ["from", "to"]
            .map(|name| directory.join(format!("nsscript-hash-{name}-{}", std::process::id())));
        let bytes = vec![7; PIECE + 3];
        std::fs::write(&from, &bytes).unwrap();
        let target = File::create(&to).unwrap();
        let (size, hash) = read_hashed(&File::open(&from).unwrap(), Some(&target)).unwrap();
        assert_eq!((size, hash), (bytes.len() as u64, sha256(&bytes)));
        assert!(std::fs::read(&to).unwrap() == bytes);
        for path in [from, to] {
            std::fs::remove_file(path).unwrap();
        }
    }
}

//! Threads that write small files, to use all processors.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use crate::run::layers::hash::sha256;
use crate::run::layers::tree::set_attributes;
use crate::sys::{self, Beneath, Errno, FileAttributes};

/// The maximum number of files in the queue.
const WAITING: usize = 64;

/// A small file to write.
pub(super) struct Small {
    /// Its path, relative to the tree.
    pub path: PathBuf,
    pub content: Vec<u8>,
    pub mode: u32,
    pub modified: i64,
    pub attributes: FileAttributes,
}

/// The path of a written file, and the sha256 of its content.
pub(super) type WrittenFile = (PathBuf, Result<String, Errno>);

/// The threads, which end when this is dropped.
pub(super) struct Writers<'r> {
    root: &'r Beneath,
    /// The queue; `None` if no thread could be started.
    jobs: Option<SyncSender<Small>>,
    done: Receiver<WrittenFile>,
    /// The files written by this thread in that case.
    own: Vec<WrittenFile>,
    /// The number of files without a result.
    open: usize,
}

impl<'r> Writers<'r> {
    /// Starts a thread per processor; they write beneath `root`.
    pub fn start<'scope>(scope: &'scope Scope<'scope, '_>, root: &'r Beneath) -> Self
    where
        'r: 'scope,
    {
        let (jobs, waiting) = sync_channel::<Small>(WAITING);
        let (sender, done) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let start = |_: &usize| {
            let (waiting, sender) = (waiting.clone(), sender.clone());
            let thread = std::thread::Builder::new();
            thread.spawn_scoped(scope, move || work(root, &waiting, &sender)).is_ok()
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let started = (0..processors).take_while(start).count();
        Self { root, jobs: (started > 0).then_some(jobs), done, own: Vec::new(), open: 0 }
    }

    /// The directory beneath which they write.
    pub fn root(&self) -> &'r Beneath {
        self.root
    }

    /// Queues a file.
    pub fn write(&mut self, small: Small) {
        // The threads outlive the queue.
        if let Some(jobs) = &self.jobs {
            self.open += usize::from(jobs.send(small).is_ok());
        } else {
            let written = write(self.root, &small);
            self.own.push((small.path, written));
        }
    }

    /// Returns a finished file, if any.
    pub fn heard(&mut self) -> Option<WrittenFile> {
        if let Some(written) = self.own.pop() {
            return Some(written);
        }
        let written = self.done.try_recv().ok()?;
        self.open -= 1;
        Some(written)
    }

    /// Waits for a file to be written; `None` if all are.
    pub fn wait(&mut self) -> Option<WrittenFile> {
        if self.open == 0 {
            return self.own.pop();
        }
        self.open -= 1;
        self.done.recv().ok()
    }
}

fn work(root: &Beneath, waiting: &Mutex<Receiver<Small>>, sender: &Sender<WrittenFile>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(small) = next else { return };
        let written = write(root, &small);
        if sender.send((small.path, written)).is_err() {
            return;
        }
    }
}

fn write(root: &Beneath, small: &Small) -> Result<String, Errno> {
    use std::io::Write;
    let mut file = root.create(&small.path)?;
    file.write_all(&small.content).map_err(|error| Errno::from(&error))?;
    set_attributes(&file, &small.attributes, false)?;
    sys::finish(&file, small.mode, Some((small.modified, 0)))?;
    Ok(sha256(&small.content))
}

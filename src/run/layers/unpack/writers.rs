//! Threads that write small files, so that all processors have something to do.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use crate::run::layers::hash::sha256;
use crate::run::layers::tree::set_attributes;
use crate::sys::{self, Beneath, Errno, FileAttributes};

/// How many files wait to be written.
const WAITING: usize = 64;

/// A small file that is to be written.
pub(super) struct Small {
    /// Where, relative to the tree.
    pub path: PathBuf,
    pub content: Vec<u8>,
    pub mode: u32,
    pub modified: i64,
    pub attributes: FileAttributes,
}

/// Where a file was written, and the sha256 of its content.
pub(super) type WrittenFile = (PathBuf, Result<String, Errno>);

/// The threads, which end with this value.
pub(super) struct Writers<'r> {
    root: &'r Beneath,
    /// Where no thread could be started, nobody takes jobs.
    jobs: Option<SyncSender<Small>>,
    done: Receiver<WrittenFile>,
    /// What was written here then.
    own: Vec<WrittenFile>,
    /// How many files were given that nothing was heard of yet.
    open: usize,
}

impl<'r> Writers<'r> {
    /// Starts one thread for every processor; they write beneath `root`.
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

    /// What they write beneath.
    pub fn root(&self) -> &'r Beneath {
        self.root
    }

    /// Has a file written.
    pub fn write(&mut self, small: Small) {
        // The threads end after this.
        if let Some(jobs) = &self.jobs {
            self.open += usize::from(jobs.send(small).is_ok());
        } else {
            let written = write(self.root, &small);
            self.own.push((small.path, written));
        }
    }

    /// A file that was written meanwhile.
    pub fn heard(&mut self) -> Option<WrittenFile> {
        if let Some(written) = self.own.pop() {
            return Some(written);
        }
        let written = self.done.try_recv().ok()?;
        self.open -= 1;
        Some(written)
    }

    /// Waits for a file to be written; none where all are.
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

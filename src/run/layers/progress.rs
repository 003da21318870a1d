//! Progress of long work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The task, such as "unpack `root.tar`".
    pub what: &'a str,
    /// The number of processed bytes.
    pub done: u64,
    /// The total number of bytes.
    pub total: u64,
    /// Whether it has ended, successfully or not.
    pub ended: bool,
}

/// The receiver of progress, called by any thread.
pub type Watcher = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// A task with progress.
pub(in crate::run) struct Task {
    watcher: Option<Watcher>,
    what: String,
    total: u64,
    done: AtomicU64,
}

impl Task {
    /// Starts a task of `total` bytes.
    pub fn begin(watcher: Option<Watcher>, what: String, total: u64) -> Self {
        Self { watcher, what, total, done: AtomicU64::new(0) }
    }

    /// Notes processed bytes.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.tell(done, false);
    }

    fn tell(&self, done: u64, ended: bool) {
        if let Some(watcher) = &self.watcher {
            watcher(Progress { what: &self.what, done, total: self.total, ended });
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.tell(self.done.load(Ordering::Relaxed), true);
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Task").field("what", &self.what).finish_non_exhaustive()
    }
}

//! Doing what a plan says: building roots, launching, waiting, and telling what failed.
//!
//! This layer knows neither the language nor the terminal.

mod advice;
mod archive;
mod build;
mod changes;
mod contents;
mod copier;
mod copy;
mod deputy;
mod doctor;
mod exit;
mod explain;
mod failure;
mod fallback;
mod fork;
mod guest;
mod hash;
mod hint;
mod idmap;
mod image;
mod join;
mod launch;
mod loader;
mod loop_device;
mod lower;
mod manifest;
mod mend;
mod missed;
mod namespace;
mod network;
mod owners;
mod pack;
mod piped;
mod place;
mod privilege;
mod process;
mod progress;
mod raw;
mod refuse;
mod remedy;
mod root;
mod runner;
mod session;
mod stepping;
mod store;
mod stream;
mod telling;
mod terminal;
mod tree;
mod unpack;
mod whereabouts;
mod workspace;

pub use changes::{Change, Changed, Keeping};
pub use contents::Contents;
pub use doctor::{Examination, Fact, Verdict};
pub use exit::{Cause, Exit, Output};
pub use explain::{Explained, Tell};
pub use failure::Failure;
pub use fork::{Body, duplicated, entering, open_process};
pub use image::{ImageType, about_image, check_image_size};
pub use loop_device::attach_loop;
pub use manifest::Manifest;
pub use namespace::{Namespace, namespaces};
pub use network::{Link, Listener, Neighbour, Network, Probe};
pub use piped::MOST_KEPT;
pub use process::Process;
pub use progress::{Progress, Watcher};
pub use raw::read_file;
pub use runner::{Input, Interrupted, Problem, Runner, Warn};
pub use stepping::{Answer, Ask, Stop};
pub use store::{Depth, Listed, NoStore, Store, Stored};
pub use whereabouts::Whereabouts;
pub use workspace::{own_directory, refuse_writable};

pub use crate::sys::{
    CapabilitySets, Clock, Errno, Heap, Held, Interface, LONGEST_TEXT, LoopDevice, LoopSettings,
    Uname, Usage, capabilities, clock, die_with_us, fail_at_file_limits, forget_interruptions,
    groups, has_terminal, ids, interfaces, interrupted, is_copy, is_secure_execution, kill,
    memory_in_use, open_to_read, parent_id, pause, process_id, raise_stack_limit, read_all,
    reading_line, ready, shared_byte, signal_name, signal_names, signal_number, thread_id, uname,
    watch_interruptions, working_directory,
};

pub use crate::sys::terminal_width;

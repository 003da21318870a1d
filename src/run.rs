//! Execution of plans: building roots, launching, waiting, and reporting failures.
//!
//! This layer knows neither the language nor the terminal.

mod advice;
mod base;
mod doctor;
mod launch;
mod layers;
mod network;
mod raw;
mod remedy;
mod runner;
mod session;
mod trace;
mod workspace;

pub use advice::action_error::ActionError;
pub use base::error::{Interrupted, RunError, Warn};
pub use base::report_json::{report_from_json, report_to_json};
pub use doctor::{Examination, Fact, Verdict};
pub use launch::bounds::{Bounds, Timeout};
pub use launch::closure::{Body, duplicated, entering, open_process};
pub use launch::exit::{Cause, Exit, Output};
pub use launch::listener::Listener;
pub use launch::piped::MOST_KEPT;
pub use launch::process::Process;
pub use launch::running::Running;
pub use launch::several::first_ended;
pub use launch::stream::Input;
pub use layers::changes::{Change, Changed, Keeping};
pub use layers::contents::Contents;
pub use layers::hash::digest_of_bytes;
pub use layers::manifest::Manifest;
pub use layers::progress::{Progress, Watcher};
pub use layers::store::{Depth, Listed, Store, StoreError, Stored};
pub use network::{Dropped, Link, Neighbour, Network, Probe};
pub use raw::attach_loop::attach_loop;
pub use raw::image::{ImageType, about_image, check_image_size};
pub use raw::listing::{Found, MOST_PATHS, digest_of, found, names, read_standard_input};
pub use raw::open_output::open_each;
pub use raw::passed::{checked as checked_fd, pass_fd};
pub use raw::privilege::signal;
pub use raw::read_file;
pub use runner::Runner;
pub use session::namespace::{Namespace, namespaces};
pub use trace::explain::{Explained, Tell};
pub use trace::stepping::{Answer, Ask, Pause};
pub use trace::whereabouts::Whereabouts;

// `Runner` holds these rooms and has the methods of all of them.
pub use base::Machine;
pub use launch::launcher::Launcher;
pub use layers::Layers;
pub use network::Networks;
pub use raw::RawCalls;
pub use session::Caller;
pub use trace::Trace;
pub use workspace::{Directories, own_directory, refuse_writable};

pub use crate::sys::{
    CapabilitySets, Clock, Errno, Heap, Held, Interface, LONGEST_TEXT, LoopDevice, LoopSettings,
    Uname, Usage, capabilities, clock, die_with_us, fail_at_file_limits, forget_interruptions,
    groups, has_terminal, ids, interfaces, interrupted, is_copy, is_secure_execution,
    kernel_version, kill, memory_in_use, open_to_read, own_process, parent_id, pause, process_id,
    raise_stack_limit, random, read_all, reading_line, ready, shared_byte, signal_name,
    signal_names, signal_number, thread_id, uname, watch_interruptions, working_directory,
};

pub use crate::sys::terminal_width;

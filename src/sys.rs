//! The kernel: prepared system calls, the process that performs them, and what the parent asks.
//!
//! The only layer with `unsafe`, and the only one that names `libc` and `nix`. It exports safe
//! functions and does not know what a sandbox is.
#![allow(unsafe_code, reason = "this is the layer that speaks to the kernel")]

mod background;
mod call;
mod change_root;
mod clone;
mod credentials;
mod descendants;
mod entries;
mod errno;
mod fault_slot;
mod file;
mod fork;
mod held;
mod helper;
mod init;
mod interface;
mod interruptible;
mod kernel;
mod kernel_probe;
mod keyring;
mod loop_device;
mod memory;
mod memory_file;
mod mount;
mod mount_id;
mod mount_tree;
mod netlink;
mod netns_job;
mod nsfs;
mod overlay;
mod passed;
mod perform;
mod process;
mod process_info;
mod program;
mod pty;
mod raw;
mod refusal;
mod removal;
mod shared;
mod signal;
mod stack;
mod stdio;
mod syscall;
mod target;
mod terminal;
mod user_namespace;
mod wait;
mod watch;
mod xattr;

pub use background::{begin_session, descriptors, forget_handlers, leave_streams_and_directory};
pub use call::{
    Attributes, Base, Call, Create, Examined, Identity, MOST_ASIDE, MountPropagation, Overlay,
    Passed, Target, Tree, UpperWork,
};
pub use clone::keeps_threads;
pub use clone::pidfd_open;
pub use credentials::{ids, is_secure_execution, kernel_version};
pub use descendants::Descendants;
pub use errno::Errno;
pub use file::{
    Beneath, Lock, Node, finish, largest_file, lock_directory, lock_file, make_private_directory,
    may_write, may_write_to, most_descriptors, open_output, own, random, rename_new, share_blocks,
    share_directory, touch, wait_for_lock,
};
pub use fork::{close, detach, differing, duplicate, fork, is_copy, keep_only};
pub use held::{Distrust, FileName, Held, WalkError, shown};
pub use helper::{die_with_us, run_helper, version_of};
pub use interface::{Interface, interfaces};
pub use interruptible::{
    LONGEST_TEXT, Writing, open_at_once, open_to_read, open_to_write, read_all, write_all,
};
pub use kernel_probe::{
    KernelProbe, cgroup_version, landlock_version, probe_kernel, seccomp_actions,
};
pub use loop_device::{LoopDevice, LoopError, LoopSettings, attach_loop, attached};
pub use memory::{Heap, memory_in_use};
pub use memory_file::shown_in_proc;
pub use mount_id::mount_id;
pub use mount_tree::id_mapped;
pub use netlink::{Netlink, Protocol, answer_datagram, listen_in, open_in, socket_in, sockets};
pub use nsfs::{inode, open_namespace, owner_of, parent_of};
pub use passed::{Referred, of_caller, referred};
pub use process::{Child, PATIENCE, Status, Usage, ready, set_nonblocking};
pub use process_info::{
    CapabilitySets, Clock, Uname, capabilities, clock, groups, parent_id, process_id,
    terminal_width, thread_id, uname, working_directory,
};
pub use program::{CStrings, Enter, LaunchError, Program, Step, flags, spawn};
pub use pty::{OwnTerminal, has_terminal, open_terminal, receive, terminal_sockets};
pub use raw::{
    Raw, act, adopt_orphans, device, device_numbers, end_children, execute, is_in_memory,
    is_of_kernel, is_procfs, leave_alone, namespace_inode,
};
pub use refusal::refusal;
pub use shared::{SharedNumbers, shared_byte};
pub use signal::{
    Waiting, fail_at_file_limits, forget_interruptions, ignore_interruptions, interrupted,
    interruption, is_asked_to_end, kill, pause, reading_line, signal_name, signal_names,
    signal_number, watch_interruptions,
};
pub use stack::{hard_limit, raise_stack_limit};
pub use stdio::{
    is_abandoned, read_input, shell, standard_input, standard_output, standard_stream, unread,
    write_output, write_stream,
};
pub use syscall::{CallError, Syscall};
pub use terminal::{
    KeptTerminal, TerminalEvent, TerminalEvents, TerminalState, interrupt, is_foreground,
    is_terminal, stop, terminal_device,
};
pub use user_namespace::{UserNamespace, hold_user_namespace};
pub use wait::{note_ended_children, own_process};
pub use watch::{Times, Watch};
pub use xattr::{
    Attributes as FileAttributes, has_attribute, is_kept, set_attribute, user_attributes,
};

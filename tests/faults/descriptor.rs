//! What a descriptor of another process is.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use nix::unistd::Pid;

/// What a call has as its first argument: that decides how it can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// No descriptor.
    None,
    Pipe,
    Socket,
    Terminal,
    Directory,
    /// A file of /proc.
    Proc,
    /// A file of a file system that may have a disk.
    File,
    /// A device, or something that has no file: an eventfd, a namespace, memory.
    Other,
}

impl Descriptor {
    /// What descriptor `number` of process `pid` is.
    pub fn of(pid: Pid, number: u64) -> Self {
        let path = format!("/proc/{pid}/fd/{number}");
        let (Ok(link), Ok(found)) = (fs::read_link(&path), fs::metadata(&path)) else {
            return Self::None;
        };
        let kind = found.file_type();
        if kind.is_fifo() {
            Self::Pipe
        } else if kind.is_socket() {
            Self::Socket
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_char_device() {
            let is_terminal = link.starts_with("/dev/pts") || link.ends_with("ptmx");
            if is_terminal { Self::Terminal } else { Self::Other }
        } else if link.starts_with("/proc") {
            Self::Proc
        } else if kind.is_file() && link.is_absolute() && !link.starts_with("/memfd:") {
            Self::File
        } else {
            Self::Other
        }
    }
}

//! Loop devices, which present a file as a block device: loop(4).
//!
//! Devices detach themselves as soon as nobody has them open or mounted, so that none is left
//! behind, however nsscript ends.

use std::error::Error;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::call::Attributes;
use super::errno::Errno;
use super::kernel::{Answer, CallError, Syscall, call};
use super::mount;

/// The file that is attached to a loop device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The device of the file's file system.
    pub device: u64,
    /// The inode of the file.
    pub inode: u64,
    /// Whether the loop device refuses writes.
    pub read_only: bool,
}

/// Returns the file that is attached to the loop device `path`: loop(4), `LOOP_GET_STATUS64`.
///
/// # Errors
/// The path is not a loop device, nothing is attached to it, or it may not be opened.
pub fn attached(path: &Path) -> Result<Attached, CallError> {
    const LOOP_GET_STATUS64: u32 = 0x4C05;
    let device = open(path, false)?;
    let mut info = Info::default();
    let place = std::ptr::from_mut(&mut info);
    call!(Ioctl, SYS_ioctl, device.as_raw_fd(), LOOP_GET_STATUS64, place)?;
    let read_only = info.flags & LO_FLAGS_READ_ONLY != 0;
    Ok(Attached { device: info.device, inode: info.inode, read_only })
}

/// The device that finds free loop devices.
const CONTROL: &str = "/dev/loop-control";
/// The maximum number of attempts if other processes take the free device first.
const MOST_RACES: u32 = 64;

/// The attached part of a file, and its options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopSettings {
    /// Whether the device refuses writes. It also does if the file is open for reading only.
    pub read_only: bool,
    /// The start of the device in the file, in bytes.
    pub offset: u64,
    /// The size of the device in bytes; 0 for everything after `offset`.
    pub size_limit: u64,
}

/// The error for a file that could not be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopError {
    /// The device that refused: `/dev/loop-control`, or the free device. If the latter does not
    /// exist (`ENOENT`), the kernel has it nevertheless, and `/dev` is not a devtmpfs.
    pub device: PathBuf,
    /// The call that failed.
    pub error: CallError,
}

impl LoopError {
    /// Whether the kernel returned a device whose node is missing in `/dev`.
    #[must_use]
    pub fn is_missing_node(&self) -> bool {
        self.device != Path::new(CONTROL) && self.error.errno.code() == libc::ENOENT
    }
}

impl fmt::Display for LoopError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.device.display(), self.error)
    }
}

impl Error for LoopError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<LoopError> for CallError {
    fn from(failed: LoopError) -> Self {
        failed.error
    }
}

/// A loop device with a file attached. Dropping this detaches it, or, if it is mounted, the unmount
/// does.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    device: File,
}

impl LoopDevice {
    /// Its path, such as `/dev/loop3`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a mount of the file system on it, of type `kind`, that is attached nowhere, without
    /// set-user-ID bits and devices.
    ///
    /// # Errors
    /// The kernel does not know the type, or refuses the file system.
    pub fn mount(&self, kind: &CStr, read_only: bool) -> Result<OwnedFd, CallError> {
        // SAFETY: fsopen and fsmount return new descriptors that nobody owns.
        let own = |descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) };
        let source = CString::new(self.path.as_os_str().as_bytes()).unwrap_or_default();
        let context = own(mount::fsopen(kind)?);
        let number = context.as_raw_fd();
        mount::fsconfig_set(number, c"source", Some(&source))?;
        if read_only {
            mount::fsconfig_set(number, c"ro", None)?;
        }
        mount::fsconfig_create(number)?;
        let attributes = Attributes::NO_SUID
            .and(Attributes::NO_DEVICES, true)
            .and(Attributes::READ_ONLY, read_only);
        mount::fsmount(number, attributes.bits()).map(own)
    }
}

impl AsFd for LoopDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

/// Attaches `file`, a regular file or a block device, to a free loop device.
///
/// # Errors
/// The caller may not use loop devices, the kernel has none, or it refuses the file.
pub fn attach_loop(file: BorrowedFd<'_>, settings: &LoopSettings) -> Result<LoopDevice, LoopError> {
    let fails = |device: &Path| {
        let device = device.to_path_buf();
        move |error| LoopError { device, error }
    };
    let control = open(Path::new(CONTROL), true).map_err(fails(Path::new(CONTROL)))?;
    let mut races = 0;
    loop {
        let number = free_device(&control).map_err(fails(Path::new(CONTROL)))?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let attached = open(&path, !settings.read_only)
            .and_then(|device| configure(&device, file, settings).map(|()| device));
        match attached {
            Ok(device) => return Ok(LoopDevice { path, device }),
            // Another process has attached something to it meanwhile, or removed it.
            Err(error)
                if matches!(error.errno.code(), libc::EBUSY | libc::ENXIO)
                    && races < MOST_RACES =>
            {
                races += 1;
            }
            Err(error) => return Err(fails(&path)(error)),
        }
    }
}

fn open(path: &Path, write: bool) -> Answer<File> {
    let opened = OpenOptions::new().read(true).write(write).open(path);
    opened.map_err(|error| CallError { syscall: Syscall::Openat, errno: Errno::from(&error) })
}

/// The number of a free device, created if necessary.
fn free_device(control: &File) -> Answer<i64> {
    const LOOP_CTL_GET_FREE: u32 = 0x4C82;
    call!(Ioctl, SYS_ioctl, control.as_raw_fd(), LOOP_CTL_GET_FREE, 0)
}

/// struct loop_info64 of linux/loop.h.
#[repr(C)]
#[derive(Default)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    /// Two names of 64 bytes and a key of 32, which are obsolete or only shown.
    names_and_key: [[u8; 32]; 5],
    init: [u64; 2],
}

/// struct `loop_config` of linux/loop.h.
#[repr(C)]
#[derive(Default)]
struct Config {
    file: u32,
    /// 0: the kernel chooses.
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

const LO_FLAGS_READ_ONLY: u32 = 1;

const _: () = assert!(size_of::<Info>() == 232 && size_of::<Config>() == 304);

/// Attaches `file` and sets everything in one step.
fn configure(device: &File, file: BorrowedFd<'_>, settings: &LoopSettings) -> Answer<()> {
    const LOOP_CONFIGURE: u32 = 0x4C0A;
    const LO_FLAGS_AUTOCLEAR: u32 = 4;
    let read_only = if settings.read_only { LO_FLAGS_READ_ONLY } else { 0 };
    let info = Info {
        offset: settings.offset,
        size_limit: settings.size_limit,
        flags: LO_FLAGS_AUTOCLEAR | read_only,
        ..Info::default()
    };
    let file = file.as_raw_fd().cast_unsigned();
    let config = Config { file, info, ..Config::default() };
    let config = std::ptr::from_ref(&config);
    call!(Ioctl, SYS_ioctl, device.as_raw_fd(), LOOP_CONFIGURE, config).map(drop)
}

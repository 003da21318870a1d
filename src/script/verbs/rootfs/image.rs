//! Disk images: host files that contain a file system.

use crate::run::{ImageType, about_image, check_image_size};
use crate::script::binding::argument::{HostPath, Size};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["image.rs";
    fn disk_image,
];

options! {
    /// The contents of an image.
    struct Image {
        /// the type of the file system; the host needs `mkfs.TYPE`
        r#type: String = "\"ext4\"",
    }
}

/// Creates a file on the host that contains an empty file system, and returns its path.
///
/// The file is sparse: it uses disk space only as it fills. Its mode is 0600, because whoever can
/// read an image can read every file in it. `mkfs.TYPE` is looked up in the system directories and
/// in `PATH`. Known types are `ext4`, `ext3`, `ext2`, `xfs`, `btrfs`, `vfat`, `exfat`, `f2fs` and
/// `ntfs`. Root is not needed.
///
/// # Errors
/// The path exists already, or its directory does not. The size is too small for the file system,
/// the disk is full, or `mkfs.TYPE` is not installed. The file is removed in that case.
///
/// # Example
/// ```rhai
/// let disk = disk_image("disk.img", "16M", #{ type: "ext4" });
/// assert(exists(disk));
/// ```
/// # See
/// mkfs(8), mke2fs(8), loop(4)
fn disk_image(
    call: &Call<'_, '_>,
    path: HostPath,
    size: Size,
    options: Image,
) -> Result<String, VerbError> {
    let (HostPath(path), Size(size)) = (path, size);
    let host = call.context.runner.host();
    let kind = ImageType::new(options.r#type.as_deref().unwrap_or("ext4"), host)
        .map_err(|report| call.fail_at_key("type", about_image(report, &path)))?;
    check_image_size(size, &kind).map_err(|report| call.fail(about_image(report, &path)))?;
    let made = call.effects().disk_image(&path, size, &kind, call);
    made.map_err(|error| call.found_here(error))?;
    Ok(path.to_string_lossy().into_owned())
}

//! Files of the host with a file system in them.

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
    /// What is in an image.
    struct Image {
        /// the type of the file system, for which the host has a `mkfs.TYPE`
        r#type: String = "\"ext4\"",
    }
}

/// Makes a new file of the host with an empty file system in it, and gives its path.
///
/// The file is sparse: it takes up space as the file system fills. Only its owner can read and
/// write it (mode 0600), as whoever reads an image reads every file in it. `mkfs.TYPE` is
/// looked for in the system's directories, then along `PATH`; known are `ext4`, `ext3`, `ext2`,
/// `xfs`, `btrfs`, `vfat`, `exfat`, `f2fs` and `ntfs`. Root is not needed.
///
/// # Errors
/// Something is at the path already, its directory is missing, the size is too small for the
/// file system, the disk is full, or the `mkfs` is not installed. Nothing is left of the file
/// then.
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
    check_image_size(size).map_err(|report| call.fail(about_image(report, &path)))?;
    let made = call.effects().disk_image(&path, size, &kind, call);
    made.map_err(|error| call.found_here(error))?;
    Ok(path.to_string_lossy().into_owned())
}

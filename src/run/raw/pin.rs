//! Namespaces kept by a bind mount of their file.

use std::path::Path;

use super::{CallError, RawCalls};
use crate::diag::Origin;
use crate::ops::raw::Pin;
use crate::run::base::error::RunError;
use crate::run::raw;
use crate::run::session::namespace::Namespace;
use crate::spec::MountFlags;
use crate::sys::{Errno, Raw, Syscall};

impl RawCalls {
    /// Keeps a namespace by a bind mount of its file at `path`, where nothing is yet.
    ///
    /// # Errors
    /// Something is at the path, or the mount is refused.
    pub fn pin(
        &self,
        namespace: &Namespace,
        path: &Path,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        use std::os::fd::AsRawFd;
        let action = Pin { namespace: namespace.to_string(), path: path.to_path_buf() };
        let source = format!("/proc/self/fd/{}", namespace.descriptor().as_raw_fd());
        self.act_by(action.into(), origin, || {
            std::fs::File::create_new(path).map_err(|error| CallError {
                syscall: Syscall::Openat,
                errno: Errno::from(&error),
            })?;
            let mounted = raw::done(&Raw::Mount {
                source: raw::text(source.as_bytes()).into(),
                target: raw::c(path),
                kind: None,
                flags: MountFlags::BIND.0,
                data: None,
            });
            if mounted.is_err() {
                let _ = std::fs::remove_file(path);
            }
            mounted
        })
    }
}

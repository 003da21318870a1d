//! Paths inside a sandbox.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::value_error::ValueError;
use crate::diag::quoted;

/// The longest path the kernel takes, with its final NUL: `PATH_MAX` of limits.h.
const LONGEST: usize = 4096;
/// The longest name of one directory entry: `NAME_MAX` of limits.h.
const LONGEST_NAME: usize = 255;

/// An absolute path as a program inside the sandbox writes it: `/`, or `/` and names that are
/// neither empty nor `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(Arc<str>);

impl GuestPath {
    /// Reads a path; repeated slashes and `.` are dropped.
    ///
    /// # Errors
    /// The path is empty, relative or too long, contains `..` or a NUL byte, or passes through a
    /// link of a process in `/proc` (these lead out of the root).
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let shown = quoted(text);
        if text.is_empty() {
            return Err(
                ValueError::new("the path is empty").hint("write a path that begins with `/`")
            );
        }
        if !text.starts_with('/') {
            let error = ValueError::new(format!("{shown} is not an absolute path"));
            let absolute = quoted(format!("/{text}"));
            return Err(error.hint(format!("write an absolute path: {absolute}")));
        }
        if text.contains('\0') {
            return Err(ValueError::new(format!("{shown} contains a NUL byte")));
        }
        let mut out = String::with_capacity(text.len());
        for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." {
                let error = ValueError::new(format!("{shown} contains `..`"));
                return Err(error.hint("write the path without `..`"));
            }
            if name.len() > LONGEST_NAME {
                let error = format!("a name in {shown} is longer than {LONGEST_NAME} bytes");
                return Err(ValueError::new(error));
            }
            out.push('/');
            out.push_str(name);
        }
        if out.len() >= LONGEST {
            return Err(ValueError::new(format!("the path is longer than {} bytes", LONGEST - 1)));
        }
        if out.is_empty() {
            out.push('/');
        }
        let path = Self(out.into());
        if path.is_of_a_process() {
            let error = ValueError::new(format!("{shown} passes through a link of a process"));
            return Err(
                error.hint("links below `/proc/PID` lead out of the root; use the real path")
            );
        }
        Ok(path)
    }

    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// `/proc/self/…`, `/proc/thread-self/…` and `/proc/NUMBER/…`.
    fn is_of_a_process(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("/proc/") else { return false };
        let first = rest.split('/').next().unwrap_or_default();
        matches!(first, "self" | "thread-self") || first.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The path as text, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path relative to the root: without its `/`, or `.` for the root itself.
    #[must_use]
    pub fn relative(&self) -> &str {
        match &self.0[1..] {
            "" => ".",
            path => path,
        }
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        Path::new(self.as_str()).starts_with(other.as_str())
    }

    /// The rest of this path after `base`, relative; empty for `base` itself.
    #[must_use]
    pub fn below(&self, base: &Self) -> Option<&Path> {
        Path::new(self.as_str()).strip_prefix(base.as_str()).ok()
    }

    /// This path and one more name or relative path.
    ///
    /// # Errors
    /// As for [`GuestPath::new`].
    pub fn join(&self, name: &str) -> Result<Self, ValueError> {
        Self::new(&format!("{}/{name}", self.0))
    }

    /// The parent directory; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/').filter(|_| !self.is_root())?;
        Some(Self(if parent.is_empty() { "/".into() } else { parent.into() }))
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::GuestPath;

    #[test]
    fn paths_are_put_in_one_form() {
        for (given, wanted) in [("/", "/"), ("//a//b/", "/a/b"), ("/./a/.", "/a"), ("/...", "/...")]
        {
            assert_eq!(GuestPath::new(given).unwrap().as_str(), wanted);
        }
        assert_eq!(GuestPath::new("/").unwrap().relative(), ".");
        assert_eq!(GuestPath::new("/a").unwrap().parent().unwrap().as_str(), "/");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let long = format!("/{}", "x".repeat(256));
        for wrong in ["", "a", "/a/../b", "/..", "/a\0", "/proc/self/root/x", "/proc/1/root", &long]
        {
            assert!(GuestPath::new(wrong).is_err(), "{wrong}");
        }
        assert!(GuestPath::new("/proc/sys").is_ok());
    }

    #[test]
    fn a_path_lies_within_whole_names_only() {
        let path = |text| GuestPath::new(text).unwrap();
        assert!(path("/a/b").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/")));
        assert!(!path("/ab").is_within(&path("/a")));
    }
}

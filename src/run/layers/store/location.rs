//! The location of the store, and its descriptor.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Store, cannot, error_of};
use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::run::workspace::distrust_reason;
use crate::sys::{self, Distrust, Held, WalkError};

/// The reason why no store can be opened at a place.
#[derive(Debug)]
pub enum StoreError {
    /// An existing store is unusable, and the caller must mend it.
    Refused(Report),
    /// Nothing can be kept there; a store for this run replaces it.
    Nowhere(Report),
}

impl StoreError {
    /// The report.
    #[must_use]
    pub fn into_report(self) -> Report {
        match self {
            Self::Refused(report) | Self::Nowhere(report) => report,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(report) | Self::Nowhere(report) => report.fmt(out),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(report) | Self::Nowhere(report) => Some(report),
        }
    }
}

/// The name of the directory of a store.
const NAME: &str = "nsscript";

/// The place of a store, and the part of its path that must exist; the rest is created.
#[derive(Clone, Debug)]
pub struct StorePlace {
    /// The directory.
    pub path: PathBuf,
    existing: PathBuf,
}

impl Store {
    /// The place of the caller's store: `$XDG_CACHE_HOME/nsscript`, or `~/.cache/nsscript`; `None`
    /// if neither is set. A missing home is not created.
    #[must_use]
    pub fn place(host: &Host) -> Option<StorePlace> {
        let absolute = |name: &str| {
            let path = PathBuf::from(host.environment.get(name)?);
            path.is_absolute().then_some(path)
        };
        if let Some(cache) = absolute("XDG_CACHE_HOME") {
            return Some(StorePlace { path: cache.join(NAME), existing: "/".into() });
        }
        let home = absolute("HOME")?;
        Some(StorePlace { path: home.join(".cache").join(NAME), existing: home })
    }

    /// Opens the store at a place, and creates it if it is missing.
    ///
    /// # Errors
    /// It cannot be created, it belongs to another user, or others can change its contents or its
    /// path.
    pub fn open(place: &StorePlace) -> Result<Self, StoreError> {
        let parent = place.path.parent().unwrap_or(Path::new("/"));
        let parent = Held::walk(parent, &place.existing).map_err(|error| match error {
            WalkError::Call(path, errno) => {
                StoreError::Nowhere(cannot("create", &path, &error_of(errno)))
            }
            WalkError::Distrust(distrust) => Self::distrust(place, &distrust),
        })?;
        let held = parent.make(NAME, 0o700).map_err(|errno| match errno.name().as_str() {
            "ENOTDIR" | "ELOOP" => {
                let shown = quoted(place.path.to_string_lossy());
                let report = Report::error(format!("the store {shown} is not a directory"));
                StoreError::Refused(report.hint("set `XDG_CACHE_HOME` to another directory"))
            }
            _ => StoreError::Nowhere(cannot("create", &place.path, &error_of(errno))),
        })?;
        Self::hold_store(held, &place.path, false)
    }

    /// The report that others can change the path to a place.
    pub(in crate::run) fn distrust(place: &StorePlace, distrust: &Distrust) -> StoreError {
        let shown = quoted(place.path.to_string_lossy());
        let message = format!("cannot keep a store at {shown}: other users could replace it");
        let report = Report::error(message).note(distrust_reason(distrust));
        StoreError::Nowhere(
            report.hint(
                "set `XDG_CACHE_HOME` to a directory whose parents only you and root can change",
            ),
        )
    }

    /// Creates a store for this run only, in its private directory.
    ///
    /// # Errors
    /// It cannot be created.
    pub(in crate::run) fn of_run(workspace: &Path) -> Result<Self, Report> {
        let path = workspace.join("store");
        let held = Held::open_itself(workspace).and_then(|held| held.make("store", 0o700));
        let held = held.map_err(|errno| cannot("create", &path, &error_of(errno)))?;
        Self::hold_store(held, &path, true).map_err(StoreError::into_report)
    }

    fn hold_store(held: Held, path: &Path, of_this_run: bool) -> Result<Self, StoreError> {
        let (uid, mode) = held
            .look()
            .map_err(|errno| StoreError::Nowhere(cannot("read", path, &error_of(errno))))?;
        let shown = quoted(path.to_string_lossy());
        if uid != sys::ids().uid {
            let message = format!("the store {shown} belongs to another user");
            let hint = "set `XDG_CACHE_HOME` to a directory of your own";
            return Err(StoreError::Refused(Report::error(message).hint(hint)));
        }
        if mode & 0o022 != 0 {
            let message = format!("other users can write to the store {shown}");
            let hint = format!("close it with `chmod 0700 {}`", path.display());
            return Err(StoreError::Refused(Report::error(message).hint(hint)));
        }
        for name in ["layers", "index", "building"] {
            held.make(name, 0o700).map_err(|errno| {
                StoreError::Nowhere(cannot("create", &path.join(name), &error_of(errno)))
            })?;
        }
        Ok(Self { held: Rc::new(held), of_this_run, used: Rc::default() })
    }
}

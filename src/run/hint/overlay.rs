//! What helps where an overlay cannot be mounted: the kernel says one number for everything.

use std::path::PathBuf;

use super::Case;
use super::mount::{file_system, real, shown};
use super::raw::missing;
use crate::plan::MountCall;
use crate::run::place::Place;
use crate::sys;

/// The directories of an overlay, by the option that names them.
struct Overlay {
    lower: Vec<PathBuf>,
    upper: Option<PathBuf>,
    work: Option<PathBuf>,
}

impl Overlay {
    fn of(mount: &MountCall) -> Self {
        let option = |key: &str| mount.options().filter_map(|one| one.strip_prefix(key)).last();
        let one = |key: &str| option(key).and_then(|text| directories(text).into_iter().next());
        let lower = option("lowerdir=").map(directories).unwrap_or_default();
        Self { lower, upper: one("upperdir="), work: one("workdir=") }
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.lower.iter().chain(&self.upper).chain(&self.work)
    }
}

/// Names with colons between them; a backslash stands before what belongs to a name.
fn directories(text: &str) -> Vec<PathBuf> {
    let mut names = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let (last, escaped) = (names.len() - 1, letter == '\\');
        match if escaped { letters.next() } else { Some(letter) } {
            Some(':') if !escaped => names.push(String::new()),
            Some(letter) => names[last].push(letter),
            None => {}
        }
    }
    names.iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

pub(super) fn directories_do_not_fit(case: &Case<'_>) -> Option<String> {
    let (mount, kind) = file_system(case)?;
    if kind != "overlay" {
        return None;
    }
    let overlay = Overlay::of(mount);
    match case.errno {
        "ENOENT" => {
            let gone = overlay.all().find(|path| !path.exists())?;
            Some(format!("every directory of an overlay has to be there: {}", missing(case, gone)))
        }
        "ENOTDIR" => {
            let file = overlay.all().find(|path| !path.is_dir())?;
            Some(format!("{} is no directory", shown(file)))
        }
        "EINVAL" => wrong_directories(&overlay),
        "ELOOP" => Some("one directory of an overlay lies in another".into()),
        "EBUSY" => Some("`upper` or `work` is in use by another overlay".into()),
        "ESTALE" => Some("`upper` or `work` were those of another overlay before".into()),
        _ => None,
    }
}

/// File systems that lack what the changes of an overlay are written down by.
const CANNOT_HOLD: [&str; 10] =
    ["9p", "cifs", "exfat", "fuseblk", "nfs", "nfs4", "overlay", "smb3", "vfat", "virtiofs"];

fn wrong_directories(overlay: &Overlay) -> Option<String> {
    let Overlay { lower, upper, work } = overlay;
    let pair = match (lower.len(), upper, work) {
        (0, ..) => return Some("an overlay needs `lower` in `data`".into()),
        (1, None, _) => {
            return Some(
                "an overlay is of at least two directories: `upper` and `work` beside `lower`, or \
                 `lower` as an array"
                    .into(),
            );
        }
        (_, Some(_), None) => {
            return Some(
                "`upper` goes with `work`: an empty directory on the same file system".into(),
            );
        }
        (_, None, _) => None,
        (_, Some(upper), Some(work)) => Some((upper, work)),
    };
    let (upper, work) = pair?;
    if sys::mount_id(upper) != sys::mount_id(work) {
        return Some(format!("{} and {} have to be in one mount", shown(upper), shown(work)));
    }
    let (own, other) = (real(upper), real(work));
    if own.starts_with(&other) || other.starts_with(&own) {
        return Some("`upper` and `work` are two directories, neither in the other".into());
    }
    let place = Place::of(upper).ok()?;
    let kind = place.kind().filter(|kind| CANNOT_HOLD.contains(kind))?;
    Some(format!(
        "{} is on {kind}, which may not take the changes of an overlay: a tmpfs does, or a disk",
        shown(upper)
    ))
}

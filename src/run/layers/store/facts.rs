//! Facts about a layer that launches need often: its `layer.json`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::diag::Report;
use crate::plan::{Came, Kept};
use crate::run::layers::contents::{Contents, Kind};

/// The frequently needed facts about a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its source; `None` if it was assembled from the host.
    pub came: Option<Came>,
    /// Its number of entries.
    pub entries: usize,
    /// The total size of its files, in bytes.
    pub size: u64,
    /// The owners of its entries.
    pub owners: Vec<(u32, u32)>,
    /// The paths that it removes from the layers below.
    pub removed: BTreeSet<PathBuf>,
    /// The directories that hide the layers below.
    pub opaque: BTreeSet<PathBuf>,
}

/// A path as JSON: a string if it is UTF-8, or else its bytes.
fn written(path: &Path) -> Value {
    match path.to_str() {
        Some(text) => text.into(),
        None => path.as_os_str().as_bytes().into(),
    }
}

fn read(value: &Value) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let bytes = value.as_array()?.iter().map(byte).collect::<Option<Vec<u8>>>()?;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

impl Facts {
    /// The facts of a layer with these contents.
    #[must_use]
    pub fn of(contents: &Contents, came: Option<Came>) -> Self {
        let (entries, size) = contents.size();
        let mut owners: Vec<_> = contents.items.values().map(|item| item.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        let paths = |kind: &Kind| -> BTreeSet<PathBuf> {
            let items = contents.items.iter().filter(|(_, item)| item.kind == *kind);
            items.map(|(path, _)| path.clone()).collect()
        };
        let (removed, opaque) = (paths(&Kind::Gone), paths(&Kind::Directory { opaque: true }));
        Self { came, entries, size, owners, removed, opaque }
    }

    /// Encodes the facts.
    #[must_use]
    pub fn to_json(&self) -> String {
        let came = match &self.came {
            None => Value::Null,
            Some(Came::Archive(file)) => json!({ "archive": written(file) }),
            Some(Came::Changes) => "changes".into(),
        };
        let paths = |paths: &BTreeSet<PathBuf>| paths.iter().map(|path| written(path)).collect();
        let (removed, opaque): (Value, Value) = (paths(&self.removed), paths(&self.opaque));
        let value = json!({
            "from": came, "entries": self.entries, "size": self.size, "owners": self.owners,
            "removed": removed, "opaque": opaque,
        });
        format!("{value:#}\n")
    }

    /// Reads the facts of the layer in `directory`.
    ///
    /// # Errors
    /// They cannot be read, or are damaged: `InvalidData`.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let text = fs::read(directory.join("layer.json"))?;
        let parsed = serde_json::from_slice(&text).ok().and_then(|value| Self::of_json(&value));
        parsed.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn of_json(value: &Value) -> Option<Self> {
        let came = match &value["from"] {
            Value::Null => None,
            Value::Object(archive) => Some(Came::Archive(read(archive.get("archive")?)?)),
            _ => Some(Came::Changes),
        };
        let number = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let owner = |pair: &Value| Some((number(&pair[0])?, number(&pair[1])?));
        let paths = |name: &str| -> Option<BTreeSet<PathBuf>> {
            value[name].as_array()?.iter().map(read).collect()
        };
        Some(Self {
            came,
            entries: usize::try_from(value["entries"].as_u64()?).ok()?,
            size: value["size"].as_u64()?,
            owners: value["owners"].as_array()?.iter().map(owner).collect::<Option<_>>()?,
            removed: paths("removed")?,
            opaque: paths("opaque")?,
        })
    }

    /// The layer in `directory` with these facts, for a plan.
    #[must_use]
    pub fn kept(self, name: &str, directory: &Path) -> Kept {
        let Self { came, entries, size, owners, removed, opaque } = self;
        Kept {
            name: name.to_owned(),
            directory: directory.to_path_buf(),
            came: came.unwrap_or(Came::Changes),
            entries,
            size,
            owners,
            removed,
            opaque,
            origin: None,
            elapsed: None,
            warnings: Vec::new(),
        }
    }
}

/// The report of a layer that cannot be read.
pub(in crate::run) fn unreadable(name: &str, why: &io::Error) -> Report {
    let (name, why) = (crate::diag::quoted(name), crate::diag::os_error(why));
    Report::error(format!("the layer {name} in the store cannot be read: {why}"))
        .hint("empty the store with `nsscript store gc --all`")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn facts_are_read_as_they_are_written() {
        let directory = std::env::temp_dir().join(format!("nsscript-facts-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let strange = PathBuf::from(std::ffi::OsStr::from_bytes(b"/a\xff b"));
        let facts = Facts {
            came: Some(Came::Archive("/x.tar".into())),
            entries: 3,
            size: u64::MAX,
            owners: vec![(0, 0), (42, 8)],
            removed: [strange].into(),
            opaque: ["/o".into()].into(),
        };
        for facts in [Facts { came: None, ..facts.clone() }, facts] {
            fs::write(directory.join("layer.json"), facts.to_json()).unwrap();
            assert_eq!(Facts::read(&directory).unwrap(), facts);
        }
        fs::write(directory.join("layer.json"), "{}").unwrap();
        assert!(Facts::read(&directory).is_err());
        fs::remove_dir_all(directory).unwrap();
    }
}

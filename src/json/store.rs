//! The layers in the store, printed by `nsscript store list --json`.

use serde::Serialize;

use super::Version;

/// The layers in the store, those used last first: `nsscript store list --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layers {
    /// The version of this document.
    pub version: Version<1>,
    /// The layers.
    pub layers: Vec<Layer>,
}

/// A layer in the store.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layer {
    /// The sha256 of its manifest.
    pub digest: String,
    /// The directory that holds its files.
    pub tree: String,
    /// The number of its entries.
    pub entries: usize,
    /// The size of its files in bytes.
    pub size: u64,
    /// The path of the archive that it was unpacked from, or `changes` for the changes of a
    /// sandbox; `null` if it was assembled.
    pub from: Option<String>,
    /// Whether it is a variant whose files belong to mapped ids.
    pub mapped: bool,
    /// When it was last used, in seconds since 1970.
    pub used: u64,
}

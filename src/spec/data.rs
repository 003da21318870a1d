//! What programs open while they run, which their files do not tell of.

/// A table of what programs open while they run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataTable {
    /// Its rows.
    pub rows: Vec<DataRow>,
}

/// What programs or libraries of some names open.
///
/// In paths, `*` is any part of a name, and what is in braces depends on the program or library:
/// `{directory}` is the one that it is in, `{prefix}` the one above `bin` or `lib`, `{name}` its
/// name without links, and without `lib` and `.so`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataRow {
    /// The names of the programs and libraries; `*` is any part of one.
    pub of: Vec<String>,
    /// What it is.
    pub why: String,
    /// A path that has to be there.
    pub only_with: Option<String>,
    /// Files, and directories with what is in them, at the paths where the host has them.
    pub copy: Vec<String>,
    /// Names that are left out of those directories.
    pub except: Vec<String>,
    /// Libraries that are loaded later.
    pub libraries: Vec<String>,
    /// Programs that are started.
    pub binaries: Vec<String>,
    /// Files with this content, where there are none.
    pub files: Vec<(String, String)>,
}

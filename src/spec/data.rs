//! Files that programs open at run time, which their ELF files do not mention.

/// A table of files that programs open at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataTable {
    /// Its rows.
    pub rows: Vec<DataRow>,
}

/// The files that programs or libraries with certain names open.
///
/// In paths, `*` is any part of a name, and braces depend on the program or library: `{directory}`
/// is its directory, `{prefix}` the one above `bin` or `lib`, `{name}` its name without links, and
/// without `lib` and `.so`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataRow {
    /// The names of the programs and libraries; `*` is any part of one.
    pub of: Vec<String>,
    /// A description.
    pub why: String,
    /// A path that must exist for the row to apply.
    pub only_with: Option<String>,
    /// Files, and directories with their contents, at their paths on the host.
    pub copy: Vec<String>,
    /// Names that are omitted from those directories.
    pub except: Vec<String>,
    /// Libraries that are loaded later.
    pub libraries: Vec<String>,
    /// Programs that are started, by their names or paths.
    pub binaries: Vec<String>,
    /// Files with this content, if the root has none.
    pub files: Vec<(String, String)>,
}

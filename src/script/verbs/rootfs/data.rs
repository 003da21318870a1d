//! The table of files that programs open while they run, a part of the standard library.

use std::sync::{Arc, LazyLock};

use rhai::{Array, Dynamic, Engine, Map};

use crate::diag::quoted;
use crate::spec::{DataRow, DataTable};

/// The text of the table.
const TEXT: &str = include_str!("../../../../stdlib/data.rhai");

/// The table, if `data` is true.
pub fn table(data: Option<bool>) -> Option<Arc<DataTable>> {
    static TABLE: LazyLock<Arc<DataTable>> =
        LazyLock::new(|| Arc::new(read(TEXT).unwrap_or_default()));
    data.unwrap_or(false).then(|| Arc::clone(&TABLE))
}

fn read(text: &str) -> Result<DataTable, String> {
    let rows: Array = Engine::new_raw().eval(text).map_err(|error| error.to_string())?;
    Ok(DataTable { rows: rows.into_iter().map(row).collect::<Result<_, _>>()? })
}

fn row(value: Dynamic) -> Result<DataRow, String> {
    let map: Map = value.try_cast().ok_or("expected a map for each row")?;
    let mut row = DataRow::default();
    for (key, value) in map {
        match key.as_str() {
            "of" => row.of = texts(value)?,
            "why" => row.why = value.into_string()?,
            "only_with" => row.only_with = Some(value.into_string()?),
            "copy" => row.copy = texts(value)?,
            "except" => row.except = texts(value)?,
            "libraries" => row.libraries = texts(value)?,
            "binaries" => row.binaries = texts(value)?,
            "files" => row.files = files(value)?,
            _ => return Err(format!("unknown key {} in a row", quoted(&key))),
        }
    }
    Ok(row)
}

fn texts(value: Dynamic) -> Result<Vec<String>, String> {
    let texts =
        value.into_typed_array().map_err(|given| format!("expected an array, not {given}"))?;
    Ok(texts)
}

fn files(value: Dynamic) -> Result<Vec<(String, String)>, String> {
    let files: Map = value.try_cast().ok_or("expected a map for `files`")?;
    let file = |(path, content): (_, Dynamic)| Ok((String::from(path), content.into_string()?));
    files.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::{TEXT, read};

    #[test]
    fn the_table_can_be_read_and_says_of_each_row_what_it_is() {
        let table = read(TEXT).unwrap();
        assert!(!table.rows.is_empty());
        for row in &table.rows {
            assert!(!row.of.is_empty() && !row.why.is_empty(), "{row:?}");
            for path in row.copy.iter().chain(&row.only_with) {
                assert!(path.starts_with(['/', '{']), "{path}");
            }
            let adds = [&row.copy, &row.libraries, &row.binaries];
            assert!(adds.iter().any(|added| !added.is_empty()) || !row.files.is_empty());
            assert!(row.except.is_empty() || !row.copy.is_empty());
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for text in ["1", "[1]", "[#{ of: 1 }]", "[#{ off: [] }]", "[#{ why: 1 }]", "[#{"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

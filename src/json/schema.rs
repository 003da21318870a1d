//! The schema of each document, compared with `docs/schema`.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{DOCUMENTS, Document, Version};

const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --lib schema";

impl<const N: u32> JsonSchema for Version<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("Version{N}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": N })
    }
}

/// The schema of what is written of a document: all fields are there.
pub(super) fn of<T: Document + JsonSchema>() -> Schema {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), T::NAME.into());
    schema
}

#[test]
fn the_schemas_are_those_of_the_documents() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let updates = std::env::var_os("NSSCRIPT_UPDATE").is_some();
    for (name, schema) in DOCUMENTS {
        let wanted = format!("{:#}\n", schema().as_value());
        let path = directory.join(format!("{name}.json"));
        if updates {
            fs::create_dir_all(&directory).unwrap();
            fs::write(&path, &wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == wanted, "{}: rewrite it with `{REWRITE}`", path.display());
    }
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let names: Vec<_> = DOCUMENTS.iter().map(|(name, _)| format!("{name}.json")).collect();
    assert_eq!(files, names, "docs/schema has other files than documents");
}

#[test]
fn every_document_demands_its_version_and_all_other_fields() {
    for (name, schema) in DOCUMENTS {
        let schema = schema().to_value();
        assert!(schema["properties"]["version"]["const"].is_u64(), "{name}: {schema:#}");
        let objects = schema["$defs"].as_object().into_iter().flatten().map(|(_, object)| object);
        for object in objects.chain([&schema]) {
            let Some(properties) = object["properties"].as_object() else { continue };
            let required = object["required"].as_array().map_or(0, Vec::len);
            assert_eq!(required, properties.len(), "{name}: {object:#}");
        }
    }
}

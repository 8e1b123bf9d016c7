//! The committed JSON Schema is what the types say.
#![cfg(feature = "source")]

use std::path::Path;

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/skillcall.schema.json");
    let mut schema = serde_json::to_string_pretty(&skillcall_plan::source::json_schema()).unwrap();
    schema.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == schema,
        "{} is not up to date; run the test again with UPDATE_SCHEMA=1 and commit the file",
        path.display()
    );
}

//! The committed JSON Schema of `sidecar.toml` is what the types say.

use std::path::Path;

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/sidecar.schema.json");
    let schema = schemars::schema_for!(skillcall_sidecar::config::SidecarConfig);
    let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == schema,
        "{} is not up to date; run `UPDATE_SCHEMA=1 cargo test -p skillcall-sidecar --test schema` and commit it",
        path.display()
    );
}

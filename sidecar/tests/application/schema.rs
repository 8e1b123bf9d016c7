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

/// Every key of the schema stands in the table of `docs/settings.md`.
#[test]
fn the_settings_page_has_every_key() {
    let schema = schemars::schema_for!(skillcall_sidecar::config::SidecarConfig).to_value();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut seen = 0;
    for (name, property) in schema["properties"].as_object().unwrap() {
        let (prefix, reference) = match property["items"]["$ref"].as_str() {
            Some(reference) => (format!("{name}[]."), Some(reference)),
            None => (format!("{name}."), property["$ref"].as_str()),
        };
        let Some(definition) = reference.and_then(|text| text.strip_prefix("#/$defs/")) else {
            // A map, whose keys are names.
            assert!(page.contains(&format!("| `{name}.NAME`")), "{name}");
            continue;
        };
        let keys = &schema["$defs"][definition]["properties"];
        for key in keys.as_object().unwrap().keys() {
            seen += 1;
            let listed = [
                format!("| `{prefix}{key}` |"),
                format!("| `{prefix}{key}.NAME` |"),
            ];
            assert!(
                listed.iter().any(|text| page.contains(text)),
                "docs/settings.md does not list {prefix}{key}"
            );
        }
    }
    assert!(seen > 30, "only {seen} keys were looked for");
}

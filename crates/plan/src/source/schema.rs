//! The JSON Schema of the plan, for editors.

/// The JSON Schema of `skillcall.toml`, made from the types that read it.
#[must_use]
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(super::Source)
}

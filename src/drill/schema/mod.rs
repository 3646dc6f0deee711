//! JSON Schemas of drill and target files, for editors: made from the same types that read them, so that
//! both know the same words, and polished for people who read them in a tooltip.
//!
//! A schema sees one field at a time. What needs two of them (references, order, a baseline) is `check`'s.

#[cfg(test)]
mod agreement;
mod polish;

use super::file::DrillFile;
use super::target_file::TargetFile;
use polish::Polish;
use schemars::{Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::Value;

/// The schema of a drill file (draft 2020-12).
#[must_use]
pub fn drill_schema() -> Value {
    let polish = Polish { variables: true };
    polish.schema(schema_for!(DrillFile).to_value())
}

/// The schema of a target file (draft 2020-12).
#[must_use]
pub fn target_schema() -> Value {
    let polish = Polish { variables: false };
    polish.schema(schema_for!(TargetFile).to_value())
}

/// Schema of `variables`: words, numbers and booleans are all kept as text.
pub(super) fn variables(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": { "type": ["string", "number", "boolean"] }
    })
}

//! The JSON schema of the result, made from the record's own types so that it cannot disagree with them.

use crate::event::result::RunResult;
use crate::event::series::SeriesResult;

/// JSON schema (draft 2020-12) of `firedrill.result/1`.
#[must_use]
pub fn result_schema() -> serde_json::Value {
    schemars::schema_for!(RunResult).to_value()
}

/// JSON schema (draft 2020-12) of `firedrill.results/1`.
#[must_use]
pub fn results_schema() -> serde_json::Value {
    schemars::schema_for!(SeriesResult).to_value()
}

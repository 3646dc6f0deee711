//! The result as JSON, for machines: the record itself, indented, keys in the order of the schema.

use super::Reporter;
use crate::event::result::RunResult;
use std::io::{self, Write};

/// Writes `firedrill.result/1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Reporter for Json {
    fn write(&self, result: &RunResult, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, result)?;
        out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{sample, schema::result_schema};

    fn written(result: &RunResult) -> Vec<u8> {
        let mut out = Vec::new();
        Json.write(result, &mut out).unwrap();
        out
    }

    #[test]
    fn what_is_written_is_read_back_unchanged() {
        for result in sample::all() {
            let read: RunResult = serde_json::from_slice(&written(&result)).unwrap();
            assert_eq!(read, result);
        }
    }

    #[test]
    fn what_is_written_fits_the_schema() {
        let validator = jsonschema::validator_for(&result_schema()).unwrap();
        for result in sample::all() {
            let value = serde_json::from_slice(&written(&result)).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path))
                .collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }

    #[test]
    fn the_schema_refuses_what_is_no_result() {
        let validator = jsonschema::validator_for(&result_schema()).unwrap();
        let mut value = serde_json::to_value(sample::pass()).unwrap();
        value["verdict"] = "perhaps".into();
        assert!(!validator.is_valid(&value));
        let mut value = serde_json::to_value(sample::pass()).unwrap();
        value["recovery"]["total"] = serde_json::json!(0);
        assert!(!validator.is_valid(&value));
    }

    #[test]
    fn keys_come_in_the_order_of_the_record() {
        let text = String::from_utf8(written(&sample::pass())).unwrap();
        let places: Vec<usize> = [
            "\"schema\"",
            "\"run\"",
            "\"verdict\"",
            "\"undo\": {\n    \"complete\"",
        ]
        .iter()
        .map(|key| text.find(key).unwrap())
        .collect();
        assert!(places.is_sorted());
        assert!(text.ends_with("}\n"));
    }
}

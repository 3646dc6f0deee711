//! The names of a result, for conditions and for those who look them up.
//!
//! They are derived from the result's schema, so that a field which is added there has its name here.

use crate::event::result::RunResult;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Short names for what conditions ask most, beside the result's own.
pub const SHORT: [&str; 4] = [
    "downtime_ms",
    "read_downtime_ms",
    "lost_commits",
    "isolated_commits",
];

/// The result's schema as JSON. Made once: it takes longer than all else that checks a condition.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(RunResult).to_value());

/// All names as paths; a `*` stands for any key of a map, `[]` for the items of a list.
#[must_use]
pub fn all() -> Vec<String> {
    let root = &*SCHEMA;
    let mut names: BTreeSet<String> = SHORT.iter().map(|name| (*name).to_owned()).collect();
    list(root, root, "", &mut names, 0);
    names.into_iter().collect()
}

fn list(root: &Value, node: &Value, path: &str, names: &mut BTreeSet<String>, depth: usize) {
    // The result is a tree of a few levels; the limit only guards against a schema that refers to itself.
    if depth > 12 {
        return;
    }
    let mut leaf = true;
    for (key, child) in children(root, node) {
        leaf = false;
        let below = match (path, key.as_str()) {
            ("", key) => key.to_owned(),
            (path, "[]") => format!("{path}[]"),
            (path, key) => format!("{path}.{key}"),
        };
        list(root, child, &below, names, depth + 1);
    }
    if leaf && !path.is_empty() {
        names.insert(path.to_owned());
    }
}

/// What lies below a schema node: properties, `*` for a map's values, `[]` for a list's items.
fn children<'a>(root: &'a Value, node: &'a Value) -> Vec<(String, &'a Value)> {
    let mut found = Vec::new();
    if let Some(to) = node.get("$ref").and_then(Value::as_str)
        && let Some(target) = root.pointer(to.trim_start_matches('#'))
    {
        found.extend(children(root, target));
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        let options = node.get(choice).and_then(Value::as_array);
        for option in options.into_iter().flatten() {
            found.extend(children(root, option));
        }
    }
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        found.extend(properties.iter().map(|(key, value)| (key.clone(), value)));
    }
    if let Some(values) = node.get("additionalProperties").filter(|v| v.is_object()) {
        found.push(("*".to_owned(), values));
    }
    if let Some(items) = node.get("items").filter(|v| v.is_object()) {
        found.push(("[]".to_owned(), items));
    }
    found
}

/// Checks a path such as `["channels", "writer_fresh", "unavailable_ms"]` against the result.
///
/// # Errors
/// The part that is unknown, and the known name nearest to it.
pub fn check(path: &[String]) -> Result<(), Unknown> {
    let Some((first, _)) = path.split_first() else {
        return Ok(());
    };
    if SHORT.contains(&first.as_str()) && path.len() == 1 {
        return Ok(());
    }
    let root = &*SCHEMA;
    let mut here = vec![root];
    for part in path {
        let below: Vec<(String, &Value)> =
            here.iter().flat_map(|node| children(root, node)).collect();
        let next: Vec<&Value> = below
            .iter()
            .filter(|(key, _)| key == part || key == "*" || (key == "[]" && part == "[]"))
            .map(|(_, child)| *child)
            .collect();
        if next.is_empty() {
            let known = below.into_iter().map(|(key, _)| key);
            let known = known.chain(
                SHORT
                    .iter()
                    .filter(|_| part == first)
                    .map(|s| (*s).to_owned()),
            );
            return Err(Unknown {
                name: path.join("."),
                part: part.clone(),
                nearest: crate::condition::nearest(part, known),
            });
        }
        here = next;
    }
    Ok(())
}

/// A name that the result does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The whole path.
    pub name: String,
    /// The part of it that is unknown.
    pub part: String,
    /// The known name nearest to that part.
    pub nearest: Option<String>,
}

/// The values of all top-level names of a result. What is not known is null, so that a comparison with it
/// does not hold instead of being true by accident.
#[must_use]
pub fn values(result: &RunResult) -> Map<String, Value> {
    let mut values = match serde_json::to_value(result) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let longest = |channels: &[&str]| {
        let outages = channels
            .iter()
            .filter_map(|name| result.channels.get(*name))
            .flat_map(|channel| &channel.outages);
        // An outage that did not end has no upper bound, and neither has the longest then.
        outages
            .map(|outage| outage.upper_ms)
            .try_fold(0.0, |longest: f64, upper| Some(longest.max(upper?)))
    };
    let isolated = result.ledger.isolated.observed();
    values.insert(
        "downtime_ms".to_owned(),
        json!(longest(&["writer_fresh", "writer_pinned"])),
    );
    values.insert("read_downtime_ms".to_owned(), json!(longest(&["reader"])));
    values.insert("lost_commits".to_owned(), json!(result.ledger.lost.count));
    values.insert(
        "isolated_commits".to_owned(),
        json!(isolated.map(|isolated| isolated.count)),
    );
    values
}

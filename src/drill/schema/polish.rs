//! What the types cannot say, or say for machines only, put into a generated schema for editors.

use serde_json::{Map, Value, json};

/// Where a variable stands for a value, or for a part of it.
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}";

/// How a schema is polished.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polish {
    /// `${name}` may stand wherever a single value may: it is filled in before types are looked at.
    pub variables: bool,
}

impl Polish {
    /// Polishes a whole schema.
    pub(super) fn schema(self, mut schema: Value) -> Value {
        self.walk(&mut schema);
        if let Some(version) = schema.pointer_mut("/properties/version") {
            let description = version["description"].take();
            *version = json!({ "const": 1, "description": description });
        }
        schema
    }

    fn walk(self, schema: &mut Value) {
        match schema {
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    // These hold values of the file and no schemas.
                    if !["default", "examples", "const", "enum"].contains(&key.as_str()) {
                        self.walk(value);
                    }
                }
                in_one_line(map);
                // Nobody writes null to say that a field is left out.
                if map.get("default").is_some_and(Value::is_null) {
                    map.remove("default");
                }
                word_with_body(map);
                largest(map);
                one_kind_each(map);
                self.named_properties(map);
                if self.variables {
                    or_variable(map);
                }
            }
            _ => {}
        }
    }

    /// What is known of properties by their name alone.
    fn named_properties(self, map: &mut Map<String, Value>) {
        let Some(Value::Object(properties)) = map.get_mut("properties") else {
            return;
        };
        for (name, property) in properties {
            let Value::Object(property) = property else {
                continue;
            };
            let is_text = match property.get("type") {
                Some(Value::String(one)) => one == "string",
                Some(Value::Array(several)) => several.contains(&json!("string")),
                _ => false,
            };
            if !is_text {
                continue;
            }
            let pattern = |letters: &str, most: u32| {
                if self.variables {
                    format!("^([{letters}]{{1,{most}}}|.*{VARIABLE}.*)$")
                } else {
                    format!("^[{letters}]{{1,{most}}}$")
                }
            };
            let (pattern, example) = match name.as_str() {
                "name" => (
                    Some((
                        pattern("a-z0-9-", 60),
                        "Lower-case letters, digits and hyphens, at most 60.",
                    )),
                    "our-drill",
                ),
                "id" => (
                    Some((
                        pattern("A-Za-z0-9_-", 40),
                        "Letters, digits, - and _, at most 40.",
                    )),
                    "crash",
                ),
                "of" => (None, "crash"),
                "summary" => (
                    Some((r"\S".to_owned(), "Say in one line what happens.")),
                    "The primary dies; a standby takes over.",
                ),
                "until" => (None, "channels.writer_fresh.unavailable_ms > 1000"),
                "condition" => (None, "ledger.in_doubt.vanished == 0"),
                "channel" => (None, "writer_fresh"),
                "text" => (None, "the primary is gone"),
                _ => continue,
            };
            if let Some((pattern, wrong)) = pattern {
                property.insert("pattern".to_owned(), json!(pattern));
                // Not of JSON Schema, and what editors say instead of the pattern.
                property.insert("patternErrorMessage".to_owned(), json!(wrong));
            }
            property
                .entry("examples")
                .or_insert_with(|| json!([example]));
        }
    }
}

/// A description is one paragraph: where the source breaks its lines means nothing to a tooltip.
fn in_one_line(map: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = map.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}

/// `{ fail: … }`: the one word means what the whole means.
fn word_with_body(map: &mut Map<String, Value>) {
    let Some(text) = map.get("description").cloned() else {
        return;
    };
    if let Some(Value::Object(properties)) = map.get_mut("properties")
        && properties.len() == 1
    {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            property.entry("description").or_insert(text.clone());
        }
    }
}

/// The largest number that a format holds is nothing that a validator looks up.
fn largest(map: &mut Map<String, Value>) {
    if map.get("format").is_some_and(|format| format == "uint32") {
        map.entry("maximum").or_insert(json!(u32::MAX));
    }
}

/// A list of objects with one key each, of which one must fit, becomes one object that holds one of these
/// keys: the same files are valid, and an editor can say which word it does not know instead of "matches
/// none of sixteen".
fn one_kind_each(map: &mut Map<String, Value>) {
    let Some(Value::Array(kinds)) = map.get("oneOf") else {
        return;
    };
    let mut properties = Map::new();
    for kind in kinds {
        let (Some(held), Some(required)) = (kind["properties"].as_object(), kind.get("required"))
        else {
            return;
        };
        let Some((name, body)) = held.iter().next().filter(|_| held.len() == 1) else {
            return;
        };
        if *required != json!([name]) || properties.contains_key(name) {
            return;
        }
        let mut body = body.clone();
        if let (Some(body), Some(text)) = (body.as_object_mut(), kind.get("description")) {
            body.insert("description".to_owned(), text.clone());
        }
        properties.insert(name.clone(), body);
    }
    if properties.len() < 2 {
        return;
    }
    map.remove("oneOf");
    map.insert("type".to_owned(), json!("object"));
    map.insert("properties".to_owned(), Value::Object(properties));
    map.insert("additionalProperties".to_owned(), json!(false));
    map.insert("minProperties".to_owned(), json!(1));
    map.insert("maxProperties".to_owned(), json!(1));
}

/// Lets a variable stand where a number, a boolean, one word of a list or a text of one form may.
fn or_variable(map: &mut Map<String, Value>) {
    let variable = json!({ "type": "string", "pattern": VARIABLE });
    if let Some(Value::String(pattern)) = map.get_mut("pattern")
        && !pattern.contains(VARIABLE)
    {
        *pattern = format!("{pattern}|{VARIABLE}");
        return;
    }
    if let Some(Value::Array(words)) = map.get_mut("oneOf") {
        if words.iter().all(|word| word.get("const").is_some()) {
            words.push(variable);
        }
        return;
    }
    let is = |kind: &Value| kind == "integer" || kind == "number" || kind == "boolean";
    let nullable = match map.get("type") {
        Some(Value::Array(kinds)) if kinds.iter().any(is) && kinds.contains(&json!("null")) => true,
        Some(kind) if is(kind) => false,
        _ => return,
    };
    let mut plain = Map::new();
    for key in ["type", "format", "minimum", "maximum"] {
        if let Some(value) = map.remove(key) {
            plain.insert(key.to_owned(), value);
        }
    }
    let mut either = vec![Value::Object(plain), variable];
    if nullable {
        if let Some(Value::Array(kinds)) = either[0].get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                either[0]["type"] = only.clone();
            }
        }
        either.push(json!({ "type": "null" }));
    }
    map.insert("anyOf".to_owned(), Value::Array(either));
}

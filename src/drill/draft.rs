//! A commented file to start from: a drill or a target that is shipped, under a name of one's own, with each
//! field explained by the words of its schema. It writes no file.

use super::schema::{drill_schema, target_schema};
use super::shipped;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a drill begins as when nobody says which.
pub const FIRST_DRILL: &str = "primary-crash";

/// The targets that can be begun from, by name.
const TARGETS: [(&str, &str); 6] = [
    ("local", include_str!("../../examples/local.target.yaml")),
    (
        "local-promote",
        include_str!("../../examples/local-promote.target.yaml"),
    ),
    (
        "local-sync",
        include_str!("../../examples/local-sync.target.yaml"),
    ),
    ("docker", include_str!("../../examples/docker.target.yaml")),
    (
        "docker-plain",
        include_str!("../../examples/docker-plain.target.yaml"),
    ),
    (
        "simulated",
        include_str!("../../examples/simulated.target.yaml"),
    ),
];

/// The names of targets that can be begun from.
pub fn targets() -> impl Iterator<Item = &'static str> {
    TARGETS.iter().map(|(name, _)| *name)
}

/// Makes a name out of what somebody called it, as near as the rules allow: lower-case letters, digits and
/// hyphens, at most 60. Empty where nothing is left.
#[must_use]
pub fn as_name(words: &str) -> String {
    let mut name = String::new();
    for letter in words.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(60);
    name.trim_end_matches('-').to_owned()
}

/// The drill `from` as a drill called `name`; `None` where no such drill is shipped. `schema` is what the
/// editor is told to look at.
#[must_use]
pub fn drill(name: &str, from: &str, schema: &str) -> Option<String> {
    let text = shipped::find(from)?.text;
    let text =
        without_modeline(text).replacen(&format!("name: {from}\n"), &format!("name: {name}\n"), 1);
    let head = format!(
        "{}\n#\n# {name}, begun from {from}. Look at it, and see what it would do:\n#   firedrill check {name}.yaml\n#   firedrill plan {name}.yaml\n#\n",
        modeline(schema)
    );
    let schema = drill_schema();
    let mut draft = Draft::new(&schema);
    draft.text = head;
    for line in text.lines() {
        draft.line(line);
    }
    draft.also("objectives", "Objective");
    draft.also("steps", "Step");
    draft.rest();
    Some(draft.text)
}

/// The target `from` as a file of one's own; `None` where there is no such example.
#[must_use]
pub fn target(name: &str, from: &str, schema: &str) -> Option<String> {
    let (_, text) = TARGETS.iter().find(|(known, _)| *known == from)?;
    let head = format!(
        "{}\n#\n# {name}, begun from {from}. Look at it, and see what a drill would do there:\n#   firedrill check {name}.target.yaml\n#   firedrill plan primary-crash --target {name}.target.yaml\n#\n",
        modeline(schema)
    );
    let schema = target_schema();
    let mut draft = Draft::new(&schema);
    draft.text = head;
    for line in without_modeline(text).lines() {
        draft.line(line);
    }
    draft.rest();
    Some(draft.text)
}

/// The line by which an editor finds the schema of a file.
fn modeline(schema: &str) -> String {
    format!("# yaml-language-server: $schema={schema}")
}

fn without_modeline(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("# yaml-language-server:") => rest,
        _ => text,
    }
}

/// A text that grows line by line, each with its explanation above it.
struct Draft<'a> {
    text: String,
    schema: &'a Value,
    /// The keys around the line, each with its indentation and its schema.
    around: Vec<(usize, &'a Value)>,
    /// Keys of the top level that are there.
    given: BTreeSet<String>,
    /// Fields that were explained: once is enough.
    explained: BTreeSet<String>,
}

impl<'a> Draft<'a> {
    fn new(schema: &'a Value) -> Self {
        Self {
            text: String::new(),
            schema,
            around: Vec::new(),
            given: BTreeSet::new(),
            explained: BTreeSet::new(),
        }
    }

    /// Adds one line of the original, explained where it is a field.
    fn line(&mut self, line: &str) {
        let indent = line.len() - line.trim_start().len();
        let rest = line.trim_start();
        let (rest, is_item) = match rest.strip_prefix("- ") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let Some((key, value)) = rest.split_once(':').filter(|(key, _)| is_key(key)) else {
            self.add(line);
            return;
        };
        self.around.retain(|(outer, _)| *outer < indent);
        let parent = self
            .around
            .last()
            .map_or(self.schema, |(_, schema)| *schema);
        let parent = if is_item {
            self.resolve(&parent["items"])
        } else {
            parent
        };
        if indent == 0 {
            if self.given.is_empty() {
                self.add("");
            }
            self.given.insert(key.to_owned());
        }
        let property = &parent["properties"][key];
        self.explain(indent, "", property);
        let body = self.resolve(property);
        for field in fields_of(value) {
            let place = format!("{key}.{field}");
            let property = &body["properties"][field];
            if !property.is_null() && self.explained.insert(place) {
                self.explain(indent, &format!("  {field}: "), property);
            }
        }
        self.add(line);
        self.around.push((indent, body));
    }

    fn add(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn explain(&mut self, indent: usize, prefix: &str, property: &Value) {
        if let Some(text) = property["description"].as_str() {
            let line = format!("{:indent$}# {prefix}{}", "", first_sentence(text));
            self.add(&line);
        }
    }

    /// Under a list: the other kinds of entries that it may have.
    fn also(&mut self, list: &str, definition: &str) {
        let kinds = &self.schema["$defs"][definition]["properties"];
        let Some(kinds) = kinds.as_object() else {
            return;
        };
        let mut lines = vec![format!("# Other {list} that there are:")];
        for (kind, property) in kinds {
            if self.text.contains(&format!("\n  - {kind}:")) {
                continue;
            }
            let text = property["description"].as_str().unwrap_or_default();
            lines.push(format!("# {}", first_sentence(text)));
            let mut example = self.example(property);
            if text.to_lowercase().contains("a standby") {
                example = example.replace(": primary", ": standby");
            }
            lines.push(format!("#  - {kind}: {example}"));
        }
        if lines.len() > 1 {
            self.add("");
            lines.iter().for_each(|line| self.add(line));
        }
    }

    /// At the end: what was left to its default.
    fn rest(&mut self) {
        let Some(all) = self.schema["properties"].as_object() else {
            return;
        };
        let left: Vec<_> = all
            .iter()
            .filter(|(key, _)| !self.given.contains(*key))
            .collect();
        if left.is_empty() {
            return;
        }
        self.add("");
        self.add("# Left to their defaults:");
        for (key, property) in left {
            let text = property["description"].as_str().unwrap_or_default();
            self.add(&format!("# {}", first_sentence(text)));
            let body = self.resolve(property);
            match body["properties"]
                .as_object()
                .filter(|_| body.get("minProperties").is_none())
            {
                Some(fields) => {
                    self.add(&format!("# {key}:"));
                    for (field, property) in fields {
                        let text = property["description"].as_str().unwrap_or_default();
                        self.add(&format!("#   # {}", first_sentence(text)));
                        for (name, below) in self.resolve(property)["properties"]
                            .as_object()
                            .into_iter()
                            .flatten()
                        {
                            let text = below["description"].as_str().unwrap_or_default();
                            self.add(&format!("#   #   {name}: {}", first_sentence(text)));
                        }
                        self.add(&format!("#   {field}: {}", self.value(property)));
                    }
                }
                None => self.add(&format!("# {key}: {}", self.value(property))),
            }
        }
    }

    /// All fields of an object, each with a value that fits, as `{ a: 1, b: c }`.
    fn example(&self, property: &Value) -> String {
        let body = self.resolve(property);
        let Some(fields) = body["properties"].as_object() else {
            return self.value(property);
        };
        if body.get("maxProperties").is_some() {
            let kind = fields
                .get_key_value("kill")
                .or_else(|| fields.iter().next());
            return kind.map_or_else(String::new, |(kind, property)| {
                format!("{{ {kind}: {} }}", self.example(property))
            });
        }
        let required = |field: &str| {
            body["required"]
                .as_array()
                .is_some_and(|all| all.iter().any(|name| name == field))
        };
        let mut shown: Vec<(bool, String)> = Vec::new();
        for (field, property) in fields.iter().filter(|(field, _)| *field != "id") {
            let value = self.value(property);
            if !value.is_empty() || required(field) {
                shown.push((!required(field), format!("{field}: {value}")));
            }
        }
        shown.sort();
        let shown: Vec<String> = shown.into_iter().map(|(_, text)| text).collect();
        if shown.is_empty() {
            return "{}".to_owned();
        }
        format!("{{ {} }}", shown.join(", "))
    }

    /// A value that fits: the default, else an example, else the first word of a list. Empty where none is
    /// known.
    fn value(&self, property: &Value) -> String {
        for schema in [property, self.resolve(property)] {
            if let Some(default) = schema.get("default") {
                return plain(default);
            }
            if let Some(example) = schema["examples"].get(0) {
                return plain(example);
            }
            if let Some(items) = schema.get("items") {
                let least = schema["minItems"].as_u64().unwrap_or(1) as usize;
                return format!("[{}]", vec![self.example(items); least].join(", "));
            }
            for choice in ["oneOf", "anyOf"] {
                for each in schema[choice].as_array().into_iter().flatten() {
                    if let Some(word) = each.get("const") {
                        return plain(word);
                    }
                    if each["type"] == "integer" {
                        return each["minimum"].as_u64().unwrap_or(0).to_string();
                    }
                    let value = self.value(each);
                    if !value.is_empty() {
                        return value;
                    }
                }
            }
        }
        String::new()
    }

    /// Follows references, and looks past "or nothing".
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.resolve(&self.schema["$defs"][name]);
        }
        match schema["anyOf"].as_array() {
            Some(several) => several
                .iter()
                .find(|each| each.get("$ref").is_some())
                .map_or(schema, |each| self.resolve(each)),
            None => schema,
        }
    }
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// The fields of `{ a: …, b: … }`, at its own level.
fn fields_of(value: &str) -> Vec<&str> {
    let Some(inner) = value.trim().strip_prefix('{') else {
        return Vec::new();
    };
    let mut depth = 0_usize;
    let mut fields = Vec::new();
    let mut begin = 0;
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => begin = at + 1,
            ':' if depth == 0 => {
                let word = inner.get(begin..at).unwrap_or_default().trim();
                if is_key(word) {
                    fields.push(word);
                }
            }
            _ => {}
        }
    }
    fields
}

/// A value as a drill file would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains([' ', ':', '{', '$', '>']) || text.is_empty() => {
            format!("{text:?}")
        }
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let fields: Vec<String> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key}: {}", plain(value)))
                .collect();
            if fields.is_empty() {
                return "{}".to_owned();
            }
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The first sentence, and of a long one what comes before its reason: a comment has one line.
fn first_sentence(text: &str) -> &str {
    let sentence = text.find(". ").map_or(text, |end| &text[..=end]);
    match sentence.find(": ") {
        Some(end) if sentence.len() > 100 => &sentence[..end],
        _ => sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{Given, Source, check_text};
    use serde_json::json;

    #[test]
    fn names_are_made_as_near_as_the_rules_allow() {
        assert_eq!(as_name("Our  Primary/crash!"), "our-primary-crash");
        assert_eq!(as_name("staging"), "staging");
        assert_eq!(as_name("ä-1"), "1");
        assert_eq!(as_name("--"), "");
        assert_eq!(as_name(&"long ".repeat(20)).len(), 59);
    }

    #[test]
    fn fields_of_nested_braces_are_not_its_own() {
        assert_eq!(fields_of(" { node: { of: x }, id: y }"), ["node", "id"]);
        assert_eq!(fields_of(" 5s"), [""; 0]);
    }

    /// What is offered in comments can be used: uncommented, it is right as far as one step can be.
    #[test]
    fn every_step_and_objective_that_is_offered_fits_the_schema() {
        let schema = drill_schema();
        let text = drill("ours", FIRST_DRILL, "x").unwrap();
        let mut seen = 0;
        for line in text.lines() {
            let Some(entry) = line.strip_prefix("#  - ") else {
                continue;
            };
            let value: Value = serde_yaml::from_str(entry).unwrap();
            let fits = ["Step", "Objective"].iter().any(|definition| {
                let one =
                    json!({ "$ref": format!("#/$defs/{definition}"), "$defs": schema["$defs"] });
                jsonschema::validator_for(&one).unwrap().is_valid(&value)
            });
            assert!(
                fits,
                "{entry}: give its fields examples in src/drill/schema/polish.rs"
            );
            seen += 1;
        }
        assert!(seen >= 10, "{seen} offered");
    }

    #[test]
    fn a_drill_is_begun_in_any_name_and_stays_right() {
        for shipped in shipped::ALL {
            let text = drill("ours", shipped.name, "x").unwrap();
            let checked = check_text(&Source::new("ours.yaml", text), &Given::default()).unwrap();
            assert_eq!(checked.drill.name, "ours");
        }
        assert_eq!(drill("ours", "no-such", "x"), None);
    }
}

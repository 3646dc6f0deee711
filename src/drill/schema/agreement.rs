//! Schema and `check` agree: an editor warns of what `check` refuses, as far as one field can show it, and
//! of nothing else.

use super::{drill_schema, target_schema};
use crate::drill::step::Step;
use crate::drill::{Diagnostic, Given, Source, check_target_text, check_text, shipped};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

static DRILL: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&drill_schema()).unwrap());
static TARGET: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&target_schema()).unwrap());

/// What `check` says of single fields. Everything else that it says needs more than one of them.
const SHAPE: [&str; 6] = [
    "unknown-field",
    "unknown-word",
    "missing-field",
    "wrong-type",
    "wrong-value",
    "version",
];

/// What a file's variables are wrong about is said first, and alone.
const BEFORE_SHAPE: [&str; 3] = ["variable", "variables", "unknown-variable"];

fn as_json(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn codes(found: Result<Vec<Diagnostic>, Vec<Diagnostic>>) -> Option<Vec<&'static str>> {
    let found = found.err()?;
    Some(found.iter().map(|each| each.code).collect())
}

/// The codes with which `check` refuses a drill; `None` where it is right.
fn refused_drill(drill: &Value) -> Option<Vec<&'static str>> {
    let source = Source::new("drill.yaml", drill.to_string());
    codes(check_text(&source, &Given::default()).map(|checked| checked.warnings))
}

fn refused_target(target: &Value) -> Option<Vec<&'static str>> {
    let source = Source::new("my.target.yaml", target.to_string());
    codes(check_target_text(&source).map(|checked| checked.warnings))
}

/// Where schema and `check` differ although they need not, or cannot do otherwise; each with its reason.
fn may_differ(validator: &Validator, file: &Value, refused: Option<&[&str]>) -> bool {
    let errors: Vec<String> = validator
        .iter_errors(file)
        .map(|error| error.to_string())
        .collect();
    match refused {
        // check takes it, the schema does not:
        None => errors.iter().all(|error| {
            // A plain word is a text in YAML whatever it looks like (`id: 1`), and a number may stand in
            // quotes, as a variable's value does. Editors are told what is meant to be written.
            error.contains("is not of type") || error.contains("is not valid under any of")
        }),
        Some(_) => false,
    }
}

#[test]
fn every_shipped_file_is_valid_with_its_variables_unfilled() {
    for drill in shipped::ALL {
        let errors: Vec<String> = DRILL
            .iter_errors(&as_json(drill.text))
            .map(|error| format!("{error} at {}", error.instance_path))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", drill.name);
    }
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".target.yaml") {
            let file = as_json(&std::fs::read_to_string(&path).unwrap());
            let errors: Vec<String> = TARGET
                .iter_errors(&file)
                .map(|error| format!("{error} at {}", error.instance_path))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn the_usual_mistakes_are_seen_by_both() {
    let good = shipped::find("primary-crash").unwrap().text;
    for (from, to) in [
        ("version: 1", "version: 2"),
        ("version: 1\n", ""),
        ("name: primary-crash", "name: Primary Crash"),
        ("summary:", "sumary:"),
        ("objectives:", "objectivs:"),
        ("- downtime:", "- down_time:"),
        ("at_most: 0", "at_most: few"),
        ("at_most: 0", "at_most: -1"),
        ("at_most: 0", "most: 0"),
        ("- kill:", "- kil:"),
        (
            "- kill: { node: primary, id: crash }",
            "- kill: { id: crash }",
        ),
        ("- kill: { node: primary, id: crash }", "- kill"),
        (
            "- kill: { node: primary, id: crash }",
            "- kill: { node: { off: x }, id: crash }",
        ),
        ("id: crash }", "idd: crash }"),
        ("id: crash }", "id: the crash }"),
        ("within: 60s", "within: soon"),
        ("within: 60s", "within: 60"),
        ("within: 60s", "within: 60 s"),
        ("within: 60s", "within: 60s, or_restart: maybe"),
        ("  - settle:", "  - undo: { of: crash }\n    settle:"),
        (
            "steps:\n",
            "steps:\n  - stop: { node: primary, mode: gently }\n",
        ),
        (
            "steps:\n",
            "workload: { writers: { sesions: 4 } }\nsteps:\n",
        ),
        ("steps:\n", "expect: { fails: downtime }\nsteps:\n"),
    ] {
        assert!(good.contains(from), "{from}");
        let wrong = good.replacen(from, to, 1);
        let source = Source::new("drill.yaml", wrong.as_str());
        assert!(
            check_text(&source, &Given::default()).is_err(),
            "check: {to}"
        );
        assert!(!DRILL.is_valid(&as_json(&wrong)), "schema: {to}");
    }
}

#[test]
fn the_usual_mistakes_in_a_target_are_seen_by_both() {
    for wrong in [
        "version: 1\n",
        "version: 1\nlocal: { standbies: 2 }",
        "version: 1\nlocal: { failover: magic }",
        "version: 1\nlocal: { standbys: two }",
        "version: 1\nlocal: { agent: { loop: 50 } }",
        "version: 1\nlocal: { ports: { writer: 70000 } }",
        "version: 1\nlocal: {}\nlimit: { sessions: 20 }",
    ] {
        assert!(
            check_target_text(&Source::new("t", wrong)).is_err(),
            "{wrong}"
        );
        assert!(!TARGET.is_valid(&as_json(wrong)), "{wrong}");
    }
    assert!(TARGET.is_valid(&as_json(
        "version: 1\nlocal: { standbys: 2, failover: promote }"
    )));
}

#[test]
fn a_variable_may_stand_for_any_single_value() {
    let text = "version: 1\nname: v\nsummary: s\nvariables: { n: 0, m: fast, b: true, t: 5s }\nobjectives:\n  - lost_commits: { at_most: \"${n}\", at_risk_at_least: \"${n}\" }\nsteps:\n  - baseline: { for: \"${t}\" }\n  - stop: { node: primary, mode: \"${m}\", id: s }\n  - fail_over: { or_restart: \"${b}\" }\n  - undo: { of: s }\n";
    let source = Source::new("drill.yaml", text);
    assert_eq!(
        codes(check_text(&source, &Given::default()).map(|_| Vec::new())),
        None
    );
    assert!(DRILL.is_valid(&as_json(text)));
}

/// Walks all properties of a schema with their names.
fn properties<'a>(schema: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(held)) = map.get("properties") {
                found.extend(held.iter().map(|(name, body)| (name.clone(), body)));
            }
            map.values().for_each(|value| properties(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}

#[test]
fn every_property_is_described_in_one_line_and_no_object_is_open() {
    for schema in [drill_schema(), target_schema()] {
        let mut all = Vec::new();
        properties(&schema, &mut all);
        assert!(all.len() > 20);
        for (name, property) in all {
            let text = property["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty() && !text.contains('\n'), "{name}: {text:?}");
        }
        let text = schema.to_string();
        assert!(!text.contains("\"default\":null"));
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            let is_object = definition["type"] == "object";
            assert!(
                !is_object || definition["additionalProperties"] == json!(false),
                "{name} takes unknown fields"
            );
        }
    }
}

#[test]
fn every_kind_of_step_is_there_with_what_it_does() {
    let schema = drill_schema();
    let kinds = schema["$defs"]["Step"]["properties"].as_object().unwrap();
    assert_eq!(kinds.len(), Step::KINDS.len());
    for kind in Step::KINDS {
        assert!(kinds[*kind]["description"].is_string(), "{kind}");
    }
}

/// One change of a file: somewhere, something else.
#[derive(Clone, Debug)]
struct Change {
    place: prop::sample::Index,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Replace(Value),
    Remove,
    Add(&'static str, Value),
    Twice,
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!("yes")),
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(-1)),
        Just(json!(1.5)),
        Just(json!(70000)),
        Just(json!(4_294_967_296_u64)),
        Just(json!("")),
        Just(json!("5s")),
        Just(json!("5 s")),
        Just(json!("1d")),
        Just(json!("primary")),
        Just(json!("control_period")),
        Just(json!("pass")),
        Just(json!("fast")),
        Just(json!("all")),
        Just(json!({})),
        Just(json!([])),
        Just(json!({ "of": "crash" })),
        Just(json!({ "fail": "downtime" })),
        Just(json!({ "for": "5s" })),
        Just(json!({ "hold": { "for": "5s" } })),
        Just(json!({ "settle": {} })),
        Just(json!({ "at_most": "5s" })),
        Just(json!({ "at_most": 5 })),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let field = prop::sample::select(vec![
        "id",
        "node",
        "of",
        "within",
        "for",
        "to",
        "mode",
        "at_most",
        "or_restart",
        "scope",
        "from",
        "text",
        "until",
        "workload",
        "expect",
        "why",
        "writers",
        "sessions",
        "every",
        "stall",
        "fresh",
        "nothing",
        "standbys",
        "synchronous",
        "agent",
        "ports",
        "limits",
    ]);
    let what = prop_oneof![
        4 => value().prop_map(What::Replace),
        2 => Just(What::Remove),
        3 => (field, value()).prop_map(|(field, value)| What::Add(field, value)),
        1 => Just(What::Twice),
    ];
    (any::<prop::sample::Index>(), what).prop_map(|(place, what)| Change { place, what })
}

/// The paths of all values below a value.
fn paths(value: &Value, here: &str, found: &mut Vec<String>) {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                // The value of a variable has no type until it stands somewhere.
                if here.is_empty() && key == "variables" {
                    continue;
                }
                let path = format!("{here}/{}", escape(key));
                found.push(path.clone());
                paths(below, &path, found);
            }
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                let path = format!("{here}/{index}");
                found.push(path.clone());
                paths(below, &path, found);
            }
        }
        _ => {}
    }
}

fn apply(file: &mut Value, change: &Change) {
    let mut all = Vec::new();
    paths(file, "", &mut all);
    if all.is_empty() {
        return;
    }
    let path = change.place.get(&all);
    let (parent, last) = path.rsplit_once('/').unwrap();
    match &change.what {
        What::Replace(value) => *file.pointer_mut(path).unwrap() = value.clone(),
        What::Add(field, value) => {
            if let Some(Value::Object(map)) = file.pointer_mut(path) {
                map.insert((*field).to_owned(), value.clone());
            }
        }
        What::Remove => match file.pointer_mut(parent).unwrap() {
            Value::Object(map) => {
                map.remove(last);
            }
            Value::Array(items) => {
                items.remove(last.parse().unwrap());
            }
            _ => {}
        },
        What::Twice => {
            if let Value::Array(items) = file.pointer_mut(parent).unwrap() {
                let item = items[last.parse::<usize>().unwrap()].clone();
                items.push(item);
            }
        }
    }
}

/// Both say the same of a file's shape.
fn agree(
    validator: &Validator,
    file: &Value,
    refused: Option<Vec<&'static str>>,
) -> Result<(), TestCaseError> {
    let codes = refused.as_deref();
    if codes.is_some_and(|codes| codes.iter().any(|code| BEFORE_SHAPE.contains(code))) {
        return Ok(());
    }
    let wrong_shape = codes.is_some_and(|codes| codes.iter().any(|code| SHAPE.contains(code)));
    let valid = validator.is_valid(file);
    if wrong_shape {
        prop_assert!(
            !valid,
            "check refuses ({codes:?}), the schema does not: {file}"
        );
    } else if codes.is_none() {
        prop_assert!(
            valid || may_differ(validator, file, codes),
            "the schema refuses, check does not: {file}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn drills(which in 0..shipped::ALL.len(), changes in prop::collection::vec(change(), 1..4)) {
        let mut file = as_json(shipped::ALL[which].text);
        for change in &changes {
            apply(&mut file, change);
        }
        agree(&DRILL, &file, refused_drill(&file))?;
    }

    #[test]
    fn targets(changes in prop::collection::vec(change(), 1..4)) {
        let mut file = json!({
            "version": 1,
            "variables": { "downtime_limit": "30s" },
            "limits": { "sessions": 20, "commits_per_second": 100 },
            "local": {
                "drillable": true, "standbys": 1, "failover": "automatic", "synchronous": false,
                "agent": { "loop": "50ms", "detection": "300ms" },
                "router": { "check": "50ms", "fall": 3, "rise": 2, "timeout": "100ms" },
                "postgres": { "bin": "/usr/bin" }, "ports": { "writer": 1, "reader": 2 },
                "max_connections": 100
            }
        });
        for change in &changes {
            apply(&mut file, change);
        }
        agree(&TARGET, &file, refused_target(&file))?;
    }
}

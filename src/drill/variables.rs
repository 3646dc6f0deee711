//! Variables: `${name}` in a drill file, filled from the drill's own defaults, then the target file's
//! `variables`, then `--set name=value`.
//!
//! They are filled in the text, before it is parsed: only so may one stand for a number, a word of a
//! list or a part of a text, quoted or not, while every type of the file stays a plain type. Two things
//! keep that safe and precise. A value may hold nothing by which YAML would be structured otherwise, and
//! every position in the filled text is led back to the text as it was written.

use super::diagnostic::{Diagnostic, Source};
use super::nearest::nearest;
use super::places::{At, Places};
use crate::event::plan_record::VariableRecord;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Values given from outside the drill file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The target file's `variables`. Those that a drill does not have are not for this drill.
    pub target: BTreeMap<String, String>,
    /// `--set name=value`, in order; the last of a name counts.
    pub set: Vec<(String, String)>,
}

/// Reads one `--set` argument.
///
/// # Errors
/// When it is not `name=value`.
pub fn parse_set(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!(
            "{argument:?} is not NAME=VALUE, such as downtime_limit=60s"
        )),
    }
}

/// One `${name}` or `$${` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The bytes from `$` on: to `}` of a variable, to `{` of an escape.
    range: Range<usize>,
    /// The name; `None` for the escape, which stands for a plain `${`.
    name: Option<String>,
}

/// Finds all uses, and reports `${` that is none. Comments are not known yet, so that the caller drops
/// what lies in one.
pub(super) fn scan(source: &Arc<Source>) -> (Vec<Use>, Vec<(usize, Diagnostic)>) {
    let text = source.text();
    let mut uses = Vec::new();
    let mut wrong = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("${")) {
        let start = from + found;
        if start > from && text.as_bytes().get(start - 1) == Some(&b'$') {
            uses.push(Use {
                range: start - 1..start + 2,
                name: None,
            });
            from = start + 2;
            continue;
        }
        let rest = &text[start + 2..];
        let line = rest.lines().next().unwrap_or_default();
        let closed = line.find('}').map(|end| &line[..end]);
        match closed.filter(|name| is_name(name)) {
            Some(name) => {
                from = start + 2 + name.len() + 1;
                uses.push(Use {
                    range: start..from,
                    name: Some(name.to_owned()),
                });
            }
            None => {
                from = start + 2;
                let end = closed.map_or(from, |inner| from + inner.len() + 1);
                wrong.push((
                    start,
                    Diagnostic::error("variable", "this is no variable")
                        .at(source, start..end)
                        .label("expected ${name}")
                        .help(
                            "a name has letters, digits and underscores; write $${ for a plain ${",
                        ),
                ));
            }
        }
    }
    (uses, wrong)
}

/// The text with every use replaced by as many letters: the same positions, and YAML even where a `${`
/// stands unquoted within braces.
pub(super) fn mask(text: &str, uses: &[Use]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for each in uses {
        masked.push_str(&text[from..each.range.start]);
        masked.extend(std::iter::repeat_n('v', each.range.len()));
        from = each.range.end;
    }
    masked.push_str(&text[from..]);
    masked
}

/// A text with its variables filled in.
#[derive(Debug)]
pub(super) struct Filled {
    /// The text.
    pub(super) text: String,
    /// What stands where: (range in `text`, range as written), in order.
    pieces: Vec<(Range<usize>, Range<usize>)>,
}

impl Filled {
    /// Leads a range of the filled text back to the text as written; one that touches a filled-in value
    /// becomes the whole `${name}`.
    pub(super) fn written(&self, range: Range<usize>) -> Range<usize> {
        let back = |at: usize, is_end: bool| {
            let mut shift = 0i64;
            for (filled, written) in &self.pieces {
                let inside = if is_end {
                    filled.start < at && at <= filled.end
                } else {
                    filled.start <= at && at < filled.end
                };
                if inside {
                    return if is_end { written.end } else { written.start };
                }
                if at < filled.end {
                    break;
                }
                shift = written.end as i64 - filled.end as i64;
            }
            usize::try_from(at as i64 + shift).unwrap_or(0)
        };
        let start = back(range.start, false);
        start..back(range.end, true).max(start)
    }
}

/// The variables of a drill with their values, and where they are used.
#[derive(Debug)]
pub(super) struct Variables {
    records: Vec<VariableRecord>,
    uses: Vec<Use>,
}

impl Variables {
    /// Settles each variable's value. `defaults` are the drill's own.
    pub(super) fn settle(
        source: &Arc<Source>,
        places: &Places,
        defaults: &BTreeMap<String, String>,
        given: &Given,
        uses: Vec<Use>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut wrong = Vec::new();
        let known = || defaults.keys().map(String::as_str);
        for (name, _) in &given.set {
            if !defaults.contains_key(name) {
                let message =
                    format!("--set names {name}, and the drill has no variable of this name");
                let near = nearest(name, known()).map(|near| format!("did you mean {near}? "));
                let help = format!("{}{}", near.unwrap_or_default(), list(defaults, name));
                wrong.push(Diagnostic::error("variable", message).help(help));
            }
        }
        let mut records = Vec::new();
        for (name, default) in defaults {
            let path = [At::Key("variables"), At::Key(name)];
            if !is_name(name) {
                wrong.push(
                    Diagnostic::error("variable", format!("{name:?} is no name for a variable"))
                        .at(source, places.key(&path).unwrap_or_default())
                        .help(
                            "a name has letters, digits and underscores, and begins with no digit",
                        ),
                );
                continue;
            }
            let set = given.set.iter().rev().find(|(other, _)| other == name);
            let (value, from) = match (set, given.target.get(name)) {
                (Some((_, value)), _) => (value, "--set"),
                (None, Some(value)) => (value, "target"),
                (None, None) => (default, "drill"),
            };
            if let Some(problem) = unfit(value) {
                let mut diagnostic = Diagnostic::error(
                    "variable",
                    format!("the value of {name} (from {from}) {problem}"),
                )
                .help("a value is a word, a number or a few words: letters, digits and _ . / % + - : only");
                if from == "drill" {
                    diagnostic = diagnostic.at(source, places.value(&path).unwrap_or_default());
                }
                wrong.push(diagnostic);
                continue;
            }
            records.push(VariableRecord {
                name: name.clone(),
                value: value.clone(),
                from: from.to_owned(),
            });
        }
        let own = places.value(&[At::Key("variables")]).unwrap_or(0..0);
        for each in &uses {
            let Some(name) = &each.name else { continue };
            let at = each.range.start;
            if own.contains(&at) || places.in_key(at) {
                wrong.push(
                    Diagnostic::error("variable", "a variable cannot be used here")
                        .at(source, each.range.clone())
                        .help("${name} may stand in the values of a file, not in its keys and not in other variables"),
                );
            } else if !defaults.contains_key(name) {
                let mut diagnostic =
                    Diagnostic::error("variable", format!("there is no variable {name}"))
                        .help(list(defaults, name))
                        .at(source, each.range.clone());
                if let Some(near) = nearest(name, known()) {
                    diagnostic = diagnostic.label(format!("did you mean ${{{near}}}?"));
                }
                wrong.push(diagnostic);
            }
        }
        (Self { records, uses }, wrong)
    }

    /// The variables and where each value came from.
    pub(super) fn records(&self) -> &[VariableRecord] {
        &self.records
    }

    /// The variable that is used in a range of the text as written.
    pub(super) fn used_in(&self, range: &Range<usize>) -> Option<&VariableRecord> {
        let used = self
            .uses
            .iter()
            .find(|each| range.start <= each.range.start && each.range.end <= range.end)?;
        self.value(used.name.as_deref()?)
    }

    /// Fills the text.
    pub(super) fn fill(&self, text: &str) -> Filled {
        let mut filled = Filled {
            text: String::with_capacity(text.len()),
            pieces: Vec::new(),
        };
        let mut from = 0;
        for each in &self.uses {
            filled.text.push_str(&text[from..each.range.start]);
            let start = filled.text.len();
            match &each.name {
                None => filled.text.push_str("${"),
                Some(name) => {
                    if let Some(record) = self.value(name) {
                        filled.text.push_str(&record.value);
                    }
                }
            }
            filled
                .pieces
                .push((start..filled.text.len(), each.range.clone()));
            from = each.range.end;
        }
        filled.text.push_str(&text[from..]);
        filled
    }

    fn value(&self, name: &str) -> Option<&VariableRecord> {
        self.records.iter().find(|record| record.name == name)
    }
}

impl Use {
    /// Where it begins.
    pub(super) fn start(&self) -> usize {
        self.range.start
    }
}

/// The variables that there are, in a sentence.
fn list(defaults: &BTreeMap<String, String>, wanted: &str) -> String {
    if defaults.is_empty() {
        return format!(
            "this drill has no variables; `variables: {{ {wanted}: … }}` adds one with its default"
        );
    }
    let names: Vec<&str> = defaults.keys().map(String::as_str).collect();
    format!("this drill's variables are: {}", names.join(", "))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '_')
}

/// Why a value may not be filled in: with these rules it can neither end a quoted text nor begin a list,
/// a map, a comment or another key.
fn unfit(value: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_alphanumeric() || "_./%+-: ".contains(c);
    if value.is_empty() {
        Some("is empty")
    } else if value.len() > 200 {
        Some("is longer than 200 bytes")
    } else if let Some(_odd) = value.chars().find(|c| !plain(*c)) {
        Some("has a character that could change the file's structure")
    } else if value.contains(": ") || value.ends_with(':') {
        Some("would read as a key")
    } else if value.starts_with(' ') || value.ends_with(' ') {
        Some("begins or ends with a space")
    } else if value.starts_with("- ") {
        Some("would read as a list")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uses_of(text: &str) -> Vec<Option<String>> {
        let (uses, _) = scan(&Source::new("drill.yaml", text));
        uses.into_iter().map(|each| each.name).collect()
    }

    #[test]
    fn finds_variables_and_escapes() {
        assert_eq!(
            uses_of("a: ${x}${y_2} $${z} $x {x}"),
            [Some("x".to_owned()), Some("y_2".to_owned()), None]
        );
        let (_, wrong) = scan(&Source::new("drill.yaml", "a: ${} ${a b} ${open"));
        assert_eq!(wrong.len(), 3);
    }

    #[test]
    fn set_arguments() {
        assert_eq!(parse_set("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        for wrong in ["", "a", "=b", "a b=c", "1a=2"] {
            assert!(parse_set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_cannot_change_the_structure() {
        for value in [
            "30s",
            "0",
            "node-1",
            "a few words",
            "12:30",
            "100%",
            "a/b.c",
        ] {
            assert_eq!(unfit(value), None, "{value}");
        }
        for value in [
            "", "a, b", "{x", "x}", "a: b", "a:", "# x", "\"", "'", "a\nb", "*x", "&x", " x",
            "- x", "[", "!t", "|",
        ] {
            assert!(unfit(value).is_some(), "{value}");
        }
    }

    proptest! {
        /// Whatever stands outside of the variables keeps its text, and finds its place again.
        #[test]
        fn positions_lead_back(
            parts in prop::collection::vec(("[a-z \\n]{0,6}", "[a-z]{1,4}", "[0-9a-z]{1,9}"), 1..6),
            tail in "[a-z]{0,5}",
        ) {
            let mut text = String::new();
            let mut defaults = BTreeMap::new();
            for (index, (before, name, value)) in parts.iter().enumerate() {
                let name = format!("{name}_{index}");
                text.push_str(before);
                text.push_str(&format!("${{{name}}}"));
                defaults.insert(name, value.clone());
            }
            text.push_str(&tail);
            let source = Source::new("drill.yaml", &text);
            let (uses, _) = scan(&source);
            prop_assert_eq!(mask(&text, &uses).len(), text.len());
            let records = defaults.iter().map(|(name, value)| VariableRecord {
                name: name.clone(), value: value.clone(), from: "drill".to_owned(),
            }).collect();
            let variables = Variables { records, uses };
            let filled = variables.fill(&text);
            for (at, letter) in filled.text.char_indices() {
                let written = filled.written(at..at + 1);
                let inside = filled.pieces.iter().any(|(piece, _)| piece.contains(&at));
                if inside {
                    let is_use = text[written].starts_with("${");
                    prop_assert!(is_use);
                } else {
                    prop_assert_eq!(&text[written], letter.to_string());
                }
            }
        }

        #[test]
        fn any_text_is_scanned(text in "[${}a-z\\n\u{e9}]{0,40}") {
            let (uses, _) = scan(&Source::new("drill.yaml", &text));
            prop_assert_eq!(mask(&text, &uses).len(), text.len());
        }
    }
}

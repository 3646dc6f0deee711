//! What the YAML engine refuses, in words for people, at the place in the text as it was written.

use super::diagnostic::{Diagnostic, Source};
use super::nearest::nearest;
use super::variables::Filled;
use serde::de::DeserializeOwned;
use serde_yaml::{Error, Options};
use std::ops::Range;
use std::sync::Arc;

/// Larger files are refused before they are looked at.
pub(super) const LARGEST: usize = 1024 * 1024;

/// Reads a text into a type, within a budget that no honest file meets.
///
/// # Errors
/// The one mistake at which the engine stopped.
pub(super) fn parse<T: DeserializeOwned>(
    source: &Arc<Source>,
    text: &str,
    filled: Option<&Filled>,
) -> Result<T, Box<Diagnostic>> {
    serde_yaml::from_str_with_options(text, options())
        .map_err(|error| Box::new(explain(&error, source, text, filled)))
}

/// Files are small and flat, so that little is enough: hostile ones (nesting, aliases of aliases) end
/// here instead of in memory.
fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: 16,
            max_nodes: 50_000,
            max_events: 200_000,
            max_anchors: 64,
            max_aliases: 256,
            max_documents: 2,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
        },
        // `on` and `yes` are words here, whatever older YAML thought.
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Says what an error of the engine means.
fn explain(error: &Error, source: &Arc<Source>, text: &str, filled: Option<&Filled>) -> Diagnostic {
    let error = innermost(error);
    let range = error
        .location()
        .and_then(|location| range_of(&location, text));
    let word = range
        .as_ref()
        .and_then(|range| text.get(range.clone()))
        .unwrap_or_default();
    let diagnostic = in_words(error, word);
    let Some(range) = range else {
        return diagnostic;
    };
    let range = only_the_word(text, range);
    let Some(filled) = filled else {
        return diagnostic.at(source, range);
    };
    let written = filled.written(range.clone());
    let as_written = source.text().get(written.clone()).unwrap_or_default();
    let diagnostic = match text.get(range) {
        Some(value) if as_written.contains("${") && as_written != value => {
            diagnostic.help_or(&format!("{as_written} stands for {value} here"))
        }
        _ => diagnostic,
    };
    diagnostic.at(source, written)
}

/// The bytes of a place; the engine gives some places by line and column only.
fn range_of(location: &serde_yaml::Location, text: &str) -> Option<Range<usize>> {
    let span = location.span();
    if let (Some(start), Some(length)) = (span.byte_offset(), span.byte_len()) {
        let start = usize::try_from(start).ok()?;
        return Some(start..start + usize::try_from(length).ok()?);
    }
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column()).ok()?.saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let within: usize = text
        .get(before..)?
        .chars()
        .take(column)
        .map(char::len_utf8)
        .sum();
    Some(before + within..before + within)
}

/// Errors behind an alias and with a snippet around them say the same within.
fn innermost(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } => innermost(error),
        Error::WithSnippet { error, .. } => innermost(error),
        plain => plain,
    }
}

/// A place that is a whole map or list is better shown by its first word.
fn only_the_word(text: &str, range: Range<usize>) -> Range<usize> {
    let shown = text.get(range.clone()).unwrap_or_default();
    let is_collection = shown.starts_with(['{', '[']) || shown.contains('\n');
    if !is_collection && !shown.is_empty() {
        return range;
    }
    let rest = text.get(range.start..).unwrap_or_default();
    let length = rest
        .find(|c: char| c.is_whitespace() || c == ':' || c == ',')
        .unwrap_or(rest.len());
    range.start..range.start + length.max(1)
}

fn in_words(error: &Error, word: &str) -> Diagnostic {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => unknown(
            "unknown-field",
            format!("there is no field {field} here"),
            field,
            expected,
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown(
            "unknown-word",
            format!("{variant} is not known here"),
            variant,
            expected,
        ),
        Error::SerdeMissingField { field, .. } => {
            Diagnostic::error("missing-field", format!("the field {field} is missing"))
                .label(format!("here, {field} must be given"))
        }
        Error::DuplicateMappingKey { key, .. } => Diagnostic::error(
            "duplicate-key",
            match key {
                Some(key) => format!("{key} is given twice"),
                None => "a key is given twice".to_owned(),
            },
        )
        .label("again here"),
        Error::InvalidScalar { ty, .. } => wrong_type(word, number_word(ty)),
        Error::SerdeInvalidType {
            unexpected,
            expected,
            ..
        }
        | Error::SerdeInvalidValue {
            unexpected,
            expected,
            ..
        } => Diagnostic::error("wrong-type", format!("this is {unexpected}"))
            .label(format!("expected {expected}")),
        Error::Unexpected { expected, .. } => Diagnostic::error(
            "wrong-type",
            "this is something else than what belongs here",
        )
        .label(format!("expected {}", shape_word(expected))),
        Error::NullIntoString { .. } => {
            Diagnostic::error("wrong-type", "there is nothing here").label("expected a text")
        }
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
            Diagnostic::error("wrong-type", "this is no step and no objective")
                .label("expected one word and its fields")
                .help("write `- kill: { node: primary }`")
        }
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => Diagnostic::error(
            "wrong-type",
            "one entry of a list holds one kind, and this is a second one",
        )
        .label("begin a new entry with `- `"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => Diagnostic::error(
            "too-large",
            "the file is too deep, too large, or repeats itself too often",
        )
        .help("no drill needs this; write it out plainly"),
        Error::MultipleDocuments { .. } => {
            Diagnostic::error("syntax", "there is a second document")
                .label("one file holds one document")
        }
        // The parser's own guard against nesting, which comes before the budget's.
        other if other.to_string().contains("recursion limit") => {
            Diagnostic::error("too-large", "the file is nested too deep")
                .help("no drill needs this; write it out plainly")
        }
        Error::Eof { .. } => Diagnostic::error("syntax", "the file ends too early"),
        Error::UnknownAnchor { .. } => Diagnostic::error("syntax", "this alias stands for nothing")
            .help("quote a text that begins with *"),
        Error::Message { msg, .. } => Diagnostic::error("wrong-value", msg.clone()),
        other => Diagnostic::error("syntax", first_line(&other.to_string())),
    }
}

fn unknown(
    code: &'static str,
    message: String,
    word: &str,
    expected: &[&'static str],
) -> Diagnostic {
    let diagnostic = Diagnostic::error(code, message);
    let diagnostic = match nearest(word, expected.iter().copied()) {
        Some(near) => diagnostic.label(format!("did you mean {near}?")),
        None => diagnostic,
    };
    diagnostic.help(format!("here can be: {}", expected.join(", ")))
}

fn wrong_type(word: &str, expected: &str) -> Diagnostic {
    Diagnostic::error("wrong-type", format!("{word} is not {expected}"))
        .label(format!("expected {expected}"))
}

fn shape_word(expected: &str) -> &str {
    if expected.contains("scalar") {
        "one word or number"
    } else if expected.contains("mapping") {
        "fields, such as { for: 5s }"
    } else if expected.contains("sequence") {
        "a list"
    } else {
        expected
    }
}

fn number_word(ty: &str) -> &str {
    match ty {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "bool" | "boolean" => "true or false",
        other => other,
    }
}

/// Texts of the parser may end with their own position, which is shown better.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("YAML parser error: ").unwrap_or(line);
    let end = line.rfind(" at line ").unwrap_or(line.len());
    line[..end].to_owned()
}

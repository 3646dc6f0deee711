//! `{{word}}` in the arguments of a command: what is known of the step's node and of the endpoints.
//!
//! It knows no passwords, so that none can come into an argument.

use crate::target::Target;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The words that may stand between braces.
pub const WORDS: [&str; 10] = [
    "node.name",
    "node.role",
    "node.host",
    "node.port",
    "writer.host",
    "writer.port",
    "writer.database",
    "reader.host",
    "reader.port",
    "run.id",
];

/// What the words stand for in one step, frozen when it began, and where a command runs.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// By word.
    pub words: BTreeMap<&'static str, String>,
    /// The run's folder.
    pub folder: PathBuf,
    /// The folder that commands run in.
    pub directory: PathBuf,
    /// The step's id.
    pub step: String,
    /// The longest that the drill can take; zero where no plan says.
    pub longest: Duration,
}

impl Binding {
    /// The words of a step on `node`, which has this role, or of one without a node.
    #[must_use]
    pub fn of(target: &dyn Target, step: &str, node: Option<(&str, &str)>, folder: &Path) -> Self {
        let mut words = BTreeMap::new();
        if let Some((name, role)) = node {
            let (host, port) = target.reached_at(name);
            words.insert("node.name", name.to_owned());
            words.insert("node.role", role.to_owned());
            words.insert("node.host", host);
            words.insert("node.port", port.to_string());
        }
        for endpoint in target.endpoints() {
            let address = endpoint.address;
            let (host, port) = match endpoint.name {
                "writer" => ("writer.host", "writer.port"),
                "reader" => ("reader.host", "reader.port"),
                _ => continue,
            };
            words.insert(host, address.host);
            words.insert(port, address.port.to_string());
            if endpoint.name == "writer" {
                words.insert("writer.database", address.database);
            }
        }
        if let Some(run) = folder.file_name() {
            words.insert("run.id", run.to_string_lossy().into_owned());
        }
        Self {
            words,
            folder: folder.to_owned(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            step: step.to_owned(),
            longest: Duration::ZERO,
        }
    }

    /// All arguments with their words filled in.
    ///
    /// # Errors
    /// The first word that stands for nothing here.
    pub fn fill(&self, arguments: &[String]) -> Result<Vec<String>, String> {
        arguments
            .iter()
            .map(|text| {
                let mut filled = String::with_capacity(text.len());
                for part in parts(text) {
                    match part {
                        Part::Text(text) => filled.push_str(text),
                        Part::Word(word) => match self.words.get(word) {
                            Some(value) => filled.push_str(value),
                            None => return Err(format!("{{{{{word}}}}} stands for nothing here")),
                        },
                    }
                }
                Ok(filled)
            })
            .collect()
    }
}

/// The words that a text uses.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    parts(text).into_iter().filter_map(|part| match part {
        Part::Word(word) => Some(word),
        Part::Text(_) => None,
    })
}

enum Part<'a> {
    Text(&'a str),
    Word(&'a str),
}

/// Braces that do not close are text: a command may well have them.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((word, behind)) = after.split_once("}}") else {
            break;
        };
        parts.push(Part::Text(before));
        parts.push(Part::Word(word.trim()));
        rest = behind;
    }
    parts.push(Part::Text(rest));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> Binding {
        Binding {
            words: BTreeMap::from([("node.name", "node-1".to_owned())]),
            ..Binding::default()
        }
    }

    #[test]
    fn words_are_filled_and_everything_else_stays() {
        let given = [
            "a{{node.name}}b{{ node.name }}",
            "awk '{print {{1'",
            "${HOME}",
        ];
        let filled = binding().fill(&given.map(str::to_owned)).unwrap();
        assert_eq!(filled, ["anode-1bnode-1", "awk '{print {{1'", "${HOME}"]);
    }

    #[test]
    fn a_word_that_stands_for_nothing_is_an_error() {
        let error = binding().fill(&["{{node.host}}".to_owned()]).unwrap_err();
        assert_eq!(error, "{{node.host}} stands for nothing here");
    }
}

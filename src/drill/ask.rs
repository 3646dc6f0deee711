//! The step `ask`: a decision that a person makes in the middle of a drill.

use super::duration::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Asks a person, and goes on with the answer. Answered on the terminal that the drill runs on, or from
/// anywhere on the same machine by `firedrill answer RUN STEP WORD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Name of the step, by which it is answered.
    #[serde(default)]
    pub id: Option<String>,
    /// Who decides, such as `database on call`.
    #[schemars(example = "the database on call")]
    pub who: String,
    /// The question.
    #[schemars(example = "Promote the standby?")]
    pub question: String,
    /// The words that answer it.
    #[schemars(length(min = 1), example = ["go", "stop"])]
    pub answers: Vec<String>,
    /// How long to wait for an answer.
    pub within: Duration,
    /// The answer where nobody gave one in time. Without it the step fails then.
    #[serde(default)]
    pub otherwise: Option<String>,
    /// Answers that end the drill: before the first fault it is called off, later everything is put back
    /// and judged.
    #[serde(default)]
    pub stop_on: Vec<String>,
    /// Whether the wait counts as recovery time: true where deciding is a part of the recovery. The
    /// downtime that clients saw is never shortened.
    #[serde(default)]
    pub counts: bool,
}

impl Ask {
    /// The answer that this text is: one of the words, with any case and space around it.
    #[must_use]
    pub fn answer(&self, text: &str) -> Option<&str> {
        let text = text.trim();
        let fits = |word: &&String| word.eq_ignore_ascii_case(text);
        self.answers.iter().find(fits).map(String::as_str)
    }

    /// Whether an answer ends the drill.
    #[must_use]
    pub fn stops(&self, answer: &str) -> bool {
        self.stop_on.iter().any(|word| word == answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_words_in_any_case() {
        let ask: Ask = serde_json::from_str(
            r#"{ "who": "on call", "question": "Promote?", "answers": ["go", "stop"],
                 "within": "1m", "stop_on": ["stop"] }"#,
        )
        .unwrap();
        assert_eq!(ask.answer(" GO\n"), Some("go"));
        assert_eq!(ask.answer("goo"), None);
        assert!(ask.stops("stop") && !ask.stops("go"));
    }
}

//! Whether a question can be answered, and every answer that is named is one.

use super::Findings;
use crate::drill::diagnostic::Diagnostic;
use crate::drill::nearest::nearest;
use crate::drill::places::At;
use crate::drill::sequence::Placed;
use crate::drill::step::Step;
use std::collections::BTreeSet;

/// Checks every `ask`.
pub(super) fn asks(steps: &[Placed], findings: &mut Findings<'_>) {
    for placed in steps {
        let Step::Ask(body) = &placed.step else {
            continue;
        };
        let field = |name| placed.at(&[At::Key(name)]);
        let item = |name, number| placed.at(&[At::Key(name), At::Item(number)]);
        for (name, text) in [("who", &body.who), ("question", &body.question)] {
            if text.trim().is_empty() {
                findings.add(
                    &field(name),
                    Diagnostic::error("ask", format!("{name} is empty")),
                );
            }
        }
        if body.within.as_ms() == 0 {
            findings.add(
                &field("within"),
                Diagnostic::error("ask", "nobody can answer within no time"),
            );
        }
        if body.answers.is_empty() {
            findings.add(
                &field("answers"),
                Diagnostic::error("ask", "there is no answer to give")
                    .help("name the words that answer it, such as `answers: [go, stop]`"),
            );
        }
        let mut seen = BTreeSet::new();
        for (number, word) in body.answers.iter().enumerate() {
            let place = item("answers", number);
            if !is_word(word) {
                findings.add(
                    &place,
                    Diagnostic::error("ask", "this is no word to answer with")
                        .label("expected letters, digits, - and _, at most 30"),
                );
            }
            if !seen.insert(word.to_ascii_lowercase()) {
                findings.add(
                    &place,
                    Diagnostic::error("ask", format!("{word} is an answer twice")),
                );
            }
        }
        let known = || body.answers.iter().map(String::as_str);
        let no_answer = |word: &str| {
            let wrong = Diagnostic::error("ask", format!("{word} is none of the answers"));
            match nearest(word, known()) {
                Some(near) => wrong.label(format!("did you mean {near}?")),
                None => wrong.help(format!("answers are: {}", body.answers.join(", "))),
            }
        };
        if let Some(word) = &body.otherwise
            && !body.answers.contains(word)
        {
            findings.add(&field("otherwise"), no_answer(word));
        }
        for (number, word) in body.stop_on.iter().enumerate() {
            if !body.answers.contains(word) {
                findings.add(&item("stop_on", number), no_answer(word));
            }
        }
    }
}

fn is_word(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=30).contains(&word.len()) && word.chars().all(fits)
}

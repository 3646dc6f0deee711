//! Whether every question of a drill can be answered, before anything is started.

use crate::cli::failure::Failure;
use crate::drill::ask::Ask;
use crate::drill::nearest;
use crate::plan::step::{Action, Step};

/// Reads `ID=WORD`.
///
/// # Errors
/// When it has another form.
pub fn parse_answer(given: &str) -> Result<(String, String), String> {
    match given.split_once('=') {
        Some((id, word)) if !id.is_empty() && !word.is_empty() => {
            Ok((id.to_owned(), word.to_owned()))
        }
        _ => Err(
            "write ID=WORD, such as decide=go: the step that asks, and one of its answers"
                .to_owned(),
        ),
    }
}

/// Checks answers that were given beforehand, and with `no_input` that none is missing.
///
/// # Errors
/// The first answer that answers nothing, or the first question that nobody could answer.
pub fn answerable(
    steps: &[Step],
    given: &[(String, String)],
    no_input: bool,
) -> Result<(), Failure> {
    let asks: Vec<(&str, &Ask)> = steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Ask(ask) => Some((step.id.as_str(), ask)),
            _ => None,
        })
        .collect();
    for (place, (id, word)) in given.iter().enumerate() {
        let Some((_, ask)) = asks.iter().find(|(asked, _)| asked == id) else {
            return Err(no_question(id, word, &asks));
        };
        if ask.answer(word) != Some(word) {
            let message = format!("--answer {id}={word}: {word} is no answer to {id}");
            return Err(Failure::usage(message).hint(choice(id, ask)));
        }
        if given[..place].iter().any(|(other, _)| other == id) {
            return Err(Failure::usage(format!("--answer answers {id} twice")));
        }
    }
    let open = asks
        .iter()
        .find(|(id, _)| !given.iter().any(|(other, _)| other == id));
    match open {
        Some((id, ask)) if no_input => {
            let message = format!(
                "step {id} asks {}: {} Nobody is asked with --no-input",
                ask.who, ask.question
            );
            Err(Failure::usage(message).hint(choice(id, ask)))
        }
        _ => Ok(()),
    }
}

fn choice(id: &str, ask: &Ask) -> String {
    let words: Vec<String> = ask
        .answers
        .iter()
        .map(|word| format!("--answer {id}={word}"))
        .collect();
    words.join("  or  ")
}

fn no_question(id: &str, word: &str, asks: &[(&str, &Ask)]) -> Failure {
    let failure = Failure::usage(format!("--answer {id}={word}: no step {id} asks anything"));
    let known = || asks.iter().map(|(id, _)| *id);
    match nearest(id, known()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None if asks.is_empty() => failure.hint("this drill asks nobody anything"),
        None => failure.hint(format!(
            "it asks at: {}",
            known().collect::<Vec<_>>().join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::duration::Duration as Time;
    use crate::report::Style;
    use std::time::Duration;

    fn steps() -> Vec<Step> {
        let ask = Ask {
            id: None,
            who: "the database on call".to_owned(),
            question: "Promote node-2?".to_owned(),
            answers: vec!["go".to_owned(), "stop".to_owned()],
            within: Time::from_secs(60),
            otherwise: None,
            stop_on: Vec::new(),
            counts: false,
        };
        vec![Step {
            id: "decide".to_owned(),
            action: Action::Ask(ask),
            limit: Duration::from_secs(60),
            together: None,
        }]
    }

    fn said(steps: &[Step], given: &[(&str, &str)], no_input: bool) -> String {
        let given: Vec<(String, String)> = given
            .iter()
            .map(|(id, word)| ((*id).to_owned(), (*word).to_owned()))
            .collect();
        match answerable(steps, &given, no_input) {
            Ok(()) => "fine".to_owned(),
            Err(failure) => failure.text(Style::Plain),
        }
    }

    #[test]
    fn every_way_to_answer_wrongly_is_said() {
        let cases = [
            said(&steps(), &[], false),
            said(&steps(), &[("decide", "go")], true),
            said(&steps(), &[], true),
            said(&steps(), &[("decide", "og")], false),
            said(&steps(), &[("decied", "go")], false),
            said(&steps(), &[("decide", "go"), ("decide", "stop")], false),
            said(&[], &[("decide", "go")], false),
        ];
        insta::assert_snapshot!(cases.join("\n\n"), @"
        fine

        fine

        error: step decide asks the database on call: Promote node-2? Nobody is asked with --no-input
         next: --answer decide=go  or  --answer decide=stop

        error: --answer decide=og: og is no answer to decide
         next: --answer decide=go  or  --answer decide=stop

        error: --answer decied=go: no step decied asks anything
         next: did you mean decide?

        error: --answer answers decide twice

        error: --answer decide=go: no step decide asks anything
         next: this drill asks nobody anything
        ");
    }
}

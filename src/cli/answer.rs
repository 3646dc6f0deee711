//! `firedrill answer`.

use super::asynchronous::wait_for;
use super::choices::RunsChoice;
use super::exit_code::Exit;
use super::failure::Failure;
use super::state;
use super::terminal::Terminal;
use crate::clock::Clock;
use crate::drill::nearest;
use crate::event::answer::{self, Given};
use crate::event::{Answered, Asked, Event, log};
use crate::history;
use clap::Args;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Answer a question that a running drill asks
///
/// For whoever decides and does not sit at the terminal that the drill runs on. The first answer counts.
/// It goes by a file in the run's folder, so it is given on the same machine, by the same user.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firedrill answer latest decide go
  firedrill answer 20261123t1015 decide stop --by \"Ada, on call\"")]
pub struct AnswerArgs {
    /// The run's id, the beginning of it, `latest`, or the path of a run's folder
    #[arg(value_name = "RUN")]
    pub run: String,

    /// The step that asks
    #[arg(value_name = "STEP")]
    pub step: String,

    /// One of its answers
    #[arg(value_name = "WORD")]
    pub word: String,

    /// Who decided. Default: your login name
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    #[command(flatten)]
    pub runs: RunsChoice,
}

/// How long the run may take to notice the answer.
const NOTICED: Duration = Duration::from_secs(5);
/// Between two looks whether it did.
const LOOK: Duration = Duration::from_millis(50);

/// Hands an answer to a run.
///
/// # Errors
/// When the run is over, does not ask this now, has an answer, or does not take it.
pub fn answer(args: &AnswerArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let folder = history::find(&state::runs_dir(&args.runs)?, &args.run)?;
    let asking = Asking::of(&folder, &args.step)?;
    let word = asking.word(&args.word)?;
    let by = args.by.clone().unwrap_or_else(login);
    let given = Given {
        answer: word.clone(),
        by: harmless(&by),
    };
    answer::give(&folder, &args.step, &given).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("another answer to {} is on its way", args.step))
        }
        _ => Failure::usage(format!(
            "the answer cannot be put into the run's folder: {error}"
        )),
    })?;
    let path = answer::path(&folder, &args.step);
    if !wait_for(taken(&path))? {
        // An answer that nobody took must not answer a question that is asked much later.
        let _ = std::fs::remove_file(&path);
        return Err(
            Failure::target("the run did not take the answer; is it still running?")
                .hint("firedrill list"),
        );
    }
    terminal.say(&format!(
        "{}: {word}, by {} ({})",
        args.step, given.by, asking.question.who
    ));
    Ok(Exit::Pass)
}

async fn taken(path: &Path) -> bool {
    let clock = Clock::of_runtime();
    let begin = clock.now();
    while path.exists() {
        if clock.now().since(begin) > NOTICED {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

/// The name that this user logs in by, or the number where it has none.
fn login() -> String {
    let uid = nix::unistd::getuid();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("user {uid}"),
    }
}

/// A name in one line of at most 60 characters, without what would steer a terminal.
fn harmless(name: &str) -> String {
    let name: String = crate::screen::harmless(name).chars().take(60).collect();
    name.replace('\n', " ").trim().to_owned()
}

/// The question that a run asks now.
#[derive(Debug)]
struct Asking {
    question: Asked,
}

impl Asking {
    /// Finds the question of a step, and that nobody has answered it.
    fn of(folder: &Path, step: &str) -> Result<Self, Failure> {
        let log = log::read(folder)?;
        let mut asked: Vec<(Asked, Option<Answered>)> = Vec::new();
        for entry in log.entries {
            match entry.event {
                Event::Asked(question) => asked.push((question, None)),
                Event::Answered(answered) => {
                    let newest = asked
                        .iter_mut()
                        .rev()
                        .find(|(question, _)| question.step == answered.step);
                    if let Some((_, answer)) = newest {
                        *answer = Some(answered);
                    }
                }
                Event::StopAsked { by, .. } => {
                    return Err(Failure::usage(format!("the run was stopped by {by}")));
                }
                Event::RunEnded(_) | Event::MeasuringEnded => {
                    return Err(Failure::usage("the run is over and asks nothing any more")
                        .hint("firedrill list"));
                }
                _ => {}
            }
        }
        let open: Vec<&str> = asked
            .iter()
            .filter(|(_, answer)| answer.is_none())
            .map(|(question, _)| question.step.as_str())
            .collect();
        match asked
            .iter()
            .rev()
            .find(|(question, _)| question.step == step)
        {
            Some((question, None)) => Ok(Self {
                question: question.clone(),
            }),
            Some((_, Some(answered))) => Err(Failure::usage(format!(
                "{step} is answered already: {}, by {}",
                answered.answer, answered.by
            ))),
            None => {
                let failure = Failure::usage(format!("the run does not ask {step} now"));
                Err(
                    match (nearest(step, open.iter().copied()), open.is_empty()) {
                        (Some(near), _) => failure.hint(format!("did you mean {near}?")),
                        (None, true) => failure.hint("it asks nothing now; wait until it does"),
                        (None, false) => failure.hint(format!("it asks: {}", open.join(", "))),
                    },
                )
            }
        }
    }

    fn word(&self, word: &str) -> Result<String, Failure> {
        let words = &self.question.answers;
        let found = words.iter().find(|it| it.eq_ignore_ascii_case(word));
        found.cloned().ok_or_else(|| {
            Failure::usage(format!("{word} is no answer to {}", self.question.step)).hint(format!(
                "{} Answers are: {}",
                self.question.question,
                words.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::answer::Way;
    use crate::event::log::LogWriter;
    use crate::event::{Entry, Stamp};
    use crate::measure::story::Story;
    use crate::report::Style;

    fn asked(step: &str) -> Event {
        Event::Asked(Asked {
            step: step.to_owned(),
            who: "on call".to_owned(),
            question: "Promote?".to_owned(),
            answers: vec!["go".to_owned(), "stop".to_owned()],
            within_ms: 60_000,
            counts: false,
        })
    }

    fn answered(step: &str) -> Event {
        Event::Answered(Answered {
            step: step.to_owned(),
            answer: "go".to_owned(),
            by: "alice".to_owned(),
            way: Way::Terminal,
            stops: false,
        })
    }

    /// What is said to somebody who answers `step` of a run with these events.
    fn said(events: Vec<Event>, step: &str, word: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(folder.path()).unwrap();
        let began = Story::new().entries().remove(0);
        let events = events.into_iter().map(|event| (Stamp(1), event));
        let all = std::iter::once((Stamp(0), began.event)).chain(events);
        for (seq, (at, event)) in (0..).zip(all) {
            log.append(&Entry { seq, at, event }).unwrap();
        }
        match Asking::of(folder.path(), step).and_then(|asking| asking.word(word)) {
            Ok(word) => format!("answered: {word}"),
            Err(failure) => failure.text(Style::Plain),
        }
    }

    #[test]
    fn only_a_question_that_is_open_is_answered() {
        let cases = [
            said(vec![asked("decide")], "decide", "GO"),
            said(vec![asked("decide")], "decide", "maybe"),
            said(vec![asked("decide")], "decied", "go"),
            said(vec![], "decide", "go"),
            said(vec![asked("decide"), answered("decide")], "decide", "go"),
            said(vec![asked("decide"), Event::MeasuringEnded], "decide", "go"),
        ];
        insta::assert_snapshot!(cases.join("\n"), @"
        answered: go
        error: maybe is no answer to decide
         next: Promote? Answers are: go, stop
        error: the run does not ask decied now
         next: did you mean decide?
        error: the run does not ask decide now
         next: it asks nothing now; wait until it does
        error: decide is answered already: go, by alice
        error: the run is over and asks nothing any more
         next: firedrill list
        ");
    }

    #[test]
    fn a_name_is_one_harmless_line() {
        assert_eq!(
            harmless("Ada\n\u{1b}[31m Lovelace"),
            harmless("Ada\n\u{1b}[31m Lovelace").trim()
        );
        assert!(!harmless("a\u{1b}[31m\nb").contains(['\u{1b}', '\n']));
    }
}

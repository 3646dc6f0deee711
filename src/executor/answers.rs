//! From where answers of people come to a run: given before it, typed on its terminal, or put into its
//! folder by another process. Nothing listens.

use crate::drill::ask::Ask;
use crate::event::answer::{self, Given, Way};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// How often the run's folder is looked at for an answer.
const LOOK: Duration = Duration::from_millis(50);

/// Begins to read lines from whoever sits at the terminal; reading ends when the receiver is dropped.
pub type Lines = Arc<dyn Fn() -> UnboundedReceiver<String> + Send + Sync>;

/// The ways by which questions of a run are answered.
#[derive(Clone, Default)]
pub struct Answers {
    /// Answers that were given before the run, by step: nobody is asked.
    pub given: BTreeMap<String, String>,
    /// The terminal, where somebody may sit at it.
    pub lines: Option<Lines>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers")
            .field("given", &self.given)
            .field("lines", &self.lines.is_some())
            .finish()
    }
}

/// An answer, by whom, and how it came.
pub type Answered = (String, String, Way);

impl Answers {
    /// Waits for the first answer that is one. What is none is handed to `refused`, in one line for whoever
    /// gave it.
    pub async fn wait(
        &self,
        step: &str,
        ask: &Ask,
        folder: &Path,
        mut refused: impl FnMut(String),
    ) -> Answered {
        if let Some(word) = self.given.get(step) {
            return (word.clone(), "--answer".to_owned(), Way::Automated);
        }
        let mut lines = self.lines.as_ref().map(|begin| begin());
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let (text, by, way) = tokio::select! {
                biased;
                typed = next(&mut lines) => match typed {
                    Some(text) if text.trim().is_empty() => continue,
                    Some(text) => (text, "the terminal".to_owned(), Way::Terminal),
                    // Nobody sits there any more; the folder is still looked at.
                    None => {
                        lines = None;
                        continue;
                    }
                },
                _ = look.tick() => match answer::take(folder, step) {
                    Some(Given { answer, by }) => (answer, by, Way::Command),
                    None => continue,
                },
            };
            match ask.answer(&text) {
                Some(word) => return (word.to_owned(), by, way),
                None => {
                    let shown: String = text.trim().chars().take(40).collect();
                    let words = ask.answers.join(", ");
                    refused(format!("{shown:?} is no answer; answers are: {words}"));
                }
            }
        }
    }
}

async fn next(lines: &mut Option<UnboundedReceiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::duration::Duration as Time;
    use tokio::sync::mpsc;

    fn ask() -> Ask {
        Ask {
            id: None,
            who: "on call".to_owned(),
            question: "Promote?".to_owned(),
            answers: vec!["go".to_owned(), "stop".to_owned()],
            within: Time::from_secs(60),
            otherwise: None,
            stop_on: Vec::new(),
            counts: false,
        }
    }

    async fn waited(answers: &Answers, folder: &Path) -> (Answered, Vec<String>) {
        let mut refused = Vec::new();
        let ask = ask();
        let wait = answers.wait("decide", &ask, folder, |line| refused.push(line));
        let answered = tokio::time::timeout(Duration::from_secs(30), wait).await;
        (answered.expect("an answer"), refused)
    }

    #[tokio::test]
    async fn what_was_given_before_is_automated() {
        let answers = Answers {
            given: BTreeMap::from([("decide".to_owned(), "go".to_owned())]),
            lines: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let (answered, _) = waited(&answers, folder.path()).await;
        assert_eq!(answered.2, Way::Automated);
    }

    #[tokio::test]
    async fn typed_lines_are_taken_until_one_is_an_answer() {
        let (typed, lines) = mpsc::unbounded_channel();
        for text in ["", "what?", "GO", "stop"] {
            typed.send(text.to_owned()).unwrap();
        }
        let lines = std::sync::Mutex::new(Some(lines));
        let answers = Answers {
            given: BTreeMap::new(),
            lines: Some(Arc::new(move || lines.lock().unwrap().take().unwrap())),
        };
        let folder = tempfile::tempdir().unwrap();
        let (answered, refused) = waited(&answers, folder.path()).await;
        assert_eq!((answered.0.as_str(), answered.2), ("go", Way::Terminal));
        assert_eq!(refused, ["\"what?\" is no answer; answers are: go, stop"]);
    }

    #[tokio::test]
    async fn another_process_answers_also_when_nobody_sits_at_the_terminal() {
        let answers = Answers {
            given: BTreeMap::new(),
            // The terminal is gone at once.
            lines: Some(Arc::new(|| mpsc::unbounded_channel().1)),
        };
        let folder = tempfile::tempdir().unwrap();
        let given = Given {
            answer: "stop".to_owned(),
            by: "alice".to_owned(),
        };
        answer::give(folder.path(), "decide", &given).unwrap();
        let (answered, _) = waited(&answers, folder.path()).await;
        assert_eq!(
            answered,
            ("stop".to_owned(), "alice".to_owned(), Way::Command)
        );
    }
}

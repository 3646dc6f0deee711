//! Why a command could not do what it was asked for, and what to do next.
//!
//! Every error of the library becomes a [`Failure`] here and nowhere else, so that no call site decides
//! on its own whose fault it was.

use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::history::{FindError, NoStateDir, SeriesError};
use crate::report::{OutputError, Paint, Style};
use crate::undo::JournalError;
use crate::undo::recover::RecoverError;

/// A command that could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is: the exit code says it to scripts.
    pub exit: Exit,
    /// What was tried and why it failed. Several lines are possible (an underlined file).
    pub message: String,
    /// What to do next, one line each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with a message and no advice yet.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// The command line or a file is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The target cannot be used, or was refused.
    pub fn target(message: impl Into<String>) -> Self {
        Self::new(Exit::Target, message)
    }

    /// The same with one more line of advice.
    #[must_use]
    pub fn hint(mut self, next: impl Into<String>) -> Self {
        self.hints.push(next.into());
        self
    }

    /// Says it on standard error.
    pub fn say(&self, terminal: &Terminal) {
        terminal.say(&self.text(terminal.error_style()));
    }

    /// The text of it: the message after `error:`, then each hint after `next:`.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let error = style.paint(Paint::Bad, "error:");
        let next = style.paint(Paint::Label, "next:");
        let mut text = format!("{error} {}", self.message.trim_end());
        for hint in &self.hints {
            text.push_str(&format!("\n {next} {hint}"));
        }
        text
    }
}

impl From<crate::event::log::LogError> for Failure {
    fn from(error: crate::event::log::LogError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<NoStateDir> for Failure {
    fn from(error: NoStateDir) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            FindError::Empty { .. } => failure.hint("firedrill demo"),
            _ => failure.hint("firedrill list"),
        }
    }
}

impl From<SeriesError> for Failure {
    fn from(error: SeriesError) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            SeriesError::Alone { run } => failure.hint(format!("firedrill report {run}")),
            _ => failure,
        }
    }
}

impl From<RecoverError> for Failure {
    /// A dead run that cannot be undone leaves something broken, unless somebody else is at it.
    fn from(error: RecoverError) -> Self {
        let message = error.to_string();
        match error {
            RecoverError::Journal(JournalError::Held { .. }) => Self::target(message).hint(
                "it undoes its faults itself: stop it there with Ctrl-C, or wait for its end",
            ),
            RecoverError::Journal(JournalError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Self::usage(message).hint("a run without a journal broke nothing")
            }
            _ => Self::new(Exit::UndoIncomplete, message),
        }
    }
}

impl From<crate::target::TargetError> for Failure {
    fn from(error: crate::target::TargetError) -> Self {
        Self::target(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_cause_and_next_step() {
        let failure = Failure::usage("no run is called \"abc\"").hint("firedrill list");
        insta::assert_snapshot!(failure.text(Style::Plain), @r#"
        error: no run is called "abc"
         next: firedrill list
        "#);
    }
}

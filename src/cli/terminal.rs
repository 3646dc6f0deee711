//! The one writer to standard output and standard error.
//!
//! Standard output holds what was asked for and nothing else; everything said to people goes to standard
//! error. A terminal that was closed, or a pipe whose reader left, is no reason to stop: a run must still
//! put everything back. So nothing here panics, and what cannot be said is dropped.

use super::failure::Failure;
use crate::report::Style;
use std::io::{self, IsTerminal, Write};

/// What is known of the two streams, found out once.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Standard error is a terminal.
    pub error_is_terminal: bool,
    /// Standard output is a terminal.
    pub output_is_terminal: bool,
    /// Somebody can be asked: standard input is a terminal.
    pub input_is_terminal: bool,
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub no_color: bool,
    /// `TERM=dumb`, or no `TERM` at all: the cursor cannot be moved.
    pub dumb: bool,
}

impl Terminal {
    /// Looks at this process's streams and environment.
    #[must_use]
    pub fn of_process() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            error_is_terminal: io::stderr().is_terminal(),
            output_is_terminal: io::stdout().is_terminal(),
            input_is_terminal: io::stdin().is_terminal(),
            no_color: set("NO_COLOR"),
            dumb: std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb"),
        }
    }

    /// How text on standard error may look.
    #[must_use]
    pub fn error_style(&self) -> Style {
        self.style(self.error_is_terminal)
    }

    /// How text on standard output may look.
    #[must_use]
    pub fn output_style(&self) -> Style {
        self.style(self.output_is_terminal)
    }

    fn style(&self, is_terminal: bool) -> Style {
        if is_terminal && !self.no_color && !self.dumb {
            Style::Color
        } else {
            Style::Plain
        }
    }

    /// Says something to people: standard error, with a line end. Never fails.
    pub fn say(&self, text: &str) {
        // One write, so that lines of several threads do not mix.
        let line = format!("{text}\n");
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// Gives what was asked for: standard output, as it is.
    ///
    /// # Errors
    /// When it cannot be written, such as on a full disk. A reader that left (`firedrill list | head`) is
    /// no error.
    pub fn answer(&self, text: &str) -> Result<(), Failure> {
        self.answer_by(|out| out.write_all(text.as_bytes()))
    }

    /// The same for text that is written piece by piece.
    ///
    /// # Errors
    /// As [`Terminal::answer`].
    pub fn answer_by(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::usage(
                format!("standard output cannot be written: {error}"),
            )),
            _ => Ok(()),
        }
    }

    /// Asks a question and reads one line; `None` where nobody can answer.
    #[must_use]
    pub fn ask(&self, question: &str) -> Option<String> {
        if !self.input_is_terminal {
            return None;
        }
        let mut err = io::stderr().lock();
        let _ = write!(err, "{question} ");
        let _ = err.flush();
        let mut line = String::new();
        match io::stdin().read_line(&mut line) {
            Ok(read) if read > 0 => Some(line.trim().to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_a_terminal() -> Terminal {
        Terminal {
            error_is_terminal: true,
            output_is_terminal: false,
            input_is_terminal: false,
            no_color: false,
            dumb: false,
        }
    }

    #[test]
    fn colours_only_a_terminal_that_wants_them() {
        let terminal = on_a_terminal();
        assert_eq!(terminal.error_style(), Style::Color);
        assert_eq!(terminal.output_style(), Style::Plain);
        let quiet = Terminal {
            no_color: true,
            ..terminal
        };
        assert_eq!(quiet.error_style(), Style::Plain);
        let dumb = Terminal {
            dumb: true,
            ..terminal
        };
        assert_eq!(dumb.error_style(), Style::Plain);
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        let terminal = on_a_terminal();
        let left = terminal.answer_by(|_| Err(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(left, Ok(()));
        let full = terminal.answer_by(|_| Err(io::ErrorKind::StorageFull.into()));
        assert!(full.is_err_and(|failure| failure.message.contains("standard output")));
    }
}

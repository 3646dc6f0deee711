//! 7. What a person sees while a run goes on, drawn from the events alone.
//!
//! A view reads entries and writes to the terminal. It never writes an event, never decides anything, and
//! never fails: a terminal that was closed must not cost the undo.

mod picture;
mod plain;
mod progress;
#[cfg(test)]
pub mod sample;
mod service;
mod story;

pub use plain::Plain;
pub use progress::Progress;

use crate::event::Entry;
use crate::report::Style;

/// Shows a run while it goes on. All writes ignore errors.
pub trait LiveView: Send {
    /// Takes the next entry of the log.
    fn see(&mut self, entry: &Entry);
    /// Shows a line that is no event, such as a warning before the run.
    fn say(&mut self, text: &str);
    /// Shows how far a download is, in bytes; `total` is 0 where nobody knows it. It is over when `done`
    /// reaches `total`, or with the next line that is said.
    fn download(&mut self, what: &str, done: u64, total: u64);
    /// Takes down what moves, so that the report can be written below.
    fn finish(&mut self);
}

/// The view that fits: moving lines on a terminal that can, plain lines elsewhere. `no_color` is whether
/// the environment has a non-empty NO_COLOR, `term_dumb` whether TERM is "dumb".
#[must_use]
pub fn choose(stderr_is_terminal: bool, term_dumb: bool, no_color: bool) -> Box<dyn LiveView> {
    if stderr_is_terminal && !term_dumb {
        let style = if no_color { Style::Plain } else { Style::Color };
        Box::new(Progress::on_stderr(style))
    } else {
        Box::new(Plain::new(std::io::stderr()))
    }
}

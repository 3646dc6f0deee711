//! 7. What people and machines read: one file per format, all from the same [`RunResult`].
//!
//! A reporter only words what the result holds. It computes no figure of its own, opens no file and
//! prints nothing by itself: it writes where it is told, so that a report rebuilt from a run's folder is
//! the one that the run printed.

mod format;
mod json;
mod junit;
mod loads;
mod markdown;
mod output;
#[cfg(test)]
pub mod sample;
pub mod schema;
mod series;
mod style;
mod terminal;
pub mod wording;

pub use format::{Format, UnknownFormat};
pub use json::Json;
pub use junit::{Junit, write_refused};
pub use markdown::Markdown;
pub use output::{Output, OutputError, Outputs, open_all};
pub use schema::{result_schema, results_schema};
pub use series::{run_text, series_text};
pub use style::{Paint, Style};
pub use terminal::{PreviousFigure, Terminal};

use crate::event::result::RunResult;
use std::io::{self, Write};

/// Words one result in one format.
pub trait Reporter {
    /// Writes the whole report.
    ///
    /// # Errors
    /// When `out` takes no more; the result itself is never refused.
    fn write(&self, result: &RunResult, out: &mut dyn Write) -> io::Result<()>;
}

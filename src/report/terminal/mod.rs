//! The last screen of a run, for somebody tired: the answer first, then what it rests on.
//!
//! Lines stay within [`COLUMNS`]; words are plain; a label stands on the left so that the eye can jump.
//! The order is always the same, so that a person who saw one finds everything in the next.

pub(super) mod answer;
mod page;
mod proof;
mod service;

use super::{Reporter, Style};
use crate::event::result::{Bounds, RunResult, Verdict};
use crate::screen::COLUMNS;
pub(super) use page::Page;
use std::io::{self, Write};

/// What the run before measured, to stand beside the new figure.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousFigure {
    /// Its id.
    pub run: String,
    /// RFC 3339.
    pub started_at: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its downtime; `None` where it was not observed.
    pub downtime: Option<Bounds>,
    /// Acknowledged commits that it lost; `None` where that could not be judged.
    pub lost: Option<u64>,
    /// The drill file was another one then.
    pub drill_changed: bool,
}

/// Writes the last screen.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    /// Whether to colour it.
    pub style: Style,
    /// The run before, where there is one.
    pub previous: Option<PreviousFigure>,
}

impl Reporter for Terminal {
    fn write(&self, result: &RunResult, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page::new(self.style, COLUMNS);
        answer::write(result, &mut page);
        page.gap();
        service::hit(result, &mut page);
        service::path(result, &mut page);
        page.gap();
        service::downtime(result, &mut page);
        service::loads(result, &mut page);
        service::recovery(result, &mut page);
        page.gap();
        proof::commits(result, &mut page);
        proof::state_left(result, &mut page);
        page.gap();
        proof::environment(result, &mut page);
        proof::previous(self.previous.as_ref(), &mut page);
        proof::one_run(result, &mut page);
        proof::next(result, &mut page);
        out.write_all(page.text().as_bytes())
    }
}

#[cfg(test)]
mod tests;

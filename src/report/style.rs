//! Colours, for those who asked for them; it decides nothing about what is said.

use crate::event::result::Verdict;

/// Whether text for people carries colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Text alone: files, pipes, NO_COLOR.
    #[default]
    Plain,
    /// ANSI colours of a terminal.
    Color,
}

/// What a colour is for; each has one meaning everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not known, or worth a second look.
    Doubt,
    /// Labels that the eye may skip.
    Label,
}

impl Paint {
    /// The colour of a verdict.
    #[must_use]
    pub fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Good,
            Verdict::Fail => Self::Bad,
            Verdict::Unknown | Verdict::Invalid => Self::Doubt,
        }
    }
}

impl Style {
    /// `text` in a colour, or as it is. Escape sequences of ISO 6429, in the eight colours that every
    /// terminal has.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match (self, paint) {
            (Self::Plain, _) => return text.to_owned(),
            (Self::Color, Paint::Good) => "1;32",
            (Self::Color, Paint::Bad) => "1;31",
            (Self::Color, Paint::Doubt) => "1;33",
            (Self::Color, Paint::Label) => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes() {
        assert_eq!(Style::Plain.paint(Paint::Bad, "FAIL"), "FAIL");
        assert_eq!(
            Style::Color.paint(Paint::Bad, "FAIL"),
            "\u{1b}[1;31mFAIL\u{1b}[0m"
        );
    }
}

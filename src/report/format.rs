//! The names of the formats, as `-o` spells them.

use super::{Json, Junit, Markdown, PreviousFigure, Reporter, Style, Terminal};
use std::fmt;
use std::str::FromStr;

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The last screen of a run.
    Terminal,
    /// `firedrill.result/1`.
    Json,
    /// JUnit XML, one case per objective.
    Junit,
    /// For a ticket or a wiki.
    Markdown,
}

/// A format that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no report format {given:?}; did you mean {nearest}? formats: {}",
    Format::names()
)]
pub struct UnknownFormat {
    /// What was asked for.
    pub given: String,
    /// The name that it resembles most.
    pub nearest: Format,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Terminal, Self::Json, Self::Junit, Self::Markdown];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Its reporter. Files get no colours; `previous` is the figure that the new one stands beside.
    #[must_use]
    pub fn reporter(self, previous: Option<&PreviousFigure>) -> Box<dyn Reporter> {
        match self {
            Self::Terminal => Box::new(Terminal {
                style: Style::Plain,
                previous: previous.cloned(),
            }),
            Self::Json => Box::new(Json),
            Self::Junit => Box::new(Junit),
            Self::Markdown => Box::new(Markdown),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(given: &str) -> Result<Self, UnknownFormat> {
        if let Some(format) = Self::ALL.into_iter().find(|format| format.name() == given) {
            return Ok(format);
        }
        let near = |format: &Self| strsim::jaro_winkler(format.name(), given);
        let nearest = Self::ALL
            .into_iter()
            .max_by(|a, b| near(a).total_cmp(&near(b)))
            .unwrap_or(Self::Json);
        Err(UnknownFormat {
            given: given.to_owned(),
            nearest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_back() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        let error = "xunit".parse::<Format>().unwrap_err();
        assert_eq!(error.nearest, Format::Junit);
        let error = "markdwon".parse::<Format>().unwrap_err();
        insta::assert_snapshot!(error, @r#"there is no report format "markdwon"; did you mean markdown? formats: terminal, json, junit, markdown"#);
    }
}

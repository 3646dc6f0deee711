//! One thing that the doctor looked at, and the text of all of them.

use crate::report::{Paint, Style};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A local drill can run.
    Ok,
    /// It can run, with a loss that is said.
    Warn,
    /// It cannot run.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it stands.
    pub level: Level,
    /// What was looked at, in one word.
    pub about: &'static str,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    pub next: Option<String>,
}

impl Finding {
    /// Nothing to do.
    pub fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            about,
            found: found.into(),
            next: None,
        }
    }

    /// A drill runs, with a loss.
    pub fn warn(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            about,
            found: found.into(),
            next: Some(next.into()),
        }
    }

    /// No drill runs before this is done.
    pub fn fail(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(about, found, next)
        }
    }
}

/// All findings, a line each, with a line below for what to do.
pub fn text(findings: &[Finding], style: Style) -> String {
    let width = findings
        .iter()
        .map(|finding| finding.about.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let word = match finding.level {
            Level::Ok => style.paint(Paint::Good, "ok  "),
            Level::Warn => style.paint(Paint::Doubt, "warn"),
            Level::Fail => style.paint(Paint::Bad, "fail"),
        };
        text.push_str(&format!(
            "{word}  {:width$}  {}\n",
            finding.about, finding.found
        ));
        if let Some(next) = &finding.next {
            text.push_str(&format!("{:4}  {:width$}  next: {next}\n", "", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_each_and_what_to_do_below() {
        let findings = [
            Finding::ok("system", "Linux 6.1 on x86_64"),
            Finding::warn("disk", "310 MiB free in /tmp", "free some"),
            Finding::fail("postgresql", "none", "install 14 or newer"),
        ];
        insta::assert_snapshot!(text(&findings, Style::Plain), @r"
        ok    system      Linux 6.1 on x86_64
        warn  disk        310 MiB free in /tmp
                          next: free some
        fail  postgresql  none
                          next: install 14 or newer
        ");
    }
}

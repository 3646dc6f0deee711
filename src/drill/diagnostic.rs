//! Mistakes in files, and how they are shown. The only file that knows miette.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text with the name under which people know it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// A text and its name: a path, or the name of a shipped drill.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, and somebody should look.
    Warning,
}

/// One mistake, with its place where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// A short word for machines, such as "unknown-field".
    pub code: &'static str,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The text it is about.
    pub source: Option<Arc<Source>>,
    /// The bytes to underline.
    pub span: Option<Range<usize>>,
    /// What is written under them.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            source: None,
            span: None,
            label: None,
            help: None,
        }
    }

    /// A warning without a place.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Gives it a place. A range beyond the text is cut to it, and moved to whole characters.
    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, range: Range<usize>) -> Self {
        let text = source.text();
        let mut start = range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = range.end.clamp(start, text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        // What follows the word is not part of it, and an underline must not run over several lines.
        let shown = text[start..end].lines().next().unwrap_or_default();
        self.span = Some(start..start + shown.trim_end().len());
        self.source = Some(Arc::clone(source));
        self
    }

    /// Says something under the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says something under the place, unless something is said already.
    #[must_use]
    pub fn label_or(mut self, label: &str) -> Self {
        self.label.get_or_insert_with(|| label.to_owned());
        self
    }

    /// Says what to do, unless something is said already.
    #[must_use]
    pub fn help_or(mut self, help: &str) -> Self {
        self.help.get_or_insert_with(|| help.to_owned());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the lines around its place can be shown: a file may have lines of a million characters.
    fn fits(&self) -> bool {
        let Some((line, _)) = self.position() else {
            return true;
        };
        let lines = self.source.iter().flat_map(|source| source.text().lines());
        lines
            .skip(line.saturating_sub(2))
            .take(3)
            .all(|each| each.len() <= LONGEST_SHOWN)
    }

    /// The file's name, or nothing.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.source.as_deref().map(Source::name)
    }

    /// Line and column of its place, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        let (source, span) = (self.source.as_ref()?, self.span.as_ref()?);
        let before = source.text().get(..span.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next()?.chars().count() + 1;
        Some((line, column))
    }
}

impl fmt::Display for Diagnostic {
    /// One line: file:line:column, the severity and the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.file() {
            f.write_str(&harmless(file))?;
            if let Some((line, column)) = self.position() {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
        })?;
        f.write_str(&harmless(&self.message))
    }
}

/// All of them as text for people, each with its source line and the word underlined.
///
/// Errors come before warnings, in the order of the file. Without `color` there are no escape sequences.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], color: bool, width: usize) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|each| (each.severity, each.span.as_ref().map(|span| span.start)));
    let theme = if color {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width.max(40))
        .with_context_lines(1)
        .with_links(false);
    let mut text = String::new();
    for (index, each) in sorted.iter().take(MOST_SHOWN).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        // The plain line is always there, for whatever the layout cannot do.
        let laid_out = each.fits() && handler.render_report(&mut text, &Shown::of(each)).is_ok();
        if !laid_out {
            let lines = [
                Some(each.to_string()),
                each.label.clone(),
                each.help.clone(),
            ];
            for line in lines.iter().flatten() {
                text.push_str(&harmless(line));
                text.push('\n');
            }
        }
    }
    if sorted.len() > MOST_SHOWN {
        text.push_str(&format!("and {} more\n", sorted.len() - MOST_SHOWN));
    }
    text
}

/// Longer lines are not shown.
const LONGEST_SHOWN: usize = 400;

/// Nobody reads more at once, and a hostile file could hold a hundred thousand mistakes.
const MOST_SHOWN: usize = 20;

/// A diagnostic in the foreign crate's words.
#[derive(Debug)]
struct Shown {
    message: String,
    severity: miette::Severity,
    source: Option<Text>,
    label: Option<LabeledSpan>,
    help: Option<String>,
}

impl Shown {
    fn of(diagnostic: &Diagnostic) -> Self {
        let span = diagnostic.span.clone();
        Self {
            message: harmless(&diagnostic.message),
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            source: diagnostic.source.as_ref().map(|source| Text {
                name: harmless(source.name()),
                text: harmless(source.text()),
            }),
            label: span.map(|span| {
                LabeledSpan::new_with_span(
                    diagnostic.label.as_deref().map(harmless),
                    SourceSpan::from((span.start, span.len())),
                )
            }),
            help: diagnostic.help.as_deref().map(harmless),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.label
            .clone()
            .map(|label| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

/// A named text whose columns are characters, as people and editors count them; miette counts bytes.
#[derive(Debug)]
struct Text {
    name: String,
    text: String,
}

impl SourceCode for Text {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.text.as_str().read_span(span, before, after)?;
        let start = read.span().offset();
        let head = self.text.get(..start).unwrap_or_default();
        let column = head.rsplit('\n').next().unwrap_or_default().chars().count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            read.data(),
            *read.span(),
            read.line(),
            column,
            read.line_count(),
        )))
    }
}

/// A file may hold control sequences, or characters that turn the direction of writing, and showing its
/// text must not carry them out. Each is replaced by as many bytes, so that positions stay.
fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let control = turns || c.is_control() && c != '\n' && c != '\t';
            let (c, times) = if control { ('?', c.len_utf8()) } else { (c, 1) };
            std::iter::repeat_n(c, times)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_with_its_word_underlined() {
        let source = Source::new("drill.yaml", "version: 1\nnáme: x\nsteps: []\n");
        let at = source.text().find("x").unwrap();
        let wrong = Diagnostic::error("demo", "this is wrong")
            .at(&source, at..at + 1)
            .label("here")
            .help("do otherwise");
        assert_eq!(wrong.position(), Some((2, 7)));
        assert_eq!(wrong.to_string(), "drill.yaml:2:7: error: this is wrong");
        insta::assert_snapshot!(render(&[wrong], false, 80), @r#"
     × this is wrong
      ╭─[drill.yaml:2:7]
    1 │ version: 1
    2 │ náme: x
      ·       ┬
      ·       ╰── here
    3 │ steps: []
      ╰────
     help: do otherwise
    "#);
    }

    #[test]
    fn control_sequences_are_not_passed_on() {
        let source = Source::new("\u{1b}[2Jx.yaml", "a: \u{1b}[31m\u{9b}\n");
        let wrong = Diagnostic::error("demo", "\u{1b}]0;title\u{7}").at(&source, 3..8);
        for text in [
            render(std::slice::from_ref(&wrong), false, 80),
            wrong.to_string(),
        ] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{9b}'),
                "{text:?}"
            );
        }
    }

    #[test]
    fn places_are_cut_to_the_text_and_the_line() {
        let source = Source::new("a", "é: 1\nb: 2\n");
        assert_eq!(
            Diagnostic::error("x", "x").at(&source, 1..400).span,
            Some(0..5)
        );
        assert_eq!(
            Diagnostic::error("x", "x").at(&source, 900..901).position(),
            Some((3, 1))
        );
    }
}

//! One line of the table, and the table.

use serde_json::{Value, json};

/// What was measured, against what was demanded.
pub struct Row {
    what: String,
    measured: String,
    limit: String,
    verdict: String,
}

impl Row {
    /// A figure that must not exceed its limit; `shown` is the figure with its unit and what it is made of.
    pub fn at_most(what: &str, figure: f64, limit: f64, shown: &str, limit_shown: &str) -> Self {
        let verdict = if figure <= limit { "pass" } else { "miss" };
        Self::of(what, shown, limit_shown, verdict)
    }

    /// A figure without a limit.
    pub fn told(what: &str, shown: &str) -> Self {
        Self::of(what, shown, "none", "")
    }

    /// What could not be measured here.
    pub fn skipped(what: &str, limit: &str, why: &str) -> Self {
        Self::of(what, "", limit, &format!("skipped: {why}"))
    }

    fn of(what: &str, measured: &str, limit: &str, verdict: &str) -> Self {
        Self {
            what: what.to_owned(),
            measured: measured.to_owned(),
            limit: limit.to_owned(),
            verdict: verdict.to_owned(),
        }
    }

    /// As one process hands it to the other.
    pub fn to_line(&self) -> String {
        json!([self.what, self.measured, self.limit, self.verdict]).to_string()
    }

    /// What [`Row::to_line`] made; `None` for any other line.
    pub fn from_line(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |at: usize| value.get(at)?.as_str();
        Some(Self::of(text(0)?, text(1)?, text(2)?, text(3)?))
    }
}

/// All rows as a Markdown table, so that it can be put into a document as it is.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| what | measured | limit | |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    lines.extend(rows.iter().map(|row| {
        format!(
            "| {} | {} | {} | {} |",
            row.what, row.measured, row.limit, row.verdict
        )
    }));
    lines.join("\n")
}

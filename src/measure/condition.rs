//! Conditions over the names of the result.
//!
//! Every name is checked when the condition is compiled: a misspelt one is an error there, and not a
//! condition that silently never holds.

use super::names;
use crate::condition::{Condition as Expression, Undecided};
use crate::event::result::RunResult;

/// A condition that may be evaluated on a result.
#[derive(Debug)]
pub struct Condition {
    expression: Expression,
}

/// What is wrong with a condition.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConditionError {
    /// It is no CEL.
    #[error("not a condition: {0}")]
    Syntax(String),
    /// It names something that no result has.
    #[error("unknown name {name}: a result has no {part}{}", hint(.nearest))]
    Unknown {
        /// The whole name.
        name: String,
        /// The unknown part.
        part: String,
        /// The nearest known name.
        nearest: Option<String>,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

/// Names that rest on the audit, beside everything below `ledger`.
const AUDITED: [&str; 2] = ["lost_commits", "isolated_commits"];

/// What an objective decides, and can therefore not rest on.
const DECIDED: [&str; 4] = ["verdict", "reasons", "objectives", "expect"];

impl Condition {
    /// Compiles a condition and checks each name in it.
    ///
    /// # Errors
    /// When it is no CEL, or names something that no result has.
    pub fn compile(source: &str) -> Result<Self, ConditionError> {
        let expression =
            Expression::compile(source).map_err(|error| ConditionError::Syntax(error.0))?;
        for path in expression.names() {
            names::check(path).map_err(|unknown| ConditionError::Unknown {
                name: unknown.name,
                part: unknown.part,
                nearest: unknown.nearest,
            })?;
        }
        Ok(Self { expression })
    }

    /// The condition as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        self.expression.source()
    }

    /// The first name that an objective must not use: it is decided by the objectives themselves.
    #[must_use]
    pub fn circular(&self) -> Option<&str> {
        let mut first = self
            .expression
            .names()
            .iter()
            .filter_map(|path| path.first());
        first
            .find(|name| DECIDED.contains(&name.as_str()))
            .map(String::as_str)
    }

    /// Whether it names what only the audit of the ledger tells.
    #[must_use]
    pub fn rests_on_audit(&self) -> bool {
        let mut first = self
            .expression
            .names()
            .iter()
            .filter_map(|path| path.first());
        first.any(|name| name == "ledger" || AUDITED.contains(&name.as_str()))
    }

    /// Whether it names how many commits were lost or isolated: a count of these is a lower bound where the
    /// application may commit less durably than the probes.
    #[must_use]
    pub fn rests_on_loss(&self) -> bool {
        let counts = |path: &Vec<String>| match path.first().map(String::as_str) {
            Some("ledger") => {
                let of = path.get(1).map(String::as_str);
                matches!(of, None | Some("lost" | "isolated" | "channels"))
            }
            first => first.is_some_and(|first| AUDITED.contains(&first)),
        };
        self.expression.names().iter().any(counts)
    }

    /// Whether it holds for a result.
    ///
    /// # Errors
    /// When a value that it names is not known, or it does not answer true or false.
    pub fn holds(&self, result: &RunResult) -> Result<bool, Undecided> {
        self.expression.holds(&names::values(result))
    }

    /// The values of its names, for people.
    #[must_use]
    pub fn values(&self, result: &RunResult) -> String {
        self.expression.values(&names::values(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::result_of;
    use crate::measure::story::{MEASURING, Story};

    fn error(source: &str) -> String {
        Condition::compile(source).unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_name_is_an_error_with_a_hint() {
        insta::assert_snapshot!(error("ledger.phantoms == 0"), @"unknown name ledger.phantoms: a result has no phantoms (did you mean phantom?)");
        insta::assert_snapshot!(error("chanels.writer_fresh.failed > 1"), @"unknown name chanels.writer_fresh.failed: a result has no chanels (did you mean channels?)");
        insta::assert_snapshot!(error("downtime_ns < 5"), @"unknown name downtime_ns: a result has no downtime_ns (did you mean downtime_ms?)");
        assert!(error("1 +").starts_with("not a condition"));
    }

    #[test]
    fn names_with_slashes_and_macros_are_understood() {
        for source in [
            "channels[\"node/node-1/pinned\"].acknowledged > 10",
            "channels.writer_fresh.outages.exists(o, o.lower_ms > 10.0)",
            "size(two_writers.flags) == 0 && lost_commits == 0",
            "recovery.parts[0].us > 5",
        ] {
            Condition::compile(source).unwrap();
        }
    }

    #[test]
    fn a_value_that_is_not_known_makes_no_condition_hold() {
        let story = Story::new().served((MEASURING, 3_000), "node-1", 1);
        let result = result_of(&story.entries(), 0, false);
        let holds = |source: &str| Condition::compile(source).unwrap().holds(&result);
        assert_eq!(holds("channels.writer_fresh.acknowledged == 20"), Ok(true));
        assert_eq!(holds("channels.writer_fresh.unavailable_ms < 1"), Ok(true));
        assert_eq!(holds("verdict == 'pass'"), Ok(false));
        assert!(holds("lost_commits < 5").is_err());
        assert!(holds("channels.writer_fresh.acknowledged").is_err());
    }

    #[test]
    fn every_name_of_the_list_is_known() {
        let all = names::all();
        assert!(all.contains(&"channels.*.unavailable_ms".to_owned()));
        assert!(all.contains(&"recovery.total.upper_ms".to_owned()));
        for name in all {
            let path: Vec<String> = name
                .replace("[]", ".[]")
                .split('.')
                .map(str::to_owned)
                .collect();
            assert_eq!(names::check(&path), Ok(()), "{name}");
        }
    }
}

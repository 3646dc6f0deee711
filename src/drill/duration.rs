//! Durations as a drill file writes them: `500ms`, `30s`, `2m`, `1h`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A whole number of milliseconds, seconds, minutes or hours; at most a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// The units, the largest first, with their milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A week: no step of a drill is longer, and sums of such durations cannot overflow.
const LONGEST_MS: u64 = 7 * 24 * 3_600_000;

impl Duration {
    /// A duration of that many milliseconds, cut at a week.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(if ms > LONGEST_MS { LONGEST_MS } else { ms })
    }

    /// A duration of that many seconds, cut at a week.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_ms(seconds.saturating_mul(1000))
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn get(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Duration {
    /// In the largest unit that says it exactly: what is printed reads back as the same duration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        for (unit, ms) in UNITS {
            if self.0.is_multiple_of(ms) {
                return write!(f, "{}{unit}", self.0 / ms);
            }
        }
        Ok(())
    }
}

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// A number without a unit.
    #[error("{0} has no unit: write {0}s or {0}ms")]
    NoUnit(String),
    /// Longer than a week.
    #[error("{0} is longer than a week")]
    TooLong(String),
    /// Anything else.
    #[error("{0:?} is no duration: write a whole number and ms, s, m or h, such as 500ms, 30s, 2m")]
    Unreadable(String),
}

impl FromStr for Duration {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let unreadable = || BadDuration::Unreadable(text.to_owned());
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(unreadable());
        }
        if unit.is_empty() {
            return Err(BadDuration::NoUnit(number.to_owned()));
        }
        let (_, ms) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(unreadable)?;
        // More digits than u64 holds can only mean too long.
        number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(ms))
            .filter(|total| *total <= LONGEST_MS)
            .map(Self)
            .ok_or_else(|| BadDuration::TooLong(text.to_owned()))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Duration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 500ms, 30s, 2m or 1h")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A whole number and a unit: 500ms, 30s, 2m, 1h. Or a variable.",
            "examples": ["30s", "500ms", "2m", "1h"],
            // What editors say instead of the pattern.
            "patternErrorMessage": "Write a whole number and ms, s, m or h, such as 500ms, 30s, 2m.",
            "pattern": r"^([0-9]+(ms|s|m|h)|.*\$\{[A-Za-z_][A-Za-z0-9_]*\}.*)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_each_unit() {
        let ms = |text: &str| text.parse::<Duration>().unwrap().as_ms();
        assert_eq!(ms("500ms"), 500);
        assert_eq!(ms("30s"), 30_000);
        assert_eq!(ms("2m"), 120_000);
        assert_eq!(ms("1h"), 3_600_000);
        assert_eq!(ms("0s"), 0);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &str| text.parse::<Duration>().unwrap_err().to_string();
        assert_eq!(error("10"), "10 has no unit: write 10s or 10ms");
        assert_eq!(error("9999h"), "9999h is longer than a week");
        assert_eq!(
            error("99999999999999999999999s"),
            "99999999999999999999999s is longer than a week"
        );
        for text in ["", "s", "1.5s", "-1s", "1 s", "1d", "soon", "1sec"] {
            assert!(
                matches!(text.parse::<Duration>(), Err(BadDuration::Unreadable(_))),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(ms in 0..=LONGEST_MS) {
            let duration = Duration::from_ms(ms);
            prop_assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = text.parse::<Duration>();
        }
    }
}

//! A rate, a share and the shift of a clock as a drill file writes them: `1mbit`, `5%`, `-2m`; and how a number with a unit is
//! read and shown.

use super::duration::Duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// How much may be sent in a second, in bits as networks are sold: from `64kbit` to `10gbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    bits: u64,
}

/// A share of packets, from `0.1%` to `99%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    thousandths_of_a_percent: u64,
}

/// By how much a clock is set forward, or back where it is negative: from `2s` to `168h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    by: Duration,
    back: bool,
}

/// Less could not be told from how far apart the clocks of two machines may be while one is asked.
const LEAST_SHIFT: Duration = Duration::from_secs(2);

const UNITS: [(&str, u64); 3] = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1000)];
/// Less than this carries too little for anybody to see what it carries; more is sent by nobody here.
const RATES: std::ops::RangeInclusive<u64> = 64_000..=10_000_000_000;
/// Less cannot be proven in the time there is; all is a cut.
const SHARES: std::ops::RangeInclusive<u64> = 100..=99_000;

/// The number and the worth of its unit; `None` for anything else, or for what no u64 holds.
pub(super) fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, worth) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*worth)
}

/// In the largest unit that says it exactly; the last one for 0.
pub(super) fn shown(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)]) -> fmt::Result {
    let (name, worth) = units
        .iter()
        .find(|(_, worth)| amount > 0 && amount.is_multiple_of(*worth))
        .or(units.last())
        .copied()
        .unwrap_or(("", 1));
    write!(f, "{}{name}", amount / worth)
}

impl Rate {
    /// In bytes a second.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        self.bits / 8
    }
}

impl Share {
    /// Of a million.
    #[must_use]
    pub fn per_million(self) -> u64 {
        self.thousandths_of_a_percent * 10
    }
}

impl Shift {
    /// In milliseconds, negative where it goes back.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        let by = i64::try_from(self.by.as_ms()).unwrap_or(i64::MAX);
        if self.back { -by } else { by }
    }
}

impl FromStr for Shift {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (back, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let by = rest.parse::<Duration>().map_err(|error| {
            format!("{error}; with - before it the clock is set back, such as -2m")
        })?;
        match by >= LEAST_SHIFT {
            true => Ok(Self { by, back }),
            false => Err(format!(
                "nobody could prove so small a step as {text}: write at least {LEAST_SHIFT}"
            )),
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.back { "-" } else { "" }, self.by)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Networks are written in one word.
        let bits = scaled(text, &UNITS).filter(|_| !text.contains(char::is_whitespace));
        match bits {
            Some(bits) if RATES.contains(&bits) => Ok(Self { bits }),
            Some(_) => Err(format!("{text} is none: write from 64kbit to 10gbit")),
            None => Err(format!(
                "{text:?} is no rate: write a whole number and kbit, mbit or gbit (a second), such as 1mbit"
            )),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unreadable =
            || format!("{text:?} is no share: write it in percent, such as 5% or 0.5%");
        let number = text.strip_suffix('%').ok_or_else(unreadable)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |word: &str| {
            !word.is_empty() && word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(whole) || !is_number(part) {
            return Err(unreadable());
        }
        let thousandths = format!("{whole}{part:0<3}").parse();
        match thousandths {
            Ok(thousandths) if SHARES.contains(&thousandths) => Ok(Self {
                thousandths_of_a_percent: thousandths,
            }),
            _ => Err(format!(
                "{text} is none: write from 0.1% to 99%; all is what cut loses"
            )),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, self.bits, &UNITS)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (
            self.thousandths_of_a_percent / 1000,
            self.thousandths_of_a_percent % 1000,
        );
        let part = format!(".{part:03}");
        let part = part.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{whole}{part}%")
    }
}

macro_rules! as_text {
    ($type:ident, $example:literal, $expected:literal, $describes:literal, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": $describes,
                    "examples": [$example],
                    // What editors say instead of the pattern.
                    "patternErrorMessage": concat!("Write ", $expected, "."),
                    "pattern": $pattern
                })
            }
        }
    };
}

as_text!(
    Rate,
    "1mbit",
    "a rate such as 1mbit or 64kbit",
    "Bits a second, from 64kbit to 10gbit. Or a variable.",
    r"^([0-9]+(kbit|mbit|gbit)|.*\$\{[A-Za-z_][A-Za-z0-9_]*\}.*)$"
);
as_text!(
    Share,
    "5%",
    "a share such as 5% or 0.5%",
    "Percent, from 0.1% to 99%. Or a variable.",
    r"^([0-9]+(\.[0-9]+)?%|.*\$\{[A-Za-z_][A-Za-z0-9_]*\}.*)$"
);
as_text!(
    Shift,
    "-2m",
    "a step of a clock such as 2m or -90s",
    "A whole number and a unit, at least 2s; with - before it the clock is set back: 2m, -90s. Or a variable.",
    r"^([+-]?[0-9]+(ms|s|m|h)|.*\$\{[A-Za-z_][A-Za-z0-9_]*\}.*)$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_forward_or_back() {
        for (text, ms, shown) in [
            ("2m", 120_000, "2m"),
            ("+2m", 120_000, "2m"),
            ("-90s", -90_000, "-90s"),
            ("2000ms", 2000, "2s"),
        ] {
            let shift: Shift = text.parse().unwrap();
            assert_eq!((shift.as_ms(), shift.to_string().as_str()), (ms, shown));
        }
        for text in ["", "-", "2", "1s", "-1999ms", "--2m", "- 2m", "999h"] {
            assert!(text.parse::<Shift>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_printed_alike() {
        for (text, bytes) in [
            ("64kbit", 8000),
            ("1mbit", 125_000),
            ("10gbit", 1_250_000_000),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(
                (rate.bytes_per_second(), rate.to_string().as_str()),
                (bytes, text)
            );
        }
        for (text, share) in [
            ("5%", 50_000),
            ("0.1%", 1000),
            ("12.345%", 123_450),
            ("99%", 990_000),
        ] {
            let read: Share = text.parse().unwrap();
            assert_eq!(
                (read.per_million(), read.to_string().as_str()),
                (share, text)
            );
        }
        assert_eq!("1000kbit".parse::<Rate>().unwrap().to_string(), "1mbit");
        assert_eq!("5.50%".parse::<Share>().unwrap().to_string(), "5.5%");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "1",
            "mbit",
            "1Mbit",
            "1.5mbit",
            "63kbit",
            "11gbit",
            "-1mbit",
            "99999999999999999999gbit",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for text in [
            "", "5", "0.05", "%", "0%", "0.01%", "100%", "5 %", "-1%", ".5%", "5.%", "1.2345%",
        ] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}

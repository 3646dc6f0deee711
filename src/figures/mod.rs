//! How figures are written, in one place, so that plan, verdict and every report write them alike.
//!
//! A duration has one unit, chosen by its larger bound: whole milliseconds below 100 ms, hundredths of a
//! second below two minutes, then minutes and seconds. Bounds are rounded outward, the lower one down and
//! the upper one up, so that what is printed stays true. Nothing here knows what a figure means.

mod demand;
mod settings;

pub use demand::demand;
pub use settings::settings;

use crate::event::result::{Bounds, Known, Measured};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;
const MINUTE: u64 = 60 * SECOND;

/// The unit of a duration, in microseconds per printed step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Seconds,
    Minutes,
}

impl Unit {
    /// The unit in which `us` microseconds and everything smaller beside it are written.
    fn of(us: u64) -> Self {
        // The comparison is made on what would be printed: 99.2 ms rounds up to 100 ms, which is 0.10 s.
        if us <= 99 * MS {
            Self::Milliseconds
        } else if us < 2 * MINUTE {
            Self::Seconds
        } else {
            Self::Minutes
        }
    }

    /// The smallest step that is printed, in microseconds.
    fn step(self) -> u64 {
        match self {
            Self::Milliseconds => MS,
            Self::Seconds => 10 * MS,
            Self::Minutes => SECOND,
        }
    }

    /// A whole number of steps, without the unit's name (minutes carry theirs).
    fn number(self, steps: u64) -> String {
        match self {
            Self::Milliseconds => steps.to_string(),
            Self::Seconds => format!("{}.{:02}", steps / 100, steps % 100),
            Self::Minutes => format!("{} min {:02} s", steps / 60, steps % 60),
        }
    }

    /// What follows a number.
    fn suffix(self) -> &'static str {
        match self {
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
            Self::Minutes => "",
        }
    }
}

/// Milliseconds as whole microseconds; what is negative or no number counts as 0.
fn us(ms: f64) -> u64 {
    // The cast saturates, and sends NaN to 0.
    (ms * 1000.0).round() as u64
}

/// A duration with bounds: `0.42–0.46 s`, `12–48 ms`, `2 min 03 s–2 min 10 s`; one that did not end:
/// `> 12.30 s`; one that did not happen (both bounds 0): `none`; one of which nothing is known: `of unknown
/// length`.
#[must_use]
pub fn bounds(bounds: &Bounds) -> String {
    let lower = us(bounds.lower_ms);
    let Some(upper) = bounds.upper_ms.map(us) else {
        // "more than nothing" is no information.
        return match lower < MS {
            true => "of unknown length".to_owned(),
            false => format!("> {}", at_least(bounds.lower_ms)),
        };
    };
    if upper == 0 {
        return "none".to_owned();
    }
    let unit = Unit::of(upper);
    let low = lower / unit.step();
    let high = upper.div_ceil(unit.step());
    if low == high {
        return format!("{}{}", unit.number(high), unit.suffix());
    }
    let low = match low {
        0 => "0".to_owned(),
        low => unit.number(low),
    };
    format!("{low}–{}{}", unit.number(high), unit.suffix())
}

/// A duration in milliseconds, rounded down: what is at least true of it.
#[must_use]
pub fn at_least(ms: f64) -> String {
    let us = us(ms);
    let unit = Unit::of(us);
    format!("{}{}", unit.number(us / unit.step()), unit.suffix())
}

/// A duration in milliseconds without bounds, rounded to the nearest step.
#[must_use]
pub fn duration(ms: f64) -> String {
    let us = us(ms);
    let unit = Unit::of(us);
    let steps = us.saturating_add(unit.step() / 2) / unit.step();
    format!("{}{}", unit.number(steps), unit.suffix())
}

/// A limit in milliseconds, as a person would write it: `300 ms`, `5.2 s`, `30 s`, `2 min`, `4 min 10 s`.
/// Rounded up, as the longest time that something may take must be.
#[must_use]
pub fn limit(ms: u64) -> String {
    match ms {
        0 => "0 s".to_owned(),
        1..1000 => format!("{ms} ms"),
        1000..120_000 if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        1000..=59_900 => {
            let tenths = ms.div_ceil(100);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => {
            let seconds = ms.div_ceil(1000);
            match (seconds / 60, seconds % 60) {
                (minutes, 0) => format!("{minutes} min"),
                (minutes, rest) => format!("{minutes} min {rest} s"),
            }
        }
    }
}

/// A latency in milliseconds: tenths below 10 ms, because a healthy commit takes only a few.
#[must_use]
pub fn latency(ms: f64) -> String {
    let tenths = us(ms).saturating_add(50) / 100;
    if tenths < 100 {
        format!("{}.{} ms", tenths / 10, tenths % 10)
    } else {
        duration(ms)
    }
}

/// A moment of the run, counted from its origin: `+12.345 s`.
#[must_use]
pub fn moment(ms: f64) -> String {
    let ms = us(ms).saturating_add(500) / 1000;
    format!("+{}.{:03} s", ms / 1000, ms % 1000)
}

/// A whole number with thousands separators: `2,143`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun, with an s where there is not exactly one: `1 commit`, `2,143 commits`.
#[must_use]
pub fn count(n: u64, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", number(n))
}

/// A size in bytes, rounded up to the tenth of a larger unit: `812 bytes`, `1.3 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    let (unit, name) = match n {
        0..KIB => return count(n, "byte"),
        KIB..MIB => (KIB, "KiB"),
        MIB..GIB => (MIB, "MiB"),
        GIB.. => (GIB, "GiB"),
    };
    let tenths = (u128::from(n) * 10).div_ceil(u128::from(unit));
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// What an objective measured: a duration with bounds, a count, or whether a condition holds.
#[must_use]
pub fn measured(measured: &Measured) -> String {
    match measured {
        Measured::Duration(duration) => bounds(duration),
        Measured::Count { count } => number(*count),
        Measured::Holds { holds: true } => "holds".to_owned(),
        Measured::Holds { holds: false } => "does not hold".to_owned(),
    }
}

/// A value as `write` writes it, or `not observed: why`.
#[must_use]
pub fn known<T>(value: &Known<T>, write: impl FnOnce(&T) -> String) -> String {
    match value {
        Known::Observed(value) => write(value),
        Known::Missing(missing) => format!("not observed: {}", missing.not_observed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(lower_ms: f64, upper_ms: f64) -> String {
        bounds(&Bounds {
            lower_ms,
            upper_ms: Some(upper_ms),
        })
    }

    #[test]
    fn bounds_are_rounded_outward_in_the_unit_of_the_upper_one() {
        assert_eq!(of(429.9, 451.1), "0.42–0.46 s");
        assert_eq!(of(402.1, 441.7), "0.40–0.45 s");
        assert_eq!(of(12.9, 47.01), "12–48 ms");
        assert_eq!(of(3.0, 147.01), "0–0.15 s");
        assert_eq!(of(0.0, 38.0), "0–38 ms");
        assert_eq!(of(40.0, 99.2), "0.04–0.10 s");
        assert_eq!(of(12_412.0, 12_478.0), "12.41–12.48 s");
        assert_eq!(of(119_000.0, 119_999.0), "119.00–120.00 s");
        assert_eq!(of(123_400.0, 129_100.0), "2 min 03 s–2 min 10 s");
    }

    #[test]
    fn exact_bounds_are_one_number_and_no_outage_is_none() {
        assert_eq!(of(420.0, 420.0), "0.42 s");
        assert_eq!(of(0.0, 0.0), "none");
    }

    #[test]
    fn what_did_not_end_is_more_than_its_lower_bound() {
        let open = Bounds {
            lower_ms: 12_309.0,
            upper_ms: None,
        };
        assert_eq!(bounds(&open), "> 12.30 s");
        let unknown = Bounds {
            lower_ms: 0.4,
            upper_ms: None,
        };
        assert_eq!(bounds(&unknown), "of unknown length");
    }

    #[test]
    fn single_durations_and_latencies() {
        assert_eq!(duration(30_000.0), "30.00 s");
        assert_eq!(duration(99.6), "0.10 s");
        assert_eq!(limit(30_000), "30 s");
        assert_eq!(limit(500), "500 ms");
        assert_eq!(limit(5_198), "5.2 s");
        assert_eq!(limit(59_950), "1 min");
        assert_eq!(limit(90_000), "90 s");
        assert_eq!(limit(120_000), "2 min");
        assert_eq!(limit(129_500), "2 min 10 s");
        assert_eq!(latency(1.84), "1.8 ms");
        assert_eq!(latency(9.96), "10 ms");
        assert_eq!(latency(48.2), "48 ms");
        assert_eq!(latency(2_824.0), "2.82 s");
        assert_eq!(moment(12_345.4), "+12.345 s");
        assert_eq!(moment(0.0), "+0.000 s");
    }

    #[test]
    fn numbers_counts_and_sizes() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(2_143), "2,143");
        assert_eq!(number(1_048_576), "1,048,576");
        assert_eq!(count(1, "commit"), "1 commit");
        assert_eq!(count(0, "commit"), "0 commits");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(812), "812 bytes");
        assert_eq!(bytes(1_363_149), "1.4 MiB");
    }

    /// Reads a printed duration back into microseconds.
    fn read(text: &str) -> u64 {
        let text = text.trim();
        if let Some((minutes, rest)) = text.split_once(" min ") {
            let seconds: u64 = rest.trim_end_matches(" s").parse().unwrap();
            return minutes.parse::<u64>().unwrap() * MINUTE + seconds * SECOND;
        }
        if let Some(ms) = text.strip_suffix(" ms") {
            return ms.parse::<u64>().unwrap() * MS;
        }
        let text = text.strip_suffix(" s").unwrap();
        let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
        whole.parse::<u64>().unwrap() * SECOND + part.parse::<u64>().unwrap() * 10 * MS
    }

    proptest! {
        #[test]
        fn what_is_printed_holds_the_truth(lower in 0u64..400_000_000, width in 0u64..50_000_000) {
            let upper = lower + width;
            let text = of(lower as f64 / 1000.0, upper as f64 / 1000.0);
            prop_assume!(text != "none");
            let (low, high) = match text.split_once('–') {
                Some((low, high)) => {
                    let unit = if high.contains(" min ") { "" } else { &high[high.rfind(' ').unwrap()..] };
                    (read(&format!("{low}{unit}")), read(high))
                }
                None => (read(&text), read(&text)),
            };
            prop_assert!(low <= lower && upper <= high, "{text} for {lower}..{upper}");
        }

        #[test]
        fn separators_only_separate(n in any::<u64>()) {
            prop_assert_eq!(number(n).replace(',', ""), n.to_string());
        }

        #[test]
        fn no_figure_panics(ms in any::<f64>()) {
            let _ = (of(ms, ms), duration(ms), latency(ms), moment(ms), at_least(ms));
        }
    }
}

//! Chance that can be repeated.

use crate::plan::draw::unforeseen;

/// The seed that was asked for, or one of six digits, which a person can type again.
pub fn of(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| unforeseen() % 1_000_000)
}

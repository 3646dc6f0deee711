//! Reads the history file of a timeline.
//!
//! Each line names a timeline that was left, and the WAL position at which the next one forked off:
//! `1<TAB>0/3000148<TAB>no recovery target specified` (`src/backend/access/transam/timeline.c`).

use crate::sql::parse_lsn;

/// Where each timeline was left: (timeline, byte position), oldest first. Lines that are none are skipped,
/// as PostgreSQL does with comments.
#[must_use]
pub fn parse(text: &str) -> Vec<(u32, u64)> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let timeline = words.next()?.parse().ok()?;
            Some((timeline, parse_lsn(words.next()?)?))
        })
        .collect()
}

/// The position at which `timeline` was left on the way to the one whose history this is.
#[must_use]
pub fn left_at(history: &[(u32, u64)], timeline: u32) -> Option<u64> {
    history
        .iter()
        .find(|(left, _)| *left == timeline)
        .map(|(_, position)| *position)
}

/// The name of a timeline's history file in `pg_wal`.
#[must_use]
pub fn file_name(timeline: u32) -> String {
    format!("{timeline:08X}.history")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_are_found_by_the_timeline_that_was_left() {
        let text = "# a comment\n1\t0/3000148\tno recovery target specified\n\n\
                    2\t1/20\tno recovery target specified\n";
        let history = parse(text);
        assert_eq!(left_at(&history, 1), Some(0x300_0148));
        assert_eq!(left_at(&history, 2), Some(0x1_0000_0020));
        assert_eq!(left_at(&history, 3), None);
        assert_eq!(file_name(26), "0000001A.history");
    }
}

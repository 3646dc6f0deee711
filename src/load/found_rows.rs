//! The rows of a run on one server, found with as little reading as proves them: by counting where the
//! counts leave only one possibility, and by reading the keys themselves where they do not. It reads and
//! judges nothing.
//!
//! Keys are unique and counted from 1, and of what was attempted whatever is neither failed nor in doubt
//! was acknowledged. So where a stretch of keys holds as many rows outside the failed and doubtful ones as
//! were acknowledged in it, these are the acknowledged ones. First each writer is such a stretch; where
//! that fails, keys are counted in short stretches, and only those that do not fit are read.

use super::judge::Summary;
use super::ledger::{Ledger, WriterKeys};
use super::ledger_table::quoted;
use crate::sql::{Address, Asks, KeyRanges, Session, SqlError, Statement};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::time::Duration;

/// For opening a session.
const ASK: Duration = Duration::from_secs(60);
/// For reading all rows of one node.
const READ_ALL: Duration = Duration::from_secs(600);
/// With more ranges of open keys than this, reading all rows is quicker than excluding them.
const MANY_RANGES: usize = 1000;
/// With more stretches to read than this, reading all rows is quicker.
const MANY_STRETCHES: usize = 2000;
/// Keys of one stretch, as a power of two.
const STRETCH_BITS: u32 = 12;
/// The writer of the barrier's rows; the ledger's own writers count from 1.
pub(super) const BARRIER: u32 = 0;

/// The rows of a run by writer, and how often a key was found more than once.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub(super) keys: BTreeMap<u32, RoaringTreemap>,
    pub(super) duplicated: BTreeMap<u32, u64>,
}

impl Rows {
    fn add(&mut self, writer: i32, seq: i64) {
        // The table's columns are signed and its keys are not; a negative one shows as an enormous
        // unexpected one.
        let (writer, seq) = (writer as u32, seq as u64);
        if !self.keys.entry(writer).or_default().insert(seq) {
            *self.duplicated.entry(writer).or_default() += 1;
        }
    }
}

/// Keys of one writer from one to another, both included, as the table has them.
type Range = (i64, i64, i64);

/// Where the rows of one run are read.
struct Reading<'a> {
    ledger: &'a Ledger,
    session: &'a Session,
    /// The failed and doubtful keys.
    open: Vec<Range>,
}

/// The rows of the ledger's run on a server.
///
/// # Errors
/// When it does not answer.
pub(super) async fn read(ledger: &Ledger, server: &Address) -> Result<Rows, SqlError> {
    let session = Session::connect(server, ASK).await?;
    let Some(open) = open_keys(ledger) else {
        return read_all(ledger.run(), &session).await;
    };
    let reading = Reading {
        ledger,
        session: &session,
        open,
    };
    let Some(unproven) = reading.unproven_writers().await? else {
        return read_all(ledger.run(), &session).await;
    };
    let mut rows = Rows::default();
    for (writer, keys) in ledger.writers() {
        if !unproven.contains(&i64::from(*writer)) {
            rows.keys.insert(*writer, keys.acknowledged.clone());
        }
    }
    let mut doubtful = reading.open.clone();
    if !unproven.is_empty() {
        let Some(unfit) = reading.unfit_stretches(&unproven, &mut rows).await? else {
            return read_all(ledger.run(), &session).await;
        };
        // What is open inside a stretch that is read whole is read with it.
        doubtful.retain(|(writer, _, _)| !unproven.contains(writer));
        let elsewhere = reading
            .open
            .iter()
            .filter(|(writer, _, _)| unproven.contains(writer));
        let elsewhere = elsewhere.flat_map(|range| outside(*range, &unfit));
        doubtful.extend(elsewhere);
        doubtful.extend(&unfit);
    }
    reading.copy(&doubtful, &mut rows).await?;
    Ok(rows)
}

/// All rows, read one by one.
async fn read_all(run: &str, session: &Session) -> Result<Rows, SqlError> {
    let mut rows = Rows::default();
    let select = format!(
        "select writer, seq from firedrill.ledger where run = {} and writer <> {BARRIER}",
        quoted(run)
    );
    let all = Asks::AllRows {
        run: run.to_owned(),
    };
    let all = Statement::new(select, all);
    session
        .copy_pairs(all, READ_ALL, |writer, seq| rows.add(writer, seq))
        .await?;
    Ok(rows)
}

/// All open keys (failed, in doubt) as ranges; `None` where they are many.
fn open_keys(ledger: &Ledger) -> Option<Vec<Range>> {
    let mut all = Vec::new();
    for (writer, keys) in ledger.writers() {
        let ranges = keys.open_ranges();
        if all.len() + ranges.len() > MANY_RANGES {
            return None;
        }
        let ranges = ranges.into_iter();
        all.extend(ranges.map(|(from, to)| (i64::from(*writer), from as i64, to as i64)));
    }
    Some(all)
}

/// The parts of a range that lie in no stretch of its writer.
fn outside((writer, from, to): Range, stretches: &[Range]) -> Vec<Range> {
    let mut rest = Vec::new();
    let mut at = from;
    for (of, first, last) in stretches {
        if *of != writer || *last < at || *first > to {
            continue;
        }
        if *first > at {
            rest.push((writer, at, first - 1));
        }
        at = last + 1;
    }
    if at <= to {
        rest.push((writer, at, to));
    }
    rest
}

/// Ranges as a question has them.
fn as_asked(ranges: &[Range]) -> KeyRanges {
    let ranges = ranges.iter();
    ranges
        .map(|(writer, from, to)| (*writer as u32, *from as u64, *to as u64))
        .collect()
}

/// Ranges as a list of values `(writer, lo, hi)`.
fn values(ranges: &[Range]) -> String {
    // A list of values must not be empty; no row has writer -1.
    let mut all = String::from("(-1, 0::bigint, 0::bigint)");
    for (writer, from, to) in ranges {
        all.push_str(&format!(", ({writer}, {from}, {to})"));
    }
    all
}

/// The rows of a run that lie in the ranges of `x`, found by the primary key range after range: a planner
/// that took them for many would hold every row against every range.
fn in_ranges(run: &str) -> String {
    format!(
        "x cross join lateral (select l.writer, l.seq from firedrill.ledger l \
           where l.run = {run} and l.writer = x.writer and l.seq between x.lo and x.hi offset 0) l"
    )
}

impl Reading<'_> {
    /// Writers whose rows cannot be told from their number; `None` where some key is none of ours.
    async fn unproven_writers(&self) -> Result<Option<Vec<i64>>, SqlError> {
        let run = quoted(self.ledger.run());
        // One statement, so that both counts see the same rows. The open ones are few and found by the
        // primary key; excluding them row by row would cost more than all the rest.
        let sql = format!(
            "with x(writer, lo, hi) as (values {}), \
               opened as (select x.writer, sum(n.open) as open from x cross join lateral ( \
                 select count(*) as open from firedrill.ledger l where l.run = {run} \
                   and l.writer = x.writer and l.seq between x.lo and x.hi) n group by x.writer), \
               counted as (select writer, count(*) as all, min(seq) as min, max(seq) as max \
                 from firedrill.ledger where run = {run} and writer <> {BARRIER} group by writer) \
             select c.writer, c.all - coalesce(o.open, 0), c.min, c.max \
             from counted c left join opened o using (writer)",
            values(&self.open)
        );
        let counts = Asks::Counts {
            run: self.ledger.run().to_owned(),
            open: as_asked(&self.open),
        };
        let counts = Statement::new(sql, counts);
        let answer = self.session.query(counts, READ_ALL).await?;
        let mut summaries: BTreeMap<i64, Summary> = BTreeMap::new();
        let mut unproven = Vec::new();
        for row in &answer.rows {
            let number = |column: usize| row.get(column)?.as_deref()?.parse::<i64>().ok();
            let (Some(writer), Some(rest), Some(min), Some(max)) =
                (number(0), number(1), number(2), number(3))
            else {
                return Ok(None);
            };
            match (u64::try_from(rest), u64::try_from(min), u64::try_from(max)) {
                (Ok(rest), Ok(min), Ok(max)) => {
                    summaries.insert(writer, Summary { rest, min, max });
                }
                _ => return Ok(None),
            }
            let known = u32::try_from(writer)
                .is_ok_and(|writer| self.ledger.writers().contains_key(&writer));
            if !known {
                unproven.push(writer);
            }
        }
        for (writer, keys) in self.ledger.writers() {
            let writer = i64::from(*writer);
            if !Summary::proves_all_there(summaries.get(&writer), keys) {
                unproven.push(writer);
            }
        }
        Ok(Some(unproven))
    }

    /// Counts the keys of some writers in short stretches. What a count proves goes into `rows`; returns
    /// the stretches that must be read, or `None` where they are most of all.
    async fn unfit_stretches(
        &self,
        writers: &[i64],
        rows: &mut Rows,
    ) -> Result<Option<Vec<Range>>, SqlError> {
        let run = quoted(self.ledger.run());
        let among: Vec<String> = writers.iter().map(ToString::to_string).collect();
        let sql = format!(
            "with x(writer, lo, hi) as (values {}), \
               opened as (select l.writer, l.seq >> {STRETCH_BITS} as at, count(*) as open \
                 from {} group by 1, 2), \
               counted as (select writer, seq >> {STRETCH_BITS} as at, count(*) as all \
                 from firedrill.ledger where run = {run} and writer in ({}) group by 1, 2) \
             select c.writer, c.at, c.all, c.all - coalesce(o.open, 0) \
             from counted c left join opened o using (writer, at) order by 1, 2",
            values(&self.open),
            in_ranges(&run),
            among.join(", ")
        );
        let counts = Asks::StretchCounts {
            run: self.ledger.run().to_owned(),
            open: as_asked(&self.open),
            bits: STRETCH_BITS,
            among: writers.iter().map(|writer| *writer as u32).collect(),
        };
        let counts = Statement::new(sql, counts);
        let answer = self.session.query(counts, READ_ALL).await?;
        let mut unfit: Vec<Range> = Vec::new();
        let (mut all_rows, mut unfit_rows) = (0, 0);
        let none = WriterKeys::default();
        for row in &answer.rows {
            let number = |column: usize| row.get(column)?.as_deref()?.parse::<i64>().ok();
            let (Some(writer), Some(at), Some(count), Some(rest)) =
                (number(0), number(1), number(2), number(3))
            else {
                return Ok(None);
            };
            all_rows += count;
            let first = at << STRETCH_BITS;
            let last = first | ((1 << STRETCH_BITS) - 1);
            let number = u32::try_from(writer).unwrap_or(u32::MAX);
            let keys = self.ledger.writers().get(&number).unwrap_or(&none);
            if let Some(proven) = proven(keys, (first, last), rest) {
                *rows.keys.entry(number).or_default() |= proven;
                continue;
            }
            unfit_rows += count;
            match unfit.last_mut() {
                Some((of, _, end)) if *of == writer && *end + 1 == first => *end = last,
                _ => unfit.push((writer, first, last)),
            }
        }
        let most = unfit_rows * 2 > all_rows || unfit.len() > MANY_STRETCHES;
        Ok((!most).then_some(unfit))
    }

    /// Reads the rows of some ranges.
    async fn copy(&self, ranges: &[Range], rows: &mut Rows) -> Result<(), SqlError> {
        if ranges.is_empty() {
            return Ok(());
        }
        let select = format!(
            "with x(writer, lo, hi) as (values {}) select l.writer, l.seq from {}",
            values(ranges),
            in_ranges(&quoted(self.ledger.run()))
        );
        let inside = Asks::RowsIn {
            run: self.ledger.run().to_owned(),
            open: as_asked(ranges),
        };
        let inside = Statement::new(select, inside);
        let found = self
            .session
            .copy_pairs(inside, READ_ALL, |writer, seq| rows.add(writer, seq));
        found.await
    }
}

/// The acknowledged keys of a stretch, where `rest` rows outside the open keys can only be these.
fn proven(keys: &WriterKeys, (first, last): (i64, i64), rest: i64) -> Option<RoaringTreemap> {
    let first = u64::try_from(first).ok()?;
    let last = u64::try_from(last).ok()?;
    // A row that was never attempted could stand in for one that is lost.
    if last > keys.attempted {
        return None;
    }
    let mut acknowledged = RoaringTreemap::new();
    acknowledged.insert_range(first..=last);
    acknowledged &= &keys.acknowledged;
    // Key 0 is no key: a row with it could stand in for a lost one, too.
    (first > 0 && u64::try_from(rest).ok()? == acknowledged.len()).then_some(acknowledged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_with_a_stretch_is_not_read_twice() {
        let stretches = [(1, 10, 19), (1, 30, 39), (2, 0, 99)];
        assert_eq!(outside((1, 1, 9), &stretches), [(1, 1, 9)]);
        assert_eq!(outside((1, 12, 15), &stretches), []);
        assert_eq!(
            outside((1, 5, 50), &stretches),
            [(1, 5, 9), (1, 20, 29), (1, 40, 50)]
        );
        assert_eq!(outside((3, 5, 6), &stretches), [(3, 5, 6)]);
    }

    #[test]
    fn a_count_proves_a_stretch_only_where_every_key_of_it_was_attempted() {
        let mut keys = WriterKeys::default();
        keys.attempted = 8191;
        keys.acknowledged.insert_range(1..=8000);
        keys.in_doubt.insert_range(8001..=8191);
        let fits = |first, last, rest| proven(&keys, (first, last), rest).map(|keys| keys.len());
        assert_eq!(fits(4096, 8191, 8000 - 4095), Some(8000 - 4095));
        assert_eq!(fits(4096, 8191, 8000 - 4096), None, "one is lost");
        assert_eq!(fits(0, 4095, 4095), None, "key 0 may be among them");
        keys.attempted = 8190;
        assert_eq!(proven(&keys, (4096, 8191), 8000 - 4095), None);
    }
}

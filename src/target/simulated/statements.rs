//! What a simulated server answers to each question: the columns are those of the statement's text.
//!
//! The match is complete on purpose: a question that is added must be answered here, or be refused in words.

use super::backend::Said;
use super::node::COMMIT;
use super::rows::{BARRIER, Row};
use super::state::{RESERVED, State};
use crate::event::Stamp;
use crate::sql::{Answer, Asks, Brought, SqlError};
use std::sync::Arc;

/// The port of every node.
pub(super) const PORT: u16 = 5432;
/// What the virtual clock's origin is in microseconds of a server's own clock.
const EPOCH_US: u64 = 946_684_800_000_000;

/// What comes of a statement.
pub(super) enum Outcome {
    /// It is answered.
    Said(Result<Said, SqlError>),
    /// It is answered at this moment.
    Sleeps(Stamp),
    /// It has committed up to here, and answers when a standby has that.
    Commits((u64, Answer)),
}

type Texts = Vec<Option<String>>;

fn rows(rows: Vec<Texts>) -> Outcome {
    let notices = Vec::new();
    Outcome::Said(Ok(Said::Rows(Answer { rows, notices })))
}

fn row<const N: usize>(texts: [String; N]) -> Texts {
    texts.into_iter().map(Some).collect()
}

fn one(text: impl ToString) -> Outcome {
    rows(vec![row([text.to_string()])])
}

fn refused(state: &str, words: &str) -> Outcome {
    Outcome::Said(Err(SqlError::of_state(
        state,
        true,
        format!("ERROR: {words}"),
    )))
}

fn bool_word(is: bool) -> String {
    if is { "t" } else { "f" }.to_owned()
}

/// A position in PostgreSQL's notation.
fn in_halves(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
}

/// The name of the WAL file of a position: timeline, and the halves of the segment's number (16 MiB each).
fn wal_file(timeline: u32, position: u64) -> String {
    let segment = position.saturating_sub(1) >> 24;
    format!("{timeline:08X}{:08X}{:08X}", segment >> 8, segment & 0xff)
}

/// Carries out one statement on a node.
pub(super) fn carry_out(
    state: &mut State,
    n: usize,
    process: i32,
    asks: Asks,
    now: Stamp,
) -> Outcome {
    let Some(me) = state.nodes.get(n) else {
        return refused("XX000", "no such node");
    };
    let Some(up) = &me.up else {
        return refused("57P01", "the server is down");
    };
    let who = [
        me.address.clone(),
        PORT.to_string(),
        (EPOCH_US + up.started.0).to_string(),
    ];
    let of = |application: &str| {
        let backends = up.backends.iter();
        let mine =
            backends.filter(|(pid, each)| **pid != process && each.application == application);
        mine.map(|(pid, _)| *pid).collect::<Vec<i32>>()
    };
    let has_ledger = state.ledger_made.is_some_and(|made| me.replayed >= made);
    let needs_ledger = matches!(
        asks,
        Asks::Tick { .. }
            | Asks::Newest { .. }
            | Asks::Barrier { .. }
            | Asks::Counts { .. }
            | Asks::RowsIn { .. }
            | Asks::AllRows { .. }
            | Asks::StretchCounts { .. }
            | Asks::Purge { .. }
    );
    if needs_ledger && !has_ledger {
        return refused("3F000", "schema \"firedrill\" does not exist");
    }
    let writes = matches!(
        asks,
        Asks::MakeLedger | Asks::LetIn { .. } | Asks::RemoveLedger | Asks::Purge { .. }
    );
    if writes && me.in_recovery {
        return refused("25006", "cannot execute this in a read-only transaction");
    }
    match asks {
        Asks::Who => rows(vec![row(who)]),
        Asks::InRecovery => one(bool_word(me.in_recovery)),
        Asks::Tick {
            run,
            writer,
            seq,
            sent_us,
        } => {
            let row = Row {
                run: Arc::from(run),
                writer,
                seq,
                sent_us,
            };
            tick(state, n, process, row, now)
        }
        Asks::Barrier { run } => {
            let row = Row {
                seq: me.rows.next_barrier(&run),
                run: Arc::from(run),
                writer: BARRIER,
                sent_us: 0,
            };
            tick(state, n, process, row, now)
        }
        Asks::Newest { run } => {
            let [address, port, started] = who;
            rows(vec![row([
                me.rows.newest_us(&run).to_string(),
                bool_word(me.in_recovery),
                address,
                port,
                started,
                me.timeline.to_string(),
            ])])
        }
        Asks::Backends { application } => {
            let [address, port, started] = who;
            let most = state.settings.max_connections.to_string();
            let pids: Vec<String> = of(&application).iter().map(ToString::to_string).collect();
            rows(vec![row([address, port, started, most, pids.join(",")])])
        }
        Asks::EndSessions { application } => {
            let there = of(&application);
            let said = there.iter().map(|_| row([bool_word(true)])).collect();
            state.end_sessions(n, &there);
            rows(said)
        }
        Asks::KnowsSchemaPublications | Asks::Publications => rows(Vec::new()),
        Asks::Capacity { .. } => rows(vec![row([
            state.settings.max_connections.to_string(),
            RESERVED.to_string(),
            up.backends.len().to_string(),
            "-1".to_owned(),
        ])]),
        Asks::LedgerIsThere => one(bool_word(has_ledger)),
        Asks::MakeLedger => {
            let end = state.nodes.get_mut(n).map(|node| node.write(None, now));
            state.ledger_made = end;
            rows(Vec::new())
        }
        Asks::LetIn { .. } => rows(Vec::new()),
        Asks::RemoveLedger => {
            state.ledger_made = None;
            rows(Vec::new())
        }
        Asks::Purge { run } => {
            let purged = state.nodes.get_mut(n).map(|node| node.rows.purge(&run));
            one(purged.unwrap_or(0))
        }
        Asks::WritePosition if me.in_recovery => refused("55000", "recovery is in progress"),
        Asks::WritePosition => one(in_halves(me.written)),
        Asks::Counts { run, open } => {
            let counted = me.rows.counts(&run, &open).into_iter();
            let texts = counted.map(|(writer, rest, min, max)| {
                row([writer.into(), rest, min, max].map(|number: u64| number.to_string()))
            });
            rows(texts.collect())
        }
        Asks::RowsIn { run, open } => Outcome::Said(Ok(Said::Pairs(me.rows.inside(&run, &open)))),
        Asks::AllRows { run } => Outcome::Said(Ok(Said::Pairs(me.rows.all(&run)))),
        Asks::StretchCounts {
            run,
            open,
            bits,
            among,
        } => {
            let counted = me.rows.stretch_counts(&run, &open, bits).into_iter();
            let counted = counted.filter(|(writer, ..)| among.contains(writer));
            let texts = counted.map(|(writer, at, all, rest)| {
                row([writer.into(), at, all, rest].map(|number: u64| number.to_string()))
            });
            rows(texts.collect())
        }
        Asks::Standing { standbys } => standing(state, n, standbys),
        Asks::History { timeline } => {
            let lines = me.left.iter().filter(|(left, _)| *left < timeline);
            let text: String = lines
                .map(|(left, at)| {
                    format!("{left}\t{}\tno recovery target specified\n", in_halves(*at))
                })
                .collect();
            one(text)
        }
        Asks::PauseReplay | Asks::ResumeReplay if !me.in_recovery => {
            refused("55000", "recovery is not in progress")
        }
        Asks::PauseReplay | Asks::ResumeReplay => {
            let pause = matches!(asks, Asks::PauseReplay);
            if let Some(node) = state.nodes.get_mut(n) {
                node.replay_paused = pause;
            }
            rows(vec![row([String::new()])])
        }
        Asks::Brought(brought) => self::brought(state, brought),
        Asks::Listen if me.in_recovery => refused("0A000", "cannot execute LISTEN during recovery"),
        Asks::Listen => rows(Vec::new()),
        Asks::Sleep { ms } => Outcome::Sleeps(now.plus(std::time::Duration::from_millis(ms))),
        Asks::PauseState => one(if me.replay_paused {
            "paused"
        } else {
            "not paused"
        }),
    }
}

/// What a drill brought along is not read: a change stands from its statement until its undo, and a question
/// is answered as the drill expects. Nothing else follows from it.
fn brought(state: &mut State, brought: Brought) -> Outcome {
    match brought {
        Brought::Change { check } => {
            state.changes.insert(check);
            rows(Vec::new())
        }
        Brought::Undo { check } => {
            state.changes.remove(&check);
            rows(Vec::new())
        }
        Brought::Check { check } => one(bool_word(!state.changes.contains(&check))),
        Brought::Question { expects } => match expects {
            Some(expected) => one(expected),
            None => rows(Vec::new()),
        },
    }
}

/// The row of `tick()`: is_primary, server, port, started_us, wal_file, lsn, backend.
fn tick(state: &mut State, n: usize, process: i32, new: Row, now: Stamp) -> Outcome {
    let synchronous = state.settings.synchronous;
    let Some(node) = state.nodes.get_mut(n) else {
        return refused("XX000", "no such node");
    };
    let started = node.up.as_ref().map_or(0, |up| up.started.0);
    let mut texts = row([
        bool_word(!node.in_recovery),
        node.address.clone(),
        PORT.to_string(),
        (EPOCH_US + started).to_string(),
    ]);
    if node.in_recovery {
        texts.extend([None, None, Some(process.to_string())]);
        return rows(vec![texts]);
    }
    if node.rows.has(&new) {
        return refused(
            "23505",
            "duplicate key value violates unique constraint \"ledger_pkey\"",
        );
    }
    let end = node.write(Some(new), now);
    let inserted = end - COMMIT;
    texts.extend([
        Some(wal_file(node.timeline, inserted)),
        Some(in_halves(inserted)),
        Some(process.to_string()),
    ]);
    let answer = Answer {
        rows: vec![texts],
        notices: Vec::new(),
    };
    if synchronous && !state.is_replicated(n, end) {
        return Outcome::Commits((end, answer));
    }
    Outcome::Said(Ok(Said::Rows(answer)))
}

fn standing(state: &State, n: usize, with_standbys: bool) -> Outcome {
    let Some(me) = state.nodes.get(n) else {
        return refused("XX000", "no such node");
    };
    let some = |is: bool, text: String| is.then_some(text);
    let standby = me.in_recovery;
    let sync = if state.settings.synchronous {
        "quorum"
    } else {
        "async"
    };
    let listed = state
        .nodes
        .iter()
        .filter(|other| other.streaming && other.upstream == Some(n));
    let listed: Vec<_> = listed
        .map(|other| {
            serde_json::json!([other.name, "streaming", sync, other.written, other.replayed])
        })
        .collect();
    let listed = serde_json::Value::from(listed).to_string();
    rows(vec![vec![
        Some(bool_word(standby)),
        some(!standby, format!("{:08X}", me.timeline)),
        some(standby, me.timeline.to_string()),
        Some(me.written.to_string()),
        some(standby, me.replayed.to_string()),
        Some(bool_word(me.streaming)),
        some(standby, bool_word(me.replay_paused)),
        some(!standby && with_standbys, listed),
    ]])
}

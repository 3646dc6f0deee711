//! Asks every node by SQL who it is.
//!
//! It only asks: the words of the nodes are handed on as they are, also where they contradict each
//! other. What follows from them is decided elsewhere.

use super::Held;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, NodeSeen, StandbySeen, Standing};
use crate::event::slots::ErrorClass;
use crate::sql::{Address, Answer, Asks, SqlError, Statement};
use crate::target::Target;
use futures_util::future::join_all;
use std::time::Duration;

/// One statement, one row, for primaries and standbys alike, for the role that observes (`pg_monitor`).
///
/// `pg_is_in_recovery()` is called once and decides which of the other functions may be called: the name
/// of a WAL file cannot be asked of a standby. The timeline of a primary is read from that name, because
/// the control file still tells the old one until the first checkpoint after a promotion. A standby that
/// does not stream has no function that tells its timeline; the newest of which it has a WAL file is the
/// best that can be known, since the control file lags there as well. `%s` is the list of standbys.
const STANDING: &str = "\
WITH me AS MATERIALIZED (SELECT pg_is_in_recovery() AS standby),
     receiver AS MATERIALIZED (SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming')
SELECT CASE WHEN standby THEN 't' ELSE 'f' END,
       CASE WHEN NOT standby THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       CASE WHEN standby THEN coalesce((SELECT received_tli FROM receiver), (
           SELECT greatest(
               (SELECT timeline_id FROM pg_control_checkpoint()),
               (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
               (SELECT max(('x' || substr(name, 1, 8))::bit(32)::int) FROM pg_ls_waldir()
                WHERE name ~ '^[0-9A-F]{24}$')))) END,
       CASE WHEN standby THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')
            ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') END,
       CASE WHEN standby THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') END,
       EXISTS (SELECT FROM receiver),
       CASE WHEN standby THEN pg_is_wal_replay_paused() END,
       CASE WHEN NOT standby THEN %s END
FROM me";

/// The standbys as their primary tells them, in JSON: one array a row.
const STANDBYS: &str = "(\
SELECT json_agg(json_build_array(application_name, state, sync_state,
    pg_wal_lsn_diff(flush_lsn, '0/0'), pg_wal_lsn_diff(replay_lsn, '0/0')) ORDER BY pid)
FROM pg_stat_replication)";

/// Rows of `STANDBYS`: name, state, sync state, flushed, replayed.
type StandbyRow = (
    String,
    Option<String>,
    Option<String>,
    Option<u64>,
    Option<u64>,
);

/// The statement that tells everything of a node.
pub(crate) fn whole_statement() -> Statement<'static> {
    let sql = STANDING.replace("%s", STANDBYS);
    Statement::new(sql, Asks::Standing { standbys: true })
}

/// The statement without the primary's list of standbys, for those who ask often.
pub(crate) fn short_statement() -> Statement<'static> {
    let sql = STANDING.replace("%s", "NULL::json");
    Statement::new(sql, Asks::Standing { standbys: false })
}

/// One round with new sessions: all nodes at the same time, each within `deadline`, over
/// [`Target::observe_access`].
pub async fn see(target: &dyn Target, clock: Clock, deadline: Duration) -> ClusterSeen {
    ClusterEye::new(target, clock, deadline).look().await
}

/// Looks at a cluster again and again over held sessions, one per node.
#[derive(Debug)]
pub struct ClusterEye {
    nodes: Vec<(String, Held)>,
    /// The names under which nodes stream, where these are not their own, with their own.
    renamed: Vec<(String, String)>,
    statement: Statement<'static>,
    clock: Clock,
    deadline: Duration,
}

impl ClusterEye {
    /// An eye on all nodes of a target. Nothing is opened before the first look. Each node has
    /// `deadline` for its answer, connect included.
    #[must_use]
    pub fn new(target: &dyn Target, clock: Clock, deadline: Duration) -> Self {
        let nodes = target.nodes();
        let streams_as = nodes.iter().map(|name| target.streams_as(name)).zip(&nodes);
        let renamed: Vec<_> = streams_as
            .filter(|(streams_as, name)| streams_as != *name)
            .map(|(streams_as, name)| (streams_as, name.clone()))
            .collect();
        let nodes = nodes.into_iter().map(|name| {
            let address = target.observe_access(&name);
            (name, address)
        });
        Self {
            renamed,
            ..Self::on(nodes.collect(), clock, deadline)
        }
    }

    /// An eye on these nodes, in declared order, each with its address for a role that may observe.
    #[must_use]
    pub fn on(nodes: Vec<(String, Address)>, clock: Clock, deadline: Duration) -> Self {
        let nodes = nodes
            .into_iter()
            .map(|(name, address)| (name, Held::new(address)));
        Self {
            nodes: nodes.collect(),
            renamed: Vec::new(),
            statement: whole_statement(),
            clock,
            deadline,
        }
    }

    /// One round. A node that does not answer is [`Standing::Silent`] and does not delay the others
    /// beyond the deadline; its session is opened anew in the next round.
    pub async fn look(&mut self) -> ClusterSeen {
        let asked = self.clock.now();
        let (statement, deadline) = (&self.statement, self.deadline);
        let answers = self.nodes.iter_mut().map(async |(name, held)| NodeSeen {
            name: name.clone(),
            standing: standing(held.ask(statement.again(), deadline).await, deadline),
        });
        let mut nodes: Vec<NodeSeen> = join_all(answers).await;
        for node in &mut nodes {
            if let Standing::Primary { standbys, .. } = &mut node.standing {
                by_their_own_names(standbys, &self.renamed);
            }
        }
        ClusterSeen {
            asked,
            declared: nodes.len(),
            nodes,
        }
    }
}

/// Calls each standby by the name of its node.
fn by_their_own_names(standbys: &mut [StandbySeen], renamed: &[(String, String)]) {
    for row in standbys {
        if let Some((_, own)) = renamed
            .iter()
            .find(|(streams_as, _)| *streams_as == row.name)
        {
            row.name.clone_from(own);
        }
    }
}

/// Asks one node over a held session, without its list of standbys.
pub(crate) async fn ask_standing(
    held: &mut Held,
    statement: &Statement<'_>,
    deadline: Duration,
) -> Standing {
    standing(held.ask(statement.again(), deadline).await, deadline)
}

/// What the one row of the whole statement means, however it was asked.
#[cfg(feature = "docker")]
pub(crate) fn of_row(row: Vec<Option<String>>) -> Standing {
    let answer = Answer {
        rows: vec![row],
        ..Answer::default()
    };
    standing(Ok(answer), Duration::ZERO)
}

/// What an answer to the statement means.
fn standing(answer: Result<Answer, SqlError>, deadline: Duration) -> Standing {
    match answer {
        Ok(answer) => parse(&answer).unwrap_or_else(|| Standing::Silent {
            why: "its answer is of an unknown shape".to_owned(),
        }),
        Err(error) => Standing::Silent {
            why: why(&error, deadline),
        },
    }
}

/// A short cause: the deadline in its own words, else the class and what the server said.
fn why(error: &SqlError, deadline: Duration) -> String {
    match error.class {
        ErrorClass::ConnectDeadline
        | ErrorClass::StartupDeadline
        | ErrorClass::StatementDeadline => {
            format!("no answer in {} ms", deadline.as_millis())
        }
        ErrorClass::Refused => "refused".to_owned(),
        class => format!("{}: {}", class.name(), error.text),
    }
}

/// Reads the row of the statement; `None` where it has another shape.
fn parse(answer: &Answer) -> Option<Standing> {
    let row: &[Option<String>; 8] = answer.rows.first()?.as_slice().try_into().ok()?;
    let [
        standby,
        leads,
        follows,
        lsn,
        replayed,
        streaming,
        paused,
        standbys,
    ] = row.each_ref().map(Option::as_deref);
    if standby? == "t" {
        return Some(Standing::Standby {
            timeline: number(follows)?,
            received: number(lsn)?,
            replayed: number(replayed)?,
            streaming: streaming? == "t",
            paused: paused? == "t",
        });
    }
    let rows: Vec<StandbyRow> = serde_json::from_str(standbys.unwrap_or("[]")).ok()?;
    let standbys = rows
        .into_iter()
        .map(|(name, state, sync, flushed, replayed)| StandbySeen {
            name,
            state: state.unwrap_or_default(),
            sync: sync.unwrap_or_default(),
            flushed,
            replayed,
        });
    Some(Standing::Primary {
        timeline: u32::from_str_radix(leads?, 16).ok()?,
        lsn: number(lsn)??,
        standbys: standbys.collect(),
    })
}

/// A number that may be NULL: `Some(None)`. `None` where it is no number.
fn number<N: std::str::FromStr>(column: Option<&str>) -> Option<Option<N>> {
    column.map(str::parse).transpose().ok()
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;

//! How long rows of earlier runs stay in a ledger that is kept (`ledger` of a target). Rows are deleted run
//! by run through `firedrill.purge`; nothing that a DBA made is dropped.

use super::ledger_error::LedgerError;
use super::ledger_table::{ask, open, purge};
use crate::sql::Address;
use std::collections::BTreeSet;

const WHAT: &str = "purge the ledger";

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Rows of runs older than this many seconds go.
    pub keep_s: u64,
    /// Rows of the oldest runs go while the table holds more bytes than this.
    pub at_most_bytes: u64,
}

impl Default for Retention {
    /// Two weeks and one GiB.
    fn default() -> Self {
        Self {
            keep_s: 14 * 86_400,
            at_most_bytes: 1 << 30,
        }
    }
}

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// The runs whose rows went.
    pub runs: BTreeSet<String>,
    /// How many rows.
    pub rows: u64,
}

/// Deletes the rows that are not kept. `oldest` is the beginning of the id of a run that is just young enough
/// (ids begin with their UTC stamp); `run` is never touched.
///
/// # Errors
/// When the server refuses or does not answer. What was deleted before stays so.
pub async fn enforce(
    address: &Address,
    retention: Retention,
    oldest: &str,
    run: &str,
) -> Result<Purged, LedgerError> {
    let session = open(address, WHAT).await?;
    // Through the primary key from run to run: a plain `distinct` would read every row.
    let runs = "with recursive runs as (\
                (select run from firedrill.ledger order by run limit 1) union all \
                select (select l.run from firedrill.ledger l where l.run > r.run order by l.run limit 1) \
                from runs r where r.run is not null) \
                select run from runs where run is not null order by run";
    let rows = ask(&session, address, WHAT, runs).await?;
    let mut left: Vec<String> = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next())
        .collect();
    left.retain(|each| each != run);
    left.sort_unstable();
    let mut purged = Purged::default();
    let young = left.partition_point(|each| each.as_str() < oldest);
    for old in left.drain(..young) {
        purged.rows += purge(address, &old).await?;
        purged.runs.insert(old);
    }
    // Deleted rows still take their room until they are vacuumed, so the size is told by what rows are left:
    // bytes of the table by its rows, those that are dead among them.
    let size = "select pg_total_relation_size('firedrill.ledger')";
    let bytes = number(&ask(&session, address, WHAT, size).await?);
    if bytes <= retention.at_most_bytes || left.is_empty() {
        return Ok(purged);
    }
    let count = "select count(*) from firedrill.ledger";
    let mut alive = number(&ask(&session, address, WHAT, count).await?);
    let each = (bytes / (alive + purged.rows).max(1)).max(1);
    for old in left {
        if alive.saturating_mul(each) <= retention.at_most_bytes {
            break;
        }
        let gone = purge(address, &old).await?;
        alive = alive.saturating_sub(gone);
        purged.rows += gone;
        purged.runs.insert(old);
    }
    Ok(purged)
}

fn number(rows: &[Vec<String>]) -> u64 {
    let first = rows.first().and_then(|row| row.first()?.parse().ok());
    first.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ledger_table::prepare;
    use crate::sql::test_server::TestServer;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn old_runs_go_and_then_the_oldest_until_the_rest_fits() {
        let Some(server) = TestServer::primary(&[]).await else {
            return;
        };
        server.ask("create role probe login").await;
        prepare(&server.address(), "probe").await.unwrap();
        let probe = Address {
            user: "probe".into(),
            ..server.address()
        };
        let fill = "insert into firedrill.ledger select r, 1, g, g from unnest(array['20260101t000000-a', \
                    '20260201t000000-b', '20260301t000000-c', '20260401t000000-d']) r, generate_series(1, 5000) g";
        server.ask(fill).await;
        let keep_all = Retention::default();
        let now = "20260401t000000-d";
        let none = enforce(&probe, keep_all, "20251201t000000", now)
            .await
            .unwrap();
        assert_eq!(none, Purged::default());

        let aged = enforce(&probe, keep_all, "20260201t000000", now)
            .await
            .unwrap();
        assert_eq!(aged.rows, 5000);
        assert!(aged.runs.contains("20260101t000000-a"));

        // Room for about two of the three that are left.
        let bytes = server
            .ask("select pg_total_relation_size('firedrill.ledger')")
            .await;
        let small = Retention {
            at_most_bytes: bytes.parse::<u64>().unwrap() * 3 / 4,
            ..keep_all
        };
        let more = enforce(&probe, small, "20251201t000000", now)
            .await
            .unwrap();
        let first = "20260201t000000-b";
        assert_eq!(
            more.runs.first().map(String::as_str),
            Some(first),
            "the oldest go first"
        );
        let nothing = Retention {
            at_most_bytes: 0,
            ..keep_all
        };
        enforce(&probe, nothing, "20251201t000000", now)
            .await
            .unwrap();
        let left = "select string_agg(distinct run, ',') from firedrill.ledger";
        assert_eq!(server.ask(left).await, now, "a run never purges itself");
    }
}

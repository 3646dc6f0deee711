//! What must hold before anything is broken. Changes nothing but the ledger's own table.

use super::cluster_watch::DEADLINE;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::load::LoadPlan;
use crate::load::capacity::{self, Room};
use crate::load::durability::{self, Durability};
use crate::load::ledger_error::LedgerError;
use crate::load::ledger_table::{self, Prepared};
use crate::load::retention;
use crate::role::sql::ClusterEye;
use crate::sql::{Address, Session};
use crate::target::Target;
use std::time::Duration;

/// How long a cluster that was only just started may take to be whole.
const LIMIT: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(20);
/// How long a connection through an endpoint may take.
const REACH: Duration = Duration::from_secs(5);
/// Replay further behind than this, in bytes, is no standby that could take over: one WAL segment.
const LAG_LIMIT: u64 = 16 * 1024 * 1024;

/// Why nothing may be broken here, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unfit {
    /// What is wrong.
    pub what: String,
    /// The next step.
    pub next: String,
}

/// What preflight found.
#[derive(Debug)]
pub struct Fit {
    /// All nodes, one primary, all others streaming.
    pub seen: ClusterSeen,
    /// Room for sessions on the primary.
    pub room: Room,
    /// The ledger's table was made by this run, and is to be removed with it.
    pub made_ledger: bool,
    /// How the probes come to commit as durably as the role that the target names, where it names one.
    pub durability: Option<Durability>,
}

/// Looks at everything that must hold. `clients` are sessions of loads on one node, beside the probes'.
///
/// # Errors
/// The first thing that does not.
pub async fn preflight(
    target: &dyn Target,
    load: &LoadPlan,
    clients: u32,
    clock: Clock,
) -> Result<Fit, Unfit> {
    let sessions = load.limits.sessions.saturating_add(clients);
    let seen = whole_cluster(target, clock).await?;
    let (primary, _) = seen.leader().ok_or_else(|| unfit_cluster(&seen))?;
    let observe = target.observe_access(primary);
    let room = capacity::preflight(&observe, &load.writer.user, sessions)
        .await
        .map_err(ledger)?;
    // Where a DBA made it, whoever acts need not know of it.
    let usable = ledger_table::is_usable(&target.probe_access(primary)).await;
    let prepared = match usable {
        Ok(()) => Prepared::Found,
        Err(_) => ledger_table::prepare(&target.act_access(primary), &load.writer.user)
            .await
            .map_err(ledger)?,
    };
    if prepared == Prepared::Found {
        let oldest = clock.wall_before(load.retention.keep_s);
        let oldest = oldest.strftime("%Y%m%dt%H%M%S").to_string();
        retention::enforce(&load.writer, load.retention, &oldest, &load.run)
            .await
            .map_err(ledger)?;
    }
    let durability = durability(&observe, load).await?;
    ledger_table::wait_everywhere(&load.probed(), LIMIT)
        .await
        .map_err(ledger)?;
    for endpoint in target.endpoints() {
        reach(endpoint.name, &endpoint.address, clock, REACH).await?;
    }
    for extra in &load.extras {
        let user = &extra.address.user;
        if *user != load.writer.user && !extra.pooled {
            capacity::role_may_hold(&observe, user, sessions)
                .await
                .map_err(ledger)?;
        }
        let address = extra.address.named(load.application());
        reach(&extra.name, &address, clock, REACH).await?;
        ledger_table::is_usable(&address)
            .await
            .map_err(|error| Unfit {
                what: format!("the {} endpoint cannot be probed: {error}", extra.name),
                next: "it must lead to the ledger's database, as a role that may use the ledger"
                    .to_owned(),
            })?;
    }
    Ok(Fit {
        room,
        made_ledger: prepared == Prepared::Made,
        durability,
        seen,
    })
}

/// How durably the role commits that `durability_of` names, if it names one.
async fn durability(act: &Address, load: &LoadPlan) -> Result<Option<Durability>, Unfit> {
    let Some(role) = &load.durability_of else {
        return Ok(None);
    };
    let writing = load.extras.iter().filter(|extra| extra.writes);
    let mut probes = vec![load.writer.user.as_str()];
    probes.extend(writing.map(|extra| extra.address.user.as_str()));
    match durability::as_role(act, role, &probes).await {
        Ok(durability) => Ok(Some(durability)),
        Err(error) => Err(Unfit {
            what: error.to_string(),
            next: "name the role that your application logs in as, or take durability_of out"
                .to_owned(),
        }),
    }
}

/// Waits for one primary and all others streaming with little lag.
async fn whole_cluster(target: &dyn Target, clock: Clock) -> Result<ClusterSeen, Unfit> {
    let end = clock.now().plus(LIMIT);
    let mut eye = ClusterEye::new(target, clock, DEADLINE);
    loop {
        let seen = eye.look().await;
        let now = clock.now();
        if seen.is_whole() && seen.declared > 1 && lagging(&seen).is_none() {
            return Ok(seen);
        }
        // Two primaries do not become one by waiting, nor does a standby appear.
        if now >= end || seen.primaries().count() > 1 || seen.declared < 2 {
            return Err(unfit_cluster(&seen));
        }
        clock.sleep_until(now.plus(EVERY)).await;
    }
}

/// What is wrong with a cluster that is not whole.
fn unfit_cluster(seen: &ClusterSeen) -> Unfit {
    let primaries: Vec<_> = seen.primaries().map(|(name, _)| name).collect();
    let (what, next) = match primaries.as_slice() {
        _ if seen.declared < 2 => (
            "the target has no standby, so nothing can take over".to_owned(),
            "declare at least one standby in the target file",
        ),
        [] => (
            format!("no node takes writes ({})", silent(seen)),
            "start the primary, or fail over, and see that the target's addresses are right",
        ),
        [_] => match lagging(seen) {
            Some(lag) => (
                lag,
                "wait until it has caught up, or rebuild it; a drill would measure the lag",
            ),
            None => (
                format!(
                    "{} of {} declared standbys stream ({})",
                    seen.streaming(),
                    seen.declared - 1,
                    silent(seen)
                ),
                "repair the standby first, or declare fewer",
            ),
        },
        many => (
            format!("{} nodes take writes: {}", many.len(), many.join(", ")),
            "end the split brain first: decide which node's commits count and rejoin the other",
        ),
    };
    Unfit {
        what,
        next: next.to_owned(),
    }
}

fn silent(seen: &ClusterSeen) -> String {
    let said: Vec<_> = seen
        .nodes
        .iter()
        .map(|node| match &node.standing {
            Standing::Primary { .. } => format!("{} is primary", node.name),
            Standing::Standby {
                streaming: true, ..
            } => format!("{} streams", node.name),
            Standing::Standby { .. } => format!("{} does not stream", node.name),
            Standing::Silent { why } => format!("{}: {why}", node.name),
        })
        .collect();
    said.join(", ")
}

/// The first standby that is too far behind, in words.
fn lagging(seen: &ClusterSeen) -> Option<String> {
    let (leader, _) = seen.leader()?;
    let Some(Standing::Primary { lsn, standbys, .. }) = seen.node(leader) else {
        return None;
    };
    standbys.iter().find_map(|row| {
        let behind = lsn.saturating_sub(row.replayed?);
        (behind > LAG_LIMIT).then(|| {
            format!(
                "{} is {} MiB behind, more than the {} MiB that a drill may begin with",
                row.name,
                behind >> 20,
                LAG_LIMIT >> 20
            )
        })
    })
}

/// Clients must get through before anything is broken. A router may still be counting its checks.
async fn reach(name: &str, address: &Address, clock: Clock, limit: Duration) -> Result<(), Unfit> {
    let end = clock.now().plus(limit);
    loop {
        let error = match Session::connect(address, limit).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let now = clock.now();
        if now >= end {
            return Err(Unfit {
                what: format!("the {name} endpoint {address} cannot be used: {error}"),
                next: "see that it is up, that host and port are right, and that the probe's role \
                       may log in"
                    .to_owned(),
            });
        }
        clock.sleep_until(now.plus(EVERY)).await;
    }
}

fn ledger(error: LedgerError) -> Unfit {
    Unfit {
        what: format!("the ledger cannot be kept: {error}"),
        next:
            "firedrill schema ledger prints what a DBA can run, and firedrill doctor looks further"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::event::cluster::{NodeSeen, StandbySeen};

    fn primary(name: &str, behind: u64) -> NodeSeen {
        NodeSeen {
            name: name.into(),
            standing: Standing::Primary {
                timeline: 1,
                lsn: 100 << 20,
                standbys: vec![StandbySeen {
                    name: "node-2".into(),
                    state: "streaming".into(),
                    sync: "async".into(),
                    flushed: Some(100 << 20),
                    replayed: Some((100 << 20) - behind),
                }],
            },
        }
    }

    fn silent_node(name: &str) -> NodeSeen {
        NodeSeen {
            name: name.into(),
            standing: Standing::Silent {
                why: "refused".into(),
            },
        }
    }

    fn unfit(nodes: Vec<NodeSeen>) -> String {
        let seen = ClusterSeen {
            asked: Stamp(0),
            declared: nodes.len(),
            nodes,
        };
        let Unfit { what, next } = unfit_cluster(&seen);
        format!("{what}\n{next}")
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let said = [
            unfit(vec![primary("node-1", 0)]),
            unfit(vec![silent_node("node-1"), silent_node("node-2")]),
            unfit(vec![primary("node-1", 0), primary("node-2", 0)]),
            unfit(vec![primary("node-1", 0), silent_node("node-2")]),
            unfit(vec![primary("node-1", 48 << 20), silent_node("node-2")]),
        ];
        insta::assert_snapshot!(said.join("\n\n"), @r"
        the target has no standby, so nothing can take over
        declare at least one standby in the target file

        no node takes writes (node-1: refused, node-2: refused)
        start the primary, or fail over, and see that the target's addresses are right

        2 nodes take writes: node-1, node-2
        end the split brain first: decide which node's commits count and rejoin the other

        0 of 1 declared standbys stream (node-1 is primary, node-2: refused)
        repair the standby first, or declare fewer

        node-2 is 48 MiB behind, more than the 16 MiB that a drill may begin with
        wait until it has caught up, or rebuild it; a drill would measure the lag
        ");
    }

    #[tokio::test]
    async fn an_endpoint_that_refuses_is_named() {
        // Bound and not listening: nobody else gets the port meanwhile, and each connect is refused.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let address = Address {
            host: "127.0.0.1".into(),
            port,
            user: "probe".into(),
            password: None,
            database: "app".into(),
            application: String::new(),
            simulated: None,
            way: None,
        };
        let limit = Duration::from_millis(60);
        let refused = reach("writer", &address, Clock::start(), limit).await;
        let Unfit { what, next } = refused.unwrap_err();
        let said = format!("{what}\n{next}").replace(&port.to_string(), "PORT");
        insta::assert_snapshot!(said, @r"
        the writer endpoint probe@127.0.0.1:PORT/app cannot be used: Connection refused (os error 111)
        see that it is up, that host and port are right, and that the probe's role may log in
        ");
    }
}

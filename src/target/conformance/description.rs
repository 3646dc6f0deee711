//! What a target says of itself: roles, endpoints, capabilities, and that nothing outlives it.

use super::bench::{Bench, ask};
use super::{Fixture, Wanted};
use crate::drill::{Given, load};
use crate::plan::{TargetFacts, compile};
use crate::sql::{Address, Asks, Session};
use crate::target::{Capability, Failover};
use crate::undo::{JournalError, JournalOwner};
use std::time::Duration;

const WHO: &str = "select host(inet_server_addr()), inet_server_port(), \
     (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint";

async fn in_recovery(address: &Address) -> Option<String> {
    let answer = ask(address, "select pg_is_in_recovery()", Asks::InRecovery).await;
    answer.rows[0][0].clone()
}

/// One node leads, the others stream, each says so on both its ways, the writer endpoint leads to that
/// one and the reader endpoint to another.
pub(super) async fn roles_and_endpoints(fixture: &dyn Fixture) {
    let wanted = Wanted {
        failover: Failover::Automatic,
        standbys: 2,
    };
    let Some(bench) = Bench::start(fixture, "roles", wanted).await else {
        return;
    };
    let seen = bench.whole("at the start").await;
    let nodes = bench.target.nodes();
    let names: Vec<&String> = seen.nodes.iter().map(|node| &node.name).collect();
    assert_eq!(names, nodes.iter().collect::<Vec<_>>());
    let (leader, _) = seen.leader().expect("a leader");
    let record = bench.target.record();
    assert_eq!(record.kind, fixture.kind());
    assert!(!record.path.is_empty() && record.control_period_ms > 0);
    for node in &nodes {
        let expected = if node == leader { "f" } else { "t" };
        for way in [
            bench.target.probe_access(node),
            bench.target.act_access(node),
        ] {
            assert_eq!(in_recovery(&way).await.as_deref(), Some(expected), "{node}");
        }
    }
    for endpoint in bench.target.endpoints() {
        let leads = endpoint.name == "writer";
        let met = in_recovery(&endpoint.address).await;
        assert_eq!(
            met.as_deref(),
            Some(if leads { "f" } else { "t" }),
            "{endpoint:?}"
        );
        if leads {
            let through = ask(&endpoint.address, WHO, Asks::Who).await.rows;
            let primary = bench.target.act_access(leader);
            let direct = ask(&primary, WHO, Asks::Who).await.rows;
            // Port and start time are the postmaster's; its address depends on the way to it.
            assert_eq!(through[0][1..], direct[0][1..]);
        }
    }
    bench.close(fixture).await;
}

/// What it can is what its file alone promised and what it has; a plan for less is refused, in words.
pub(super) async fn capabilities(fixture: &dyn Fixture) {
    let facts = fixture.facts(fixture.by_hand());
    let drills = [
        (Capability::Power, "primary-crash"),
        (Capability::Processes, "primary-freeze"),
        (Capability::CutAll, "primary-cut-off"),
        (Capability::CutPeers, "lagging-promotion"),
        (Capability::SwitchOver, "planned-switchover"),
        (Capability::Storage, "replica-rebuild"),
        (Capability::Statements, "abandoned-slot"),
    ];
    for (capability, drill) in drills {
        let checked = load(drill, &Given::default()).unwrap();
        let whole = compile(&checked, &facts, 7);
        // Whoever fails over by itself has no use for a drill in which firedrill promotes.
        let fits = facts.capabilities.contains(&capability) && facts.failover == Failover::Promote;
        assert!(whole.is_ok() || !fits, "{drill}");
        if whole.is_err() {
            continue;
        }
        let mut less = facts.capabilities.clone();
        less.retain(|each| *each != capability);
        let less = TargetFacts {
            capabilities: less,
            ..facts.clone()
        };
        let refusals = compile(&checked, &less, 7).expect_err(drill);
        assert!(!refusals[0].diagnostic.message.is_empty());
    }
    let Some(bench) = Bench::start(fixture, "capabilities", fixture.by_hand()).await else {
        return;
    };
    let target = bench.target.as_ref();
    let sorted = |capabilities: &[Capability]| {
        let mut sorted = capabilities.to_vec();
        sorted.sort_unstable();
        sorted
    };
    // What its file promises and it has not, it can explain: a kernel is asked only once it is there.
    let mut promised = facts.capabilities.clone();
    promised.retain(|each| target.lacks(*each).is_none());
    let (promised, has) = (sorted(&promised), sorted(target.capabilities()));
    assert_eq!(promised, has);
    assert_eq!(facts.failover, target.failover());
    assert_eq!(facts.nodes.len(), target.nodes().len());
    if !facts.unseen {
        assert_eq!(facts.control_period, target.control_period());
        let names: Vec<&String> = facts.nodes.iter().map(|node| &node.name).collect();
        assert_eq!(names, target.nodes().iter().collect::<Vec<_>>());
    }
    let can = |capability| facts.capabilities.contains(&capability);
    assert_eq!(can(Capability::Power), target.power().is_some());
    assert_eq!(can(Capability::Processes), target.processes().is_some());
    let cuts = can(Capability::CutAll) || can(Capability::CutClients) || can(Capability::CutPeers);
    assert_eq!(cuts, target.network().is_some());
    assert_eq!(can(Capability::Storage), target.storage().is_some());
    bench.close(fixture).await;
}

/// While a run holds its journal nobody else may undo it, and a closed target answers nobody.
pub(super) async fn lock_and_leftovers(fixture: &dyn Fixture) {
    let Some(bench) = Bench::start(fixture, "lock", fixture.by_hand()).await else {
        return;
    };
    let second = JournalOwner::take(bench.folder.path());
    assert!(
        matches!(second, Err(JournalError::Held { .. })),
        "{second:?}"
    );
    let ways: Vec<Address> = bench
        .target
        .nodes()
        .iter()
        .map(|node| bench.target.act_access(node))
        .collect();
    bench.close(fixture).await;
    for way in ways {
        let met = Session::connect(&way, Duration::from_secs(2)).await;
        assert!(met.is_err(), "{way} still answers");
    }
}

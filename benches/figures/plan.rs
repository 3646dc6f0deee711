//! A plan over a thousand nodes.

use crate::machine::{median, ms, timed};
use crate::row::Row;
use firedrill::drill::{Given, load};
use firedrill::load::Limits;
use firedrill::plan::{NodeFact, TargetFacts, compile};
use firedrill::target::local::CAPABILITIES;
use firedrill::target::{Capability, Failover};
use std::time::Duration;

const NODES: usize = 1000;
const LIMIT_MS: f64 = 100.0;

/// What shipped drills ask of containers alone.
const OF_CONTAINERS: &[Capability] = &[
    Capability::CutDcs,
    Capability::CutOneWay,
    Capability::SlowRate,
    Capability::SlowOneSide,
    Capability::Machines,
    Capability::Agents,
    Capability::LoseDcs,
    Capability::LoseRouter,
    Capability::LosePooler,
    Capability::FillDisk,
    Capability::StressCpu,
    Capability::StressIo,
];

fn facts() -> TargetFacts {
    let node = |number: usize| NodeFact {
        name: format!("node-{number}"),
        role: if number == 1 { "primary" } else { "standby" }.to_owned(),
    };
    TargetFacts {
        kind: "simulated".to_owned(),
        drillable: true,
        nodes: (1..=NODES).map(node).collect(),
        live: true,
        unseen: false,
        // And what only containers have: every shipped drill is planned.
        capabilities: [CAPABILITIES, OF_CONTAINERS].concat(),
        lacks: Vec::new(),
        failover: Failover::Automatic,
        control_period: Duration::from_millis(500),
        max_connections: Some(100),
        has_reader: true,
        extras: Vec::new(),
        synchronous: true,
        limits: Limits {
            sessions: 50,
            commits_per_second: 1_000_000,
        },
        load_limits: (60, 1000),
    }
}

pub fn measure() -> Vec<Row> {
    let facts = facts();
    let mut slowest = (Duration::ZERO, String::new());
    for name in firedrill::drill::shipped::names() {
        let checked = load(name, &Given::default()).expect("a shipped drill");
        let times = (0..9).map(|seed| {
            let (took, plan) = timed(|| compile(&checked, &facts, seed));
            let refused = plan.err().map(|why| why[0].to_string());
            assert_eq!(refused, None, "{name}");
            took
        });
        slowest = slowest.max((median(times.collect()), name.to_owned()));
    }
    let (took, name) = slowest;
    let shown = format!("{:.1} ms ({name})", ms(took));
    vec![Row::at_most(
        &format!("plan over {NODES} nodes, the slowest of the shipped drills"),
        ms(took),
        LIMIT_MS,
        &shown,
        "100 ms",
    )]
}

//! What the probes and the measures need to know of a run that no drill file describes.

use super::{BASELINE, NODE};
use firedrill::clock::Clock;
use firedrill::event::plan_record::{CostRecord, PlanRecord, StepRecord, Until, WorkloadRecord};
use firedrill::event::{Event, RunBegan, SCHEMA, StepBegan, StepEnded, StepOutcome, TargetRecord};
use firedrill::load::{Limits, LoadPlan, NodeAccess};
use firedrill::sql::Address;
use firedrill::target::Target;
use firedrill::target::local::LocalTarget;
use firedrill::target::local::link::Link;

pub fn load_plan(
    run: &str,
    clock: Clock,
    target: &LocalTarget,
    link: &Link,
    folder: &std::path::Path,
) -> LoadPlan {
    LoadPlan {
        extras: Vec::new(),
        watches: Vec::new(),
        durability_of: None,
        synchronous_commit: None,
        loss_unjudged: None,
        retention: Default::default(),
        run: run.to_owned(),
        clock,
        workload: WorkloadRecord {
            fresh: (100, 500),
            writers: (20, 500),
            sessions: 4,
            stall_ms: None,
            on_deadline: "reopen".to_owned(),
            reader: None,
            nodes: (50, 500),
            stability_ms: 5000,
            background: None,
        },
        writers_every: None,
        writer: Address {
            port: link.port(),
            ..target.probe_access(NODE)
        },
        reader: None,
        nodes: target
            .nodes()
            .into_iter()
            .map(|name| NodeAccess {
                probe: target.probe_access(&name),
                observe: target.observe_access(&name),
                act: target.act_access(&name),
                name,
            })
            .collect(),
        limits: Limits {
            sessions: 20,
            commits_per_second: 100,
        },
        folder: folder.to_owned(),
    }
}

pub fn step_began() -> Event {
    Event::StepBegan(StepBegan {
        step: "baseline".to_owned(),
        index: 0,
        nodes: Vec::new(),
    })
}

pub fn step_ended() -> Event {
    Event::StepEnded(StepEnded {
        step: "baseline".to_owned(),
        outcome: StepOutcome::Done,
    })
}

/// As much of a plan as the measures need.
pub fn began(run: &str, workload: &WorkloadRecord) -> RunBegan {
    let plan = PlanRecord {
        drill: "known-outages".to_owned(),
        summary: String::new(),
        why: String::new(),
        drill_sha256: String::new(),
        variables: Vec::new(),
        objectives: Vec::new(),
        expect_fail: None,
        require: vec![],
        stop_if: vec![],
        workload: workload.clone(),
        steps: vec![StepRecord {
            id: "baseline".to_owned(),
            kind: "baseline".to_owned(),
            what: String::new(),
            undo: None,
            longest_ms: BASELINE.as_millis() as u64,
            until: Some(Until::BaselineOver),
            of: None,
            together: None,
        }],
        longest_ms: 0,
        not_observable: Vec::new(),
        cost: CostRecord {
            sessions_per_node: 0,
            max_connections: None,
            connects_per_second: 0.0,
            commits_per_second: 0.0,
            clients: 0,
            requests_per_second: 0.0,
        },
        healthy_nodes: (2, 2),
    };
    RunBegan {
        schema: SCHEMA.to_owned(),
        run: run.to_owned(),
        version: String::new(),
        started_at: String::new(),
        seed: 0,
        plan,
        target: TargetRecord {
            kind: "local".to_owned(),
            identity: String::new(),
            versions: Vec::new(),
            timers: Vec::new(),
            durability: Vec::new(),
            stand_ins: Vec::new(),
            path: String::new(),
            control_period_ms: 300,
        },
        selftest: String::new(),
    }
}

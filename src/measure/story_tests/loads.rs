//! Loads of the drill's own clients, from their events to their numbers. The fault strikes at 6.0 to 6.1 s,
//! and is put back from 7.5 s on.

use super::*;
use crate::event::loads::{ClientSaw, LoadBegan, LoadClient, LoadKind, LoadResult};
use crate::event::result::Bounds;
use crate::event::slots::{Slot, SlotBatch, pack};
use std::collections::BTreeMap;

const PERIOD_US: u64 = 10_000;

fn load(story: Story, does: LoadKind, saw: &[(u64, u32, ClientSaw)]) -> Story {
    let began = Event::LoadBegan(LoadBegan {
        load: "ours".to_owned(),
        does,
        endpoint: "writer".to_owned(),
        clients: 4,
        t0: ms(5_500),
        period_us: PERIOD_US,
        deadline_us: 1_000_000,
    });
    let told = saw
        .iter()
        .fold(story.at(5_400, began), |story, (at, client, saw)| {
            let told = LoadClient {
                load: "ours".to_owned(),
                client: *client,
                saw: saw.clone(),
            };
            story.at(*at, Event::LoadClient(told))
        });
    let load = "ours".to_owned();
    told.at(11_900, Event::LoadEnded { load })
}

fn ours(result: &RunResult) -> &LoadResult {
    &result.loads["ours"]
}

fn opened() -> ClientSaw {
    ClientSaw::Opened {
        tries: 1,
        errors: BTreeMap::new(),
    }
}

fn lost(good: u64) -> ClientSaw {
    ClientSaw::Lost {
        class: "reset".to_owned(),
        good: ms(good),
    }
}

fn bounds(lower_ms: f64, upper_ms: f64) -> Known<Bounds> {
    Known::Observed(Bounds {
        lower_ms,
        upper_ms: Some(upper_ms),
    })
}

#[test]
fn a_session_that_learns_of_its_loss_only_when_the_node_is_put_back_hung() {
    let open = (0..4).map(|client| (5_500, client, opened()));
    let ends = [
        (6_400, 0, lost(5_500)),
        (7_600, 1, lost(5_500)),
        (11_800, 2, ClientSaw::Alive),
        (11_800, 3, ClientSaw::Waiting),
    ];
    let saw: Vec<_> = open.chain(ends).collect();
    let result = finished(load(crash(), LoadKind::Idle, &saw));
    let sessions = ours(&result).sessions.as_ref().unwrap();
    let counts = (
        sessions.opened,
        sessions.noticed,
        sessions.hung,
        sessions.alive,
    );
    assert_eq!(counts, (4, 1, 1, 1));
    assert_eq!(sessions.unknown, 1);
    assert_eq!(sessions.fastest, bounds(300.0, 400.0));
    let slowest = sessions.slowest.observed().unwrap();
    assert_eq!((slowest.lower_ms, slowest.upper_ms), (1_400.0, None));
    // Idle sessions disturb nobody, so that the baseline goes on to the fault.
    assert_eq!(result.phases[0].end_ms, 6_000.0);
    assert_eq!(ours(&result).beside, None);
}

#[test]
fn sessions_that_were_not_lost_are_none_that_hung() {
    let saw: Vec<_> = [(5_500, 0, opened()), (11_800, 0, ClientSaw::Alive)].into();
    let result = finished(load(crash(), LoadKind::Listen, &saw));
    let sessions = ours(&result).sessions.as_ref().unwrap();
    assert_eq!((sessions.hung, sessions.alive), (0, 1));
    assert_eq!(sessions.slowest.why(), Some("no session was lost"));
}

#[test]
fn a_storm_is_over_when_its_last_client_is_served() {
    let served = |tries, full| ClientSaw::Served {
        tries,
        errors: BTreeMap::from([
            ("refused".to_owned(), tries - 1 - full),
            ("53300".to_owned(), full),
        ]),
    };
    let saw = [
        (5_500, 0, opened()),
        (5_500, 1, opened()),
        (5_500, 2, opened()),
        (6_060, 0, lost(5_900)),
        (6_050, 1, lost(5_950)),
        (7_050, 1, served(5, 1)),
        (7_300, 0, served(9, 0)),
    ];
    let story = load(crash(), LoadKind::Reconnect, &saw);
    let result = finished(story.clone());
    let reconnects = ours(&result).reconnects.as_ref().unwrap();
    assert_eq!((reconnects.lost, reconnects.served), (2, 2));
    assert_eq!(reconnects.tries, 14);
    assert_eq!(reconnects.longest, bounds(1_240.0, 1_400.0));
    assert_eq!(reconnects.all_served, bounds(1_200.0, 1_300.0));
    assert_eq!(ours(&result).refused, 1);
    assert_eq!(ours(&result).errors["refused"], 11);

    // It loses the new session as well, and is without one to the end.
    let story = story.at(
        8_000,
        Event::LoadClient(LoadClient {
            load: "ours".to_owned(),
            client: 0,
            saw: lost(7_900),
        }),
    );
    let result = finished(story);
    let reconnects = ours(&result).reconnects.as_ref().unwrap();
    assert_eq!((reconnects.lost, reconnects.served), (2, 1));
    let all = reconnects.all_served.observed().unwrap();
    assert_eq!((all.lower_ms, all.upper_ms), (5_800.0, None));
}

#[test]
fn requests_are_counted_and_their_latency_told_from_the_probes() {
    let slot = |k: u64, outcome| {
        let sent = Stamp(ms(5_500).0 + k * PERIOD_US);
        let settled = Stamp(sent.0 + 5_000);
        Slot {
            k,
            sent,
            settled,
            outcome,
        }
    };
    let full = Outcome::Failed(ErrorClass::TooManyConnections);
    let mut slots: Vec<Slot> = (0..40).map(|k| slot(k, Outcome::Acknowledged)).collect();
    slots.push(slot(40, full));
    slots.push(slot(41, Outcome::NotSent));
    let batch = SlotBatch {
        channel: "load/ours".to_owned(),
        packed: pack(&slots, ms(5_500), PERIOD_US),
        serving: vec![],
    };
    let story = load(crash(), LoadKind::Write, &[]).at(5_950, Event::Slots(batch));
    let result = finished(story);
    let ours = ours(&result);
    let counts = (
        ours.sent,
        ours.answered,
        ours.failed,
        ours.not_sent,
        ours.refused,
    );
    assert_eq!(counts, (41, 40, 1, 1, 1));
    assert_eq!(ours.latency_ms["load"].count, 40);
    let names: Vec<_> = result
        .phases
        .iter()
        .map(|phase| phase.name.as_str())
        .collect();
    assert_eq!(names, ["baseline", "load", "outage", "recovery", "after"]);
    assert_eq!(result.phases[0].end_ms, 5_400.0, "a load disturbs");
    let beside = ours.beside.as_ref().unwrap();
    assert_eq!(beside.percentile, 95);
    assert_eq!(beside.before.p95, Some(2.0));
    assert!(beside.during.count > beside.before.count);
    assert_eq!(result.verdict, Verdict::Pass, "{:?}", result.reasons);
    assert!(!result.channels.contains_key("load/ours"));
}

#[test]
fn what_a_load_brings_down_before_the_fault_is_a_finding() {
    let story = |with_load: bool| {
        let story = Story::new()
            .demands("downtime", downtime(100.0))
            .round(5_000, &[("node-1", 1)], Some("node-2"))
            .act(ActKind::Fault, (1, "kill", "node-2"), (8_000, 8_100, 8_150))
            .served((MEASURING, 5_600), "node-1", 1)
            .refused((5_600, 5_900))
            .served((5_900, 12_000), "node-1", 1);
        finished(match with_load {
            true => load(story, LoadKind::Write, &[]),
            false => story,
        })
    };
    assert_eq!(story(false).verdict, Verdict::Invalid);
    assert_eq!(story(true).verdict, Verdict::Fail);
}

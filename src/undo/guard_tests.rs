//! What the guard promises, one promise a test, on a target in memory and with a real journal.

use super::fake_target::{Breakage, FakeTarget};
use super::guard::StrikeError;
use super::journal::{How, Journal, Opened, Record};
use super::recover::{RecoverError, Reopen, Reopened, recover};
use super::*;
use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::event::{ActKind, Emitter, Event, Stage, Stamp};
use crate::fault::cut::Cut;
use crate::fault::freeze::{Freeze, FreezeScope};
use crate::fault::kill::Kill;
use crate::fault::kill_process::{KillProcess, VictimProcess};
use crate::fault::{Fault, Hit};
use crate::role::NodeRef;
use crate::target::{CutFrom, Direction, PowerOff, Recovery as _, Sight as _};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// A run in a temporary folder on a fake target.
pub(super) struct Bench {
    pub target: FakeTarget,
    pub guard: Guard,
    pub journal: Option<JournalOwner>,
    clock: Clock,
    emitter: Emitter,
    events: UnboundedReceiver<(Stamp, Event)>,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn with_nodes(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::of_runtime();
        let opened = Opened::by_this_process("r1", "fake", "fake:1", json!({}), clock);
        let (emitter, events) = Emitter::channel();
        Self {
            target: FakeTarget::with_nodes(count),
            guard: Guard::new(),
            journal: Some(JournalOwner::create(folder.path(), opened).unwrap()),
            clock,
            emitter,
            events,
            folder,
        }
    }

    pub async fn seen(&self) -> ClusterSeen {
        self.target.see(self.clock, Duration::ZERO).await
    }

    pub async fn hit(&self, node: &str) -> Hit {
        let seen = self.seen().await;
        let role = match seen.node(node) {
            Some(NodeStanding::Primary { .. }) => "primary",
            Some(NodeStanding::Standby { .. }) => "standby",
            _ => "other",
        };
        Hit {
            node: node.to_owned(),
            role: String::from(role),
            timeline: seen.leader().map_or(0, |(_, timeline)| timeline),
        }
    }

    pub async fn strike(&mut self, fault: &dyn Fault, step: &str) -> Result<String, StrikeError> {
        let hit = self.hit(&fault.node().to_string()).await;
        let seen = self.seen().await;
        let (guard, mut way) = self.way();
        guard.strike(fault, step, &hit, &seen, &mut way).await
    }

    pub fn way(&mut self) -> (&mut Guard, WayBack<'_>) {
        let way = WayBack {
            target: &self.target,
            clock: self.clock,
            emitter: &self.emitter,
            journal: self.journal.as_mut().unwrap(),
            evidence: self.folder.path(),
            limits: Limits::default(),
            urgency: Urgency::Patient,
        };
        (&mut self.guard, way)
    }

    pub async fn undo_all(&mut self) -> UndoReport {
        self.target.calls();
        let (guard, mut way) = self.way();
        guard.undo_all(&mut way).await
    }

    fn done(&self) -> Vec<(u32, How)> {
        let lines = Journal::read(self.folder.path()).unwrap().lines;
        let done = lines.into_iter().filter_map(|line| match line.record {
            Record::Done { n, how, .. } => Some((n, how)),
            _ => None,
        });
        done.collect()
    }

    pub fn stages(&mut self, wanted: ActKind) -> Vec<String> {
        let mut stages = Vec::new();
        while let Ok((_, event)) = self.events.try_recv() {
            if let Event::Act(act) = event
                && act.kind == wanted
            {
                let stage = match act.stage {
                    Stage::Requested => "requested",
                    Stage::Returned => "returned",
                    Stage::Effect { .. } => "effect",
                    Stage::NotSeen { .. } => "not seen",
                    Stage::Failed { .. } => "failed",
                };
                stages.push(format!("{} {} {stage}", act.number, act.node));
            }
        }
        stages
    }
}

pub(super) fn kill(node: &str) -> Kill {
    Kill {
        returns: crate::fault::Returns::default(),
        id: None,
        node: NodeRef::from(node),
    }
}

pub(super) fn freeze(node: &str, scope: FreezeScope) -> Freeze {
    Freeze {
        id: None,
        node: NodeRef::from(node),
        scope,
    }
}

pub(super) fn cut(node: &str, from: CutFrom) -> Cut {
    Cut {
        id: None,
        node: NodeRef::from(node),
        from: from.into(),
        direction: Direction::Both,
    }
}

pub(super) fn kill_process(node: &str, process: VictimProcess) -> KillProcess {
    KillProcess {
        id: None,
        node: NodeRef::from(node),
        process,
    }
}

#[tokio::test(start_paused = true)]
async fn newest_first_and_what_had_to_wait_is_tried_again() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-1"), "a").await.unwrap();
    bench.strike(&kill("node-2"), "b").await.unwrap();
    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!((report.undone, report.writable), (2, Some(1)));
    // node-2 is started first and cannot stream before node-1 is back.
    assert_eq!(bench.target.calls(), ["start node-2", "start node-1"]);
    assert!(bench.seen().await.is_whole());
    assert_eq!(bench.done(), [(1, How::Undone), (2, How::Undone)]);
    assert_eq!(
        bench.stages(ActKind::Undo),
        [
            "2 node-2 requested",
            "2 node-2 returned",
            "1 node-1 requested",
            "1 node-1 returned",
            "1 node-1 effect",
            "2 node-2 effect"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn undoing_twice_is_harmless() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-1"), "a").await.unwrap();
    assert!(bench.undo_all().await.is_complete());
    let again = bench.undo_all().await;
    assert_eq!((again.undone, again.is_complete()), (0, true));
    assert!(bench.target.calls().is_empty());
    let journal = bench.journal.as_mut().unwrap();
    assert!(journal.close().unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_was_repaired_by_hand_is_credited_and_not_fought() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-1"), "a").await.unwrap();
    bench.target.stack_promotes();
    bench.target.rejoin("node-1", Path::new("")).await.unwrap();
    assert!(bench.undo_all().await.is_complete());
    assert!(bench.target.calls().is_empty());
    assert_eq!(bench.done(), [(1, How::Credited)]);
}

#[tokio::test(start_paused = true)]
async fn an_old_primary_comes_back_behind_the_new_one_and_is_never_thawed() {
    for scope in [FreezeScope::All, FreezeScope::Postmaster] {
        let mut bench = Bench::with_nodes(2);
        bench.strike(&freeze("node-1", scope), "a").await.unwrap();
        bench.target.promote(Some("node-2")).await.unwrap();
        let report = bench.undo_all().await;
        assert_eq!(report.failures, [""; 0]);
        assert_eq!(bench.target.calls(), ["fence node-1", "rejoin node-1"]);
        assert!(bench.seen().await.is_whole());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_old_primary_is_taken_down_before_it_is_joined() {
    let mut bench = Bench::with_nodes(3);
    bench
        .strike(&cut("node-1", CutFrom::All), "a")
        .await
        .unwrap();
    bench.target.stack_promotes().unwrap();
    assert!(bench.undo_all().await.is_complete());
    let calls = ["fence node-1", "join node-1", "rejoin node-1"];
    assert_eq!(bench.target.calls(), calls);
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn without_a_failover_the_primary_comes_back_as_it_was() {
    let faults: [(&dyn Fault, &str); 4] = [
        (&kill("node-1"), "start node-1"),
        (&freeze("node-1", FreezeScope::All), "Thaw node-1"),
        (&cut("node-1", CutFrom::All), "join node-1"),
        (
            &kill_process("node-1", VictimProcess::Postmaster),
            "start node-1",
        ),
    ];
    for (fault, expected) in faults {
        let mut bench = Bench::with_nodes(2);
        bench.strike(fault, "a").await.unwrap();
        let report = bench.undo_all().await;
        assert_eq!(report.failures, [""; 0]);
        assert_eq!(bench.target.calls(), [expected]);
        assert!(bench.seen().await.is_whole());
        assert_eq!(bench.seen().await.leader(), Some(("node-1", 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_the_server_restarts_by_itself_is_credited() {
    for process in [VictimProcess::Walreceiver, VictimProcess::Backend] {
        let mut bench = Bench::with_nodes(2);
        let proof = bench.strike(&kill_process("node-2", process), "a").await;
        assert!(proof.unwrap().ends_with("is gone"));
        assert!(bench.undo_all().await.is_complete());
        assert_eq!(bench.done(), [(1, How::Credited)]);
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_others_cannot_be_asked_the_old_primary_stays_down() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-1"), "a").await.unwrap();
    bench.target.mute("node-2", true);
    let report = bench.undo_all().await;
    insta::assert_snapshot!(report.failures.join("\n"), @"kill of node-1: node-1 stays as it is: it may lead, and node-2 cannot be asked who leads (no answer)");
    assert!(bench.target.calls().is_empty());
    assert!(!bench.journal.as_mut().unwrap().close().unwrap());
    assert_eq!(
        bench.stages(ActKind::Undo),
        ["1 node-1 requested", "1 node-1 failed"]
    );

    bench.target.mute("node-2", false);
    assert!(bench.undo_all().await.is_complete());
    assert!(bench.journal.as_mut().unwrap().close().unwrap());
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_panics_or_hangs_keeps_no_other_from_its_turn() {
    for how in [Breakage::Fails, Breakage::Panics, Breakage::Hangs] {
        let mut bench = Bench::with_nodes(3);
        bench.strike(&kill("node-2"), "a").await.unwrap();
        bench.strike(&kill("node-3"), "b").await.unwrap();
        bench.target.break_call("start node-3", how);
        let report = bench.undo_all().await;
        assert_eq!(report.undone, 1, "{how:?}");
        assert_eq!(report.failures.len(), 1, "{:?}", report.failures);
        assert!(report.failures[0].starts_with("kill of node-3: "));
        assert_eq!(bench.seen().await.streaming(), 1);
        assert!(!bench.journal.as_mut().unwrap().close().unwrap());

        bench.target.mend();
        assert!(bench.undo_all().await.is_complete());
        assert!(bench.seen().await.is_whole());
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_says_it_worked_is_not_believed() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-2"), "a").await.unwrap();
    bench
        .target
        .break_call("start node-2", Breakage::DoesNothing);
    bench
        .target
        .break_call("rejoin node-2", Breakage::DoesNothing);
    let report = bench.undo_all().await;
    assert_eq!(
        report.failures,
        ["kill of node-2: node-2 does not answer: no answer"]
    );
    assert_eq!(
        bench.stages(ActKind::Undo),
        [
            "1 node-2 requested",
            "1 node-2 returned",
            "1 node-2 not seen"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_without_effect_is_open_and_moot() {
    let mut bench = Bench::with_nodes(2);
    bench
        .target
        .break_call("power_off node-1", Breakage::DoesNothing);
    let error = bench.strike(&kill("node-1"), "a").await.unwrap_err();
    assert!(matches!(error, StrikeError::NoEffect(_)), "{error}");
    assert_eq!(
        bench.stages(ActKind::Fault),
        [
            "1 node-1 requested",
            "1 node-1 returned",
            "1 node-1 not seen"
        ]
    );
    assert!(bench.undo_all().await.is_complete());
    assert_eq!(bench.done(), [(1, How::Moot)]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_strikes_late_is_undone_all_the_same() {
    let mut bench = Bench::with_nodes(2);
    bench.target.break_call("power_off node-2", Breakage::Fails);
    let error = bench.strike(&kill("node-2"), "a").await.unwrap_err();
    assert!(matches!(error, StrikeError::NotInjected(_)), "{error}");
    bench.target.mend();
    // Somebody else's daemon carries the call out after it had failed for us.
    let late = bench.target.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(8)).await;
        late.power()
            .unwrap()
            .power_off("node-2", PowerOff::Kill)
            .await
    });
    assert!(bench.undo_all().await.is_complete());
    assert_eq!(bench.target.calls(), ["power_off node-2", "start node-2"]);
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_touched_before_the_intent_is_on_disk() {
    let mut bench = Bench::with_nodes(2);
    let closed = bench.journal.as_mut().unwrap();
    closed.break_for_test();
    let error = bench.strike(&kill("node-1"), "a").await.unwrap_err();
    assert!(matches!(error, StrikeError::NotJournaled(_)), "{error}");
    assert!(bench.target.calls().is_empty());
    assert!(bench.guard.open_hits().next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_strike_that_is_cancelled_stays_open() {
    let mut bench = Bench::with_nodes(2);
    bench.target.break_call("power_off node-1", Breakage::Hangs);
    let fault = kill("node-1");
    let strike = bench.strike(&fault, "a");
    let cancelled = tokio::time::timeout(Duration::from_secs(1), strike).await;
    assert!(cancelled.is_err());
    assert!(bench.guard.is_open("a"));
    assert!(bench.undo_all().await.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_released_node_may_make_two_and_the_undo_makes_one_again() {
    let mut bench = Bench::with_nodes(2);
    bench
        .strike(&freeze("node-1", FreezeScope::All), "a")
        .await
        .unwrap();
    bench.target.promote(Some("node-2")).await.unwrap();
    let (guard, mut way) = bench.way();
    let proof = guard.release("a", &mut way).await.unwrap();
    assert_eq!(proof, "no process of node-1 stands still");
    assert_eq!(bench.seen().await.primaries().count(), 2);
    let stages = bench.stages(ActKind::Release);
    assert_eq!(
        stages,
        ["1 node-1 requested", "1 node-1 returned", "1 node-1 effect"]
    );

    let report = bench.undo_all().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(bench.target.calls(), ["fence node-1", "rejoin node-1"]);
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_released_node_that_is_in_place_is_verified() {
    let mut bench = Bench::with_nodes(2);
    bench
        .strike(&cut("node-2", CutFrom::Peers), "a")
        .await
        .unwrap();
    let (guard, mut way) = bench.way();
    guard.release("a", &mut way).await.unwrap();
    assert!(bench.undo_all().await.is_complete());
    assert!(bench.target.calls().is_empty());
    assert_eq!(bench.done(), [(1, How::ReleasedThenVerified)]);
    let (guard, mut way) = bench.way();
    assert!(guard.release("a", &mut way).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_older_leader_waits_for_the_newer_one() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-1"), "first").await.unwrap();
    bench.target.stack_promotes();
    bench.strike(&kill("node-2"), "second").await.unwrap();
    let (guard, mut way) = bench.way();
    let report = guard.undo_one("first", &mut way).await;
    insta::assert_snapshot!(report.failures.join("\n"), @"kill of node-1: node-2 led the newer timeline 2 when it was hit (step second); that must be undone first");
    assert_eq!(bench.seen().await.primaries().count(), 0);
    assert!(bench.undo_all().await.is_complete());
    assert_eq!(bench.seen().await.leader(), Some(("node-2", 2)));
    assert!(bench.seen().await.is_whole());
}

#[tokio::test(start_paused = true)]
async fn two_writable_nodes_at_the_end_are_a_failure_whoever_made_them() {
    let mut bench = Bench::with_nodes(2);
    bench.target.promote(Some("node-2")).await.unwrap();
    let report = bench.undo_all().await;
    assert_eq!(
        report.failures,
        ["node-1 (timeline 1) and node-2 (timeline 2) take writes"]
    );
    assert_eq!(report.writable, Some(2));
}

/// Finds the fake again, as another process would a real target.
struct Again(FakeTarget);

#[async_trait]
impl Reopen for Again {
    fn kind(&self) -> &'static str {
        "fake"
    }
    async fn reopen(&self, _opened: &Opened) -> Result<Reopened, TargetError> {
        Ok(Reopened::Attached(Box::new(self.0.clone())))
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_run_is_undone_from_its_journal_alone() {
    let mut bench = Bench::with_nodes(3);
    let journal = bench.journal.as_mut().unwrap();
    journal.made("ledger table", json!({})).unwrap();
    bench.strike(&kill("node-1"), "a").await.unwrap();
    bench.target.stack_promotes();
    bench
        .strike(&freeze("node-3", FreezeScope::All), "b")
        .await
        .unwrap();
    bench
        .strike(&cut("node-2", CutFrom::Clients), "c")
        .await
        .unwrap();
    // The runner dies between the intent and the injection of one more.
    let hit = bench.hit("node-2").await;
    let journal = bench.journal.as_mut().unwrap();
    let facts = json!({ "hit": hit, "processes": 4 });
    journal.intent("d", &hit, "stop", facts).unwrap();

    let again = Again(bench.target.clone());
    let kinds: [&dyn Reopen; 1] = [&again];
    let held = recover(bench.folder.path(), &kinds, None)
        .await
        .unwrap_err();
    assert!(
        matches!(held, RecoverError::Journal(JournalError::Held { .. })),
        "{held}"
    );

    drop(bench.journal.take());
    let report = recover(bench.folder.path(), &kinds, None).await.unwrap();
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(
        report.undone,
        [
            "stop of node-2",
            "cut of node-2",
            "freeze of node-3",
            "kill of node-1",
            "ledger table"
        ]
    );
    assert_eq!(report.writable, Some(1));
    assert!(bench.seen().await.is_whole());
    assert!(bench.target.is_closed());
    let again = recover(bench.folder.path(), &kinds, None).await.unwrap();
    assert!(again.was_closed && again.undone.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_run_with_an_unknown_fault_is_not_touched() {
    let mut bench = Bench::with_nodes(2);
    bench.strike(&kill("node-1"), "a").await.unwrap();
    let hit = bench.hit("node-2").await;
    let mut journal = bench.journal.take().unwrap();
    journal
        .intent("b", &hit, "pull_the_plug", json!({}))
        .unwrap();
    drop(journal);
    bench.target.calls();
    let again = Again(bench.target.clone());
    let error = recover(bench.folder.path(), &[&again], None)
        .await
        .unwrap_err();
    assert!(
        matches!(error, RecoverError::UnknownFault { n: 2, .. }),
        "{error}"
    );
    assert!(bench.target.calls().is_empty());
}

/// A log as a killed runner leaves it: one entry, and half of the next.
fn torn_log(folder: &Path) {
    let plan = json!({
        "drill": "d", "summary": "", "why": "", "drill_sha256": "", "variables": [],
        "objectives": [], "expect_fail": null, "steps": [], "longest_ms": 0,
        "not_observable": [], "healthy_nodes": [1, 2],
        "workload": { "fresh": [100, 500], "writers": [20, 500], "sessions": 4, "stall_ms": null,
            "on_deadline": "reopen", "reader": null, "nodes": [50, 500], "stability_ms": 5000,
            "background": null },
        "cost": { "sessions_per_node": 1, "max_connections": null, "connects_per_second": 1.0,
            "commits_per_second": 1.0 }
    });
    let began = json!({
        "schema": crate::event::SCHEMA, "run": "r1", "version": "", "started_at": "", "seed": 1,
        "plan": plan, "target": FakeTarget::with_nodes(1).record(), "selftest": ""
    });
    let entry = json!({ "seq": 0, "at": 0, "event": { "run_began": began } });
    let text = format!("{entry}\n{{\"seq\":1,\"at\":5,\"ev");
    std::fs::write(folder.join(crate::event::log::FILE_NAME), text).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_run_gets_an_end_in_its_log() {
    let mut bench = Bench::with_nodes(2);
    torn_log(bench.folder.path());
    bench.strike(&kill("node-2"), "a").await.unwrap();
    drop(bench.journal.take());
    let again = Again(bench.target.clone());
    bench.target.break_call("start node-2", Breakage::Fails);
    let report = recover(bench.folder.path(), &[&again], None).await.unwrap();
    assert!(!report.is_complete());
    let log = crate::event::log::read(bench.folder.path()).unwrap();
    assert!(!log.torn);
    assert!(
        !log.entries
            .iter()
            .any(|entry| matches!(entry.event, Event::RunEnded(_)))
    );

    bench.target.mend();
    let report = recover(bench.folder.path(), &[&again], None).await.unwrap();
    assert!(report.is_complete());
    let log = crate::event::log::read(bench.folder.path()).unwrap();
    let numbers: Vec<_> = log.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let last = log.entries.last().unwrap();
    let Event::RunEnded(ended) = &last.event else {
        panic!("{last:?}");
    };
    assert_eq!((ended.undone, ended.writable_nodes), (1, Some(1)));
}

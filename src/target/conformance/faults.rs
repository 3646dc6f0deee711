//! Each fault on each role: its effect is proven, its undo is verified, undoing again is harmless, and what
//! somebody repaired meanwhile is credited and not done again.

use super::Fixture;
use super::bench::{Bench, ask};
use crate::fault::cut::Cut;
use crate::fault::freeze::{Freeze, FreezeScope};
use crate::fault::kill::Kill;
use crate::fault::kill_process::{KillProcess, VictimProcess};
use crate::fault::lose_data::LoseData;
use crate::fault::pause_replay::PauseReplay;
use crate::fault::stop::{Stop, StopMode};
use crate::fault::{Fault, Hit, Returns, undo_from_journal};
use crate::role::NodeRef;
use crate::sql::Asks;
use crate::target::{CutFrom, Direction, Failover};
use crate::undo::journal::{How, Record};
use crate::undo::{Around, Standing};

pub(super) fn kill(node: &str) -> Kill {
    let (id, node) = (None, NodeRef::from(node));
    let returns = Returns::default();
    Kill { id, node, returns }
}

pub(super) fn freeze(node: &str, scope: FreezeScope) -> Freeze {
    let (id, node) = (None, NodeRef::from(node));
    Freeze { id, node, scope }
}

pub(super) fn cut(node: &str, from: CutFrom) -> Cut {
    let (id, node) = (None, NodeRef::from(node));
    Cut {
        id,
        node,
        from: from.into(),
        direction: Direction::Both,
    }
}

pub(super) fn kill_process(node: &str, process: VictimProcess) -> KillProcess {
    let (id, node) = (None, NodeRef::from(node));
    KillProcess { id, node, process }
}

fn stop(node: &str, mode: StopMode) -> Stop {
    let (id, node) = (None, NodeRef::from(node));
    let returns = Returns::default();
    Stop {
        id,
        node,
        mode,
        returns,
    }
}

fn pause(node: &str) -> PauseReplay {
    let (id, node) = (None, NodeRef::from(node));
    PauseReplay { id, node }
}

fn lose_data(node: &str) -> LoseData {
    let (id, node) = (None, NodeRef::from(node));
    LoseData { id, node }
}

/// Without a failover everything comes back as it was.
pub(super) async fn seen_undone_and_undone_again(fixture: &dyn Fixture) {
    let Some(mut bench) = Bench::start(fixture, "faults", fixture.by_hand()).await else {
        return;
    };
    let (primary, standby) = (bench.primary.clone(), bench.standby.clone());
    let (primary, standby) = (primary.as_str(), standby.as_str());
    let faults: [&dyn Fault; 12] = [
        &kill(primary),
        &kill(standby),
        &stop(standby, StopMode::Fast),
        &stop(standby, StopMode::Immediate),
        &freeze(primary, FreezeScope::All),
        &freeze(primary, FreezeScope::Postmaster),
        &cut(primary, CutFrom::All),
        &cut(primary, CutFrom::Clients),
        &cut(standby, CutFrom::Peers),
        &pause(standby),
        &lose_data(standby),
        &kill_process(primary, VictimProcess::Postmaster),
    ];
    // A stack may have started again what lost a process before anybody looked.
    let stack = bench.target.failover() == Failover::Automatic;
    for fault in faults {
        if !bench.can(fault) {
            continue;
        }
        let what = format!("{fault:?}");
        bench.strike(fault).await;
        let how = bench.undo(&what).await;
        let by_the_stack = stack && fault.name() == "kill_process" && how == How::Credited;
        assert!(how == How::Undone || by_the_stack, "{what}: {how:?}");
        assert_eq!(bench.leader().await, primary, "{what}");
        again(&bench, &what).await;
        assert_eq!(bench.leader().await, primary, "{what}, undone again");
    }
    // It comes back by itself, sooner or later than somebody looks.
    bench
        .strike(&kill_process(standby, VictimProcess::Walreceiver))
        .await;
    bench.undo("kill the walreceiver").await;
    let seen = bench.whole("before the last").await;
    let only_copy = Hit {
        node: primary.to_owned(),
        role: "primary".to_owned(),
        timeline: seen.leader().expect("a leader").1,
    };
    let fault = lose_data(primary);
    if bench.can(&fault) {
        let refused = fault.prepare(bench.target.as_ref(), &only_copy, &seen);
        let error = refused.await.expect_err("a primary keeps its data");
        assert!(error.cause.contains("no standby"), "{error}");
    }
    bench.close(fixture).await;
}

/// The undo of the last intent, found again as another process would, and carried out once more.
async fn again(bench: &Bench, what: &str) {
    let records = bench.records();
    let intent = records.iter().rev().find_map(|record| match record {
        Record::Intent { fault, facts, .. } => Some((fault, facts)),
        _ => None,
    });
    let (fault, facts) = intent.expect("an intent");
    let undo = undo_from_journal(fault, facts).expect("an undo by its facts");
    let around = Around {
        evidence: bench.folder.path(),
        held: Vec::new(),
        kept_down: false,
    };
    let target = bench.target.as_ref();
    undo.put_back(target, &around).await.unwrap();
    bench.whole(what).await;
    let standing = undo.standing(target).await.unwrap();
    assert!(
        matches!(standing, Standing::Back(_)),
        "{what}: {standing:?}"
    );
}

/// A person was quicker than the undo.
pub(super) async fn repaired_by_hand(fixture: &dyn Fixture) {
    let Some(mut bench) = Bench::start(fixture, "repaired", fixture.by_hand()).await else {
        return;
    };
    let node = bench.standby.clone();
    let node = node.as_str();

    bench.strike(&kill(node)).await;
    bench.target.power().unwrap().start(node).await.unwrap();
    credited(&mut bench, "started by hand").await;

    bench.strike(&freeze(node, FreezeScope::All)).await;
    let processes = bench.target.processes().unwrap();
    processes.thaw(node).await.unwrap();
    credited(&mut bench, "thawed by hand").await;

    bench.strike(&cut(node, CutFrom::All)).await;
    bench.target.network().unwrap().join(node).await.unwrap();
    credited(&mut bench, "joined by hand").await;

    bench.strike(&pause(node)).await;
    let way = bench.target.act_access(node);
    let sql = "select pg_wal_replay_resume()";
    ask(&way, sql, Asks::ResumeReplay).await;
    credited(&mut bench, "resumed by hand").await;

    bench.close(fixture).await;
}

async fn credited(bench: &mut Bench, what: &str) {
    bench.whole(what).await;
    assert_eq!(bench.undo(what).await, How::Credited, "{what}");
}

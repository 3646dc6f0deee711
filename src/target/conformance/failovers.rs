//! What remains of a primary that was replaced while it was away: it comes back behind the new one, and
//! roles are not put back.

use super::bench::{BY_HAND, Bench};
use super::faults::{cut, freeze, kill, kill_process};
use super::{Fixture, Wanted};
use crate::fault::Fault;
use crate::fault::freeze::FreezeScope;
use crate::fault::kill_process::VictimProcess;
use crate::recovery_action::{promote, switch_over};
use crate::target::{CutFrom, Failover};
use crate::undo::journal::How;

/// Whatever took it away, and a switch-over at the end.
pub(super) async fn behind_the_new_one(fixture: &dyn Fixture) {
    let Some(mut bench) = Bench::start(fixture, "failovers", BY_HAND).await else {
        return;
    };
    let (mut old, mut new) = ("node-1", "node-2");
    for turn in 0..4 {
        let fault: Box<dyn Fault> = match turn {
            0 => Box::new(kill(old)),
            1 => Box::new(freeze(old, FreezeScope::All)),
            2 => Box::new(cut(old, CutFrom::All)),
            _ => Box::new(kill_process(old, VictimProcess::Postmaster)),
        };
        let what = format!("{fault:?}");
        bench.strike(fault.as_ref()).await;
        let promoted = promote(&bench.acting(), Some(new)).await;
        assert_eq!(promoted.unwrap(), new, "{what}");
        assert_eq!(bench.undo(&what).await, How::Undone, "{what}");
        assert_eq!(bench.leader().await, new, "{what}");
        std::mem::swap(&mut old, &mut new);
    }
    let switched = switch_over(&bench.acting(), None).await.unwrap();
    assert_eq!((switched.from.as_str(), switched.to.as_str()), (old, new));
    bench.whole("after the switch-over").await;
    bench.close(fixture).await;
}

/// The stack promotes by itself; the undo finds another leader and does not fight it.
pub(super) async fn by_the_stack(fixture: &dyn Fixture) {
    let wanted = Wanted {
        failover: Failover::Automatic,
        standbys: 2,
    };
    let Some(mut bench) = Bench::start(fixture, "stack", wanted).await else {
        return;
    };
    bench.strike(&kill("node-1")).await;
    let what = "another node leads a newer timeline";
    let met = |seen: &crate::event::cluster::ClusterSeen| {
        let leader = seen.leader();
        leader.is_some_and(|(node, timeline)| node != "node-1" && timeline > 1)
    };
    let leader = bench
        .until(what, met)
        .await
        .leader()
        .map(|(node, _)| node.to_owned());
    assert_eq!(bench.undo(what).await, How::Undone);
    assert_eq!(Some(bench.leader().await), leader);
    bench.close(fixture).await;
}

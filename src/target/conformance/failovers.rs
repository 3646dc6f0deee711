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
    if fixture.by_hand().failover == Failover::Automatic {
        // Nobody but the stack promotes: it is left to do so below.
        return;
    }
    let Some(mut bench) = Bench::start(fixture, "failovers", BY_HAND).await else {
        return;
    };
    let (first, second) = (bench.primary.clone(), bench.standby.clone());
    let (mut old, mut new) = (first.as_str(), second.as_str());
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

/// The stack promotes by itself, whatever took the primary away; the undo finds another leader and does not fight
/// it. A switch-over at the end.
pub(super) async fn by_the_stack(fixture: &dyn Fixture) {
    let wanted = Wanted {
        failover: Failover::Automatic,
        standbys: 2,
    };
    let Some(mut bench) = Bench::start(fixture, "stack", wanted).await else {
        return;
    };
    for turn in 0..3 {
        let old = bench.leader().await;
        let fault: Box<dyn Fault> = match turn {
            0 => Box::new(kill(&old)),
            1 => Box::new(freeze(&old, FreezeScope::All)),
            _ => Box::new(cut(&old, CutFrom::All)),
        };
        let before = bench.seen().await.leader().expect("a leader").1;
        bench.strike(fault.as_ref()).await;
        let what = format!("{fault:?}: another node leads a newer timeline");
        let met = |seen: &crate::event::cluster::ClusterSeen| {
            let leader = seen.leader();
            leader.is_some_and(|(node, timeline)| node != old && timeline > before)
        };
        let seen = bench.until(&what, met).await;
        let leader = seen.leader().map(|(node, _)| node.to_owned());
        assert_eq!(bench.undo(&what).await, How::Undone, "{what}");
        assert_eq!(Some(bench.leader().await), leader, "{what}");
    }
    let switched = switch_over(&bench.acting(), None).await.unwrap();
    assert_ne!(switched.from, switched.to);
    bench.whole("after the switch-over").await;
    bench.close(fixture).await;
}

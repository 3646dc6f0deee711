//! How a node comes back from a fault without becoming a second primary.
//!
//! A node that may take writes when it comes back is let go as it is only where every other node was asked
//! and none can take writes. Where one leads a newer timeline, the node is taken down first and comes back
//! behind it. Where that cannot be decided, it stays as it is and the error says why: a cluster that waits
//! for a person is better than one with two histories.
//!
//! Roles are not put back: who was promoted keeps leading.

use super::in_place::{in_place, look};
use super::{Around, Standing};
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::fault::Hit;
use crate::target::{CutFrom, Failover, Losses, ProcessScope, Target, TargetError};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to go on asking nodes that do not answer and may be alive.
const ASK: Duration = Duration::from_secs(5);
/// How long a standby that is up may take to stream before it is rejoined.
const FOLLOW: Duration = Duration::from_secs(5);
/// How long a stack may take to have a node follow that was let go before it is taken down for it.
pub(super) const BY_ITSELF: Duration = Duration::from_secs(40);
/// How long a promotion that was under way when its run died may take to be seen.
const PROMOTED: Duration = Duration::from_secs(3);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What ends a fault where nothing speaks against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lift<'a> {
    /// Start the node.
    Start,
    /// Let its processes go on.
    Thaw,
    /// Join it to its network.
    Join,
    /// Let packets pass.
    Pass(&'a Losses),
    /// Let it send as before from these addresses of its own.
    Free(&'a [String]),
}

/// How a node may come back.
#[derive(Debug, PartialEq, Eq)]
enum Comeback {
    /// As it is, once these nodes that take writes on older timelines are out of the way.
    AsItIs { older: Vec<String> },
    /// Only behind this one.
    Behind { leader: String, timeline: u32 },
}

/// What another node is, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Other {
    Writable(u32),
    Standby,
    /// No process lives: it cannot take writes, and its own undo will ask the same questions.
    Down,
    /// Every process stands still; it may lead when it is thawed.
    Frozen,
    /// Some processes stand still; it may take writes in sessions that were open.
    PartlyFrozen,
    Unknown(String),
}

/// Ends a fault on the node that it hit, so that afterwards at most one node takes writes.
///
/// # Errors
/// When it could not be carried out or not be decided; the text says why the node stays as it is.
pub(crate) async fn come_back(
    target: &dyn Target,
    hit: &Hit,
    lift: Lift<'_>,
    around: &Around<'_>,
) -> Result<(), TargetError> {
    let evidence = around.evidence;
    let node = hit.node.as_str();
    let own = match look(target).await.node(node) {
        // Somebody made it a standby meanwhile: it cannot take writes.
        Some(NodeStanding::Standby { .. }) => None,
        // It may have been promoted after it was hit.
        Some(NodeStanding::Primary { timeline, .. }) => Some(hit.timeline.max(*timeline)),
        _ => hit.may_lead().then_some(hit.timeline),
    };
    let Some(own) = own else {
        end(target, node, lift).await?;
        return follow(target, hit, around).await;
    };
    match decide(target, node, own, &around.held).await? {
        Comeback::Behind { .. }
            if matches!(lift, Lift::Start | Lift::Thaw)
                && follows_by_itself(target, node).await? =>
        {
            end(target, node, lift).await
        }
        Comeback::Behind { .. } => put_behind(target, node, lift, evidence).await,
        Comeback::AsItIs { older } => {
            for other in &older {
                target.recovery().fence(other).await?;
            }
            end(target, node, lift).await?;
            let started = !around.kept_down && start_what_went_down(target, node).await?;
            if target.failover() == Failover::Automatic {
                // The stack may have been about to promote when all others were asked.
                sleep(target.control_period().min(Duration::from_secs(1))).await;
            } else if started {
                // And so may the run that took it down.
                let begun = Instant::now();
                while begun.elapsed() < PROMOTED && !overtaken(&look(target).await, node) {
                    sleep(PAUSE).await;
                }
            }
            if overtaken(&look(target).await, node) {
                put_behind(target, node, lift, evidence).await?;
            }
            for other in &older {
                target.recovery().rejoin(other, evidence).await?;
            }
            Ok(())
        }
    }
}

/// Starts a node that has gone down under its fault, where nobody else takes writes: a run that died while it promoted another
/// one had taken it down for that, and nobody else starts it. Says whether it did.
async fn start_what_went_down(target: &dyn Target, node: &str) -> Result<bool, TargetError> {
    match target.power() {
        Some(power) if power.running(node).await? == 0 => {
            power.start(node).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Whether a node that was let go comes to follow by what the stack does with it. It may be silent because it is being
/// rewound, and who kills it then leaves it half rewound. As soon as it is seen to take writes it is waited for no longer.
async fn follows_by_itself(target: &dyn Target, node: &str) -> Result<bool, TargetError> {
    if target.failover() != Failover::Automatic {
        return Ok(false);
    }
    let begun = Instant::now();
    while begun.elapsed() < BY_ITSELF {
        let (frozen, all) = frozen_and_all(target, node).await?;
        if frozen > 0 || all == 0 {
            return Ok(false);
        }
        let seen = look(target).await;
        if matches!(seen.node(node), Some(NodeStanding::Primary { .. })) {
            return Ok(false);
        }
        if matches!(in_place(&seen, node), Standing::Back(_)) {
            return Ok(true);
        }
        sleep(PAUSE).await;
    }
    Ok(false)
}

/// Whether a node takes writes while another one leads a newer timeline.
fn overtaken(seen: &ClusterSeen, node: &str) -> bool {
    match (seen.node(node), seen.leader()) {
        (Some(NodeStanding::Primary { timeline, .. }), Some((_, newest))) => *timeline < newest,
        _ => false,
    }
}

/// Waits until a node that is up streams, and rejoins it where it does not by itself. It is never made to
/// follow a leader that is older than one that waits for its own undo: rewinding to it would destroy what
/// the newer one acknowledged.
///
/// # Errors
/// When it cannot follow, or must not yet.
pub(crate) async fn follow(
    target: &dyn Target,
    hit: &Hit,
    around: &Around<'_>,
) -> Result<(), TargetError> {
    let node = hit.node.as_str();
    let held = around.held.iter().filter(|held| held.may_lead());
    let newest = held.map(|held| held.timeline).max();
    let newest = newest.unwrap_or_default().max(hit.timeline);
    let begun = Instant::now();
    loop {
        let seen = look(target).await;
        let Some((leader, timeline)) = seen.leader() else {
            // With nobody to follow there is nothing to wait for; the verification says so.
            return Ok(());
        };
        if timeline < newest && leader != node {
            return Err(TargetError::new(
                format!("rejoin {node}"),
                format!(
                    "{leader} leads timeline {timeline}, and timeline {newest} has no leader yet"
                ),
            ));
        }
        if matches!(in_place(&seen, node), Standing::Back(_)) {
            return Ok(());
        }
        if begun.elapsed() >= FOLLOW {
            break;
        }
        if !matches!(seen.node(node), Some(NodeStanding::Silent { .. })) {
            refuse_if_cut(target, node).await?;
        }
        sleep(PAUSE).await;
    }
    target
        .recovery()
        .rejoin(node, around.evidence)
        .await
        .map(|_| ())
}

/// Takes the node down before anybody can reach it, then lets it stream from whoever leads.
async fn put_behind(
    target: &dyn Target,
    node: &str,
    lift: Lift<'_>,
    evidence: &Path,
) -> Result<(), TargetError> {
    let down = match target.power() {
        Some(power) => power.running(node).await? == 0,
        None => false,
    };
    if !down {
        target.recovery().fence(node).await?;
    }
    if matches!(lift, Lift::Join | Lift::Pass(_) | Lift::Free(_)) {
        end(target, node, lift).await?;
    }
    target.recovery().rejoin(node, evidence).await.map(|_| ())
}

/// A node that is up and that another fault keeps away from its peers cannot be rejoined before that one
/// is undone.
async fn refuse_if_cut(target: &dyn Target, node: &str) -> Result<(), TargetError> {
    let Some(network) = target.network() else {
        return Ok(());
    };
    // What cannot be told is left to the rejoin itself.
    if network.reaches(node, CutFrom::Peers).await.unwrap_or(true) {
        return Ok(());
    }
    Err(TargetError::new(
        format!("rejoin {node}"),
        "it is still cut off from the other nodes",
    ))
}

/// Ends the fault and nothing else.
pub(crate) async fn end(
    target: &dyn Target,
    node: &str,
    lift: Lift<'_>,
) -> Result<(), TargetError> {
    let lacking = |what: &str| TargetError::new(what, "this target cannot do that");
    match lift {
        Lift::Start => {
            let power = target.power().ok_or_else(|| lacking("start a node"))?;
            power.start(node).await
        }
        Lift::Thaw => {
            let processes = target.processes().ok_or_else(|| lacking("thaw a node"))?;
            processes.thaw(node).await
        }
        Lift::Join => {
            let network = target.network().ok_or_else(|| lacking("join a node"))?;
            network.join(node).await
        }
        Lift::Pass(losses) => {
            let packets = target
                .packets()
                .ok_or_else(|| lacking("let packets pass"))?;
            packets.pass(losses).await
        }
        Lift::Free(addresses) => {
            let slowing = target.slowing().ok_or_else(|| lacking("let it send"))?;
            slowing.free(node, addresses).await
        }
    }
}

/// Asks all others until each has answered, is known to be down, or the time for it has passed. `own` is
/// the newest timeline that the node itself may hold.
async fn decide(
    target: &dyn Target,
    node: &str,
    own: u32,
    held: &[Hit],
) -> Result<Comeback, TargetError> {
    let begun = Instant::now();
    loop {
        let mut newer: Option<(u32, String)> = None;
        let mut older = Vec::new();
        let mut doubt = None;
        for (name, other) in others(target, node).await {
            let held = held.iter().rev().find(|hit| hit.node == name);
            // Frozen by this run: then it is what it was when it was hit, and its own undo asks before
            // it moves again.
            let was_standby = held.is_some_and(|hit| !hit.may_lead());
            let was_older = held.is_some_and(|hit| hit.timeline < own);
            match other {
                Other::Writable(timeline) if timeline >= own => {
                    newer = newer.max(Some((timeline, name)));
                }
                Other::Writable(_) => older.push(name),
                Other::Standby | Other::Down => {}
                Other::Frozen | Other::PartlyFrozen if was_standby => {}
                Other::Frozen if was_older => {}
                Other::PartlyFrozen if was_older => older.push(name),
                // Waiting does not help: it stays so until its own undo.
                Other::Frozen | Other::PartlyFrozen => {
                    doubt = Some((format!("{name} is frozen and may lead too"), true));
                }
                Other::Unknown(why) => {
                    doubt = Some((format!("{name} cannot be asked who leads ({why})"), false));
                }
            }
        }
        if let Some((timeline, leader)) = newer {
            return Ok(Comeback::Behind { leader, timeline });
        }
        match doubt {
            None => return Ok(Comeback::AsItIs { older }),
            Some((why, lasting)) if lasting || begun.elapsed() >= ASK => {
                let why = format!("it may lead, and {why}");
                return Err(TargetError::new(format!("{node} stays as it is"), why));
            }
            Some(_) => sleep(PAUSE).await,
        }
    }
}

async fn others(target: &dyn Target, node: &str) -> Vec<(String, Other)> {
    let seen = look(target).await;
    let mut others = Vec::new();
    for other in seen.nodes {
        if other.name == node {
            continue;
        }
        let is = match other.standing {
            NodeStanding::Primary { timeline, .. } => Other::Writable(timeline),
            NodeStanding::Standby { .. } => Other::Standby,
            NodeStanding::Silent { why } => silent(target, &other.name, why).await,
        };
        others.push((other.name, is));
    }
    others
}

/// What can be known of a node that does not answer.
async fn silent(target: &dyn Target, node: &str, why: String) -> Other {
    if let Some(power) = target.power()
        && power.running(node).await.is_ok_and(|count| count == 0)
    {
        return Other::Down;
    }
    match frozen_and_all(target, node).await {
        Ok((frozen, all)) if all > 0 && frozen == all => Other::Frozen,
        Ok((frozen, _)) if frozen > 0 => Other::PartlyFrozen,
        _ => Other::Unknown(why),
    }
}

/// How many processes of a node stand still, and how many live.
async fn frozen_and_all(target: &dyn Target, node: &str) -> Result<(usize, usize), TargetError> {
    let Some(processes) = target.processes() else {
        return Ok((0, 0));
    };
    let seen = processes.stillness(node, ProcessScope::All).await?;
    Ok((seen.still, seen.still + seen.moving))
}

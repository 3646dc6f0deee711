//! `rejoin`: a node streams the newest timeline again.

use super::acting::{About, Acting, ActionError};
use crate::event::Stage;
use crate::event::cluster::{ClusterSeen, Standing as NodeStanding};
use crate::undo::Standing;
use crate::undo::in_place::in_place;
use tokio::time::Instant;

/// Rejoins a node in the target's way, and waits until it streams by its own word and the leader's.
/// Returns the proof.
///
/// # Errors
/// When it could not be carried out, or the node does not stream within the limit.
pub async fn rejoin(acting: &Acting<'_>, node: &str) -> Result<String, ActionError> {
    let begun = Instant::now();
    rejoin_since(acting, begun, node).await
}

/// The same, within a limit that has begun already.
pub(super) async fn rejoin_since(
    acting: &Acting<'_>,
    begun: Instant,
    node: &str,
) -> Result<String, ActionError> {
    let before = acting.look().await;
    let role = match before.node(node) {
        Some(NodeStanding::Primary { .. }) => "primary",
        Some(NodeStanding::Standby { .. }) => "standby",
        _ => "other",
    };
    let about = About {
        name: "rejoin",
        node,
        role,
    };
    let call = acting.target.recovery().rejoin(node, acting.evidence);
    acting.call(about, begun, call).await?;
    acting.say(about, Stage::Returned);
    let met = |seen: &ClusterSeen| match in_place(seen, node) {
        Standing::Back(proof) => Ok(proof),
        Standing::Missing(what) => Err(what),
    };
    acting.until(about, begun, met).await
}

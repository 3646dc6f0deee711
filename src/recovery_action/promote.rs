//! `promote`: a standby becomes the primary, where firedrill owns the failover.

use super::acting::{About, Acting, ActionError};
use crate::event::Stage;
use tokio::time::Instant;

/// Promotes the named standby, or the most advanced one that answers, and waits until it takes writes on
/// a newer timeline than any that was seen before. Returns its name.
///
/// # Errors
/// When none can be promoted, or the promoted node does not say so within the limit.
pub async fn promote(acting: &Acting<'_>, node: Option<&str>) -> Result<String, ActionError> {
    let begun = Instant::now();
    let before = acting.look().await;
    let newest = before.leader().map_or(0, |(_, timeline)| timeline);
    let about = About {
        name: "promote",
        node: node.unwrap_or_default(),
        role: "standby",
    };
    let call = acting.target.recovery().promote(node);
    let promoted = acting.call(about, begun, call).await?;
    let about = About {
        node: &promoted,
        ..about
    };
    acting.say(about, Stage::Returned);
    let met = |seen: &crate::event::cluster::ClusterSeen| match seen.leader() {
        Some((leader, timeline)) if leader == promoted && timeline > newest => {
            Ok(format!("{leader} takes writes on timeline {timeline}"))
        }
        Some((leader, timeline)) => Err(format!("{leader} leads timeline {timeline}")),
        None => Err(String::from("no node takes writes")),
    };
    acting.until(about, begun, met).await?;
    Ok(promoted)
}

//! `switch_over`: the primary hands over to a standby, and nothing is lost.

use super::acting::{About, Acting, ActionError};
use crate::event::Stage;
use crate::event::cluster::ClusterSeen;
use crate::target::TargetError;
use tokio::time::Instant;

/// Who led before and who leads now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchedOver {
    /// The previous primary.
    pub from: String,
    /// The new one.
    pub to: String,
}

/// Switches over to the named standby or to the one that the target chooses, and waits until it alone
/// takes writes. The acts are about the previous primary, which is the node that is hit.
///
/// # Errors
/// When nobody or more than one leads before, when it could not be carried out, or when the new primary
/// is not alone within the limit.
pub async fn switch_over(
    acting: &Acting<'_>,
    to: Option<&str>,
) -> Result<SwitchedOver, ActionError> {
    let begun = Instant::now();
    let before = acting.look().await;
    let leaders: Vec<_> = before.primaries().map(|(name, _)| name).collect();
    let [from] = leaders[..] else {
        let cause = match leaders.len() {
            0 => String::from("no node takes writes"),
            _ => format!("{} take writes", leaders.join(" and ")),
        };
        return Err(ActionError::Target(TargetError::new("switch over", cause)));
    };
    let about = About {
        name: "switch_over",
        node: from,
        role: "primary",
    };
    let call = acting.target.recovery().switch_over(to);
    let new = acting.call(about, begun, call).await?;
    acting.say(about, Stage::Returned);
    let met = |seen: &ClusterSeen| {
        let now: Vec<_> = seen.primaries().collect();
        match now[..] {
            [(leader, timeline)] if leader == new && leader != from => Ok(format!(
                "{leader} took over from {from} and alone takes writes, on timeline {timeline}"
            )),
            [(leader, _)] => Err(format!("{leader} still takes writes")),
            [] => Err(String::from("no node takes writes")),
            _ => Err(String::from("two nodes take writes")),
        }
    };
    acting.until(about, begun, met).await?;
    Ok(SwitchedOver {
        from: from.to_owned(),
        to: new,
    })
}

//! What an objective demands, in words. A plan and a verdict say it alike.

use super::limit;
use crate::event::plan_record::{Demand, ObjectiveRecord};

/// A demand: `at most 30 s (downtime_limit from --set)`. Where the limit came from is said only when it did
/// not come from the drill itself.
#[must_use]
pub fn demand(objective: &ObjectiveRecord) -> String {
    // Limits come from durations in whole milliseconds.
    let time = |ms: f64| limit(ms as u64);
    let mut text = match &objective.demand {
        Demand::AtMostMs { limit_ms, of: None } => format!("at most {}", time(*limit_ms)),
        Demand::AtMostMs {
            limit_ms,
            of: Some(of),
        } => format!("{of} at most {}", time(*limit_ms)),
        Demand::WithinMs { limit_ms } => format!("within {}", time(*limit_ms)),
        Demand::LatencyMs {
            limit_ms,
            percentile,
            phase,
            channel,
        } => format!(
            "p{percentile} of {channel} in {phase} at most {}",
            time(*limit_ms)
        ),
        Demand::Condition { cel } => cel.clone(),
        Demand::AtMost {
            limit,
            at_risk_at_least,
            skip_if_unobserved,
        } => {
            let mut text = format!("at most {limit}");
            if let Some(least) = at_risk_at_least {
                text.push_str(&format!(", with at least {least} at risk"));
            }
            if *skip_if_unobserved {
                text.push_str(", left out where it cannot be observed");
            }
            text
        }
    };
    if let Some(from) = &objective.limit_from
        && !from.ends_with("from drill")
    {
        text.push_str(&format!(" ({from})"));
    }
    text
}

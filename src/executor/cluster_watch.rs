//! Asks all nodes again and again, and emits what changed.

use crate::clock::Clock;
use crate::event::cluster::{ClusterSeen, Standing};
use crate::event::{Emitter, Event, Stamp};
use crate::role::sql::ClusterEye;
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Time between two rounds.
pub const EVERY: Duration = Duration::from_millis(100);
/// How long a node may take to answer.
pub const DEADLINE: Duration = Duration::from_millis(500);
/// A round is logged at least this often, changed or not.
const AT_LEAST: Duration = Duration::from_secs(1);

/// The running watch; dropping it ends it.
#[derive(Debug)]
pub struct ClusterWatch(JoinHandle<()>);

impl Drop for ClusterWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ClusterWatch {
    /// Begins to watch.
    #[must_use]
    pub fn start(target: Arc<dyn Target>, clock: Clock, emitter: Emitter) -> Self {
        Self(tokio::spawn(async move {
            let mut eye = ClusterEye::new(target.as_ref(), clock, DEADLINE);
            let mut logged: Option<(Stamp, ClusterSeen)> = None;
            loop {
                let next = clock.now().plus(EVERY);
                let seen = eye.look().await;
                let now = clock.now();
                let news = logged.as_ref().is_none_or(|(at, before)| {
                    now.since(*at) >= AT_LEAST || outline(before) != outline(&seen)
                });
                if news {
                    emitter.emit(now, Event::ClusterSeen(seen.clone()));
                    logged = Some((now, seen));
                }
                clock.sleep_until(next).await;
            }
        }))
    }
}

/// A round without its positions, which change all the time.
fn outline(seen: &ClusterSeen) -> Vec<(&str, String)> {
    seen.nodes
        .iter()
        .map(|node| {
            let outline = match &node.standing {
                Standing::Primary {
                    timeline, standbys, ..
                } => {
                    let rows: Vec<_> = standbys
                        .iter()
                        .map(|row| format!("{} {} {}", row.name, row.state, row.sync))
                        .collect();
                    format!("primary {timeline} {rows:?}")
                }
                Standing::Standby {
                    timeline,
                    streaming,
                    paused,
                    ..
                } => format!("standby {timeline:?} {streaming} {paused}"),
                Standing::Silent { why } => format!("silent {why}"),
            };
            (node.name.as_str(), outline)
        })
        .collect()
}

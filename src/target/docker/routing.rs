//! Watches to which server HAProxy sends writers, and tells when that changes: the witness for the last part of a
//! recovery, which is otherwise known only by the first client that got through.

use super::docker_target::DockerTarget;
use crate::clock::Clock;
use crate::event::{Event, StackSaw, StackView, Stamp};
use crate::load::{Page, page};
use crate::role::haproxy;
use crate::target::TargetError;
use crate::target::local::emitter_slot::EmitterSlot;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Between two questions.
const EVERY: Duration = Duration::from_millis(100);
/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// Where HAProxy's statistics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaproxyAt {
    /// Their page as CSV.
    pub stats: String,
    /// The proxy that leads to the primary.
    pub proxy: String,
}

/// The running watch; dropping it ends it.
#[derive(Debug)]
pub(super) struct Routing {
    _asking: JoinSet<()>,
}

impl Routing {
    /// Begins to watch. Events go to the target's emitter once it is set.
    ///
    /// # Errors
    /// When there are no such statistics now: what a drill asks for would silently be missing.
    pub(super) async fn start(
        at: &HaproxyAt,
        target: &DockerTarget,
        clock: Clock,
    ) -> Result<Self, TargetError> {
        let failed = |why: String| {
            TargetError::new(
                format!("ask HAProxy's statistics at {}", at.stats),
                format!("{why}; correct `haproxy` in the target file, or leave it out"),
            )
        };
        let page = page(&at.stats).map_err(failed)?;
        haproxy::servers_up(&page, &at.proxy, DEADLINE)
            .await
            .map_err(failed)?;
        let names = target.nodes.iter();
        let names = names.map(|node| (node.facts.member.clone(), node.facts.name.clone()));
        let watch = Watch {
            names: names.collect(),
            last: None,
        };
        let mut asking = JoinSet::new();
        asking.spawn(ask(
            page,
            at.proxy.clone(),
            watch,
            target.emitter.clone(),
            clock,
        ));
        Ok(Self { _asking: asking })
    }
}

/// Asks for ever; what is not answered says nothing.
async fn ask(page: Page, proxy: String, mut watch: Watch, emitter: EmitterSlot, clock: Clock) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let asked = clock.now();
        let Ok(up) = haproxy::servers_up(&page, &proxy, DEADLINE).await else {
            continue;
        };
        if let Some(saw) = watch.hear(&up, asked, clock.now()) {
            emitter.emit(saw.first_positive, Event::StackSaw(saw));
        }
    }
}

/// Where clients are known to be sent.
#[derive(Debug, Default)]
struct Watch {
    /// Servers and the nodes that they are.
    names: Vec<(String, String)>,
    /// Those that got clients by the last answer, and when that was asked for.
    last: Option<(Vec<String>, Stamp)>,
}

impl Watch {
    /// Takes an answer in, and says what changed by it: one server gets clients that got none before.
    fn hear(&mut self, up: &[String], asked: Stamp, answered: Stamp) -> Option<StackSaw> {
        let (before, last_asked) = self.last.replace((up.to_vec(), asked))?;
        let new = up.iter().find(|server| !before.contains(server))?;
        let node = self.names.iter().find(|(name, _)| name == new);
        Some(StackSaw {
            source: "HAProxy".to_owned(),
            what: StackView::RoutedTo,
            node: node.map_or_else(|| new.clone(), |(_, node)| node.clone()),
            last_negative: last_asked,
            first_positive: answered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_got_none_before_is_told() {
        let mut watch = Watch {
            names: vec![("pg2".to_owned(), "postgres-2".to_owned())],
            last: None,
        };
        let mut hear = |up: &[&str], at: u64| {
            let up: Vec<String> = up.iter().map(|&name| name.to_owned()).collect();
            watch.hear(&up, Stamp(at), Stamp(at + 5))
        };
        assert_eq!(hear(&["pg1"], 0), None, "how it was is no change");
        assert_eq!(hear(&[], 100), None);
        let saw = hear(&["pg2"], 200).unwrap();
        assert_eq!(
            (saw.node.as_str(), saw.what),
            ("postgres-2", StackView::RoutedTo)
        );
        assert_eq!(
            (saw.last_negative, saw.first_positive),
            (Stamp(100), Stamp(205))
        );
        assert_eq!(hear(&["pg2"], 300), None);
        assert_eq!(hear(&["pg1", "pg2"], 400).unwrap().node, "pg1");
    }
}

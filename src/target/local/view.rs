//! What the failover agent knows of the nodes at one moment. It only holds and sorts.

use super::agent::AgentSettings;
use crate::event::Stamp;

/// Rounds after which an answer is too old to act on.
pub const FRESH_ROUNDS: u32 = 3;

/// The last word of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its last answer and when it came; `None` where the last question had no answer.
    pub said: Option<(Stamp, Word)>,
}

/// What a node says of itself, as far as failover goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It takes writes on this timeline.
    Primary {
        /// The timeline.
        timeline: u32,
    },
    /// It is in recovery.
    Standby {
        /// Newest timeline that it has WAL of, where it knows.
        timeline: Option<u32>,
        /// The larger of what it received and replayed, as a byte position.
        position: u64,
        /// It streams from somebody.
        streaming: bool,
    },
}

/// The answers that are new enough to act on, in declared order.
pub struct Fresh<'a> {
    /// Name, timeline, and when it said so.
    pub primaries: Vec<(&'a str, u32, Stamp)>,
    /// Those in recovery.
    pub standbys: Vec<Follower<'a>>,
}

/// A standby's last word, with its name.
#[derive(Clone, Copy)]
pub struct Follower<'a> {
    /// Its name.
    pub name: &'a str,
    /// As in [`Word::Standby`].
    pub timeline: Option<u32>,
    /// As in [`Word::Standby`].
    pub position: u64,
    /// As in [`Word::Standby`].
    pub streaming: bool,
}

impl<'a> Fresh<'a> {
    /// What of `view` is no older than [`FRESH_ROUNDS`] rounds at `now`.
    pub fn of(view: &'a [NodeView], settings: &AgentSettings, now: Stamp) -> Self {
        let mut fresh = Self {
            primaries: Vec::new(),
            standbys: Vec::new(),
        };
        for NodeView { name, said } in view {
            match *said {
                Some((at, _)) if now.since(at) > settings.every * FRESH_ROUNDS => {}
                Some((at, Word::Primary { timeline })) => {
                    fresh.primaries.push((name, timeline, at));
                }
                Some((
                    _,
                    Word::Standby {
                        timeline,
                        position,
                        streaming,
                    },
                )) => {
                    fresh.standbys.push(Follower {
                        name,
                        timeline,
                        position,
                        streaming,
                    });
                }
                None => {}
            }
        }
        fresh
    }

    /// The newest timeline that is writable now.
    pub fn newest(&self) -> Option<u32> {
        self.primaries
            .iter()
            .map(|(_, timeline, _)| *timeline)
            .max()
    }
}

//! Requests to stop, and how they escalate: undo everything and report; undo now and skip the rest; leave.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How urgently a run was asked to stop. Ordered: a weaker request never replaces a stronger one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    #[default]
    No,
    /// Undo everything, then report.
    Undo(String),
    /// Undo now, and skip the rest.
    UndoNow(String),
    /// Leave; the watchdog goes on.
    Leave(String),
}

impl Stop {
    /// The next stronger request, by this signal.
    #[must_use]
    pub fn escalated(&self, by: &str) -> Self {
        match self {
            Self::No => Self::Undo(by.to_owned()),
            Self::Undo(_) => Self::UndoNow(by.to_owned()),
            Self::UndoNow(_) | Self::Leave(_) => Self::Leave(by.to_owned()),
        }
    }

    /// The signal that asked, and how many have by now.
    #[must_use]
    pub fn asked(&self) -> Option<(&str, u32)> {
        match self {
            Self::No => None,
            Self::Undo(by) => Some((by, 1)),
            Self::UndoNow(by) => Some((by, 2)),
            Self::Leave(by) => Some((by, 3)),
        }
    }
}

/// Sender and receiver of requests to stop.
#[derive(Clone, Debug)]
pub struct Stops {
    level: watch::Sender<Stop>,
}

impl Stops {
    /// Requests that only [`Stops::ask`] makes.
    #[must_use]
    pub fn by_hand() -> Self {
        Self {
            level: watch::Sender::new(Stop::No),
        }
    }

    /// Listens to SIGINT, SIGTERM and SIGHUP from now on: none of them ends the process any more. A
    /// SIGHUP that was ignored when the program began stays ignored: that is what `nohup` asks for.
    ///
    /// # Errors
    /// When the system does not let it listen.
    pub fn listen() -> std::io::Result<Self> {
        let stops = Self::by_hand();
        let hangup_ignored = ignored() >> (SignalKind::hangup().as_raw_value() - 1) & 1 == 1;
        for (kind, name) in [
            (SignalKind::interrupt(), "SIGINT"),
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::hangup(), "SIGHUP"),
        ] {
            if kind == SignalKind::hangup() && hangup_ignored {
                continue;
            }
            let mut signals = signal(kind)?;
            let stops = stops.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    stops.ask(name);
                }
            });
        }
        Ok(stops)
    }

    /// Asks once more.
    pub fn ask(&self, by: &str) {
        self.level.send_modify(|level| *level = level.escalated(by));
    }

    /// The present level.
    #[must_use]
    pub fn level(&self) -> Stop {
        self.level.borrow().clone()
    }

    /// A receiver that sees every change of level from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Stop> {
        self.level.subscribe()
    }

    /// Returns when the level is at least as strong as a first, second or third request.
    pub async fn reached(&self, count: u32) {
        let mut level = self.level.subscribe();
        let strong = |level: &Stop| level.asked().is_some_and(|(_, asked)| asked >= count);
        if level.wait_for(strong).await.is_err() {
            // The sender lives in self, so this cannot be; waiting for ever is the harmless answer.
            std::future::pending::<()>().await;
        }
    }
}

/// The signals that this process ignores, as a mask with bit 0 for signal 1 (proc(5), SigIgn). Where the
/// system does not tell, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_escalate_and_never_weaken() {
        let stops = Stops::by_hand();
        assert_eq!(stops.level().asked(), None);
        for count in 1..=3 {
            stops.ask("SIGINT");
            stops.reached(count).await;
            assert_eq!(stops.level().asked(), Some(("SIGINT", count)));
        }
        stops.ask("SIGTERM");
        assert_eq!(stops.level(), Stop::Leave("SIGTERM".into()));
    }
}

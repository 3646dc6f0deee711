//! What the observer concluded so far, in the shape in which steps wait for it.

use crate::event::observer::Conclusion;
use crate::event::{Signal, Stamp};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// All conclusions of the run up to now.
#[derive(Clone, Debug, Default)]
pub struct Board {
    met: BTreeMap<String, (Stamp, String)>,
    baselines: Vec<Option<Unfit>>,
    stop_if: Option<String>,
}

/// Why a baseline does not let the drill go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// In one line.
    pub why: String,
    /// It was only too slow: worth measuring again.
    pub noise: bool,
}

/// The end that the dispatcher writes.
#[derive(Debug)]
pub struct Conclusions {
    board: watch::Sender<Board>,
}

/// The end that steps wait at.
#[derive(Clone, Debug)]
pub struct Awaiting {
    board: watch::Receiver<Board>,
}

impl Conclusions {
    /// Both ends.
    #[must_use]
    pub fn channel() -> (Self, Awaiting) {
        let (sender, receiver) = watch::channel(Board::default());
        (Self { board: sender }, Awaiting { board: receiver })
    }

    /// Takes one signal of the observer.
    pub fn take(&self, signal: &Signal) {
        self.board.send_modify(|board| match &signal.what {
            Conclusion::StepMet { step, at, how } => {
                board
                    .met
                    .entry(step.clone())
                    .or_insert_with(|| (*at, how.clone()));
            }
            Conclusion::StopIf {
                condition, values, ..
            } => {
                board
                    .stop_if
                    .get_or_insert_with(|| format!("stop_if {condition} holds: {values}"));
            }
            Conclusion::BaselineJudged { unfit, noise } => {
                board
                    .baselines
                    .push(unfit.clone().map(|why| Unfit { why, noise: *noise }));
            }
        });
    }
}

impl Awaiting {
    /// Returns when the condition of `step` holds: since when, and how.
    pub async fn step_met(&mut self, step: &str) -> (Stamp, String) {
        let found = self
            .board
            .wait_for(|board| board.met.contains_key(step))
            .await
            .ok()
            .and_then(|board| board.met.get(step).cloned());
        match found {
            Some(met) => met,
            // The dispatcher is gone: the caller's own limit ends the wait.
            None => std::future::pending().await,
        }
    }

    /// Returns when a condition of `stop_if` holds: which, with its values.
    pub async fn stop_if(&mut self) -> String {
        let held = self
            .board
            .wait_for(|board| board.stop_if.is_some())
            .await
            .ok()
            .and_then(|board| board.stop_if.clone());
        match held {
            Some(held) => held,
            None => std::future::pending().await,
        }
    }

    /// Which condition of `stop_if` holds, if one does by now.
    #[must_use]
    pub fn stopped_if(&self) -> Option<String> {
        self.board.borrow().stop_if.clone()
    }

    /// Returns when the baseline with this number (from 0) was judged: why it is unfit, if it is.
    pub async fn baseline_judged(&mut self, number: usize) -> Option<Unfit> {
        let judged = self
            .board
            .wait_for(|board| board.baselines.len() > number)
            .await
            .ok()
            .and_then(|board| board.baselines.get(number).cloned());
        match judged {
            Some(unfit) => unfit,
            None => std::future::pending().await,
        }
    }
}

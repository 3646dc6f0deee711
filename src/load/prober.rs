//! The probes: one thread, one runtime, all channels.

use super::LoadPlan;
use super::lateness::Lateness;
use super::ledger::Ledger;
use super::set_up;
use crate::event::{Emitter, Event};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Between two batches of slots.
const BATCH: Duration = Duration::from_millis(250);
/// How long the end waits, beyond the longest deadline, for what is still unanswered.
const GRACE: Duration = Duration::from_millis(100);

/// The running probes. Dropping them stops them without a ledger.
#[derive(Debug)]
pub struct Prober {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<Ledger, LoadError>>,
    acknowledged: Arc<AtomicU64>,
}

/// Why the probes cannot run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A session that the probes need could not be opened.
    #[error("probe {channel}: {cause}")]
    Session {
        /// The channel.
        channel: String,
        /// Cause.
        cause: String,
    },
    /// The ledger file cannot be written.
    #[error("ledger: {0}")]
    Ledger(String),
    /// The target allows fewer sessions than the probes hold while nothing is wrong.
    #[error(
        "the probes need {needed} sessions on one node, and `limits` allows {limit}; raise limits.sessions or lower workload.writers.sessions"
    )]
    Limit {
        /// What they need.
        needed: u32,
        /// What the target allows.
        limit: u32,
    },
    /// The system gave no thread, or the probes' thread ended early.
    #[error("the probes' thread: {0}")]
    Thread(String),
}

impl Prober {
    /// Starts the probes on a thread of their own (under a virtual clock on the caller's, which must run a
    /// [`LocalSet`]: nothing else keeps their order from one run to the next), opens pinned and control sessions, and returns when
    /// the first slot is scheduled. Emits `MeasuringBegan`, `Slots`, `ObserverLate`, `MachineSlept`,
    /// `UnknownNode`, `OwnLimit`. The ledger's table must be there ([`super::ledger_table::prepare`]).
    ///
    /// # Errors
    /// When a session or the ledger file cannot be opened.
    pub async fn start(plan: LoadPlan, events: Emitter) -> Result<Self, LoadError> {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel();
        let (begun, begins) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let counter = Arc::clone(&acknowledged);
        if plan.clock.is_virtual() {
            tokio::task::spawn_local(async move {
                let _ = done.send(probe(plan, events, counter, begun, stopped).await);
            });
            return Self::begun(stop, begins, ended, acknowledged).await;
        }
        std::thread::Builder::new()
            .name("firedrill-probes".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let result = match runtime {
                    Ok(runtime) => LocalSet::new()
                        .block_on(&runtime, probe(plan, events, counter, begun, stopped)),
                    Err(error) => Err(LoadError::Thread(error.to_string())),
                };
                let _ = done.send(result);
            })
            .map_err(|error| LoadError::Thread(error.to_string()))?;
        Self::begun(stop, begins, ended, acknowledged).await
    }

    async fn begun(
        stop: oneshot::Sender<()>,
        begins: oneshot::Receiver<()>,
        ended: oneshot::Receiver<Result<Ledger, LoadError>>,
        acknowledged: Arc<AtomicU64>,
    ) -> Result<Self, LoadError> {
        let prober = Self {
            stop,
            ended,
            acknowledged,
        };
        if begins.await.is_ok() {
            return Ok(prober);
        }
        match prober.ended.await {
            Ok(Err(error)) => Err(error),
            _ => Err(LoadError::Thread("it ended before it began".into())),
        }
    }

    /// Commits that the endpoint writers have acknowledged in time so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Stops all channels, waits until every attempt is settled or its deadline passed, emits the last
    /// slots and `MeasuringEnded`, and hands out the ledger.
    ///
    /// # Errors
    /// When the ledger file cannot be finished.
    pub async fn stop(self) -> Result<Ledger, LoadError> {
        let _ = self.stop.send(());
        let ended = self.ended.await;
        ended.unwrap_or_else(|_| Err(LoadError::Thread("it ended without a ledger".into())))
    }
}

/// The life of the probes' thread.
async fn probe(
    plan: LoadPlan,
    events: Emitter,
    acknowledged: Arc<AtomicU64>,
    begun: oneshot::Sender<()>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<Ledger, LoadError> {
    let watch = match plan.clock.is_virtual() {
        // Virtual time stands still while anybody works: nothing can be late in it.
        true => None,
        false => Some(Lateness::watch(plan.clock, events.clone()))
            .transpose()
            .map_err(|error| LoadError::Thread(error.to_string()))?,
    };
    let patience = longest_deadline(&plan) + GRACE;
    let probes = set_up::begin(plan, events, acknowledged).await?;
    let _ = begun.send(());
    let mut batches = tokio::time::interval(BATCH);
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            _ = batches.tick() => probes.hand_over(),
        }
    }
    probes.stop();
    let until = probes.clock.now().plus(patience);
    while probes.in_flight() > 0 && probes.clock.now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    probes.settle_unanswered();
    probes.hand_over();
    probes.emit(Event::MeasuringEnded);
    drop(watch);
    // Tasks of kept sessions still share the probes, so the ledger is taken out of them.
    probes
        .finish_ledger()
        .map_err(|error| LoadError::Ledger(error.to_string()))
}

fn longest_deadline(plan: &LoadPlan) -> Duration {
    let work = &plan.workload;
    let reader = work.reader.map_or(0, |(_, deadline, _)| deadline);
    Duration::from_millis(work.fresh.1.max(work.writers.1).max(reader))
}

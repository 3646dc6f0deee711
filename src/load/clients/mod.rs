//! Clients of firedrill's own that make load beside the probes: the step `load`.
//!
//! They run on the executor's runtime and not on the probes' thread, go where they are told, and say by
//! events what they saw; what that comes to is the measures' to say. Their commits are rows of the ledger's
//! table under a run of their own, so that they cost a server what a commit costs and are never taken for
//! commits of the probes. They are as many as the step says and never more, and all of them end with it.

mod held;
mod requests;

use super::LoadPlan;
use super::slot_log::SlotLog;
use crate::clock::Clock;
use crate::drill::clients::{Does, Load};
use crate::event::loads::{ClientSaw, LoadBegan, LoadClient};
use crate::event::slots::{Outcome, Slot};
use crate::event::{ChannelKind, ChannelRecord, Emitter, Event, Stamp};
use crate::sql::{Address, Session, SqlError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// From the beginning of a load to its first request.
const LEAD: Duration = Duration::from_millis(20);
/// Requests are logged this often.
const LOG_EVERY: Duration = Duration::from_millis(250);
/// How long clients may take to end, for the answer that one still waits for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Numbers of writers of one load: more clients than a load can have.
const WRITERS: u32 = 100_000;

impl LoadPlan {
    /// `application_name` of the clients of `load` steps: sessions that are left of them are ended when
    /// the run ends.
    #[must_use]
    pub fn clients_application(&self) -> String {
        format!("firedrill-{}-load", self.run)
    }

    /// Where an endpoint is, by the name that drills call it.
    fn endpoint(&self, name: &str) -> Option<&Address> {
        match name {
            "writer" => Some(&self.writer),
            "reader" => self.reader.as_ref(),
            other => {
                let mut extras = self.extras.iter();
                let extra = extras.find(|extra| extra.name == other);
                extra.map(|extra| &extra.address)
            }
        }
    }
}

/// The clients of one load. Dropping them closes their sessions at once.
#[derive(Debug)]
pub struct Clients {
    stop: watch::Sender<bool>,
    open: watch::Receiver<Open>,
    clients: u32,
    /// `None` once they were waited for.
    task: Option<JoinHandle<()>>,
}

/// How many clients have had a session, and why one has none.
#[derive(Clone, Debug, Default)]
struct Open {
    count: u32,
    last_error: Option<String>,
}

impl Clients {
    /// Sets them going. `number` tells the loads of one run apart.
    ///
    /// # Errors
    /// When the target has no such endpoint; in one line.
    pub fn start(
        id: &str,
        number: u32,
        load: &Load,
        plan: &LoadPlan,
        emitter: Emitter,
    ) -> Result<Self, String> {
        let Some(address) = plan.endpoint(&load.endpoint) else {
            return Err(format!("the target has no endpoint {}", load.endpoint));
        };
        let now = plan.clock.now();
        let every_us = load.does.every().map_or(0, |every| every.as_ms() * 1000);
        let clients = load.clients.max(1);
        let began = LoadBegan {
            load: id.to_owned(),
            does: load.does.kind(),
            endpoint: load.endpoint.clone(),
            clients,
            t0: now.plus(LEAD),
            period_us: match every_us {
                0 => 0,
                every => (every / u64::from(clients)).max(1),
            },
            deadline_us: load.deadline.as_ms() * 1000,
        };
        let record = ChannelRecord {
            name: began.slots(),
            kind: ChannelKind::Load,
            sessions: clients,
            t0: began.t0,
            period_us: began.period_us,
            deadline_us: began.deadline_us,
            stall_us: None,
        };
        let (open, opened) = watch::channel(Open::default());
        let errand = Arc::new(Errand {
            load: id.to_owned(),
            does: load.does.clone(),
            clients,
            first_writer: number * WRITERS,
            t0: began.t0,
            period_us: began.period_us,
            deadline: load.deadline.get(),
            address: address.named(plan.clients_application()),
            run: format!("{}-load", plan.run),
            synchronous_commit: plan.synchronous_commit.clone(),
            clock: plan.clock,
            emitter,
            log: Mutex::new(SlotLog::new(record)),
            open,
        });
        errand.emitter.emit(now, Event::LoadBegan(began));
        let (stop, asked) = watch::channel(false);
        let stop_at = Stop {
            asked,
            until: load.r#for.map(|time| now.plus(time.get())),
            clock: plan.clock,
        };
        let task = tokio::spawn(go(errand, stop_at));
        Ok(Self {
            stop,
            open: opened,
            clients,
            task: Some(task),
        })
    }

    /// Waits until each of them has had a session.
    pub async fn all_open(&mut self) {
        let wanted = self.clients;
        // Where they are over before, nobody will open one any more.
        if self
            .open
            .wait_for(|open| open.count >= wanted)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// How many have had a session, in words.
    #[must_use]
    pub fn how_open(&self) -> String {
        let open = self.open.borrow();
        let why = open
            .last_error
            .as_ref()
            .map_or(String::new(), |why| format!(": {why}"));
        format!("{} of {} sessions are open{why}", open.count, self.clients)
    }

    /// Ends them, and waits until their sessions are closed.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It has a limit of its own.
            let _ = task.await;
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Runs all clients of a load to its end.
async fn go(errand: Arc<Errand>, stop: Stop) {
    let mut clients = JoinSet::new();
    for client in 0..errand.clients {
        let (errand, stop) = (Arc::clone(&errand), stop.clone());
        match errand.does {
            Does::Write { .. } | Does::Read { .. } | Does::Reconnect { .. } => {
                clients.spawn(requests::run(errand, client, stop));
            }
            Does::Idle | Does::Listen | Does::LongQuery => {
                clients.spawn(held::run(errand, client, stop));
            }
        }
    }
    let mut over = stop.clone();
    let ended = async {
        over.reached().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            joined = clients.join_next() => if joined.is_none() {
                break;
            },
            () = &mut ended => break,
            () = tokio::time::sleep(LOG_EVERY) => errand.log_requests(),
        }
    }
    clients.shutdown().await;
    errand.log_requests();
    let load = errand.load.clone();
    errand
        .emitter
        .emit(errand.clock.now(), Event::LoadEnded { load });
}

/// When a client must end.
#[derive(Clone, Debug)]
struct Stop {
    asked: watch::Receiver<bool>,
    until: Option<Stamp>,
    clock: Clock,
}

impl Stop {
    async fn reached(&mut self) {
        let time_over = async {
            match self.until {
                Some(until) => self.clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // Whoever could ask is gone: that is the end too.
            _ = self.asked.wait_for(|asked| *asked) => {}
            () = time_over => {}
        }
    }
}

/// What all clients of a load are about.
struct Errand {
    load: String,
    does: Does,
    clients: u32,
    first_writer: u32,
    t0: Stamp,
    period_us: u64,
    deadline: Duration,
    address: Address,
    /// Of the rows that they write.
    run: String,
    synchronous_commit: Option<String>,
    clock: Clock,
    emitter: Emitter,
    log: Mutex<SlotLog>,
    open: watch::Sender<Open>,
}

impl Errand {
    async fn connect(&self, deadline: Duration) -> Result<Session, SqlError> {
        let connected = Session::connect(&self.address, deadline).await;
        if let Err(error) = &connected {
            self.open
                .send_modify(|open| open.last_error = Some(error.to_string()));
        }
        connected
    }

    fn saw(&self, client: u32, at: Stamp, saw: ClientSaw) {
        if matches!(saw, ClientSaw::Opened { .. }) {
            self.open.send_modify(|open| open.count += 1);
        }
        let load = self.load.clone();
        let saw = LoadClient { load, client, saw };
        self.emitter.emit(at, Event::LoadClient(saw));
    }

    /// When request `k` of the load is due.
    fn due(&self, k: u64) -> Stamp {
        Stamp(self.t0.0 + k * self.period_us)
    }

    fn settle(&self, k: u64, sent: Stamp, settled: Stamp, outcome: Outcome) {
        // Nothing panics while it holds the lock.
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(Slot {
            k,
            sent,
            settled,
            outcome,
        });
    }

    fn log_requests(&self) {
        let batch = self
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(batch) = batch {
            self.emitter.emit(self.clock.now(), Event::Slots(batch));
        }
    }
}

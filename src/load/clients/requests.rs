//! A client that asks at a rate: an open loop with one session. What is due while it still waits for an
//! answer is not sent, and its latency counts from when it was due.
//!
//! One that writes or reads opens the session that it lost with its next request. One that reconnects
//! notices the loss at once, and tries again and again until it is served.

use super::{Errand, Stop};
use crate::drill::clients::Does;
use crate::event::Stamp;
use crate::event::loads::ClientSaw;
use crate::event::slots::{ErrorClass, Outcome};
use crate::load::ledger_table::quoted;
use crate::load::outcome::{of_error, of_tick};
use crate::sql::{Answer, Asks, Session, SqlError, Statement};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer is still waited for when the load is over.
const LAST: Duration = Duration::from_millis(1500);

/// One client.
struct Requester {
    errand: Arc<Errand>,
    client: u32,
    session: Option<Session>,
    /// When its session was last known to be good.
    good: Stamp,
    /// It had a session before, and lost it.
    lost: bool,
    /// Connects since then, or since the beginning.
    tries: u32,
    /// Why they failed, where no request tells.
    errors: BTreeMap<String, u32>,
    /// The next of its own requests.
    next: u64,
    /// The last key that it wrote.
    key: u64,
}

/// Why a client woke.
enum Woken {
    Due(u64),
    Lost(SqlError),
    Over,
}

/// Asks until the load ends.
pub(super) async fn run(errand: Arc<Errand>, client: u32, mut stop: Stop) {
    let mut me = Requester {
        good: errand.clock.now(),
        errand,
        client,
        session: None,
        lost: false,
        tries: 0,
        errors: BTreeMap::new(),
        next: 0,
        key: 0,
    };
    loop {
        if me.again().is_some() && me.session.is_none() {
            me.come_back(&mut stop).await;
        }
        match me.wake(&mut stop).await {
            Woken::Due(k) => me.request(k, &mut stop).await,
            Woken::Lost(error) => me.lose(&error),
            Woken::Over => break,
        }
    }
    me.over();
}

impl Requester {
    /// Between two connects, where it connects again at once.
    fn again(&self) -> Option<Duration> {
        match self.errand.does {
            Does::Reconnect { again, .. } => Some(again.get()),
            _ => None,
        }
    }

    /// The number of its `n`th request among all of the load.
    fn number(&self, n: u64) -> u64 {
        n * u64::from(self.errand.clients) + u64::from(self.client)
    }

    /// Waits for the next request. What became due meanwhile was not sent, but for the last of it.
    async fn wake(&mut self, stop: &mut Stop) -> Woken {
        let now = self.errand.clock.now();
        let due = |me: &Self, n: u64| me.errand.due(me.number(n));
        while due(self, self.next + 1) <= now {
            let (k, at) = (self.number(self.next), due(self, self.next));
            self.errand.settle(k, at, at, Outcome::NotSent);
            self.next += 1;
        }
        let watched = self.session.as_ref().filter(|_| self.again().is_some());
        let lost = async {
            match watched {
                Some(session) => session.gone().await,
                None => std::future::pending().await,
            }
        };
        let clock = self.errand.clock;
        let woken = tokio::select! {
            biased;
            () = stop.reached() => Woken::Over,
            error = lost => Woken::Lost(error),
            () = clock.sleep_until(due(self, self.next)) => Woken::Due(self.number(self.next)),
        };
        if matches!(woken, Woken::Due(_)) {
            self.next += 1;
        }
        woken
    }

    async fn request(&mut self, k: u64, stop: &mut Stop) {
        let errand = Arc::clone(&self.errand);
        let sent = errand.clock.now();
        let asked = tokio::select! {
            biased;
            asked = self.ask(sent) => asked,
            () = over(stop) => Outcome::InDoubt(ErrorClass::StatementDeadline),
        };
        let settled = errand.clock.now();
        errand.settle(k, sent, settled, asked);
        if matches!(asked, Outcome::Acknowledged | Outcome::AcknowledgedLate) {
            self.good = settled;
        }
    }

    /// One request within the deadline, on the session that is there or on a new one.
    async fn ask(&mut self, sent: Stamp) -> Outcome {
        let errand = Arc::clone(&self.errand);
        // Without a watch over it, a session that is gone is found when it is wanted.
        if self.session.as_ref().is_some_and(Session::is_closed) {
            self.lose(&SqlError::new(
                ErrorClass::Reset,
                false,
                "connection closed",
            ));
        }
        if self.session.is_none() {
            self.tries += 1;
            match errand.connect(errand.deadline).await {
                Ok(session) => self.opened(session),
                Err(error) => return of_error(&error),
            }
        }
        let Some(session) = &self.session else {
            return Outcome::NotSent;
        };
        let left = errand
            .deadline
            .saturating_sub(errand.clock.now().since(sent));
        let (outcome, answer) = match errand.does {
            Does::Write { .. } => {
                self.key += 1;
                let answer = session
                    .query(write(&errand, self.client, self.key, sent), left)
                    .await;
                let took = errand.clock.now().since(sent);
                (of_tick(&answer, took, errand.deadline).0, answer)
            }
            _ => {
                let answer = session.query(read(&errand), left).await;
                let outcome = match &answer {
                    Ok(_) => Outcome::Acknowledged,
                    // A read leaves nothing in doubt.
                    Err(error) => Outcome::Failed(error.class),
                };
                (outcome, answer)
            }
        };
        if let Err(error) = &answer
            && !leaves_session(&answer)
        {
            self.lose(error);
        }
        outcome
    }

    fn opened(&mut self, session: Session) {
        let (tries, errors) = (
            std::mem::take(&mut self.tries),
            std::mem::take(&mut self.errors),
        );
        let now = self.errand.clock.now();
        let saw = match std::mem::take(&mut self.lost) {
            true => ClientSaw::Served { tries, errors },
            false => ClientSaw::Opened { tries, errors },
        };
        self.errand.saw(self.client, now, saw);
        self.session = Some(session);
        self.good = now;
    }

    fn lose(&mut self, error: &SqlError) {
        self.session = None;
        self.lost = true;
        let class = error.class.name();
        let saw = ClientSaw::Lost {
            class,
            good: self.good,
        };
        self.errand.saw(self.client, self.errand.clock.now(), saw);
    }

    /// Connects again and again until it is served or the load ends.
    async fn come_back(&mut self, stop: &mut Stop) {
        let errand = Arc::clone(&self.errand);
        let again = self.again().unwrap_or(errand.deadline);
        loop {
            self.tries += 1;
            let connected = tokio::select! {
                biased;
                () = stop.reached() => return,
                connected = errand.connect(errand.deadline) => connected,
            };
            match connected {
                Ok(session) => return self.opened(session),
                Err(error) => *self.errors.entry(error.class.name()).or_default() += 1,
            }
            tokio::select! {
                biased;
                () = stop.reached() => return,
                () = tokio::time::sleep(again) => {}
            }
        }
    }

    fn over(self) {
        if self.session.is_some() || (!self.lost && self.tries == 0) {
            return;
        }
        let (tries, errors) = (self.tries, self.errors);
        let saw = ClientSaw::Unserved { tries, errors };
        self.errand.saw(self.client, self.errand.clock.now(), saw);
    }
}

/// The load is over, and what is still waited for has had its time.
async fn over(stop: &mut Stop) {
    stop.reached().await;
    tokio::time::sleep(LAST).await;
}

/// An error that the server said about the statement leaves the session as good as before.
fn leaves_session(answer: &Result<Answer, SqlError>) -> bool {
    matches!(answer, Err(error) if error.state.is_some() && !error.leaves_doubt())
}

fn write(errand: &Errand, client: u32, key: u64, sent: Stamp) -> Statement<'static> {
    let writer = errand.first_writer + client;
    let durability = match &errand.synchronous_commit {
        Some(value) => format!("set local synchronous_commit = {value}; "),
        None => String::new(),
    };
    let sql = format!(
        "{durability}select * from firedrill.tick({}, {writer}, {key}, {})",
        quoted(&errand.run),
        sent.0
    );
    let asks = Asks::Tick {
        run: errand.run.clone(),
        writer,
        seq: key,
        sent_us: sent.0,
    };
    Statement::new(sql, asks)
}

fn read(errand: &Errand) -> Statement<'static> {
    let sql = format!("select * from firedrill.newest({})", quoted(&errand.run));
    let run = errand.run.clone();
    Statement::new(sql, Asks::Newest { run })
}

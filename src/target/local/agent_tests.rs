//! The agent before real servers that are killed, frozen and thawed.

use super::*;
use crate::event::Emitter;
use crate::sql::Session;
use crate::sql::test_server::TestServer;
use nix::sys::signal::Signal;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(10);

/// Acts on the test's servers as the local target would, by SQL and signals.
struct Hands {
    servers: Vec<TestServer>,
    /// So many promotions fail before one succeeds.
    failures: AtomicUsize,
    /// How long a promotion takes at least.
    takes: Duration,
}

impl Hands {
    fn server(&self, name: &str) -> &TestServer {
        self.servers
            .iter()
            .find(|server| server.name() == name)
            .unwrap()
    }

    async fn sql(&self, name: &str, sql: &str) -> Result<(), TargetError> {
        let failed = |error| TargetError::new(format!("{sql} on {name}"), error);
        let address = self.server(name).address();
        let session = Session::connect(&address, LONG).await.map_err(failed)?;
        session.query(sql, LONG).await.map(drop).map_err(failed)
    }
}

#[async_trait]
impl AgentActions for Hands {
    async fn promote(&self, node: &str) -> Result<(), TargetError> {
        sleep(self.takes).await;
        let left = |n: usize| n.checked_sub(1);
        if self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_ok()
        {
            return Err(TargetError::new(format!("promote {node}"), "not today"));
        }
        self.sql(node, "SELECT pg_promote()").await
    }

    async fn follow(&self, standby: &str, primary: &str) -> Result<(), TargetError> {
        let port = self.server(primary).port;
        let conninfo =
            format!("host=127.0.0.1 port={port} user=postgres application_name={standby}");
        self.sql(
            standby,
            &format!("ALTER SYSTEM SET primary_conninfo = '{conninfo}'"),
        )
        .await?;
        self.sql(standby, "SELECT pg_reload_conf()").await
    }

    async fn demote(&self, node: &str) -> Result<(), TargetError> {
        self.server(node).signal_all(Signal::SIGKILL);
        Ok(())
    }
}

struct Stand {
    hands: Arc<Hands>,
    agent: Agent,
    clock: Clock,
    events: UnboundedReceiver<(Stamp, Event)>,
}

impl Stand {
    /// A cluster of `nodes` servers that the agent has watched for a while.
    async fn up(
        nodes: usize,
        settings: AgentSettings,
        change: impl FnOnce(&mut Hands),
    ) -> Option<Self> {
        let primary = TestServer::primary(&[]).await?;
        let mut servers = Vec::new();
        for n in 2..=nodes {
            servers.push(primary.standby(&format!("node-{n}")).await);
        }
        servers.insert(0, primary);
        let watched = servers.iter().map(|server| AgentNode {
            name: server.name().to_owned(),
            via: server.address(),
        });
        let watched = watched.collect();
        let mut hands = Hands {
            servers,
            failures: AtomicUsize::new(0),
            takes: Duration::ZERO,
        };
        change(&mut hands);
        let hands = Arc::new(hands);
        let (emitter, events) = Emitter::channel();
        let slot = EmitterSlot::default();
        slot.set(emitter);
        let clock = Clock::start();
        let actions = Arc::clone(&hands) as Arc<dyn AgentActions>;
        let agent = Agent::start(&Handle::current(), settings, watched, actions, clock, slot);
        sleep(Duration::from_millis(500)).await;
        Some(Self {
            hands,
            agent,
            clock,
            events,
        })
    }

    fn signal(&self, node: &str, signal: Signal) -> Stamp {
        let now = self.clock.now();
        self.hands.server(node).signal_all(signal);
        now
    }

    async fn next(&mut self) -> Event {
        let next = timeout(LONG, self.events.recv()).await;
        next.expect("an event in time").expect("an agent").1
    }

    async fn saw(&mut self, what: StackView, node: &str) -> StackSaw {
        let event = self.next().await;
        let Event::StackSaw(saw) = event else {
            panic!("{event:?} before {what:?}")
        };
        assert_eq!((saw.what, saw.node.as_str()), (what, node));
        assert!(saw.last_negative < saw.first_positive);
        saw
    }

    async fn still(&mut self, time: Duration) {
        let event = timeout(time, self.events.recv()).await;
        assert!(event.is_err(), "{event:?}");
    }

    /// Waits until a node says `t` to this question.
    async fn until(&self, node: &str, sql: &str) {
        for _ in 0..200 {
            if self.hands.server(node).ask(sql).await == "t" {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{node}: never {sql}");
    }
}

/// A busy machine must not make a lost leader of a slow one.
fn patient() -> AgentSettings {
    AgentSettings {
        detection: Duration::from_millis(600),
        ..AgentSettings::default()
    }
}

#[tokio::test]
async fn a_killed_primary_is_replaced_and_the_other_standby_follows() {
    let Some(mut stand) = Stand::up(3, patient(), |_| {}).await else {
        return;
    };
    stand.still(Duration::from_millis(300)).await;
    // node-3 stops replaying, but its WAL is as good as that of node-2.
    stand
        .hands
        .server("node-3")
        .ask("SELECT pg_wal_replay_pause()")
        .await;
    stand.hands.server("node-1").ask("CREATE TABLE t ()").await;
    sleep(Duration::from_millis(300)).await;
    let killed = stand.signal("node-1", Signal::SIGKILL);
    let lost = stand.saw(StackView::LeaderLost, "node-1").await;
    let waited = lost.first_positive.since(killed);
    assert!(
        waited >= patient().detection - patient().every,
        "{waited:?}"
    );
    assert!(waited <= patient().detection * 2, "{waited:?}");
    let named = stand.saw(StackView::LeaderNamed, "node-2").await;
    assert!(named.first_positive >= lost.first_positive);
    stand
        .until("node-2", "SELECT NOT pg_is_in_recovery()")
        .await;
    // A standby whose replay is paused does not even begin to stream from elsewhere (PostgreSQL reads
    // the new primary_conninfo in the process that is paused).
    stand
        .hands
        .server("node-3")
        .ask("SELECT pg_wal_replay_resume()")
        .await;
    let followed = "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'node-3' \
                    AND state = 'streaming'";
    stand.until("node-2", followed).await;
    stand.still(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_frozen_primary_is_replaced_and_demoted_as_soon_as_it_is_thawed() {
    let Some(mut stand) = Stand::up(2, patient(), |_| {}).await else {
        return;
    };
    stand.signal("node-1", Signal::SIGSTOP);
    stand.saw(StackView::LeaderLost, "node-1").await;
    stand.saw(StackView::LeaderNamed, "node-2").await;
    stand
        .until("node-2", "SELECT NOT pg_is_in_recovery()")
        .await;
    stand.still(Duration::from_secs(1)).await;
    let thawed = stand.signal("node-1", Signal::SIGCONT);
    let demoted = stand.saw(StackView::Demoted, "node-1").await;
    let took = demoted.first_positive.since(thawed);
    assert!(
        took < Duration::from_millis(500),
        "{took:?}: one period and a question"
    );
    stand.still(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_short_freeze_changes_nothing() {
    let Some(mut stand) = Stand::up(2, patient(), |_| {}).await else {
        return;
    };
    for _ in 0..3 {
        stand.signal("node-1", Signal::SIGSTOP);
        sleep(patient().detection / 2).await;
        stand.signal("node-1", Signal::SIGCONT);
        stand.still(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn while_paused_nothing_is_done_and_afterwards_silence_counts_from_then() {
    let Some(mut stand) = Stand::up(2, patient(), |_| {}).await else {
        return;
    };
    let pause = stand.agent.pause();
    pause.quiet().await;
    stand.signal("node-1", Signal::SIGKILL);
    stand.still(Duration::from_secs(1)).await;
    let resumed = stand.clock.now();
    drop(pause);
    let lost = stand.saw(StackView::LeaderLost, "node-1").await;
    assert!(lost.first_positive.since(resumed) >= patient().detection);
    stand.saw(StackView::LeaderNamed, "node-2").await;
    stand
        .until("node-2", "SELECT NOT pg_is_in_recovery()")
        .await;
}

#[tokio::test]
async fn quiet_waits_for_the_promotion_that_is_under_way() {
    let takes = Duration::from_millis(700);
    let Some(mut stand) = Stand::up(2, patient(), |hands| hands.takes = takes).await else {
        return;
    };
    stand.signal("node-1", Signal::SIGKILL);
    stand.saw(StackView::LeaderLost, "node-1").await;
    let named = stand.saw(StackView::LeaderNamed, "node-2").await;
    let pause = stand.agent.pause();
    timeout(LONG, pause.quiet()).await.unwrap();
    assert!(stand.clock.now().since(named.first_positive) >= takes);
    assert_eq!(
        stand
            .hands
            .server("node-2")
            .ask("SELECT pg_is_in_recovery()")
            .await,
        "f"
    );
    // An agent that is gone is quiet as well, whatever it left behind.
    stand.agent.stop();
    timeout(LONG, pause.quiet()).await.unwrap();
}

#[tokio::test]
async fn a_promotion_that_fails_is_said_once_and_tried_again() {
    let failing = |hands: &mut Hands| hands.failures = AtomicUsize::new(2);
    let Some(mut stand) = Stand::up(2, patient(), failing).await else {
        return;
    };
    stand.signal("node-1", Signal::SIGKILL);
    stand.saw(StackView::LeaderLost, "node-1").await;
    stand.saw(StackView::LeaderNamed, "node-2").await;
    let noted = stand.next().await;
    let text = "local agent: promote node-2: not today".to_owned();
    assert_eq!(noted, Event::Noted { text });
    stand.saw(StackView::LeaderNamed, "node-2").await;
    stand.saw(StackView::LeaderNamed, "node-2").await;
    stand
        .until("node-2", "SELECT NOT pg_is_in_recovery()")
        .await;
}

#[tokio::test]
async fn by_hand_it_neither_promotes_nor_demotes_but_lets_the_rest_follow() {
    let by_hand = AgentSettings {
        automatic: false,
        ..patient()
    };
    let Some(mut stand) = Stand::up(3, by_hand, |_| {}).await else {
        return;
    };
    stand.signal("node-1", Signal::SIGSTOP);
    stand.still(Duration::from_millis(1500)).await;
    stand
        .hands
        .server("node-2")
        .ask("SELECT pg_promote()")
        .await;
    let text = "local agent: node-2 leads now, on timeline 2".to_owned();
    assert_eq!(stand.next().await, Event::Noted { text });
    stand
        .until(
            "node-3",
            "SELECT received_tli = 2 FROM pg_stat_wal_receiver",
        )
        .await;
    stand.signal("node-1", Signal::SIGCONT);
    stand.still(Duration::from_secs(1)).await;
    assert_eq!(
        stand
            .hands
            .server("node-1")
            .ask("SELECT pg_is_in_recovery()")
            .await,
        "f"
    );
}

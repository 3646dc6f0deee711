//! Links, router and agent together, on a thread of their own as in a run.

use super::agent::{Agent, AgentActions, AgentNode, AgentSettings};
use super::emitter_slot::EmitterSlot;
use super::link::Link;
use super::router::{RoutedNode, Router, RouterSettings};
use crate::clock::Clock;
use crate::event::{Emitter, Event, StackView, Stamp};
use crate::sql::test_server::TestServer;
use crate::sql::{Address, Secret, Session};
use crate::target::TargetError;
use async_trait::async_trait;
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(10);

/// Holds no server: the stack's thread may outlive the test by a moment, and must not keep one running.
struct Hands {
    addresses: Vec<(String, Address)>,
    router: Arc<Router>,
}

#[async_trait]
impl AgentActions for Hands {
    async fn promote(&self, node: &str) -> Result<(), TargetError> {
        let found = self.addresses.iter().find(|(name, _)| name == node);
        let failed = |error| TargetError::new(format!("promote {node}"), error);
        let session = Session::connect(&found.unwrap().1, LONG)
            .await
            .map_err(failed)?;
        session
            .query("SELECT pg_promote()", LONG)
            .await
            .map(drop)
            .map_err(failed)
    }
    async fn follow(&self, _: &str, _: &str) -> Result<(), TargetError> {
        Ok(())
    }
    async fn demote(&self, node: &str) -> Result<(), TargetError> {
        self.router.drop_node(node);
        Ok(())
    }
}

/// A runtime on its own thread, for as long as the sender lives.
fn own_thread() -> (tokio::runtime::Handle, tokio::sync::oneshot::Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let (alive, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = runtime.block_on(ended);
    });
    (handle, alive)
}

struct Stand {
    servers: Vec<TestServer>,
    clients: Vec<Link>,
    peers: Vec<Link>,
    router: Arc<Router>,
    _agent: Agent,
    clock: Clock,
    events: UnboundedReceiver<(Stamp, Event)>,
    _thread: tokio::sync::oneshot::Sender<()>,
}

impl Stand {
    async fn up() -> Option<Self> {
        let primary = TestServer::primary(&[]).await?;
        // As in a run: every new session costs a SCRAM exchange.
        primary
            .ask("CREATE ROLE watcher LOGIN PASSWORD 'secret' IN ROLE pg_monitor")
            .await;
        let standby = primary.standby("node-2").await;
        for server in [&primary, &standby] {
            let rules = "host all watcher 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n\
                         host replication all 127.0.0.1/32 trust\n";
            std::fs::write(server.path().join("data/pg_hba.conf"), rules).unwrap();
            server.ask("SELECT pg_reload_conf()").await;
        }
        let servers = vec![primary, standby];
        let (handle, thread) = own_thread();
        let open = |server: &TestServer| {
            Link::open(&handle, ([127, 0, 0, 1], server.port).into()).unwrap()
        };
        let clients: Vec<Link> = servers.iter().map(open).collect();
        let peers: Vec<Link> = servers.iter().map(open).collect();
        let via = |server: &TestServer, link: &Link| Address {
            port: link.port(),
            user: "watcher".to_owned(),
            password: Some(Secret::new("secret")),
            ..server.address()
        };
        let name = |server: &TestServer| server.name().to_owned();
        let pairs = |links: &[Link]| -> Vec<(String, Address)> {
            servers
                .iter()
                .zip(links)
                .map(|(server, link)| (name(server), via(server, link)))
                .collect()
        };
        let routed = pairs(&clients)
            .into_iter()
            .map(|(name, via)| RoutedNode { name, via });
        let watched = pairs(&peers)
            .into_iter()
            .map(|(name, via)| AgentNode { name, via });
        let (emitter, events) = Emitter::channel();
        let slot = EmitterSlot::default();
        slot.set(emitter);
        let clock = Clock::start();
        // Patient ones: a busy machine must not make a lost node of a slow one.
        let settings = RouterSettings {
            timeout: Duration::from_millis(300),
            ..RouterSettings::default()
        };
        let router = Router::start(&handle, settings, routed.collect(), clock, slot.clone());
        let router = Arc::new(router.unwrap());
        let own = |server: &TestServer| (server.name().to_owned(), server.address());
        let hands = Arc::new(Hands {
            addresses: servers.iter().map(own).collect(),
            router: Arc::clone(&router),
        });
        let settings = AgentSettings {
            detection: Duration::from_millis(600),
            ..AgentSettings::default()
        };
        let agent = Agent::start(&handle, settings, watched.collect(), hands, clock, slot);
        let stand = Self {
            servers,
            clients,
            peers,
            router,
            _agent: agent,
            clock,
            events,
            _thread: thread,
        };
        stand.until_writers(&["node-1"]).await;
        sleep(Duration::from_millis(300)).await;
        Some(stand)
    }

    async fn until_writers(&self, names: &[&str]) {
        let until = async {
            while self.router.writers() != names {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(LONG, until).await.unwrap();
    }

    /// What was seen so far, without its stamps.
    fn seen(&mut self) -> Vec<(StackView, String)> {
        let mut seen = Vec::new();
        while let Ok((_, event)) = self.events.try_recv() {
            let Event::StackSaw(saw) = event else {
                panic!("{event:?}")
            };
            seen.push((saw.what, saw.node));
        }
        seen
    }
}

fn node(number: &str) -> String {
    format!("node-{number}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_moves_after_a_kill_and_nothing_moves_before() {
    let Some(mut stand) = Stand::up().await else {
        return;
    };
    sleep(Duration::from_secs(3)).await;
    assert_eq!(stand.seen(), [(StackView::RoutedTo, node("1"))]);
    let began = stand.clock.now();
    stand.servers[0].signal_all(Signal::SIGKILL);
    stand.until_writers(&["node-2"]).await;
    let took = stand.clock.now().since(began);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let expected = [
        (StackView::LeaderLost, node("1")),
        (StackView::LeaderNamed, node("2")),
        (StackView::RoutedTo, node("2")),
    ];
    assert_eq!(stand.seen(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_from_its_peers_alone_goes_on_serving_until_it_is_demoted() {
    let Some(mut stand) = Stand::up().await else {
        return;
    };
    assert_eq!(stand.seen(), [(StackView::RoutedTo, node("1"))]);
    stand.peers[0].cut();
    // The agent sees nothing of node-1, the router still does: two primaries, and both get writers.
    stand.until_writers(&["node-1", "node-2"]).await;
    sleep(Duration::from_millis(500)).await;
    stand.peers[0].join();
    stand.until_writers(&["node-2"]).await;
    sleep(Duration::from_millis(200)).await;
    let seen = stand.seen();
    assert!(seen.contains(&(StackView::Demoted, node("1"))), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_through_router_and_link_survives_a_short_cut() {
    let Some(stand) = Stand::up().await else {
        return;
    };
    let writer = Address {
        port: stand.router.writer_port(),
        ..stand.servers[0].address()
    };
    let session = Session::connect(&writer, LONG).await.unwrap();
    let clock = Clock::start();
    stand.clients[0].cut();
    let asked = async { session.query("SELECT 1", LONG).await };
    let joined = async {
        sleep(Duration::from_millis(80)).await;
        stand.clients[0].join();
    };
    let (answer, ()) = tokio::join!(asked, joined);
    answer.unwrap();
    assert!(clock.now() >= Stamp(80_000));
}

//! The router before real servers, each behind a link as in a run.

use super::*;
use crate::event::slots::ErrorClass;
use crate::event::{Emitter, Event, StackView, Stamp};
use crate::sql::test_server::TestServer;
use crate::sql::{Session, SqlError};
use crate::target::local::link::Link;
use nix::sys::signal::Signal;
use std::io::ErrorKind;

const SECOND: Duration = Duration::from_secs(1);
const WHO: &str = "SELECT pg_is_in_recovery(), inet_server_port()";

/// Checks quickly, and slowly enough for a busy machine to answer in time.
fn settings() -> RouterSettings {
    RouterSettings {
        timeout: Duration::from_millis(300),
        ..RouterSettings::default()
    }
}

struct Stand {
    primary: TestServer,
    standby: TestServer,
    links: Vec<Link>,
    router: Router,
    events: tokio::sync::mpsc::UnboundedReceiver<(Stamp, Event)>,
}

impl Stand {
    async fn up() -> Option<Self> {
        let primary = TestServer::primary(&[]).await?;
        let standby = primary.standby("node-2").await;
        let handle = Handle::current();
        let mut links = Vec::new();
        let mut nodes = Vec::new();
        for server in [&primary, &standby] {
            let link = Link::open(&handle, ([127, 0, 0, 1], server.port).into()).unwrap();
            nodes.push(RoutedNode {
                name: server.name().to_owned(),
                via: Address {
                    port: link.port(),
                    ..server.address()
                },
            });
            links.push(link);
        }
        let (emitter, events) = Emitter::channel();
        let slot = EmitterSlot::default();
        slot.set(emitter);
        let router = Router::start(&handle, settings(), nodes, Clock::start(), slot).unwrap();
        let stand = Self {
            primary,
            standby,
            links,
            router,
            events,
        };
        stand.until(&["node-1"], &["node-2"]).await;
        Some(stand)
    }

    /// Waits until exactly these are routed to, for at most ten seconds.
    async fn until(&self, writers: &[&str], readers: &[&str]) {
        for _ in 0..1000 {
            if self.router.writers() == writers && self.router.readers() == readers {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "writers {:?}, readers {:?}",
            self.router.writers(),
            self.router.readers()
        );
    }

    async fn connect(&self, port: u16) -> Result<Session, SqlError> {
        Session::connect(
            &Address {
                port,
                ..self.primary.address()
            },
            SECOND,
        )
        .await
    }

    async fn writer(&self) -> Session {
        self.connect(self.router.writer_port()).await.unwrap()
    }

    async fn reader(&self) -> Session {
        self.connect(self.router.reader_port()).await.unwrap()
    }

    /// The nodes said to be routed to, since the last call.
    fn routed(&mut self) -> Vec<String> {
        let mut nodes = Vec::new();
        while let Ok((at, event)) = self.events.try_recv() {
            let Event::StackSaw(saw) = event else {
                panic!("{event:?}")
            };
            assert_eq!((saw.what, saw.first_positive), (StackView::RoutedTo, at));
            assert!(saw.last_negative <= saw.first_positive);
            nodes.push(saw.node);
        }
        nodes
    }
}

async fn port_of(session: &Session) -> u16 {
    let answer = session.query(WHO, SECOND).await.unwrap();
    answer.rows[0][1].as_deref().unwrap().parse().unwrap()
}

/// The router's end of a session is closed: the next statement says so well before its deadline.
async fn closed(session: &Session) {
    let error = session.query(WHO, SECOND).await.unwrap_err();
    // A backend that notices that its postmaster is gone may still say so.
    let ends = [ErrorClass::Reset, ErrorClass::Terminated];
    assert!(ends.contains(&error.class), "{error}");
}

#[tokio::test]
async fn writers_go_to_the_primary_and_readers_to_the_standby() {
    let Some(mut stand) = Stand::up().await else {
        return;
    };
    assert_eq!(port_of(&stand.writer().await).await, stand.primary.port);
    assert_eq!(port_of(&stand.reader().await).await, stand.standby.port);
    assert_eq!(stand.routed(), ["node-1"]);
}

#[tokio::test]
async fn after_a_promotion_both_primaries_get_writers_until_one_is_dropped() {
    let Some(mut stand) = Stand::up().await else {
        return;
    };
    let (writer, reader) = (stand.writer().await, stand.reader().await);
    stand.standby.ask("SELECT pg_promote()").await;
    stand.until(&["node-1", "node-2"], &[]).await;
    closed(&reader).await;
    assert_eq!(
        port_of(&writer).await,
        stand.primary.port,
        "it lost nothing"
    );
    let mut ports = [
        port_of(&stand.writer().await).await,
        port_of(&stand.writer().await).await,
    ];
    ports.sort_unstable();
    let mut both = [stand.primary.port, stand.standby.port];
    both.sort_unstable();
    assert_eq!(ports, both, "round robin");
    // No standby is left, so readers fall back.
    stand.reader().await;
    assert_eq!(stand.routed(), ["node-1", "node-2"]);

    stand.router.drop_node("node-1");
    assert_eq!(stand.router.writers(), ["node-2"]);
    closed(&writer).await;
    for _ in 0..3 {
        assert_eq!(port_of(&stand.writer().await).await, stand.standby.port);
    }
    tokio::time::sleep(5 * settings().check).await;
    assert_eq!(
        stand.router.writers(),
        ["node-2"],
        "its checks pass, and it stays fenced"
    );
    stand.router.allow_node("node-1");
    stand.until(&["node-1", "node-2"], &[]).await;
}

#[tokio::test]
async fn a_killed_primary_is_marked_down_and_clients_are_closed_at_once() {
    let Some(stand) = Stand::up().await else {
        return;
    };
    let writer = stand.writer().await;
    stand.primary.signal_all(Signal::SIGKILL);
    closed(&writer).await;
    stand.until(&[], &["node-2"]).await;
    let error = stand.connect(stand.router.writer_port()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Reset, "{error}");
    assert_eq!(port_of(&stand.reader().await).await, stand.standby.port);
}

#[tokio::test]
async fn a_cut_or_frozen_primary_is_marked_down_after_fall_checks_and_comes_back_by_itself() {
    let Some(mut stand) = Stand::up().await else {
        return;
    };
    for frozen in [false, true] {
        let writer = stand.writer().await;
        let clock = Clock::start();
        match frozen {
            true => stand.primary.signal_all(Signal::SIGSTOP),
            false => stand.links[0].cut(),
        }
        stand.until(&[], &["node-2"]).await;
        let took = clock.now().since(Stamp(0));
        assert!(
            took > 2 * settings().timeout,
            "{took:?} is fewer than three checks"
        );
        closed(&writer).await;
        match frozen {
            true => stand.primary.signal_all(Signal::SIGCONT),
            false => stand.links[0].join(),
        }
        stand.until(&["node-1"], &["node-2"]).await;
        assert_eq!(port_of(&stand.writer().await).await, stand.primary.port);
    }
    assert_eq!(stand.routed(), ["node-1", "node-1", "node-1"]);
}

#[tokio::test]
async fn a_frozen_postmaster_alone_is_not_noticed() {
    let Some(stand) = Stand::up().await else {
        return;
    };
    let writer = stand.writer().await;
    stand.primary.signal_postmaster(Signal::SIGSTOP);
    tokio::time::sleep(4 * settings().timeout).await;
    assert_eq!(stand.router.writers(), ["node-1"]);
    assert_eq!(port_of(&writer).await, stand.primary.port);
    let error = stand.connect(stand.router.writer_port()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::StartupDeadline);
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_endpoint_and_stop_frees_both() {
    let handle = Handle::current();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let start = |settings| {
        Router::start(
            &handle,
            settings,
            Vec::new(),
            Clock::start(),
            EmitterSlot::default(),
        )
    };
    let fixed = RouterSettings {
        reader_port: port,
        ..settings()
    };
    let error = start(fixed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string().replace(&port.to_string(), "PORT");
    insta::assert_snapshot!(text, @"reader endpoint, port PORT of 127.0.0.1: Address already in use (os error 98)");

    let router = start(settings()).unwrap();
    let ports = [router.writer_port(), router.reader_port()];
    router.stop();
    for port in ports {
        // The abort is carried out by the runtime, a moment later.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let error = TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}

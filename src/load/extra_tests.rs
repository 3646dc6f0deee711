//! Endpoints beside the writer's, and watches: through a real pooler across a real failover, and against a
//! service that is sometimes ill.

use super::prober_tests::{assert_dense, begin_with, count, ms};
use super::{ExtraEndpoint, Watch, WatchedBy, page};
use crate::event::slots::{ErrorClass, Outcome};
use crate::sql::Address;
use crate::sql::test_server::TestServer;
use crate::target::local::test_installation;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// A pooler in transaction mode that refuses start-up options, as it does out of the box.
struct Pooler {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Pooler {
    /// In front of the server on this port; `None`, with the reason on the terminal, where there is no
    /// pgbouncer. `FIREDRILL_TEST_REQUIRE=pgbouncer` makes that a failure.
    fn before(server: u16) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|path| std::path::Path::new(path).exists());
        let Some(program) = program else {
            let required = std::env::var("FIREDRILL_TEST_REQUIRE").unwrap_or_default();
            assert!(
                !required.split(',').any(|one| one == "pgbouncer"),
                "pgbouncer is required, and it is not installed"
            );
            #[expect(clippy::print_stderr, reason = "a skipped test says why")]
            {
                eprintln!("skipped: pgbouncer is not installed");
            }
            return None;
        };
        let (_, account) = test_installation()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        account.own(folder.path()).unwrap();
        let ini = folder.path().join("pgbouncer.ini");
        std::fs::write(&ini, settings(port, server)).unwrap();
        account.own(&ini).unwrap();
        let mut command = Command::new(program);
        account.apply(&mut command);
        let child = command
            .arg(&ini)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self {
            child,
            folder,
            port,
        })
    }

    /// From now on in front of another server, as it is told after a failover.
    fn leads_to(&self, server: u16) {
        let ini = self.folder.path().join("pgbouncer.ini");
        std::fs::write(ini, settings(self.port, server)).unwrap();
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGHUP).unwrap();
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(port: u16, server: u16) -> String {
    format!(
        "[databases]\npostgres = host=127.0.0.1 port={server} user=postgres\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = transaction\ndefault_pool_size = 5\nserver_login_retry = 0.2\n"
    )
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < end, "{what}");
        sleep(ms(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_probed_across_a_failover() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let Some(pooler) = Pooler::before(primary.port) else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let address = Address {
        port: pooler.port,
        ..primary.address()
    };
    until("the pooler answers", async || {
        crate::sql::Session::connect(&address, ms(500))
            .await
            .is_ok()
    })
    .await;
    let extra = ExtraEndpoint {
        name: "pgbouncer".into(),
        address: address.clone(),
        writes: true,
        pooled: true,
    };
    assert_eq!(extra.channels(), ["pgbouncer_fresh", "pgbouncer_pinned"]);
    assert!(extra.about().ends_with("pinned means pinned to the pooler"));
    let bench = begin_with(primary.address(), &[&primary, &standby], 20, |plan| {
        plan.extras = vec![extra];
    })
    .await;
    sleep(ms(1500)).await;
    primary.signal_all(Signal::SIGKILL);
    sleep(ms(500)).await;
    assert_eq!(standby.ask("select pg_promote()").await, "t");
    pooler.leads_to(standby.port);
    let promoted = bench.clock.now();
    // Both channels of the pooler, and the two inside the new primary.
    let writers = format!(
        "select count(distinct writer) from firedrill.ledger where sent_us > {}",
        promoted.0
    );
    until("the pooler leads to the new primary", async || {
        standby.ask(&writers).await == "4"
    })
    .await;
    sleep(ms(500)).await;
    let (said, _) = bench.end().await;
    for channel in ["pgbouncer_fresh", "pgbouncer_pinned"] {
        let slots = said.slots(channel);
        assert_dense(slots);
        let good = |o| o == Outcome::Acknowledged;
        let before = slots.iter().take_while(|slot| good(slot.outcome)).count();
        assert!(before >= 3, "{channel} before the failover: {slots:?}");
        let bad = count(slots, |o| !good(o));
        assert!(bad >= 1, "{channel} saw the failover: {slots:?}");
        let last = slots.iter().max_by_key(|slot| slot.k).unwrap();
        assert!(good(last.outcome), "{channel} recovered: {slots:?}");
        let of_channel = said.serving.iter().filter(|(name, _, _)| name == channel);
        let served: Vec<_> = of_channel
            .filter_map(|(_, node, timeline)| Some((node.as_deref()?, *timeline)))
            .collect();
        assert_eq!(served.first(), Some(&("node-1", 1)), "{channel}");
        assert_eq!(served.last(), Some(&("node-2", 2)), "{channel}");
    }
}

/// A service that is ill while it is told to be.
async fn service() -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let ill = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ill);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let status = match told.load(Ordering::SeqCst) {
                true => "503 Service Unavailable",
                false => "200 OK",
            };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, ill)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_service_has_a_channel_and_no_part_in_the_ledger() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let (port, ill) = service().await;
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("good");
    std::fs::write(&flag, "").unwrap();
    let test = ["test", "-e", flag.to_str().unwrap()].map(str::to_owned);
    let bench = begin_with(primary.address(), &[&primary], 20, |plan| {
        let page = page(&format!("http://127.0.0.1:{port}/health")).unwrap();
        let watch = |name: &str, by| Watch {
            name: name.into(),
            by,
            every_ms: 100,
            deadline_ms: 1000,
        };
        plan.watches = vec![
            watch("app", WatchedBy::Http(page)),
            watch("check", WatchedBy::Run(test.to_vec())),
        ];
    })
    .await;
    sleep(ms(1000)).await;
    ill.store(true, Ordering::SeqCst);
    std::fs::remove_file(&flag).unwrap();
    sleep(ms(1000)).await;
    ill.store(false, Ordering::SeqCst);
    std::fs::write(&flag, "").unwrap();
    sleep(ms(1000)).await;
    let (said, ledger) = bench.end().await;
    for channel in ["app", "check"] {
        let slots = said.slots(channel);
        let good = |o| o == Outcome::Acknowledged;
        assert!(good(slots[0].outcome), "{channel}: {slots:?}");
        let bad = count(slots, |o| o == Outcome::Failed(ErrorClass::BadAnswer));
        assert!(bad >= 3, "{channel}: {slots:?}");
        let last = slots.iter().max_by_key(|slot| slot.k).unwrap();
        assert!(good(last.outcome), "{channel}: {slots:?}");
    }
    let mut writers = ledger.writers().values();
    assert!(writers.all(|keys| !["app", "check"].contains(&keys.channel.as_str())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_commit_as_durably_as_another_role() {
    // Nobody is that standby: a commit that waits for one waits for ever.
    let Some(primary) = TestServer::primary(&["synchronous_standby_names=nobody"]).await else {
        return;
    };
    let own = "set synchronous_commit = local; alter role postgres set synchronous_commit = local";
    primary.ask(own).await;
    primary.ask("create role probe login").await;
    super::ledger_table::prepare(&primary.address(), "probe")
        .await
        .unwrap();
    let writer = Address {
        user: "probe".into(),
        ..primary.address()
    };
    let servers = [&primary];
    let begin = |commit: Option<&'static str>| {
        begin_with(writer.clone(), &servers, 20, move |plan| {
            plan.synchronous_commit = commit.map(str::to_owned);
        })
    };
    let bench = begin(Some("local")).await;
    sleep(ms(800)).await;
    let (said, _) = bench.end().await;
    let slots = said.slots("writer_pinned");
    let good = count(slots, |o| o == Outcome::Acknowledged);
    assert!(good >= slots.len() / 2 && good > 0, "{slots:?}");

    primary.ask("delete from firedrill.ledger").await;
    let bench = begin(None).await;
    sleep(ms(1200)).await;
    let (said, _) = bench.end().await;
    let slots = said.slots("writer_pinned");
    let good = count(slots, |o| o == Outcome::Acknowledged);
    assert_eq!(good, 0, "the role's own setting waits: {slots:?}");
}

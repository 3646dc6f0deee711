//! The probes against a real server: undisturbed, frozen, and with its only synchronous standby gone.

use super::ledger_table;
use super::prober::Prober;
use super::{Limits, LoadPlan, NodeAccess};
use crate::clock::Clock;
use crate::event::plan_record::WorkloadRecord;
use crate::event::slots::{ErrorClass, Outcome, Slot, unpack};
use crate::event::{ChannelKind, ChannelRecord, Emitter, Event, Stamp};
use crate::sql::Address;
use crate::sql::test_server::TestServer;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) struct Bench {
    prober: Prober,
    events: UnboundedReceiver<(Stamp, Event)>,
    pub(super) clock: Clock,
    folder: tempfile::TempDir,
}

/// Everything that the probes said, by channel.
pub(super) struct Said {
    channels: BTreeMap<String, (ChannelRecord, Vec<Slot>)>,
    pub(super) serving: Vec<(String, Option<String>, u32)>,
    pub(super) others: Vec<Event>,
}

fn workload() -> WorkloadRecord {
    WorkloadRecord {
        fresh: (100, 500),
        writers: (20, 500),
        sessions: 4,
        stall_ms: None,
        on_deadline: "reopen".into(),
        reader: Some((100, 500, 1000)),
        nodes: (50, 500),
        stability_ms: 5000,
        background: None,
    }
}

/// A plan without a reader and without nodes.
fn plan(clock: Clock, writer: Address, sessions: u32, folder: &Path) -> LoadPlan {
    LoadPlan {
        extras: Vec::new(),
        watches: Vec::new(),
        durability_of: None,
        synchronous_commit: None,
        loss_unjudged: None,
        retention: Default::default(),
        run: "r1".into(),
        clock,
        workload: workload(),
        writers_every: None,
        writer,
        reader: None,
        nodes: Vec::new(),
        limits: Limits {
            sessions,
            commits_per_second: 100,
        },
        folder: folder.to_owned(),
    }
}

async fn begin(servers: &[&TestServer], sessions: u32) -> Bench {
    begin_through(servers[0].address(), servers, sessions).await
}

async fn begin_through(writer: Address, servers: &[&TestServer], sessions: u32) -> Bench {
    begin_with(writer, servers, sessions, |_| ()).await
}

/// The same with more in the plan.
pub(super) async fn begin_with(
    writer: Address,
    servers: &[&TestServer],
    sessions: u32,
    more: impl FnOnce(&mut LoadPlan),
) -> Bench {
    let primary = servers[0];
    ledger_table::prepare(&primary.address(), "postgres")
        .await
        .unwrap();
    let named: Vec<_> = servers
        .iter()
        .map(|server| (server.name().to_owned(), server.address()))
        .collect();
    ledger_table::wait_everywhere(&named, ms(5000))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::start();
    let access = |(name, address): &(String, Address)| NodeAccess {
        name: name.clone(),
        probe: address.clone(),
        observe: address.clone(),
        act: address.clone(),
    };
    let mut plan = plan(clock, writer, sessions, folder.path());
    plan.reader = Some(servers[servers.len() - 1].address());
    plan.nodes = named.iter().map(access).collect();
    more(&mut plan);
    let (emitter, events) = Emitter::channel();
    let prober = Prober::start(plan, emitter).await.unwrap();
    Bench {
        prober,
        events,
        clock,
        folder,
    }
}

impl Bench {
    pub(super) async fn end(self) -> (Said, super::ledger::Ledger) {
        self.end_keeping().await.0
    }

    /// Keeps the ledger's file, which the audit reads.
    async fn end_keeping(mut self) -> ((Said, super::ledger::Ledger), tempfile::TempDir) {
        let counted = self.prober.acknowledged();
        let ledger = self.prober.stop().await.unwrap();
        let mut said = Said {
            channels: BTreeMap::new(),
            serving: Vec::new(),
            others: Vec::new(),
        };
        let mut last = None;
        while let Ok((_, event)) = self.events.try_recv() {
            // What the observer says of its own lateness may come after the end.
            if !matches!(event, Event::ObserverLate(_)) {
                last = Some(event.clone());
            }
            match event {
                Event::MeasuringBegan(began) => {
                    for channel in began.channels {
                        said.channels
                            .insert(channel.name.clone(), (channel, Vec::new()));
                    }
                }
                Event::Slots(batch) => {
                    let (record, slots) = said.channels.get_mut(&batch.channel).unwrap();
                    slots.extend(unpack(&batch.packed, record.t0, record.period_us).unwrap());
                    for serving in batch.serving {
                        said.serving
                            .push((batch.channel.clone(), serving.node, serving.timeline));
                    }
                }
                other => said.others.push(other),
            }
        }
        assert_eq!(last, Some(Event::MeasuringEnded));
        let endpoint = said.channels.values().filter(|(record, _)| {
            matches!(
                record.kind,
                ChannelKind::WriterFresh
                    | ChannelKind::WriterPinned
                    | ChannelKind::EndpointFresh
                    | ChannelKind::EndpointPinned
            )
        });
        let good = |slots: &[Slot]| count(slots, |o| o == Outcome::Acknowledged) as u64;
        assert!(endpoint.map(|(_, slots)| good(slots)).sum::<u64>() >= counted);
        ((said, ledger), self.folder)
    }
}

impl Said {
    pub(super) fn slots(&self, channel: &str) -> &[Slot] {
        &self.channels[channel].1
    }
}

pub(super) fn count(slots: &[Slot], which: impl Fn(Outcome) -> bool) -> usize {
    slots.iter().filter(|slot| which(slot.outcome)).count()
}

/// Slots are dense: every tick is accounted for, sent or not.
pub(super) fn assert_dense(slots: &[Slot]) {
    let mut ks: Vec<u64> = slots.iter().map(|slot| slot.k).collect();
    ks.sort_unstable();
    assert!(ks.iter().copied().eq(0..ks.len() as u64), "{ks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undisturbed_everything_is_acknowledged_and_mapped() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let bench = begin(&[&primary, &standby], 20).await;
    sleep(ms(2000)).await;
    let (said, ledger) = bench.end().await;
    for channel in ["writer_fresh", "writer_pinned", "reader", "witness"] {
        let slots = said.slots(channel);
        // On a machine that is busy with other tests a server may be slow enough to leave no session free.
        let not_sent = count(slots, |o| o == Outcome::NotSent);
        assert!(not_sent <= slots.len() / 20, "{channel}: {slots:?}");
        let good = count(slots, |o| o == Outcome::Acknowledged);
        assert_eq!(good + not_sent, slots.len(), "{channel}: {slots:?}");
        assert_dense(slots);
    }
    assert!(said.slots("writer_pinned").len() >= 90);
    let asked = said.slots("node/node-2/pinned");
    assert!(asked.len() >= 30);
    let fine = |o| matches!(o, Outcome::InRecovery | Outcome::NotSent);
    assert_eq!(count(asked, |o| !fine(o)), 0);
    let own = said.slots("node/node-1/pinned");
    assert_eq!(own[0].outcome, Outcome::InRecovery, "it is asked first");
    let fine = |o| matches!(o, Outcome::Acknowledged | Outcome::NotSent);
    assert_eq!(count(own, |o| !fine(o)), 1);
    for (channel, node, timeline) in &said.serving {
        let expected = if channel == "reader" {
            "node-2"
        } else {
            "node-1"
        };
        assert_eq!(
            (node.as_deref(), *timeline),
            (Some(expected), 1),
            "{channel}"
        );
    }
    let odd = |event: &&Event| !matches!(event, Event::ObserverLate(_) | Event::MeasuringEnded);
    assert_eq!(said.others.iter().find(odd), None);

    let acknowledged: u64 = ledger
        .writers()
        .values()
        .map(|k| k.acknowledged.len())
        .sum();
    let rows = primary
        .ask("select count(*) from firedrill.ledger where run = 'r1'")
        .await;
    assert_eq!(rows, acknowledged.to_string());
    let ours =
        "select count(*) from pg_stat_activity where application_name = 'firedrill-r1-probe'";
    let mut held = primary.ask(ours).await;
    // The server notices a closed connection when its backend has the processor next.
    for _ in 0..50 {
        if held == "0" {
            break;
        }
        sleep(ms(100)).await;
        held = primary.ask(ours).await;
    }
    assert_eq!(held, "0", "stopping leaves no session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_leaves_doubt_and_then_serves_again() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let bench = begin(&[&primary], 24).await;
    sleep(ms(1000)).await;
    primary.signal_all(Signal::SIGSTOP);
    // Only now does the server stand still: it may answer what was sent a moment before.
    let from = bench.clock.now();
    sleep(ms(1500)).await;
    primary.signal_all(Signal::SIGCONT);
    let to = bench.clock.now();
    sleep(ms(1500)).await;
    let (said, ledger) = bench.end().await;

    let frozen = |slot: &&Slot| slot.sent > from && slot.sent < to.minus(ms(600));
    let pinned: Vec<Slot> = said
        .slots("writer_pinned")
        .iter()
        .filter(frozen)
        .copied()
        .collect();
    let doubt = Outcome::InDoubt(ErrorClass::StatementDeadline);
    // A statement that was under way when the server froze was sent before.
    let caught = count(said.slots("writer_pinned"), |o| o == doubt);
    assert!((4..=8).contains(&caught), "one on each session: {pinned:?}");
    assert!(count(&pinned, |o| o == Outcome::NotSent) > 10, "{pinned:?}");
    assert_eq!(count(&pinned, |o| o == Outcome::Acknowledged), 0);
    let fresh: Vec<Slot> = said
        .slots("writer_fresh")
        .iter()
        .filter(frozen)
        .copied()
        .collect();
    let startup = Outcome::Failed(ErrorClass::StartupDeadline);
    // Once many wait at the door of a server that stands still, it is knocked at less often.
    let expected = |o| o == startup || o == Outcome::NotSent;
    assert_eq!(count(&fresh, |o| !expected(o)), 0, "{fresh:?}");
    assert!(count(&fresh, |o| o == startup) >= 3, "{fresh:?}");
    let witness = said.slots("witness");
    assert!(
        witness
            .iter()
            .any(|slot| slot.outcome == Outcome::AcknowledgedLate),
        "{witness:?}"
    );
    for channel in ["writer_fresh", "writer_pinned"] {
        let slots = said.slots(channel);
        assert_dense(slots);
        let after = slots.iter().filter(|slot| slot.sent > to.plus(ms(700)));
        let after: Vec<Slot> = after.copied().collect();
        assert_eq!(
            count(&after, |o| o != Outcome::Acknowledged),
            0,
            "{after:?}"
        );
        assert!(!after.is_empty());
    }
    let doubts: u64 = ledger.writers().values().map(|k| k.in_doubt.len()).sum();
    assert!(doubts >= 5, "four pinned and the witness");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_synchronous_standby_the_server_is_not_filled() {
    let settings = ["max_connections=40", "superuser_reserved_connections=3"];
    let Some(primary) = TestServer::primary(&settings).await else {
        return;
    };
    let bench = begin(&[&primary], 16).await;
    sleep(ms(500)).await;
    let superuser = primary.session().await;
    let ask = ms(2000);
    superuser
        .query("alter system set synchronous_standby_names = 'gone'", ask)
        .await
        .unwrap();
    superuser
        .query("select pg_reload_conf()", ask)
        .await
        .unwrap();
    let ours = "select count(*), count(*) filter (where wait_event = 'SyncRep') \
                from pg_stat_activity where application_name = 'firedrill-r1-probe'";
    let mut most = 0;
    let mut waiting = 0;
    for _ in 0..40 {
        sleep(ms(100)).await;
        let row = superuser.query(ours, ask).await.unwrap().rows.remove(0);
        let number = |column: usize| row[column].as_deref().unwrap().parse::<usize>().unwrap();
        most = most.max(number(0));
        waiting = waiting.max(number(1));
    }
    assert!(waiting >= 8, "the fault is there: {waiting} wait");
    assert!(most <= 16, "{most} sessions under a limit of 16");
    primary
        .session()
        .await
        .query("select 1", ask)
        .await
        .expect("others still connect");

    // A cancelled wait comes back as a commit with a warning.
    let kept = "select count(pg_cancel_backend(pid)) from pg_stat_activity \
                where application_name = 'firedrill-r1-probe' and wait_event = 'SyncRep'";
    superuser.query(kept, ask).await.unwrap();
    sleep(ms(200)).await;
    superuser
        .query("alter system reset synchronous_standby_names", ask)
        .await
        .unwrap();
    superuser
        .query("select pg_reload_conf()", ask)
        .await
        .unwrap();
    let back = bench.clock.now();
    sleep(ms(2000)).await;
    let (said, _) = bench.end().await;
    let warned = Outcome::InDoubt(ErrorClass::ReplicationWarning);
    let witness = said.slots("witness");
    assert!(
        witness.iter().any(|slot| slot.outcome == warned),
        "{witness:?}"
    );
    let fresh = said.slots("writer_fresh");
    assert!(count(fresh, |o| o == Outcome::NotSent) > 10, "{fresh:?}");
    let later = fresh.iter().filter(|slot| slot.sent > back.plus(ms(1000)));
    let later: Vec<Slot> = later.copied().collect();
    assert_eq!(
        count(&later, |o| o != Outcome::Acknowledged),
        0,
        "{later:?}"
    );
    assert!(!later.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_begin_says_why() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::start();
    let mut plan = plan(clock, primary.address(), 5, folder.path());
    let (emitter, _events) = Emitter::channel();
    let error = Prober::start(plan.clone(), emitter.clone())
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"the probes need 11 sessions on one node, and `limits` allows 5; raise limits.sessions or lower workload.writers.sessions");
    plan.limits.sessions = 20;
    plan.writer.port = 1;
    let error = Prober::start(plan, emitter).await.unwrap_err();
    insta::assert_snapshot!(error, @"probe writer_pinned: Connection refused (os error 111)");
}

/// Leads clients to one port and, when that changes, closes the connections to the old one.
struct Router {
    to: tokio::sync::watch::Sender<u16>,
    port: u16,
}

impl Router {
    async fn to(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (to, changes) = tokio::sync::watch::channel(port);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut changes = changes.clone();
                let port = *changes.borrow_and_update();
                tokio::spawn(async move {
                    let server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
                    let Ok(mut server) = server else { return };
                    let _ = client.set_nodelay(true);
                    let _ = server.set_nodelay(true);
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = changes.changed() => {}
                    }
                });
            }
        });
        Self { to, port: own }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_the_new_primary_serves_and_the_lost_are_named() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let router = Router::to(primary.port).await;
    let mut writer = primary.address();
    writer.port = router.port;
    let bench = begin_through(writer, &[&primary, &standby], 20).await;
    sleep(ms(1000)).await;

    // Cut off from the primary: what is acknowledged from here on cannot survive.
    let flushed = primary
        .ask("select flush_lsn from pg_stat_replication")
        .await;
    let flushed = crate::sql::parse_lsn(&flushed).unwrap();
    standby.ask("alter system set primary_conninfo = ''").await;
    standby.ask("select pg_reload_conf()").await;
    sleep(ms(700)).await;
    primary.signal_all(Signal::SIGSTOP);
    // What was on its way when the server froze is read after it, on a busy machine much later.
    let read_by = bench.clock.now().plus(ms(500));
    // Long enough for every seat on the frozen node to be asked for.
    sleep(ms(1500)).await;
    standby.ask("select pg_promote()").await;
    let routed = bench.clock.now();
    router.to.send(standby.port).unwrap();
    // How soon is the machine's business; that it happens without help is the probes'.
    sleep(ms(3000)).await;
    let ((said, ledger), _folder) = bench.end_keeping().await;

    for channel in ["writer_fresh", "writer_pinned"] {
        let slots = said.slots(channel);
        assert_dense(slots);
        let served = |slot: &&Slot| slot.outcome == Outcome::Acknowledged && slot.settled > routed;
        assert!(
            slots.iter().any(|slot| served(&slot)),
            "{channel}: {slots:?}"
        );
        let now = (channel.to_owned(), Some(String::from("node-2")), 2);
        assert!(said.serving.contains(&now), "{:?}", said.serving);
    }
    let promoted = said.slots("node/node-2/pinned");
    assert!(count(promoted, |o| o == Outcome::InRecovery) > 10);
    assert!(count(promoted, |o| o == Outcome::Acknowledged) > 10);

    let nodes = [(String::from("node-2"), standby.address())];
    let history = [1, 2];
    let at_risk = Some(super::audit::AtRisk {
        above: flushed,
        timeline: 1,
        until: read_by,
    });
    let audited = super::audit::audit(&ledger, &standby.address(), &nodes, at_risk, &history).await;
    assert_eq!(audited.unjudged, None);
    let of_endpoints: Vec<_> = audited
        .writers
        .iter()
        .filter(|w| matches!(w.channel.as_str(), "writer_fresh" | "writer_pinned"))
        .collect();
    let lost: usize = of_endpoints.iter().map(|writer| writer.lost.len()).sum();
    assert!(
        lost >= 10,
        "half a second of commits was never sent to the standby"
    );
    assert!(audited.at_risk.unwrap() >= lost as u64, "{audited:?}");
    for writer in of_endpoints {
        assert!(writer.suffix, "{writer:?}");
        assert!(writer.phantom.is_empty() && writer.unexpected.is_empty());
        for commit in &writer.lost {
            assert_eq!(
                (commit.node.as_deref(), commit.timeline),
                (Some("node-1"), 1)
            );
            assert!(commit.acknowledged <= read_by);
        }
    }
}

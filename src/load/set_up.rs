//! Which channels there are, and opening everything that they hold before measuring begins.

use super::connect::{self, NoSession, Seated};
use super::control;
use super::evidence::Evidence;
use super::ledger::Ledger;
use super::ledger_file;
use super::prober::LoadError;
use super::probes::{Channel, Probes};
use super::reader::{self, Reading};
use super::room::Room;
use super::schedule::Schedule;
use super::slot_log::SlotLog;
use super::watch;
use super::writer::{self, Pin, Writing};
use super::{ExtraEndpoint, LoadPlan, Route};
use crate::event::{
    ChannelKind, ChannelRecord, Emitter, EndpointRecord, Event, MeasuringBegan, Stamp,
};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::task::spawn_local;

/// The witness writes this seldom: it is there to be stuck, not to load the server.
pub(super) const WITNESS_PERIOD_MS: u64 = 1000;
/// For opening what is held, before measuring.
const OPEN: Duration = Duration::from_secs(5);
/// From the last session opened to the first slot.
const LEAD: Duration = Duration::from_millis(20);
/// Channels begin this far apart, so that they do not all tick at the same moment.
const STAGGER: Duration = Duration::from_micros(1700);

/// The channels of a plan, before their first slots are due.
fn channels(plan: &LoadPlan) -> Vec<(ChannelRecord, Route)> {
    let work = &plan.workload;
    let mut found = Vec::new();
    let mut add = |name: String, kind, sessions, (period, deadline): (u64, u64), route| {
        let period_us = match kind {
            ChannelKind::WriterPinned => plan.writers_every().as_micros() as u64,
            _ => period * 1000,
        };
        if period_us == 0 {
            return;
        }
        let record = ChannelRecord {
            name,
            kind,
            sessions,
            t0: Stamp(0),
            period_us,
            deadline_us: deadline * 1000,
            stall_us: work.stall_ms.map(|ms| ms * 1000),
        };
        found.push((record, route));
    };
    let writer = Route::Writer;
    add(
        "writer_fresh".into(),
        ChannelKind::WriterFresh,
        0,
        work.fresh,
        writer,
    );
    if work.sessions > 0 {
        let name = "writer_pinned".into();
        add(
            name,
            ChannelKind::WriterPinned,
            work.sessions,
            work.writers,
            writer,
        );
    }
    let seldom = (WITNESS_PERIOD_MS, work.fresh.1);
    add("witness".into(), ChannelKind::Witness, 1, seldom, writer);
    if let (Some((period, deadline, _)), Some(_)) = (work.reader, &plan.reader) {
        let timing = (period, deadline);
        add(
            "reader".into(),
            ChannelKind::Reader,
            1,
            timing,
            Route::Reader,
        );
    }
    for (at, extra) in plan.extras.iter().enumerate() {
        let route = Route::Extra(at);
        let kinds: &[(ChannelKind, u64, u64)] = match extra.writes {
            true => &[
                (
                    ChannelKind::EndpointFresh,
                    ExtraEndpoint::FRESH_MS,
                    work.fresh.1,
                ),
                (
                    ChannelKind::EndpointPinned,
                    ExtraEndpoint::PINNED_MS,
                    work.writers.1,
                ),
            ],
            false => &[(
                ChannelKind::EndpointReader,
                ExtraEndpoint::FRESH_MS,
                work.fresh.1,
            )],
        };
        for (name, (kind, period, deadline)) in extra.channels().into_iter().zip(kinds) {
            let sessions = u32::from(*kind != ChannelKind::EndpointFresh);
            add(name, *kind, sessions, (*period, *deadline), route);
        }
    }
    for (at, watch) in plan.watches.iter().enumerate() {
        let timing = (watch.every_ms, watch.deadline_ms);
        add(
            watch.name.clone(),
            ChannelKind::Watch,
            0,
            timing,
            Route::Watch(at),
        );
    }
    for (node, access) in plan.nodes.iter().enumerate() {
        let route = Route::Node(node);
        let name = |how: &str| format!("node/{}/{how}", access.name);
        let pinned = (work.nodes.0, work.writers.1);
        add(name("pinned"), ChannelKind::NodePinned, 1, pinned, route);
        let fresh = (work.nodes.1, work.fresh.1);
        add(name("fresh"), ChannelKind::NodeFresh, 0, fresh, route);
    }
    found
}

/// What the target names beside writer and reader, for the reports.
fn endpoints(plan: &LoadPlan) -> Vec<EndpointRecord> {
    let extras = plan.extras.iter().map(|extra| EndpointRecord {
        name: extra.name.clone(),
        channels: extra.channels(),
        about: extra.about(),
        pooled: extra.pooled,
    });
    let watches = plan.watches.iter().map(|watch| EndpointRecord {
        name: watch.name.clone(),
        channels: vec![watch.name.clone()],
        about: watch.by.to_string(),
        pooled: false,
    });
    extras.chain(watches).collect()
}

/// What one channel holds when it begins.
enum Ready {
    Fresh(u32),
    Pinned(Vec<Rc<Pin>>),
    Reader(Option<Seated>),
    Watch,
}

/// Opens control sessions and held sessions, says `MeasuringBegan`, and sets all channels going.
pub(super) async fn begin(
    plan: LoadPlan,
    events: Emitter,
    acknowledged: Arc<AtomicU64>,
) -> Result<Rc<Probes>, LoadError> {
    let needed = plan.sessions_needed();
    if plan.limits.sessions < needed {
        let limit = plan.limits.sessions;
        return Err(LoadError::Limit { needed, limit });
    }
    let found = channels(&plan);
    let writing = match plan.clock.is_virtual() {
        true => ledger_file::Writing::AtOnce,
        false => ledger_file::Writing::Behind,
    };
    let ledger = Ledger::create(&plan.folder, &plan.run, writing)
        .map_err(|error| LoadError::Ledger(error.to_string()))?;
    let room = Room::new(plan.limits, plan.nodes.len());
    let logs = found.iter().map(|(record, _)| SlotLog::new(record.clone()));
    let logs = logs.collect();
    let probes = Rc::new(Probes::new(plan, events, ledger, room, logs, acknowledged));

    let mut controls = Vec::new();
    for (node, access) in probes.plan.nodes.iter().enumerate() {
        let session = control::open(&probes, node).await;
        let session = session.map_err(|error| LoadError::Session {
            channel: format!("control session of {}", access.name),
            cause: error.to_string(),
        })?;
        controls.push((node, session));
    }
    let mut ready = Vec::new();
    for (record, route) in &found {
        ready.push(prepare(&probes, record, *route).await?);
    }

    let t0 = probes.clock.now().plus(LEAD);
    let mut records = Vec::new();
    for (channel, (record, _)) in found.iter().enumerate() {
        let t0 = t0.plus(STAGGER * channel as u32);
        probes.begins(channel, t0);
        records.push(ChannelRecord {
            t0,
            ..record.clone()
        });
    }
    probes.emit(Event::MeasuringBegan(MeasuringBegan {
        channels: records.clone(),
        endpoints: endpoints(&probes.plan),
    }));
    for (node, session) in controls {
        spawn_local(control::run(Rc::clone(&probes), node, session));
    }
    for ((channel, ready), (record, (_, route))) in ready
        .into_iter()
        .enumerate()
        .zip(records.into_iter().zip(found))
    {
        set_going(&probes, channel, ready, &record, route);
    }
    Ok(probes)
}

async fn prepare(
    probes: &Rc<Probes>,
    record: &ChannelRecord,
    route: Route,
) -> Result<Ready, LoadError> {
    Ok(match record.kind {
        ChannelKind::WriterFresh | ChannelKind::EndpointFresh | ChannelKind::NodeFresh => {
            Ready::Fresh(probes.add_writer(&record.name))
        }
        // Loads are no channels of the probes.
        ChannelKind::Watch | ChannelKind::Load => Ready::Watch,
        ChannelKind::Reader | ChannelKind::EndpointReader => {
            Ready::Reader(Some(hold(probes, record, route).await?))
        }
        ChannelKind::WriterPinned
        | ChannelKind::EndpointPinned
        | ChannelKind::Witness
        | ChannelKind::NodePinned => {
            let mut pins = Vec::new();
            for _ in 0..record.sessions {
                let session = hold(probes, record, route).await?;
                let writer = probes.add_writer(&record.name);
                let asks_first = record.kind == ChannelKind::NodePinned;
                pins.push(Rc::new(Pin::new(writer, Some(session), asks_first)));
            }
            Ready::Pinned(pins)
        }
    })
}

/// Opens a session that a channel holds, and learns where its route leads.
async fn hold(probes: &Probes, record: &ChannelRecord, route: Route) -> Result<Seated, LoadError> {
    let failed = |cause: String| LoadError::Session {
        channel: record.name.clone(),
        cause,
    };
    // Before measuring there is nobody to take turns with.
    let seated = match connect::open(probes, (0, route), OPEN).await {
        Ok(seated) => seated,
        Err(NoSession::Failed(error)) => return Err(failed(error.to_string())),
        Err(NoSession::NoSeat) => return Err(failed("no session left under the limit".into())),
    };
    let said = seated.session.query(connect::who(), OPEN).await;
    let said = said.map_err(|error| failed(error.to_string()))?;
    let server = Evidence::server_of(&said);
    if let Some(node) = server.and_then(|server| probes.meet(&server, &record.name).1) {
        probes.leads_to(route, node);
        probes.room.borrow_mut().is_on(seated.ticket, node);
    }
    Ok(seated)
}

fn set_going(
    probes: &Rc<Probes>,
    channel: Channel,
    ready: Ready,
    record: &ChannelRecord,
    route: Route,
) {
    let probes = Rc::clone(probes);
    let period = Duration::from_micros(record.period_us);
    let deadline = Duration::from_micros(record.deadline_us);
    let ticks = Schedule::new(record.t0, period);
    let keep = match record.kind {
        ChannelKind::Witness | ChannelKind::NodePinned => true,
        ChannelKind::WriterPinned | ChannelKind::EndpointPinned => {
            probes.plan.workload.on_deadline == "keep"
        }
        ChannelKind::WriterFresh
        | ChannelKind::EndpointFresh
        | ChannelKind::NodeFresh
        | ChannelKind::Reader
        | ChannelKind::EndpointReader
        | ChannelKind::Watch
        | ChannelKind::Load => false,
    };
    let writing = Writing {
        channel,
        route,
        period,
        deadline,
        keep,
        silent_when_stuck: record.kind == ChannelKind::Witness,
    };
    match ready {
        Ready::Fresh(writer) => {
            spawn_local(writer::run_fresh(probes, writing, ticks, writer));
        }
        Ready::Pinned(pins) => {
            spawn_local(writer::run_pinned(probes, writing, ticks, pins));
        }
        Ready::Watch => {
            if let Route::Watch(at) = route
                && let Some(watch) = probes.plan.watches.get(at).cloned()
            {
                spawn_local(watch::run(probes, channel, watch, ticks));
            }
        }
        Ready::Reader(session) => {
            let stale_ms = probes
                .plan
                .workload
                .reader
                .map_or(u64::MAX, |(_, _, stale)| stale);
            let reading = Reading {
                channel,
                route,
                period,
                deadline,
                stale_ms,
            };
            spawn_local(reader::run(probes, reading, ticks, session));
        }
    }
}

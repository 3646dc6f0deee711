//! The state of a run as of the newest entry: the step, the nodes, the channels. Nothing is drawn here.

use super::service::{Service, Turn};
use crate::event::cluster::ClusterSeen;
use crate::event::plan_record::StepRecord;
use crate::event::slots::{self, SlotBatch};
use crate::event::{Entry, Event, Stamp};
use std::collections::{BTreeMap, BTreeSet};

/// What a view knows.
#[derive(Debug, Default)]
pub struct Picture {
    /// The newest stamp seen; entries are not strictly ordered by stamp.
    pub now: Stamp,
    /// The plan's steps.
    pub steps: Vec<StepRecord>,
    /// The running step: its index and when it began.
    pub step: Option<(usize, Stamp)>,
    /// The newest round of asking the nodes.
    pub cluster: Option<ClusterSeen>,
    /// The channels by name.
    pub channels: BTreeMap<String, Service>,
    /// What happens outside the steps, such as the audit.
    pub doing: Option<&'static str>,
    /// The channels whose commits count as those of clients; kept when measuring is over.
    pub writers: BTreeSet<String>,
    /// Somebody asked the run to stop.
    pub stopped: bool,
    /// A person is being asked.
    pub asking: bool,
}

impl Picture {
    /// Takes an entry; returns the turns of service that it brought, by channel.
    pub fn take(&mut self, entry: &Entry) -> Vec<(String, Turn)> {
        self.now = self.now.max(entry.at);
        match &entry.event {
            Event::RunBegan(began) => self.steps.clone_from(&began.plan.steps),
            Event::MeasuringBegan(began) => {
                let writers = began.channels.iter();
                self.writers = writers
                    .filter(|channel| channel.kind.is_client_writer())
                    .map(|channel| channel.name.clone())
                    .collect();
                self.channels = began
                    .channels
                    .iter()
                    .map(|channel| (channel.name.clone(), Service::new(channel.clone())))
                    .collect();
            }
            Event::MeasuringEnded => {
                // Probes stop now: their silence is no outage, and showing the last state would be a lie.
                self.channels.clear();
                if !self.stopped {
                    self.doing = Some("putting everything back, then comparing the ledger");
                }
            }
            Event::ClusterSeen(seen) | Event::SeenBeforeFault(seen) => {
                self.cluster = Some(seen.clone());
            }
            Event::StepBegan(began) => self.step = Some((began.index, entry.at)),
            Event::StepEnded(_) => {
                self.step = None;
                self.asking = false;
            }
            Event::Asked(_) => self.asking = true,
            Event::Answered(_) => self.asking = false,
            Event::StopAsked { .. } => {
                self.step = None;
                self.stopped = true;
                self.doing = Some("stopped: putting everything back");
            }
            Event::Slots(batch) => return self.slots(batch),
            _ => {}
        }
        Vec::new()
    }

    fn slots(&mut self, batch: &SlotBatch) -> Vec<(String, Turn)> {
        let Some(service) = self.channels.get_mut(&batch.channel) else {
            return Vec::new();
        };
        let (t0, period) = (service.channel.t0, service.channel.period_us);
        // A batch that does not decode is the log reader's finding; a view only shows nothing new.
        let slots = slots::unpack(&batch.packed, t0, period).unwrap_or_default();
        let clients = service.is_clients();
        let turns = slots.into_iter().filter_map(|slot| service.take(slot));
        let turns: Vec<Turn> = turns.collect();
        if !clients {
            return Vec::new();
        }
        turns
            .into_iter()
            .map(|turn| (batch.channel.clone(), turn))
            .collect()
    }

    /// The place of a step in the plan for people, such as "2/6", and its record.
    pub fn place(&self, id: &str) -> (String, Option<&StepRecord>) {
        let index = self.steps.iter().position(|step| step.id == id);
        match index {
            Some(index) => (
                format!("{}/{}", index + 1, self.steps.len()),
                self.steps.get(index),
            ),
            None => ("?".to_owned(), None),
        }
    }
}

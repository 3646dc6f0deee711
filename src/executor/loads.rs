//! The loads that the drill has set going and that go on beside its steps.

use crate::drill::clients::Load;
use crate::event::Emitter;
use crate::load::LoadPlan;
use crate::load::clients::Clients;
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// All of them. Dropping it closes every session of theirs.
#[derive(Debug)]
pub(super) struct Loads {
    plan: LoadPlan,
    emitter: Emitter,
    running: BTreeMap<String, Clients>,
    started: u32,
}

impl Loads {
    pub(super) fn new(plan: LoadPlan, emitter: Emitter) -> Self {
        Self {
            plan,
            emitter,
            running: BTreeMap::new(),
            started: 0,
        }
    }

    /// Sets the clients of a step going. In a later round of a `repeat` they take the place of those of the
    /// round before, so that rounds do not add up.
    ///
    /// # Errors
    /// When the target has no such endpoint.
    pub(super) async fn start(&mut self, id: &str, load: &Load) -> Result<(), String> {
        let of_any_round = id.split('#').next().unwrap_or(id).to_owned();
        if let Some(before) = self.running.remove(&of_any_round) {
            before.end().await;
        }
        let clients = Clients::start(id, self.started, load, &self.plan, self.emitter.clone())?;
        self.started += 1;
        self.running.insert(of_any_round, clients);
        Ok(())
    }

    /// The clients of a step.
    pub(super) fn of(&mut self, id: &str) -> Option<&mut Clients> {
        self.running.get_mut(id.split('#').next().unwrap_or(id))
    }

    /// Whether there ever were any.
    pub(super) fn any(&self) -> bool {
        self.started > 0
    }

    /// Ends all of them at the same time.
    pub(super) async fn end(&mut self) {
        let all = std::mem::take(&mut self.running).into_values();
        join_all(all.map(Clients::end)).await;
    }
}

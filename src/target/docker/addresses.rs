//! Where the nodes' containers are at the moment, as the engine said last.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Where a node's container is now: its address on each network that it is on.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<BTreeMap<String, String>>);

impl Addresses {
    /// Remembers what the engine says of it now.
    pub(super) fn set(&self, now: BTreeMap<String, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Its address on one network.
    pub(super) fn on(&self, network: &str) -> Option<String> {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.get(network).cloned()
    }

    /// All of them, that of `first` before the others.
    pub(super) fn all(&self, first: Option<&str>) -> Vec<String> {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(&String, &String)> = now.iter().collect();
        all.sort_by_key(|(network, _)| Some(network.as_str()) != first);
        all.into_iter()
            .map(|(_, address)| address.clone())
            .collect()
    }
}

//! Endpoints beside the writer and the reader, such as a pooler's, and the channels that probe them.

use crate::sql::Address;

/// An endpoint beside the writer and the reader.
#[derive(Clone, Debug)]
pub struct ExtraEndpoint {
    /// Its name in the target file.
    pub name: String,
    /// Where it is, as the probe's role.
    pub address: Address,
    /// It takes writes; else it is read from.
    pub writes: bool,
    /// A pooler stands there that gives each transaction another session.
    pub pooled: bool,
}

impl ExtraEndpoint {
    /// Period of its channel that connects anew: often enough to time it, seldom enough beside the writer
    /// endpoint's own channels.
    pub const FRESH_MS: u64 = 100;
    /// Period of the channel that holds a session.
    pub const PINNED_MS: u64 = 200;

    /// Its channels, as they are called in events and results.
    #[must_use]
    pub fn channels(&self) -> Vec<String> {
        Self::channels_of(&self.name, self.writes)
    }

    /// The channels of an endpoint of that name.
    #[must_use]
    pub fn channels_of(name: &str, writes: bool) -> Vec<String> {
        let ends: &[&str] = match writes {
            true => &["fresh", "pinned"],
            false => &["reader"],
        };
        ends.iter().map(|end| format!("{name}_{end}")).collect()
    }

    /// What it is, for people.
    #[must_use]
    pub fn about(&self) -> String {
        let pooler = match (self.pooled, self.writes) {
            (true, true) => ", a pooler in transaction mode: pinned means pinned to the pooler",
            (true, false) => ", a pooler in transaction mode",
            (false, _) => "",
        };
        format!("{}{pooler}", self.address)
    }
}

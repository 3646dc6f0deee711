//! What presses on a node without taking it down: its disk filled up, processes beside its server that take CPU time
//! or write, a clock that goes wrong.

use super::TargetError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// What is to press on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A file on the file system of its data.
    Fill {
        /// It is no larger than so many bytes; where more are free nothing is filled.
        at_most: u64,
        /// So many bytes are left free.
        leave: u64,
    },
    /// Processes that do nothing but count.
    Cpu {
        /// How many; without it one for each CPU that the node may use.
        workers: Option<NonZeroU32>,
        /// After this each of them ends by itself, whoever else is gone.
        expires: Duration,
    },
    /// Processes that write, and wait until it is on the disk, over and over.
    Io {
        /// How many; without it one for each CPU that the node may use.
        workers: Option<NonZeroU32>,
        /// After this each of them ends by itself, whoever else is gone.
        expires: Duration,
    },
    /// A step of the clock that its processes read.
    Clock {
        /// Milliseconds; negative where it goes back.
        by_ms: i64,
    },
}

/// What presses on a node, resolved: enough for another process to end it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressed {
    /// The node.
    pub node: String,
    /// In the name of each file of it and among the arguments of each process of it, and in nobody else's.
    pub mark: String,
    /// What it is.
    pub weight: Weight,
    /// Where its files lie, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Spot>,
    /// What was written where it writes, to stand there again afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// How much of what presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A file, in bytes.
    Fill {
        /// Its largest size.
        at_most: u64,
        /// What is left free.
        leave: u64,
        /// What was free before.
        free: u64,
    },
    /// Processes that take CPU time.
    Cpu {
        /// How many.
        workers: u32,
        /// After so many seconds each ends by itself.
        seconds: u64,
    },
    /// Processes that write.
    Io {
        /// How many.
        workers: u32,
        /// After so many seconds each ends by itself.
        seconds: u64,
    },
    /// A step of a clock, in milliseconds.
    Clock {
        /// By how much; negative where it goes back.
        by_ms: i64,
        /// What had been set there before, counted from the machine's clock.
        set_ms: i64,
        /// How far the server was ahead of this machine's clock before; negative where behind.
        ahead_ms: i64,
    },
}

/// Where files that press on a node lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// What their paths begin with, before the mark.
    pub stem: String,
    /// User and group that they belong to: the server's own.
    pub user: (u32, u32),
}

impl Pressed {
    /// What the paths of its files begin with; `None` where it has none.
    #[must_use]
    pub fn files(&self) -> Option<String> {
        let spot = self.spot.as_ref()?;
        // The dot ends the mark: the first of a run is no part of the tenth.
        Some(format!("{}{}.", spot.stem, self.mark))
    }
}

/// What is there of it now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PressureSeen {
    /// Bytes that the server has still free, of a file that fills its disk.
    pub free: Option<u64>,
    /// Processes that live.
    pub workers: u32,
    /// CPU time that they have taken.
    pub cpu: Duration,
    /// Bytes that they have sent to storage.
    pub written: u64,
    /// By how many milliseconds the server's clock has been stepped, where a clock was.
    pub stepped_ms: Option<i64>,
}

/// Pressing on a node, and having it free again.
#[async_trait]
pub trait Pressure: Send + Sync {
    /// Resolves what would be done, and refuses what would hit anybody but the node. Touches nothing.
    ///
    /// # Errors
    /// Why it is refused, and what to do.
    async fn resolve(&self, node: &str, wanted: Wanted) -> Result<Pressed, TargetError>;
    /// Does it.
    ///
    /// # Errors
    /// When it could not be carried out. Some of it may be there all the same.
    async fn press(&self, pressed: &Pressed) -> Result<(), TargetError>;
    /// What is there of it.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn pressing(&self, pressed: &Pressed) -> Result<PressureSeen, TargetError>;
    /// Ends its processes and removes its files, whether or not the node runs. Harmless where nothing is left.
    ///
    /// # Errors
    /// When it could not be carried out.
    async fn relieve(&self, pressed: &Pressed) -> Result<(), TargetError>;
    /// What is left of it; `None` where nothing is.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn pressing_still(&self, pressed: &Pressed) -> Result<Option<String>, TargetError>;
    /// Everything of this run that was not relieved yet, by the target's own word and no journal's.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn all_pressed(&self) -> Result<Vec<Pressed>, TargetError>;
}

//! A statement together with what it asks, so that a server that reads no SQL can answer it as well.
//!
//! The text is made where it is sent, and says how PostgreSQL is asked; [`Asks`] says what is wanted. A
//! simulated server goes by the latter alone and refuses a statement that has none, naming it: a question
//! that it does not know must never be answered with no rows.

use std::borrow::Cow;

/// Keys of one writer as inclusive ranges: (writer, first, last).
pub type KeyRanges = Vec<(u32, u64, u64)>;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    sql: Cow<'a, str>,
    asks: Option<Asks>,
}

impl<'a> Statement<'a> {
    /// The text, and what it asks.
    pub fn new(sql: impl Into<Cow<'a, str>>, asks: Asks) -> Self {
        Self {
            sql: sql.into(),
            asks: Some(asks),
        }
    }

    /// Its text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What it asks; `None` for a statement that only PostgreSQL understands.
    #[must_use]
    pub fn asks(&self) -> Option<&Asks> {
        self.asks.as_ref()
    }

    /// The same statement, borrowed.
    #[must_use]
    pub fn again(&self) -> Statement<'_> {
        Statement {
            sql: Cow::Borrowed(&self.sql),
            asks: self.asks.clone(),
        }
    }
}

/// A statement that only PostgreSQL understands.
impl<'a> From<&'a str> for Statement<'a> {
    fn from(sql: &'a str) -> Self {
        Self {
            sql: Cow::Borrowed(sql),
            asks: None,
        }
    }
}

/// A statement that only PostgreSQL understands.
impl<'a> From<&'a String> for Statement<'a> {
    fn from(sql: &'a String) -> Self {
        Self::from(sql.as_str())
    }
}

/// What firedrill asks of a server. The columns of the answers are those of the statements' texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Which server this is: address, port, start time.
    Who,
    /// Whether it is in recovery.
    InRecovery,
    /// One row for the ledger: `firedrill.tick()`.
    Tick {
        /// The run.
        run: String,
        /// The writer.
        writer: u32,
        /// Its key.
        seq: u64,
        /// When it is sent.
        sent_us: u64,
    },
    /// The newest row that is visible: `firedrill.newest()`.
    Newest {
        /// The run.
        run: String,
    },
    /// Who it is, `max_connections`, and the backends of an application.
    Backends {
        /// The application.
        application: String,
    },
    /// To end the sessions of an application: one row for each that was still there.
    EndSessions {
        /// The application.
        application: String,
    },
    /// Whether publications of whole schemas are known: a row where they are.
    KnowsSchemaPublications,
    /// Publications that would carry the ledger.
    Publications,
    /// `max_connections`, those reserved, those in use, and the role's own limit.
    Capacity {
        /// The role.
        role: String,
    },
    /// Whether the ledger is there.
    LedgerIsThere,
    /// To make the ledger.
    MakeLedger,
    /// To let a role write the ledger.
    LetIn {
        /// The role.
        role: String,
    },
    /// To remove the ledger.
    RemoveLedger,
    /// To delete a run's rows.
    Purge {
        /// The run.
        run: String,
    },
    /// To commit the barrier's row.
    Barrier {
        /// The run.
        run: String,
    },
    /// The position after the last commit.
    WritePosition,
    /// Per writer: how many rows outside some ranges, the smallest and the largest key.
    Counts {
        /// The run.
        run: String,
        /// The ranges that are left out.
        open: KeyRanges,
    },
    /// (writer, seq) of the rows inside some ranges.
    RowsIn {
        /// The run.
        run: String,
        /// The ranges.
        open: KeyRanges,
    },
    /// (writer, seq) of all rows but the barrier's.
    AllRows {
        /// The run.
        run: String,
    },
    /// Per writer and stretch of keys (a key without its lowest bits): how many rows, and how many of them
    /// outside some ranges.
    StretchCounts {
        /// The run.
        run: String,
        /// The ranges that are left out of the second number.
        open: KeyRanges,
        /// How many of a key's lowest bits are left out.
        bits: u32,
        /// The writers.
        among: Vec<u32>,
    },
    /// Everything that a node says of its role.
    Standing {
        /// With the primary's list of its standbys.
        standbys: bool,
    },
    /// The history file of a timeline.
    History {
        /// The timeline.
        timeline: u32,
    },
    /// To pause replay.
    PauseReplay,
    /// To resume replay.
    ResumeReplay,
    /// Whether replay is paused, in PostgreSQL's word.
    PauseState,
    /// A statement that a drill brought along.
    Brought(Brought),
    /// To be told of what others notify.
    Listen,
    /// To be answered after this long.
    Sleep {
        /// In milliseconds.
        ms: u64,
    },
}

/// What a statement of a drill's own is for, as far as that can be told without reading it: the drill file
/// says which one changes something, which one undoes that, and by which it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It makes the change whose check this is.
    Change {
        /// The check, by which the change is known.
        check: String,
    },
    /// It undoes the change whose check this is.
    Undo {
        /// The check.
        check: String,
    },
    /// It is a check: true while its change is not there.
    Check {
        /// The check.
        check: String,
    },
    /// It changes nothing.
    Question {
        /// The first value that the drill expects for an answer, where it expects one.
        expects: Option<String>,
    },
}

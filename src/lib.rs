//! firedrill breaks a replicated PostgreSQL on purpose, measures what clients saw until service was back,
//! proves which acknowledged commits survived, puts everything back, and says pass, fail, unknown or
//! invalid.
//!
//! The way of the data, which is also the order in which to read:
//!
//! | module | station |
//! |---|---|
//! | [`cli`] | one file per subcommand; the only place that sees both halves |
//! | [`drill`] | 1. what a person wrote |
//! | [`plan`] | 2. what will happen |
//! | [`target`], [`role`], [`sql`] | the outside world, who leads in it, how it is asked |
//! | [`fault`], [`undo`], [`recovery_action`] | what is broken, how it is put back, how service recovers |
//! | [`executor`] | 3. makes it happen |
//! | [`load`] | open-loop probes, the ledger and its audit |
//! | [`event`] | 4. the only words between the halves |
//! | [`measure`] | 5. numbers from events |
//! | [`verdict`] | 6. objectives judged |
//! | [`report`], [`live`], [`history`] | 7. what people and machines read |
//! | [`clock`] | the only place that reads time |
//! | [`condition`] | conditions in CEL |
//! | [`figures`], [`screen`] | how both halves write figures, and how wide |
//!
//! Everything up to `load` writes events, everything from `measure` on reads them, and neither side
//! imports the other (a test reads the `use` lines).

pub mod cli;
pub mod clock;
pub mod condition;
pub mod drill;
pub mod event;
pub mod executor;
pub mod fault;
pub mod figures;
pub mod history;
pub mod live;
pub mod load;
pub mod measure;
pub mod plan;
pub mod recovery_action;
pub mod report;
pub mod role;
pub mod screen;
pub mod sql;
pub mod target;
pub mod undo;
pub mod verdict;

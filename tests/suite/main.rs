//! Everything that is tested from outside: the built program, the documents, the shape of the source.
//!
//! One binary, so that it links once. A folder holds one kind of test:
//!
//! | folder | what is tested |
//! |---|---|
//! | structure.rs | the source keeps the shape that CONTRIBUTING.md promises |
//! | docker/ | the program on a cluster in containers, where one runs |
//! | documents/ | README, help and tables say what the program does |
//! | drill_files/ | wrong files are refused, with a message that helps |
//! | local/ | the program on a real throw-away cluster |
//! | simulated/ | every drill on simulated clusters, good and bad |
//! | interrupted/ | signals, closed terminals and dead runners |
//! | kept_texts.rs | what is kept for fuzzing goes through the program once |
//! | support/ | how a test starts the program; no test |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may end in the middle, and says what it measured"
)]

mod docker;
mod documents;
mod drill_files;
mod interrupted;
mod kept_texts;
mod local;
mod simulated;
mod structure;
mod support;

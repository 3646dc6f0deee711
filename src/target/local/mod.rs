//! The embedded target: a primary and its standbys on this machine, thrown away with their run.
//!
//! | file | what |
//! |---|---|
//! | settings.rs | what can be set |
//! | installation.rs, binaries.rs, download.rs | which PostgreSQL |
//! | account.rs, cluster_folder.rs | as whom it runs, and where |
//! | configuration.rs, server.rs, tools.rs, process_tree.rs, segment.rs | one server |
//! | node.rs, link.rs | a server and the ways to it |
//! | cluster.rs, start.rs | the nodes together |
//! | rejoin.rs, evidence.rs, wal_tail.rs, switch_over.rs | the ways back |
//! | router.rs, routes.rs, health.rs, agent.rs, decide.rs, stack.rs | firedrill's stand-ins for a stack |
//! | local_target.rs, primitives.rs | the target that drills see |

mod account;
pub mod agent;
mod binaries;
mod cluster;
mod cluster_folder;
mod configuration;
mod decide;
mod download;
pub mod emitter_slot;
mod evidence;
pub mod health;
mod installation;
pub mod link;
mod local_target;
mod node;
mod package_index;
mod primitives;
mod process_tree;
mod rejoin;
pub mod router;
pub mod routes;
mod segment;
mod server;
mod settings;
mod stack;
#[cfg(test)]
mod stack_tests;
mod start;
mod stillness;
mod switch_over;
mod tools;
mod unpack;
mod view;
mod wal_tail;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod test_cluster;
#[cfg(test)]
mod test_installation;
#[cfg(test)]
pub(crate) use segment::release;
#[cfg(test)]
pub(crate) use test_installation::test_installation;

pub use account::Account;
pub use binaries::{Installation, Search, search};
pub use cluster_folder::{plan_folder, sweep};
pub use local_target::{CAPABILITIES, LocalTarget};
pub use settings::{LocalSettings, Progress};

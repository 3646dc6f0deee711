//! A cluster in containers, by Docker Engine or Podman, under Patroni or with nobody who fails over but firedrill.
//!
//! | file | what |
//! |---|---|
//! | place.rs | where the engine is |
//! | client.rs | the engine's API; the only file that knows bollard |
//! | settings.rs | what is set, with its passwords |
//! | found.rs | which containers are the nodes, whether they may be drilled, how they were found |
//! | overview.rs | who leads now, for a plan |
//! | facts.rs | how they were found, as the journal keeps it |
//! | lock.rs | one drill at a time |
//! | inside.rs | a container beside each node, in its network, through which it is asked |
//! | hands.rs | containers that may change a network, or only send and listen there, or are on a node's volumes |
//! | sounding.rs | which ways packets pass |
//! | access.rs | a socket for each node, which leads there |
//! | addresses.rs | where the nodes are from outside |
//! | taking.rs | the cluster taken for a run, or reached again |
//! | docker_target.rs | the target that drills see |
//! | power.rs, processes.rs, network.rs, packets.rs, pressure.rs | what faults ask of it |
//! | disk.rs, stress.rs, clock.rs | disks that can be filled, processes beside a server, clocks that are not the machine's |
//! | shell.rs | what a shell in a container answers |
//! | lost.rs | which packets are lost, where no journal tells |
//! | parts.rs | what stands beside the nodes: the leader key's store, the router, the pooler |
//! | dcs.rs | which containers hold the leader key |
//! | sight.rs, recovery.rs | who leads and how service recovers, as far as the engine says or does it |
//! | stack.rs | the rest of that, which there are two of |
//! | routing.rs | where HAProxy sends writers |
//! | patroni_stack.rs, watcher.rs | Patroni leads and fails over |
//! | plain/ | PostgreSQL alone: firedrill promotes |
//!
//! It starts no cluster and removes none: what it changes on a container it found, it puts back.

mod access;
mod addresses;
mod client;
mod clock;
mod container;
mod dcs;
mod disk;
mod docker_target;
mod facts;
#[cfg(test)]
mod fake_engine;
mod found;
mod hands;
mod inside;
mod lock;
mod lost;
mod network;
mod overview;
mod packets;
mod parts;
mod patroni_stack;
mod place;
mod plain;
#[cfg(test)]
mod podman_tests;
mod power;
mod pressure;
mod processes;
mod recovery;
mod routing;
mod settings;
mod shell;
mod sight;
mod slowing;
mod sounding;
mod stack;
mod stress;
mod taking;
mod watcher;

pub use docker_target::DockerTarget;
pub use facts::Facts;
pub use found::{Candidates, Found, engine_here};
pub use lock::{LeftBehind, Owner};
pub use overview::Overview;
pub use routing::HaproxyAt;
pub use settings::{As, DockerSettings, PatroniAt};
pub use stack::StackKind;

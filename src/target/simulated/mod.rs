//! The simulated target: a scripted cluster in this process, under the runtime's virtual clock.
//!
//! It stands where servers and network would: [`crate::sql::Session`] is answered by it, and everything
//! above that is what runs against real servers, the local target's failover agent and the checks of its
//! router included. Nothing in it is measured, and everything that it says says so.
//!
//! | file | what |
//! |---|---|
//! | settings.rs | what can be set, and how the stack fails |
//! | rows.rs | the ledger's rows on one node, and the WAL that carries them |
//! | node.rs, backend.rs | one server and its sessions |
//! | state.rs, streaming.rs, deeds.rs | the servers together, replication, and what is done to them |
//! | statements.rs | what a server answers |
//! | simulation.rs, server.rs | who waits for what, and the ways to a server |
//! | stack.rs | what the agent and people do, as the chosen behaviour wants it |
//! | simulated_target.rs, primitives.rs | the target that drills see |

mod backend;
mod deeds;
mod node;
mod primitives;
mod rows;
mod server;
mod settings;
mod simulated_target;
mod simulation;
mod stack;
mod state;
mod statements;
mod streaming;
#[cfg(test)]
mod tests;

pub use settings::{Behaviour, SimulatedSettings};
pub use simulated_target::{CAPABILITIES, SimulatedTarget};

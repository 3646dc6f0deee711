//! Who is primary, and which node a drill means by a role.

#[cfg(feature = "docker")]
pub mod haproxy;
mod held;
pub mod history;
pub mod history_file;
mod node_ref;
pub mod patroni;
pub mod sql;

pub use held::Held;
pub use node_ref::NodeRef;

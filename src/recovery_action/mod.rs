//! What a person or a stack does to recover: promote, switch over, rejoin, restore redundancy.
//!
//! Each action says its stamps as acts, calls the target, and is believed only when the nodes themselves
//! say that it took effect. It undoes nothing and judges nothing.

mod acting;
pub mod promote;
pub mod rejoin;
pub mod restore_redundancy;
pub mod switch_over;
#[cfg(test)]
mod tests;

pub use acting::{Acting, ActionError};
pub use promote::promote;
pub use rejoin::rejoin;
pub use restore_redundancy::{bring_back, restore_redundancy};
pub use switch_over::switch_over;

//! A way into a node's own network, so that a node which is cut off, frozen or dead is still asked from where
//! it stands: for containers and pods, which share nothing with the machine that firedrill runs on.
//!
//! | file | what |
//! |---|---|
//! | program/ | what runs inside: a static program without dependencies, built by `build.rs`; no module of ours |
//! | frames.rs | what the two ends say to each other, compiled into both |
//! | mounts.rs | what is mounted where, read by the program |
//! | netlink.rs | what the program says to the kernel, compiled into our tests as well |
//! | queues.rs | the same, about what stands before an interface |
//! | tunnel.rs | the runner's end: carries a client's connection to a port inside |
//!
//! Only bytes are carried: the probes themselves stay in the runner and use a Unix socket as any other address. So
//! there is one clock, and nothing to relate to it; a password never leaves the runner; and nothing that is
//! measured depends on which target it is. What it costs is the way of each byte through the engine's own
//! stream, which the baseline of such a channel has as well; how much that is was not measured yet.

mod frames;
#[cfg(test)]
mod mounts;
#[cfg(test)]
mod mounts_tests;
#[cfg(test)]
mod netlink;
#[cfg(test)]
mod netlink_tests;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod queues_tests;
#[cfg(test)]
mod tests;
mod tunnel;

pub use tunnel::Tunnel;

/// The program for containers and pods of this machine's architecture; `None` where it could not be built.
#[must_use]
pub fn program() -> Option<&'static [u8]> {
    const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/firedrill-inside"));
    (!PROGRAM.is_empty()).then_some(PROGRAM)
}

/// Why [`program`] is missing, and what to do about it.
pub const MISSING: &str = "this firedrill was built without the program that runs inside a node's network; \
     rustup target add x86_64-unknown-linux-musl (or aarch64-…) and build it again";

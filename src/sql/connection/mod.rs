//! The words by which PostgreSQL's own clients are told where a server is: `postgresql://` URLs and
//! `key=value` texts (PostgreSQL documentation, "Connection Strings" and "Parameter Key Words").
//!
//! `Words` is what was written, checked word by word without touching a file; a [`Way`] is what it comes to
//! once service file, password file and certificates were read. Nothing here connects: that is
//! `wire.rs`'s. Environment variables such as PGHOST are not read, because a target file must mean the
//! same to everybody who runs it; those that only say where a file lies (PGSERVICEFILE, PGPASSFILE) are.

mod attributes;
mod certificates;
mod files;
mod hosts;
mod login;
mod pairs;
mod passfile;
mod service;
mod tls;
#[cfg(test)]
mod tls_tests;
mod url;
mod verifier;
mod way;
mod words;

pub use attributes::SessionAttributes;
pub use files::Files;
pub use hosts::Host;
pub use login::{Login, password_from_env, password_from_file};
pub use tls::{Negotiation, SslMode, Tls};
pub use way::{Binding, Way};
pub use words::{WordError, Words};

//! Which PostgreSQL the servers of a local cluster would run on, and as whom.

use super::finding::Finding;
use crate::target::local::{Account, Search, search};
use std::path::Path;

/// The account that the servers run under.
pub fn account(account: &Account) -> Finding {
    let found = account
        .notice()
        .unwrap_or_else(|| format!("servers run as you, {}", account.name));
    Finding::ok("user", found)
}

/// Whether that account may pass through a folder below which its files will lie.
pub fn passable(about: &'static str, folder: &Path, account: &Account) -> Option<Finding> {
    let closed = account.barred_from(folder)?;
    let closed = closed.display();
    Some(Finding::fail(
        about,
        format!(
            "{closed} is closed to {}, as whom the servers run",
            account.name
        ),
        format!("chmod o+x {closed}, or set TMPDIR to an open folder"),
    ))
}

/// The installation that would be used; nothing is downloaded.
pub fn installation(account: &Account) -> Finding {
    const INSTALL: &str = "install PostgreSQL 14 or newer to work without the network";
    let about = "postgresql";
    if std::env::var_os("FIREDRILL_PG_SOURCE").is_some_and(|source| source == "download") {
        return Finding::ok(about, "downloaded, as FIREDRILL_PG_SOURCE says");
    }
    match search(None, &|name| std::env::var_os(name), account) {
        Ok(Search::Found(found)) => {
            Finding::ok(about, format!("{}, {}", found.version, found.found))
        }
        Ok(Search::Nothing(passed)) => {
            let mut found =
                String::from("none installed; one is downloaded once, by the first run");
            for why in passed {
                found.push_str("; ");
                found.push_str(&why);
            }
            Finding::warn(about, found, INSTALL)
        }
        Err(error) => Finding::fail(about, error.to_string(), INSTALL),
    }
}

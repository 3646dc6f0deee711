//! Which PostgreSQL a cluster runs on: an installed one, else a downloaded one.

use super::account::Account;
use super::binaries::{self, Installation, OLDEST, Search};
use super::download;
use super::settings::Progress;
use crate::target::TargetError;
use std::path::Path;
use tokio::sync::mpsc;

/// Finds PostgreSQL, or fetches it once into the user's cache. FIREDRILL_PG_SOURCE=download passes over what
/// is installed.
///
/// # Errors
/// When an explicitly named one cannot be used, or none is installed and none can be fetched; the text says
/// what to install.
pub async fn find(
    bin: Option<&Path>,
    account: &Account,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Installation, TargetError> {
    let env = |name: &str| std::env::var_os(name);
    let download_only =
        bin.is_none() && env("FIREDRILL_PG_SOURCE").is_some_and(|it| it == "download");
    let passed_over = if download_only {
        vec!["FIREDRILL_PG_SOURCE=download passes over what is installed".to_owned()]
    } else {
        match binaries::search(bin, &env, account)? {
            Search::Found(found) => return Ok(found),
            Search::Nothing(passed_over) => passed_over,
        }
    };
    for line in &passed_over {
        progress(Progress::Doing(line.clone()));
    }
    let account = account.clone();
    let (tell, mut told) = mpsc::unbounded_channel();
    let fetching = tokio::task::spawn_blocking(move || {
        let mut shown = |done, total| drop(tell.send(Progress::Downloading { done, total }));
        download::fetch(&account, &|name| std::env::var_os(name), &mut shown)
    });
    while let Some(step) = told.recv().await {
        progress(step);
    }
    match fetching.await {
        Ok(Ok(installation)) => Ok(installation),
        Ok(Err(error)) => Err(nothing(&passed_over, &error.to_string())),
        Err(error) => Err(nothing(&passed_over, &error.to_string())),
    }
}

/// The error of a machine without PostgreSQL.
fn nothing(passed_over: &[String], why: &str) -> TargetError {
    let looked = match passed_over {
        [] => String::new(),
        lines => format!(" ({})", lines.join("; ")),
    };
    TargetError::new(
        "find PostgreSQL",
        format!(
            "no PostgreSQL {OLDEST} or newer is installed here{looked}, and none could be downloaded: \
             {why}. Install one with its server programs (Debian, Ubuntu: apt install postgresql; Fedora: \
             dnf install postgresql-server; macOS: brew install postgresql), or set FIREDRILL_PG_BIN to \
             the folder of its programs"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_to_install() {
        let passed = ["PostgreSQL 13.4 at /opt/pg/bin is too old".to_owned()];
        let error = nothing(&passed, "fetch https://mirror.test/simple: host not found");
        insta::assert_snapshot!(error, @"find PostgreSQL: no PostgreSQL 14 or newer is installed here (PostgreSQL 13.4 at /opt/pg/bin is too old), and none could be downloaded: fetch https://mirror.test/simple: host not found. Install one with its server programs (Debian, Ubuntu: apt install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql), or set FIREDRILL_PG_BIN to the folder of its programs");
    }
}

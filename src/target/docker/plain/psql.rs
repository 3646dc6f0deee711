//! PostgreSQL asked by `psql` inside its container, over its own socket and as the system user that it runs as. No
//! password is needed where that user is let in, so that a run can be put back by anybody who may use the engine.

use crate::event::cluster::Standing;
use crate::role::sql;
use crate::target::docker::client::Engine;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The number of the user whose server runs in a container.
const USER: &str = "for d in /proc/[0-9]*; do \
     { IFS= read -r n < $d/comm; } 2>/dev/null || continue; \
     case $n in postgres|postmaster) exec stat -c %u $d;; esac; \
     done; echo 'no server of PostgreSQL runs in it'; exit 1";

/// Asks the server that runs in a container: the one process whose number stands in the postmaster.pid of the folder
/// that it works in. Rows on standard output, or what psql complained of.
const ASK: &str = "for d in /proc/[0-9]*; do \
     { { read -r pid && read -r data && read -r began && read -r port && read -r dir; } \
       < $d/cwd/postmaster.pid; } 2>/dev/null || continue; \
     [ \"$pid\" = \"${d#/proc/}\" ] || continue; \
     exec 3>&1; \
     said=$(PGCONNECT_TIMEOUT=5 psql -XAtq -v ON_ERROR_STOP=1 -F \"$1\" -h \"$dir\" -p \"$port\" \
       -U \"${POSTGRES_USER:-$(id -un)}\" -d postgres -c \"$2\" 2>&1 >&3) && exit 0; \
     echo \"$said\"; exit 1; \
     done; echo 'no server of PostgreSQL runs in it'; exit 1";

/// Between two columns: nothing that PostgreSQL says here has it.
const COLUMN: &str = "\u{1f}";

/// Asks servers inside their containers.
#[derive(Debug, Default)]
pub(super) struct Psql {
    /// As which system user each container's server runs.
    users: Mutex<BTreeMap<String, String>>,
}

impl Psql {
    /// What a node is.
    pub(super) async fn standing(
        &self,
        engine: &Engine,
        container: &str,
        limit: Duration,
    ) -> Standing {
        let statement = sql::whole_statement();
        let asked = self.ask(engine, container, statement.sql(), limit);
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(row)) => sql::of_row(row),
            Ok(Err(why)) => Standing::Silent { why },
            Err(_) => Standing::Silent {
                why: format!("no answer in {} ms", limit.as_millis()),
            },
        }
    }

    /// One row of one statement.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn ask(
        &self,
        engine: &Engine,
        container: &str,
        sql: &str,
        limit: Duration,
    ) -> Result<Vec<Option<String>>, String> {
        let user = self.user(engine, container, limit).await?;
        let command = ["sh", "-c", ASK, "sh", COLUMN, sql];
        let said = engine.exec_as(&user, container, &command, limit).await;
        match said {
            Ok((text, 0)) => Ok(columns(&text)),
            Ok((text, _)) => Err(format!("psql in its container: {}", text.trim())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn known(&self, container: &str) -> Option<String> {
        let known = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(container).cloned()
    }

    /// The system user that a container's server runs as; it does not change.
    async fn user(
        &self,
        engine: &Engine,
        container: &str,
        limit: Duration,
    ) -> Result<String, String> {
        if let Some(user) = self.known(container) {
            return Ok(user);
        }
        let said = engine.exec(container, &["sh", "-c", USER], limit).await;
        let user = match said {
            Ok((text, 0)) if text.trim().bytes().all(|each| each.is_ascii_digit()) => {
                text.trim().to_owned()
            }
            Ok((text, _)) => return Err(text.trim().to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let mut known = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(container.to_owned(), user.clone());
        Ok(user)
    }
}

/// The columns of a row; an empty one is NULL.
fn columns(text: &str) -> Vec<Option<String>> {
    let row = text.trim_end_matches(['\r', '\n']);
    let columns = row.split(COLUMN);
    columns
        .map(|column| (!column.is_empty()).then(|| column.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_with_its_empty_columns_and_its_broken_lines() {
        let row = columns("f\u{1f}\u{1f}[[\"a\"], \n [\"b\"]]\n");
        let owned = |text: &str| Some(text.to_owned());
        assert_eq!(row, [owned("f"), None, owned("[[\"a\"], \n [\"b\"]]")]);
        assert_eq!(columns("\n"), [None]);
    }

    #[test]
    fn what_psql_prints_of_the_statement_is_what_a_session_reads() {
        let text = "f\u{1f}00000003\u{1f}\u{1f}83886080\u{1f}\u{1f}f\u{1f}\u{1f}[[\"b\", \"streaming\", \"async\", 83886080, 83886000]]\n";
        let Standing::Primary {
            timeline: 3,
            lsn: 83_886_080,
            standbys,
        } = sql::of_row(columns(text))
        else {
            panic!("a primary");
        };
        assert_eq!(
            (standbys[0].name.as_str(), standbys[0].flushed),
            ("b", Some(83_886_080))
        );
        let text = "t\u{1f}\u{1f}3\u{1f}9\u{1f}8\u{1f}t\u{1f}f\u{1f}\n";
        let expected = Standing::Standby {
            timeline: Some(3),
            received: Some(9),
            replayed: Some(8),
            streaming: true,
            paused: false,
        };
        assert_eq!(sql::of_row(columns(text)), expected);
    }
}

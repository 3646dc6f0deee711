//! What the nodes say of themselves before anything is taken: that they are one cluster, and under which name each
//! streams. They are asked in the way in which whoever puts a dead run back will ask them, so that this is known to
//! work before anything is broken.

use super::PlainStack;
use super::psql::Psql;
use crate::target::TargetError;
use crate::target::docker::client::{Container, Engine};
use crate::target::docker::found::{add_version, refused, some_at_a_time, version_of};
use crate::target::docker::stack::Looked;
use std::sync::Arc;
use std::time::Duration;

/// How long one node may take to answer.
const ASK: Duration = Duration::from_secs(10);

/// Version, cluster, and the name under which it streams now or would: that of `primary_conninfo`, else what
/// PostgreSQL falls back to.
const WHO: &str = "SELECT current_setting('server_version_num'), \
     (SELECT system_identifier FROM pg_control_system()), \
     substring(current_setting('primary_conninfo', true) from \
       'application_name[[:space:]]*=[[:space:]]*''?([^''[:space:]&]+)'), \
     nullif(current_setting('cluster_name', true), '')";

impl PlainStack {
    /// Asks every node's PostgreSQL who it is.
    ///
    /// # Errors
    /// When one does not say it, or they are no cluster; the text says what to do.
    pub(in crate::target::docker) async fn look(
        engine: &Engine,
        nodes: &[(&Container, &str)],
    ) -> Result<Looked, TargetError> {
        let psql = Psql::default();
        let mut versions = Vec::new();
        let mut members: Vec<String> = Vec::new();
        let mut cluster: Option<(String, &str)> = None;
        let asked = nodes
            .iter()
            .map(|node| psql.ask(engine, &node.0.id, WHO, ASK));
        let answers = some_at_a_time(asked).await;
        for ((_, name), said) in nodes.iter().zip(answers) {
            let said = said.map_err(|why| {
                refused(format!(
                    "{name} does not say who it is: {why}; a run that dies is put back without a password, so \
                     psql must get in inside the container as the user that PostgreSQL runs as (in pg_hba.conf: \
                     local all all peer, or trust)"
                ))
            })?;
            let [number, system, streams_as, cluster_name] = said.as_slice() else {
                return Err(refused(format!(
                    "{name} does not say who it is: its answer is of an unknown shape"
                )));
            };
            let number = number.as_deref().and_then(|text| text.parse().ok());
            let version = version_of(number.unwrap_or_default());
            add_version(&mut versions, "PostgreSQL", &version);
            let system = system.clone().unwrap_or_default();
            match &cluster {
                Some((first, of)) if *first != system => {
                    return Err(refused(format!(
                        "{of} and {name} are no copies of each other (system identifiers {first} and {system}): \
                         name the nodes of one cluster"
                    )));
                }
                _ => cluster = Some((system, *name)),
            }
            let member = streams_as.as_ref().or(cluster_name.as_ref());
            // One that never streamed says nothing; it is taken to call itself what people call it.
            members.push(member.map_or_else(|| (*name).to_owned(), String::clone));
        }
        let mut sorted: Vec<&String> = members.iter().collect();
        sorted.sort_unstable();
        if let Some(same) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(refused(format!(
                "two nodes stream under the name {}, so that nobody could tell which one does: give each its own \
                 application_name in primary_conninfo, or its own cluster_name",
                same[0]
            )));
        }
        Ok(Looked {
            members,
            versions,
            stack: Arc::new(Self::new(psql, false)),
        })
    }
}

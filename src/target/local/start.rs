//! From nothing to a cluster that streams.
//!
//! Standbys begin as a copy of the primary's files taken before its first start, which is a clean backup
//! of a server that is down. It is quicker than a base backup, so that all nodes start at once.

use super::account::Account;
use super::cluster::{Cluster, Passwords};
use super::cluster_folder::ClusterFolder;
use super::configuration::{DATABASE, PEER, PROBE};
use super::node::Node;
use super::server::{Server, free_port, random_password};
use super::settings::{LocalSettings, Progress};
use super::stack::Stack;
use super::tools::{Tools, run_to_end};
use crate::clock::Clock;
use crate::sql::{Address, Session};
use crate::target::TargetError;
use futures_util::future::try_join_all;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// How long the standbys may take to stream.
const STREAM: Duration = Duration::from_secs(30);
/// How long one statement of the set-up may take.
const STATEMENT: Duration = Duration::from_secs(20);
/// What initdb notes as the primary's `max_connections`, whatever is configured (postgresql.conf's default).
const INITDB_CONNECTIONS: u32 = 100;
const COPY: Duration = Duration::from_secs(60);

/// Makes the cluster's files and links and starts all nodes. On failure everything is removed again.
///
/// # Errors
/// When any part of it fails; the cause carries PostgreSQL's own words.
pub async fn start(
    settings: &LocalSettings,
    installation: super::binaries::Installation,
    account: Account,
    run: &str,
    clock: Clock,
    stack: &Stack,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Cluster, TargetError> {
    let folder = ClusterFolder::create(run, &account)?;
    let tools = Tools {
        installation,
        account,
        folder: folder.path().to_path_buf(),
    };
    let cluster = match lay_out(settings, tools, folder, run, clock, stack) {
        Ok(cluster) => cluster,
        Err((folder, error)) => return Err(with_removal(folder.remove(), error)),
    };
    match bring_up(&cluster, progress).await {
        Ok(()) => Ok(cluster),
        Err(error) => Err(with_removal(cluster.folder.remove(), error)),
    }
}

/// The first error decides; what could not be removed is added to it.
fn with_removal(removed: Result<String, TargetError>, error: TargetError) -> TargetError {
    match removed {
        Ok(_) => error,
        Err(left) => TargetError::new(error.what, format!("{}; and {left}", error.cause)),
    }
}

/// Everything that can be decided before a program runs: ports, links, passwords.
fn lay_out(
    settings: &LocalSettings,
    tools: Tools,
    folder: ClusterFolder,
    run: &str,
    clock: Clock,
    stack: &Stack,
) -> Result<Cluster, (ClusterFolder, TargetError)> {
    let lay = || -> std::io::Result<(Vec<Node>, Passwords, std::path::PathBuf)> {
        let mut nodes: Vec<Node> = Vec::new();
        for name in settings.nodes() {
            let port = loop {
                let port = free_port()?;
                if nodes.iter().all(|node| node.server.port() != port) {
                    break port;
                }
            };
            let data = folder.make_folder(&name)?;
            let server = Server::new(&name, tools.clone(), data, port);
            nodes.push(Node::new(server, stack.handle())?);
        }
        let passwords = Passwords {
            act: random_password()?,
            probe: random_password()?,
            peer: random_password()?,
        };
        let line = format!("*:*:*:{PEER}:{}\n", passwords.peer.reveal());
        let passfile = folder.write_private("peers.pgpass", &line)?;
        Ok((nodes, passwords, passfile))
    };
    match lay() {
        Ok((nodes, passwords, passfile)) => Ok(Cluster {
            run: run.to_owned(),
            clock,
            settings: settings.clone(),
            tools,
            folder,
            nodes,
            router: OnceLock::new(),
            passwords,
            passfile,
        }),
        Err(error) => Err((folder, TargetError::new("lay out the cluster", error))),
    }
}

async fn bring_up(
    cluster: &Cluster,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), TargetError> {
    let Some((primary, standbys)) = cluster.nodes.split_first() else {
        return Err(TargetError::new("start the cluster", "it has no nodes"));
    };
    progress(Progress::Doing(format!(
        "making {} nodes with PostgreSQL {}",
        cluster.nodes.len(),
        cluster.tools.installation.version
    )));
    let private = |error: std::io::Error| TargetError::new("hand initdb its password", error);
    let password = cluster
        .folder
        .write_private("initdb.password", cluster.passwords.act.reveal())
        .map_err(private)?;
    let made = primary.server.initdb(&password).await;
    std::fs::remove_file(&password).map_err(private)?;
    made?;
    cluster.configure(primary, false)?;
    if cluster.settings.max_connections < INITDB_CONNECTIONS {
        primary.server.take_on_configuration().await?;
    }
    for standby in standbys {
        copy_folder(&cluster.tools, primary.server.data(), standby.server.data()).await?;
        cluster.configure(standby, true)?;
        standby.stream_from(primary);
    }
    progress(Progress::Doing(format!(
        "starting {} nodes",
        cluster.nodes.len()
    )));
    try_join_all(cluster.nodes.iter().map(|node| node.server.start())).await?;
    progress(Progress::Doing(
        "making roles and the ledger's database".to_owned(),
    ));
    make_roles(cluster, primary).await?;
    progress(Progress::Doing(
        "waiting for the standbys to stream".to_owned(),
    ));
    try_join_all(
        standbys
            .iter()
            .map(|standby| cluster.wait_streaming(standby, STREAM)),
    )
    .await?;
    Ok(())
}

/// Copies a data directory of a server that is down into an empty folder, sharing blocks where the file
/// system can.
///
/// # Errors
/// When it fails, as on a full disk.
pub async fn copy_folder(tools: &Tools, from: &Path, to: &Path) -> Result<(), TargetError> {
    let mut command = Command::new("cp");
    command
        .args(["--archive", "--reflink=auto"])
        // The folder's content: the folder itself belongs to the account already.
        .arg(from.join("."))
        .arg(to)
        .current_dir(&tools.folder)
        .stdin(std::process::Stdio::null());
    tools.account.apply(&mut command);
    let what = format!("copy {} to {}", from.display(), to.display());
    run_to_end(&what, command, COPY).await.map(|_| ())
}

/// The roles of probes and peers, and the ledger's database.
async fn make_roles(cluster: &Cluster, primary: &Node) -> Result<(), TargetError> {
    let what = "make the roles and the database";
    let failed = |error| TargetError::new(what, error);
    let address = Address {
        database: "template1".to_owned(),
        ..cluster.as_act(primary.server.port())
    };
    let session = Session::connect(&address, STATEMENT)
        .await
        .map_err(failed)?;
    // A statement that fails would be logged with its password. Nobody waits for a standby here: it may
    // not stream yet, and cannot log in before its role exists.
    let settings = "SET log_min_error_statement = 'panic'; SET synchronous_commit = 'local'";
    session.query(settings, STATEMENT).await.map_err(failed)?;
    let roles = format!(
        "CREATE ROLE {PROBE} LOGIN PASSWORD '{}'; \
         CREATE ROLE {PEER} LOGIN REPLICATION PASSWORD '{}'",
        cluster.passwords.probe.reveal(),
        cluster.passwords.peer.reveal(),
    );
    session.query(&roles, STATEMENT).await.map_err(failed)?;
    // A copy of the template's files costs a tenth of the whole start; the empty database is there already.
    session
        .query(
            &format!("ALTER DATABASE postgres RENAME TO {DATABASE}"),
            STATEMENT,
        )
        .await
        .map_err(failed)?;
    // What pg_rewind calls on its source (pg_rewind documentation, "Notes"), in the database it connects to.
    let session = Session::connect(&cluster.as_act(primary.server.port()), STATEMENT)
        .await
        .map_err(failed)?;
    let grants = format!(
        "SET synchronous_commit = 'local'; \
         GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean) TO {PEER}; \
         GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean) TO {PEER}; \
         GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO {PEER}; \
         GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO {PEER}"
    );
    session.query(&grants, STATEMENT).await.map_err(failed)?;
    Ok(())
}

//! What a run on containers is set to: the target file's words with their files read. It connects to nothing.

use super::routing::HaproxyAt;
use crate::drill::docker_file::NodesFile;
use crate::role::patroni;
use crate::sql::connection::{Files, Login, WordError, Words};
use crate::sql::{Address, Secret};
use crate::target::Part;

/// A role of the database, and where its password is.
#[derive(Clone, Debug)]
pub struct As {
    /// The role.
    pub user: String,
    /// Its password, where one is given.
    pub password: Option<Secret>,
    /// The password file that is asked otherwise; a node goes by its own name there.
    pub passfile: Option<std::path::PathBuf>,
}

/// How Patroni is asked.
#[derive(Clone, Debug)]
pub struct PatroniAt {
    /// Port of its REST interface.
    pub port: u16,
    /// As whom it is asked to act.
    pub login: patroni::Login,
    /// Roles are compared with what PostgreSQL itself says.
    pub compare: bool,
}

/// What a run on containers is set to.
#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// The engine that the file names.
    pub engine: Option<String>,
    /// Which containers are nodes.
    pub nodes: NodesFile,
    /// What stands beside them.
    pub parts: Vec<(Part, NodesFile)>,
    /// Networks by which clients, and the other nodes, reach a node.
    pub networks: Option<(String, String)>,
    /// How Patroni is asked, where it fails over; without it firedrill does.
    pub patroni: Option<PatroniAt>,
    /// Where HAProxy tells to whom it sends clients.
    pub haproxy: Option<HaproxyAt>,
    /// PostgreSQL's port inside a container.
    pub port: u16,
    /// The writer endpoint.
    pub writer: Address,
    /// The reader endpoint.
    pub reader: Option<Address>,
    /// Who probes nodes.
    pub probe: As,
    /// Who looks at nodes.
    pub observe: As,
    /// Who acts on nodes, where the file names one.
    pub act: Option<As>,
    /// Where passwords are looked up.
    pub files: Files,
}

impl DockerSettings {
    /// The role's login at a node, which is reached at `host` and `port`.
    ///
    /// # Errors
    /// A password file that cannot be used.
    pub(super) fn address(
        &self,
        of: &As,
        node: &str,
        host: &str,
        port: u16,
    ) -> Result<Address, WordError> {
        let database = &self.writer.database;
        let password = match &of.password {
            Some(password) => Some(password.clone()),
            None => {
                let login = Login {
                    user: Some(of.user.clone()),
                    database: Some(database.clone()),
                    passfile: of.passfile.clone(),
                    ..Login::default()
                };
                let words = Words::parse(&format!("host={node} port={}", self.port))?;
                let address = words.resolve(&self.files, &login)?;
                let of_host = address
                    .way
                    .and_then(|way| way.hosts.first()?.password.clone());
                address.password.or(of_host)
            }
        };
        Ok(Address {
            host: host.to_owned(),
            port,
            user: of.user.clone(),
            password,
            database: database.clone(),
            application: String::new(),
            simulated: None,
            way: None,
        })
    }
}

//! From the words of a target file to what a run on containers is set to: connection strings and passwords with
//! their files read. Connects to nothing.

use super::extras;
use crate::cli::failure::Failure;
use crate::drill::CheckedTarget;
use crate::drill::docker_file::{AddressFile, Docker, RoleSourceFile};
use crate::drill::identity_file::{IdentityFile, PasswordFile};
use crate::sql::connection::{
    Files, Login, WordError, Words, password_from_env, password_from_file,
};
use crate::sql::{Address, Secret};
use crate::target::docker::{As, DockerSettings, HaproxyAt, PatroniAt};
use std::path::PathBuf;

/// What a file of this kind sets.
///
/// # Errors
/// A connection string, or a file that it names, that cannot be used.
pub fn settings(docker: &Docker, checked: &CheckedTarget) -> Result<DockerSettings, Failure> {
    let files = Files::of_user(&checked.folder);
    let identities = &checked.target.identities;
    let probe = identities.probe.as_ref();
    let writer = endpoint("writer", &docker.endpoints.writer, &files, probe)?;
    let reader = docker.endpoints.reader.as_ref();
    let reader = reader.map(|reader| endpoint("reader", reader, &files, probe));
    let as_probe = of_identity("probe", probe, &writer, &files)?;
    let observe = identities.observe.as_ref();
    let act = identities.act.as_ref();
    let observe = match observe.or(act) {
        Some(identity) => of_identity("observe", Some(identity), &writer, &files)?,
        None => as_probe.clone(),
    };
    let act = act.map(|act| of_identity("act", Some(act), &writer, &files));
    let patroni = patroni_of(docker, &files)?;
    Ok(DockerSettings {
        engine: docker.engine.clone(),
        nodes: docker.nodes.clone(),
        parts: docker.parts(),
        networks: docker
            .networks
            .as_ref()
            .map(|networks| (networks.clients.clone(), networks.peers.clone())),
        patroni,
        haproxy: docker.haproxy.as_ref().map(|at| HaproxyAt {
            stats: at.stats.clone(),
            proxy: at.proxy.clone(),
        }),
        port: docker.port,
        probe: as_probe,
        observe,
        act: act.transpose()?,
        reader: reader.transpose()?,
        writer,
        files,
    })
}

fn endpoint(
    name: &str,
    file: &AddressFile,
    files: &Files,
    identity: Option<&IdentityFile>,
) -> Result<Address, Failure> {
    let address = || {
        let words = Words::parse(&file.url)?;
        let words = match &file.hostaddr {
            Some(hostaddr) => words.at(hostaddr)?,
            None => words,
        };
        let mut login = Login {
            user: identity.and_then(|identity| identity.user.clone()),
            ..Login::default()
        };
        (login.password, login.passfile) = password(identity, files)?;
        words.resolve(files, &login)
    };
    address().map_err(|error| extras::about(&format!("endpoint {name}"), &error))
}

fn password(
    identity: Option<&IdentityFile>,
    files: &Files,
) -> Result<(Option<Secret>, Option<PathBuf>), WordError> {
    Ok(
        match identity.and_then(|identity| identity.password.as_ref()) {
            Some(PasswordFile::Env(name)) => (Some(password_from_env(name)?), None),
            Some(PasswordFile::File(path)) => (Some(password_from_file(files, path)?), None),
            Some(PasswordFile::Passfile(path)) => (None, Some(path.clone())),
            None => (None, None),
        },
    )
}

/// An identity at a node: its own user, else the writer's.
fn of_identity(
    name: &str,
    identity: Option<&IdentityFile>,
    writer: &Address,
    files: &Files,
) -> Result<As, Failure> {
    let user = identity.and_then(|identity| identity.user.clone());
    let user = user.unwrap_or_else(|| writer.user.clone());
    let (password, passfile) = password(identity, files)
        .map_err(|error| extras::about(&format!("identity {name}"), &error))?;
    let of_writer = || {
        (user == writer.user)
            .then(|| writer.password.clone())
            .flatten()
    };
    Ok(As {
        password: password.or_else(of_writer),
        passfile,
        user,
    })
}

/// How Patroni is asked, where the file names it.
fn patroni_of(docker: &Docker, files: &Files) -> Result<Option<PatroniAt>, Failure> {
    let Some(file) = docker.patroni() else {
        return Ok(None);
    };
    let identity = IdentityFile {
        user: file.user.clone(),
        password: file.password.clone(),
    };
    let (password, _) =
        password(Some(&identity), files).map_err(|error| extras::about("patroni", &error))?;
    Ok(Some(PatroniAt {
        port: file.port,
        login: file.user.clone().zip(password),
        compare: docker.roles.contains(&RoleSourceFile::Sql),
    }))
}

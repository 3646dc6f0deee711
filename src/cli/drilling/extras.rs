//! From the endpoints and watches of a target file to what the probes are given: connection strings with
//! their files read, pages and commands. Connects to nothing.

use crate::cli::failure::Failure;
use crate::drill::CheckedTarget;
use crate::drill::endpoint_file::{EndpointFile, PoolFile, WatchFile};
use crate::drill::identity_file::{IdentityFile, PasswordFile};
use crate::load::{ExtraEndpoint, Watch, WatchedBy, page};
use crate::sql::Address;
use crate::sql::connection::{
    Files, Login, WordError, Words, password_from_env, password_from_file,
};

/// The endpoints and watches of a target. Where a connection string names no user or database, it means
/// those of the writer endpoint.
///
/// # Errors
/// A connection string, a file that it names, or a URL that cannot be used.
pub fn of_file(
    checked: &CheckedTarget,
    writer: &Address,
) -> Result<(Vec<ExtraEndpoint>, Vec<Watch>), Failure> {
    let files = Files::of_user(&checked.folder);
    let identity = checked.target.identities.probe.as_ref();
    let endpoints = checked.target.endpoints.iter().map(|(name, file)| {
        let address = address(file, &files, identity, writer);
        let address = address.map_err(|error| about(&format!("endpoint {name}"), &error))?;
        Ok(ExtraEndpoint {
            name: name.clone(),
            address,
            writes: file.writes,
            pooled: file.pool == Some(PoolFile::Transaction),
        })
    });
    let endpoints: Result<Vec<_>, Failure> = endpoints.collect();
    let watches = checked.target.watch.iter();
    let watches: Result<Vec<_>, Failure> = watches.map(|(name, file)| watch(name, file)).collect();
    Ok((endpoints?, watches?))
}

/// What is wrong with the words of something, and what helps.
pub(super) fn about(what: &str, error: &WordError) -> Failure {
    let failure = Failure::usage(format!("{what}: {error}"));
    match error.help() {
        Some(help) => failure.hint(help),
        None => failure,
    }
}

fn address(
    file: &EndpointFile,
    files: &Files,
    identity: Option<&IdentityFile>,
    writer: &Address,
) -> Result<Address, WordError> {
    let words = Words::parse(&file.url)?;
    let words = match &file.hostaddr {
        Some(hostaddr) => words.at(hostaddr)?,
        None => words,
    };
    words.resolve(files, &login(&words, files, identity, writer)?)
}

/// As whom to log in: the words' own user, else the identity's, else the writer's; with the identity's
/// password, else the writer's where it is the same user.
fn login(
    words: &Words,
    files: &Files,
    identity: Option<&IdentityFile>,
    writer: &Address,
) -> Result<Login, WordError> {
    // A service may name the user, which is only known once its file is read.
    let says = words.get("user").is_some() || words.get("service").is_some();
    let named = identity.and_then(|identity| identity.user.clone());
    let user = named.or_else(|| (!says).then(|| writer.user.clone()));
    let mut login = Login {
        database: Some(writer.database.clone()),
        ..Login::default()
    };
    match identity.and_then(|identity| identity.password.as_ref()) {
        Some(PasswordFile::Env(name)) => login.password = Some(password_from_env(name)?),
        Some(PasswordFile::File(path)) => login.password = Some(password_from_file(files, path)?),
        Some(PasswordFile::Passfile(path)) => login.passfile = Some(path.clone()),
        None if user.as_ref() == Some(&writer.user) => login.password.clone_from(&writer.password),
        None => {}
    }
    login.user = user;
    Ok(login)
}

fn watch(name: &str, file: &WatchFile) -> Result<Watch, Failure> {
    let by = match (&file.http, &file.run) {
        (Some(url), _) => {
            let page = page(url);
            WatchedBy::Http(page.map_err(|why| Failure::usage(format!("watch {name}: {why}")))?)
        }
        (None, run) => WatchedBy::Run(run.clone().unwrap_or_default()),
    };
    Ok(Watch {
        name: name.to_owned(),
        by,
        every_ms: file.period().as_ms(),
        deadline_ms: file.deadline.as_ms(),
    })
}

//! What a connection string comes to once its files were read: servers, passwords, encryption.

use super::attributes::SessionAttributes;
use super::files::{self, Files};
use super::hosts::{Host, hosts};
use super::login::Login;
use super::passfile::{self, Whom};
use super::service;
use super::tls::{SslMode, Tls};
use super::words::{WordError, Words};
use crate::sql::{Address, Secret};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Whether the password's proof is bound to the encrypted channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Never.
    Disable,
    /// Where the server offers it.
    Prefer,
    /// Always, so that nobody stands between.
    Require,
}

/// How a server is reached where host and port alone do not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The servers, in the order in which they are tried; at least one.
    pub hosts: Vec<Host>,
    /// Encryption.
    pub tls: Tls,
    /// Channel binding.
    pub binding: Binding,
    /// The limit for one address, where there is one.
    pub connect_timeout: Option<Duration>,
    /// Which server is wanted.
    pub attributes: SessionAttributes,
}

impl Words {
    /// The address that the words come to. A password that `login` gives counts for its own user only;
    /// without one the service file and then the password file are asked.
    ///
    /// # Errors
    /// A file that cannot be used, or a user or host that nobody names.
    pub fn resolve(&self, files: &Files, login: &Login) -> Result<Address, WordError> {
        let words = match self.get("service") {
            None => self.clone(),
            Some(name) => {
                let service = service::look_up(name, self.get("servicefile"), files)?;
                let words = self.clone().or(service);
                words.fit_together()?;
                words
            }
        };
        let said = words.get("user").map(str::to_owned);
        let Some(user) = said.clone().or_else(|| login.user.clone()) else {
            return Err(WordError::Contradiction(
                "no user is named: add user=… or an identity".to_owned(),
            ));
        };
        let database = words.get("dbname").map(str::to_owned);
        // As in libpq, a database that nobody names is the user's.
        let database = database.or_else(|| login.database.clone());
        let database = database.unwrap_or_else(|| user.clone());
        let is_login = said.is_none() || login.user.is_none() || said == login.user;
        let given = login.password.clone().filter(|_| is_login);
        let password = given.or_else(|| words.get("password").map(Secret::new));
        let mut hosts = hosts(&words)?;
        if password.is_none() {
            let named = match &login.passfile {
                Some(path) => Some(files.path(&path.to_string_lossy())),
                None => words.get("passfile").map(|written| files.path(written)),
            };
            ask_passfile(named, files, &mut hosts, &database, &user)?;
        }
        let tls = Tls::of(&words, files)?;
        if tls.mode == SslMode::VerifyFull && hosts.iter().any(|host| host.name.is_none()) {
            return Err(WordError::Contradiction(
                "sslmode=verify-full verifies a name, and there is only hostaddr: add host"
                    .to_owned(),
            ));
        }
        let first = hosts
            .first()
            .map(|host| (host.reached_at().to_owned(), host.port));
        let (host, port) = first.unwrap_or_default();
        let seconds = words
            .get("connect_timeout")
            .and_then(|text| text.trim().parse().ok());
        let way = Way {
            tls,
            binding: match words.get("channel_binding") {
                Some("disable") => Binding::Disable,
                Some("require") => Binding::Require,
                _ => Binding::Prefer,
            },
            connect_timeout: seconds.filter(|s| *s > 0).map(Duration::from_secs),
            attributes: SessionAttributes::of(words.get("target_session_attrs")),
            hosts,
        };
        Ok(Address {
            host,
            port,
            user,
            password,
            database,
            application: String::new(),
            way: Some(Arc::new(way)),
            simulated: None,
        })
    }
}

/// Each host's password from the password file: the named one, PGPASSFILE or `~/.pgpass`.
fn ask_passfile(
    named: Option<PathBuf>,
    files: &Files,
    hosts: &mut [Host],
    database: &str,
    user: &str,
) -> Result<(), WordError> {
    let usual = || files.pass_file.clone().or_else(|| files.in_home(".pgpass"));
    let Some(path) = named.clone().or_else(usual) else {
        return Ok(());
    };
    if named.is_none() && !path.is_file() {
        return Ok(());
    }
    let text = files::read_secret("passfile", &path)?;
    for host in hosts {
        // As in libpq: the name where there is one, and a socket's usual folder is this host.
        let name = host
            .name
            .clone()
            .unwrap_or_else(|| host.reached_at().to_owned());
        let usual = ["/var/run/postgresql", "/tmp"].contains(&name.as_str());
        host.password = passfile::find(
            &text,
            Whom {
                host: if usual { "localhost" } else { &name },
                port: host.port,
                database,
                user,
            },
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn keep(folder: &Path, name: &str, text: &str, mode: u32) {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn files(folder: &Path) -> Files {
        Files {
            base: folder.into(),
            home: Some(folder.into()),
            ..Files::default()
        }
    }

    fn resolve(text: &str, folder: &Path) -> Result<Address, WordError> {
        Words::parse(text)?.resolve(&files(folder), &Login::default())
    }

    #[test]
    fn passwords_come_from_where_libpq_looks() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        keep(
            at,
            ".pgpass",
            "a:5432:*:probe:for-a\nb:*:*:*:for-b\n",
            0o600,
        );
        keep(at, "other.pass", "*:*:*:*:other\n", 0o600);
        keep(
            at,
            ".pg_service.conf",
            "[orders]\nhost=a\nuser=probe\npassword=of-service\n",
            0o644,
        );
        let password = |host: &Host| host.password.as_ref().map(|p| p.reveal().to_owned());

        let both = resolve("host=a,b user=probe", at).unwrap();
        let way = both.way.clone().unwrap();
        let found: Vec<_> = way.hosts.iter().map(password).collect();
        assert_eq!(found, [Some("for-a".into()), Some("for-b".into())]);
        assert_eq!(both.to_string(), "probe@a:5432,b:5432/probe");
        assert!(
            !format!("{both:?}").contains("for-"),
            "no password is shown"
        );

        let named = resolve("host=x user=u passfile=other.pass", at).unwrap();
        assert_eq!(password(&named.way.unwrap().hosts[0]), Some("other".into()));

        let service = resolve("service=orders dbname=shop", at).unwrap();
        assert_eq!(service.password, Some(Secret::new("of-service")));
        assert_eq!(
            (service.host.as_str(), service.database.as_str()),
            ("a", "shop")
        );

        let login = Login {
            user: Some("probe".into()),
            password: Some(Secret::new("given")),
            database: Some("firedrill".into()),
            passfile: None,
        };
        let words = Words::parse("host=a").unwrap();
        let given = words.resolve(&files(at), &login).unwrap();
        assert_eq!(given.to_string(), "probe@a:5432/firedrill");
        assert_eq!(given.password, Some(Secret::new("given")));
        let other = Words::parse("host=a user=somebody").unwrap();
        let other = other.resolve(&files(at), &login).unwrap();
        assert_eq!(other.password, None, "the password is another user's");
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        keep(at, "open.pass", "*:*:*:*:secret\n", 0o644);
        keep(at, "no.pem", "no certificate\n", 0o600);
        let said = |text: &str| {
            let error = resolve(text, at).unwrap_err().to_string();
            error.replace(&at.display().to_string(), "FOLDER")
        };
        let all = [
            "host=a",
            "user=u",
            "host=a user=u passfile=open.pass",
            "host=a user=u passfile=missing.pass",
            "host=a user=u service=orders",
            "host=a user=u sslmode=verify-ca",
            "host=a user=u sslrootcert=missing.pem",
            "host=a user=u sslrootcert=no.pem",
            "host=a user=u sslcert=no.pem",
            "host=a user=u sslkey=no.pem",
            "hostaddr=127.0.0.1 user=u sslmode=verify-full sslrootcert=system",
        ];
        insta::assert_snapshot!(all.map(said).join("\n"), @r#"
        no user is named: add user=… or an identity
        no host is named, and firedrill does not guess which server it shall write to
        passfile FOLDER/open.pass: can be read by others; chmod 600 keeps it to you
        passfile FOLDER/missing.pass: No such file or directory (os error 2)
        service orders is named, and there is no service file: neither PGSERVICEFILE nor ~/.pg_service.conf
        sslmode verifies the server, and no authority is named: add sslrootcert=FILE, or sslrootcert=system
        sslrootcert FOLDER/missing.pem: No such file or directory (os error 2)
        sslrootcert FOLDER/no.pem: holds no certificate in PEM form
        there is a client certificate FOLDER/no.pem, and no sslkey
        sslkey is named and sslcert is not
        sslmode=verify-full verifies a name, and there is only hostaddr: add host
        "#);
    }
}

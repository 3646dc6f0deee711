//! Every mode of encryption against a real server, with certificates that are good and bad.

use super::{Files, Login, Words};
use crate::event::slots::ErrorClass;
use crate::sql::test_server::TestServer;
use crate::sql::{Secret, Session, SqlError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// An authority, with its certificate in `NAME.pem`.
fn authority(folder: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    write(&folder.join(format!("{name}.pem")), &certificate.pem());
    Issuer::new(params, key)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A certificate and key in `FILE.crt` and `FILE.key`.
fn signed(folder: &Path, file: &str, common: &str, names: &[&str], by: &Issuer<'_, KeyPair>) {
    keep(folder, file, common, names, Some(by), 2099);
}

fn keep(
    folder: &Path,
    file: &str,
    common: &str,
    names: &[&str],
    by: Option<&Issuer<'_, KeyPair>>,
    until: i32,
) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = match by {
        Some(by) => {
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            params.signed_by(&key, by).unwrap()
        }
        // As `openssl req -x509` makes them: its own authority.
        None => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(&key).unwrap()
        }
    };
    write(&folder.join(format!("{file}.crt")), &certificate.pem());
    write(&folder.join(format!("{file}.key")), &key.serialize_pem());
}

const HBA: &str = "host all postgres 127.0.0.1/32 trust\n\
                   hostssl all only_tls 127.0.0.1/32 trust\n\
                   hostnossl all only_plain 127.0.0.1/32 trust\n\
                   hostssl all certified 127.0.0.1/32 cert\n\
                   host all bound 127.0.0.1/32 scram-sha-256\n";

/// A server whose certificate the test chooses, and a folder of certificates.
struct Encrypted {
    server: TestServer,
    /// The server's own files.
    of_server: tempfile::TempDir,
    /// The client's.
    files: tempfile::TempDir,
}

impl Encrypted {
    async fn start() -> Option<Self> {
        let files = tempfile::tempdir().unwrap();
        let of_server = tempfile::tempdir().unwrap();
        let good = authority(files.path(), "good");
        let other = authority(files.path(), "other");
        signed(
            files.path(),
            "server",
            "pg",
            &["db.test", "127.0.0.1"],
            &good,
        );
        signed(files.path(), "certified", "certified", &[], &good);
        signed(files.path(), "stranger", "certified", &[], &other);
        keep(
            files.path(),
            "expired",
            "pg",
            &["db.test"],
            Some(&good),
            2020,
        );
        keep(files.path(), "itself", "db.test", &[], None, 2099);
        let at = |name: &str| of_server.path().join(name);
        write(&at("hba.conf"), HBA);
        let copy = |from: &str, to: &str| {
            write(
                &at(to),
                &std::fs::read_to_string(files.path().join(from)).unwrap(),
            );
            TestServer::hand_over(&at(to));
        };
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", at("server.crt").display()),
            format!("ssl_key_file={}", at("server.key").display()),
            format!("ssl_ca_file={}", at("good.pem").display()),
            format!("hba_file={}", at("hba.conf").display()),
        ];
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        // Without a server there is no account to hand the files to.
        crate::target::local::test_installation()?;
        if !TestServer::has_tls() {
            return None;
        }
        for (from, to) in [("server.crt", "server.crt"), ("server.key", "server.key")] {
            copy(from, to);
        }
        copy("good.pem", "good.pem");
        TestServer::hand_over(&at("hba.conf"));
        TestServer::hand_over(of_server.path());
        let server = TestServer::primary(&settings).await?;
        for role in ["only_tls", "only_plain", "certified", "bound"] {
            server.ask(&format!("create role {role} login")).await;
        }
        server
            .ask("alter role bound password 'bound to the channel'")
            .await;
        Some(Self {
            server,
            of_server,
            files,
        })
    }

    /// From now on the server shows another certificate.
    async fn shows(&self, file: &str) {
        for end in ["crt", "key"] {
            let from = self.files.path().join(format!("{file}.{end}"));
            let to = self.of_server.path().join(format!("server.{end}"));
            std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
        }
        self.server.ask("select pg_reload_conf()").await;
        // New sessions get it once the postmaster has read it.
        let read = "select pg_conf_load_time() > now() - interval '10 s'";
        assert_eq!(self.server.ask(read).await, "t");
    }

    async fn connect(&self, words: &str) -> Result<Session, SqlError> {
        let files = Files {
            base: self.files.path().into(),
            home: None,
            service_file: None,
            pass_file: None,
        };
        let text = format!("port={} dbname=postgres {words}", self.server.port);
        let login = Login {
            password: Some(Secret::new("bound to the channel")),
            ..Login::default()
        };
        let address = Words::parse(&text)
            .unwrap()
            .resolve(&files, &login)
            .unwrap();
        Session::connect(&address, 5 * SECOND).await
    }

    /// "tls", "plain", or the class and words of the error.
    async fn said(&self, words: &str) -> String {
        match self.connect(words).await {
            Err(error) => format!("{}: {error}", error.class.name()),
            Ok(session) => {
                let ask =
                    "select ssl, pg_backend_pid() from pg_stat_ssl where pid = pg_backend_pid()";
                let row = session.query(ask, SECOND).await.unwrap().rows.remove(0);
                assert_eq!(row[1], Some(session.backend().to_string()), "{words}");
                if row[0].as_deref() == Some("t") {
                    "tls"
                } else {
                    "plain"
                }
                .to_owned()
            }
        }
    }

    async fn table(&self, cases: &[&str]) -> String {
        let mut lines = Vec::new();
        for case in cases {
            lines.push(format!("{case}\n    {}", self.said(case).await));
        }
        lines
            .join("\n")
            .replace(&self.server.port.to_string(), "PORT")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_takes_what_libpq_takes_and_refuses_what_libpq_refuses() {
    let Some(server) = Encrypted::start().await else {
        return;
    };
    let cases = [
        "host=127.0.0.1 user=postgres sslmode=disable",
        "host=127.0.0.1 user=postgres sslmode=allow",
        "host=127.0.0.1 user=postgres",
        "host=127.0.0.1 user=only_tls sslmode=disable",
        "host=127.0.0.1 user=only_tls sslmode=allow",
        "host=127.0.0.1 user=only_plain sslmode=prefer",
        "host=127.0.0.1 user=only_plain sslmode=require",
        "host=127.0.0.1 user=only_tls sslmode=require",
        "host=127.0.0.1 user=only_tls sslmode=require sslrootcert=good.pem",
        "host=127.0.0.1 user=only_tls sslmode=require sslrootcert=other.pem",
        "host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-ca sslrootcert=good.pem",
        "host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-ca sslrootcert=other.pem",
        "host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem",
        "host=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem ssl_max_protocol_version=TLSv1.2",
        "host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem",
        "host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=other.pem",
    ];
    insta::assert_snapshot!(server.table(&cases).await, @r#"
    host=127.0.0.1 user=postgres sslmode=disable
        plain
    host=127.0.0.1 user=postgres sslmode=allow
        plain
    host=127.0.0.1 user=postgres
        tls
    host=127.0.0.1 user=only_tls sslmode=disable
        auth: FATAL: no pg_hba.conf entry for host "127.0.0.1", user "only_tls", database "postgres", no encryption
    host=127.0.0.1 user=only_tls sslmode=allow
        tls
    host=127.0.0.1 user=only_plain sslmode=prefer
        plain
    host=127.0.0.1 user=only_plain sslmode=require
        auth: FATAL: no pg_hba.conf entry for host "127.0.0.1", user "only_plain", database "postgres", SSL encryption
    host=127.0.0.1 user=only_tls sslmode=require
        tls
    host=127.0.0.1 user=only_tls sslmode=require sslrootcert=good.pem
        tls
    host=127.0.0.1 user=only_tls sslmode=require sslrootcert=other.pem
        tls: error performing TLS handshake: invalid peer certificate: UnknownIssuer
    host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-ca sslrootcert=good.pem
        tls
    host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-ca sslrootcert=other.pem
        tls: error performing TLS handshake: invalid peer certificate: UnknownIssuer
    host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem
        tls
    host=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem ssl_max_protocol_version=TLSv1.2
        tls
    host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem
        tls: error performing TLS handshake: invalid peer certificate: NotValidForName
    host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=other.pem
        tls: error performing TLS handshake: invalid peer certificate: UnknownIssuer
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_certificates_and_bound_passwords() {
    let Some(server) = Encrypted::start().await else {
        return;
    };
    let cases = [
        "host=127.0.0.1 user=certified sslmode=require sslcert=certified.crt sslkey=certified.key",
        "host=127.0.0.1 user=certified sslmode=require",
        "host=127.0.0.1 user=certified sslmode=require sslcert=stranger.crt sslkey=stranger.key",
        "host=127.0.0.1 user=certified sslmode=require sslcertmode=disable sslcert=certified.crt sslkey=certified.key",
        "host=127.0.0.1 user=bound sslmode=require channel_binding=require",
        "host=127.0.0.1 user=bound sslmode=disable channel_binding=require",
        "host=127.0.0.1 user=bound sslmode=disable",
    ];
    insta::assert_snapshot!(server.table(&cases).await, @r#"
    host=127.0.0.1 user=certified sslmode=require sslcert=certified.crt sslkey=certified.key
        tls
    host=127.0.0.1 user=certified sslmode=require
        auth: FATAL: connection requires a valid client certificate
    host=127.0.0.1 user=certified sslmode=require sslcert=stranger.crt sslkey=stranger.key
        tls: error communicating with the server: received fatal alert: UnknownCA
    host=127.0.0.1 user=certified sslmode=require sslcertmode=disable sslcert=certified.crt sslkey=certified.key
        auth: FATAL: connection requires a valid client certificate
    host=127.0.0.1 user=bound sslmode=require channel_binding=require
        tls
    host=127.0.0.1 user=bound sslmode=disable channel_binding=require
        auth: authentication error: server did not use channel binding
    host=127.0.0.1 user=bound sslmode=disable
        plain
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shows_another_certificate() {
    let Some(server) = Encrypted::start().await else {
        return;
    };
    server.shows("expired").await;
    let expired =
        "host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-ca sslrootcert=good.pem";
    let error = server.connect(expired).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Tls);
    assert!(error.text.contains("expired"), "{error}");

    // Trusted itself and named only by its common name, as in PostgreSQL's own example.
    server.shows("itself").await;
    let cases = [
        "host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=itself.crt",
        "host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=itself.crt",
        "host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem",
    ];
    insta::assert_snapshot!(server.table(&cases).await, @r#"
    host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=itself.crt
        tls
    host=no.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=itself.crt
        tls: error performing TLS handshake: invalid peer certificate: NotValidForName
    host=db.test hostaddr=127.0.0.1 user=only_tls sslmode=verify-full sslrootcert=good.pem
        tls: error performing TLS handshake: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_hosts_are_tried_until_one_is_what_is_wanted() {
    let Some(primary) = TestServer::primary(&[]).await else {
        return;
    };
    let standby = primary.standby("node-2").await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = nobody.local_addr().unwrap().port();
    drop(nobody);
    let files = Files {
        base: Path::new("/").into(),
        home: None,
        service_file: None,
        pass_file: None,
    };
    let reached = async |ports: &[u16], words: &str| {
        let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
        let hosts = vec!["127.0.0.1"; ports.len()].join(",");
        let text = format!(
            "host={hosts} port={} user=postgres dbname=postgres {words}",
            ports.join(",")
        );
        let address = Words::parse(&text)
            .unwrap()
            .resolve(&files, &Login::default())
            .unwrap();
        match Session::connect(&address, 5 * SECOND).await {
            Err(error) => format!("{}: {error}", error.class.name()),
            Ok(session) => {
                let row = session.query("select inet_server_port()", SECOND).await;
                let port = row.unwrap().rows.remove(0).remove(0).unwrap();
                match port.parse::<u16>() {
                    Ok(port) if port == primary.port => "primary".to_owned(),
                    _ => "standby".to_owned(),
                }
            }
        }
    };
    let (p, s) = (primary.port, standby.port);
    assert_eq!(reached(&[closed, s, p], "").await, "standby");
    assert_eq!(
        reached(&[closed, s, p], "target_session_attrs=read-write").await,
        "primary"
    );
    assert_eq!(
        reached(&[p, s], "target_session_attrs=standby").await,
        "standby"
    );
    assert_eq!(
        reached(&[p], "target_session_attrs=prefer-standby").await,
        "primary"
    );
    let only = reached(&[s], "target_session_attrs=primary").await;
    insta::assert_snapshot!(only, @"25006: the server is a standby and read-only, and primary is wanted");
    assert_eq!(
        reached(&[p], "sslmode=require").await,
        "tls: error performing TLS handshake: server does not support TLS"
    );
    assert_eq!(
        reached(&[p], "sslmode=prefer connect_timeout=2").await,
        "primary"
    );
}

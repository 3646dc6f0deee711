//! `sslmode` and what belongs to it, read into a configuration of rustls. Which of its attempts is made is
//! decided in `wire.rs`, whether a certificate is good in `verifier.rs`.

use super::certificates::{self, Roots};
use super::files::Files;
use super::verifier::Verifier;
use super::words::{WordError, Words};
use rustls::ClientConfig;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

/// How much encryption is demanded, from none to a server that proves its name (PostgreSQL documentation,
/// "SSL Mode Descriptions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// None.
    Disable,
    /// Where the server refuses without.
    Allow,
    /// Where the server can.
    Prefer,
    /// Always.
    Require,
    /// And the certificate is signed by a known authority.
    VerifyCa,
    /// And it is the host's.
    VerifyFull,
}

impl SslMode {
    fn of(words: &Words) -> Self {
        match words.get("sslmode") {
            Some("disable") => Self::Disable,
            Some("allow") => Self::Allow,
            Some("require") => Self::Require,
            Some("verify-ca") => Self::VerifyCa,
            Some("verify-full") => Self::VerifyFull,
            // With the system's authorities anything weaker protects from nobody.
            _ if words.get("sslrootcert") == Some("system") => Self::VerifyFull,
            _ => Self::Prefer,
        }
    }

    /// The attempts that are made at one address, each with encryption or without. The second is made
    /// where the server refused the first, or where encryption itself failed.
    #[must_use]
    pub fn attempts(self) -> &'static [bool] {
        match self {
            Self::Disable => &[false],
            Self::Allow => &[false, true],
            Self::Prefer => &[true, false],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[true],
        }
    }
}

/// How encryption begins (`sslnegotiation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// The server is asked for it first.
    Postgres,
    /// At once; from version 17 on.
    Direct,
}

/// What the words demand of encryption.
#[derive(Clone, Debug)]
pub struct Tls {
    /// How much.
    pub mode: SslMode,
    /// How it begins.
    pub negotiation: Negotiation,
    /// With whom and how; `None` where the mode is `disable`.
    pub config: Option<Arc<ClientConfig>>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.config, &other.config) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        self.mode == other.mode && self.negotiation == other.negotiation && same
    }
}

impl Eq for Tls {}

impl Tls {
    /// Reads the certificates that the words name, or the user's own in `~/.postgresql`.
    ///
    /// # Errors
    /// A file that cannot be used, or words that cannot be followed together.
    pub(super) fn of(words: &Words, files: &Files) -> Result<Self, WordError> {
        let mode = SslMode::of(words);
        let negotiation = match words.get("sslnegotiation") {
            Some("direct") => Negotiation::Direct,
            _ => Negotiation::Postgres,
        };
        let config = match mode {
            SslMode::Disable => None,
            _ => Some(Arc::new(config(words, files, mode, negotiation)?)),
        };
        Ok(Self {
            mode,
            negotiation,
            config,
        })
    }
}

/// libpq's default is 1.2, and rustls knows nothing older.
fn versions(words: &Words) -> Vec<&'static SupportedProtocolVersion> {
    let only = |word| words.get(word);
    let mut versions = Vec::new();
    if only("ssl_min_protocol_version") != Some("TLSv1.3") {
        versions.push(&TLS12);
    }
    if only("ssl_max_protocol_version") != Some("TLSv1.2") {
        versions.push(&TLS13);
    }
    versions
}

fn config(
    words: &Words,
    files: &Files,
    mode: SslMode,
    negotiation: Negotiation,
) -> Result<ClientConfig, WordError> {
    let unusable = |error: rustls::Error| {
        WordError::Contradiction(format!("encryption cannot be set up: {error}"))
    };
    // Named, because rustls chooses none by itself when a second one gets into the tree.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(roots(words, files, mode)?, mode, &provider);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(words))
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client(words, files)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| WordError::Contradiction(format!("sslcert and sslkey: {error}")))?,
    };
    config.enable_sni = words.get("sslsni") != Some("0");
    if negotiation == Negotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

/// The authorities; `None` where nobody is verified. As in libpq, a file of authorities that is there is
/// used in every mode: `require` then means `verify-ca`.
fn roots(words: &Words, files: &Files, mode: SslMode) -> Result<Option<Roots>, WordError> {
    match words.get("sslrootcert") {
        Some("system") => certificates::system_roots().map(Some),
        // libpq passes over a named file that is not there; a drill would then prove the wrong thing.
        Some(written) => certificates::roots(&files.path(written)).map(Some),
        None => match files.in_home(".postgresql/root.crt") {
            Some(path) => certificates::roots(&path).map(Some),
            None if mode >= SslMode::VerifyCa => Err(WordError::Contradiction(
                "sslmode verifies the server, and no authority is named: add sslrootcert=FILE, or sslrootcert=system"
                    .to_owned(),
            )),
            None => Ok(None),
        },
    }
}

type Client = (
    Vec<rustls::pki_types::CertificateDer<'static>>,
    rustls::pki_types::PrivateKeyDer<'static>,
);

/// The client's own certificate and key.
fn client(words: &Words, files: &Files) -> Result<Option<Client>, WordError> {
    if words.get("sslcertmode") == Some("disable") {
        return Ok(None);
    }
    let named = |word: &str, default| {
        let named = words.get(word).map(|written| files.path(written));
        named.or_else(|| files.in_home(default))
    };
    let Some(certificate) = named("sslcert", ".postgresql/postgresql.crt") else {
        return match words.get("sslkey") {
            None => Ok(None),
            Some(_) => Err(WordError::Contradiction(
                "sslkey is named and sslcert is not".to_owned(),
            )),
        };
    };
    let Some(key) = named("sslkey", ".postgresql/postgresql.key") else {
        return Err(WordError::Contradiction(format!(
            "there is a client certificate {}, and no sslkey",
            certificate.display()
        )));
    };
    let chain = certificates::chain("sslcert", &certificate)?;
    Ok(Some((chain, certificates::key(&key)?)))
}

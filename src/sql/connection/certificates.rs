//! Certificates and keys out of their PEM files.

use super::files;
use super::words::WordError;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// The authorities that are believed.
#[derive(Debug)]
pub(super) struct Roots {
    /// As rustls asks them.
    pub(super) store: RootCertStore,
    /// The same, byte by byte: a server's own certificate may be one of them.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

fn failed(word: &'static str, path: &Path, why: impl ToString) -> WordError {
    WordError::File {
        word,
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

/// The authorities of a file.
pub(super) fn roots(path: &Path) -> Result<Roots, WordError> {
    let word = "sslrootcert";
    let certificates = chain(word, path)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        let added = store.add(certificate.clone());
        added.map_err(|error| failed(word, path, format!("holds a bad certificate: {error}")))?;
    }
    Ok(Roots {
        store,
        certificates,
    })
}

/// The authorities of this machine (SSL_CERT_FILE and SSL_CERT_DIR are followed, as by OpenSSL).
pub(super) fn system_roots() -> Result<Roots, WordError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = match found.errors.first() {
            Some(error) => error.to_string(),
            None => "this machine has no certificates of authorities".to_owned(),
        };
        return Err(failed("sslrootcert", Path::new("system"), why));
    }
    Ok(Roots {
        store,
        certificates: Vec::new(),
    })
}

/// The certificates of a file, the client's or server's own first.
pub(super) fn chain(
    word: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, WordError> {
    let text = files::read(word, path)?;
    let found: Result<Vec<_>, pem::Error> =
        CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|error| failed(word, path, error))?;
    if found.is_empty() {
        return Err(failed(word, path, "holds no certificate in PEM form"));
    }
    Ok(found)
}

/// The private key of a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, WordError> {
    let word = "sslkey";
    let text = files::read_secret(word, path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        // The parser's words might repeat a line of the key.
        let why = if text.contains("ENCRYPTED") {
            "is encrypted, and there is nobody to ask for its password; give a key without one"
        } else {
            "holds no private key in PEM form"
        };
        failed(word, path, why)
    })
}

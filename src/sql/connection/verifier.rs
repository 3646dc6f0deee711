//! Whether a server's certificate is good, by libpq's rules (PostgreSQL documentation, "Client Verification of
//! Server Certificates"): nobody is asked where there is no file of authorities; else it must be signed
//! by one of them; in `verify-full` it must be the host's too.

use super::certificates::Roots;
use super::tls::SslMode;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use std::net::IpAddr;
use std::time::Duration;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// subjectAltName and commonName (RFC 5280, appendix A).
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Judges certificates.
#[derive(Debug)]
pub(super) struct Verifier {
    roots: Option<Roots>,
    names: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(roots: Option<Roots>, mode: SslMode, provider: &CryptoProvider) -> Self {
        Self {
            roots,
            names: mode == SslMode::VerifyFull,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    fn is_signed(
        &self,
        roots: &Roots,
        own: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A self-signed certificate that is trusted itself, the way of PostgreSQL's own example. webpki
        // would refuse it, because such a certificate says that it is an authority.
        if roots.certificates.iter().any(|root| root == own) {
            return is_current(own, now);
        }
        let parsed = ParsedCertificate::try_from(own)?;
        let known = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots.store, more, now, known)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            self.is_signed(roots, own, more, now)?;
        }
        if self.names {
            is_named(own, server)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn read(own: &CertificateDer<'_>) -> Result<Certificate, Error> {
    let read = Certificate::from_der(own.as_ref());
    read.map_err(|_| CertificateError::BadEncoding.into())
}

fn is_current(own: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let validity = read(own)?.tbs_certificate.validity;
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// The certificate is the host's: by an alternative name; by its common name only where there is none of
/// the kind that would speak.
fn is_named(own: &CertificateDer<'_>, server: &ServerName<'_>) -> Result<(), Error> {
    let certificate = read(own)?;
    let alternatives = alternatives(&certificate)?;
    let host = server.to_str();
    let address: Option<IpAddr> = host.parse().ok();
    let mut speaks = false;
    for name in &alternatives {
        match name {
            GeneralName::DnsName(name) => {
                // For an address, a name may fit and does not silence the common name.
                speaks |= address.is_none();
                if fits(name.as_str(), &host) {
                    return Ok(());
                }
            }
            GeneralName::IpAddress(bytes) => {
                speaks |= address.is_some();
                let same = match address {
                    Some(IpAddr::V4(address)) => bytes.as_bytes() == address.octets(),
                    Some(IpAddr::V6(address)) => bytes.as_bytes() == address.octets(),
                    None => false,
                };
                if same {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    if !speaks && common_name(&certificate).is_some_and(|name| fits(&name, &host)) {
        return Ok(());
    }
    Err(CertificateError::NotValidForName.into())
}

fn alternatives(certificate: &Certificate) -> Result<Vec<GeneralName>, Error> {
    let extensions = certificate.tbs_certificate.extensions.iter().flatten();
    let mut names = Vec::new();
    for extension in extensions.filter(|each| each.extn_id == ALTERNATIVE_NAMES) {
        let read = SubjectAltName::from_der(extension.extn_value.as_bytes());
        names.extend(read.map_err(|_| CertificateError::BadEncoding)?.0);
    }
    Ok(names)
}

/// The last common name of the subject, as OpenSSL takes it.
fn common_name(certificate: &Certificate) -> Option<String> {
    let parts = certificate.tbs_certificate.subject.0.iter();
    let mut values = parts.flat_map(|part| part.0.iter());
    let name = values.rfind(|each| each.oid == COMMON_NAME)?;
    String::from_utf8(name.value.value().to_vec()).ok()
}

/// A name with a leading `*` fits any one label in its place; case does not matter.
fn fits(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(tail), Some((first, rest))) = (name.strip_prefix("*."), host.split_once('.')) else {
        return false;
    };
    !first.is_empty() && tail.eq_ignore_ascii_case(rest) && host.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(fits("db.test", "DB.test"));
        assert!(fits("*.db.test", "a.db.test"));
        assert!(!fits("*.db.test", "a.b.db.test"));
        assert!(!fits("*.db.test", "db.test"));
        assert!(!fits("a*.db.test", "ab.db.test"));
        assert!(!fits("*.0.0.1", "127.0.0.1"));
    }
}

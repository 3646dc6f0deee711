//! One request on a new connection, within a deadline. The only file that knows hyper.

use crate::event::slots::{ErrorClass, Outcome};
use crate::sql::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

/// A page that can be asked for.
#[derive(Clone)]
pub struct Page {
    host: String,
    port: u16,
    uri: Uri,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let place = self.uri.authority().map_or("", |place| place.as_str());
        write!(f, "{scheme}://{place}{}", self.uri.path())
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({self})")
    }
}

/// Whether a URL can be asked for.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), String> {
    parts(url).map(drop)
}

fn parts(url: &str) -> Result<(Uri, String, u16, bool), String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("this is no URL: {error}"))?;
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("the URL is neither http:// nor https://".to_owned()),
    };
    let authority = uri
        .authority()
        .map(|place| place.as_str())
        .unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "a login stands in the URL, where everybody who reads the file sees it".to_owned(),
        );
    }
    let host = uri.host().unwrap_or_default();
    if authority != host && uri.port_u16().is_none() {
        return Err("the port in the URL is no number".to_owned());
    }
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    if host.is_empty() {
        return Err("the URL names no host".to_owned());
    }
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Ok((uri, host, port, secure))
}

/// A page by its URL, with this machine's authorities for `https`.
///
/// # Errors
/// What is wrong with the URL, or that the machine has no authorities.
pub fn page(url: &str) -> Result<Page, String> {
    page_trusting(url, authorities_of_this_machine)
}

fn page_trusting(
    url: &str,
    authorities: impl FnOnce() -> Result<RootCertStore, String>,
) -> Result<Page, String> {
    let (uri, host, port, secure) = parts(url)?;
    let tls = match secure {
        true => Some(Arc::new(trusting(authorities()?)?)),
        false => None,
    };
    Ok(Page {
        host,
        port,
        uri,
        tls,
    })
}

fn authorities_of_this_machine() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match added {
        0 => Err("this machine has no certificates of authorities".to_owned()),
        _ => Ok(roots),
    }
}

fn trusting(roots: RootCertStore) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("encryption cannot be set up: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What came of one GET; the whole answer must be there by the deadline.
pub(super) async fn get(page: &Page, deadline: Duration) -> Outcome {
    let until = Instant::now() + deadline;
    match attempt(page, &Asking::default(), until).await {
        Ok(answer) if answer.status.is_success() => Outcome::Acknowledged,
        Ok(_) => Outcome::Failed(ErrorClass::BadAnswer),
        Err(class) => Outcome::Failed(class),
    }
}

/// What is asked of a page beyond looking at it.
#[derive(Clone, Debug, Default)]
pub struct Asking<'a> {
    /// What is posted, as JSON; without it the page is only looked at.
    pub post: Option<&'a str>,
    /// As whom, where the page asks for it.
    pub login: Option<(&'a str, &'a Secret)>,
}

/// A page's answer.
#[derive(Clone, Debug)]
pub struct PageAnswer {
    status: StatusCode,
    /// The text, cut off after a mebibyte.
    pub text: String,
}

impl PageAnswer {
    /// The status, such as 200.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }
}

/// More of an answer is not kept.
const MOST: usize = 1 << 20;

/// Asks a page and gives its whole answer, whatever its status; it must be there by the deadline.
///
/// # Errors
/// How it could not be asked.
pub async fn ask_page(
    page: &Page,
    asking: &Asking<'_>,
    deadline: Duration,
) -> Result<PageAnswer, ErrorClass> {
    attempt(page, asking, Instant::now() + deadline).await
}

async fn attempt(
    page: &Page,
    asking: &Asking<'_>,
    until: Instant,
) -> Result<PageAnswer, ErrorClass> {
    let found = timeout_at(until, lookup_host((page.host.as_str(), page.port))).await;
    let Ok(Ok(candidates)) = found else {
        return Err(ErrorClass::Dns);
    };
    let mut last = ErrorClass::Dns;
    for candidate in candidates {
        let stream = match timeout_at(until, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                last = class_of(&error);
                continue;
            }
            Err(_) => return Err(ErrorClass::ConnectDeadline),
        };
        let _ = stream.set_nodelay(true);
        let asked = async {
            let Some(tls) = &page.tls else {
                return ask(page, asking, stream).await;
            };
            let name = ServerName::try_from(page.host.clone()).map_err(|_| ErrorClass::Tls)?;
            let connector = TlsConnector::from(Arc::clone(tls));
            let stream = connector.connect(name, stream).await;
            let stream = stream.map_err(|error| match error.kind() {
                // What rustls does not believe comes as invalid data.
                io::ErrorKind::InvalidData => ErrorClass::Tls,
                _ => ErrorClass::Reset,
            });
            ask(page, asking, stream?).await
        };
        return match timeout_at(until, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(ErrorClass::StatementDeadline),
        };
    }
    Err(last)
}

fn class_of(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorClass::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ErrorClass::Unreachable
        }
        _ => ErrorClass::Reset,
    }
}

async fn ask<S>(page: &Page, asking: &Asking<'_>, stream: S) -> Result<PageAnswer, ErrorClass>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let reset = |_: hyper::Error| ErrorClass::Reset;
    let path = page.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = page.uri.authority().map_or("", |place| place.as_str());
    let mut request = match asking.post {
        None => Request::get(path),
        Some(_) => Request::post(path).header("content-type", "application/json"),
    }
    .header("host", host)
    .header("user-agent", "firedrill")
    .header("connection", "close");
    if let Some((user, password)) = asking.login {
        let login = BASE64.encode(format!("{user}:{}", password.reveal()));
        request = request.header("authorization", format!("Basic {login}"));
    }
    let body = asking.post.unwrap_or_default().to_owned();
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| ErrorClass::BadAnswer)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(reset)?;
    let exchange = async {
        let mut answer = sender.send_request(request).await.map_err(reset)?;
        // The body is read to its end: half an answer is none.
        let mut text = Vec::new();
        while let Some(frame) = answer.body_mut().frame().await {
            let frame = frame.map_err(reset)?;
            let part = frame.data_ref().map(|data| &data[..]).unwrap_or_default();
            let room = MOST.saturating_sub(text.len()).min(part.len());
            text.extend_from_slice(part.get(..room).unwrap_or_default());
        }
        Ok(PageAnswer {
            status: answer.status(),
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answered = &mut exchange => answered,
        // The connection ends with the last byte of an answer, which then still has to be taken.
        _ = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::test_server::refusing_port;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What a server that answers with this text, or only listens, comes out as.
    async fn answered(text: Option<&'static str>) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /health?x=1 HTTP/1.1"));
            if let Some(text) = text {
                stream.write_all(text.as_bytes()).await.unwrap();
                drop(stream);
                return;
            }
            std::future::pending::<()>().await;
        };
        let page = page(&format!("http://127.0.0.1:{port}/health?x=1")).unwrap();
        let limit = Duration::from_millis(if text.is_some() { 5000 } else { 100 });
        tokio::select! {
            outcome = get(&page, limit) => outcome,
            () = async { server.await; std::future::pending().await } => unreachable!(),
        }
    }

    #[tokio::test]
    async fn only_a_whole_good_answer_in_time_counts() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(answered(Some(ok)).await, Outcome::Acknowledged);
        let empty = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(answered(Some(empty)).await, Outcome::Acknowledged);
        let failed = |class| Outcome::Failed(class);
        let bad = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(answered(Some(bad)).await, failed(ErrorClass::BadAnswer));
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok";
        assert_eq!(answered(Some(half)).await, failed(ErrorClass::Reset));
        assert_eq!(answered(None).await, failed(ErrorClass::StatementDeadline));
    }

    #[tokio::test]
    async fn a_port_without_a_server_refuses() {
        let (_held, port) = refusing_port();
        let page = page(&format!("http://127.0.0.1:{port}/")).unwrap();
        let outcome = get(&page, Duration::from_secs(5)).await;
        assert_eq!(outcome, Outcome::Failed(ErrorClass::Refused));
    }

    /// A server for these names on a port of its own, signed by an authority that only `roots` knows.
    async fn encrypted(names: &[&str], text: &'static str) -> (u16, RootCertStore) {
        let ours = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let mut roots = RootCertStore::empty();
        let authority = params.self_signed(&ours).unwrap();
        roots.add(authority.der().clone()).unwrap();
        let authority = rcgen::Issuer::new(params, ours);
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = rcgen::CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not believe the certificate goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let _ = stream.read(&mut [0; 512]).await;
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        (port, roots)
    }

    #[tokio::test]
    async fn a_page_over_tls_counts_only_from_a_server_that_proves_its_name() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let long = Duration::from_secs(30);
        let (port, ours) = encrypted(&["localhost", "127.0.0.1"], ok).await;
        let (_, of_others) = encrypted(&["localhost"], ok).await;
        let ask = async |host: &str, port: u16, roots: &RootCertStore| {
            let url = format!("https://{host}:{port}/health");
            get(&page_trusting(&url, || Ok(roots.clone())).unwrap(), long).await
        };
        assert_eq!(ask("127.0.0.1", port, &ours).await, Outcome::Acknowledged);
        let untrusted = Outcome::Failed(ErrorClass::Tls);
        assert_eq!(ask("127.0.0.1", port, &of_others).await, untrusted);
        let (elsewhere, ours) = encrypted(&["app.test"], ok).await;
        assert_eq!(ask("127.0.0.1", elsewhere, &ours).await, untrusted);
        let bad = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        let (port, ours) = encrypted(&["127.0.0.1"], bad).await;
        let failed = Outcome::Failed(ErrorClass::BadAnswer);
        assert_eq!(ask("127.0.0.1", port, &ours).await, failed);
    }

    #[test]
    fn urls_that_cannot_be_asked_for_are_refused() {
        let wrong = [
            "ftp://h/",
            "h/path",
            "http://",
            "http://u:p@h/",
            "http://h:x/",
        ];
        for url in wrong {
            let why = check_url(url).unwrap_err();
            assert!(!why.contains("u:p"), "{why}");
        }
        check_url("https://app.test:8443/health").unwrap();
        check_url("http://[::1]:8080").unwrap();
    }
}

//! A session with a real server: tokio-postgres opens the connection and copies, statements go through a
//! [`Link`]. The only file that knows tokio-postgres.

use super::address::{Address, Secret};
use super::connection::{Binding, Host, Negotiation, SessionAttributes, Tls, Way};
use super::error::{SqlError, with_sources};
use super::link::{Link, Shared, Stream, lock};
use super::session::Answer;
use crate::event::slots::ErrorClass;
use futures_util::{StreamExt, pin_mut};
use std::future::{self, Ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::binary_copy::BinaryCopyOutStream;
use tokio_postgres::config::{self, Config, SslMode, SslNegotiation};
use tokio_postgres::tls::{self, MakeTlsConnect, TlsConnect};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A session with a real server.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    link: Arc<Link>,
    listener: JoinHandle<()>,
    pub(super) backend: i32,
}

impl Wire {
    pub(super) async fn connect(address: &Address, deadline: Duration) -> Result<Self, SqlError> {
        let until = Instant::now() + deadline;
        if let Some(way) = &address.way {
            return Self::walk(address, way, until, deadline).await;
        }
        let mut config = start_up(address, address.password.as_ref());
        config.ssl_mode(SslMode::Disable);
        let place = Place {
            host: &address.host,
            port: address.port,
            name: &address.host,
        };
        Self::connect_to(place, &config, None, until, deadline).await
    }

    /// The hosts of a connection string in their order, until one is what is wanted (PostgreSQL
    /// documentation, "Specifying Multiple Hosts").
    async fn walk(
        address: &Address,
        way: &Way,
        until: Instant,
        deadline: Duration,
    ) -> Result<Self, SqlError> {
        let mut last = unanswered(ErrorClass::ConnectDeadline, "connect", deadline);
        for wanted in way.attributes.walks() {
            for host in &way.hosts {
                let now = Instant::now();
                if now >= until {
                    return Err(last);
                }
                let limit = way.connect_timeout.unwrap_or(deadline).min(until - now);
                let end = now + limit;
                last = match Self::connect_host(address, way, host, end, limit).await {
                    Ok(session) => {
                        let left = end.saturating_duration_since(Instant::now());
                        match session.refuse_unless(*wanted, left).await {
                            None => return Ok(session),
                            Some(error) => error,
                        }
                    }
                    // As in libpq, the next host is no way around a password.
                    Err(error) if error.class == ErrorClass::Auth => return Err(error),
                    Err(error) => error,
                };
            }
        }
        Err(last)
    }

    /// One host, with encryption and without as far as `sslmode` tries both.
    async fn connect_host(
        address: &Address,
        way: &Way,
        host: &Host,
        until: Instant,
        deadline: Duration,
    ) -> Result<Self, SqlError> {
        let place = Place {
            host: host.reached_at(),
            port: host.port,
            name: host.name.as_deref().unwrap_or(host.reached_at()),
        };
        let mut config = start_up(
            address,
            address.password.as_ref().or(host.password.as_ref()),
        );
        config.channel_binding(match way.binding {
            Binding::Disable => config::ChannelBinding::Disable,
            Binding::Prefer => config::ChannelBinding::Prefer,
            Binding::Require => config::ChannelBinding::Require,
        });
        // Nothing is encrypted on a Unix socket, whatever sslmode says (PostgreSQL documentation).
        let attempts = match host.is_socket() {
            true => &[false][..],
            false => way.tls.mode.attempts(),
        };
        let mut last = unanswered(ErrorClass::ConnectDeadline, "connect", deadline);
        for encrypted in attempts {
            let tls = encrypted.then_some(&way.tls);
            config.ssl_mode(match (encrypted, attempts.len()) {
                (false, _) => SslMode::Disable,
                (true, 1) => SslMode::Require,
                // `allow` comes here after a refusal, and `prefer` goes on without where the server says no.
                (true, _) => SslMode::Prefer,
            });
            config.ssl_negotiation(match way.tls.negotiation {
                Negotiation::Postgres => SslNegotiation::Postgres,
                Negotiation::Direct => SslNegotiation::Direct,
            });
            last = match Self::connect_to(place, &config, tls, until, deadline).await {
                Err(error) if matches!(error.class, ErrorClass::Tls | ErrorClass::Auth) => error,
                decided => return decided,
            };
        }
        Err(last)
    }

    /// Name, TCP or socket, start-up.
    async fn connect_to(
        place: Place<'_>,
        config: &Config,
        tls: Option<&Tls>,
        until: Instant,
        deadline: Duration,
    ) -> Result<Self, SqlError> {
        let Place { host, port, name } = place;
        if host.starts_with('/') {
            let path = format!("{host}/.s.PGSQL.{port}");
            let stream = reach(UnixStream::connect(path), until, deadline).await?;
            return Self::start(stream, config, until, deadline).await;
        }
        let found = timeout_at(until, lookup_host((host, port))).await;
        let candidates = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                let text = format!("host {host}: {}", with_sources(&error));
                return Err(SqlError::new(ErrorClass::Dns, false, text));
            }
            Err(_) => return Err(unanswered(ErrorClass::Dns, "name lookup", deadline)),
        };
        let mut last = SqlError::new(ErrorClass::Dns, false, "the name has no address");
        for candidate in candidates {
            let stream = match reach(TcpStream::connect(candidate), until, deadline).await {
                Ok(stream) => stream,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            // Without it the kernel may hold a statement back for 40 ms.
            let _ = stream.set_nodelay(true);
            let Some(rustls) = tls.and_then(|tls| tls.config.as_deref()) else {
                return Self::start(stream, config, until, deadline).await;
            };
            let mut connector = MakeRustlsConnect::new(rustls.clone());
            let Ok(tls) =
                MakeTlsConnect::<Shared<TcpStream>>::make_tls_connect(&mut connector, name);
            return Self::start_encrypted(stream, config, tls, until, deadline).await;
        }
        Err(last)
    }

    async fn start<S: Stream + 'static>(
        stream: S,
        config: &Config,
        until: Instant,
        deadline: Duration,
    ) -> Result<Self, SqlError> {
        let shared = Shared::new(stream);
        let stream = Arc::clone(&shared.0);
        let started = config.connect_raw(shared, NoTls);
        let (client, connection) = start_up_within(started, until, deadline).await?;
        Ok(Self::listen(client, connection, stream, config).await)
    }

    async fn start_encrypted<S, T, E>(
        stream: S,
        config: &Config,
        tls: T,
        until: Instant,
        deadline: Duration,
    ) -> Result<Self, SqlError>
    where
        S: Stream + 'static,
        T: TlsConnect<Shared<S>, Stream = E>,
        T::Future: Send + 'static,
        E: tls::TlsStream + Unpin + Send + 'static,
    {
        let shared = Shared::new(stream);
        let plain = Arc::clone(&shared.0);
        let made = Arc::default();
        let sharing = Sharing {
            tls,
            made: Arc::clone(&made),
        };
        let started = config.connect_raw(shared, sharing);
        let (client, connection) = start_up_within(started, until, deadline).await?;
        // Where encryption is only preferred, the server may have said no.
        let stream: Arc<Mutex<dyn Stream>> = match made.get() {
            Some(encrypted) => Arc::clone(encrypted) as _,
            None => plain,
        };
        Ok(Self::listen(client, connection, stream, config).await)
    }

    async fn listen<S, T>(
        client: Client,
        mut connection: Connection<S, T>,
        stream: Arc<Mutex<dyn Stream>>,
        config: &Config,
    ) -> Self
    where
        S: Stream + 'static,
        T: Stream + 'static,
    {
        let backend = backend_of(&client, config).await;
        let library = move |context: &mut Context<'_>| loop {
            match ready!(connection.poll_message(context)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(classify(&error, false)),
                None => {
                    let closed = SqlError::new(ErrorClass::Reset, false, "connection closed");
                    return Poll::Ready(closed);
                }
            }
        };
        let link = Arc::new(Link::new(stream, Box::new(library)));
        let listens = Arc::clone(&link);
        Self {
            client,
            link,
            listener: tokio::spawn(async move { listens.listen().await }),
            backend,
        }
    }

    /// Why this server is not the one that `target_session_attrs` wants.
    async fn refuse_unless(
        &self,
        wanted: SessionAttributes,
        deadline: Duration,
    ) -> Option<SqlError> {
        if wanted == SessionAttributes::Any {
            return None;
        }
        let answer = match self.query(SessionAttributes::ASK, deadline).await {
            Ok(answer) => answer,
            // The attempt of the caller was never sent.
            Err(error) => {
                return Some(SqlError {
                    sent: false,
                    ..error
                });
            }
        };
        let row = answer.rows.first();
        let is = |column: usize| row.and_then(|row| row.get(column)?.as_deref()) == Some("t");
        let (in_recovery, read_only) = (is(0), is(1));
        if wanted.wants(in_recovery, read_only) {
            return None;
        }
        let role = if in_recovery {
            "a standby"
        } else {
            "no standby"
        };
        let access = if read_only { "read-only" } else { "writable" };
        let class = match wanted {
            SessionAttributes::ReadWrite | SessionAttributes::Primary => ErrorClass::ReadOnly,
            _ => ErrorClass::Unreachable,
        };
        let name = wanted.name();
        let text = format!("the server is {role} and {access}, and {name} is wanted");
        Some(SqlError::new(class, false, text))
    }

    pub(super) async fn query(&self, sql: &str, deadline: Duration) -> Result<Answer, SqlError> {
        match tokio::time::timeout(deadline, self.link.ask(sql)).await {
            Ok(answered) => answered,
            Err(_) => Err(unanswered_statement("statement", deadline)),
        }
    }

    pub(super) async fn copy_pairs(
        &self,
        select: &str,
        deadline: Duration,
        mut each: impl FnMut(i32, i64),
    ) -> Result<(), SqlError> {
        let copy = async {
            let sql = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
            let stream = self.client.copy_out(&sql).await?;
            let rows = BinaryCopyOutStream::new(stream, &[Type::INT4, Type::INT8]);
            pin_mut!(rows);
            while let Some(row) = rows.next().await {
                let row = row?;
                each(row.try_get(0)?, row.try_get(1)?);
            }
            Ok(())
        };
        let copied = self.link.copy(async {
            let copied = copy.await;
            // A copy is done before its last messages have come; this one's come after them.
            let after = self.client.simple_query("").await;
            copied.and(after.map(|_| ()))
        });
        match tokio::time::timeout(deadline, copied).await {
            Ok(done) => done?.map_err(|error| classify(&error, true)),
            Err(_) => Err(unanswered_statement("copy", deadline)),
        }
    }

    /// The connection is known to be gone. Passive: false proves nothing.
    pub(super) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Waits until the connection is known to be gone.
    pub(super) async fn gone(&self) -> SqlError {
        self.link.gone().await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Without this the listener would wait for the answer that nobody wants any more.
        self.link.close();
        self.listener.abort();
    }
}

/// The rest of a connect, within the same deadline.
async fn start_up_within<C>(
    started: impl Future<Output = Result<C, tokio_postgres::Error>>,
    until: Instant,
    deadline: Duration,
) -> Result<C, SqlError> {
    match timeout_at(until, started).await {
        Ok(started) => started.map_err(|error| not_started(&error)),
        Err(_) => {
            let phase = ErrorClass::StartupDeadline;
            Err(unanswered(phase, "start-up", deadline))
        }
    }
}

/// One TCP or Unix-socket connect within the deadline.
async fn reach<S>(
    connect: impl Future<Output = io::Result<S>>,
    until: Instant,
    deadline: Duration,
) -> Result<S, SqlError> {
    match timeout_at(until, connect).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(SqlError::of_io(&error, ErrorClass::ConnectDeadline, false)),
        Err(_) => Err(unanswered(ErrorClass::ConnectDeadline, "connect", deadline)),
    }
}

pub(super) fn unanswered(class: ErrorClass, what: &str, deadline: Duration) -> SqlError {
    let text = format!("{what}: no answer in {} ms", deadline.as_millis());
    SqlError::new(class, false, text)
}

pub(super) fn unanswered_statement(what: &str, deadline: Duration) -> SqlError {
    SqlError {
        sent: true,
        ..unanswered(ErrorClass::StatementDeadline, what, deadline)
    }
}

/// What is connected to, and the name that a certificate must carry.
#[derive(Clone, Copy)]
struct Place<'a> {
    host: &'a str,
    port: u16,
    name: &'a str,
}

/// What a session says of itself when it starts.
fn start_up(address: &Address, password: Option<&Secret>) -> Config {
    let mut config = Config::new();
    config
        .user(&address.user)
        .dbname(&address.database)
        .application_name(&address.application);
    if let Some(password) = password {
        config.password(Secret::reveal(password));
    }
    config
}

/// Sorts an error of the start-up: there, a certificate that is not believed is a class of its own.
fn not_started(error: &tokio_postgres::Error) -> SqlError {
    let found = classify(error, false);
    let of_rustls = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        let inside = io.and_then(io::Error::get_ref);
        cause.is::<rustls::Error>() || inside.is_some_and(|inside| inside.is::<rustls::Error>())
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if of_rustls(one) || one.to_string() == "server does not support TLS" {
            return SqlError {
                class: ErrorClass::Tls,
                ..found
            };
        }
        cause = one.source();
    }
    found
}

/// Sorts an error of tokio-postgres.
fn classify(error: &tokio_postgres::Error, sent: bool) -> SqlError {
    if let Some(said) = error.as_db_error() {
        let mut text = format!("{}: {}", said.severity(), said.message());
        for more in [said.detail(), said.hint()].into_iter().flatten() {
            text.push_str("; ");
            text.push_str(more);
        }
        return SqlError::of_state(said.code().code(), sent, text);
    }
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            let found = SqlError::of_io(io, ErrorClass::Reset, sent);
            return SqlError {
                text: with_sources(error),
                ..found
            };
        }
        cause = one.source();
    }
    let text = with_sources(error);
    // The crate keeps these kinds private: a missing password is "invalid configuration", a server that
    // fails SCRAM's own proof is "authentication error". Neither depends on the statement.
    let class = if text.starts_with("invalid configuration") || text.starts_with("authentication") {
        ErrorClass::Auth
    } else {
        ErrorClass::Reset
    };
    SqlError::new(class, sent, text)
}

/// The backend's process id. tokio-postgres keeps BackendKeyData for cancel requests only, so the request
/// is written into memory and read back: 16 bytes, length, code, process id, secret, in network order
/// (PostgreSQL documentation, "Message Formats", CancelRequest). Where the session is encrypted, the
/// request asks for encryption first (SSLRequest, 8 bytes), and is told yes.
async fn backend_of(client: &Client, config: &Config) -> i32 {
    let (near, mut far) = tokio::io::duplex(64);
    let asks = config.get_ssl_mode() != SslMode::Disable
        && config.get_ssl_negotiation() == SslNegotiation::Postgres;
    let token = client.cancel_token();
    let answers = async {
        if asks {
            far.read_exact(&mut [0; 8]).await?;
            far.write_all(b"S").await?;
        }
        let mut request = Vec::with_capacity(16);
        far.read_to_end(&mut request).await?;
        io::Result::Ok(request)
    };
    let (asked, request) = tokio::join!(token.cancel_query_raw(near, Unencrypted), answers);
    let (Ok(()), Ok(request)) = (asked, request) else {
        return 0;
    };
    let Some(number) = request.get(8..12).and_then(|four| four.try_into().ok()) else {
        return 0;
    };
    i32::from_be_bytes(number)
}

/// Encrypts, and keeps a handle of the stream that it makes.
struct Sharing<T, E> {
    tls: T,
    made: Arc<OnceLock<Arc<Mutex<E>>>>,
}

impl<S, T, E> TlsConnect<Shared<S>> for Sharing<T, E>
where
    T: TlsConnect<Shared<S>, Stream = E>,
    T::Future: Send + 'static,
    E: tls::TlsStream + Unpin + Send + 'static,
{
    type Stream = Shared<E>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Shared<E>, T::Error>> + Send>>;

    fn connect(self, stream: Shared<S>) -> Self::Future {
        let connecting = self.tls.connect(stream);
        Box::pin(async move {
            let shared = Shared::new(connecting.await?);
            let _ = self.made.set(Arc::clone(&shared.0));
            Ok(shared)
        })
    }
}

impl<E: tls::TlsStream + Unpin + Send> tls::TlsStream for Shared<E> {
    fn channel_binding(&self) -> tls::ChannelBinding {
        lock(&self.0).channel_binding()
    }
}

/// "Encryption" for a request that stays in memory: the bytes as they are.
struct Unencrypted;

struct InMemory(DuplexStream);

impl TlsConnect<DuplexStream> for Unencrypted {
    type Stream = InMemory;
    type Error = io::Error;
    type Future = Ready<io::Result<InMemory>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        future::ready(Ok(InMemory(stream)))
    }
}

impl tls::TlsStream for InMemory {
    fn channel_binding(&self) -> tls::ChannelBinding {
        tls::ChannelBinding::none()
    }
}

impl AsyncRead for InMemory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for InMemory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

//! From a listener to the rooms: a connection is taken, made secure if there is a certificate, given its deadlines and
//! spoken HTTP/1.1 with. Done here and not by actix-web's own server because that one has no place for the deadlines.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{HttpService, Request, Response, body::BoxBody, body::MessageBody, error::DispatchError};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{Error, dev::AppConfig};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use super::{
    certificate::Certificate,
    connection::{Connection, Patience},
};
use crate::config::Http;

/// Connections that wait to be taken; the system may allow fewer.
const BACKLOG: i32 = 4096;
/// What the system may hold of answers that one client has not taken yet; by itself it would be megabytes for each.
const SEND_BUFFER: usize = 256 * 1024;
/// How long a connection that we end may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// As the standard library does it, but with room for more than 128 connections that arrive at once.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A listener, and what makes its connections secure.
pub(super) struct Entrance {
    pub(super) listener: TcpListener,
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Serves what `rooms` makes, behind this entrance too.
pub(super) fn serve<F, I, S, B>(
    server: ServerBuilder,
    Entrance { listener, certificate }: Entrance,
    http: &Http,
    stopping: &watch::Receiver<bool>,
    rooms: F,
) -> io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    let (keep_alive, head) = (http.keep_alive, http.head_timeout);
    let patience = Patience { head, answer: http.answer_timeout, idle: keep_alive };
    let stopping = stopping.clone();
    server.listen("wabook", listener, move || {
        let (certificate, stopping) = (certificate.clone(), stopping.clone());
        let rooms = rooms().into_factory().map_err(|error: S::Error| -> Response<BoxBody> {
            let error: Error = error.into();
            error.error_response().into()
        });
        let http = HttpService::build()
            .keep_alive(keep_alive)
            .client_request_timeout(head)
            .client_disconnect_timeout(GOODBYE)
            .graceful_shutdown_signal(move || {
                let mut stopping = stopping.clone();
                async move {
                    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
                }
            })
            .on_connect_ext(|channel: &Channel, more| {
                more.insert(channel.connection().turn().clone());
            })
            .h1(map_config(rooms, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let certificate = certificate.clone();
            async move {
                let peer = stream.peer_addr().ok();
                let connection = Connection::new(stream, patience);
                let channel = match certificate {
                    None => Channel::Plain(connection),
                    Some(certificate) => Channel::Secure(Box::new(shaken_hands(&certificate, connection, head).await?)),
                };
                Ok::<_, DispatchError>((channel, peer))
            }
        })
        .and_then(http)
    })
}

async fn shaken_hands(
    certificate: &Certificate,
    connection: Connection,
    patience: Duration,
) -> Result<TlsStream<Connection>, DispatchError> {
    let shaken = timeout(patience, certificate.acceptor().accept(connection))
        .await
        .unwrap_or(Err(io::ErrorKind::TimedOut.into()));
    shaken.map_err(|error| {
        tracing::debug!(%error, "no secure connection was agreed on");
        DispatchError::Io(error)
    })
}

/// What HTTP is spoken over.
enum Channel {
    Plain(Connection),
    Secure(Box<TlsStream<Connection>>),
}

impl Channel {
    fn connection(&self) -> &Connection {
        match self {
            Self::Plain(connection) => connection,
            Self::Secure(stream) => stream.get_ref().0,
        }
    }
}

/// The same call on whichever it is.
macro_rules! on_either {
    ($channel:expr, $verb:ident, $($argument:expr),*) => {
        match $channel.get_mut() {
            Channel::Plain(connection) => Pin::new(connection).$verb($($argument),*),
            Channel::Secure(stream) => Pin::new(stream.as_mut()).$verb($($argument),*),
        }
    };
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_either!(self, poll_read, context, buffer)
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_either!(self, poll_write, context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self, poll_write_vectored, context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(connection) => connection.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, poll_shutdown, context)
    }
}

/// Where workers, threads and the end are settled, before the entrances.
pub(super) fn server(workers: usize, grace: Duration) -> ServerBuilder {
    Server::build().workers(workers).shutdown_timeout(grace.as_secs().max(1)).disable_signals()
}

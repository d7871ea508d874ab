//! What the gateway is held against: the least that an actix server can do with the same request, with and without the
//! gateway's middleware, and a responder that is no web server at all, which shows how much the generator can ask.

use std::{
    borrow::Cow,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, error::ErrorBadRequest, web};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde::Deserialize;
use wabook::config::Config;

pub const PATH: &str = "/no-op";

/// What a bot posts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body<'a> {
    #[serde(borrow, rename = "instance_id")]
    pub instance_id: Cow<'a, str>,
    #[serde(borrow, rename = "access_token")]
    pub access_token: Cow<'a, str>,
    #[serde(borrow)]
    pub chat_id: Cow<'a, str>,
    #[serde(borrow)]
    pub first_name: Cow<'a, str>,
    #[serde(borrow)]
    pub last_name: Cow<'a, str>,
}

/// Parses the body, looks at every field, does nothing.
async fn no_op(body: web::Bytes) -> actix_web::Result<HttpResponse> {
    let Body { instance_id, access_token, chat_id, first_name, last_name } =
        serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    if [instance_id, access_token, chat_id, first_name, last_name].iter().any(|field| field.is_empty()) {
        return Err(ErrorBadRequest("a field is empty"));
    }
    Ok(HttpResponse::Ok().content_type("application/json").body(r#"{"ok": true}"#))
}

/// On the gateway itself, behind its middleware, before its rooms.
pub fn mount(services: &mut web::ServiceConfig) {
    services.route(PATH, web::post().to(no_op));
}

/// A server with the same workers and settings and nothing else: no log line, no metric, no header of ours. Must be called
/// within a tokio runtime and serves as long as that lives.
pub fn start_bare(config: &Config) -> anyhow::Result<SocketAddr> {
    let factory = || App::new().configure(mount);
    let listener = TcpListener::bind(config.http.listen)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(factory)
        .workers(config.workers())
        .keep_alive(config.http.keep_alive)
        .client_request_timeout(config.http.head_timeout)
        .disable_signals()
        .listen(listener)?
        .run();
    tokio::spawn(server);
    Ok(address)
}

/// As long as an answer of the gateway.
const FIXED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\ncache-control: no-store\r\n\
    x-content-type-options: nosniff\r\ncontent-type: application/json\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n\
    {\"ok\": true}";

/// A thread with a poller that gives the same answer to everything.
pub struct Responder {
    pub address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Responder {
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.http.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("responder".into()).spawn(move || respond(listener, &stop))?;
        Ok(Self { address, stopping, thread })
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.stopping.store(true, Ordering::Relaxed);
        Ok(self.thread.join().expect("the responder does not panic")?)
    }
}

fn respond(listener: TcpListener, stopping: &AtomicBool) -> std::io::Result<()> {
    const DOOR: Token = Token(usize::MAX);
    let mut poll = Poll::new()?;
    let mut listener = mio::net::TcpListener::from_std(listener);
    poll.registry().register(&mut listener, DOOR, Interest::READABLE)?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut events = Events::with_capacity(1024);
    let mut request = [0; 4096];
    while !stopping.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(Duration::from_millis(50))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() != DOOR {
                answer(&mut connections[event.token().0], &mut request);
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nodelay(true)?;
                poll.registry().register(&mut stream, Token(connections.len()), Interest::READABLE)?;
                connections.push(stream);
            }
        }
    }
    Ok(())
}

/// A request ends with the brace of its flat body, and no second one comes before the answer, so one look is enough. A
/// peer that is gone is not answered and not reported again.
fn answer(stream: &mut TcpStream, request: &mut [u8]) {
    if let Ok(read @ 1..) = stream.read(request)
        && request[read - 1] == b'}'
    {
        let _ = stream.write(FIXED);
    }
}

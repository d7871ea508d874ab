//! The whole gateway, wired: the same for `main`, for tests and for benchmarks. `build` listens and opens the folder,
//! `run` serves until it is told to stop and then lets every accepted request end.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{App as Actix, HttpServer, dev::Server, web};
use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use socket2::{Domain, Socket, Type};
use tokio::{runtime::Handle, sync::watch};
use tracing_actix_web::TracingLogger;

use crate::{
    config::Config,
    gateway::{Gateway, RunNote, Settings},
    http::{self, Door, Limits, Mounts, RequestSpan, Turns},
    sync::{AllowList, Companions, Couriers, Outside, SystemResolver, install_tls},
};

/// Connections that wait to be taken; the system may allow fewer.
const BACKLOG: i32 = 4096;
/// Files for the listener, connections and the gateway's own store; the rest of the limit is for books.
const FILES_KEPT_BACK: u64 = 1024;
/// An open book: three files of its writer, two each of its readers, and some air for those that are just closing.
const FILES_PER_BOOK: u64 = 8;

/// Files that one instance imports at the same time: they take turns at its book anyway.
const IMPORTS: usize = 2;

pub struct App {
    server: Server,
    address: SocketAddr,
    gateway: Arc<Gateway>,
    outside: Arc<Outside>,
    companions: Arc<Companions>,
    reaches_out: bool,
    metrics: PrometheusHandle,
    /// Told when no request should wait any longer for what may come.
    stopping: watch::Sender<bool>,
}

impl App {
    /// Must be called within a tokio runtime, whose blocking pool will read and write the books.
    pub fn build(config: &Config) -> anyhow::Result<Self> {
        Self::build_with(config, |_| {})
    }

    /// With more services in front of the rooms, on the same server and behind the same middleware: for whoever wants to
    /// compare.
    pub fn build_with(
        config: &Config,
        more: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> anyhow::Result<Self> {
        install_tls();
        let runtime = Handle::current();
        let listener =
            listen(config.http.listen).with_context(|| format!("{} cannot be listened on", config.http.listen))?;
        let address = listener.local_addr()?;
        let outside = Arc::new(Outside::new(
            AllowList::parse(config.outside.allow.iter().map(String::as_str))?,
            Arc::new(SystemResolver::default()),
            config.outside.timeout,
        ));
        let gateway = Gateway::open(settings(config), runtime.clone())?;
        let companions = Companions::new(Arc::clone(&gateway), Arc::clone(&outside), runtime);
        gateway.folder().leave_note(&RunNote {
            address: address.to_string(),
            key: gateway.run_key().reveal().to_owned(),
            process: std::process::id(),
        })?;
        let metrics = recorder()?;
        let rendering = metrics.clone();
        let (stopping, is_stopping) = watch::channel(false);
        let door = web::Data::new(Door {
            gateway: Arc::clone(&gateway),
            outside: Arc::clone(&outside),
            companions: Arc::clone(&companions),
            limits: Limits {
                body: config.http.body_limit,
                body_timeout: config.http.body_timeout,
                requests_per_minute: config.limits.requests_per_minute,
                bulk_body: config.limits.bulk_body,
                bulk_rows: config.limits.bulk_rows,
                webhooks: config.limits.webhooks,
            },
            metrics: Arc::new(move || rendering.render()),
            imports: Turns::new(IMPORTS),
            stopping: is_stopping,
        });
        let crate::config::Mounts { wawp, hypersender, superwaba, wacr, waha } = config.mounts.clone();
        let mounts = Mounts { wawp, hypersender, superwaba, wacr, waha };
        let server = HttpServer::new(move || {
            Actix::new()
                .app_data(door.clone())
                .wrap(http::headers())
                .wrap_fn(http::observe)
                .wrap(TracingLogger::<RequestSpan>::new())
                .configure(more.clone())
                .configure(|config| http::mount(config, &mounts))
        })
        .workers(config.workers())
        .keep_alive(config.http.keep_alive)
        .client_request_timeout(config.http.head_timeout)
        .shutdown_timeout(config.http.grace.as_secs().max(1))
        .disable_signals()
        .listen(listener)?
        .run();
        Ok(Self { server, address, gateway, outside, companions, reaches_out: true, metrics, stopping })
    }

    /// For an errand on this machine: nobody outside is told anything meanwhile.
    #[must_use]
    pub fn staying_in(self) -> Self {
        Self { reaches_out: false, ..self }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Serves until `shutdown` is there. Then no connection is taken any more, requests under way are answered, every
    /// accepted edit is on disk, and all books are closed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, address, gateway, outside, companions, reaches_out, metrics, stopping } = self;
        let office = gateway.administer(Some(gateway.run_key().reveal()))?;
        let (handle, mut serving) = (server.handle(), tokio::spawn(server));
        let upkeep = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(5));
            loop {
                ticks.tick().await;
                metrics.run_upkeep();
            }
        });
        tracing::info!(%address, "listening");
        let couriers = reaches_out.then(|| Couriers::start(office, outside));
        if reaches_out && let Err(error) = companions.start().await {
            tracing::error!(cause = %error.chain(), "no companion was set to work");
        }
        let served = tokio::select! {
            served = &mut serving => served,
            () = shutdown => {
                tracing::info!("shutting down");
                // Streams and long polls would be waited for like any request.
                stopping.send_replace(true);
                handle.stop(true).await;
                serving.await
            }
        };
        upkeep.abort();
        if let Some(couriers) = couriers {
            couriers.stop().await;
        }
        companions.stop().await;
        gateway.close().await;
        Ok(served??)
    }
}

fn settings(config: &Config) -> Settings {
    let sessions = &config.sessions;
    let given = |secret: &String| (!secret.is_empty()).then(|| secret.clone());
    Settings {
        sessions: sessions.folder.clone(),
        admin_token: given(&config.gateway.admin_token),
        secret_key: given(&config.gateway.secret_key),
        open_books: if sessions.open_books > 0 { sessions.open_books } else { books_that_fit() },
        idle: sessions.idle,
        tombstones: sessions.tombstones,
        mailbox: sessions.mailbox,
        long_reads: sessions.long_reads,
        requests_per_minute: config.limits.requests_per_minute,
    }
}

/// As the standard library does it, but with room for more than 128 connections that arrive at once.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The soft limit on open files is raised to the hard one first.
fn books_that_fit() -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    usize::try_from(files.saturating_sub(FILES_KEPT_BACK.min(files / 2)) / FILES_PER_BOOK).unwrap_or(usize::MAX).max(8)
}

/// One recorder for the process, however many apps a test builds in it.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    static RECORDER: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let installed = RECORDER.get_or_init(|| {
        let seconds = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
        let edits = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full("wabook_http_request_seconds".into()), &seconds)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full("wabook_batch_edits".into()), &edits))
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| error.to_string())
    });
    installed.clone().map_err(anyhow::Error::msg)
}

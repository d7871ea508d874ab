//! The whole gateway, wired: the same for `main`, for tests and for benchmarks. `build` listens and opens the folder,
//! `run` serves until it is told to stop and then lets every accepted request end.

mod certificate;
mod connection;
mod listening;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{App as Actix, dev::Server, web};
use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{runtime::Handle, sync::watch};
use tracing_actix_web::TracingLogger;

use crate::{
    config::Config,
    gateway::{Gateway, RunNote, Settings},
    http::{self, Door, Limits, Mounts, RequestSpan, Seats, Secure},
    session::Quota,
    sync::{AllowList, Companions, Couriers, Outside, SystemResolver, install_tls},
};
pub use certificate::Certificate;
use listening::{Entrance, listen, serve};

/// Files for the listener, connections and the gateway's own store; the rest of the limit is for books.
const FILES_KEPT_BACK: u64 = 1024;
/// An open book: three files of its writer, two each of its readers, and some air for those that are just closing.
const FILES_PER_BOOK: u64 = 8;

/// However many files there may be: an open book also takes memory, a quarter of a MiB or so, and opening one is quick.
const BOOKS_AT_MOST: usize = 1024;

/// Files that one instance imports at the same time: they wait for each other at its book anyway.
const IMPORTS: usize = 2;

pub struct App {
    server: Server,
    address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
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
        check_reach(config)?;
        let certificate = config.http.tls().map(Certificate::read).transpose()?;
        let listen = |address| listen(address).with_context(|| format!("{address} cannot be listened on"));
        let listener = listen(config.http.listen)?;
        let address = listener.local_addr()?;
        let mut entrances = Vec::new();
        // Commands on this machine know no name that the certificate would be for: they have an entrance of their own.
        let mut for_commands = address;
        if certificate.is_some() {
            let listener = listen(([127, 0, 0, 1], 0).into())?;
            for_commands = listener.local_addr()?;
            entrances.push(Entrance { listener, certificate: None });
        }
        entrances.push(Entrance { listener, certificate: certificate.clone() });
        let outside = Arc::new(Outside::new(
            AllowList::parse(config.outside.allow.iter().map(String::as_str))?,
            Arc::new(SystemResolver::default()),
            config.outside.timeout,
        ));
        let gateway = Gateway::open(settings(config), runtime.clone())?;
        let companions = Companions::new(Arc::clone(&gateway), Arc::clone(&outside), runtime);
        gateway.folder().leave_note(&RunNote {
            address: for_commands.to_string(),
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
                event_streams: config.limits.event_streams,
                contacts: config.limits.contacts,
            },
            metrics: Arc::new(move || rendering.render()),
            imports: Seats::new(IMPORTS, "wabook_imports"),
            streams: Seats::new(config.limits.event_streams, "wabook_event_streams"),
            stopping: is_stopping.clone(),
        });
        let crate::config::Mounts { wawp, hypersender, superwaba, wacr, waha } = config.mounts.clone();
        let mounts = Mounts { wawp, hypersender, superwaba, wacr, waha };
        let mut server = listening::server(config.workers(), config.http.grace);
        for entrance in entrances {
            let (is_secure, door, mounts, more) =
                (entrance.certificate.is_some(), door.clone(), mounts.clone(), more.clone());
            server = serve(server, entrance, &config.http, &is_stopping, move || {
                let rooms = Actix::new()
                    .app_data(door.clone())
                    .wrap(http::headers(is_secure))
                    .wrap_fn(http::observe)
                    .wrap(TracingLogger::<RequestSpan>::new())
                    .configure(more.clone())
                    .configure(|config| http::mount(config, &mounts));
                if is_secure { rooms.app_data(Secure) } else { rooms }
            })?;
        }
        let server = server.run();
        Ok(Self { server, address, certificate, gateway, outside, companions, reaches_out: true, metrics, stopping })
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

    /// What is shown to whoever connects, if connections are secure.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Serves until `shutdown` is there. Then no connection is taken any more, requests under way are answered, every
    /// accepted edit is on disk, and all books are closed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, address, certificate: _, gateway, outside, companions, reaches_out, metrics, stopping } =
            self;
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

/// A token that lies in a file nobody has read yet is no protection against a network.
fn check_reach(config: &Config) -> anyhow::Result<()> {
    let listen = config.http.listen;
    anyhow::ensure!(
        listen.ip().to_canonical().is_loopback() || !config.gateway.admin_token.is_empty(),
        "{listen} can be reached from other machines: give the gateway an admin token of your own first \
         (gateway.admin_token, or WABOOK_GATEWAY__ADMIN_TOKEN), or listen on 127.0.0.1"
    );
    Ok(())
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
        quota: Quota { contacts: config.limits.contacts, bytes: config.limits.book_bytes },
    }
}

/// The soft limit on open files is raised to the hard one first.
fn books_that_fit() -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let that_fit = files.saturating_sub(FILES_KEPT_BACK.min(files / 2)) / FILES_PER_BOOK;
    usize::try_from(that_fit).unwrap_or(usize::MAX).clamp(8, BOOKS_AT_MOST)
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

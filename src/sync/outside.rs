//! The one way out: an HTTP client that reaches only public addresses and those that the operator allows. Every address
//! is checked where it is connected to, so that a name which first leads one way and then another gets nowhere new.
//! Leaves out what is sent.

use std::{
    error::Error as StdError,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header,
};
use tokio::sync::{Semaphore, oneshot};

use super::{
    carrier::{Carrier, Carrying, Message, NoReceipt, Receipt},
    destination::{AllowList, Destination, not_public},
    tls,
};
use crate::domain::Result;

/// Of an answer's body so much is read, and thrown away, so that the connection can be used again.
const BODY_READ: usize = 4096;
const BODY_TIME: Duration = Duration::from_secs(1);
/// Connections that wait for the next message, to each receiver.
const IDLE_CONNECTIONS: usize = 2;
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Names that are being looked up. The system's resolver may hang for long; its threads are not those of the books.
const LOOKUPS: usize = 64;
/// Nobody is waited for longer than this, whatever they ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Who knows the addresses of a name.
pub trait Resolver: Send + Sync + 'static {
    fn resolve(&self, name: &str) -> Resolved;
}

pub type Resolved = std::pin::Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

pub struct Outside {
    allow: Arc<AllowList>,
    resolver: Arc<dyn Resolver>,
    timeout: Duration,
    /// Made when it is first needed: certificates are read then, and most gateways reach for nobody.
    client: OnceLock<Option<Client>>,
}

impl Outside {
    pub fn new(allow: AllowList, resolver: Arc<dyn Resolver>, timeout: Duration) -> Self {
        Self { allow: Arc::new(allow), resolver, timeout, client: OnceLock::new() }
    }

    /// A URL that may be asked for, as things stand now. A name that leads nowhere yet is let through: it is looked at
    /// again whenever it is connected to.
    pub async fn check(&self, text: &str) -> Result<Destination> {
        let destination = self.read(text)?;
        if let Some(name) = destination.name()
            && let Ok(Ok(addresses)) = tokio::time::timeout(self.timeout, self.resolver.resolve(name)).await
            && !addresses.is_empty()
            && !addresses.iter().any(|address| self.allow.lets(name, *address))
        {
            return Err(not_public().into());
        }
        Ok(destination)
    }

    /// Likewise, without looking the name up.
    pub fn read(&self, text: &str) -> Result<Destination> {
        Ok(Destination::parse(text, &self.allow)?)
    }

    /// For a request that is put together elsewhere on this floor. `None`: there is no TLS to be had on this machine.
    pub(super) fn client(&self) -> Option<&Client> {
        self.client.get_or_init(|| self.make_client()).as_ref()
    }

    fn make_client(&self) -> Option<Client> {
        let builder = || {
            tls::client()
                .timeout(self.timeout)
                .connect_timeout(self.timeout)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .pool_idle_timeout(IDLE_TIME)
                .user_agent(concat!("wabook/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Arc::new(Checked {
                    allow: Arc::clone(&self.allow),
                    resolver: Arc::clone(&self.resolver),
                }))
        };
        // Without the system's certificates nobody is trusted over TLS, but plain HTTP works as before.
        let made = builder().build().or_else(|error| {
            tracing::warn!(error = %error.without_url(), "no certificates on this machine: nothing is reached over TLS");
            builder().tls_certs_only([]).build()
        });
        made.inspect_err(|error| tracing::error!(%error, "there is no client for the outside")).ok()
    }

    async fn hand_over(&self, message: Message) -> Result<Receipt, NoReceipt> {
        let client = self.client().ok_or(NoReceipt::Tls)?;
        // An address in place of a name is asked of no resolver, so it is looked at here, each time.
        let url = Destination::parse(&message.url, &self.allow).map_err(|_| NoReceipt::Forbidden)?;
        let mut request = client.post(url.url().clone()).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        let response = request.body(message.body).send().await.map_err(|error| no_receipt(&error))?;
        let receipt = Receipt { status: response.status().as_u16(), retry_after: retry_after(&response) };
        let _ = tokio::time::timeout(BODY_TIME, read_out(response)).await;
        Ok(receipt)
    }
}

impl Carrier for Outside {
    fn carry(&self, message: Message) -> Carrying<'_> {
        Box::pin(self.hand_over(message))
    }
}

/// The resolver as the HTTP client has it: of what the other knows, only what may be connected to.
struct Checked {
    allow: Arc<AllowList>,
    resolver: Arc<dyn Resolver>,
}

#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be connected to")]
struct ForbiddenAddress;

#[derive(Debug, thiserror::Error)]
#[error("the name leads nowhere")]
struct Unresolved;

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, resolving) = (Arc::clone(&self.allow), self.resolver.resolve(name.as_str()));
        Box::pin(async move {
            let addresses = resolving.await.map_err(|_| Unresolved)?;
            if addresses.is_empty() {
                return Err(Unresolved.into());
            }
            let allowed: Vec<_> = addresses
                .into_iter()
                .filter(|address| allow.lets(name.as_str(), *address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if allowed.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The system's resolver, on threads of its own.
pub struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> Resolved {
        let (name, lookups) = (name.to_owned(), Arc::clone(&self.0));
        Box::pin(async move {
            let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
            let (answer, answered) = oneshot::channel();
            std::thread::Builder::new().name("lookup".into()).spawn(move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                drop(permit);
                let _ = answer.send(found.map(|addresses| addresses.map(|address| address.ip()).collect()));
            })?;
            answered.await.map_err(io::Error::other)?
        })
    }
}

/// Told by those who are overloaded or limit us, in seconds or as a date.
fn retry_after(response: &Response) -> Option<Duration> {
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    read_retry_after(value, SystemTime::now())
}

fn read_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(SystemTime::from(at).duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

async fn read_out(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > BODY_READ {
            return;
        }
    }
}

fn no_receipt(error: &reqwest::Error) -> NoReceipt {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(found) = cause {
        // What an input/output error wraps is not among its causes.
        let inner = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let is = |test: fn(&(dyn StdError + 'static)) -> bool| test(found) || inner.is_some_and(|inner| test(inner));
        if is(<dyn StdError>::is::<ForbiddenAddress>) {
            return NoReceipt::Forbidden;
        }
        if is(<dyn StdError>::is::<Unresolved>) {
            return NoReceipt::Unresolved;
        }
        if is(<dyn StdError>::is::<rustls::Error>) {
            return NoReceipt::Tls;
        }
        cause = found.source();
    }
    match () {
        () if error.is_timeout() => NoReceipt::TimedOut,
        () if error.is_connect() => NoReceipt::Unreachable,
        () => NoReceipt::Broken,
    }
}

#[cfg(test)]
mod tests;

//! Floor 3, the gateway: who may enter which book. It keeps the instances and their access tokens, hands out sessions
//! for credentials and an `Office` for the admin's, and keeps the number of open books within bounds. There is no other
//! way to a session: authority is the handle you hold. Leaves out how credentials are spelled (http).

mod event_type;
mod folder;
mod intake;
mod limits;
mod linkage;
mod office;
mod recovery;
mod registry;
mod scope;
mod secrets;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod vault;
mod webhooks;

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use tokio::{runtime::Handle, sync::mpsc, task::AbortHandle};

pub use event_type::{EventType, EventTypes};
pub use folder::{Folder, RunNote};
pub use intake::Signature;
pub use limits::Rate;
pub use linkage::{CompanionSettings, Linkage};
pub use office::{Backup, Keyring, NewToken, Office};
pub use scope::{Scope, Scopes};
pub use secrets::AccessToken;
pub use store::Instance;
pub use tokens::Token;
pub use vault::Vault;
pub use webhooks::{NewWebhook, Webhook, WebhookPatch, WebhookState, Webhooks};

use crate::{
    domain::{Error, InstanceId, Moment, Result},
    journal::{Full, Journal},
    session::{OpenBooks, Quota, Session, Setting},
};
use intake::Intakes;
use registry::Registry;
use secrets::{Hasher, TokenHash};
use store::Store;
use tokens::{Grant, Grants};
use webhooks::Stirred;

/// How often idle books are looked for and token use is noted.
const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// How often a book is looked at for tombstones that have had their time: daily, or more often if that time is shorter.
const PRUNING: [Duration; 2] = [Duration::from_secs(3600), Duration::from_secs(24 * 3600)];

#[derive(Debug, Clone)]
pub struct Settings {
    pub sessions: PathBuf,
    /// `None`: the one in `admin.token`, which is made at the first start.
    pub admin_token: Option<String>,
    /// Under which secrets are kept that have to be read again. `None`: the gateway's own key file.
    pub secret_key: Option<String>,
    pub open_books: usize,
    pub idle: Duration,
    /// How long deleted contacts are remembered as such.
    pub tombstones: Duration,
    pub mailbox: usize,
    pub long_reads: usize,
    /// For each token; 0 = off.
    pub requests_per_minute: u32,
    pub quota: Quota,
}

/// What somebody presents at the door. Where it stood in the request is the room's business.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    pub instance: Option<&'a str>,
    pub token: Option<&'a str>,
}

/// Somebody who is known. What they may do is asked when they do it.
pub struct Pass {
    grant: Arc<Grant>,
    /// `None` when nothing is limited.
    pub rate: Option<Rate>,
}

impl Pass {
    /// Whose book this is about, also when it stays closed.
    pub fn instance(&self) -> &InstanceId {
        self.grant.session.id()
    }

    /// The rate limit comes before the scope: guessing scopes is not free.
    pub fn enter(&self, scope: Scope) -> Result<Session> {
        match self.rate {
            Some(Rate { wait: Some(wait), .. }) => Err(Error::Limited { wait }),
            _ if !self.grant.scopes.allow(scope) => Err(Error::Forbidden { scope: scope.word() }),
            _ => Ok(self.grant.session.clone()),
        }
    }
}

pub struct Gateway {
    folder: Folder,
    setting: Setting,
    journal: Arc<Journal>,
    store: Mutex<Store>,
    hasher: Hasher,
    vault: Vault,
    stirred: Stirred,
    /// The admin token and the key of this run.
    admin: [TokenHash; 2],
    run_key: AccessToken,
    is_new: AtomicBool,
    grants: Grants,
    intakes: Intakes,
    registry: Registry,
    requests_per_minute: u32,
    tombstones: Duration,
    house: Mutex<Option<AbortHandle>>,
    /// Held, not used: its end is the end of our hold on the folder.
    lock: Mutex<Option<File>>,
}

impl Gateway {
    /// Opens the sessions folder; a second process on the same folder is refused.
    pub fn open(settings: Settings, runtime: Handle) -> anyhow::Result<Arc<Self>> {
        let folder = Folder::make(&settings.sessions)?;
        let lock = folder.lock()?;
        folder.remove_note();
        folder.sweep();
        let kept = open_store(&folder)?;
        let key = secrets::read_or_make(&folder.key(), || AccessToken::random().reveal().to_owned())?;
        let hasher = Hasher::new(key.as_bytes());
        let vault = Vault::new(settings.secret_key.as_deref().unwrap_or(&key).as_bytes());
        let admin_token = match settings.admin_token {
            Some(token) => token,
            None => secrets::read_or_make(&folder.admin_token(), || AccessToken::random().reveal().to_owned())?,
        };
        let run_key = AccessToken::random();
        // After the key: a store whose key was never there could not be told from one whose key is lost.
        let store = kept.map_or_else(|| Store::create(&folder.database()), Ok)?;
        let is_new = AtomicBool::new(store.is_welcome_due()?);

        recovery::recover(&folder)?;
        // A file for which there is no room here stays until the end, no more.
        let (full, filled) = mpsc::channel(16);
        let journal =
            Journal::begin(folder.path(), move |file| drop(full.try_send(file))).context("no journal can be kept")?;

        let open_books = Arc::new(OpenBooks::at_most(settings.open_books));
        let setting = Setting {
            runtime,
            mailbox: settings.mailbox,
            long_reads: settings.long_reads,
            open_books: Arc::clone(&open_books),
            quota: settings.quota,
            journal: Some(Arc::clone(&journal)),
        };
        let gateway = Self {
            admin: [hasher.hash(&admin_token), hasher.hash(run_key.reveal())],
            registry: Registry::new(open_books, settings.idle),
            folder,
            setting,
            journal,
            store: Mutex::new(store),
            hasher,
            vault,
            stirred: Stirred::default(),
            run_key,
            is_new,
            grants: Grants::default(),
            intakes: Intakes::default(),
            requests_per_minute: settings.requests_per_minute,
            tombstones: settings.tombstones,
            house: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        gateway.load()?;
        let gateway = Arc::new(gateway);
        let house = gateway.setting.runtime.spawn(Arc::clone(&gateway).keep_house(filled));
        *held(&gateway.house) = Some(house.abort_handle());
        tracing::info!(instances = gateway.registry.len(), "sessions folder opened");
        Ok(gateway)
    }

    /// Whether nobody was shown the way in yet, and there is no instance but perhaps the one meant for that.
    pub fn is_new(&self, first: &InstanceId) -> bool {
        self.is_new.load(Ordering::Relaxed) && self.registry.all().iter().all(|session| session.id() == first)
    }

    /// Somebody was: it is not done again.
    pub async fn welcomed(self: &Arc<Self>) -> Result<()> {
        if self.is_new.load(Ordering::Relaxed) {
            self.with_store(|store| store.welcomed()).await?;
            self.is_new.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The key that opens the office for this run: left in a 0600 file for commands on this machine.
    pub fn run_key(&self) -> &AccessToken {
        &self.run_key
    }

    /// Lets somebody in who is known, as far as the rate limit allows. Missing, unknown, expired, revoked and foreign
    /// tokens and missing instances are all `Refused`: an outsider cannot tell which instances exist.
    pub fn admit(&self, credentials: Credentials<'_>) -> Result<Pass> {
        let token = credentials.token.and_then(AccessToken::parse).ok_or(Error::Refused)?;
        let grant = self.grants.find(&self.hasher.hash(token.reveal()), now()).ok_or(Error::Refused)?;
        if credentials.instance.is_some_and(|id| id != grant.session.id().as_str()) {
            return Err(Error::Refused);
        }
        Ok(Pass { rate: grant.pace(), grant })
    }

    /// Whether this token opens anything. Counts for no rate limit.
    pub fn knows(&self, token: Option<&str>) -> bool {
        let token = token.and_then(AccessToken::parse);
        token.is_some_and(|token| self.grants.find(&self.hasher.hash(token.reveal()), now()).is_some())
    }

    /// The session that these credentials open for this scope.
    pub fn enter(&self, credentials: Credentials<'_>, scope: Scope) -> Result<Session> {
        self.admit(credentials)?.enter(scope)
    }

    /// The office, for the admin token or the key of this run.
    pub fn administer(self: &Arc<Self>, token: Option<&str>) -> Result<Office> {
        let presented = self.hasher.hash(token.ok_or(Error::Refused)?);
        // Both are compared always: the time tells nothing.
        let [admin, run] = self.admin.each_ref().map(|known| self.hasher.same(known, &presented));
        if admin | run { Ok(Office::new(Arc::clone(self), run)) } else { Err(Error::Refused) }
    }

    /// The tokens of one instance, for a token of that instance with `instance:admin`.
    pub fn keyring(self: &Arc<Self>, credentials: Credentials<'_>) -> Result<Keyring> {
        let session = self.enter(credentials, Scope::InstanceAdmin)?;
        Ok(Keyring::new(Arc::clone(self), session.id().clone()))
    }

    /// The webhooks of one instance, likewise.
    pub fn webhooks(self: &Arc<Self>, credentials: Credentials<'_>) -> Result<Webhooks> {
        let session = self.enter(credentials, Scope::InstanceAdmin)?;
        Ok(Webhooks::new(Arc::clone(self), session))
    }

    pub async fn created_at(self: &Arc<Self>, id: &InstanceId) -> Result<Moment> {
        let instances = self.with_store(|store| store.instances()).await?;
        instances.iter().find(|known| known.id == *id).map(|known| known.created_at).ok_or(Error::NoInstance)
    }

    /// Whether the gateway can do its work: its own store answers.
    pub async fn is_ready(self: &Arc<Self>) -> bool {
        self.with_store(|store| store.instances().map(drop)).await.is_ok()
    }

    /// Answers every accepted edit, closes all books and lets go of the folder.
    pub async fn close(self: &Arc<Self>) {
        if let Some(house) = held(&self.house).take() {
            house.abort();
        }
        self.registry.finish().await;
        self.end_journal().await;
        self.note_use().await;
        self.folder.remove_note();
        held(&self.lock).take();
        tracing::info!("sessions folder closed");
    }

    fn load(&self) -> Result<()> {
        let store = held(&self.store);
        for instance in store.instances()? {
            self.registry.add(self.session(instance.id));
        }
        for (token, hash) in store.tokens()? {
            if let (None, Some(session)) = (token.revoked_at, self.registry.get(&token.instance)) {
                self.grants.add(hash, Grant::new(&token, session, self.requests_per_minute));
            }
        }
        self.load_intakes(store.intake_keys()?);
        Ok(())
    }

    fn session(&self, id: InstanceId) -> Session {
        let folder = self.folder.of(&id);
        Session::new(id, folder, self.setting.clone())
    }

    /// Every book has all that is in it, unless one says otherwise.
    async fn end_journal(self: &Arc<Self>) {
        let gateway = Arc::clone(self);
        let end = move || {
            gateway.journal.end();
            if gateway.journal.keeps_everything() { Ok(()) } else { Journal::clear(gateway.folder.path()) }
        };
        if let Ok(Err(error)) = self.setting.runtime.spawn_blocking(end).await {
            tracing::warn!(%error, "the journal could not be removed, the next start will read it");
        }
    }

    /// Removes a file of the journal that is no longer written to, once all that is in it is in the books for sure.
    async fn put_away(&self, file: Full) {
        for book in &file.books {
            let session = book.parse().ok().and_then(|id: InstanceId| self.registry.get(&id));
            // One that is no longer there needs nothing.
            let Some(session) = session else { continue };
            if session.keep().await.is_err() {
                self.journal.keep_everything();
            }
        }
        if self.journal.keeps_everything() {
            return;
        }
        if let Err(error) = file.put_away() {
            tracing::warn!(%error, "a file of the journal could not be put away");
        }
    }

    async fn keep_house(self: Arc<Self>, mut filled: mpsc::Receiver<Full>) {
        let mut ticks = tokio::time::interval(HOUSEKEEPING);
        let again = self.tombstones.clamp(PRUNING[0], PRUNING[1]);
        loop {
            tokio::select! {
                Some(file) = filled.recv() => self.put_away(file).await,
                _ = ticks.tick() => {
                    self.note_use().await;
                    self.registry.prune(now().minus(self.tombstones), Instant::now(), again).await;
                }
            }
            self.registry.tidy(Instant::now()).await;
        }
    }

    async fn note_use(self: &Arc<Self>) {
        let uses = self.grants.take_uses();
        if !uses.is_empty()
            && let Err(error) = self.with_store(move |store| store.note_use(&uses)).await
        {
            tracing::warn!(outcome = error.word(), "the last use of tokens was not noted");
        }
    }

    async fn with_store<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let gateway = Arc::clone(self);
        let worked = self.setting.runtime.spawn_blocking(move || work(&mut held(&gateway.store)));
        worked.await.map_err(Error::internal)?
    }
}

/// The store that is there already. One that lost its key, or a key that lost its store, is not begun anew in silence:
/// every token would be worth nothing.
fn open_store(folder: &Folder) -> anyhow::Result<Option<Store>> {
    let lost = |what: &str, other: &str| {
        anyhow::anyhow!(
            "{} holds {other} but no {what}: put it back from a backup. If it is lost, move {other} away too: the \
             address books stay, and `wabook instance create` with the name of one takes it over",
            folder.path().display()
        )
    };
    let has_key = folder.key().exists();
    if !folder.database().exists() {
        anyhow::ensure!(!(has_key && folder.has_books()), lost("gateway.db", "gateway.key"));
        return Ok(None);
    }
    let store = Store::open(&folder.database())?;
    anyhow::ensure!(has_key || !store.needs_key()?, lost("gateway.key", "gateway.db"));
    Ok(Some(store))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn now() -> Moment {
    SystemTime::now().into()
}

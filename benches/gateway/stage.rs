//! The stage: a gateway started in this process as `main` starts it, with instances, tokens and contacts in a folder
//! of its own, and beside it what it is compared with. Leaves out what is asked of them.

use std::{
    collections::HashMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt as lines, layer::SubscriberExt as _, util::SubscriberInitExt as _};
use wabook::{
    app::App,
    book::{Book, Head, Touched, Write},
    config::{Config, Flags},
    domain::{ChatId, Contact, ContactId, Kind, Moment, NamePart, Saved, Source, Who},
    gateway::{NewToken, Office, Scopes},
};

use crate::{
    afternoon,
    baseline::{self, Responder},
    list,
};

/// The phone number of contact `n` is this and `n`, nine digits wide.
pub const PHONES: &str = "4915";

/// Its number in the book is this and `n`, its UUID this and `n`, twelve digits wide: so a request can be made of `n`.
const FIRST_ID: i64 = 1_000_000_000;
pub const UUIDS: &str = "00000000-0000-7000-8000-";

/// The instance with a large book, and how many share the spread load.
const LARGE: &str = "large";
const SMALL: &str = "small";
const SPREAD: usize = 1000;

/// An instance and a token that opens it.
pub struct Key {
    pub instance: String,
    pub token: String,
}

pub struct Stage {
    pub gateway: SocketAddr,
    pub bare: SocketAddr,
    /// What a team would write instead.
    pub afternoon: SocketAddr,
    pub responder: SocketAddr,
    /// An instance that begins empty.
    pub small: Key,
    pub large: Key,
    /// How many contacts the large one has.
    pub contacts: u64,
    pub spread: Vec<Key>,
    /// Books of realistic people, by how many.
    pub shelves: Vec<(u64, Key)>,
    runtime: Runtime,
    running: JoinHandle<anyhow::Result<()>>,
    shutdown: oneshot::Sender<()>,
    fixed: Responder,
    folder: TempDir,
}

impl Stage {
    pub fn set_up(contacts: u64, shelves: &[u64]) -> anyhow::Result<Self> {
        // Beside the build's other files: a temporary folder of the system may be memory, where a sync costs nothing.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut config = Config::load(&Flags {
            listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
            sessions: Some(folder.path().to_owned()),
            ..Flags::default()
        })?;
        // Where the receivers of webhooks listen.
        config.outside.allow = vec!["127.0.0.1".to_owned()];
        write_book(&folder.path().join(LARGE), contacts, first_and_last)?;
        for size in shelves {
            write_book(&folder.path().join(shelf(*size)), *size, list::person)?;
        }

        // The same runtime as in `cli::main`.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(config.threads() + 4)
            .thread_name("wabook")
            .enable_all()
            .build()?;
        let fixed = Responder::start(&config)?;
        let (shutdown, stop) = oneshot::channel();
        let (gateway, mut keys, [bare, afternoon], running) = runtime.block_on(async {
            let app = App::build_with(&config, baseline::mount)?;
            let keys = admit(&app, shelves).await?;
            let address = app.address();
            let running = tokio::spawn(app.run(async { drop(stop.await) }));
            let others = [baseline::start_bare(&config)?, afternoon::start(&config, folder.path())?];
            anyhow::Ok((address, keys, others, running))
        })?;
        let mut take = |name: &str| keys.remove(name).context("every instance was made");
        let (small, large) = (take(SMALL)?, take(LARGE)?);
        let shelves = shelves.iter().map(|size| Ok((*size, take(&shelf(*size))?))).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            gateway,
            bare,
            afternoon,
            responder: fixed.address,
            small,
            large,
            contacts,
            spread: keys.into_values().collect(),
            shelves,
            runtime,
            running,
            shutdown,
            fixed,
            folder,
        })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends everything in order and removes the folder.
    pub fn tear_down(self) -> anyhow::Result<()> {
        drop(self.shutdown);
        self.runtime.block_on(self.running)??;
        self.fixed.stop()?;
        self.runtime.shutdown_background();
        Ok(self.folder.close()?)
    }
}

/// Logs as a server does, to nowhere: formatting and the queue are paid for, a terminal is not.
pub fn begin_to_log() -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default().thread_name("log").finish(io::sink());
    let json = lines::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    tracing_subscriber::registry().with(EnvFilter::new("warn,wabook=info")).with(json).init();
    guard
}

/// All instances, by name. The gateway takes the large book over, as it lies there already.
async fn admit(app: &App, shelves: &[u64]) -> anyhow::Result<HashMap<String, Key>> {
    let office = app.gateway().administer(Some(app.gateway().run_key().reveal()))?;
    let spread = (0..SPREAD).map(|number| format!("spread-{number}"));
    let mut keys = HashMap::new();
    let shelves = shelves.iter().map(|size| shelf(*size));
    for name in [SMALL, LARGE].map(str::to_owned).into_iter().chain(shelves).chain(spread) {
        let token = open(&office, &name).await?;
        keys.insert(name.clone(), Key { instance: name, token });
    }
    Ok(keys)
}

pub async fn open(office: &Office, name: &str) -> anyhow::Result<String> {
    let instance = office.create(name.parse().map_err(wabook::domain::Error::from)?).await?;
    let wish = NewToken { label: None, scopes: Scopes::ALL, expires_at: None };
    let (_, secret) = office.keyring(&instance.id)?.create(wish).await?;
    Ok(secret.reveal().to_owned())
}

fn shelf(size: u64) -> String {
    format!("list-{size}")
}

/// What is known of contact `n`.
pub type Dress = fn(u64, &mut Contact);

pub fn first_and_last(number: u64, contact: &mut Contact) {
    contact.card.kind = Some(if number.is_multiple_of(2) { Kind::Lead } else { Kind::Customer });
    contact.names.saved.first = Some(NamePart::trusted(format!("First {number}")));
    contact.names.saved.last = Some(NamePart::trusted("Last"));
}

pub fn write_book(folder: &Path, contacts: u64, dress: Dress) -> anyhow::Result<()> {
    const BATCH: usize = 10_000;
    fs::create_dir(folder)?;
    let mut book = Book::create(folder)?;
    let numbers: Vec<u64> = (0..contacts).collect();
    for batch in numbers.chunks(BATCH) {
        let mut head = book.head();
        let writes =
            batch.iter().map(|number| insert(*number, &mut head, dress)).collect::<anyhow::Result<Vec<_>>>()?;
        book.write(&writes, head)?;
    }
    Ok(book.close()?)
}

/// Gives every contact of a book so many other last names, one after the other, as years of use would.
pub fn rename_all(folder: &Path, contacts: u64, times: u64) -> anyhow::Result<()> {
    let mut book = Book::open(folder)?;
    let everybody: Vec<_> = (FIRST_ID..).take(usize::try_from(contacts)?).map(|id| Who::Id(ContactId(id))).collect();
    for time in 0..times {
        let (mut head, mut writes) = (book.head(), Vec::new());
        for mut contact in book.load(&everybody)?.into_iter().flatten() {
            (head.revision, contact.revision) = (head.revision.next(), head.revision.next());
            let saved = std::mem::take(&mut contact.names.saved);
            contact.names.saved = Saved { last: Some(NamePart::trusted(format!("Smith {time:016}"))), ..saved.clone() };
            writes.push(Write::Outdate { contact: contact.id, revision: head.revision, saved });
            let touched = Touched { names: true, ..Touched::default() };
            writes.push(Write::Update { contact: Arc::new(contact), source: Source::known("bench"), touched });
        }
        book.write(&writes, head)?;
    }
    Ok(book.close()?)
}

fn insert(number: u64, head: &mut Head, dress: Dress) -> anyhow::Result<Write> {
    let phone = ChatId::phone(&format!("{PHONES}{number:09}")).map_err(wabook::domain::Error::from)?;
    head.revision = head.revision.next();
    head.last_id = ContactId(FIRST_ID + i64::try_from(number)?);
    let mut contact = Contact::unknown(phone, Moment::from_millis(1_700_000_000_000));
    (contact.id, contact.uuid, contact.revision) =
        (head.last_id, format!("{UUIDS}{number:012}").parse()?, head.revision);
    (contact.card.source_id, contact.card.status_id) = (Some(1), Some(1));
    dress(number, &mut contact);
    Ok(Write::Insert { contact: Arc::new(contact), source: Source::known("bench") })
}

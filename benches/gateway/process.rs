//! A gateway in a process of its own, over a folder with many small books: only so are its memory, its files and its start
//! nobody else's. Leaves out what is asked of it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;
use wabook::{
    app::App,
    book::{Book, FILE},
    config::{Config, Flags},
};

use crate::{
    questions::{Form, Questions},
    stage::{Key, PHONES, first_and_last, open, rename_all, write_book},
};

/// Contacts in each book.
pub const CONTACTS: u64 = 100;

/// How such a process is measured.
#[derive(Clone, Copy)]
pub struct Apart {
    pub is_quick: bool,
    pub is_logging: bool,
}

/// A sessions folder with many instances.
pub struct Crowd {
    folder: TempDir,
    pub keys: Vec<Key>,
    /// What writing the books took, and what the gateway took to make instances and tokens of them.
    pub written_in: Duration,
    pub admitted_in: Duration,
}

impl Crowd {
    /// Whose contacts were renamed so often before.
    pub fn gather(instances: usize, renamed: u64) -> anyhow::Result<Self> {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (sessions, before) = (folder.path().join("sessions"), Instant::now());
        fs::create_dir(&sessions)?;
        let pattern = folder.path().join("pattern");
        write_book(&pattern, CONTACTS, first_and_last)?;
        rename_all(&pattern, CONTACTS, renamed)?;
        let epoch = Book::open(&pattern)?.head().epoch.0.into_bytes();
        let mut bytes = fs::read(pattern.join(FILE))?;
        let places: Vec<_> =
            (0..=bytes.len() - epoch.len()).filter(|place| bytes[*place..].starts_with(&epoch)).collect();
        let [place] = places[..] else { anyhow::bail!("the epoch stands in {} places of a book", places.len()) };
        for number in 0..instances {
            let book = sessions.join(name(number));
            fs::create_dir(&book)?;
            // Books that were made one by one would differ in this as well.
            bytes[place..][..epoch.len()].copy_from_slice(uuid::Uuid::now_v7().as_bytes());
            fs::write(book.join(FILE), &bytes)?;
        }
        let written_in = before.elapsed();
        let keys = admit(&sessions, instances)?;
        Ok(Self { folder, keys, written_in, admitted_in: before.elapsed() - written_in })
    }

    /// Reads of random contacts and, one in `writes`, a name that differs from the one before; 0 = none.
    pub fn questions(&self, writes: usize) -> Questions {
        let ask = |key: &Key| {
            let reads = (1..writes.max(2)).map(|_| read(key));
            reads.chain((writes > 0).then(|| write(key))).collect::<Vec<_>>()
        };
        Questions { forms: self.keys.iter().flat_map(ask).collect(), contacts: CONTACTS }
    }
}

fn name(number: usize) -> String {
    format!("quiet-{number}")
}

/// The gateway takes over the books that lie in its folder.
fn admit(sessions: &std::path::Path, instances: usize) -> anyhow::Result<Vec<Key>> {
    let config = Config::load(&Flags {
        listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
        sessions: Some(sessions.to_owned()),
        ..Flags::default()
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let keys = runtime.block_on(async {
        let app = App::build(&config)?.staying_in();
        let office = app.gateway().administer(Some(app.gateway().run_key().reveal()))?;
        let mut keys = Vec::with_capacity(instances);
        for instance in (0..instances).map(name) {
            let token = open(&office, &instance).await?;
            keys.push(Key { instance, token });
        }
        app.run(std::future::ready(())).await?;
        anyhow::Ok(keys)
    })?;
    runtime.shutdown_background();
    Ok(keys)
}

fn target(Key { instance, token }: &Key, contact: &str) -> String {
    format!("/v2/contacts?instance_id={instance}&access_token={token}&contactId={PHONES}{contact}@c.us")
}

fn read(key: &Key) -> Form {
    Form::get(&target(key, "#########"), "")
}

fn write(Key { instance, token }: &Key) -> Form {
    let body = format!(
        r#"{{"instance_id": "{instance}", "access_token": "{token}", "chatId": "{PHONES}#########@c.us", "firstName": "Bob", "lastName": "Smith ################"}}"#
    );
    Form::post("/v2/contacts/update", &body)
}

/// The program over such a folder.
pub struct Process {
    child: Child,
    /// Kept open, so that it can print.
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    /// From nothing to the first contact that it told.
    pub first_answer: Duration,
}

impl Process {
    pub fn start(crowd: &Crowd, Apart { is_quick, is_logging }: Apart) -> anyhow::Result<Self> {
        let before = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wabook"))
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--sessions", "sessions"])
            .current_dir(crowd.folder.path())
            .envs((!is_logging).then_some(("WABOOK_LOG__LEVEL", "off")))
            .envs(is_quick.then_some(("WABOOK_SESSIONS__IDLE", "5s")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("it was piped")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let announced: serde_json::Value = serde_json::from_str(&line).context("the gateway did not start")?;
        let address = announced["address"].as_str().context("it tells where it listens")?.parse()?;
        Caller::connect(address)?.read(&crowd.keys[0], 0)?;
        Ok(Self { child, _stdout: stdout, address, first_answer: before.elapsed() })
    }

    /// Bytes of memory it occupies now, and the most that it ever did.
    pub fn memory(&self) -> anyhow::Result<(u64, u64)> {
        memory(self.child.id())
    }

    pub fn open_files(&self) -> anyhow::Result<usize> {
        open_files(self.child.id())
    }

    pub fn watch(&self, every: Duration) -> Watch {
        let (process, (stop, stopped)) = (self.child.id(), channel());
        let began = Instant::now();
        let watching = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
                let (memory, files) = (memory(process)?.0, open_files(process)?);
                seen.push(Glance { at: began.elapsed(), memory, files });
            }
            Ok(seen)
        });
        Watch { stop, watching }
    }

    /// Asks it to end, and waits for it.
    pub fn stop(mut self) -> anyhow::Result<()> {
        // The shell has `kill` built in; the call itself would be unsafe here.
        Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status()?;
        anyhow::ensure!(self.child.wait()?.success(), "the gateway did not end in order");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks at a process again and again.
pub struct Watch {
    stop: Sender<()>,
    watching: JoinHandle<anyhow::Result<Vec<Glance>>>,
}

pub struct Glance {
    pub at: Duration,
    pub memory: u64,
    pub files: usize,
}

impl Watch {
    pub fn end(self) -> anyhow::Result<Vec<Glance>> {
        drop(self.stop);
        self.watching.join().expect("the watch does not panic")
    }
}

fn memory(process: u32) -> anyhow::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = |name| -> anyhow::Result<u64> {
        let text = status.lines().find_map(|line| line.strip_prefix(name)).context("the system tells no memory")?;
        Ok(1024 * text.trim().trim_end_matches(" kB").parse::<u64>()?)
    };
    Ok((line("VmRSS:")?, line("VmHWM:")?))
}

fn open_files(process: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(PathBuf::from(format!("/proc/{process}/fd")))?.count())
}

/// One connection that asks one thing after the other.
pub struct Caller {
    stream: BufReader<TcpStream>,
}

impl Caller {
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// How long the gateway took to tell a contact.
    pub fn read(&mut self, key: &Key, contact: u64) -> anyhow::Result<Duration> {
        let target = target(key, &format!("{contact:09}"));
        let before = Instant::now();
        write!(self.stream.get_mut(), "GET {target} HTTP/1.1\r\nhost: bench\r\n\r\n")?;
        let (mut line, mut head) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            anyhow::ensure!(self.stream.read_line(&mut line)? > 0, "the connection was lost");
            head.push_str(&line.to_ascii_lowercase());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).context("there is a length")?;
        let mut body = vec![0; length.trim().parse()?];
        self.stream.read_exact(&mut body)?;
        let took = before.elapsed();
        let status = head.lines().next().unwrap_or_default();
        anyhow::ensure!(status.contains(" 200 "), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(took)
    }
}

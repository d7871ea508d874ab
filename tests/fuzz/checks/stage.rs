//! The gateway in this process, on a free port, with an instance that knows somebody: started when it is first asked, kept
//! for as long as the process lives, its instance replaced when it has been asked often.

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use wabook::{
    app::App,
    config::{Config, Flags},
};

use super::wire::{Answer, Wire};

/// An idle connection may be closed by the other side.
const IDLE: Duration = Duration::from_secs(30);

const PEOPLE: &str = "phone,lid,first_name,last_name,email,tags,groups,source,status,type,opted_in,params\n\
    15551230000,999888777,Alice,Ångström,alice@example.com,a; b,friends,shop,new,lead,true,{\"k\":1}\n\
    491701234567,,Bob,Smith,bob@example.com,b,friends,shop,new,customer,false,\n\
    201234567890,555,秀英,,,,,,,guest,,\n\
    ,100875997589545,O'Neill,Tab,,c,,,,,,\n\
    4917099999,,bob,,,,family,,old,,,\n\
    4917099998,,,,,,,,,,,\n";

pub struct Stage {
    running: Option<Running>,
}

struct Running {
    _folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    address: SocketAddr,
    admin_token: String,
    wire: Option<(Wire, Instant)>,
    instance: Instance,
}

#[derive(Default)]
struct Instance {
    id: String,
    token: String,
    /// How often it was asked something new.
    uses: u32,
    /// The token of the feed up to which all is known.
    since: String,
    uuid: String,
}

pub struct Request<'r> {
    pub method: &'r str,
    /// Where `{i}` is the instance.
    pub path: &'r str,
    pub header: &'r str,
    pub media_type: &'r str,
    pub body: &'r [u8],
}

impl<'r> Request<'r> {
    pub fn new(method: &'r str, path: &'r str) -> Self {
        Self { method, path, header: "", media_type: "", body: b"" }
    }
}

impl Stage {
    pub const fn new() -> Self {
        Self { running: None }
    }

    /// Counts one use; after so many there is a new instance.
    pub fn freshen(&mut self, most: u32) {
        let running = self.running();
        running.instance.uses += 1;
        if running.instance.uses > most || running.instance.id.is_empty() {
            running.replace();
        }
    }

    /// On behalf of the instance. The connection must not be closed without an answer.
    pub fn ask(&mut self, request: &Request<'_>) -> Answer {
        self.running().ask(request, false)
    }

    /// The contacts that are new or changed since the last time, the first few.
    pub fn news(&mut self) -> Vec<Value> {
        self.running().news()
    }

    /// With what only this instance knows in the places left for it.
    pub fn filled(&mut self, bytes: &[u8]) -> Vec<u8> {
        if !bytes.contains(&b'{') {
            return bytes.to_vec();
        }
        let Instance { id, token, since, uuid, .. } = &self.running().instance;
        let epoch = since.split(':').next().unwrap_or_default();
        let places = [("{i}", id.as_str()), ("{token}", token), ("{uuid}", uuid), ("{epoch}", epoch)];
        places.iter().fold(bytes.to_vec(), |bytes, (place, text)| replaced(&bytes, place.as_bytes(), text.as_bytes()))
    }

    fn running(&mut self) -> &mut Running {
        self.running.get_or_insert_with(Running::start)
    }
}

impl Running {
    fn start() -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let mut config =
            Config::load(&Flags { file: None, listen: None, sessions: None }).expect("the defaults are good");
        config.http.listen = ([127, 0, 0, 1], 0).into();
        config.http.workers = 1;
        config.http.grace = Duration::from_secs(1);
        config.sessions.folder = folder.path().join("sessions");
        let admin_token = config.sessions.folder.join("admin.token");
        let (stop, stopped) = oneshot::channel();
        let (told, tell) = mpsc::channel();
        let serving = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                // Whatever URLs are made up, nothing is sent there.
                let app = App::build(&config).expect("the gateway starts").staying_in();
                told.send(app.address()).expect("somebody waits for the address");
                app.run(async { drop(stopped.await) }).await.expect("the gateway ends in order");
            });
        });
        let address = tell.recv().expect("the gateway has started");
        let admin_token = std::fs::read_to_string(admin_token).expect("the first start leaves a token");
        let (stop, serving) = (Some(stop), Some(serving));
        let admin_token = admin_token.trim().to_owned();
        Self { _folder: folder, stop, serving, address, admin_token, wire: None, instance: Instance::default() }
    }

    /// A new instance with the same people.
    fn replace(&mut self) {
        if !self.instance.id.is_empty() {
            let gone = self.ask(&Request::new("DELETE", "/v1/instances/{i}"), true);
            assert!(gone.status < 300, "{}", gone.text());
        }
        let json = "application/json";
        let wish = Request { media_type: json, body: b"{}", ..Request::new("POST", "/v1/instances") };
        let made = self.ask(&wish, true).json();
        let text = |name: &str| made[name].as_str().expect("a new instance is told of").to_owned();
        self.instance = Instance { id: text("instance_id"), token: text("access_token"), ..Instance::default() };
        let path = "/v1/instances/{i}/import?create=true";
        let people = Request { media_type: "text/csv", body: PEOPLE.as_bytes(), ..Request::new("POST", path) };
        let report = self.ask(&people, false).json();
        assert_eq!((&report["created"], &report["failed"]), (&6.into(), &0.into()), "{report}");
        let alice = self.ask(&Request::new("GET", "/v1/instances/{i}/contacts/15551230000"), false).json();
        self.instance.uuid = alice["uuid"].as_str().expect("a contact has a UUID").to_owned();
        self.news();
    }

    fn ask(&mut self, request: &Request<'_>, as_admin: bool) -> Answer {
        let Request { method, path, header, media_type, body } = request;
        let Instance { id, token, .. } = &self.instance;
        let mut headers = vec![
            format!("Authorization: Bearer {}", if as_admin { &self.admin_token } else { token }),
            format!("X-Api-Key: {token}"),
            format!("X-Org-Id: {id}"),
            format!("X-Instance-Id: {id}"),
        ];
        if !media_type.is_empty() {
            headers.push(format!("Content-Type: {media_type}"));
        }
        if !header.is_empty() {
            headers.push((*header).to_owned());
        }
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let what = format!("{method} {}", path.replace("{i}", id));
        let (mut wire, _) = self
            .wire
            .take()
            .filter(|(_, used)| used.elapsed() < IDLE)
            .unwrap_or_else(|| (Wire::to(&self.address.to_string()).expect("the gateway listens"), Instant::now()));
        let answer = wire.ask(&what, &headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        if answer.header("connection") != Some("close") {
            self.wire = Some((wire, Instant::now()));
        }
        answer
    }

    fn news(&mut self) -> Vec<Value> {
        let path = format!("/v1/instances/{{i}}/changes?limit=1000&since={}", self.instance.since);
        let mut page = self.ask(&Request::new("GET", &path), false).json();
        self.instance.since = page["next"].as_str().unwrap_or_else(|| panic!("no feed: {page}")).to_owned();
        let changes = page["changes"].as_array_mut().expect("a page has changes");
        changes
            .iter_mut()
            .filter(|change| change["change"] == "upserted")
            .take(2)
            .map(|change| change["contact"].take())
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Some(running) = &mut self.running else { return };
        running.wire = None;
        drop(running.stop.take());
        if let Some(serving) = running.serving.take()
            && serving.join().is_err()
            && !thread::panicking()
        {
            panic!("the gateway did not end in order");
        }
    }
}

fn replaced(bytes: &[u8], place: &[u8], text: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(place.len()).position(|window| window == place) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(text);
        rest = &rest[at + place.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

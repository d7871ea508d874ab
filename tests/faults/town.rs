//! Many instances under many clients who write through every dialect, and what they know of it in their ledgers.

use std::{
    io,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    diary::Witness,
    dice::Dice,
    ledger::{Account, Step, part_of, phone},
    shared::{
        rows::Entry,
        server::{Home, Server},
        wire::{Answer, Wire, is_unanswered},
    },
    shown::{self, Shown},
};

/// Contacts of each client in each book that are written again and again.
const RING: usize = 12;
const DIALECTS: usize = 8;
/// Dialects that make somebody new with every write.
const FIRST_MAKER: usize = 6;

pub struct Town {
    pub home: Home,
    pub entries: Vec<Entry>,
    clients: Vec<Mutex<Client>>,
    answered: AtomicU64,
    /// Somebody looks into the ledgers: clients hold still between turns, or they would never let him.
    is_reading: AtomicBool,
    /// Writes every answer down where the disk keeps its diary.
    pub witness: Option<Witness>,
}

struct Client {
    number: usize,
    dice: Dice,
    /// One for each instance.
    accounts: Vec<Account>,
}

/// How a client's turn ended.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Done,
    /// The connection ended before an answer began.
    Unanswered,
}

impl Town {
    /// Makes the instances over HTTP, as an admin does.
    pub fn found(home: Home, server: &Server, instances: usize, clients: usize, dice: &mut Dice) -> Self {
        let mut town = Self {
            home,
            entries: Vec::new(),
            clients: Vec::new(),
            answered: AtomicU64::new(0),
            is_reading: AtomicBool::new(false),
            witness: None,
        };
        let mut wire = server.wire();
        for number in 0..instances {
            town.entries.push(settle(&mut wire, &town.home, &format!("book-{number}")));
        }
        town.clients = (0..clients).map(|number| Mutex::new(Client::new(number, instances, dice.for_one()))).collect();
        town
    }

    fn clients(&self) -> impl Iterator<Item = MutexGuard<'_, Client>> {
        self.clients.iter().map(|client| client.lock().unwrap())
    }

    /// All clients write until they are told to stop or their connection ends, while `meanwhile` happens.
    pub fn bustle<T>(&self, server: &Server, stop: &AtomicBool, meanwhile: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            for client in &self.clients {
                let mut wire = server.wire();
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        while self.is_reading.load(Ordering::Relaxed) {
                            pause(Duration::from_millis(1));
                        }
                        let mut client = client.lock().unwrap();
                        if client.take_turn(&mut wire, self) == Turn::Unanswered {
                            return;
                        }
                    }
                });
            }
            meanwhile()
        })
    }

    /// Waits until so many writes more have been answered.
    pub fn wait_for(&self, more: u64) {
        let (goal, began) = (self.answered() + more, Instant::now());
        while self.answered() < goal {
            assert!(began.elapsed() < Duration::from_secs(120), "{} of {goal} answered", self.answered());
            pause(Duration::from_millis(5));
        }
    }

    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Every book over HTTP against every ledger: all that was answered, nothing by halves, no revision too many or too
    /// few. What was under way is settled by what the books show; how many of those were carried out.
    pub fn settle_accounts(&self, server: &Server) -> u64 {
        let mut wire = server.wire();
        let mut carried_out = 0;
        for (place, entry) in self.entries.iter().enumerate() {
            let shown = shown::over_http(&mut wire, entry);
            let mut revisions = 0;
            for mut client in self.clients() {
                let number = client.number;
                let account = &mut client.accounts[place];
                let (answered, steps) = (account.answered(), account.steps());
                let found = account.place_of(&part_of(number, &shown.state), answered..=steps);
                let found = found.unwrap_or_else(|| {
                    panic!("{}: client {number} had {answered} of {steps} steps answered", entry.instance)
                });
                carried_out += (found - answered) as u64;
                account.go_back_to(found);
                revisions += account.revisions(found);
            }
            assert_eq!(shown.revision, revisions, "{}: a revision for each change, none left out", entry.instance);
        }
        carried_out
    }

    /// A copy that was made while clients wrote equals the state after some number of each client's steps, between those
    /// answered before it was begun and those begun before it was finished; its head counts exactly their changes.
    pub fn assert_is_a_prefix(&self, copy: &Shown, place: usize, before: &[Vec<usize>], after: &[Vec<usize>]) {
        let mut revisions = 0;
        for client in self.clients() {
            let account = &client.accounts[place];
            let range = before[client.number][place]..=after[client.number][place] + 1;
            let found = account.place_of(&part_of(client.number, &copy.state), range.clone());
            let found = found.unwrap_or_else(|| panic!("book {place}, client {}: not in {range:?}", client.number));
            revisions += account.revisions(found);
        }
        assert_eq!(copy.revision, revisions, "the copy's head counts what is in it");
    }

    /// Whether this is the state after so many answered steps of each client, or after the one under way then.
    pub fn holds(&self, shown: &Shown, place: usize, answered: &[usize]) -> Result<(), String> {
        let mut revisions = 0;
        for client in self.clients() {
            let (number, account) = (client.number, &client.accounts[place]);
            let range = answered[number]..=answered[number] + 1;
            let found = account.place_of(&part_of(number, &shown.state), range);
            let found =
                found.ok_or_else(|| format!("book {place}: client {number} is not after {}", answered[number]))?;
            revisions += account.revisions(found);
        }
        if shown.revision == revisions {
            Ok(())
        } else {
            Err(format!("book {place}: its head is {}, not {revisions}", shown.revision))
        }
    }

    /// How far each client's answers have come in each book.
    pub fn answers(&self) -> Vec<Vec<usize>> {
        self.is_reading.store(true, Ordering::Relaxed);
        let answers = self.clients().map(|client| client.accounts.iter().map(Account::answered).collect()).collect();
        self.is_reading.store(false, Ordering::Relaxed);
        answers
    }
}

impl Client {
    fn new(number: usize, instances: usize, dice: Dice) -> Self {
        Self { number, dice, accounts: vec![Account::default(); instances] }
    }

    /// One write to some instance in some dialect.
    fn take_turn(&mut self, wire: &mut Wire, town: &Town) -> Turn {
        let entries = &town.entries;
        let place = self.dice.below(entries.len());
        let (dialect, step) = self.plan(place);
        let account = &mut self.accounts[place];
        account.begin(step.clone());
        match write(wire, &entries[place], dialect, &step) {
            Ok(answer) if answer.status == 503 => account.was_refused(),
            Ok(answer) => {
                assert!((200..300).contains(&answer.status), "{dialect} {step:?} {}: {}", answer.status, answer.text());
                account.was_answered();
                if let Some(witness) = &town.witness {
                    witness.was_answered(&format!("{} {place} {}", self.number, account.answered()));
                }
                town.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(is_unanswered(&error), "{error}");
                return Turn::Unanswered;
            }
        }
        Turn::Done
    }

    fn plan(&mut self, place: usize) -> (usize, Step) {
        let dialect = self.dice.below(DIALECTS);
        let account = &self.accounts[place];
        let name = format!("n{} c{}", account.steps(), self.number);
        let someone = self.dice.below(RING);
        let mut step = Step { saved: vec![phone(self.number, someone)], name, deleted: None };
        if dialect == 4 || dialect == 5 {
            step.saved = (0..RING).map(|place| phone(self.number, place)).collect();
        }
        if dialect == 5 && account.state.contains_key(&step.saved[someone]) {
            // With a rename beside it, so that no two states of a book are alike.
            step.deleted = Some(step.saved.remove(someone));
        }
        if dialect >= FIRST_MAKER {
            step.saved = vec![phone(self.number, RING + account.steps())];
        }
        (dialect, step)
    }
}

/// A new instance, and its token.
pub fn settle(wire: &mut Wire, home: &Home, instance: &str) -> Entry {
    let admin = std::fs::read_to_string(home.sessions().join("admin.token")).unwrap();
    let bearer = format!("Authorization: Bearer {}", admin.trim());
    let body = json!({"instance_id": instance}).to_string();
    let headers = [bearer.as_str(), "Content-Type: application/json"];
    let made = wire.ask("POST /v1/instances", &headers, body.as_bytes()).unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    Entry { instance: instance.to_owned(), token: made.json()["access_token"].as_str().unwrap().to_owned() }
}

/// Carries out a step in one of the tongues.
fn write(wire: &mut Wire, entry: &Entry, dialect: usize, step: &Step) -> io::Result<Answer> {
    let instance = &entry.instance;
    let (first, last) = step.name.split_once(' ').unwrap();
    let phone = step.saved[0];
    let id = format!("{phone}@c.us");
    let (what, body) = match dialect {
        0 => (
            "POST /v2/contacts/update".to_owned(),
            json!({"instance_id": instance, "access_token": entry.token, "chatId": id, "firstName": first,
                   "lastName": last}),
        ),
        1 => (
            format!("POST /api/whatsapp/v2/{instance}/contacts/upsert"),
            json!({"chat_id": id, "first_name": first, "last_name": last}),
        ),
        2 => (format!("PUT /api/{instance}/contacts/{id}"), json!({"firstName": first, "lastName": last})),
        3 => (format!("PUT /v1/instances/{instance}/contacts/{id}"), json!({"first_name": first, "last_name": last})),
        4 | 5 => {
            let saved = step
                .saved
                .iter()
                .map(|phone| json!({"chat_id": format!("{phone}@c.us"), "first_name": first, "last_name": last}));
            let deleted = step.deleted.iter().map(|phone| json!({"chat_id": format!("{phone}@c.us"), "op": "delete"}));
            let edits: Vec<Value> = saved.chain(deleted).collect();
            (format!("POST /v1/instances/{instance}/contacts/batch"), json!({"atomic": true, "edits": edits}))
        }
        6 => (
            "POST /api/whatsapp/contacts".to_owned(),
            json!({"userNumber": format!("+{phone}"), "userName": step.name}),
        ),
        _ => (
            "POST /api/v2/contacts".to_owned(),
            json!({"firstname": first, "lastname": last, "phone": format!("+{phone}"), "type": "lead",
                   "source_id": 1, "status_id": 1}),
        ),
    };
    let headers = [
        &format!("Authorization: Bearer {}", entry.token),
        &format!("X-Api-Key: {}", entry.token),
        &format!("x-org-id: {instance}"),
        "Content-Type: application/json",
    ];
    wire.ask(&what, &headers, body.to_string().as_bytes())
}

#[expect(clippy::disallowed_methods, reason = "a fault comes at some time, not at some event")]
pub fn pause(time: Duration) {
    thread::sleep(time);
}

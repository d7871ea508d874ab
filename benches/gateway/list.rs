//! Lists and search in books of several sizes, asked by one client at a time: pages by cursor at their first, middle and
//! last position, deep pages by number in the vendors' tongues, substrings common and rare in several scripts. Leaves out
//! many clients at once, which the table above has.

use std::{path::Path, time::Duration};

use wabook::{
    book::{Book, Direction, PageQuery, Sort},
    domain::{Contact, Kind, Moment, NamePart},
};

use crate::{
    credentials,
    load::Load,
    questions::{Form, Questions},
    stage::{Key, PHONES, Stage},
};

/// How large the books are. The first is what pages by cursor are compared with.
pub const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
pub const QUICK_SIZES: [u64; 2] = [1_000, 100_000];

const FIRST: [&str; 16] = [
    "Maria",
    "José",
    "Anna",
    "John",
    "Mohammed",
    "Fátima",
    "Łukasz",
    "Søren",
    "Hannah",
    "Ivan",
    "伊藤",
    "田中",
    "김민수",
    "محمد",
    "אברהם",
    "Елена",
];
const LAST: [&str; 16] = [
    "García",
    "Smith",
    "Müller",
    "López",
    "Kowalski",
    "Rossi",
    "Nguyễn",
    "Tanaka",
    "Hoffmann",
    "Khan",
    "太郎",
    "花子",
    "علي",
    "כהן",
    "Иванов",
    "Öztürk",
];

/// A person as address books have them: names of many scripts, every other with an e-mail, every third of a company.
pub fn person(number: u64, contact: &mut Contact) {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut draw = |sides: usize| {
        mixed = mixed.rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed >> 32) % sides as u64).unwrap_or_default()
    };
    let saved = &mut contact.names.saved;
    saved.first = Some(NamePart::trusted(FIRST[draw(16)].to_owned()));
    saved.last = Some(NamePart::trusted(format!("{} {number:x}", LAST[draw(16)])));
    contact.card.email = (draw(2) == 0).then(|| format!("Person.{number}@example.com").into());
    contact.card.company = (draw(3) == 0).then(|| format!("{} Trading GmbH", LAST[draw(16)]).into());
    contact.card.kind = Some(if draw(2) == 0 { Kind::Lead } else { Kind::Customer });
    contact.last_message_at = (draw(4) == 0).then(|| Moment::from_millis(1_700_000_000_000 + draw(1 << 30) as i64));
}

const POSITIONS: [&str; 3] = ["first", "middle", "last"];
const SORTS: [(&str, Sort); 5] = [
    ("created", Sort::Created),
    ("name", Sort::Name),
    ("chat_id", Sort::ChatId),
    ("updated", Sort::Updated),
    ("last_message", Sort::LastMessage),
];

/// Pages by number, `{page}` of them; the last is so many contacts in, if there are as many.
const NUMBERED: [(&str, &str, u64); 9] = [
    ("SuperWABA, created_at desc", "/api/whatsapp/contacts?limit=20&page={page}", 20),
    ("SuperWABA, limit 100", "/api/whatsapp/contacts?limit=100&page={page}", 100),
    ("SuperWABA, name", "/api/whatsapp/contacts?limit=100&page={page}&sortBy=name&sortOrder=asc", 100),
    ("SuperWABA, last_message_at", "/api/whatsapp/contacts?limit=100&page={page}&sortBy=last_message_at", 100),
    ("WA.cr, no sort", "/api/v2/contacts?per_page=100&page={page}", 100),
    ("WA.cr, -updated_at", "/api/v2/contacts?per_page=100&page={page}&sort=-updated_at", 100),
    ("WA.cr, firstname", "/api/v2/contacts?per_page=100&page={page}&sort=firstname", 100),
    ("WA.cr, filter[type]", "/api/v2/contacts?per_page=100&page={page}&filter[type]=lead", 200),
    ("WA.cr, filter[type], search", "/api/v2/contacts?per_page=100&page=1&filter[type]=lead&search=maria", 100),
];

/// What is asked first, and again: the second answer is kept.
const NEEDLES: [(&str, &str); 8] = [
    ("one letter, in nearly all", "a"),
    ("two letters", "an"),
    ("common name", "maria"),
    ("common in e-mails", "example.com"),
    ("with an accent and a space", "%C3%81%20garc"),
    ("CJK, two letters", "%E4%BC%8A%E8%97%A4"),
    ("Arabic", "%D9%85%D8%AD%D9%85%D8%AF"),
    ("absent", "zzqxy"),
];

/// Needles of a kind, too many to be kept: nearly each is a search of its own.
fn fresh() -> [(&'static str, Vec<String>); 5] {
    let letters = || ('a'..='z').chain("ñöłзиемд伊藤田花김محدعרה".chars()).chain('0'..='9');
    let names = |first: &[&str], last: &[&str]| {
        let both = first.iter().flat_map(|first| last.iter().map(move |last| format!("{first} {last}")));
        both.chain(first.iter().chain(last).map(|name| (*name).to_owned())).collect()
    };
    let pairs = |second: char| letters().take(26).map(move |first| format!("{first}{second}"));
    [
        ("one letter", letters().map(String::from).collect()),
        ("two letters", "aeinor".chars().flat_map(pairs).collect()),
        ("names of any script", names(&FIRST, &LAST)),
        (
            "in half of all: e-mails",
            ('0'..='9').flat_map(|n| ('0'..='9').map(move |m| format!("{n}{m}@exam"))).collect(),
        ),
        ("rare: one number", vec![format!("{PHONES}#########")]),
    ]
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'#';
    let spell = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(spell).collect()
}

/// One client, one question after another.
struct Client<'s> {
    stage: &'s Stage,
    window: Duration,
}

impl Client<'_> {
    /// The three figures of the row: middle and slow on the clock, and what the processor worked, in milliseconds.
    fn ask(&self, key: &Key, contacts: u64, name: &str, targets: &[String], aim: &str) -> anyhow::Result<[f64; 3]> {
        let forms = targets.iter().map(|target| Form::get(target, &credentials(key))).collect();
        let questions = Questions { forms, contacts };
        let (address, window) = (self.stage.gateway, self.window);
        let load = Load {
            address,
            connections: 1,
            threads: 1,
            warm_up: window / 4,
            window,
            questions: &questions,
            pace: None,
        };
        let seen = load.run()?;
        anyhow::ensure!(seen.failures == 0, "{}", seen.complaint.unwrap_or_default());
        let millis = |quantile| seen.latency.value_at_quantile(quantile) as f64 / 1e6;
        let worked = seen.process_cpu.saturating_sub(seen.generators_cpu).as_secs_f64() * 1e3 / seen.answers as f64;
        let (middle, slow) = (millis(0.50), millis(0.99));
        println!("{name:<52} {contacts:>9} {middle:>8.2} {slow:>8.2} {worked:>8.2}  {aim}");
        Ok([middle, slow, worked])
    }
}

pub fn measure(stage: &Stage, window: Duration) -> anyhow::Result<()> {
    let head = ["one client, lists and search", "contacts", "p50 ms", "p99 ms", "cpu ms", "aimed at"];
    println!("\n{:<52} {:>9} {:>8} {:>8} {:>8}  {}", head[0], head[1], head[2], head[3], head[4], head[5]);
    let client = Client { stage, window };
    let mut smallest = Vec::new();
    for (contacts, key) in &stage.shelves {
        let folder = stage.folder().join(&key.instance);
        let mut row = 0;
        for (word, sort) in SORTS {
            for (position, cursor) in POSITIONS.iter().zip(cursors(&folder, *contacts, sort)?) {
                let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={word}.{cursor}"));
                let target = format!("/v1/instances/{}/contacts?limit=100&sort={word}{cursor}", key.instance);
                let name = format!("page of 100 by cursor, {word}: {position}");
                let seen = client.ask(key, *contacts, &name, &[target], "p99 <= 3 x that at 1,000")?;
                match smallest.get(row) {
                    None => smallest.push(seen),
                    Some(least) => {
                        let [middle, slow, worked] = std::array::from_fn(|column| seen[column] / least[column]);
                        println!("{:<62} {middle:>8.1} {slow:>8.1} {worked:>8.1}", "  times that at 1,000:");
                    }
                }
                row += 1;
            }
        }
    }
    for (contacts, key) in stage.shelves.iter().skip(1) {
        for (name, target, size) in NUMBERED {
            let page = (contacts / size).min(10_000);
            let target = target.replace("{page}", &page.to_string());
            let name = format!("page {page} by number, {name}");
            client.ask(key, *contacts, &name, &[target], "p99 <= 100 at 1,000,000")?;
        }
        let aim = "p99 <= 20 at 100,000, <= 50 at 1,000,000";
        let target = |needle: &str| format!("/v1/instances/{}/contacts?limit=100&search={needle}", key.instance);
        for (name, needles) in fresh() {
            let targets: Vec<_> = needles.iter().map(|needle| target(&encoded(needle))).collect();
            client.ask(key, *contacts, &format!("search, anew each time, {name}"), &targets, aim)?;
        }
        for (name, needle) in NEEDLES {
            client.ask(key, *contacts, &format!("search, again, {name}"), &[target(needle)], aim)?;
        }
        let target = "/api/whatsapp/contacts?limit=20&search=maria&sortBy=name&sortOrder=asc".to_owned();
        client.ask(key, *contacts, "search, again, common name, by name: SuperWABA", &[target], "")?;
        let list = "/api/v2/contacts?per_page=100&page=1000&filter[created_at][gte]";
        let targets: Vec<_> = (0..200).map(|n| format!("{list}=2023-11-01T{:02}:{:02}:00Z", n / 20, n % 20)).collect();
        let name = "page 1,000 by number, a filter anew each time, WA.cr";
        client.ask(key, *contacts, name, &targets, "p99 <= 100 at 1,000,000")?;
    }
    for (contacts, key) in &stage.shelves {
        let bytes = std::fs::metadata(stage.folder().join(&key.instance).join("book.db"))?.len();
        println!("a book of {contacts} contacts: {:.0} MB, {} bytes each", bytes as f64 / 1e6, bytes / contacts);
    }
    Ok(())
}

/// What stands before the first, the middle and the last page.
fn cursors(folder: &Path, contacts: u64, sort: Sort) -> anyhow::Result<[Option<String>; 3]> {
    let reader = Book::open(folder)?.reader()?;
    let before = |place: u64| {
        let sort = vec![(sort, Direction::Ascending)];
        let page = reader.page(&PageQuery { sort, limit: 1, offset: place - 1, ..PageQuery::default() })?;
        anyhow::Ok(page.next.map(|cursor| cursor.to_text()))
    };
    Ok([None, before(contacts / 2)?, before(contacts - 100)?])
}

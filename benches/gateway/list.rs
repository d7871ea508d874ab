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

const NEEDLES: [(&str, &str); 9] = [
    ("one letter, in nearly all", "a"),
    ("two letters", "an"),
    ("common name", "maria"),
    ("common in e-mails", "example.com"),
    ("with an accent and a space", "%C3%81%20garc"),
    ("CJK, two letters", "%E4%BC%8A%E8%97%A4"),
    ("Arabic", "%D9%85%D8%AD%D9%85%D8%AF"),
    ("rare: one number", "{PHONES}#########"),
    ("absent", "zzqxy"),
];

pub fn measure(stage: &Stage, window: Duration) -> anyhow::Result<()> {
    println!("\n{:<48} {:>9} {:>8} {:>8}  aimed at", "one client, lists and search", "contacts", "p50 ms", "p99 ms");
    let ask = |key: &Key, contacts: u64, name: &str, target: &str, aim: &str| {
        let form = Form::get(target, &credentials(key));
        let questions = Questions { forms: vec![form], contacts };
        let (address, warm_up) = (stage.gateway, window / 4);
        let load = Load { address, connections: 1, threads: 1, warm_up, window, questions: &questions, pace: None };
        let seen = load.run()?;
        let millis = |quantile| seen.latency.value_at_quantile(quantile) as f64 / 1e6;
        println!("{name:<48} {contacts:>9} {:>8.2} {:>8.2}  {aim}", millis(0.50), millis(0.99));
        anyhow::ensure!(seen.failures == 0, "{}", seen.complaint.unwrap_or_default());
        anyhow::Ok(())
    };
    for (contacts, key) in &stage.shelves {
        let folder = stage.folder().join(&key.instance);
        for (word, sort) in SORTS {
            for (position, cursor) in POSITIONS.iter().zip(cursors(&folder, *contacts, sort)?) {
                let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={word}.{cursor}"));
                let target = format!("/v1/instances/{}/contacts?limit=100&sort={word}{cursor}", key.instance);
                let name = format!("page of 100 by cursor, {word}: {position}");
                ask(key, *contacts, &name, &target, "<= 3 x that at 1,000")?;
            }
        }
    }
    for (contacts, key) in stage.shelves.iter().skip(1) {
        for (name, target, size) in NUMBERED {
            let page = (contacts / size).min(10_000);
            let target = target.replace("{page}", &page.to_string());
            ask(key, *contacts, &format!("page {page} by number, {name}"), &target, "<= 100 at 1,000,000")?;
        }
        for (name, needle) in NEEDLES {
            let needle = needle.replace("{PHONES}", PHONES);
            let target = format!("/v1/instances/{}/contacts?limit=100&search={needle}", key.instance);
            ask(key, *contacts, &format!("search, {name}"), &target, "<= 20 at 100,000, <= 50 at 1,000,000")?;
        }
        let target = "/api/whatsapp/contacts?limit=20&search=maria&sortBy=name&sortOrder=asc";
        ask(key, *contacts, "search, common name, by name: SuperWABA", target, "")?;
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

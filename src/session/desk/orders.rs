//! One person, whatever the order in which things are learned: thousands of random orders of writes by phone and by LID,
//! mappings, sightings and deletions, in random batches, end as the same events in the order of their times would.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::{CardPatch, ChatId, Contact, Moment, NamePart, Patch, SavedPatch, Sighting, Source, Timing};

#[derive(Debug, Clone, PartialEq)]
enum Event {
    First(Option<String>),
    Last(Option<String>),
    Email(Option<String>),
    Blocked(bool),
    Push(String),
    Business(String),
    Wrote,
    Mapped,
    Deleted,
}

#[derive(Debug, Clone)]
struct Told {
    event: Event,
    by_phone: bool,
    at: i64,
}

/// What can be seen of a person in the end.
#[derive(Debug, Clone, PartialEq, Default)]
struct Seen {
    first: Option<String>,
    last: Option<String>,
    email: Option<String>,
    push: Option<String>,
    business: Option<String>,
    blocked: bool,
    wrote: Option<i64>,
}

impl From<&Contact> for Seen {
    fn from(contact: &Contact) -> Self {
        let part = |part: &Option<NamePart>| part.as_ref().map(|name| name.as_str().to_owned());
        let names = &contact.names;
        Self {
            first: part(&names.saved.first),
            last: part(&names.saved.last),
            email: contact.card.email.as_deref().map(str::to_owned),
            push: names.push.as_ref().map(|seen| seen.text().to_owned()),
            business: names.business.as_ref().map(|seen| seen.text().to_owned()),
            blocked: contact.blocked,
            wrote: contact.last_message_at.map(Moment::millis),
        }
    }
}

/// The plain meaning: the events of one person in the order of their times.
fn expected<'t>(told: impl Iterator<Item = &'t Told>) -> Option<Seen> {
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|told| told.at);
    let mut person: Option<Seen> = None;
    for Told { event, at, .. } in told {
        match event {
            Event::Mapped => {}
            Event::Deleted => person = None,
            _ => {
                let person = person.get_or_insert_default();
                match event {
                    Event::First(name) => person.first.clone_from(name),
                    Event::Last(name) => person.last.clone_from(name),
                    Event::Email(email) => person.email.clone_from(email),
                    Event::Blocked(blocked) => person.blocked = *blocked,
                    Event::Push(name) => person.push = Some(name.clone()),
                    Event::Business(name) => person.business = Some(name.clone()),
                    Event::Wrote => person.wrote = Some(*at),
                    Event::Mapped | Event::Deleted => {}
                }
            }
        }
    }
    person
}

fn edit(told: &Told, phone: ChatId, lid: ChatId, timing: Timing) -> Edit {
    let (who, at) = (if told.by_phone { phone } else { lid }, Moment::from_millis(told.at));
    let source = Source::known("test");
    let name =
        |text: &Option<String>| Field::from(text.as_deref().and_then(|text| NamePart::parse(text, "n").unwrap()));
    let saved = |saved| Act::Save(Box::new(Patch { saved, ..Patch::default() }));
    let seen = |push: Option<&str>, business: Option<&str>, wrote: bool| {
        let name = |text: Option<&str>| text.and_then(|text| NamePart::parse(text, "n").unwrap());
        let last_message_at = wrote.then_some(at);
        Act::See(Sighting { push: name(push), business: name(business), last_message_at, at, source: source.clone() })
    };
    let act = match &told.event {
        Event::First(first) => saved(SavedPatch::Parts { first: name(first), last: Field::Keep }),
        Event::Last(last) => saved(SavedPatch::Parts { first: Field::Keep, last: name(last) }),
        Event::Email(email) => {
            let card = CardPatch { email: Field::from(email.as_deref().map(Into::into)), ..CardPatch::default() };
            Act::Save(Box::new(Patch { card, ..Patch::default() }))
        }
        Event::Blocked(blocked) => Act::Save(Box::new(Patch { blocked: Some(*blocked), ..Patch::default() })),
        Event::Push(push) => seen(Some(push), None, false),
        Event::Business(business) => seen(None, Some(business), false),
        Event::Wrote => seen(None, None, true),
        Event::Deleted => Act::Delete,
        Event::Mapped => return Edit::learn(*lid.digits(), *phone.digits(), at, source),
    };
    Edit { timing, ..Edit::new(who, act, at, source) }
}

fn any_event() -> impl Strategy<Value = Event> {
    let name = || proptest::option::weighted(0.85, "[A-C]");
    prop_oneof![
        4 => name().prop_map(Event::First),
        3 => name().prop_map(Event::Last),
        3 => proptest::option::weighted(0.8, "[a-c]@x").prop_map(Event::Email),
        1 => any::<bool>().prop_map(Event::Blocked),
        3 => "[P-R]".prop_map(Event::Push),
        2 => "[X-Z]".prop_map(Event::Business),
        1 => Just(Event::Wrote),
        2 => Just(Event::Mapped),
        2 => Just(Event::Deleted),
    ]
}

/// Events, an order in which they are told, and where that is cut into batches.
fn any_story(most: usize) -> impl Strategy<Value = (Vec<Told>, Vec<bool>)> {
    let told = (any_event(), any::<bool>());
    proptest::collection::vec(told, 1..most).prop_flat_map(|told| {
        let told: Vec<_> =
            told.into_iter().zip(1..).map(|((event, by_phone), at)| Told { event, by_phone, at: at * 10 }).collect();
        let cuts = proptest::collection::vec(any::<bool>(), told.len());
        (Just(told).prop_shuffle(), cuts)
    })
}

/// One book for all stories: each has a person of its own in it.
struct Stage {
    folder: TempDir,
    desk: Desk,
    persons: u64,
}

impl Stage {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Book::create(folder.path()).unwrap().close().unwrap();
        let desk = Desk::open(folder.path(), Quota::default()).unwrap();
        Self { folder, desk, persons: 0 }
    }

    /// Who is found by phone and who by LID in the end.
    fn play(&mut self, told: &[Told], cuts: &[bool], timing: Timing) -> [Option<Contact>; 2] {
        self.persons += 1;
        let phone: ChatId = format!("49{:09}", self.persons).parse().unwrap();
        let lid: ChatId = format!("{:012}@lid", self.persons).parse().unwrap();
        let mut batch = Vec::new();
        for (told, cut) in told.iter().zip(cuts) {
            batch.push(edit(told, phone, lid, timing));
            if *cut {
                self.desk.work_now(&mut [Bundle { edits: std::mem::take(&mut batch), whole: false }]).unwrap();
            }
        }
        self.desk.work_now(&mut [Bundle { edits: batch, whole: false }]).unwrap();
        self.desk.book.load(&[phone, lid].map(Who::Chat)).unwrap().try_into().unwrap()
    }

    fn assert_sound(&self) {
        assert_eq!(crate::book::check(self.folder.path()).unwrap(), Vec::<String>::new());
    }
}

fn seen(contact: &Option<Contact>) -> Option<Seen> {
    contact.as_ref().map(Seen::from)
}

fn assert_ends_as_its_times_say(stage: &mut Stage, told: &[Told], cuts: &[bool], timing: Timing) {
    let [by_phone, by_lid] = stage.play(told, cuts, timing);
    if told.iter().any(|told| told.event == Event::Mapped) {
        assert_eq!(seen(&by_phone), expected(told.iter()));
        assert_eq!(by_phone, by_lid, "one person, one contact");
    } else {
        assert_eq!(seen(&by_phone), expected(told.iter().filter(|told| told.by_phone)));
        assert_eq!(seen(&by_lid), expected(told.iter().filter(|told| !told.by_phone)));
    }
}

const CASES: u32 = 4_000;

#[test]
fn any_order_of_writes_mappings_sightings_and_deletions_ends_the_same() {
    let stage = std::cell::RefCell::new(Stage::new());
    proptest!(ProptestConfig { cases: CASES, ..ProptestConfig::default() }, |((told, cuts) in any_story(12))| {
        assert_ends_as_its_times_say(&mut stage.borrow_mut(), &told, &cuts, Timing::AsGiven);
    });
    stage.borrow().assert_sound();
}

/// Writes come in the order of their times, as they do from those who write now; what is seen and learned comes whenever.
#[test]
fn writes_as_they_arrive_and_mappings_at_any_time_end_the_same() {
    let stage = std::cell::RefCell::new(Stage::new());
    proptest!(ProptestConfig { cases: CASES / 2, ..ProptestConfig::default() }, |((mut told, cuts) in any_story(12))| {
        told.retain(|told| told.event != Event::Deleted);
        for (told, arrived) in told.iter_mut().zip(1..) {
            if !matches!(told.event, Event::Push(_) | Event::Business(_) | Event::Wrote) {
                told.at = 1_000 + arrived;
            }
        }
        assert_ends_as_its_times_say(&mut stage.borrow_mut(), &told, &cuts, Timing::OnArrival);
    });
    stage.borrow().assert_sound();
}

//! Clients of the change feed against a book that does not hold still: whatever writers, deletions, dissolved groups and
//! pruning do in the midst of their walks, every client ends with what the book holds. And the same by rules that are
//! nearly right, to see that this test can tell.

use std::{collections::BTreeMap, sync::Arc};

use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;
use wabook::{
    book::{Book, Changed, Direction, PageQuery, Sort},
    domain::{
        Act, ChatId, Edit, Error, Field, Moment, NamePart, Patch, Register, RegisterAct, RegisterEdit, Revision,
        SavedPatch, Source,
    },
    session::{OpenBooks, Session, Setting},
    sync::{
        feed::{self, Token},
        follow::{Follower, Step},
    },
};

const SEEDS: u64 = 10;
const PAGE_SIZES: [u32; 4] = [1, 7, 50, 500];
const STEPS: usize = 150;
/// Few enough that they are written, deleted and revived again and again.
const PHONES: u64 = 250;
const SOURCE: Source = Source::known("test");

/// SplitMix64: the same story for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % sides
    }
}

/// What is known of one contact.
type Known = BTreeMap<Uuid, (Revision, String)>;

/// The writers of a book, and what they have brought about.
struct Story {
    session: Session,
    dice: Dice,
    clock: i64,
    groups: Vec<i64>,
    _folder: TempDir,
}

impl Story {
    async fn begin(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        Book::create(folder.path()).unwrap().close().unwrap();
        let setting = Setting {
            quota: Default::default(),
            journal: None,
            runtime: Handle::current(),
            mailbox: 256,
            long_reads: 2,
            open_books: Arc::new(OpenBooks::default()),
        };
        let session = Session::new("model".parse().unwrap(), folder.path().to_owned(), setting);
        let mut story = Self { session, dice: Dice(seed), clock: 1_000, groups: Vec::new(), _folder: folder };
        for _ in 0..4 {
            story.found_group().await;
        }
        for _ in 0..10 {
            story.write(60).await;
        }
        story
    }

    /// One thing that somebody does to the book.
    async fn go_on(&mut self) {
        self.clock += 10;
        match self.dice.below(12) {
            0 => self.dissolve_group().await,
            1 => self.prune(60).await,
            // Everything that is deleted is forgotten at once.
            2 => self.prune(0).await,
            _ => {
                let count = 1 + self.dice.below(20);
                self.write(count).await;
            }
        }
    }

    /// Creates, renames, merges, deletes, revives, or changes nothing at all.
    async fn write(&mut self, count: u64) {
        let edits = (0..count).map(|_| self.edit()).collect();
        let settled = self.session.edit_many(edits, false).await.unwrap();
        for outcome in settled.outcomes {
            assert!(matches!(outcome, Ok(_) | Err(Error::NoContact)), "{outcome:?}");
        }
    }

    fn edit(&mut self) -> Edit {
        let number = 100_000 + self.dice.below(PHONES);
        let (phone, lid) = (ChatId::phone(&number.to_string()).unwrap(), ChatId::lid(&number.to_string()).unwrap());
        let who = if self.dice.below(3) == 0 { lid } else { phone };
        // Some writers' clocks are slow: tombstones do not stand in the order of their times.
        let at = Moment::from_millis(self.clock - i64::try_from(self.dice.below(30)).unwrap());
        if self.dice.below(12) == 0 {
            // Of those that were one already, some part again and find others.
            let other = ChatId::lid(&(number + self.dice.below(3)).to_string()).unwrap();
            return Edit::learn(*other.digits(), *phone.digits(), at, SOURCE);
        }
        if self.dice.below(3) == 0 {
            return Edit::new(who, Act::Delete, at, SOURCE);
        }
        let name = format!("Name {}", self.dice.below(4));
        let first = Field::from(NamePart::parse(&name, "name").unwrap());
        let group = self.groups[usize::try_from(self.dice.below(self.groups.len() as u64)).unwrap()];
        let saved = SavedPatch::Parts { first, last: Field::Keep };
        Edit::save(who, Patch { saved, join: vec![group], ..Patch::default() }, at, SOURCE)
    }

    async fn found_group(&mut self) {
        self.clock += 1;
        let name = NamePart::parse(&format!("Group {}", self.clock), "name").unwrap().unwrap();
        let id = self.register(RegisterAct::Add { name, color: None }).await;
        self.groups.push(id);
    }

    /// Everybody in it is changed at once.
    async fn dissolve_group(&mut self) {
        let id = self.groups.remove(0);
        self.register(RegisterAct::Remove { id }).await;
        self.found_group().await;
    }

    async fn register(&self, act: RegisterAct) -> i64 {
        let edit = RegisterEdit { register: Register::Groups, act, at: Moment::from_millis(self.clock) };
        self.session.edit_register(edit).await.unwrap().id
    }

    async fn prune(&mut self, age: i64) {
        let at_most = 1 + self.dice.below(100);
        let before = Moment::from_millis(self.clock + 1 - age);
        self.session.prune(before, u32::try_from(at_most).unwrap()).await.unwrap();
    }

    /// The book, read directly.
    async fn truth(&self) -> Known {
        let query =
            PageQuery { sort: vec![(Sort::Created, Direction::Ascending)], limit: 10_000, ..PageQuery::default() };
        let page = self.session.page(query).await.unwrap();
        page.contacts.iter().map(|contact| (contact.uuid, (contact.revision, contact.display()))).collect()
    }
}

/// By which rule a client goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// What the feed itself says.
    Feed,
    /// Wrong: after a page that was cut short, goes on from the head.
    HeadOnATruncatedPage,
    /// Wrong: in the midst of a walk from a token, only asks that nothing was pruned after the head when it began.
    FloorAlone,
}

/// Where a client stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Beginning,
    Token(Token),
    /// As the wrong rules have it.
    Own {
        floor: Revision,
        cursor: Revision,
    },
}

struct Client {
    rule: Rule,
    limit: u32,
    place: Place,
    known: Known,
    is_drained: bool,
    beginnings: usize,
    /// Pages of a walk from the beginning that went on although what was pruned lay before them.
    spared: usize,
    /// Contacts of which it heard that they became one with another.
    merges: usize,
}

/// How a client ended.
#[derive(Debug)]
struct End {
    /// It holds what the book does.
    is_equal: bool,
    beginnings: usize,
    spared: usize,
    merges: usize,
}

impl Client {
    fn new(rule: Rule, limit: u32) -> Self {
        Self {
            rule,
            limit,
            place: Place::Beginning,
            known: Known::new(),
            is_drained: false,
            beginnings: 0,
            spared: 0,
            merges: 0,
        }
    }

    /// Reads one page.
    async fn step(&mut self, session: &Session) {
        let read = match self.rule {
            Rule::Feed => self.read_feed(session).await,
            _ => self.read_by_own_rule(session).await,
        };
        match read {
            Ok(changes) => changes.iter().for_each(|change| self.fold(change)),
            Err(Error::Expired) => {
                self.known.clear();
                self.place = Place::Beginning;
                self.is_drained = false;
                self.beginnings += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn read_feed(&mut self, session: &Session) -> Result<Vec<Changed>, Error> {
        let since = match self.place {
            Place::Token(token) => Some(token.to_string()),
            _ => None,
        };
        let is_beginning = since.as_ref().filter(|token| token.split(':').count() == 3);
        let cursor = is_beginning.and_then(|token| token.rsplit(':').next()?.parse().ok()).map(Revision::new);
        let is_overtaken = match cursor {
            Some(cursor) => cursor < session.head().await?.pruned,
            None => false,
        };
        let page = feed::page(session, since.map(|token| token.parse().unwrap()), self.limit).await?;
        self.spared += usize::from(is_overtaken);
        assert!(page.changes.len() <= self.limit as usize);
        (self.place, self.is_drained) = (Place::Token(page.next), !page.has_more);
        Ok(page.changes)
    }

    async fn read_by_own_rule(&mut self, session: &Session) -> Result<Vec<Changed>, Error> {
        let own = match self.place {
            Place::Own { floor, cursor } => Some((floor, cursor)),
            _ => None,
        };
        let cursor = own.map_or(Revision::default(), |(_, cursor)| cursor);
        let found = session.changes(cursor, self.limit).await?;
        if own.is_some_and(|(floor, _)| floor < found.head.pruned) {
            return Err(Error::Expired);
        }
        let head = found.head.revision;
        self.is_drained = !found.is_truncated;
        self.place = match found.rows.last().map(Changed::revision) {
            Some(last) if found.is_truncated && self.rule == Rule::FloorAlone => {
                let floor = own.filter(|(floor, cursor)| floor > cursor).map_or(head, |(floor, _)| floor);
                Place::Own { floor: floor.max(last), cursor: last }
            }
            _ => Place::Own { floor: head, cursor: head },
        };
        Ok(found.rows)
    }

    fn fold(&mut self, change: &Changed) {
        match change {
            Changed::Contact(contact) => {
                let known = self.known.insert(contact.uuid, (contact.revision, contact.display()));
                assert!(known.is_none_or(|(known, _)| known < contact.revision), "nothing is told twice or backwards");
            }
            // Deleted, or merged into another: that one is told of by itself.
            Changed::Gone(tombstone) => {
                self.merges += usize::from(tombstone.merged_into.is_some());
                self.known.remove(&tombstone.uuid);
            }
        }
    }
}

/// One story with a client for each page size.
async fn converge(seed: u64, rule: Rule) -> Vec<End> {
    let mut story = Story::begin(seed).await;
    let mut clients = PAGE_SIZES.map(|limit| Client::new(rule, limit));
    for _ in 0..STEPS {
        story.go_on().await;
        for client in &mut clients {
            // Those with small pages read more of them, or they would never come to an end; none reads at each turn.
            let pages = story.dice.below(2 + u64::from(60 / client.limit));
            for _ in 0..pages {
                client.step(&story.session).await;
            }
        }
    }
    let truth = story.truth().await;
    assert!(truth.len() > 50, "the book is not empty");
    let mut ends = Vec::new();
    for client in &mut clients {
        client.is_drained = false;
        while !client.is_drained {
            client.step(&story.session).await;
        }
        let Client { beginnings, spared, merges, .. } = *client;
        ends.push(End { is_equal: client.known == truth, beginnings, spared, merges });
    }
    ends
}

/// All seeds side by side.
async fn all_seeds(rule: Rule) -> Vec<Vec<End>> {
    let stories: Vec<_> = (0..SEEDS).map(|seed| tokio::spawn(converge(seed, rule))).collect();
    let mut ends = Vec::new();
    for story in stories {
        ends.push(story.await.unwrap());
    }
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_ends_with_what_the_book_holds() {
    let ends = all_seeds(Rule::Feed).await;
    for (seed, clients) in ends.iter().enumerate() {
        for (limit, end) in PAGE_SIZES.iter().zip(clients) {
            assert!(end.is_equal, "seed {seed}, pages of {limit}: the client holds something else than the book");
        }
    }
    let sum = |of: fn(&End) -> usize| ends.iter().flatten().map(of).sum::<usize>();
    let (beginnings, spared, merges) = (sum(|end| end.beginnings), sum(|end| end.spared), sum(|end| end.merges));
    println!("{beginnings} walks expired, {spared} pages of others went on past what was pruned, {merges} merges");
    assert!(beginnings > 20 && spared > 20 && merges > 100, "all of it was met: {beginnings}, {spared}, {merges}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_head_for_a_truncated_page_diverges() {
    for (seed, clients) in all_seeds(Rule::HeadOnATruncatedPage).await.iter().enumerate() {
        assert!(clients.iter().any(|end| !end.is_equal), "seed {seed}: nobody has noticed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_from_a_token_by_the_floor_alone_diverges() {
    let ends = all_seeds(Rule::FloorAlone).await;
    let diverged = ends.iter().filter(|clients| clients.iter().any(|end| !end.is_equal)).count();
    println!("{diverged} of {SEEDS} seeds diverged");
    assert!(diverged > 0, "nobody has noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_who_is_slower_than_pruning_is_told_so_and_goes_on() {
    let mut story = Story::begin(0).await;
    let mut follower = Follower::new(story.session.clone(), None).await.unwrap();
    assert!(follower.read(10).await.unwrap().is_none(), "it begins now");
    story.write(100).await;
    follower.more().await;
    let Some(Step::Changes(page)) = follower.read(10).await.unwrap() else { panic!("there are changes") };
    assert!(page.changes.len() == 10 && page.has_more);
    story.write(100).await;
    assert!(story.session.prune(Moment::from_millis(i64::MAX), 10_000).await.unwrap() > 0);
    let head = Token::head(&story.session.head().await.unwrap());
    assert!(matches!(follower.read(10).await.unwrap(), Some(Step::Lost(now)) if now == head));
    assert!(follower.read(10).await.unwrap().is_none());
    story.write(100).await;
    assert!(matches!(follower.read(10).await.unwrap(), Some(Step::Changes(_))));
}

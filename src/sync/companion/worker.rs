//! Works for one companion, a step at a time: looks at its contacts when that is due, tells it what waits to be told, as
//! fast as it may, and knows when to come back. What goes wrong is noted with the contact, or, when the companion as a
//! whole is to blame, makes everything wait. Has no loop and reads no clock (registry).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Blame, Companion, Health, Mapped, Met, Trouble,
    pace::Pace,
    reconcile::{self, rule},
    trouble::{backoff, chance},
    walk::{PAGE, Walk},
};
use crate::{
    book::{COMPANION, Errand, SyncAct},
    domain::{Change, Edit, Error, Mark, Moment, News, Print, Result},
    session::Session,
};

/// Names told in one step: then others have their say.
const BATCH: usize = 16;
/// So many unclear troubles in a row are the companion's own.
const TOO_MANY: u32 = 3;

const COMPANION_FIRST: Duration = Duration::from_secs(5);
const COMPANION_MOST: Duration = Duration::from_secs(10 * 60);
const CONTACT_FIRST: Duration = Duration::from_secs(10);
const CONTACT_MOST: Duration = Duration::from_secs(3600);
/// When our own book cannot be read or written.
const BOOK_WAIT: Duration = Duration::from_secs(30);
/// When nothing is known to come.
const LONG: Duration = Duration::from_secs(3600);

pub struct Worker {
    session: Session,
    /// Which companion it is, until the book knows.
    link: Option<Print>,
    companion: Box<dyn Companion>,
    pace: Pace,
    pull_every: Duration,
    next_pull: Moment,
    /// In a row, of the companion as a whole.
    failures: u32,
    pull_failures: u32,
    unclear: u32,
    resumes_at: Moment,
    health: Arc<Mutex<Health>>,
}

/// What a look at the companion's contacts brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulled {
    pub seen: u64,
    pub changed: u64,
    /// None when it came to its end.
    pub error: Option<&'static str>,
}

/// Why a step ended early.
enum Stop {
    Book(Error),
    Companion(Trouble),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Book(error)
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Companion(trouble)
    }
}

impl Worker {
    pub fn new(
        session: Session,
        link: Option<Print>,
        companion: Box<dyn Companion>,
        per_minute: u32,
        pull_every: Duration,
    ) -> Self {
        Self {
            session,
            link,
            companion,
            pace: Pace::new(per_minute),
            pull_every,
            next_pull: Moment::default(),
            failures: 0,
            pull_failures: 0,
            unclear: 0,
            resumes_at: Moment::default(),
            health: Arc::default(),
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn health(&self) -> &Arc<Mutex<Health>> {
        &self.health
    }

    /// What is due now. Tells when to come back, unless something happens before that.
    pub async fn step(&mut self, now: Moment) -> Moment {
        if self.resumes_at > now {
            return self.resumes_at;
        }
        // Done already, unless the process ended between the settings and the book.
        if let Some(target) = self.link {
            match self.session.edit_sync(SyncAct::Link(Some(target))).await {
                Ok(_) => self.link = None,
                Err(error) => return self.wait_for_the_book(&error, now),
            }
        }
        if self.next_pull <= now {
            // Looking comes first: what is the same on both sides need not be told.
            self.pull(now).await;
            if self.resumes_at > now {
                return self.resumes_at;
            }
        }
        match self.tell(now).await {
            Ok(next) => next.min(self.next_pull),
            Err(Stop::Companion(trouble)) => {
                self.withdraw(trouble, now);
                self.resumes_at
            }
            Err(Stop::Book(error)) => self.wait_for_the_book(&error, now),
        }
    }

    /// A look at all of the companion's contacts and mappings, due or not.
    pub async fn pull(&mut self, now: Moment) -> Pulled {
        let mut pulled = Pulled::default();
        self.next_pull = now.plus(self.pull_every);
        match self.look_through(now, &mut pulled).await {
            Ok(()) => {
                self.pull_failures = 0;
                self.well(now);
            }
            Err(Stop::Companion(trouble)) => {
                pulled.error = Some(trouble.word);
                self.pull_failures += 1;
                let wait = backoff(COMPANION_FIRST, self.pull_every, self.pull_failures, chance());
                self.next_pull = now.plus(wait.max(trouble.wait.unwrap_or_default()));
                // If only its list cannot be read, names may be told all the same.
                match trouble.blame {
                    Blame::Companion => self.withdraw(trouble, now),
                    _ => self.note_health(|health| health.ill(trouble, now)),
                }
            }
            Err(Stop::Book(error)) => {
                pulled.error = Some("book");
                self.next_pull = self.wait_for_the_book(&error, now);
            }
        }
        self.note_health(|health| health.last_pull = Some((now, pulled)));
        let word = pulled.error.unwrap_or("ok");
        metrics::counter!("wabook_companion_pulls_total", "outcome" => word).increment(1);
        tracing::debug!(instance = %self.session.id(), seen = pulled.seen, changed = pulled.changed, outcome = word, "pulled");
        pulled
    }

    /// Forgets its troubles and looks anew: somebody says that now it is worth it.
    pub fn take_heart(&mut self) {
        (self.failures, self.unclear, self.resumes_at) = (0, 0, Moment::default());
        self.note_health(|health| health.resumes_at = None);
    }

    async fn look_through(&self, now: Moment, pulled: &mut Pulled) -> Result<(), Stop> {
        // First who is one person with whom: names then meet one contact, not two.
        let mut walk = Walk::default();
        while let Some(window) = walk.next()? {
            let page = match self.companion.mappings(window).await {
                Ok(page) => page,
                // Not every companion can tell.
                Err(trouble) if trouble.word == "not_found" => break,
                Err(trouble) => return Err(trouble.into()),
            };
            if walk.goes_on_with(&page)? {
                pulled.changed += self.learn(&page.rows, now).await?;
            }
        }
        let mut walk = Walk::default();
        while let Some(window) = walk.next()? {
            let page = self.companion.contacts(window).await?;
            if walk.goes_on_with(&page)? {
                pulled.seen += page.rows.len() as u64;
                pulled.changed += self.meet(&page.rows, now).await?;
            }
        }
        Ok(())
    }

    /// A companion does not tell since when it knows: what was reported here before is no news, even if it holds no more.
    async fn learn(&self, mapped: &[Mapped], now: Moment) -> Result<u64> {
        let mut changed = 0;
        for mapped in mapped.chunks(PAGE) {
            let pairs = mapped.iter().map(|mapped| (mapped.lid, mapped.phone)).collect();
            let news = self.session.unheard_of(pairs).await?;
            let learn = |(lid, phone)| Edit::learn(lid, phone, now, COMPANION);
            changed += self.carry_out(news.into_iter().map(learn).collect()).await?;
        }
        Ok(changed)
    }

    async fn meet(&self, all: &[Met], now: Moment) -> Result<u64> {
        let mut changed = 0;
        for met in all.chunks(PAGE) {
            let known = self.session.known(met.iter().map(|met| met.who).collect()).await?;
            let (mut edits, mut marks) = (Vec::new(), Vec::new());
            for (met, known) in met.iter().zip(&known) {
                let ruling = rule(met, known, now);
                edits.extend(ruling.edits);
                marks.extend(ruling.mark);
            }
            changed += self.carry_out(edits).await?;
            self.mark(marks).await?;
        }
        Ok(changed)
    }

    /// An edit that comes too late changes nothing: the next look sees how things stand then.
    async fn carry_out(&self, edits: Vec<Edit>) -> Result<u64> {
        if edits.is_empty() {
            return Ok(0);
        }
        let settled = self.session.edit_many(edits, false).await?;
        let changed = settled.outcomes.iter().flatten().filter(|outcome| outcome.change != Change::Unchanged);
        Ok(changed.count() as u64)
    }

    async fn mark(&self, marks: Vec<Mark>) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        self.session.edit_sync(SyncAct::Mark(marks)).await.map(drop)
    }

    /// Tells what waits, as far as there is room. When to go on.
    async fn tell(&mut self, now: Moment) -> Result<Moment, Stop> {
        let room = self.pace.room(now).min(BATCH);
        if room == 0 {
            return Ok(self.pace.next_room());
        }
        let (errands, next) = self.session.errands(now, u32::try_from(room).unwrap_or(1)).await?;
        if errands.is_empty() {
            return Ok(next.unwrap_or(now.plus(LONG)));
        }
        for errand in &errands {
            self.pace.note(now);
            let marks = self.run(errand, now).await?;
            self.mark(marks).await?;
        }
        Ok(now)
    }

    async fn run(&mut self, errand: &Errand, now: Moment) -> Result<Vec<Mark>, Stop> {
        let Errand { sync, saved } = errand;
        let about = |news| Mark { chat_id: sync.chat_id, revision: sync.revision, news };
        let told = match sync.wish {
            Some(_) => self.companion.save(sync.chat_id, saved).await,
            None => self.companion.remove(sync.chat_id).await,
        };
        let word = told.as_ref().map_or_else(|trouble| trouble.word, |()| "ok");
        metrics::counter!("wabook_companion_names_total", "outcome" => word).increment(1);
        let trouble = match told {
            Ok(()) => {
                self.well(now);
                let mut marks = vec![about(News::Acked { at: now })];
                // If it cannot be seen now, a pull will tell.
                if let Ok(met) = self.companion.lookup(sync.chat_id).await {
                    marks.extend(reconcile::after_telling(sync, saved, &met, now));
                }
                return Ok(marks);
            }
            Err(trouble) => trouble,
        };
        match trouble.blame {
            Blame::Contact => {
                self.note_health(|health| health.ill(trouble, now));
                let reason = if sync.wish.is_some() { trouble.word } else { "not_supported_by_companion" };
                Ok(vec![about(News::Failed { reason: reason.into() })])
            }
            Blame::Unclear => {
                let wait = backoff(CONTACT_FIRST, CONTACT_MOST, sync.attempts + 1, chance())
                    .max(trouble.wait.unwrap_or_default());
                let later = about(News::Later { next_at: now.plus(wait), reason: trouble.word.into() });
                self.unclear += 1;
                if self.unclear >= TOO_MANY {
                    self.mark(vec![later]).await?;
                    return Err(trouble.into());
                }
                self.note_health(|health| health.ill(trouble, now));
                Ok(vec![later])
            }
            Blame::Companion => {
                // It may have been taken all the same.
                if matches!(trouble.word, "timeout" | "unavailable" | "no_answer") {
                    self.mark(vec![about(News::Later { next_at: now, reason: trouble.word.into() })]).await?;
                }
                Err(trouble.into())
            }
        }
    }

    /// Nothing is said for a while, longer each time.
    fn withdraw(&mut self, trouble: Trouble, now: Moment) {
        self.failures += 1;
        let wait =
            backoff(COMPANION_FIRST, COMPANION_MOST, self.failures, chance()).max(trouble.wait.unwrap_or_default());
        self.resumes_at = now.plus(wait);
        let resumes_at = self.resumes_at;
        self.note_health(|health| {
            health.ill(trouble, now);
            health.resumes_at = Some(resumes_at);
        });
        if self.failures == 1 {
            tracing::warn!(instance = %self.session.id(), outcome = trouble.word, "the companion is in trouble");
        }
    }

    fn wait_for_the_book(&self, error: &Error, now: Moment) -> Moment {
        tracing::warn!(instance = %self.session.id(), outcome = error.word(), "a companion waits for its book");
        now.plus(BOOK_WAIT)
    }

    fn well(&mut self, now: Moment) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(instance = %self.session.id(), "the companion is well again");
        }
        self.unclear = 0;
        self.note_health(|health| health.well(now));
    }

    fn note_health(&self, note: impl FnOnce(&mut Health)) {
        note(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests;

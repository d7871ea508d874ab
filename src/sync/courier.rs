//! The courier of one webhook: one step reads what the book has that its receiver was not told, and tells it in order, each
//! contact as it stands now. What is not told yet lies in the book and nowhere else, so that nothing is lost with the
//! process; after a crash the last events come once more, with the same ids. An event that fails keeps those behind it
//! waiting, for order is promised, until it is told or given up. Leaves out when a step is taken (`couriers`).

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    carrier::{Carrier, Message, NoReceipt, Receipt},
    event::{Told, body, contact_of, event_id},
    retry::{self, Jitter},
    signature::{Secret, Signed, headers},
};
use crate::{
    book::{Changed, DeadLetter, HookWork, LastTry, Progress},
    domain::{Moment, Result, Revision},
    gateway::{EventType, Webhook, Webhooks},
    session::Session,
};

/// Changes read at a time.
const PAGE: u32 = 64;
/// What was read longer ago than this is read again before it is told: it may have changed.
const FRESH: Duration = Duration::from_secs(2);
/// How far it has come is noted this often at most, and after this many events at the latest: that much may come twice.
const NOTED: Duration = Duration::from_secs(1);
const UNNOTED: u32 = 256;

const GONE: u16 = 410;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub delivered: u32,
    pub next: Next,
}

/// When the next step is worth taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Now,
    At(Moment),
    /// Everything was told.
    OnChange,
    /// The receiver wants nothing any more.
    Gone,
}

pub struct Courier {
    webhook: Webhook,
    secrets: Vec<(Secret, Option<Moment>)>,
    session: Session,
    carrier: Arc<dyn Carrier>,
    jitter: Jitter,
    /// Empty until the book was asked, and when what is held is no longer so.
    place: Option<Place>,
}

/// Where the courier stands; what of it is not noted yet is lost in a crash.
struct Place {
    progress: Progress,
    told: Told,
    unnoted: u32,
    noted_at: Option<Instant>,
    /// There may be dead letters to try again; and which of them are none any more.
    has_letters: bool,
    settled_letters: Vec<Revision>,
}

enum Answer {
    Taken,
    Failed(Failure),
}

struct Failure {
    status: Option<u16>,
    why: String,
    retry_after: Option<Duration>,
}

/// The clock of a step: it goes on while the step waits for the receiver.
#[derive(Clone, Copy)]
struct Clock {
    start: Moment,
    since: Instant,
}

impl Clock {
    fn now(self) -> Moment {
        self.start.plus(self.since.elapsed())
    }
}

impl Courier {
    pub fn new(webhooks: &Webhooks, webhook: Webhook, carrier: Arc<dyn Carrier>, jitter: Jitter) -> Result<Self> {
        let secrets = webhooks.secrets(&webhook)?;
        let secrets = secrets.into_iter().map(|(bytes, until)| (Secret::from_bytes(bytes), until)).collect();
        Ok(Self { webhook, secrets, session: webhooks.session().clone(), carrier, jitter, place: None })
    }

    /// Tells the receiver some of what it does not know. May be given up at any await: at worst an event comes twice.
    pub async fn step(&mut self, now: Moment) -> Result<Step> {
        let clock = Clock { start: now, since: Instant::now() };
        let place = match &mut self.place {
            Some(place) => place,
            None => self.place.insert(Place::load(&self.session, &self.webhook).await?),
        };
        if let Some(at) = place.progress.next_at.filter(|at| *at > now) {
            return Ok(Step { delivered: 0, next: Next::At(at) });
        }
        if place.has_letters {
            return self.retell(clock).await;
        }
        self.tell_news(clock).await
    }

    /// Whether more was told than is noted.
    pub fn has_unnoted(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.unnoted > 0)
    }

    /// Notes how far it has come.
    pub async fn note(&mut self) -> Result<()> {
        if self.has_unnoted() { self.note_with(None).await } else { Ok(()) }
    }

    async fn tell_news(&mut self, clock: Clock) -> Result<Step> {
        let mut step = Step { delivered: 0, next: Next::Now };
        let Some(place) = &mut self.place else { return Ok(step) };
        let changes = self.session.changes(place.progress.cursor, PAGE).await?;
        if changes.head.epoch != place.progress.epoch {
            self.place = None;
            return Ok(step);
        }
        if place.progress.cursor < changes.head.pruned && place.progress.missed < Some(changes.head.pruned) {
            place.progress.missed = Some(changes.head.pruned);
            place.unnoted += 1;
        }
        for changed in &changes.rows {
            if clock.since.elapsed() > FRESH {
                return Ok(step);
            }
            let Some(place) = &mut self.place else { return Ok(step) };
            let kind = place.told.kind_of(changed);
            if self.webhook.types.has(kind) {
                match self.tell(kind, changed, clock).await {
                    Answer::Taken => step.delivered += 1,
                    Answer::Failed(failure) => {
                        step.next = self.fail(kind, changed, failure, clock, false).await?;
                        return Ok(step);
                    }
                }
            }
            self.pass(changed);
            self.note_if_due(UNNOTED).await?;
        }
        if changes.is_truncated {
            return Ok(step);
        }
        if let Some(place) = &mut self.place {
            // In one snapshot everything was seen: whoever is in the book by now was told of.
            if place.progress.cursor < changes.head.revision {
                place.progress.cursor = changes.head.revision;
                place.unnoted += 1;
            }
            place.progress.settled = place.progress.cursor;
            place.told = Told::up_to(place.progress.settled);
            step.next = Next::OnChange;
        }
        self.note_if_due(UNNOTED).await?;
        Ok(step)
    }

    /// Dead letters that somebody wants told again: those whose contact has not changed since. The others have been, or
    /// will be, told as they are now.
    async fn retell(&mut self, clock: Clock) -> Result<Step> {
        let mut step = Step { delivered: 0, next: Next::Now };
        let letters = self.session.dead_letters(&self.webhook.id, true, PAGE).await?;
        for letter in &letters {
            let before = Revision::new(letter.revision.number().saturating_sub(1));
            let changes = self.session.changes(before, 1).await?;
            if let Some(changed) = changes.rows.first().filter(|row| row.revision() == letter.revision) {
                let kind = EventType::parse(&letter.kind).unwrap_or(EventType::Updated);
                match self.tell(kind, changed, clock).await {
                    Answer::Taken => step.delivered += 1,
                    Answer::Failed(failure) => {
                        step.next = self.fail(kind, changed, failure, clock, true).await?;
                        return Ok(step);
                    }
                }
            }
            let Some(place) = &mut self.place else { return Ok(step) };
            place.settled_letters.push(letter.revision);
            place.unnoted += 1;
        }
        if let Some(place) = &mut self.place {
            place.has_letters = !letters.is_empty();
        }
        self.note().await?;
        Ok(step)
    }

    /// Signs and sends one event.
    async fn tell(&mut self, kind: EventType, changed: &Changed, clock: Clock) -> Answer {
        let Some(place) = &mut self.place else { return Answer::Taken };
        let at = clock.now();
        let id = event_id(&self.webhook.instance, place.progress.epoch, changed.revision());
        let body = body(kind, &self.webhook.instance, changed);
        let secrets = self.secrets.iter().filter(|(_, until)| until.is_none_or(|until| until > at));
        let secrets: Vec<_> = secrets.map(|(secret, _)| secret.clone()).collect();
        let headers = headers(&Signed { id: &id, at, body: &body }, &secrets).into();
        let carried = self.carrier.carry(Message { url: self.webhook.url.clone(), headers, body }).await;
        let (status, failure) = verdict(carried);
        let outcome = if failure.is_some() { "failed" } else { "taken" };
        metrics::counter!("wabook_webhook_deliveries_total", "outcome" => outcome).increment(1);
        let progress = &mut place.progress;
        let error = failure.as_ref().map(|failure| failure.why.clone());
        progress.last = Some(LastTry { at: clock.now(), status, error });
        match failure {
            Some(failure) => Answer::Failed(failure),
            None => {
                (progress.head, progress.tries, progress.failures, progress.next_at) = (None, 0, 0, None);
                Answer::Taken
            }
        }
    }

    /// This change is behind us.
    fn pass(&mut self, changed: &Changed) {
        if let Some(place) = &mut self.place {
            place.told.note(changed);
            place.progress.cursor = changed.revision();
            place.unnoted += 1;
        }
    }

    /// Waits, or gives the event up: what comes next.
    async fn fail(
        &mut self,
        kind: EventType,
        changed: &Changed,
        failure: Failure,
        clock: Clock,
        is_dead_already: bool,
    ) -> Result<Next> {
        let Some(place) = &mut self.place else { return Ok(Next::Now) };
        let Place { progress, .. } = place;
        let revision = changed.revision();
        if progress.head != Some(revision) {
            (progress.head, progress.tries) = (Some(revision), 0);
        }
        progress.tries += 1;
        progress.failures += 1;
        let tries = progress.tries;
        tracing::info!(instance = %self.webhook.instance, webhook = self.webhook.id, tries, why = failure.why,
            "a webhook's delivery failed");
        let is_last = usize::try_from(tries).is_ok_and(|tries| tries > retry::WAITS.len());
        let (next, dead) = if failure.status == Some(GONE) {
            (Next::Gone, None)
        } else if is_last {
            let letter = DeadLetter {
                revision,
                event_id: event_id(&self.webhook.instance, progress.epoch, revision),
                kind: kind.word().to_owned(),
                contact: contact_of(changed),
                tries,
                error: failure.why,
                at: clock.now(),
                again: false,
            };
            (progress.head, progress.tries, progress.failures, progress.next_at) = (None, 0, 0, None);
            metrics::counter!("wabook_webhook_dead_letters_total").increment(1);
            (Next::Now, Some(letter))
        } else {
            let at = clock.now().plus(retry::wait(progress.failures, failure.retry_after, self.jitter));
            progress.next_at = Some(at);
            (Next::At(at), None)
        };
        if dead.is_some() && !is_dead_already {
            self.pass(changed);
        }
        self.note_with(dead).await?;
        Ok(next)
    }

    async fn note_if_due(&mut self, most: u32) -> Result<()> {
        let is_due = self.place.as_ref().is_some_and(|place| {
            let is_long_ago = place.noted_at.is_none_or(|at| at.elapsed() >= NOTED);
            place.unnoted >= most || (place.unnoted > 0 && is_long_ago)
        });
        if is_due { self.note_with(None).await } else { Ok(()) }
    }

    /// What could not be noted, or came too late, is read anew.
    async fn note_with(&mut self, dead: Option<DeadLetter>) -> Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        let is_dead = dead.is_some();
        let work = HookWork::Save {
            id: self.webhook.id.clone(),
            progress: Box::new(place.progress.clone()),
            dead,
            settled: place.settled_letters.clone(),
        };
        let noted = self.session.work_on_hook(work).await;
        match noted {
            Ok(true) => {
                place.unnoted = 0;
                place.noted_at = Some(Instant::now());
                place.settled_letters.clear();
                Ok(())
            }
            Ok(false) => {
                self.place = None;
                Ok(())
            }
            Err(error) => {
                if is_dead {
                    self.place = None;
                }
                Err(error)
            }
        }
    }
}

impl Place {
    /// A webhook of which this book knows nothing goes on from where the book stood when it was registered. If that was
    /// another book (this one was made anew), all of this one is news.
    async fn load(session: &Session, webhook: &Webhook) -> Result<Self> {
        let head = session.head().await?;
        let from = |generation, cursor: Revision| Progress {
            generation,
            settings: webhook.version,
            epoch: head.epoch,
            cursor: cursor.min(head.revision),
            settled: cursor.min(head.revision),
            missed: None,
            head: None,
            tries: 0,
            failures: 0,
            next_at: None,
            last: None,
        };
        let mut progress = match session.hook_progress(&webhook.id).await? {
            Some(progress) if progress.epoch == head.epoch => progress,
            Some(progress) => from(progress.generation, Revision::default()),
            None if webhook.epoch == head.epoch => from(1, webhook.began),
            None => from(1, Revision::default()),
        };
        if progress.settings != webhook.version {
            // Its owner has done something about it: what was waiting is tried at once.
            (progress.head, progress.tries, progress.failures, progress.next_at) = (None, 0, 0, None);
            progress.settings = webhook.version;
        }
        let told = Told::up_to(progress.settled);
        Ok(Self { progress, told, unnoted: 0, noted_at: None, has_letters: true, settled_letters: Vec::new() })
    }
}

/// The receiver's status, and why the event counts as not delivered.
fn verdict(carried: Result<Receipt, NoReceipt>) -> (Option<u16>, Option<Failure>) {
    match carried {
        Ok(Receipt { status: status @ 200..=299, .. }) => (Some(status), None),
        Ok(Receipt { status, retry_after }) => {
            (Some(status), Some(Failure { status: Some(status), why: format!("status_{status}"), retry_after }))
        }
        Err(none) => (None, Some(Failure { status: None, why: none.word().to_owned(), retry_after: None })),
    }
}

#[cfg(test)]
mod tests;

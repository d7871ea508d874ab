//! The events that a WAHA sends to a webhook: which of them say something about a contact, and what is answered. The
//! envelope is `{"event", "session", "payload", "me", "engine", "timestamp"}`
//! (<https://waha.devlike.pro/docs/how-to/events/#webhook-payload>); the events themselves are next door. Leaves out WAHA's
//! own dialect, which is another room.

mod contact;
mod message;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{super::row::BatchRow, rows::Rows};
use crate::{
    domain::{ChatId, Invalid, Moment, NamePart, Observation, Result, Source, believable},
    http::room::{Fault, Heard},
};

/// Apart from `waha`, which is who writes through WAHA's dialect.
const SOURCE: Source = Source::known("waha-webhook");

const UNKNOWN: &str = "unknown event";
const NOT_A_CONTACT: &str = "not a contact";
const OWN: &str = "the account's own";
const NOTHING: &str = "says nothing about a contact";

/// What an event says of whom; or why nothing.
type Said = Result<Vec<Result<Observation, Invalid>>, &'static str>;

type Reading = fn(&Event<'_>, &Value) -> Said;

/// The events that are read. `message.any` is `message` and the account's own besides. Contacts and LIDs have no event of
/// their own on WAHA's page; what is read under these names is what its engines report (`engine.event` passes it on) in the
/// shapes of WAHA's own pages on contacts and LIDs and of Baileys, whose words its NOWEB engine keeps.
const EVENTS: [(&str, Reading); 10] = [
    ("message", message::read),
    ("message.any", message::read),
    ("contact.update", contact::read),
    ("contact.upsert", contact::read),
    ("contacts.update", contact::read),
    ("contacts.upsert", contact::read),
    ("lid", contact::read_lids),
    ("lid.update", contact::read_lids),
    ("lid-mapping.update", contact::read_lids),
    ("engine.event", engine_event),
];

struct Event<'v> {
    /// The account's own ids.
    own: Vec<ChatId>,
    /// When it was sent, if it says so.
    at: Option<&'v Value>,
    now: Moment,
}

/// What it says, and why it says nothing, if so.
pub fn read(heard: &Heard, now: Moment) -> Result<(Rows, Option<&'static str>), Fault> {
    let envelope: Map<String, Value> = heard.json()?;
    let Some(word) = envelope.get("event").and_then(Value::as_str) else {
        return Err(Invalid::new("event", "is required, as text").into());
    };
    let mut rows = Rows::default();
    let ignored = match said(word, &envelope, now) {
        Ok(said) if said.is_empty() => Some(NOTHING),
        Ok(said) => {
            said.into_iter().for_each(|observation| rows.add(observation));
            None
        }
        Err(why) => Some(why),
    };
    Ok((rows, ignored))
}

fn said(word: &str, envelope: &Map<String, Value>, now: Moment) -> Said {
    let (_, reading) = EVENTS.iter().find(|(known, _)| *known == word).ok_or(UNKNOWN)?;
    let me = envelope.get("me").unwrap_or(&Value::Null);
    let own = ["/id", "/lid", "/jid"].into_iter().filter_map(|place| contact_at(me, place)).collect();
    let event = Event { own, at: envelope.get("timestamp"), now };
    reading(&event, envelope.get("payload").unwrap_or(&Value::Null))
}

/// An event as the engine knows it, within one of WAHA's: `{"event", "data"}`. Messages come under WAHA's own name too.
fn engine_event(event: &Event<'_>, payload: &Value) -> Said {
    let raw = payload.get("raw").unwrap_or(payload);
    let word = raw.get("event").and_then(Value::as_str).unwrap_or_default();
    let within = EVENTS.iter().filter(|(known, _)| !known.starts_with("message") && *known != "engine.event");
    let (_, reading) = within.into_iter().find(|(known, _)| *known == word).ok_or(UNKNOWN)?;
    reading(event, raw.get("data").unwrap_or(&Value::Null))
}

impl Event<'_> {
    fn is_own(&self, who: ChatId) -> bool {
        self.own.contains(&who)
    }

    /// The envelope's time, in milliseconds; else now.
    fn sent_at(&self) -> Result<Moment, Invalid> {
        let told = self.at.and_then(|at| millis(at, 1.0));
        told.map_or(Ok(self.now), |told| believable(told, self.now, "timestamp"))
    }
}

/// A number of milliseconds, or of something longer.
fn millis(number: &Value, unit: f64) -> Option<Moment> {
    number.as_f64().map(|number| Moment::from_millis((number * unit) as i64))
}

fn text_at<'v>(value: &'v Value, places: &[&str]) -> Option<&'v str> {
    let texts = places.iter().filter_map(|place| value.pointer(place)?.as_str());
    texts.into_iter().find(|text| !text.is_empty())
}

/// An id as text; WEBJS has some as an object with `_serialized`.
fn id_at<'v>(value: &'v Value, place: &str) -> Option<&'v str> {
    let id = value.pointer(place)?;
    id.as_str().or_else(|| id.get("_serialized")?.as_str()).filter(|id| !id.is_empty())
}

/// An id that is a person's. Bare digits are left alone: here they may be anybody's.
fn contact_at(value: &Value, place: &str) -> Option<ChatId> {
    id_at(value, place).filter(|id| id.contains('@'))?.parse().ok()
}

/// The first of these names that can be kept. One that cannot, being too long or not one line, keeps nothing else out: WAHA
/// would send the event again and again.
fn name_at(value: &Value, places: &[&str]) -> Option<NamePart> {
    NamePart::parse(text_at(value, places)?, "name").ok().flatten()
}

/// An event as WAHA describes it. What else stands in it is not read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `read` reads")]
pub struct WahaEvent {
    /// `message`, `message.any`, `contacts.update`, `lid-mapping.update`, `engine.event`; any other is ignored.
    #[schema(example = "message")]
    event: String,
    payload: Option<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WahaAnswer {
    /// How many observations came of it.
    observed: usize,
    /// Why there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<&'static str>,
    /// A result for each; also for one that was refused, such as a message from the future.
    results: Vec<BatchRow>,
}

impl WahaAnswer {
    pub fn new(results: Vec<BatchRow>, ignored: Option<&'static str>) -> Self {
        Self { observed: results.iter().filter(|row| row.is_done()).count(), ignored, results }
    }
}

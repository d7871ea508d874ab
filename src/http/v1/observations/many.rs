//! Our own spelling of what phones saw: a list of rows, each with a chat id and whatever was seen of it. The words are
//! those under which `GET …/contacts/{chat_id}` shows the same things.

use std::borrow::Cow;

use actix_web::web::{self, Bytes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{super::row::BatchRow, rows::Rows};
use crate::{
    domain::{ChatId, Digits, Error, Field, Invalid, Moment, NamePart, Observation, SavedPatch, Source, believable},
    http::{
        params,
        raw::RawField,
        room::{Fault, parse_json},
        time::{now, parse_rfc3339},
    },
};

/// Who saw something, if a row does not say.
const PHONE: Source = Source::known("phone");

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    observations: RawField<'a>,
    #[serde(borrow, default)]
    source: RawField<'a>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    chat_id: RawField<'a>,
    #[serde(borrow, default)]
    phone: RawField<'a>,
    #[serde(borrow, default)]
    lid: RawField<'a>,
    #[serde(borrow, default)]
    pushname: RawField<'a>,
    #[serde(borrow, default)]
    business_name: RawField<'a>,
    #[serde(borrow, default)]
    saved: RawField<'a>,
    #[serde(borrow, default)]
    blocked: RawField<'a>,
    #[serde(borrow, default)]
    last_message_at: RawField<'a>,
    #[serde(borrow, default)]
    at: RawField<'a>,
    #[serde(borrow, default)]
    source: RawField<'a>,
}

#[derive(Deserialize)]
struct SavedRow<'a> {
    #[serde(borrow, default)]
    first: RawField<'a>,
    #[serde(borrow, default)]
    last: RawField<'a>,
    #[serde(borrow, default)]
    full: RawField<'a>,
}

/// Off the thread that speaks HTTP: a large body must not hold up the requests beside it.
pub async fn read(body: Bytes, most: usize) -> Result<Rows, Fault> {
    web::block(move || rows(&body, most, now())).await.map_err(Error::internal)?
}

fn rows(json: &[u8], most: usize, now: Moment) -> Result<Rows, Fault> {
    let body: Body<'_> = if json.is_empty() { Body::default() } else { parse_json(json)? };
    let source = source(body.source)?.unwrap_or(PHONE);
    let list = body.observations.list("observations", most)?.flatten();
    let list = list.ok_or_else(|| Invalid::new("observations", "is required: an array of objects"))?;
    if list.len() > most {
        return Err(Fault::TooMany(most));
    }
    let mut rows = Rows::default();
    for row in list {
        rows.add(observation(row, &source, now));
    }
    Ok(rows)
}

fn observation(row: RawField<'_>, usual: &Source, now: Moment) -> Result<Observation, Invalid> {
    let row: Row<'_> =
        row.parse().ok_or_else(|| Invalid::new("observation", "must be an object in which no field stands twice"))?;
    let who = required(row.chat_id.text("chat_id")?, "chat_id")?;
    let who = params::chat_id(&who, "chat_id")?;
    let what = [row.phone, row.lid, row.pushname, row.business_name, row.saved, row.blocked, row.last_message_at];
    let own = if who.is_phone() { row.phone } else { row.lid };
    if what.iter().filter(|field| field.is_given()).count() == usize::from(own.is_given()) {
        let words = "phone or lid, pushname, business_name, saved, blocked or last_message_at";
        return Err(Invalid::new("observation", format!("says nothing: give {words}")));
    }
    let at = moment(row.at, "at")?.map(|at| believable(at, now, "at")).transpose()?;
    let last_message_at = moment(row.last_message_at, "last_message_at")?;
    let last_message_at = last_message_at.map(|at| believable(at, now, "last_message_at")).transpose()?;
    Ok(Observation {
        other: other(who, row.phone, row.lid)?,
        push: name(row.pushname, "pushname")?,
        business: name(row.business_name, "business_name")?,
        saved: saved(row.saved)?,
        blocked: row.blocked.flag("blocked")?.flatten(),
        last_message_at,
        ..Observation::new(who, at.unwrap_or(now), source(row.source)?.unwrap_or_else(|| usual.clone()))
    })
}

/// The other side of the person. The own side may be given too, and must then be the same.
fn other(who: ChatId, phone: RawField<'_>, lid: RawField<'_>) -> Result<Option<Digits>, Invalid> {
    let phone = phone.text("phone")?.flatten().map(|text| params::phone(&text, "phone")).transpose()?;
    let lid = lid.text("lid")?.flatten().map(|text| params::lid(&text, "lid")).transpose()?;
    let (own, other, field) = if who.is_phone() { (phone, lid, "phone") } else { (lid, phone, "lid") };
    if own.is_some_and(|own| own != who) {
        return Err(Invalid::new(field, "is another one than that of chat_id"));
    }
    Ok(other.map(|other| *other.digits()))
}

/// Null, or an object in which nothing is said: the phone has no name for the contact.
fn saved(field: RawField<'_>) -> Result<SavedPatch, Invalid> {
    let none = SavedPatch::Parts { first: Field::Clear, last: Field::Clear };
    if !field.is_given() {
        return Ok(SavedPatch::default());
    }
    if field.object("saved", 16_384)?.flatten().is_none() {
        return Ok(none);
    }
    let Some(row) = field.parse::<SavedRow<'_>>() else {
        return Err(Invalid::new("saved", "must be an object in which no field stands twice"));
    };
    let (first, last) = (name(row.first, "saved.first")?, name(row.last, "saved.last")?);
    Ok(match (first, last, name(row.full, "saved.full")?) {
        (None, None, None) => none,
        (None, None, full) => SavedPatch::Whole(full),
        // The parts say more than the whole, which is not read beside them.
        (first, last, _) => SavedPatch::Parts { first: first.into(), last: last.into() },
    })
}

type Given<T> = Result<Option<T>, Invalid>;

/// Blank and null are no name.
fn name(field: RawField<'_>, label: &'static str) -> Given<NamePart> {
    field.text(label)?.flatten().map_or(Ok(None), |text| NamePart::parse(&text, label))
}

/// RFC 3339, or milliseconds since 1970.
fn moment(field: RawField<'_>, label: &'static str) -> Given<Moment> {
    if let Ok(text) = field.text(label) {
        return text.flatten().map(|text| parse_rfc3339(&text, label)).transpose();
    }
    let refused = |_| Invalid::new(label, "must be a time such as 2027-01-31T12:00:00Z, or milliseconds since 1970");
    Ok(field.integer(label).map_err(refused)?.flatten().map(Moment::from_millis))
}

fn source(field: RawField<'_>) -> Given<Source> {
    field.text("source")?.flatten().map(|text| text.parse()).transpose()
}

fn required<'a>(text: Option<Option<Cow<'a, str>>>, label: &'static str) -> Result<Cow<'a, str>, Invalid> {
    text.flatten().ok_or_else(|| Invalid::new(label, "is required"))
}

/// A result for each observation, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObservationReport {
    pub results: Vec<BatchRow>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Moment = Moment::from_millis(1_800_000_000_000);

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = rows(&bytes, 10, NOW);
        }

        #[test]
        fn any_row_is_read_without_a_panic(field in "chat_id|phone|lid|saved|at|blocked", value in "[-0-9a-z@.\\\\\"{}\\[\\]:, ]{0,30}") {
            let _ = rows(format!(r#"{{"observations": [{{"chat_id": "123", "pushname": "A", "{field}": {value}}}]}}"#).as_bytes(), 10, NOW);
        }
    }
}

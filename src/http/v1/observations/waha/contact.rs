//! Contacts and LIDs as an engine reports them, one or many. A contact in WAHA's shape is
//! `{"id", "name", "pushname", "isMyContact", "isBlocked", …}` (<https://waha.devlike.pro/docs/how-to/contacts/>), in Baileys'
//! `{"id", "lid", "phoneNumber", "name", "notify", "verifiedName"}`; a LID is `{"lid", "pn"}` in both. `number` is not read:
//! of a LID it is its own digits.

use serde_json::Value;

use super::{Event, NOT_A_CONTACT, SOURCE, Said, contact_at, name_at};
use crate::domain::{ChatId, Moment, Observation, SavedPatch};

const OTHERS: [&str; 3] = ["/lid", "/phoneNumber", "/pn"];

pub fn read(event: &Event<'_>, payload: &Value) -> Said {
    every(event, payload, |contact, at| {
        let who = contact_at(contact, "/id").filter(|who| !event.is_own(*who))?;
        let is = |place: &str| contact.pointer(place).and_then(Value::as_bool);
        if is("/isGroup") == Some(true) || is("/isMe") == Some(true) {
            return None;
        }
        // A name that is missing was not mentioned; only a phone's whole report could say that there is none.
        let name = name_at(contact, &["/name"]).filter(|name| {
            let is_number = name.as_str().parse().is_ok_and(|id: ChatId| id.digits() == who.digits());
            is("/isMyContact") != Some(false) && !is_number
        });
        let others = OTHERS.iter().filter_map(|place| contact_at(contact, place));
        Some(Observation {
            other: others.into_iter().find(|id| id.is_phone() != who.is_phone()).map(|id| *id.digits()),
            push: name_at(contact, &["/pushname", "/pushName", "/notify"]),
            business: name_at(contact, &["/verifiedName"]),
            saved: name.map_or_else(SavedPatch::default, |name| SavedPatch::Whole(Some(name))),
            blocked: is("/isBlocked"),
            ..Observation::new(who, at, SOURCE)
        })
    })
}

pub fn read_lids(event: &Event<'_>, payload: &Value) -> Said {
    every(event, payload, |mapping, at| {
        let lid = contact_at(mapping, "/lid").filter(|lid| !lid.is_phone())?;
        let phone = contact_at(mapping, "/pn").filter(ChatId::is_phone)?;
        Some(Observation { other: Some(*phone.digits()), ..Observation::new(lid, at, SOURCE) })
    })
}

/// One, or an array of them.
fn every(event: &Event<'_>, payload: &Value, read: impl Fn(&Value, Moment) -> Option<Observation>) -> Said {
    let at = match event.sent_at() {
        Ok(at) => at,
        Err(invalid) => return Ok(vec![Err(invalid)]),
    };
    let all = payload.as_array().map_or(std::slice::from_ref(payload), Vec::as_slice);
    let said: Vec<_> = all.iter().filter_map(|one| read(one, at)).map(Ok).collect();
    if said.is_empty() { Err(NOT_A_CONTACT) } else { Ok(said) }
}

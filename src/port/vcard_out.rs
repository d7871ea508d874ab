//! vCard 3.0 (RFC 2426) and 4.0 (RFC 6350), outward: what both have a property for, and the rest in properties of ours.
//! Leaves out reading (`vcard`), which takes the same properties back.

use std::str::FromStr;

use super::{
    columns,
    row::{Listed, digits},
    vcard::{LID, OURS, UNNAMED},
};
use crate::domain::{Contact, Invalid, Kind, Moment, NamePart};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    #[default]
    V3,
    V4,
}

impl FromStr for Version {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "3.0" | "3" => Ok(Self::V3),
            "4.0" | "4" => Ok(Self::V4),
            _ => Err(Invalid::new("version", "must be 3.0 or 4.0")),
        }
    }
}

pub fn write(contact: &Contact, listed: &Listed, version: Version, out: &mut Vec<u8>) {
    let Contact { names, card, .. } = contact;
    let mut card_out = Card { out };
    card_out.line("BEGIN:VCARD");
    card_out.line(if version == Version::V3 { "VERSION:3.0" } else { "VERSION:4.0" });
    card_out.line("PRODID:-//wabook//wabook//EN");
    card_out.line(&format!("UID:urn:uuid:{}", contact.uuid));
    let part = |part: Option<&NamePart>| escaped(part.map(NamePart::as_str).unwrap_or_default());
    card_out.line(&format!("N:{};{};;;", part(names.saved.last.as_ref()), part(names.saved.first.as_ref())));
    card_out.text("FN", Some(&contact.display()));
    if names.saved.full().is_none() {
        // A card must have a name to show; this one is none that was saved.
        card_out.line(&format!("{UNNAMED}:true"));
    }
    if let Some(phone) = &contact.phone {
        card_out.line(&match version {
            Version::V3 => format!("TEL;TYPE=CELL;waid={phone}:+{phone}"),
            Version::V4 => format!("TEL;TYPE=cell;VALUE=uri;waid={phone}:tel:+{phone}"),
        });
    }
    card_out.text(LID, contact.lid.as_ref().map(|lid| digits(Some(lid))));
    card_out.text(if version == Version::V3 { "EMAIL;TYPE=INTERNET" } else { "EMAIL" }, card.email.as_deref());
    card_out.text("ORG", card.company.as_deref());
    let place = [&card.address, &card.city, &card.state, &card.zip, &card.country_code];
    if place.iter().any(|part| part.is_some()) {
        let parts: Vec<_> = place.iter().map(|part| escaped(part.as_deref().unwrap_or_default())).collect();
        card_out.line(&format!("ADR:;;{}", parts.join(";")));
    }
    card_out.text("NOTE", card.description.as_deref());
    if let Some(tags) = &card.tags {
        let tags: Vec<_> = tags.iter().map(|tag| escaped(tag)).collect();
        card_out.line(&format!("CATEGORIES:{}", tags.join(",")));
    }
    for (property, field, _) in OURS {
        card_out.text(property, ours(field, contact, listed).as_deref());
    }
    card_out.line(&format!("REV:{}", revised(contact.updated_at, version)));
    card_out.line("END:VCARD");
}

fn ours(field: &str, contact: &Contact, listed: &Listed) -> Option<String> {
    let card = &contact.card;
    let json = |list: &[&str]| (!list.is_empty()).then(|| serde_json::to_string(list).expect("strings are JSON"));
    match field {
        "type" => card.kind.map(Kind::word).map(str::to_owned),
        "country_id" => card.country_id.map(|id| id.to_string()),
        "assigned_id" => card.assigned_id.map(|id| id.to_string()),
        "source" => listed.source(contact).map(str::to_owned),
        "status" => listed.status(contact).map(str::to_owned),
        "group_names" => json(&listed.groups(contact)),
        "labels" => json(&card.labels.iter().flatten().map(|label| &**label).collect::<Vec<_>>()),
        "params" => card.params.as_ref().map(columns::object),
        "opted_in" => card.opted_in.map(|is_in| is_in.to_string()),
        "blocked" => contact.blocked.then(|| "true".to_owned()),
        _ => None,
    }
}

fn revised(at: Moment, version: Version) -> String {
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::MAX);
    at.strftime(if version == Version::V3 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y%m%dT%H%M%SZ" }).to_string()
}

/// Both RFCs: a backslash before what has a meaning, line ends as `\n`.
fn escaped(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace('\\', "\\\\").replace('\n', "\\n").replace(',', "\\,").replace(';', "\\;")
}

struct Card<'o> {
    out: &'o mut Vec<u8>,
}

impl Card<'_> {
    /// Nothing for nothing.
    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.line(&format!("{name}:{}", escaped(text)));
        }
    }

    /// Folded at 75 octets, never within a letter.
    fn line(&mut self, mut line: &str) {
        const MOST: usize = 75;
        let mut room = MOST;
        while line.len() > room {
            let cut = (1..=room).rev().find(|place| line.is_char_boundary(*place)).unwrap_or(line.len());
            let (part, rest) = line.split_at(cut);
            self.out.extend_from_slice(part.as_bytes());
            self.out.extend_from_slice(b"\r\n ");
            line = rest;
            // The space at the beginning counts.
            room = MOST - 1;
        }
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }
}

//! The 10,000 rows of `fixtures/contacts-10k.ndjson`, and how a client posts them: rows of one contact in their order,
//! over eight connections side by side.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    io,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Answer, Wire};

pub const CONNECTIONS: usize = 8;

const ROWS: &str = include_str!("../fixtures/contacts-10k.ndjson");

/// Which instance is written to, with what.
#[derive(Debug, Clone)]
pub struct Entry {
    pub instance: String,
    pub token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub chat_id: String,
    pub first_name: String,
    pub last_name: Option<String>,
    expect: String,
    /// To which contact the chat id leads; absent for what must be refused.
    pub contact: Option<String>,
}

impl Row {
    pub fn is_good(&self) -> bool {
        self.expect == "ok"
    }

    /// The full name that reads back, reckoned here anew from the vendor's page.
    pub fn name(&self) -> String {
        match &self.last_name {
            Some(last) => format!("{} {last}", self.first_name).trim().to_owned(),
            None => self.first_name.trim().to_owned(),
        }
    }

    pub fn post(&self, wire: &mut Wire, entry: &Entry) -> io::Result<Answer> {
        let mut body = json!({
            "instance_id": entry.instance,
            "access_token": entry.token,
            "chatId": self.chat_id,
            "firstName": self.first_name,
        });
        if let Some(last) = &self.last_name {
            body["lastName"] = last.as_str().into();
        }
        wire.post("/v2/contacts/update", &body)
    }
}

pub fn all() -> Vec<Row> {
    ROWS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows for each connection, in order; all rows of one contact go over the same.
pub fn shards(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut shards: Vec<Vec<&Row>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for row in rows {
        let mut hasher = DefaultHasher::new();
        row.contact.as_ref().unwrap_or(&row.chat_id).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % CONNECTIONS as u64).unwrap();
        shards[place].push(row);
    }
    shards
}

/// The last good row of each contact.
pub fn last_of_each(rows: &[Row]) -> HashMap<&str, &Row> {
    rows.iter().filter_map(|row| Some((row.contact.as_deref()?, row))).collect()
}

/// A contact's saved name, as `GET /v2/contacts` shows it.
pub fn saved_name(wire: &mut Wire, entry: &Entry, contact: &str) -> Value {
    let Entry { instance, token } = entry;
    let target = format!("/v2/contacts?instance_id={instance}&access_token={token}&contactId={contact}");
    let answer = wire.get(&target).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = answer.json();
    assert_eq!(shown["id"], contact);
    shown["name"].clone()
}

/// How the instance stands: its contacts and its revision.
pub fn head(wire: &mut Wire, entry: &Entry) -> (u64, u64) {
    let bearer = format!("Authorization: Bearer {}", entry.token);
    let answer = wire.ask(&format!("GET /v1/instances/{}", entry.instance), &[&bearer], b"").unwrap();
    let shown = answer.json();
    (shown["contacts"].as_u64().unwrap(), shown["revision"].as_u64().unwrap())
}

//! What a plain save asks for, read here anew from its bytes: by this, and not by what the gateway made of it, is judged what
//! reads back. Leaves out saves that also say something in the query, and fields beside the names.

use serde_json::Value;
use wabook::domain::{ChatId, NamePart};

use super::{
    doors::Face,
    stage::{Request, Stage},
};

pub struct Wish {
    who: ChatId,
    first: Value,
    last: Value,
}

impl Wish {
    /// `path` as the door has it.
    pub fn of(face: Face, path: &str, tail: &[u8], body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let tail = std::str::from_utf8(tail).ok()?;
        let in_path = path.ends_with("/contacts/{tail}");
        let is_update = path.contains("/contacts/update") || path.ends_with("/upsert");
        let is_plain = if in_path { !tail.contains(['?', '%', '/', '{']) } else { is_update && tail.is_empty() };
        if !is_plain {
            return None;
        }
        let [id, first, last] = match face {
            Face::Wawp | Face::Waha => ["chatId", "firstName", "lastName"],
            Face::Hypersender => ["chat_id", "first_name", "last_name"],
            _ => return None,
        };
        let who = if in_path { tail } else { body[id].as_str()? }.parse().ok()?;
        // A last name alone leaves the first as it is, which is not known here.
        Some(Self { who, first: part(body.get(first)?)?, last: part(&body[last])? })
    }

    pub fn is_fulfilled(&self, stage: &mut Stage) {
        let Self { who, first, last } = self;
        let answer = stage.ask(&Request::new("GET", &format!("/v1/instances/{{i}}/contacts/{who}")));
        assert_eq!(answer.status, 200, "who was saved is there");
        let shown = answer.json();
        let saved = &shown["names"]["saved"];
        assert_eq!([&saved["first"], &saved["last"]], [first, last], "{shown}");
    }
}

/// What is blank is nothing.
fn part(value: &Value) -> Option<Value> {
    match value {
        Value::Null => Some(Value::Null),
        Value::String(text) => {
            let name = NamePart::parse(text, "name").ok()?;
            Some(name.map_or(Value::Null, |name| name.as_str().into()))
        }
        _ => None,
    }
}

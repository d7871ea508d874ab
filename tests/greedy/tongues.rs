//! One small write and one small read in each dialect, and how each says "too many" and "too busy".

use std::io;

use serde_json::{Value, json};

use crate::shared::{
    rows::Entry,
    wire::{Answer, Wire},
};

#[derive(Debug, Clone, Copy)]
pub struct Tongue {
    pub name: &'static str,
    write: fn(&Entry, &str) -> (String, Value),
    /// Where it is said in the body that these were too many; and what.
    limited: (&'static str, &'static str),
}

pub const TONGUES: [Tongue; 6] = [
    Tongue {
        name: "Wawp",
        write: |entry, phone| {
            let body = json!({
                "instance_id": entry.instance, "access_token": entry.token, "chatId": phone, "firstName": "Ann",
            });
            ("POST /v2/contacts/update".into(), body)
        },
        limited: ("/error", "Too Many Requests"),
    },
    Tongue {
        name: "Hypersender",
        write: |entry, phone| {
            let what = format!("POST /api/whatsapp/v2/{}/contacts/upsert", entry.instance);
            (what, json!({"chat_id": phone, "first_name": "Ann"}))
        },
        limited: ("/message", "Too Many Attempts."),
    },
    Tongue {
        name: "SuperWABA",
        write: |_, phone| ("POST /api/whatsapp/contacts".into(), json!({"userNumber": phone, "userName": "Ann"})),
        limited: ("/error", "Rate limit exceeded"),
    },
    Tongue {
        name: "WA.cr",
        write: |_, phone| {
            ("POST /api/v2/contacts/batch".into(), json!({"contacts": [{"firstname": "Ann", "phone": phone}]}))
        },
        limited: ("/error/code", "RATE_LIMIT_EXCEEDED"),
    },
    Tongue {
        name: "WAHA",
        write: |entry, phone| {
            (format!("PUT /api/{}/contacts/{phone}", entry.instance), json!({"firstName": "Ann", "lastName": ""}))
        },
        limited: ("/error", "Too Many Requests"),
    },
    Tongue {
        name: "wabook",
        write: |entry, phone| {
            (format!("PUT /v1/instances/{}/contacts/{phone}", entry.instance), json!({"first_name": "Ann"}))
        },
        limited: ("/code", "limited"),
    },
];

impl Tongue {
    pub fn write(&self, wire: &mut Wire, entry: &Entry, phone: &str) -> io::Result<Answer> {
        let (what, body) = (self.write)(entry, phone);
        let headers = [
            format!("Authorization: Bearer {}", entry.token),
            format!("X-Api-Key: {}", entry.token),
            format!("x-org-id: {}", entry.instance),
            "Content-Type: application/json".into(),
        ];
        wire.ask(&what, &headers.each_ref().map(String::as_str), body.to_string().as_bytes())
    }

    /// The number of seconds is what a client goes by, the words are the vendor's.
    pub fn assert_limited(&self, answer: &Answer) {
        let (place, words) = self.limited;
        assert_eq!(answer.json().pointer(place), Some(&words.into()), "{}: {}", self.name, answer.text());
        assert!(self.wait(answer) >= 1);
        if self.name == "WA.cr" {
            assert_eq!(answer.json()["meta"]["retry_after"], self.wait(answer));
        }
    }

    pub fn assert_busy(&self, answer: &Answer) {
        let is_said = answer.text().to_lowercase().contains("busy");
        assert!(is_said, "{}: {}", self.name, answer.text());
        assert!(self.wait(answer) >= 1);
    }

    fn wait(&self, answer: &Answer) -> u64 {
        let wait = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        wait.unwrap_or_else(|| panic!("{}: no Retry-After in {:?}", self.name, answer.head))
    }
}

//! The matrix: what is saved in one tongue reads back in every other, and what a tongue cannot express is kept when it
//! writes. A dialect joins with one entry in `FACES`: its requests as templates, and where in its answers to look.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

/// Method, path, body. `{id}`, `{digits}`, `{number}` (the integer id), `{uuid}`, `{instance}`, `{first}`, `{last}`,
/// `{email}` are filled in.
type Ask = (&'static str, &'static str, &'static str);
/// A path to read, and the JSON pointers whose texts, joined by a space, are the answer.
type Look = (&'static str, &'static [&'static str]);

struct Face {
    name: &'static str,
    /// Makes or renames a contact by its phone.
    save: Ask,
    name_at: Look,
    /// Sets the e-mail of a contact that exists, and where to read it.
    email: Option<(Ask, Look)>,
    /// Sets the tags `a` and `b`, and where to read them.
    tags: Option<(Ask, Look)>,
    /// Blocks a contact, and where to read that.
    block: Option<(Ask, Look)>,
    delete: Option<Ask>,
}

const FACES: &[Face] = &[
    Face {
        name: "wawp",
        save: ("PUT", "/v2/contacts/{id}", r#"{"firstName": "{first}", "lastName": "{last}"}"#),
        name_at: ("/v2/contacts/{id}", &["/name"]),
        email: None,
        tags: None,
        block: Some((("POST", "/v2/contacts/block?contactId={id}", ""), ("/v2/contacts/{id}", &["/isBlocked"]))),
        delete: None,
    },
    Face {
        name: "v1",
        save: ("PUT", "/v1/instances/{instance}/contacts/{id}", r#"{"first_name": "{first}", "last_name": "{last}"}"#),
        name_at: ("/v1/instances/{instance}/contacts/{id}", &["/names/saved/full"]),
        email: Some((
            ("PATCH", "/v1/instances/{instance}/contacts/{id}", r#"{"email": "{email}"}"#),
            ("/v1/instances/{instance}/contacts/{id}", &["/email"]),
        )),
        tags: Some((
            ("PATCH", "/v1/instances/{instance}/contacts/{id}", r#"{"tags": ["a", "b"]}"#),
            ("/v1/instances/{instance}/contacts/{id}", &["/tags"]),
        )),
        block: Some((
            ("PATCH", "/v1/instances/{instance}/contacts/{id}", r#"{"blocked": true}"#),
            ("/v1/instances/{instance}/contacts/{id}", &["/blocked"]),
        )),
        delete: Some(("DELETE", "/v1/instances/{instance}/contacts/{id}", "")),
    },
    Face {
        name: "hypersender",
        save: (
            "POST",
            "/api/whatsapp/v2/{instance}/contacts/upsert",
            r#"{"chat_id": "{id}", "first_name": "{first}", "last_name": "{last}"}"#,
        ),
        name_at: ("/api/whatsapp/v2/{instance}/contacts/get?chat_id={id}", &["/data/name"]),
        email: None,
        tags: None,
        block: None,
        delete: None,
    },
    Face {
        name: "waha",
        save: ("PUT", "/api/{instance}/contacts/{id}", r#"{"firstName": "{first}", "lastName": "{last}"}"#),
        name_at: ("/api/{instance}/contacts/{id}", &["/name"]),
        email: None,
        tags: None,
        block: Some((
            ("POST", "/api/contacts/block", r#"{"contactId": "{id}", "session": "{instance}"}"#),
            ("/api/contacts?contactId={id}&session={instance}", &["/isBlocked"]),
        )),
        delete: None,
    },
    Face {
        name: "superwaba",
        save: ("POST", "/api/whatsapp/contacts", r#"{"userNumber": "+{digits}", "userName": "{first} {last}"}"#),
        name_at: ("/api/whatsapp/contacts/contact_{uuid}", &["/data/name"]),
        email: Some((
            ("PATCH", "/api/whatsapp/contacts/contact_{uuid}", r#"{"email": "{email}"}"#),
            ("/api/whatsapp/contacts?search={digits}", &["/data/contacts/0/email"]),
        )),
        tags: Some((
            ("PATCH", "/api/whatsapp/contacts/contact_{uuid}", r#"{"tags": ["a", "b"]}"#),
            ("/api/whatsapp/contacts?search={digits}", &["/data/contacts/0/tags"]),
        )),
        block: Some((
            ("PATCH", "/api/whatsapp/contacts/contact_{uuid}", r#"{"is_blocked": true}"#),
            ("/api/whatsapp/contacts/contact_{uuid}", &["/data/isBlocked"]),
        )),
        delete: None,
    },
    Face {
        name: "wacr",
        save: (
            "POST",
            "/api/v2/contacts",
            r#"{"firstname": "{first}", "lastname": "{last}", "phone": "+{digits}", "type": "lead", "source_id": 1,
                "status_id": 1}"#,
        ),
        name_at: ("/contacts/{number}", &["/data/firstname", "/data/lastname"]),
        email: Some((
            ("PATCH", "/contacts/{number}", r#"{"email": "{email}"}"#),
            ("/api/v2/contacts/{number}", &["/data/email"]),
        )),
        tags: None,
        block: None,
        delete: Some(("DELETE", "/api/v2/contacts/{number}", "")),
    },
];

const PEOPLE: [(&str, &str); 5] =
    [("Bob", "Smith"), ("José", "Ñandú 🌸"), ("秀英", "李"), ("מוחמד", "כהן"), ("e\u{301}ric", "O'Neill \\\"x\\\"")];

struct Stage {
    app: TestApp,
    tenant: Tenant,
    digits: String,
    person: (&'static str, &'static str),
}

impl Stage {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let tenant = app.instance().await;
        Self { app, tenant, digits: "15551230000".to_owned(), person: PEOPLE[0] }
    }

    /// The next contact, who is nobody yet.
    fn next(&mut self, person: usize) {
        self.digits = (self.digits.parse::<u64>().unwrap() + 1).to_string();
        self.person = PEOPLE[person % PEOPLE.len()];
    }

    async fn fill(&self, template: &str) -> String {
        let mut text = template
            .replace("{id}", &format!("{}@c.us", self.digits))
            .replace("{digits}", &self.digits)
            .replace("{instance}", &self.tenant.id)
            .replace("{first}", self.person.0)
            .replace("{last}", self.person.1)
            .replace("{email}", &format!("p{}@example.com", self.digits));
        if text.contains("{number}") || text.contains("{uuid}") {
            let contact = self.native().await;
            text = text
                .replace("{number}", &contact["id"].to_string())
                .replace("{uuid}", contact["uuid"].as_str().unwrap_or("nobody"));
        }
        text
    }

    /// Every dialect finds its own credentials among these.
    async fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let token = &self.tenant.token;
        let mut request = self
            .app
            .request(Method::from_bytes(method.as_bytes()).unwrap(), &self.fill(path).await)
            .bearer_auth(token)
            .header("X-Api-Key", token)
            .header("x-org-id", &self.tenant.id);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(self.fill(body).await);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    async fn ask(&self, face: &Face, (method, path, body): Ask) {
        let (status, answer) = self.send(method, path, body).await;
        assert!((200..300).contains(&status), "{}: {method} {path} answered {status} {answer}", face.name);
    }

    async fn look(&self, (path, pointers): Look) -> Value {
        let (_, answer) = self.send("GET", path, "").await;
        let found: Vec<_> =
            pointers.iter().map(|pointer| answer.pointer(pointer).cloned().unwrap_or(Value::Null)).collect();
        // A place that an answer does not have is as good as null.
        match found.as_slice() {
            [one] => one.clone(),
            _ if found.iter().all(Value::is_null) => Value::Null,
            parts => json!(parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
        }
    }

    async fn native(&self) -> Value {
        let path = format!("/v1/instances/{}/contacts/{}@c.us", self.tenant.id, self.digits);
        let response = self.app.request(Method::GET, &path).bearer_auth(&self.tenant.token).send().await.unwrap();
        response.json().await.unwrap()
    }

    fn full_name(&self) -> String {
        format!("{} {}", self.person.0, self.person.1).replace("\\\"", "\"")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_saved_in_one_tongue_reads_back_in_every_other() {
    let mut stage = Stage::new().await;
    for (place, writer) in FACES.iter().enumerate() {
        for person in 0..PEOPLE.len() {
            stage.next(person);
            stage.ask(writer, writer.save).await;
            for reader in FACES {
                let name = stage.look(reader.name_at).await;
                assert_eq!(name, json!(stage.full_name()), "saved in {}, read in {}", writer.name, reader.name);
            }
        }
        let saved = u64::try_from((place + 1) * PEOPLE.len()).unwrap();
        assert_eq!(stage.app.head(&stage.tenant).await, (saved, saved), "{} writes once each", writer.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_tongue_sets_all_that_know_it_show() {
    let mut stage = Stage::new().await;
    type Part = fn(&Face) -> Option<(Ask, Look)>;
    let parts: [(&str, Part); 3] = [("email", |f| f.email), ("tags", |f| f.tags), ("block", |f| f.block)];
    for writer in FACES {
        for (part, of) in parts {
            let Some((set, _)) = of(writer) else { continue };
            stage.next(0);
            stage.ask(&FACES[0], FACES[0].save).await;
            stage.ask(writer, set).await;
            for reader in FACES {
                let Some((_, look)) = of(reader) else { continue };
                let expected = match part {
                    "email" => json!(format!("p{}@example.com", stage.digits)),
                    "tags" => json!(["a", "b"]),
                    _ => json!(true),
                };
                let found = stage.look(look).await;
                assert_eq!(found, expected, "{part} set in {}, read in {}", writer.name, reader.name);
            }
            let name = stage.look(FACES[0].name_at).await;
            assert_eq!(name, json!(stage.full_name()), "{part} set in {} leaves the name alone", writer.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_in_one_tongue_is_gone_in_every_other() {
    let mut stage = Stage::new().await;
    for deleter in FACES {
        let Some(delete) = deleter.delete else { continue };
        stage.next(1);
        stage.ask(&FACES[0], FACES[0].save).await;
        stage.ask(deleter, delete).await;
        for reader in FACES {
            let name = stage.look(reader.name_at).await;
            assert_eq!(name, Value::Null, "deleted in {}, read in {}", deleter.name, reader.name);
        }
    }
}

/// What a tongue has no words for is kept, never erased, when it writes.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_tongue_cannot_say_survives_its_writing() {
    let mut stage = Stage::new().await;
    // `PUT` of the native API replaces by definition; every vendor's write is partial.
    for writer in FACES.iter().filter(|face| face.name != "v1") {
        stage.next(2);
        stage.ask(&FACES[0], FACES[0].save).await;
        let everything = r#"{"params": {"tier": "gold"}, "tags": ["a", "b"], "labels": ["l"], "email": "{email}",
            "company": "Z & Co", "description": "d", "zip": "1", "country_code": "DE", "country_id": 49, "type": "guest",
            "source_id": 1, "status_id": 1, "opted_in": true, "assigned_id": 3}"#;
        let (status, _) = stage.send("PATCH", "/v1/instances/{instance}/contacts/{id}", everything).await;
        assert_eq!(status, 200);
        let before = stage.native().await;
        // A rename where the tongue upserts; else another of its writes.
        let upserts = !matches!(writer.name, "superwaba" | "wacr");
        let write = if upserts { writer.save } else { writer.email.unwrap().0 };
        stage.person = PEOPLE[3];
        stage.ask(writer, write).await;
        let after = stage.native().await;
        for key in [
            "params",
            "tags",
            "labels",
            "company",
            "description",
            "zip",
            "country_id",
            "assigned_id",
            "type",
            "source_id",
            "status_id",
            "opted_in",
            "created_at",
            "id",
            "uuid",
        ] {
            assert_eq!(after[key], before[key], "{} erased {key}", writer.name);
        }
    }
}

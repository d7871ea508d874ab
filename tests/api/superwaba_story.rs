//! What the tests of SuperWABA's room share: an instance and what its user does there, the vendor's examples, and how an
//! answer is held against them.

use std::path::Path;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use wabook::{
    book::{Book, Write},
    domain::{ChatId, Contact, ContactId, Moment, NamePart, Register, Source, Stamp},
};

use crate::support::{Tenant, TestApp, told};

pub const BASE: &str = "/api/whatsapp";

pub struct Story {
    pub app: TestApp,
    pub tenant: Tenant,
}

impl Story {
    pub async fn begin() -> Self {
        let app = TestApp::start().await;
        let tenant = app.instance().await;
        Self { app, tenant }
    }

    /// In a book that is as the vendor's examples have it.
    pub async fn of_the_examples() -> Self {
        let folder = TempDir::new().unwrap();
        lay_book(&folder.path().join("sessions").join("examples"));
        let app = TestApp::start_in(folder).await;
        let tenant = app.named_instance("examples").await;
        Self { app, tenant }
    }

    /// On behalf of this instance.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.app.request(method, &format!("{BASE}{path}"));
        request.bearer_auth(&self.tenant.token).header("x-org-id", &self.tenant.id)
    }

    /// The same as lines of a head.
    pub fn headers(&self) -> [String; 2] {
        [format!("Authorization: Bearer {}", self.tenant.token), format!("X-Org-Id: {}", self.tenant.id)]
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Response {
        self.request(method, path).json(body).send().await.unwrap()
    }

    /// A contact that must be new.
    pub async fn create(&self, fields: Value) -> Value {
        data(self.send(Method::POST, "/contacts", &fields).await, 201).await
    }

    pub async fn update(&self, id: &str, fields: Value) -> Value {
        data(self.send(Method::PATCH, &format!("/contacts/{id}"), &fields).await, 200).await
    }

    pub async fn show(&self, id: &str) -> Value {
        data(self.request(Method::GET, &format!("/contacts/{id}")).send().await.unwrap(), 200).await
    }

    pub async fn list(&self, query: &[(&str, &str)]) -> Value {
        data(self.request(Method::GET, "/contacts").query(query).send().await.unwrap(), 200).await
    }

    pub async fn import(&self, body: &Value) -> Value {
        data(self.send(Method::POST, "/contacts/bulk", body).await, 200).await
    }

    pub async fn import_text(&self, media_type: &str, body: impl Into<reqwest::Body>) -> Value {
        let request = self.request(Method::POST, "/contacts/bulk").header("content-type", media_type).body(body);
        data(request.send().await.unwrap(), 200).await
    }

    /// The names of all contacts, by number, as Wawp shows them.
    pub async fn names_in_wawp(&self) -> Vec<(String, Value)> {
        let mut names = Vec::new();
        loop {
            let window = [("limit", "1000"), ("offset", &*names.len().to_string()), ("sortBy", "id")];
            let page = told(self.app.get(&self.tenant, "/v2/contacts/all", &window).await, 200).await;
            let page = page.as_array().unwrap();
            if page.is_empty() {
                return names;
            }
            let name = |contact: &Value| (contact["id"].as_str().unwrap().to_owned(), contact["name"].clone());
            names.extend(page.iter().map(name));
        }
    }
}

/// The data of a good answer.
pub async fn data(response: Response, status: u16) -> Value {
    let mut body = told(response, status).await;
    assert_eq!(body["success"], true, "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    body["data"].take()
}

/// The vendor's shape of an error, and its text.
pub fn assert_failure(body: &Value) -> String {
    let text = body["error"].as_str().unwrap_or_else(|| panic!("{body}"));
    assert_eq!(*body, json!({"success": false, "error": text, "message": text}));
    assert!(!text.is_empty() && text.is_ascii(), "{text}");
    text.to_owned()
}

/// What went wrong, said with this status.
pub async fn failure(response: Response, status: u16) -> String {
    assert_failure(&told(response, status).await)
}

pub fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/superwaba").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The text of an example of an error. Ours has the same under `message`, where the vendor's other page has it.
pub fn failure_fixture(name: &str) -> String {
    let example = fixture(name);
    assert_eq!(example, json!({"success": false, "error": example["error"]}));
    example["error"].as_str().unwrap().to_owned()
}

/// The same keys and the same values; but for what is drawn anew, where the shape must be right.
pub fn assert_like(found: &Value, example: &Value, drawn: &[&str]) {
    let mut expected = example.clone();
    for key in drawn {
        let (value, example) = (&found[key], &example[key]);
        let text = value.as_str().unwrap_or_else(|| panic!("{key}: {found}"));
        assert!(example.is_string(), "{key}: {example}");
        match *key {
            "id" => assert!(uuid::Uuid::try_parse(text.strip_prefix("contact_").unwrap()).is_ok(), "{text}"),
            "vendorContactId" => {
                assert!(text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
            }
            _ => {
                let at: jiff::Timestamp = text.parse().unwrap();
                assert_eq!(format!("{at:.3}"), text);
            }
        }
        expected[key] = value.clone();
    }
    assert_eq!(*found, expected);
}

fn at(text: &Value) -> Moment {
    let at: jiff::Timestamp = text.as_str().unwrap().parse().unwrap();
    Moment::from_millis(at.as_millisecond())
}

fn words(list: &Value) -> Option<Vec<Box<str>>> {
    let words: Vec<Box<str>> = list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect();
    (!words.is_empty()).then_some(words)
}

/// Labels, last messages and conversations come from where no dialect writes; so the book is laid before the start: the
/// two contacts of the example of a list, the newest, and as many before them as make up its total.
fn lay_book(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut book = Book::create(folder).unwrap();
    let (listed, full) = (fixture("list.response"), fixture("get.response"));
    let (listed, total) = (&listed["data"]["contacts"], listed["data"]["total"].as_u64().unwrap());
    let mut contacts: Vec<Contact> = (0..total - 2)
        .map(|number| {
            Contact::unknown(ChatId::phone(&(4_900_000 + number).to_string()).unwrap(), Moment::from_millis(1))
        })
        .collect();
    for example in [&listed[1], &listed[0]] {
        let name = NamePart::parse(example["name"].as_str().unwrap(), "name").unwrap();
        let mut contact =
            Contact::unknown(example["phone"].as_str().unwrap().parse().unwrap(), at(&example["createdAt"]));
        contact.updated_at = at(&example["updatedAt"]);
        contact.last_message_at = Some(at(&example["lastMessageAt"]));
        contact.conversation_count = u32::try_from(example["conversationCount"].as_u64().unwrap()).unwrap();
        contact.names.saved.first = name;
        contact.names.saved.by = Some(Stamp { at: contact.created_at, source: Source::known("test") });
        let source = NamePart::parse(example["source"].as_str().unwrap(), "source").unwrap().unwrap();
        let card = &mut contact.card;
        card.source_id = Some(book.source_named(&source, contact.created_at).unwrap());
        card.email = example["email"].as_str().map(Into::into);
        card.country_code = example["countryCode"].as_str().map(Into::into);
        (card.tags, card.labels) = (words(&example["tags"]), words(&example["labels"]));
        card.opted_in = example["optedIn"].as_bool();
        // Not every id of the examples is one.
        contact.uuid = uuid::Uuid::try_parse(&example["id"].as_str().unwrap()[8..]).unwrap_or_default();
        contacts.push(contact);
    }
    let ahmed = contacts.last_mut().unwrap();
    let params = full["data"]["params"].as_object().unwrap();
    ahmed.card.params = Some(params.iter().map(|(key, value)| ((**key).into(), value.to_string().into())).collect());
    let mut head = book.head();
    let writes = contacts.into_iter().map(|mut contact| {
        head.revision = head.revision.next();
        head.last_id = ContactId(head.last_id.0 + 1);
        (contact.id, contact.revision) = (head.last_id, head.revision);
        if contact.uuid.is_nil() {
            contact.uuid = uuid::Uuid::now_v7();
        }
        Write::Insert { contact: contact.into(), source: Source::known("test") }
    });
    let writes: Vec<_> = writes.collect();
    book.write(&writes, head).unwrap();
    assert!(book.has_entry(Register::Sources, 3).unwrap());
    book.close().unwrap();
}

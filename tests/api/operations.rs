//! Every operation that the API description knows, ready to be asked for by anybody in any spelling: a route that is added
//! later is in every test that walks this list. Leaves out what a good answer looks like.

use serde_json::{Value, json};

use crate::shared::wire::{Answer, Wire};

/// Where a dialect is mounted a second time; the description has the first.
const ALSO_AT: [(&str, &str); 2] = [("/api/v2/", "/"), ("/v2/", "/wp-json/awp/v1/")];

/// What stands for the instance in a path.
const INSTANCE: [&str; 3] = ["{i}", "{instance}", "{session}"];

#[derive(Debug, Clone)]
pub struct Operation {
    pub verb: String,
    pub route: String,
    /// Where it is asked for; the route, but for a second mount.
    path: String,
    pub is_public: bool,
    has_body: bool,
}

/// Who asks, and for what.
#[derive(Debug, Clone)]
pub struct Asking<'a> {
    pub instance: &'a str,
    pub token: Option<&'a str>,
    /// The part of the path that names a contact, a webhook or a token.
    pub object: Option<&'a str>,
    pub body: Body,
    pub person: Person<'a>,
    /// Where the first two stand.
    pub place: Place,
}

/// Whom a good body is about, and where it sends whoever is to be told.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub phone: &'a str,
    pub name: &'a str,
    pub url: &'a str,
}

const NOBODY: Person<'_> = Person { phone: "123", name: "A", url: "https://example.com/" };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Everywhere,
    Query,
    Body,
    Headers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Good,
    None,
    /// Broken off.
    Broken,
    /// JSON that says it is something else.
    OtherType,
    TooLarge,
}

/// What is compared of an answer: all but what differs in any two answers.
pub type Bytes = (u16, Vec<(String, String)>, Vec<u8>);

pub fn all(wire: &mut Wire) -> Vec<Operation> {
    let description = wire.get("/v1/openapi.json").unwrap().json();
    let mut all = Vec::new();
    for (route, verbs) in description["paths"].as_object().unwrap() {
        for (verb, about) in verbs.as_object().unwrap() {
            let operation = Operation {
                verb: verb.to_uppercase(),
                route: route.clone(),
                path: route.clone(),
                is_public: about["security"] == json!([{}]),
                has_body: about["requestBody"].is_object(),
            };
            let again = ALSO_AT.iter().find_map(|(first, then)| Some(format!("{then}{}", route.strip_prefix(first)?)));
            all.extend(again.map(|path| Operation { path, ..operation.clone() }));
            all.push(operation);
        }
    }
    all
}

impl<'a> Asking<'a> {
    pub fn new(instance: &'a str, token: Option<&'a str>) -> Self {
        Self { instance, token, object: None, body: Body::Good, person: NOBODY, place: Place::Everywhere }
    }
}

impl Operation {
    pub fn name(&self) -> String {
        format!("{} {}", self.verb, self.path)
    }

    /// Whether the path itself says which instance is meant.
    pub fn names_instance(&self) -> bool {
        INSTANCE.iter().any(|part| self.route.contains(part))
    }

    /// Whether it is said at all. Where it is not, a token opens its own.
    pub fn means_instance(&self) -> bool {
        !self.route.starts_with("/api/v2/") && !matches!(&*self.route, "/v1/instances" | "/v1/backup")
    }

    pub fn names_object(&self) -> bool {
        self.objects().next().is_some()
    }

    /// The parts of the path that stand for something within an instance.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|part| part.starts_with('{') && !INSTANCE.contains(part))
    }

    pub fn ask(&self, wire: &mut Wire, asking: &Asking<'_>) -> Answer {
        let Asking { instance, token, place, .. } = asking;
        let is_in = |here| *place == Place::Everywhere || *place == here;
        let mut what = format!("{} {}", self.verb, self.path(asking));
        if is_in(Place::Query) {
            what += &format!("?instance_id={instance}&session={instance}");
            what += &token.map(|token| format!("&access_token={token}")).unwrap_or_default();
        }
        let mut headers = Vec::new();
        if is_in(Place::Headers) {
            headers.extend([format!("x-org-id: {instance}"), format!("X-Instance-ID: {instance}")]);
            if let Some(token) = token {
                let tokens =
                    ["Authorization: Bearer ", "X-Api-Key: ", "access-token: "].map(|name| format!("{name}{token}"));
                headers.extend(tokens);
            }
        }
        let body = self.body(asking, is_in(Place::Body));
        if !body.is_empty() {
            let kind = if asking.body == Body::OtherType { "text/plain" } else { "application/json" };
            headers.push(format!("Content-Type: {kind}"));
        }
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        wire.ask(&what, &headers, &body).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Likewise, as it is compared.
    pub fn bytes(&self, wire: &mut Wire, asking: &Asking<'_>) -> Bytes {
        let (status, head, body) = self.ask(wire, asking).undated();
        (status, head, without_moment(&body))
    }

    fn path(&self, asking: &Asking<'_>) -> String {
        let segments = self.path.split('/').skip(1).map(|segment| match segment {
            part if INSTANCE.contains(&part) => asking.instance,
            part if part.starts_with('{') => asking.object.unwrap_or(match part {
                "{chat_id}" | "{chatId}" | "{id}" => "123",
                _ => "nobody",
            }),
            word => word,
        });
        segments.map(|segment| format!("/{segment}")).collect()
    }

    fn body(&self, asking: &Asking<'_>, names_itself: bool) -> Vec<u8> {
        if asking.body == Body::None || !(self.has_body || self.verb != "GET") {
            return Vec::new();
        }
        let Person { phone, name, url } = asking.person;
        let row = json!({
            "chatId": phone, "contactId": phone, "chat_id": phone, "phone": phone, "userNumber": format!("+{phone}"),
            "firstName": name, "first_name": name, "firstname": name, "name": name, "userName": name, "lastname": name,
            "push_name": name, "url": url, "kind": "waha", "api_key": name, "key": name, "label": name,
        });
        let mut fields = row.clone();
        fields["contacts"] = json!([row]);
        fields["observations"] = json!([row]);
        if names_itself {
            fields["instance_id"] = asking.instance.into();
            fields["session"] = asking.instance.into();
            fields["access_token"] = asking.token.map_or(Value::Null, Into::into);
        }
        let text = fields.to_string();
        match asking.body {
            Body::Broken => text.as_bytes()[..10].to_vec(),
            Body::TooLarge => (text + &" ".repeat(5000)).into_bytes(),
            _ => text.into_bytes(),
        }
    }
}

/// WA.cr numbers and times every answer, at a place of its own.
fn without_moment(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    text.split_once(r#""meta":{"request_id":"#).map_or(&*text, |(before, _)| before).as_bytes().to_vec()
}

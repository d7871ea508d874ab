//! `TestApp`: the gateway in this process, on a free port, over a folder of its own, with a method for each thing that a
//! user does. Leaves out the raw connection and the child process (`shared`).

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use wabook::{
    app::App,
    book::{Book, Write},
    config::{Config, Flags},
    domain::{ChatId, Contact, ContactId, Mapping, Moment, NamePart, Seen, Source, Stamp},
    gateway::{Credentials, Gateway, Scope},
};

use crate::shared::{PATIENCE, wire::Wire};

pub struct TestApp {
    pub client: Client,
    pub admin_token: String,
    folder: TempDir,
    address: SocketAddr,
    gateway: Arc<Gateway>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// An instance, and a token that opens it.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: String,
    pub token: String,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap()).await
    }

    /// Over a folder that may hold sessions already.
    pub async fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, |_| {}).await
    }

    /// With so many requests a minute for each token; 0 is no limit.
    pub async fn start_limited(folder: TempDir, requests_per_minute: u32) -> Self {
        Self::start_with(folder, |config| config.limits.requests_per_minute = requests_per_minute).await
    }

    /// Whose webhooks and companions may be on this machine.
    pub async fn start_near(folder: TempDir) -> Self {
        Self::start_with(folder, |config| config.outside.allow = vec!["127.0.0.1".into()]).await
    }

    /// With some settings changed.
    pub async fn start_with(folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::load(&Flags { file: None, listen: None, sessions: None }).unwrap();
        config.http.listen = ([127, 0, 0, 1], 0).into();
        config.http.workers = 2;
        config.http.grace = Duration::from_secs(5);
        config.sessions.folder = folder.path().join("sessions");
        change(&mut config);
        let app = App::build(&config).unwrap();
        let admin_token = std::fs::read_to_string(config.sessions.folder.join("admin.token")).unwrap();
        let (address, gateway) = (app.address(), Arc::clone(app.gateway()));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run(async {
            let _ = stopped.await;
        }));
        let client = Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().unwrap();
        Self { client, admin_token: admin_token.trim().to_owned(), folder, address, gateway, stop, running }
    }

    /// Stops in order and gives the folder back.
    pub async fn stop(self) -> TempDir {
        drop(self.client);
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        self.folder
    }

    pub async fn restart(self) -> Self {
        Self::start_in(self.stop().await).await
    }

    pub fn sessions(&self) -> std::path::PathBuf {
        self.folder.path().join("sessions")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn wire(&self) -> Wire {
        Wire::to(&self.address.to_string()).unwrap()
    }

    /// Forgets whatever was deleted up to now, as the hourly housekeeping does.
    pub async fn prune(&self, tenant: &Tenant) {
        let credentials = Credentials { instance: Some(&tenant.id), token: Some(&tenant.token) };
        let session = self.gateway.enter(credentials, Scope::ContactsDelete).unwrap();
        assert!(session.prune(Moment::from_millis(i64::MAX), 1000).await.unwrap() > 0, "something was forgotten");
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A request to `/v1` on behalf of whoever holds this token.
    pub async fn v1(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.request(method, path).bearer_auth(token);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
        .send()
        .await
        .unwrap()
    }

    pub async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        self.v1(&self.admin_token, method, path, body).await
    }

    /// A new instance with a drawn id, and its first token.
    pub async fn instance(&self) -> Tenant {
        self.instance_like(json!({})).await
    }

    pub async fn named_instance(&self, id: &str) -> Tenant {
        self.instance_like(json!({"instance_id": id})).await
    }

    async fn instance_like(&self, wish: Value) -> Tenant {
        let made = told(self.admin(Method::POST, "/v1/instances", Some(wish)).await, 201).await;
        Tenant { id: text(&made["instance_id"]), token: text(&made["access_token"]) }
    }

    /// Another token of this instance: what `/v1` answers of it, the secret included.
    pub async fn token(&self, tenant: &Tenant, wish: Value) -> Value {
        told(self.admin(Method::POST, &format!("/v1/instances/{}/tokens", tenant.id), Some(wish)).await, 201).await
    }

    /// The same instance through a token with these scopes.
    pub async fn limited(&self, tenant: &Tenant, scopes: &[&str]) -> Tenant {
        let made = self.token(tenant, json!({"scopes": scopes})).await;
        Tenant { id: tenant.id.clone(), token: text(&made["access_token"]) }
    }

    /// The same through a token with a very near end, once that has come.
    pub async fn expired(&self, tenant: &Tenant) -> Tenant {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(700);
        let token = self.token(tenant, json!({"expires_at": at.to_string()})).await;
        let guest = Tenant { id: tenant.id.clone(), token: text(&token["access_token"]) };
        for _ in 0..600 {
            if self.get(&guest, "/v2/contacts", &[("contactId", "123@c.us")]).await.status() == 401 {
                return guest;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the token does not expire");
    }

    /// What phones saw, in the native spelling: what is told of each row.
    pub async fn observe(&self, tenant: &Tenant, rows: Value) -> Vec<Value> {
        let path = format!("/v1/instances/{}/observations", tenant.id);
        let body = json!({"observations": rows, "source": "phone-1"});
        let report = told(self.v1(&tenant.token, Method::POST, &path, Some(body)).await, 200).await;
        report["results"].as_array().unwrap().clone()
    }

    /// The contact as the native API shows it.
    pub async fn native(&self, tenant: &Tenant, id: &str) -> Value {
        let path = format!("/v1/instances/{}/contacts/{id}", tenant.id);
        told(self.v1(&tenant.token, Method::GET, &path, None).await, 200).await
    }

    /// How many contacts the instance has, and its revision.
    pub async fn head(&self, tenant: &Tenant) -> (u64, u64) {
        let shown = told(self.admin(Method::GET, &format!("/v1/instances/{}", tenant.id), None).await, 200).await;
        (shown["contacts"].as_u64().unwrap(), shown["revision"].as_u64().unwrap())
    }

    /// `POST /v2/contacts/update` with the credentials in the body.
    pub async fn update(&self, tenant: &Tenant, fields: Value) -> Response {
        self.request(Method::POST, "/v2/contacts/update").json(&tenant.body(fields)).send().await.unwrap()
    }

    /// An update that must succeed.
    pub async fn save(&self, tenant: &Tenant, chat_id: &str, first: &str, last: &str) {
        let fields = json!({"chatId": chat_id, "firstName": first, "lastName": last});
        let answer = told(self.update(tenant, fields).await, 200).await;
        assert_eq!(answer, json!({"ok": true}));
    }

    /// A `GET` with the credentials in the query.
    pub async fn get(&self, tenant: &Tenant, path: &str, query: &[(&str, &str)]) -> Response {
        self.request(Method::GET, path).query(&tenant.query()).query(query).send().await.unwrap()
    }

    /// The contact as Wawp shows it.
    pub async fn contact(&self, tenant: &Tenant, id: &str) -> Value {
        told(self.get(tenant, "/v2/contacts", &[("contactId", id)]).await, 200).await
    }

    /// The contact's saved name; null if there is none.
    pub async fn name(&self, tenant: &Tenant, id: &str) -> Value {
        self.contact(tenant, id).await["name"].clone()
    }
}

impl Tenant {
    pub fn query(&self) -> [(&str, &str); 2] {
        [("instance_id", &self.id), ("access_token", &self.token)]
    }

    /// The same, as it stands in a URL.
    pub fn in_query(&self) -> String {
        format!("instance_id={}&access_token={}", self.id, self.token)
    }

    /// These fields with the credentials beside them.
    pub fn body(&self, mut fields: Value) -> Value {
        fields["instance_id"] = self.id.as_str().into();
        fields["access_token"] = self.token.as_str().into();
        fields
    }
}

/// An app whose instance knows Alice by her phone, her LID and her pushname, and two more by both ids: what only a phone
/// could have told, laid into the folder before the gateway starts.
pub async fn with_mappings() -> (TestApp, Tenant) {
    let folder = TempDir::new().unwrap();
    lay_book(&folder.path().join("sessions").join("mapped"));
    let app = TestApp::start_in(folder).await;
    let tenant = app.named_instance("mapped").await;
    (app, tenant)
}

fn lay_book(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut book = Book::create(folder).unwrap();
    let mut head = book.head();
    let source = Source::known("phone");
    let known = [("15551234567", "999888777"), ("201234567890", "555"), ("4917012345", "100000000000001")];
    let mut writes = Vec::new();
    for (phone, lid) in known {
        head.revision = head.revision.next();
        head.last_id = ContactId(head.last_id.0 + 1);
        let mut contact = Contact::unknown(phone.parse().unwrap(), Moment::from_millis(1));
        (contact.id, contact.revision) = (head.last_id, head.revision);
        contact.uuid = uuid::Uuid::now_v7();
        contact.lid = Some(*ChatId::lid(lid).unwrap().digits());
        let by = Stamp { at: Moment::from_millis(1), source: source.clone() };
        let name = NamePart::parse("Alice 🌸", "push").unwrap().unwrap();
        contact.names.push = (phone == "15551234567").then(|| Seen { name, by: by.clone() });
        let mapping = Mapping { lid: contact.lid.unwrap(), phone: contact.phone.unwrap(), by };
        writes.extend([Write::Insert { contact: contact.into(), source: source.clone() }, Write::Learn(mapping)]);
    }
    book.write(&writes, head).unwrap();
    book.close().unwrap();
}

/// The body of an answer that must have this status.
pub async fn told(response: Response, status: u16) -> Value {
    let (found, body) = (response.status().as_u16(), response.bytes().await.unwrap());
    assert_eq!(found, status, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap_or(Value::Null)
}

/// Wawp's shape of an error, with a sentence for a person.
pub fn assert_wawp_error(body: &Value, status: u16) {
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["error", "message", "statusCode"], "{body}");
    assert_eq!(body["statusCode"], status, "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(message.split(' ').count() >= 2 && message.is_ascii(), "{message}");
    assert!(!body["error"].as_str().unwrap().is_empty(), "{body}");
}

/// RFC 9457.
pub async fn problem(response: Response, status: u16) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = told(response, status).await;
    for key in ["type", "title", "detail"] {
        assert!(!body[key].as_str().unwrap().is_empty(), "{key}: {body}");
    }
    assert_eq!(body["status"], status);
    body
}

/// The names of what lies in a folder, sorted.
pub fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

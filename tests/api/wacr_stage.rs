//! A stage for the stories of WA.cr: an instance, somebody who holds its token, and what every answer must look like.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, text, told};

pub struct Crm {
    pub app: TestApp,
    pub tenant: Tenant,
}

impl Crm {
    pub async fn begin() -> Self {
        let app = TestApp::start().await;
        let tenant = app.instance().await;
        Self { app, tenant }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        self.app.v1(&self.tenant.token, method, &format!("/api/v2{path}"), body.cloned()).await
    }

    /// What a `GET` shows; it must succeed.
    pub async fn get(&self, path: &str) -> Value {
        good(self.send(Method::GET, path, None).await, 200).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let status =
            if path.ends_with("/contacts") && path != "/contacts" || path.ends_with("/batch") { 200 } else { 201 };
        good(self.send(Method::POST, path, Some(&body)).await, status).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Value {
        good(self.send(Method::PATCH, path, Some(&body)).await, 200).await
    }

    pub async fn delete(&self, path: &str, body: Option<Value>) -> Value {
        good(self.send(Method::DELETE, path, body.as_ref()).await, 200).await
    }

    /// The error of a request that must be refused with this status and code, and must have changed nothing.
    pub async fn refused(&self, method: Method, path: &str, body: Option<&Value>, status: u16, code: &str) -> Value {
        let before = self.app.head(&self.tenant).await;
        let error = bad(self.send(method, path, body).await, status, code).await;
        assert_eq!(self.app.head(&self.tenant).await, before, "nothing is written: {error}");
        error
    }

    /// The one message under this field of a 422.
    pub async fn wrong(&self, method: Method, path: &str, body: &Value, field: &str) -> String {
        let error = self.refused(method, path, Some(body), 422, "VALIDATION_ERROR").await;
        let messages = error["details"][field].as_array().unwrap_or_else(|| panic!("{field}: {error}"));
        assert_eq!(messages.len(), 1, "{error}");
        text(&messages[0])
    }

    /// The id of a new contact with these fields beside the required ones.
    pub async fn contact(&self, phone: &str, fields: Value) -> i64 {
        self.post("/contacts", new(phone, fields)).await["data"]["id"].as_i64().unwrap()
    }

    /// The id of a new group, source or status.
    pub async fn entry(&self, list: &str, name: &str) -> i64 {
        self.post(&format!("/{list}"), json!({"name": name})).await["data"]["id"].as_i64().unwrap()
    }

    /// The first names on a page, in its order.
    pub async fn names(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/contacts?{query}")).await;
        page["data"].as_array().unwrap().iter().map(|contact| text(&contact["firstname"])).collect()
    }
}

/// All that a contact must have, and these fields.
pub fn new(phone: &str, fields: Value) -> Value {
    let mut contact = json!({
        "firstname": "John", "lastname": "Doe", "phone": phone, "type": "lead", "source_id": 1, "status_id": 1,
    });
    let Value::Object(fields) = fields else { panic!("no fields: {fields}") };
    contact.as_object_mut().unwrap().extend(fields);
    contact
}

pub async fn good(response: Response, status: u16) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = told(response, status).await;
    assert_eq!(body["success"], true, "{body}");
    assert_meta(&body);
    body
}

/// What stands under `error`.
pub async fn bad(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = told(response, status).await;
    assert_error(&body, code);
    body["error"].clone()
}

pub fn assert_error(body: &Value, code: &str) {
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["error", "meta", "success"], "{body}");
    assert_eq!((&body["success"], &body["error"]["code"]), (&json!(false), &json!(code)), "{body}");
    let message = text(&body["error"]["message"]);
    assert!(message.split(' ').count() >= 2 && !message.ends_with('.'), "{message}");
    assert_meta(body);
}

fn assert_meta(body: &Value) {
    assert!(is_uuid(&body["meta"]["request_id"]), "{body}");
    assert!(is_time(&body["meta"]["timestamp"]), "{body}");
}

/// Version 4.
pub fn is_uuid(value: &Value) -> bool {
    let id = value.as_str().unwrap_or_default();
    let parts: Vec<_> = id.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && &id[14..15] == "4" && "89ab".contains(&id[19..20])
}

/// `2026-01-02T03:04:05+00:00`
pub fn is_time(value: &Value) -> bool {
    let time = value.as_str().unwrap_or_default();
    time.len() == 25 && time.ends_with("+00:00") && time.parse::<jiff::Timestamp>().is_ok()
}

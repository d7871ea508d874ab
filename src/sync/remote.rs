//! The client of a running gateway's `/v1`. Speaks to this machine only, with the key that the gateway left there.

use reqwest::{Client, Method};
use serde_json::Value;

use super::tls;
use crate::gateway::RunNote;

pub struct Remote {
    client: Client,
    base: String,
    key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// What the gateway said, as it said it.
    #[error("{detail}")]
    Problem { code: String, detail: String },
    #[error("the gateway did not answer as expected")]
    Unreachable(#[source] reqwest::Error),
}

impl Remote {
    pub fn new(note: RunNote) -> Result<Self, RemoteError> {
        // Plain HTTP to this machine: no certificate is ever needed.
        let client = tls::client().tls_certs_only([]).build().map_err(RemoteError::Unreachable)?;
        Ok(Self { client, base: format!("http://{}", reachable(&note.address)), key: note.key })
    }

    /// `Null` for an answer without a body.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, RemoteError> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        // The path may hold an instance's id; the error's chain is for the terminal, without it.
        let unreachable = |error: reqwest::Error| RemoteError::Unreachable(error.without_url());
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let text = |key: &str| answer[key].as_str().map(str::to_owned);
        Err(RemoteError::Problem {
            code: text("code").unwrap_or_else(|| "unknown".into()),
            detail: text("detail").unwrap_or_else(|| format!("the gateway answered {status}")),
        })
    }

    pub async fn get(&self, path: &str) -> Result<Value, RemoteError> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, RemoteError> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, RemoteError> {
        self.call(Method::DELETE, path, None).await
    }
}

/// A gateway that listens everywhere is reached on loopback.
fn reachable(address: &str) -> String {
    address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

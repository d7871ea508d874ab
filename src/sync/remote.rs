//! The client of a running gateway's `/v1`. Speaks to this machine only, with the key that the gateway left there.

use std::io;

use futures_util::Stream;
use reqwest::{Body, Client, Method, Response};
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
    Problem {
        code: String,
        detail: String,
        /// How far an import came; else null.
        import: Value,
    },
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
        told(request.send().await.map_err(unreachable)?).await
    }

    /// Sends a body piece by piece, as it comes.
    pub async fn upload(
        &self,
        path: &str,
        pieces: impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static,
    ) -> Result<Value, RemoteError> {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.key);
        told(request.body(Body::wrap_stream(pieces)).send().await.map_err(unreachable)?).await
    }

    /// An answer that is taken piece by piece.
    pub async fn download(&self, path: &str) -> Result<Download, RemoteError> {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() { Ok(Download(response)) } else { Err(refusal(response).await?) }
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

/// What is still on its way.
pub struct Download(Response);

impl Download {
    /// `None` at the end; an answer that broke off is an error.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, RemoteError> {
        Ok(self.0.chunk().await.map_err(unreachable)?.map(Into::into))
    }
}

/// The path may hold an instance's id; the error's chain is for the terminal, without it.
fn unreachable(error: reqwest::Error) -> RemoteError {
    RemoteError::Unreachable(error.without_url())
}

async fn told(response: Response) -> Result<Value, RemoteError> {
    if !response.status().is_success() {
        return Err(refusal(response).await?);
    }
    let bytes = response.bytes().await.map_err(unreachable)?;
    Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn refusal(response: Response) -> Result<RemoteError, RemoteError> {
    let status = response.status();
    let bytes = response.bytes().await.map_err(unreachable)?;
    let mut answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    Ok(RemoteError::Problem {
        code: text("code").unwrap_or_else(|| "unknown".into()),
        detail: text("detail").unwrap_or_else(|| format!("the gateway answered {status}")),
        import: answer["import"].take(),
    })
}

/// A gateway that listens everywhere is reached on loopback.
fn reachable(address: &str) -> String {
    address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

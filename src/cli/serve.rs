//! `wabook serve`: run the gateway until the system or the user says stop. The first start on an empty folder makes an
//! instance to try and prints, this once, its access token and a line to paste.

use std::net::SocketAddr;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::say;
use crate::{
    app::App,
    config::Config,
    domain::{Error, InstanceId},
    gateway::{AccessToken, NewToken, Scopes},
};

const DEMO: &str = "demo";

pub async fn serve(config: &Config, is_json: bool) -> anyhow::Result<()> {
    // Before anything else: from now on a signal ends the server in order.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let app = App::build(config)?;
    let scheme = if let Some(certificate) = app.certificate() {
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                certificate.reload();
            }
        });
        "https"
    } else {
        "http"
    };
    let id = DEMO.parse().map_err(Error::from)?;
    let demo = if app.gateway().is_new(&id) { Some(demo(&app, id).await?) } else { None };
    let address = app.address();
    if is_json {
        say(announcement(address, demo.as_ref()))?;
    } else {
        say(format_args!("wabook {} is listening on {scheme}://{address}", env!("CARGO_PKG_VERSION")))?;
        if let Some(token) = &demo {
            say(welcome(&format!("{scheme}://{address}"), token))?;
        }
    }
    // Not before: who never read the token gets another at the next start.
    app.gateway().welcomed().await?;
    app.run(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

async fn demo(app: &App, id: InstanceId) -> anyhow::Result<AccessToken> {
    let gateway = app.gateway();
    let office = gateway.administer(Some(gateway.run_key().reveal()))?;
    match office.create(id.clone()).await {
        // Made by a start that was cut short.
        Ok(_) | Err(Error::Duplicate { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let wish = NewToken { label: Some("first".into()), scopes: Scopes::ALL, expires_at: None };
    let (_, secret) = office.keyring(&id)?.create(wish).await?;
    Ok(secret)
}

fn announcement(address: SocketAddr, demo: Option<&AccessToken>) -> serde_json::Value {
    let mut line = json!({"address": address.to_string()});
    if let Some(token) = demo {
        line["instance_id"] = DEMO.into();
        line["access_token"] = token.reveal().into();
    }
    line
}

fn welcome(base: &str, token: &AccessToken) -> String {
    let token = token.reveal();
    format!(
        r#"
This is the first start, so there is an instance to try, `{DEMO}`. Its access token is shown only now:

  {token}

Save a contact:

  curl -X POST {base}/v2/contacts/update -H 'Content-Type: application/json' \
    -d '{{"instance_id": "{DEMO}", "access_token": "{token}", "chatId": "123@c.us", "firstName": "Bob", "lastName": "Smith"}}'

Read it back:

  curl '{base}/v2/contacts?instance_id={DEMO}&contactId=123@c.us' -H 'Authorization: Bearer {token}'
"#
    )
}

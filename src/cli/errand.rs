//! Every command but `serve` is an errand at a gateway's `/v1`: at the one that runs on this folder, or, if none does,
//! at one that is started in this process, on loopback, for as long as the errand takes. So a command does the same with
//! and without a running server, and the folder never has two masters.

use std::{
    io::{IsTerminal as _, stderr},
    path::{Path, absolute},
    process::ExitCode,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Command, InstanceCommand, TokenCommand, port, say};
use crate::{
    app::App,
    config::Config,
    gateway::{Folder, RunNote},
    sync::Remote,
};

/// What an errand brings back: the JSON, and the same for people.
pub(super) struct Report {
    pub(super) json: Value,
    /// Nothing, if the errand has written to standard output itself.
    pub(super) text: String,
    pub(super) is_good: bool,
}

pub async fn run(config: &Config, command: Command, is_json: bool) -> anyhow::Result<ExitCode> {
    let sessions = &config.sessions.folder;
    let makes_folder = matches!(command, Command::Instance(InstanceCommand::Create { .. }));
    anyhow::ensure!(
        makes_folder || sessions.join("gateway.db").exists(),
        "there are no sessions in {} yet (name another folder with --sessions)",
        sessions.display()
    );
    let report = match Folder::make(sessions)?.note() {
        Some(note) => carry_out(&Remote::new(note)?, command, is_json).await,
        None => at_own_gateway(config, command, is_json).await,
    }?;
    match report.text.trim_end() {
        "" => {}
        _ if is_json => say(&report.json)?,
        text => say(text)?,
    }
    Ok(if report.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn at_own_gateway(config: &Config, command: Command, is_json: bool) -> anyhow::Result<Report> {
    let mut config = config.clone();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.http.workers = 1;
    (config.http.tls_certificate, config.http.tls_key) = Default::default();
    let app = App::build(&config)?.staying_in();
    let key = app.gateway().run_key().reveal().to_owned();
    let remote = Remote::new(RunNote { address: app.address().to_string(), key, process: std::process::id() })?;
    let (done, is_done) = oneshot::channel::<()>();
    let serving = tokio::spawn(app.run(async {
        let _ = is_done.await;
    }));
    let report = carry_out(&remote, command, is_json).await;
    // The connection must be gone before the gateway waits for its connections to end.
    drop(remote);
    let _ = done.send(());
    serving.await??;
    report
}

async fn carry_out(remote: &Remote, command: Command, is_json: bool) -> anyhow::Result<Report> {
    match command {
        Command::Serve => unreachable!("serving is no errand"),
        Command::Instance(command) => instance(remote, command).await,
        Command::Token(command) => token(remote, command).await,
        Command::Check { instance } => check(remote, instance).await,
        Command::Backup { folder } => back_up(remote, &folder).await,
        Command::Import(wish) => port::import(remote, wish, is_json).await,
        Command::Export(wish) => port::export(remote, wish, is_json).await,
    }
}

async fn instance(remote: &Remote, command: InstanceCommand) -> anyhow::Result<Report> {
    Ok(match command {
        InstanceCommand::Create { id } => {
            let made = remote.post("/v1/instances", &id.map_or(json!({}), |id| json!({"instance_id": id}))).await?;
            let text = format!(
                "Instance {} is there. Its access token is shown only now:\n\n  {}",
                shown(&made["instance_id"]),
                shown(&made["access_token"])
            );
            good(json!({"instance_id": made["instance_id"], "access_token": made["access_token"]}), text)
        }
        InstanceCommand::List => {
            let instances = all_instances(remote).await?;
            let rows = instances.iter().map(|i| vec![shown(&i["instance_id"]), shown(&i["created_at"])]);
            let text = table(["INSTANCE", "CREATED"], rows);
            good(json!({"instances": instances}), text)
        }
        InstanceCommand::Show { id } => {
            let instance = remote.get(&format!("/v1/instances/{}", segment(&id))).await?;
            let text = lines(&instance, &["instance_id", "state", "contacts", "revision", "epoch", "created_at"]);
            good(instance, text)
        }
        InstanceCommand::Remove { id } => {
            remote.delete(&format!("/v1/instances/{}", segment(&id))).await?;
            good(json!({"instance_id": id, "removed": true}), format!("Instance {id} is gone, with its address book."))
        }
    })
}

async fn token(remote: &Remote, command: TokenCommand) -> anyhow::Result<Report> {
    let of = |instance: &str| format!("/v1/instances/{}/tokens", segment(instance));
    let shown_once = |made: &Value| {
        format!("Token {}, shown only now:\n\n  {}", shown(&made["token_id"]), shown(&made["access_token"]))
    };
    Ok(match command {
        TokenCommand::Create { instance, scopes, expires, label } => {
            let scopes = if scopes.is_empty() { Value::Null } else { scopes.into() };
            let wish = json!({"scopes": scopes, "expires_in": expires, "label": label});
            let made = remote.post(&of(&instance), &wish).await?;
            let text = shown_once(&made);
            good(made, text)
        }
        TokenCommand::List { instance } => {
            let listed = remote.get(&of(&instance)).await?;
            let rows = listed["tokens"].as_array().into_iter().flatten().map(|token| {
                let scopes = token["scopes"].as_array().into_iter().flatten().map(shown).collect::<Vec<_>>();
                let mut row: Vec<_> = ["token_id", "state", "expires_at", "last_used_at", "label"]
                    .iter()
                    .map(|key| shown(&token[*key]))
                    .collect();
                row.push(scopes.join(" "));
                row
            });
            let text = table(["TOKEN", "STATE", "EXPIRES", "LAST USED", "LABEL", "SCOPES"], rows);
            good(listed, text)
        }
        TokenCommand::Rotate { instance, token_id } => {
            let made = remote.post(&format!("{}/{}/rotate", of(&instance), segment(&token_id)), &json!({})).await?;
            let text = shown_once(&made);
            good(made, text)
        }
        TokenCommand::Revoke { instance, token_id } => {
            remote.delete(&format!("{}/{}", of(&instance), segment(&token_id))).await?;
            good(json!({"token_id": token_id, "revoked": true}), format!("Token {token_id} opens nothing any more."))
        }
    })
}

async fn check(remote: &Remote, instance: Option<String>) -> anyhow::Result<Report> {
    let ids = match instance {
        Some(id) => vec![id],
        None => all_instances(remote).await?.iter().map(|instance| shown(&instance["instance_id"])).collect(),
    };
    let mut checked = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        progress("checking", place, ids.len());
        checked.push(remote.post(&format!("/v1/instances/{}/check", segment(id)), &json!({})).await?);
    }
    progress("checking", ids.len(), ids.len());
    let problems = |instance: &Value| instance["problems"].as_array().map_or(0, Vec::len);
    let is_sound = checked.iter().all(|instance| problems(instance) == 0);
    let mut text = String::new();
    for instance in &checked {
        let id = shown(&instance["instance_id"]);
        match problems(instance) {
            0 => text += &format!("{id}: sound, {} contacts\n", shown(&instance["contacts"])),
            _ => {
                for problem in instance["problems"].as_array().into_iter().flatten() {
                    text += &format!("{id}: {}\n", shown(problem));
                }
            }
        }
    }
    if checked.is_empty() {
        text += "There are no instances.";
    }
    Ok(Report { json: json!({"sound": is_sound, "instances": checked}), text, is_good: is_sound })
}

async fn back_up(remote: &Remote, folder: &Path) -> anyhow::Result<Report> {
    let folder = absolute(folder).context("the backup folder")?;
    let folder = folder.to_str().context("the backup folder's name is not UTF-8")?;
    let mut done = remote.post("/v1/backup", &json!({"folder": folder})).await?;
    let failed = done["failed"].as_u64().unwrap_or(0);
    let mut text = format!(
        "{} address books, {} bytes, are in {folder}. Use it with --sessions, or copy a folder back.",
        shown(&done["instances"]),
        shown(&done["bytes"])
    );
    if failed > 0 {
        text += &format!("\n{failed} damaged or missing address books could not be copied: see wabook check.");
    }
    done["folder"] = folder.into();
    Ok(Report { json: done, text, is_good: failed == 0 })
}

async fn all_instances(remote: &Remote) -> anyhow::Result<Vec<Value>> {
    let (mut instances, mut after) = (Vec::new(), String::new());
    loop {
        let mut page = remote.get(&format!("/v1/instances?limit=1000&after={after}")).await?;
        if let Value::Array(listed) = page["instances"].take() {
            instances.extend(listed);
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return Ok(instances),
        }
    }
}

pub(super) fn good(json: Value, text: String) -> Report {
    Report { json, text, is_good: true }
}

/// A value for people: text without quotes, nothing for null.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn lines(value: &Value, keys: &[&str]) -> String {
    keys.iter().map(|key| format!("{key:<12} {}\n", shown(&value[*key]))).collect()
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect();
    let widths: Vec<_> =
        (0..N).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.into_iter().map(line).collect()
}

/// Whatever was typed stays one segment of the path.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn progress(what: &str, done: usize, all: usize) {
    if all > 1 && stderr().is_terminal() {
        let end = if done == all { "\r\x1b[K" } else { "" };
        eprint!("\r{what} {done} of {all}{end}");
    }
}

//! A webhook as its owner sees it: its settings, once its secret, and how its deliveries go.

use serde::Serialize;
use utoipa::ToSchema;

use super::wire::EventTypeText;
use crate::{
    book::{DeadLetter, Head, Progress},
    domain::Revision,
    gateway::{Webhook, WebhookState},
    http::time::{now, rfc3339},
    sync::Secret,
};

#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    pub webhooks: Vec<ShownWebhook>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct ShownWebhook {
    webhook_id: String,
    instance_id: String,
    url: String,
    #[schema(value_type = Vec<EventTypeText>)]
    types: Vec<&'static str>,
    /// `active`, `paused`, or `disabled` when the receiver wants no more.
    state: &'static str,
    disabled_reason: Option<String>,
    description: Option<String>,
    /// Where the book stood when the webhook began.
    since: u64,
    /// Until when the secret before this one signs too.
    #[schema(format = DateTime)]
    previous_secret_until: Option<String>,
    /// When something cannot be told any more; shown with the webhook alone, not in the list.
    warning: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<&Webhook> for ShownWebhook {
    fn from(webhook: &Webhook) -> Self {
        let reason = if let WebhookState::Disabled(reason) = &webhook.state { Some(reason.clone()) } else { None };
        Self {
            webhook_id: webhook.id.clone(),
            instance_id: webhook.instance.to_string(),
            url: webhook.url.clone(),
            types: webhook.types.words(),
            state: webhook.state.word(),
            disabled_reason: reason,
            description: webhook.description.clone(),
            since: webhook.began.number(),
            previous_secret_until: webhook.previous_until(now()).map(rfc3339),
            warning: None,
            created_at: rfc3339(webhook.created_at),
            updated_at: rfc3339(webhook.updated_at),
        }
    }
}

impl ShownWebhook {
    #[must_use]
    pub fn with_progress(mut self, progress: Option<&Progress>) -> Self {
        self.warning = progress.and_then(|progress| progress.missed).map(|missed| {
            format!(
                "Deletions up to revision {missed} were forgotten before they could be told: compare with a full list."
            )
        });
        self
    }
}

#[derive(Serialize, ToSchema)]
pub struct CreatedWebhook {
    #[serde(flatten)]
    webhook: ShownWebhook,
    /// For verifying signatures (Standard Webhooks); shown this once.
    secret: String,
}

impl CreatedWebhook {
    pub fn new(webhook: &Webhook, secret: &Secret) -> Self {
        Self { webhook: webhook.into(), secret: secret.reveal() }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    webhook_id: String,
    state: &'static str,
    /// Everything up to this revision was told, or given up.
    cursor: u64,
    /// Where the book stands.
    revision: u64,
    /// Deletions up to this revision were forgotten before they could be told.
    missed_deletions_until: Option<u64>,
    /// The event that has failed and is tried again.
    pending: Option<Pending>,
    last: Option<Last>,
    /// The oldest first; the newest 1000 are kept.
    dead_letters: Vec<ShownLetter>,
}

#[derive(Serialize, ToSchema)]
pub struct Pending {
    revision: u64,
    attempts: u32,
    #[schema(format = DateTime)]
    next_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Last {
    #[schema(format = DateTime)]
    at: String,
    /// What the receiver answered, if it did.
    status: Option<u16>,
    /// One word; null when it went well.
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct ShownLetter {
    event_id: String,
    revision: u64,
    #[schema(value_type = EventTypeText)]
    r#type: String,
    contact_id: i64,
    attempts: u32,
    error: String,
    #[schema(format = DateTime)]
    at: String,
    /// It is being tried again.
    is_revived: bool,
}

impl From<&DeadLetter> for ShownLetter {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            event_id: letter.event_id.clone(),
            revision: letter.revision.number(),
            r#type: letter.kind.clone(),
            contact_id: letter.contact.0,
            attempts: letter.tries,
            error: letter.error.clone(),
            at: rfc3339(letter.at),
            is_revived: letter.again,
        }
    }
}

impl Deliveries {
    pub fn new(webhook: &Webhook, head: Head, progress: Option<&Progress>, letters: &[DeadLetter]) -> Self {
        let last = progress.and_then(|progress| progress.last.as_ref());
        Self {
            webhook_id: webhook.id.clone(),
            state: webhook.state.word(),
            cursor: progress.map_or(webhook.began, |progress| progress.cursor).number(),
            revision: head.revision.number(),
            missed_deletions_until: progress.and_then(|progress| progress.missed).map(Revision::number),
            pending: progress.and_then(|progress| {
                let revision = progress.head?.number();
                Some(Pending { revision, attempts: progress.tries, next_at: progress.next_at.map(rfc3339) })
            }),
            last: last.map(|last| Last { at: rfc3339(last.at), status: last.status, error: last.error.clone() }),
            dead_letters: letters.iter().map(ShownLetter::from).collect(),
        }
    }
}

//! The webhooks of one instance: what each is set to, and its secrets, sealed. Who holds a `Webhooks` has shown that they
//! may administer the instance. Leaves out what is sent, and how far that has come (sync, book).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::Notify;

use super::{EventTypes, Gateway, Office, held, now};
use crate::{
    domain::{Epoch, Error, InstanceId, Moment, Result, Revision},
    session::Session,
};

/// How long a secret that was replaced goes on signing beside its successor.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// Has no `Debug`: its URL may hold what only its owner should know.
#[derive(Clone)]
pub struct Webhook {
    pub id: String,
    pub instance: InstanceId,
    pub url: String,
    pub types: EventTypes,
    pub state: WebhookState,
    pub description: Option<String>,
    /// Where its book stood when it began.
    pub epoch: Epoch,
    pub began: Revision,
    /// Moves with every change of these settings.
    pub version: i64,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub(super) secret: Vec<u8>,
    pub(super) previous: Option<(Vec<u8>, Moment)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookState {
    Active,
    Paused,
    /// By us, and why; its owner can make it active again.
    Disabled(String),
}

impl WebhookState {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled(_) => "disabled",
        }
    }
}

impl Webhook {
    /// Until when the secret before this one signs too.
    pub fn previous_until(&self, now: Moment) -> Option<Moment> {
        self.previous.as_ref().map(|(_, until)| *until).filter(|until| *until > now)
    }

    /// What its secrets are sealed for.
    fn place(&self) -> String {
        format!("webhook:{}/{}", self.instance, self.id)
    }
}

pub struct NewWebhook {
    pub url: String,
    pub types: EventTypes,
    pub description: Option<String>,
    pub secret: Vec<u8>,
}

/// What is not mentioned stays.
#[derive(Default)]
pub struct WebhookPatch {
    pub url: Option<String>,
    pub types: Option<EventTypes>,
    pub description: Option<Option<String>>,
    pub state: Option<WebhookState>,
}

#[derive(Clone)]
pub struct Webhooks {
    gateway: Arc<Gateway>,
    session: Session,
}

/// Instances whose webhooks have changed, for whoever sends them.
#[derive(Default)]
pub(super) struct Stirred {
    instances: Mutex<HashSet<InstanceId>>,
    bell: Notify,
}

impl Stirred {
    pub(super) fn tell(&self, instance: &InstanceId) {
        held(&self.instances).insert(instance.clone());
        self.bell.notify_one();
    }
}

impl Office {
    pub fn webhooks(&self, instance: &InstanceId) -> Result<Webhooks> {
        let session = self.gateway().registry.get(instance).ok_or(Error::NoInstance)?;
        Ok(Webhooks::new(Arc::clone(self.gateway()), session))
    }

    pub async fn instances_with_webhooks(&self) -> Result<Vec<InstanceId>> {
        self.gateway().with_store(|store| store.instances_with_webhooks()).await
    }

    /// Waits until webhooks have changed, of these instances; also when an instance is gone. For one who listens.
    pub async fn webhooks_changed(&self) -> HashSet<InstanceId> {
        loop {
            self.gateway().stirred.bell.notified().await;
            let instances = std::mem::take(&mut *held(&self.gateway().stirred.instances));
            if !instances.is_empty() {
                return instances;
            }
        }
    }
}

impl Webhooks {
    pub(super) fn new(gateway: Arc<Gateway>, session: Session) -> Self {
        Self { gateway, session }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub async fn list(&self) -> Result<Vec<Webhook>> {
        let instance = self.session.id().clone();
        self.gateway.with_store(move |store| store.webhooks(&instance)).await
    }

    pub async fn find(&self, id: &str) -> Result<Webhook> {
        self.list().await?.into_iter().find(|webhook| webhook.id == id).ok_or(Error::NoWebhook)
    }

    /// A new one, which is told of everything that changes from now on. Beyond `most` there are enough.
    pub async fn add(&self, wish: NewWebhook, most: usize) -> Result<Webhook> {
        let (head, at) = (self.session.head().await?, now());
        let mut webhook = Webhook {
            id: random_id(),
            instance: self.session.id().clone(),
            url: wish.url,
            types: wish.types,
            state: WebhookState::Active,
            description: wish.description,
            epoch: head.epoch,
            began: head.revision,
            version: 1,
            created_at: at,
            updated_at: at,
            secret: Vec::new(),
            previous: None,
        };
        webhook.secret = self.gateway.vault.seal(&webhook.place(), &wish.secret);
        let stored = webhook.clone();
        self.gateway
            .with_store(move |store| {
                if store.webhooks(&stored.instance)?.len() >= most {
                    return Err(Error::Enough { most });
                }
                store.add_webhook(&stored)
            })
            .await?;
        self.stir();
        tracing::info!(instance = %webhook.instance, webhook = webhook.id, "webhook registered");
        Ok(webhook)
    }

    pub async fn change(&self, id: &str, patch: WebhookPatch) -> Result<Webhook> {
        self.revise(id, move |webhook| {
            let WebhookPatch { url, types, description, state } = patch;
            webhook.url = url.unwrap_or_else(|| std::mem::take(&mut webhook.url));
            webhook.types = types.unwrap_or(webhook.types);
            webhook.description = description.unwrap_or_else(|| webhook.description.take());
            webhook.state = state.unwrap_or_else(|| webhook.state.clone());
        })
        .await
    }

    /// Another secret in place of this one, which goes on signing for a while.
    pub async fn replace_secret(&self, id: &str, secret: Vec<u8>) -> Result<Webhook> {
        let gateway = Arc::clone(&self.gateway);
        self.revise(id, move |webhook| {
            let sealed = gateway.vault.seal(&webhook.place(), &secret);
            let previous = std::mem::replace(&mut webhook.secret, sealed);
            webhook.previous = Some((previous, now().plus(OVERLAP)));
        })
        .await
    }

    /// Not by its owner's wish; `of` is the version that was found wanting, so that a newer one is not touched.
    pub async fn disable(&self, id: &str, of: i64, reason: &'static str) -> Result<()> {
        let webhook = self
            .revise(id, move |webhook| {
                if webhook.version == of {
                    webhook.state = WebhookState::Disabled(reason.into());
                }
            })
            .await?;
        tracing::warn!(instance = %webhook.instance, webhook = webhook.id, reason, "webhook disabled");
        Ok(())
    }

    /// Whoever sends it begins anew with what the book says of it.
    pub async fn touch(&self, id: &str) -> Result<Webhook> {
        self.revise(id, |_| {}).await
    }

    pub async fn remove(&self, id: &str) -> Result<()> {
        let (instance, own) = (self.session.id().clone(), id.to_owned());
        if !self.gateway.with_store(move |store| store.remove_webhook(&instance, &own)).await? {
            return Err(Error::NoWebhook);
        }
        self.stir();
        tracing::info!(instance = %self.session.id(), webhook = id, "webhook removed");
        Ok(())
    }

    /// The secrets that sign now, the newest first, each with the end of its time.
    pub fn secrets(&self, webhook: &Webhook) -> Result<Vec<(Vec<u8>, Option<Moment>)>> {
        let place = webhook.place();
        let mut secrets = vec![(self.gateway.vault.open(&place, &webhook.secret)?, None)];
        if let Some((previous, until)) = &webhook.previous {
            secrets.push((self.gateway.vault.open(&place, previous)?, Some(*until)));
        }
        Ok(secrets)
    }

    /// Read, changed and written under the store's lock.
    async fn revise(&self, id: &str, change: impl FnOnce(&mut Webhook) + Send + 'static) -> Result<Webhook> {
        let (instance, id) = (self.session.id().clone(), id.to_owned());
        let revised = self.gateway.with_store(move |store| {
            let found = store.webhooks(&instance)?.into_iter().find(|webhook| webhook.id == id);
            let mut webhook = found.ok_or(Error::NoWebhook)?;
            change(&mut webhook);
            webhook.version += 1;
            webhook.updated_at = now();
            store.change_webhook(&webhook)?;
            Ok(webhook)
        });
        let revised = revised.await?;
        self.stir();
        Ok(revised)
    }

    fn stir(&self) {
        self.gateway.stirred.tell(self.session.id());
    }
}

fn random_id() -> String {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    format!("wh_{:016x}", u64::from_be_bytes(bytes))
}

//! Which companion an instance has: its settings, for whoever has shown the authority over the instance. Leaves out what
//! is said to the companion (sync).

use std::{fmt, sync::Arc, time::Duration};

use super::{Credentials, Gateway, Office, Scope, store::CompanionRow};
use crate::{
    domain::{Error, InstanceId, Print, Result},
    session::Session,
};

/// A gateway that speaks WAHA, and the session there that stands for the instance here.
#[derive(Clone, PartialEq, Eq)]
pub struct CompanionSettings {
    pub url: String,
    pub session: String,
    pub api_key: Option<String>,
    /// Names that may be sent in a minute.
    pub pace: u32,
    /// How often its contacts are looked through.
    pub pull_every: Duration,
}

impl CompanionSettings {
    /// Which companion it is. What is known of it holds as long as this stays.
    pub fn target(&self) -> Print {
        Print::of(&format!("waha\n{}\n{}", self.url, self.session))
    }
}

/// Where it is and its key are nobody's business in a log.
impl fmt::Debug for CompanionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompanionSettings").field("pace", &self.pace).field("pull_every", &self.pull_every).finish()
    }
}

/// The companion of one instance.
pub struct Linkage {
    gateway: Arc<Gateway>,
    session: Session,
}

impl Linkage {
    pub fn session(&self) -> &Session {
        &self.session
    }

    pub async fn settings(&self) -> Result<Option<CompanionSettings>> {
        let instance = self.session.id().clone();
        let row = self.gateway.with_store(move |store| store.companion(&instance)).await?;
        row.map(|row| self.gateway.opened(row)).transpose()
    }

    pub async fn set(&self, settings: &CompanionSettings) -> Result<()> {
        let CompanionSettings { url, session, api_key, pace, pull_every } = settings.clone();
        let instance = self.session.id().to_string();
        let seal = |key: String| self.gateway.vault.seal(&place(&instance), key.as_bytes());
        let api_key = api_key.map(seal);
        let pull_every = u64::try_from(pull_every.as_millis()).unwrap_or(u64::MAX);
        let row = CompanionRow { instance, url, session, api_key, pace, pull_every };
        self.gateway.with_store(move |store| store.set_companion(&row)).await
    }

    pub async fn remove(&self) -> Result<()> {
        let instance = self.session.id().clone();
        self.gateway.with_store(move |store| store.remove_companion(&instance)).await
    }
}

impl Gateway {
    /// For a token of the instance with `instance:admin`.
    pub fn linkage(self: &Arc<Self>, credentials: Credentials<'_>) -> Result<Linkage> {
        let session = self.enter(credentials, Scope::InstanceAdmin)?;
        Ok(Linkage { gateway: Arc::clone(self), session })
    }

    /// All companions that are set. One whose key does not open is told of and left out.
    pub async fn companions(self: &Arc<Self>) -> Result<Vec<(Session, CompanionSettings)>> {
        let rows = self.with_store(|store| store.companions()).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let id: InstanceId = row.instance.parse()?;
            let Some(session) = self.registry.get(&id) else { continue };
            match self.opened(row) {
                Ok(settings) => all.push((session, settings)),
                Err(error) => tracing::error!(instance = %id, cause = %error.chain(), "a companion's key is lost"),
            }
        }
        Ok(all)
    }

    fn opened(&self, row: CompanionRow) -> Result<CompanionSettings> {
        let CompanionRow { instance, url, session, api_key, pace, pull_every } = row;
        let open = |sealed: Vec<u8>| self.vault.open(&place(&instance), &sealed);
        let api_key = api_key.map(open).transpose()?;
        let api_key = api_key.map(String::from_utf8).transpose().map_err(Error::internal)?;
        Ok(CompanionSettings { url, session, api_key, pace, pull_every: Duration::from_millis(pull_every) })
    }
}

impl Office {
    pub fn linkage(&self, instance: &InstanceId) -> Result<Linkage> {
        let session = self.gateway.registry.get(instance).ok_or(Error::NoInstance)?;
        Ok(Linkage { gateway: Arc::clone(&self.gateway), session })
    }
}

/// For what a key is sealed.
fn place(instance: &str) -> String {
    format!("companion:{instance}")
}

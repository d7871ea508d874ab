//! What the admin can do: make, list and remove instances, hand out and revoke tokens, check and back up. Who holds an
//! `Office` or a `Keyring` has shown the authority for it.

use std::{fs, os::unix::fs::DirBuilderExt as _, path::Path, path::PathBuf, sync::Arc};

use super::{AccessToken, Gateway, Instance, Scopes, Token, now, secrets, tokens::Grant};
use crate::{
    book::{Book, connection::sync_folder},
    domain::{Error, InstanceId, Invalid, Moment, Result},
    session::Session,
};

/// All instances.
pub struct Office {
    pub(super) gateway: Arc<Gateway>,
    is_local: bool,
}

/// The tokens of one instance, and the key under which others sign what they send to it.
pub struct Keyring {
    pub(super) gateway: Arc<Gateway>,
    pub(super) instance: InstanceId,
}

/// What the holder of a new token shall be able to do, and until when.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub label: Option<String>,
    pub scopes: Scopes,
    pub expires_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
pub struct Backup {
    pub instances: u64,
    pub bytes: u64,
    /// Instances whose book is damaged or missing and could not be copied.
    pub failed: u64,
}

impl Office {
    pub(super) fn new(gateway: Arc<Gateway>, is_local: bool) -> Self {
        Self { gateway, is_local }
    }

    pub(super) fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Makes an instance with an empty book. A book that lies in its folder already is taken over, never overwritten.
    pub async fn create(&self, id: InstanceId) -> Result<Instance> {
        let gateway = Arc::clone(&self.gateway);
        let instance = Instance { id, created_at: now() };
        let made = instance.clone();
        self.gateway
            .with_store(move |store| {
                if gateway.registry.get(&made.id).is_some() {
                    return Err(Error::Duplicate { field: "instance_id" });
                }
                let folder = gateway.folder.of(&made.id);
                fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(Error::internal)?;
                match Book::create(&folder) {
                    Ok(book) => book.close()?,
                    Err(Error::Duplicate { .. }) => Book::open(&folder)?.close()?,
                    Err(error) => return Err(error),
                }
                // Listed only when its folder outlives a power cut.
                sync_folder(gateway.folder.path()).map_err(Error::internal)?;
                store.add_instance(&made)?;
                gateway.registry.add(gateway.session(made.id));
                Ok(())
            })
            .await?;
        tracing::info!(instance = %instance.id, "instance created");
        Ok(instance)
    }

    pub async fn instances(&self) -> Result<Vec<Instance>> {
        self.gateway.with_store(|store| store.instances()).await
    }

    pub async fn instance(&self, id: &InstanceId) -> Result<(Instance, Session)> {
        let instance = self.instances().await?.into_iter().find(|instance| instance.id == *id);
        instance.zip(self.gateway.registry.get(id)).ok_or(Error::NoInstance)
    }

    /// Removes an instance with its book and its tokens, for good.
    pub async fn remove(&self, id: &InstanceId) -> Result<()> {
        let session = self.gateway.registry.remove(id).ok_or(Error::NoInstance)?;
        self.gateway.grants.remove_instance(id);
        self.gateway.intakes.remove(id);
        session.finish().await;
        let (gateway, id) = (Arc::clone(&self.gateway), id.clone());
        self.gateway
            .with_store(move |store| {
                // Renamed first: if we are killed now, the rest is swept at the next start and never taken over.
                let doomed = gateway.folder.path().join(format!("{id}.removed-{}", now().millis()));
                let folder = gateway.folder.of(&id);
                if folder.exists() {
                    fs::rename(&folder, &doomed).map_err(Error::internal)?;
                    sync_folder(gateway.folder.path()).map_err(Error::internal)?;
                }
                store.remove_instance(&id)?;
                // Again: a key may have been set meanwhile, and from here on none can be.
                gateway.intakes.remove(&id);
                let _ = fs::remove_dir_all(&doomed);
                gateway.stirred.tell(&id);
                tracing::info!(instance = %id, "instance removed");
                Ok(())
            })
            .await
    }

    pub fn keyring(&self, instance: &InstanceId) -> Result<Keyring> {
        self.gateway.registry.get(instance).ok_or(Error::NoInstance)?;
        Ok(Keyring::new(Arc::clone(&self.gateway), instance.clone()))
    }

    /// A consistent copy of every book and of the gateway's own store into a new folder, while all goes on. The copy is
    /// itself a sessions folder. Only for commands on this machine: it writes where it is told.
    pub async fn back_up(&self, folder: &Path) -> Result<Backup> {
        if !self.is_local {
            return Err(Error::Forbidden { scope: "the command line on the server's own machine" });
        }
        let refuse = |why: String| Error::from(Invalid::new("folder", why));
        if !folder.is_absolute() {
            return Err(refuse("must be an absolute path".into()));
        }
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(refuse("exists already and is not empty: name a new one".into()));
        }
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = folder.with_file_name(name);
        let make = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        if partial.exists() {
            return Err(refuse(
                "has a .partial beside it, left by a backup that was cut short: remove that first".into(),
            ));
        }
        make(&partial).map_err(|error| refuse(format!("cannot be made: {error}")))?;

        let mut backup = Backup { instances: 0, bytes: 0, failed: 0 };
        for session in self.gateway.registry.all() {
            let target = partial.join(session.id().as_str());
            make(&target).map_err(Error::internal)?;
            match session.copy_to(target.clone()).await {
                Ok(()) => {
                    backup.instances += 1;
                    backup.bytes += fs::metadata(target.join(crate::book::FILE)).map_or(0, |file| file.len());
                }
                Err(Error::Quarantined) => {
                    backup.failed += 1;
                    let _ = fs::remove_dir_all(&target);
                }
                Err(error) => return Err(error),
            }
        }
        self.copy_own_files(partial.clone()).await?;
        sync_folder(&partial).map_err(Error::internal)?;
        let _ = fs::remove_dir(folder);
        fs::rename(&partial, folder).map_err(Error::internal)?;
        folder.parent().map_or(Ok(()), sync_folder).map_err(Error::internal)?;
        tracing::info!(instances = backup.instances, failed = backup.failed, "backup written");
        Ok(backup)
    }

    /// The admin token stays here: a restored gateway makes its own.
    async fn copy_own_files(&self, folder: PathBuf) -> Result<()> {
        let gateway = Arc::clone(&self.gateway);
        self.gateway
            .with_store(move |store| {
                store.copy_to(&folder.join("gateway.db"))?;
                let key = fs::read_to_string(gateway.folder.key()).map_err(Error::internal)?;
                secrets::write(&folder.join("gateway.key"), key.trim()).map_err(Error::internal)
            })
            .await
    }
}

impl Keyring {
    pub(super) fn new(gateway: Arc<Gateway>, instance: InstanceId) -> Self {
        Self { gateway, instance }
    }

    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// A new token: the only time that its text exists outside its holder's hands.
    pub async fn create(&self, wish: NewToken) -> Result<(Token, AccessToken)> {
        let secret = AccessToken::random();
        let hash = self.gateway.hasher.hash(secret.reveal());
        let token = Token {
            id: Token::random_id(),
            instance: self.instance.clone(),
            label: wish.label,
            scopes: wish.scopes,
            created_at: now(),
            expires_at: wish.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let session = self.gateway.registry.get(&self.instance).ok_or(Error::NoInstance)?;
        let stored = token.clone();
        self.gateway.with_store(move |store| store.add_token(&stored, &hash)).await?;
        self.gateway.grants.add(hash, Grant::new(&token, session, self.gateway.requests_per_minute));
        Ok((token, secret))
    }

    pub async fn list(&self) -> Result<Vec<Token>> {
        let instance = self.instance.clone();
        let all = self.gateway.with_store(|store| store.tokens()).await?;
        let mut own: Vec<_> =
            all.into_iter().map(|(token, _)| token).filter(|token| token.instance == instance).collect();
        let uses = self.gateway.grants.peek_uses();
        for token in &mut own {
            token.last_used_at = token.last_used_at.max(uses.get(&token.id).copied());
        }
        Ok(own)
    }

    /// From the next request on it opens nothing. Revoking twice is revoking once.
    pub async fn revoke(&self, token_id: &str) -> Result<Token> {
        let mut token = self.find(token_id).await?;
        let (id, at) = (token.id.clone(), now());
        self.gateway.grants.remove(&id);
        self.gateway.with_store(move |store| store.revoke_token(&id, at)).await?;
        token.revoked_at.get_or_insert(at);
        Ok(token)
    }

    /// A new token with the same scopes, label and expiry in place of this one, which is revoked.
    pub async fn rotate(&self, token_id: &str) -> Result<(Token, AccessToken)> {
        let old = self.find(token_id).await?;
        if old.revoked_at.is_some() {
            return Err(Error::NoToken);
        }
        let wish = NewToken { label: old.label.clone(), scopes: old.scopes, expires_at: old.expires_at };
        let fresh = self.create(wish).await?;
        self.revoke(&old.id).await?;
        Ok(fresh)
    }

    pub async fn find(&self, token_id: &str) -> Result<Token> {
        self.list().await?.into_iter().find(|token| token.id == token_id).ok_or(Error::NoToken)
    }
}

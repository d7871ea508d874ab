//! Access tokens: what is known of each, and the table in which a presented one is looked up. A token opens one
//! instance; what is stored is a keyed hash.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use dashmap::DashMap;

use crate::{
    domain::{InstanceId, Moment},
    gateway::{
        limits::{Limit, Rate},
        scope::{Scope, Scopes},
        secrets::TokenHash,
    },
    session::Session,
};

/// All that may be shown of a token.
#[derive(Debug, Clone)]
pub struct Token {
    pub id: String,
    pub instance: InstanceId,
    pub label: Option<String>,
    pub scopes: Scopes,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
}

impl Token {
    pub fn random_id() -> String {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        format!("tok_{:016x}", u64::from_be_bytes(bytes))
    }
}

/// A token that opens something now.
pub(super) struct Grant {
    pub(super) token_id: String,
    pub(super) session: Session,
    pub(super) scopes: Scopes,
    expires_at: Option<Moment>,
    limit: Option<Limit>,
    /// Milliseconds; 0 = not since the last note in the store.
    used: AtomicI64,
}

impl Grant {
    pub(super) fn new(token: &Token, session: Session, requests_per_minute: u32) -> Self {
        let Token { id, scopes, expires_at, .. } = token;
        Self {
            token_id: id.clone(),
            session,
            scopes: *scopes,
            expires_at: *expires_at,
            limit: Limit::per_minute(requests_per_minute),
            used: AtomicI64::new(0),
        }
    }

    /// For who signs what it sends: no token, no end, and only what a report of contacts needs.
    pub(super) fn signed(session: Session, requests_per_minute: u32) -> Self {
        Self {
            token_id: String::new(),
            session,
            scopes: Scopes::only(Scope::ContactsWrite),
            expires_at: None,
            limit: Limit::per_minute(requests_per_minute),
            used: AtomicI64::new(0),
        }
    }

    /// Counts one request.
    pub(super) fn pace(&self) -> Option<Rate> {
        self.limit.as_ref().map(Limit::count)
    }
}

/// The tokens that open something, by hash.
#[derive(Default)]
pub(super) struct Grants {
    by_hash: DashMap<TokenHash, Arc<Grant>>,
}

impl Grants {
    pub(super) fn add(&self, hash: TokenHash, grant: Grant) {
        self.by_hash.insert(hash, Arc::new(grant));
    }

    pub(super) fn find(&self, hash: &TokenHash, now: Moment) -> Option<Arc<Grant>> {
        let grant = Arc::clone(&*self.by_hash.get(hash)?);
        if grant.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        grant.used.store(now.millis(), Ordering::Relaxed);
        Some(grant)
    }

    pub(super) fn remove(&self, token_id: &str) {
        self.by_hash.retain(|_, grant| grant.token_id != token_id);
    }

    pub(super) fn remove_instance(&self, id: &InstanceId) {
        self.by_hash.retain(|_, grant| grant.session.id() != id);
    }

    /// Last uses that have not been taken yet.
    pub(super) fn peek_uses(&self) -> HashMap<String, Moment> {
        let uses = self.by_hash.iter().map(|grant| (grant.token_id.clone(), grant.used.load(Ordering::Relaxed)));
        uses.filter(|(_, at)| *at != 0).map(|(id, at)| (id, Moment::from_millis(at))).collect()
    }

    /// When each was last used, since this was last asked.
    pub(super) fn take_uses(&self) -> Vec<(String, Moment)> {
        let used = |grant: &Grant| Some(grant.used.swap(0, Ordering::Relaxed)).filter(|at| *at != 0);
        let uses = self.by_hash.iter();
        uses.filter_map(|grant| Some((grant.token_id.clone(), Moment::from_millis(used(&grant)?)))).collect()
    }
}

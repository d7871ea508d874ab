//! The way in for a sender who holds no token but signs what it sends: a key for each instance, under which the body's
//! HMAC must be right. It opens the session for writing contacts and for nothing else, at the pace of a token. Which
//! headers carry the signature is the room's business.

use std::sync::Arc;

use dashmap::DashMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;

use super::{Credentials, Gateway, Keyring, Pass, now, store::SealedKey, tokens::Grant};
use crate::{
    domain::{Error, InstanceId, Moment, Result},
    session::Session,
};

/// What somebody sent, and the HMAC-SHA512 of it that came along, in hexadecimal digits.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    pub hex: &'a str,
    pub body: &'a [u8],
}

/// The keys, opened, by instance.
#[derive(Default)]
pub(super) struct Intakes(DashMap<String, Arc<Intake>>);

struct Intake {
    mac: Hmac<Sha512>,
    grant: Arc<Grant>,
    set_at: Moment,
}

impl Intakes {
    fn find(&self, instance: &str) -> Option<Arc<Intake>> {
        self.0.get(instance).map(|intake| Arc::clone(&intake))
    }

    pub(super) fn remove(&self, instance: &InstanceId) {
        self.0.remove(instance.as_str());
    }
}

impl Signature<'_> {
    fn is_by(&self, mut mac: Hmac<Sha512>) -> bool {
        mac.update(self.body);
        let right = mac.finalize().into_bytes();
        let mut told = [0u8; 64];
        let is_hex = self.hex.len() == 128 && self.hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        for (byte, digits) in told.iter_mut().zip(self.hex.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        is_hex & bool::from(told.ct_eq(right.as_slice()))
    }
}

fn mac(key: &[u8]) -> Hmac<Sha512> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn place(instance: &InstanceId) -> String {
    format!("intake:{instance}")
}

impl Gateway {
    /// Lets somebody in by token, by signature or by both. A signature that is there must be right, whatever the token;
    /// without a token it is enough. A missing instance, one without a key and a wrong signature are one refusal and take
    /// the same time.
    pub fn admit_signed(&self, credentials: Credentials<'_>, signature: Option<Signature<'_>>) -> Result<Pass> {
        let Some(signature) = signature else { return self.admit(credentials) };
        let known = credentials.instance.and_then(|instance| self.intakes.find(instance));
        let key = known.as_ref().map_or_else(|| mac(b"nobody's"), |intake| intake.mac.clone());
        let is_right = signature.is_by(key);
        let intake = known.filter(|_| is_right).ok_or(Error::Refused)?;
        if credentials.token.is_some() {
            return self.admit(credentials);
        }
        Ok(Pass { rate: intake.grant.pace(), grant: Arc::clone(&intake.grant) })
    }

    /// A key that does not open (the gateway's own was replaced) is as good as none: it has to be set again.
    pub(super) fn load_intakes(&self, keys: Vec<SealedKey>) {
        for SealedKey { instance, sealed, set_at } in keys {
            let Some(session) = self.registry.get(&instance) else { continue };
            match self.vault.open(&place(&instance), &sealed) {
                Ok(key) => self.take_in(session, &key, set_at),
                Err(error) => {
                    tracing::warn!(instance = %instance, outcome = error.word(), "a webhook key has to be set again");
                }
            }
        }
    }

    fn take_in(&self, session: Session, key: &[u8], set_at: Moment) {
        let instance = session.id().to_string();
        let grant = Arc::new(Grant::signed(session, self.requests_per_minute));
        self.intakes.0.insert(instance, Arc::new(Intake { mac: mac(key), grant, set_at }));
    }
}

impl Keyring {
    /// From the next request on, what is signed with it comes in; the key before it counts no more.
    pub async fn set_intake_key(&self, key: &str) -> Result<Moment> {
        let gateway = Arc::clone(&self.gateway);
        let (instance, key, set_at) = (self.instance.clone(), key.as_bytes().to_vec(), now());
        self.gateway
            .with_store(move |store| {
                let session = gateway.registry.get(&instance).ok_or(Error::NoInstance)?;
                let sealed = gateway.vault.seal(&place(&instance), &key);
                store.set_intake_key(&SealedKey { instance, sealed, set_at })?;
                gateway.take_in(session, &key, set_at);
                Ok(set_at)
            })
            .await
    }

    /// Removing it twice is removing it once.
    pub async fn remove_intake_key(&self) -> Result<()> {
        let (gateway, instance) = (Arc::clone(&self.gateway), self.instance.clone());
        self.gateway
            .with_store(move |store| {
                store.remove_intake_key(&instance)?;
                gateway.intakes.remove(&instance);
                Ok(())
            })
            .await
    }

    /// When the key was set; nothing, if there is none.
    pub fn intake_key_set_at(&self) -> Option<Moment> {
        self.gateway.intakes.find(self.instance.as_str()).map(|intake| intake.set_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_own_example_is_right_and_nothing_else() {
        // https://waha.devlike.pro/docs/how-to/events/#hmac-authentication: its body, key and result.
        let body = br#"{"event":"message","session":"default","engine":"WEBJS"}"#;
        let hex = "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e7\
                   8a33a63f6752c2c1631777076153fa89";
        let is_by = |hex: &str, body: &[u8], key: &[u8]| Signature { hex, body }.is_by(mac(key));
        assert!(is_by(hex, body, b"my-secret-key"));
        assert!(is_by(&hex.to_uppercase(), body, b"my-secret-key"));
        assert!(!is_by(hex, body, b"my-secret-kez"));
        assert!(!is_by(hex, &body[1..], b"my-secret-key"));
        for wrong in ["", "0", &hex[1..], &hex[..126], &format!("{hex}00"), &"+f".repeat(64), &"é".repeat(64)] {
            assert!(!is_by(wrong, body, b"my-secret-key"), "{wrong}");
        }
    }
}

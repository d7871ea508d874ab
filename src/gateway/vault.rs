//! Secrets that have to be read again (those of webhooks and companions), encrypted at rest: XChaCha20-Poly1305 under a key
//! from the environment or the gateway's own 0600 file, bound to the place for which they were sealed.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::domain::{Error, Result};

const NONCE: usize = 24;

pub struct Vault(XChaCha20Poly1305);

impl Vault {
    /// From key material of any length; what else is made of the same material tells nothing of this key.
    pub(super) fn new(material: &[u8]) -> Self {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(material).expect("HMAC takes keys of any length");
        mac.update(b"wabook vault 1");
        let key: [u8; 32] = mac.finalize().into_bytes().into();
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// `place` is what the secret belongs to, such as `webhook:wh_1`: sealed text that is moved elsewhere does not open.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0u8; NONCE];
        getrandom::fill(&mut nonce).expect("the system has randomness");
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).expect("a secret is short enough to encrypt");
        [nonce.as_slice(), &sealed].concat()
    }

    /// An error when the key is another than at the sealing, or the text was changed or moved.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let refused = || Error::internal("a sealed secret does not open: was the gateway's key replaced?");
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or_else(refused)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_with_its_key_at_its_place_and_untouched() {
        let vault = Vault::new(b"key");
        let sealed = vault.seal("webhook:1", b"hush");
        assert_eq!(vault.open("webhook:1", &sealed).unwrap(), b"hush");
        assert_ne!(vault.seal("webhook:1", b"hush"), sealed, "a fresh nonce each time");
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        let mut touched = sealed.clone();
        touched[30] ^= 1;
        assert!(vault.open("webhook:1", &touched).is_err());
        assert!(vault.open("webhook:2", &sealed).is_err());
        assert!(Vault::new(b"other").open("webhook:1", &sealed).is_err());
        assert!(vault.open("webhook:1", &sealed[..20]).is_err());
    }
}

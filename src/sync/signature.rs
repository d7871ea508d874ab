//! Standard Webhooks: the secrets of a hook, how they are written (`whsec_…`), and the signature of a message. Leaves out
//! where secrets are kept (gateway) and when one is replaced by another.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::Moment;

const PREFIX: &str = "whsec_";
const BYTES: usize = 32;

/// Has no `Debug`: it is shown once, to whom it belongs, and then only signs.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    pub fn random() -> Self {
        let mut bytes = vec![0u8; BYTES];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        Self(bytes)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// `None` for what is no secret of 24 to 64 bytes, as the specification has them.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// As the receiver's library takes it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What the headers of a message say of it.
pub struct Signed<'a> {
    pub id: &'a str,
    pub at: Moment,
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// Seconds since 1970.
    pub fn timestamp(&self) -> String {
        self.at.millis().div_euclid(1000).to_string()
    }

    /// One signature for each secret: while a secret is being replaced the receiver may have either.
    pub fn signature(&self, secrets: &[Secret]) -> String {
        let signatures = secrets.iter().map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes keys of any length");
            mac.update(format!("{}.{}.", self.id, self.timestamp()).as_bytes());
            mac.update(self.body);
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// The headers that carry all of this.
pub fn headers(message: &Signed<'_>, secrets: &[Secret]) -> [(&'static str, String); 3] {
    [
        ("webhook-id", message.id.to_owned()),
        ("webhook-timestamp", message.timestamp()),
        ("webhook-signature", message.signature(secrets)),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn verify(secret: &str, message: &Signed<'_>, secrets: &[Secret], body: &[u8]) -> bool {
        let mut map = reqwest::header::HeaderMap::new();
        for (name, value) in headers(message, secrets) {
            map.insert(name, value.parse().unwrap());
        }
        standardwebhooks::Webhook::new(secret).unwrap().verify(body, &map).is_ok()
    }

    #[test]
    fn others_verify_what_we_sign_with_either_secret_and_nothing_else() {
        let (fresh, old, foreign) = (Secret::random(), Secret::random(), Secret::random());
        let at = SystemTime::now().into();
        let message = Signed { id: "demo-e-1", at, body: br#"{"type":"contact.created"}"# };
        let both = [fresh.clone(), old.clone()];
        assert!(verify(&fresh.reveal(), &message, &both, message.body));
        assert!(verify(&old.reveal(), &message, &both, message.body));
        assert!(!verify(&foreign.reveal(), &message, &both, message.body));
        assert!(!verify(&old.reveal(), &message, &both[..1], message.body), "the old one has had its day");
        assert!(!verify(&fresh.reveal(), &message, &both, b"{}"));
        let late = Signed { at: Moment::from_millis(at.millis() - 600_000), ..message };
        assert!(!verify(&fresh.reveal(), &late, &both, late.body), "a message from long ago is not taken");
    }

    #[test]
    fn the_specifications_own_example() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Moment::from_millis(1_614_265_330_000);
        let message = Signed { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body: br#"{"test": 2432232314}"# };
        assert_eq!(message.signature(&[secret]), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_survives_its_own_text() {
        let secret = Secret::random();
        assert_eq!(Secret::parse(&secret.reveal()).unwrap().bytes(), secret.bytes());
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_ä"] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }
}

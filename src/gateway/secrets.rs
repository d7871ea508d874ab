//! Secrets of the gateway: how an access token looks, how it is hashed, and the files that hold the hashing key and the
//! admin token (mode 0600, made at first start, never a default). Tokens have no `Display`; who needs the text asks.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::book::connection::sync_folder;

const PREFIX: &str = "wab_";

/// `wab_` and 48 characters of base64url: 256 random bits and their CRC-32, so that a mistyped token is told from an
/// unknown one without a look-up, and secret scanners can find a leaked one.
#[derive(Clone)]
pub struct AccessToken(String);

impl AccessToken {
    pub fn random() -> Self {
        let mut bytes = [0u8; 36];
        getrandom::fill(&mut bytes[..32]).expect("the system has randomness");
        let checksum = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&checksum.to_be_bytes());
        Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// `None` for what cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 36];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(PREFIX)?, &mut bytes).ok()?;
        let checksum = crc32fast::hash(&bytes[..32]).to_be_bytes();
        (length == 36 && bytes[32..] == checksum).then(|| Self(text.to_owned()))
    }

    /// The token itself: for the one answer in which it is shown, and for files of mode 0600.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

pub type TokenHash = [u8; 32];

/// Hashes secrets under a key, so that a stolen database alone does not even confirm a guess.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl Hasher {
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    pub fn hash(&self, secret: &str) -> TokenHash {
        let mut mac = self.0.clone();
        mac.update(secret.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Compares two secrets in constant time.
    pub fn same(&self, one: &TokenHash, other: &TokenHash) -> bool {
        one.ct_eq(other).into()
    }
}

/// The content of a secret file, which is made with `make` if it is not there.
pub fn read_or_make(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    let describe = || format!("the secret file {}", path.display());
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => anyhow::bail!("{} is empty: put the secret back or remove the file", describe()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = make();
            write(path, &secret).with_context(describe)?;
            Ok(secret)
        }
        Err(error) => Err(error).with_context(describe),
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    // Without its name on disk the key would be made anew after a power cut, and every token be worth nothing.
    path.parent().map_or(Ok(()), sync_folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_own_text_and_no_typing_error() {
        let token = AccessToken::random();
        assert_eq!(token.reveal().len(), 52);
        assert_eq!(AccessToken::parse(token.reveal()).unwrap().reveal(), token.reveal());
        assert_eq!(format!("{token:?}"), "AccessToken(…)");
        let mut typo = token.reveal().to_owned();
        typo.replace_range(10..11, if &typo[10..11] == "A" { "B" } else { "A" });
        for text in ["", "wab_", &typo, &token.reveal()[..51], &format!("{}A", token.reveal()), "wab_ä"] {
            assert!(AccessToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_secret_file_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("admin.token");
        assert_eq!(read_or_make(&path, || "one".into()).unwrap(), "one");
        assert_eq!(read_or_make(&path, || "two".into()).unwrap(), "one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "").unwrap();
        assert!(read_or_make(&path, || "three".into()).is_err());
    }
}

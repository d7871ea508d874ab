//! How the key for signed webhooks is told to us, and that there is one is told back. The key itself never leaves again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{Invalid, Moment},
    http::{given::Given, time::rfc3339},
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = WebhookKey)]
pub struct KeyWish<'a> {
    /// 8 to 1024 characters, taken as they are.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 8, max_length = 1024, example = "a long random text")]
    hmac_key: Given<'a>,
}

impl KeyWish<'_> {
    pub fn key(&self) -> Result<&str, Invalid> {
        let key = self.hmac_key.text("hmac_key")?.flatten();
        let key = key.ok_or_else(|| Invalid::new("hmac_key", "is required"))?;
        if (8..=1024).contains(&key.chars().count()) {
            Ok(key)
        } else {
            Err(Invalid::new("hmac_key", "must have 8 to 1024 characters"))
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookKeyState)]
pub struct KeyState {
    is_set: bool,
    #[schema(format = DateTime)]
    set_at: Option<String>,
}

impl KeyState {
    pub fn new(set_at: Option<Moment>) -> Self {
        Self { is_set: set_at.is_some(), set_at: set_at.map(rfc3339) }
    }
}

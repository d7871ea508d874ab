//! The name of an instance: safe as a folder name and as a path segment by construction.

use std::{fmt, str::FromStr, sync::Arc};

use crate::domain::Invalid;

/// Words that are path segments of a dialect: an instance of that name would shadow its routes.
const RESERVED: [&str; 6] = ["whatsapp", "v2", "contacts", "all", "lids", "sessions"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &'static str| Err(Invalid::new("instance_id", why));
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if text.is_empty() || text.len() > 64 || !is_plain {
            return refuse("must be 1 to 64 of the letters A-Z and a-z, digits, _ and -");
        }
        if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return refuse("is a reserved word (whatsapp, v2, contacts, all, lids, sessions)");
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folder_names_and_reserved_words_are_refused() {
        let long = "a".repeat(65);
        for text in ["", ".", "..", "a/b", "a\\b", "a.b", "ä", "a b", "a\0", "%2e", "V2", "whatsapp", &long] {
            assert!(text.parse::<InstanceId>().is_err(), "{text:?}");
        }
        for text in ["demo", "3EB0C767D097", "a_b-c", &"a".repeat(64)] {
            assert_eq!(text.parse::<InstanceId>().unwrap().as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_plain_path_segment(text in any::<String>()) {
            if let Ok(id) = text.parse::<InstanceId>() {
                let path = std::path::Path::new(id.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}

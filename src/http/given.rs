//! A JSON field as a client gave it: absent, null, text, or something of another kind. Reading it never fails, so that
//! the room can say which field is wrong, in its own words and without repeating what stood there.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, Visitor},
};

use crate::domain::Invalid;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Given<'a> {
    #[default]
    Absent,
    Null,
    Text(Cow<'a, str>),
    Other,
}

impl Given<'_> {
    /// `Ok(None)` when absent.
    pub fn text(&self, field: &'static str) -> Result<Option<Option<&str>>, Invalid> {
        match self {
            Self::Absent => Ok(None),
            Self::Null => Ok(Some(None)),
            Self::Text(text) => Ok(Some(Some(text))),
            Self::Other => Err(Invalid::new(field, "must be a string")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Given<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Given<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Given<'de>, E> {
        Ok(Given::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given<'de>, E> {
        Ok(Given::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Given<'de>, E> {
        Ok(Given::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Given<'de>, E> {
        Ok(Given::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Given<'de>, E> {
        Ok(Given::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Given<'de>, E> {
        Ok(Given::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Given<'de>, E> {
        Ok(Given::Other)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Given<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Other)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Given<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Other)
    }
}

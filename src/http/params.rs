//! The parameters of a query, decoded, and the spellings that all dialects share: whole numbers within a range, booleans
//! and words in any case. What is wrong is said with the parameter's name and what would be right.

use std::borrow::Cow;

use super::given::Given;
use crate::{
    book::{Direction, Sort},
    domain::{ChatId, Invalid},
};

pub struct Params<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Params<'q> {
    pub fn parse(query: &'q str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    /// Said twice, the last one counts, as in a JSON object read by most.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Text that is there and not blank.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.trim().is_empty())
    }

    /// Of a field that may stand in the query or in the JSON body, the query counts. Not given; given as null; given.
    pub fn text_or<'s>(&'s self, name: &'static str, body: &'s Given<'_>) -> Result<Option<Option<&'s str>>, Invalid> {
        match self.text(name) {
            Some(text) => Ok(Some(Some(text))),
            None => body.text(name),
        }
    }

    /// Likewise a chat id.
    pub fn chat_id_or(&self, name: &'static str, body: &Given<'_>) -> Result<Option<ChatId>, Invalid> {
        self.text_or(name, body)?.flatten().map(|text| chat_id(text, name)).transpose()
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// A whole number from `low` to `high`, `usual` when it is not given.
    pub fn number(&self, name: &'static str, usual: u64, low: u64, high: u64) -> Result<u64, Invalid> {
        let Some(text) = self.filled(name) else { return Ok(usual) };
        let number = text.trim().parse().ok().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| {
            let range =
                if high == u64::from(u32::MAX) { format!("{low} or more") } else { format!("from {low} to {high}") };
            Invalid::new(name, format!("must be a whole number, {range}"))
        })
    }

    /// `limit` and `offset`.
    pub fn window(&self, usual: u64, most: u64) -> Result<(u32, u64), Invalid> {
        let limit = self.number("limit", usual, 1, most)?;
        let offset = self.number("offset", 0, 0, u64::from(u32::MAX))?;
        Ok((u32::try_from(limit).unwrap_or(u32::MAX), offset))
    }

    /// What a list of contacts is sorted by: `name`, if not given, or `id`; ascending, if not given.
    pub fn order(&self, by: &'static str, direction: &'static str) -> Result<(Sort, Direction), Invalid> {
        Ok((
            self.word(by, &[("name", Sort::Name), ("id", Sort::ChatId)])?,
            self.word(direction, &[("asc", Direction::Ascending), ("desc", Direction::Descending)])?,
        ))
    }

    /// `true`, `false`, `1` or `0`, in any case, as clients send `True`.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Invalid> {
        match self.filled(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("false" | "0") => Ok(Some(false)),
            Some("true" | "1") => Ok(Some(true)),
            Some(_) => Err(Invalid::new(name, "must be true or false")),
        }
    }

    /// One of these words, in any case; the first when it is not given.
    pub fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<T, Invalid> {
        let Some(text) = self.filled(name) else { return Ok(words[0].1) };
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        known.ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            Invalid::new(name, format!("must be {}", words.join(" or ")))
        })
    }
}

/// A chat id under the name by which the caller knows it.
pub fn chat_id(text: &str, field: &'static str) -> Result<ChatId, Invalid> {
    text.parse::<ChatId>().map_err(|invalid| invalid.in_field(field))
}

/// A chat id that must be a phone's.
pub fn phone(text: &str, field: &'static str) -> Result<ChatId, Invalid> {
    match chat_id(text, field)? {
        phone @ ChatId::Phone(_) => Ok(phone),
        ChatId::Lid(_) => Err(Invalid::new(field, "must be a phone number, not a LID")),
    }
}

/// A LID, with or without its `@lid`.
pub fn lid(text: &str, field: &'static str) -> Result<ChatId, Invalid> {
    if !text.contains('@') {
        return ChatId::lid(text).map_err(|invalid| invalid.in_field(field));
    }
    match chat_id(text, field)? {
        lid @ ChatId::Lid(_) => Ok(lid),
        ChatId::Phone(_) => Err(Invalid::new(field, "must end with @lid")),
    }
}

/// Digits with at most a leading plus: no punctuation. A plus that was not encoded arrives as a space.
pub fn plain_phone(text: &str, field: &'static str) -> Result<ChatId, Invalid> {
    ChatId::phone(text.strip_prefix(['+', ' ']).unwrap_or(text)).map_err(|invalid| invalid.in_field(field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_one_counts_and_ranges_are_told() {
        let params = Params::parse("limit=5&limit=7&refresh=True&sort=DESC&blank=%20");
        assert_eq!(params.window(100, 1000).unwrap(), (7, 0));
        assert_eq!(params.flag("refresh").unwrap(), Some(true));
        assert_eq!(params.word("sort", &[("asc", 1), ("desc", 2)]).unwrap(), 2);
        assert_eq!(params.filled("blank"), None);
        let wrong = Params::parse("limit=1001&offset=-1&flag=yes");
        assert_eq!(wrong.window(100, 1000).unwrap_err().to_string(), "limit must be a whole number, from 1 to 1000");
        assert!(wrong.number("offset", 0, 0, u64::from(u32::MAX)).unwrap_err().to_string().ends_with("0 or more"));
        assert!(wrong.flag("flag").is_err());
    }

    proptest! {
        #[test]
        fn any_query_is_read_without_a_panic(query in any::<String>()) {
            let params = Params::parse(&query);
            let _ = (params.window(1, 10), params.flag("a"), params.word("a", &[("x", 1)]), params.all().count());
        }
    }
}

//! A field of a JSON object, kept as it stood there until it is asked for as text, a number, a truth value, a list or an object:
//! so a room can say which field is wrong, in its own words and without repeating what stood there, and what nobody asks
//! for costs nothing, however large.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{fields::whole, given::Given};
use crate::domain::Invalid;

/// `None`: not given; `Some(None)`: given as null.
pub type Told<T> = Result<Option<Option<T>>, Invalid>;

#[derive(Clone, Copy, Default)]
pub struct RawField<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for RawField<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not as an `Option`, which would take null for absent.
        <&'a RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
    }
}

impl<'a> RawField<'a> {
    pub fn is_given(self) -> bool {
        self.0.is_some()
    }

    pub fn text(self, field: &'static str) -> Told<Cow<'a, str>> {
        let found = self.of_kind(field, "\"", "must be a string")?;
        told(found, |json| match serde_json::from_str(json) {
            Ok(Given::Text(text)) => Ok(text),
            _ => Err(Invalid::new(field, "holds an escape that is no Unicode character")),
        })
    }

    pub fn flag(self, field: &'static str) -> Told<bool> {
        let found = self.of_kind(field, "tf", "must be true or false")?;
        told(found, |json| Ok(json == "true"))
    }

    pub fn integer(self, field: &'static str) -> Told<i64> {
        let refused = || Invalid::new(field, "must be a whole number");
        let found = self.of_kind(field, "-0123456789", "must be a whole number")?;
        told(found, |json| serde_json::from_str(json).ok().as_ref().and_then(whole).ok_or_else(refused))
    }

    pub fn texts(self, field: &'static str, most: usize) -> Told<Vec<Cow<'a, str>>> {
        let refused = || Invalid::new(field, "must be an array of strings");
        told(self.list(field, most).map_err(|_| refused())?, |items| {
            if items.len() > most {
                return Err(Invalid::new(field, format!("must have at most {most} entries")));
            }
            items
                .into_iter()
                .map(|item| item.text(field).map_err(|_| refused())?.flatten().ok_or_else(refused))
                .collect()
        })
    }

    /// Of more than `most` items the first `most + 1`: enough to see that there are too many.
    pub fn list(self, field: &'static str, most: usize) -> Told<Vec<RawField<'a>>> {
        let found = self.of_kind(field, "[", "must be an array")?;
        told(found, |json| {
            let mut json = serde_json::Deserializer::from_str(json);
            AtMost(most + 1).deserialize(&mut json).map_err(|_| Invalid::new(field, "is not well formed"))
        })
    }

    /// An object of at most so many bytes, with whatever in it.
    pub fn object(self, field: &'static str, bytes: usize) -> Told<Map<String, Value>> {
        let found = self.of_kind(field, "{", "must be an object")?;
        told(found, |json| {
            if json.len() > bytes {
                return Err(Invalid::new(field, format!("must not be larger than {bytes} bytes")));
            }
            serde_json::from_str(json).map_err(|_| Invalid::new(field, "is nested too deeply or not well formed"))
        })
    }

    /// An object as one of our types.
    pub fn parse<T: Deserialize<'a>>(self) -> Option<T> {
        // Without this an array would be read as the fields in the order in which our struct happens to have them.
        let json = self.0.map(RawValue::get).filter(|json| json.starts_with('{'))?;
        serde_json::from_str(json).ok()
    }

    /// The first byte of a JSON value tells what it is.
    fn of_kind(self, field: &'static str, openings: &str, must: &'static str) -> Told<&'a str> {
        match self.0.map(RawValue::get) {
            None => Ok(None),
            Some("null") => Ok(Some(None)),
            Some(json) if json.starts_with(|first| openings.contains(first)) => Ok(Some(Some(json))),
            Some(_) => Err(Invalid::new(field, must)),
        }
    }
}

fn told<T, U>(found: Option<Option<T>>, read: impl FnOnce(T) -> Result<U, Invalid>) -> Told<U> {
    Ok(match found {
        None => None,
        Some(None) => Some(None),
        Some(Some(found)) => Some(Some(read(found)?)),
    })
}

/// The first so many items of an array.
struct AtMost(usize);

impl<'de> DeserializeSeed<'de> for AtMost {
    type Value = Vec<RawField<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for AtMost {
    type Value = Vec<RawField<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut first = Vec::new();
        while first.len() < self.0 {
            let Some(item) = items.next_element()? else { return Ok(first) };
            first.push(item);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default)]
        a: RawField<'a>,
    }

    fn with_a<'a, T>(json: &'a str, ask: impl FnOnce(RawField<'a>) -> T) -> T {
        ask(serde_json::from_str::<Body<'_>>(json).unwrap().a)
    }

    fn said<'a, T>(json: &'a str, ask: impl FnOnce(RawField<'a>) -> Told<T>) -> String {
        with_a(json, |field| ask(field).err().map(|refusal| refusal.to_string()).unwrap_or_default())
    }

    #[test]
    fn absent_null_and_given_are_three_things() {
        assert_eq!(with_a("{}", |a| a.text("a")).unwrap(), None);
        assert_eq!(with_a(r#"{"a": null}"#, |a| a.text("a")).unwrap(), Some(None));
        with_a(r#"{"a": "\u00e9é"}"#, |a| assert_eq!(a.text("a").unwrap().flatten().as_deref(), Some("éé")));
        assert_eq!(with_a(r#"{"a": -7}"#, |a| a.integer("a")).unwrap(), Some(Some(-7)));
        assert_eq!(with_a(r#"{"a": false}"#, |a| a.flag("a")).unwrap(), Some(Some(false)));
        with_a(r#"{"a": ["x", "y"]}"#, |a| assert_eq!(a.texts("a", 2).unwrap().flatten().unwrap(), ["x", "y"]));
        with_a(r#"{"a": {"x": [1.5]}}"#, |a| assert_eq!(a.object("a", 99).unwrap().flatten().unwrap()["x"][0], 1.5));
        with_a("{\"a\": [1, 2, 3, 4]}", |a| assert_eq!(a.list("a", 2).unwrap().flatten().unwrap().len(), 3));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_of_the_field() {
        assert_eq!(said(r#"{"a": 7}"#, |a| a.text("a")), "a must be a string");
        assert_eq!(said(r#"{"a": 7.5}"#, |a| a.integer("a")), "a must be a whole number");
        assert!(said(r#"{"a": "\ud83c"}"#, |a| a.text("a")).starts_with("a holds an escape"));
        assert_eq!(said(r#"{"a": "true"}"#, |a| a.flag("a")), "a must be true or false");
        for json in [r#"{"a": "x"}"#, r#"{"a": [1]}"#, r#"{"a": [null]}"#, r#"{"a": {}}"#] {
            assert_eq!(said(json, |a| a.texts("a", 9)), "a must be an array of strings", "{json}");
        }
        assert_eq!(said(r#"{"a": ["x", "y"]}"#, |a| a.texts("a", 1)), "a must have at most 1 entries");
        assert_eq!(said(r#"{"a": []}"#, |a| a.object("a", 9)), "a must be an object");
        assert!(said(r#"{"a": {"b": "0123456789"}}"#, |a| a.object("a", 9)).contains("9 bytes"));
        let deep = format!("{{\"a\": {}1{}}}", "{\"b\":".repeat(10_000), "}".repeat(10_000));
        assert!(said(&deep, |a| a.object("a", 1 << 20)).contains("nested too deeply"));
    }
}

//! A contact that is to be made, as texts from wherever they came, and what each field must be: here, and in a change.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value};

use super::shown::OWN_SOURCE;
use crate::{
    domain::{
        CardPatch, ChatId, Edit, Field, Invalid, Moment, NamePart, Patch, Precondition, Require, SavedPatch, Source,
    },
    http::{email::email, params::chat_id},
};

pub const SOURCE: Source = Source::known("superwaba");
pub const MOST_TAGS: usize = 100;
const MOST_PARAMS: usize = 100;
pub const PARAMS_BYTES: usize = 64 * 1024;

/// A contact to be made, from JSON or a row of CSV, its texts as they came.
#[derive(Default)]
pub struct Draft<'a> {
    pub number: Option<Cow<'a, str>>,
    pub name: Option<Cow<'a, str>>,
    pub email: Option<Cow<'a, str>>,
    pub country: Option<Cow<'a, str>>,
    pub tags: Vec<Cow<'a, str>>,
    pub params: Map<String, Value>,
}

impl Draft<'_> {
    /// To be carried out only if the number has no contact yet.
    pub fn edit(&self, at: Moment) -> Result<Edit, Invalid> {
        let who = number(self.number.as_deref())?;
        let name = self.name.as_deref().map(|text| NamePart::parse(text, "userName")).transpose()?.flatten();
        let mail = self.email.as_deref().map(|text| email(text, "email")).transpose()?.flatten();
        let country = self.country.as_deref().map(|text| country(text, "countryCode")).transpose()?.flatten();
        let card = CardPatch {
            email: Field::from(mail),
            country_code: Field::from(country),
            tags: Field::from(tags(&self.tags)?),
            params: Field::from(params(&self.params)?),
            ..CardPatch::default()
        };
        let source_named = NamePart::parse(OWN_SOURCE, "source")?;
        let patch = Patch { saved: SavedPatch::Whole(name), card, source_named, ..Patch::default() };
        let require = Require { contact: Some(Precondition::Absent), ..Require::default() };
        Ok(Edit::save(who, patch, at, SOURCE).requiring(require))
    }
}

/// The number of a contact that is to be made: nobody can be added by a LID here.
pub fn number(text: Option<&str>) -> Result<ChatId, Invalid> {
    let text = text.filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| Invalid::new("Phone number (userNumber)", "is required"))?;
    match chat_id(text, "userNumber")? {
        phone @ ChatId::Phone(_) => Ok(phone),
        ChatId::Lid(_) => Err(Invalid::new("userNumber", "must be a phone number, not a LID")),
    }
}

/// Two letters, in capitals from here on.
pub fn country(text: &str, field: &'static str) -> Result<Option<Box<str>>, Invalid> {
    match text.trim() {
        "" => Ok(None),
        code if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            Ok(Some(code.to_ascii_uppercase().into()))
        }
        _ => Err(Invalid::new(field, "must be a country code of two letters, such as AE")),
    }
}

/// Each once, blank ones left out; no tags are the same as none given.
pub fn tags(texts: &[Cow<'_, str>]) -> Result<Option<Vec<Box<str>>>, Invalid> {
    if texts.len() > MOST_TAGS {
        return Err(Invalid::new("tags", format!("must have at most {MOST_TAGS} entries")));
    }
    let mut tags: Vec<Box<str>> = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(tag) = NamePart::parse(text, "tags")? else { continue };
        if !tags.iter().any(|known| **known == *tag.as_str()) {
            tags.push(tag.as_str().into());
        }
    }
    Ok((!tags.is_empty()).then_some(tags))
}

/// Key to JSON text, as a card holds them.
pub type Params = BTreeMap<Box<str>, Box<str>>;

pub fn params(object: &Map<String, Value>) -> Result<Option<Params>, Invalid> {
    if object.len() > MOST_PARAMS {
        return Err(Invalid::new("params", format!("must have at most {MOST_PARAMS} keys")));
    }
    let params: Params = object.iter().map(|(key, value)| (key.as_str().into(), value.to_string().into())).collect();
    if params.iter().map(|(key, json)| key.len() + json.len()).sum::<usize>() > PARAMS_BYTES {
        return Err(Invalid::new("params", format!("must not be larger than {PARAMS_BYTES} bytes")));
    }
    Ok((!params.is_empty()).then_some(params))
}

//! The columns of CSV, by their headers: ours, WA.cr's, SuperWABA's and those of both Google Contacts exports, in one table
//! that reading, writing and the help walk. A header is known whatever its case, spaces, underscores and hyphens; `#`
//! stands for the number of a column that Google has several of.

use std::collections::BTreeMap;

use crate::{
    domain::{Contact, Kind, NamePart, Seen},
    port::row::{Listed, digits},
};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    Number,
    /// What kind of number the one of the same `#` is.
    NumberKind,
    Lid,
    Whole,
    Middle,
    /// One line of text.
    Line(&'static str),
    /// Text as it is.
    Text(&'static str),
    Country,
    Words(&'static str),
    Numbers(&'static str),
    Whole64(&'static str),
    Flag(&'static str),
    /// Says the contrary of the field.
    Unless(&'static str),
    /// JSON, an object.
    Params,
}

/// A meaning and the headers by which it is known, folded; the first is ours.
pub struct Column {
    pub means: Means,
    pub headers: &'static [&'static str],
}

const fn column(means: Means, headers: &'static [&'static str]) -> Column {
    Column { means, headers }
}

pub const COLUMNS: [Column; 30] = [
    column(
        Means::Number,
        &["phone", "chatid", "usernumber", "phonenumber", "mobile", "whatsapp", "number", "waid", "phone#value"],
    ),
    column(Means::NumberKind, &["phone#label", "phone#type"]),
    column(Means::Lid, &["lid"]),
    column(Means::Line("first_name"), &["firstname", "givenname"]),
    column(Means::Line("last_name"), &["lastname", "familyname", "surname"]),
    column(Means::Middle, &["middlename", "additionalname"]),
    column(Means::Whole, &["name", "username", "fullname", "displayname", "contactname"]),
    column(Means::Line("email"), &["email", "emailaddress", "email#value"]),
    column(Means::Line("company"), &["company", "organizationname", "organization#name", "organization"]),
    column(Means::Text("description"), &["description", "notes", "note"]),
    column(Means::Line("address"), &["address", "street", "address#street"]),
    column(Means::Line("city"), &["city", "address#city"]),
    column(Means::Line("state"), &["state", "region", "address#region"]),
    column(Means::Line("zip"), &["zip", "postalcode", "zipcode", "address#postalcode"]),
    column(Means::Country, &["countrycode", "country", "address#country"]),
    column(Means::Whole64("country_id"), &["countryid"]),
    column(Means::Whole64("assigned_id"), &["assignedid"]),
    column(Means::Line("type"), &["type"]),
    column(Means::Whole64("source_id"), &["sourceid"]),
    column(Means::Whole64("status_id"), &["statusid"]),
    column(Means::Numbers("groups"), &["groupid", "groupids"]),
    column(Means::Line("source"), &["source"]),
    column(Means::Line("status"), &["status"]),
    column(Means::Words("group_names"), &["groups", "group", "groupnames"]),
    column(Means::Words("tags"), &["tags", "tag"]),
    column(Means::Words("labels"), &["labels", "label", "groupmembership"]),
    column(Means::Params, &["params", "customparams", "customfields"]),
    column(Means::Flag("opted_in"), &["optedin"]),
    column(Means::Unless("opted_in"), &["isoptedout", "optedout"]),
    column(Means::Flag("blocked"), &["blocked", "isblocked"]),
];

/// Before the key of a custom field that has a column of its own.
pub const PARAM: &str = "params.";

/// What one column of a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// And the number that stood in its header.
    Column(Means, u8),
    Param(String),
}

/// `None`: not known, to be told of.
pub fn known(header: &str) -> Option<Known> {
    let header = header.trim();
    if let Some((prefix, key)) = header.split_at_checked(PARAM.len())
        && prefix.eq_ignore_ascii_case(PARAM)
        && !key.trim().is_empty()
    {
        return Some(Known::Param(key.trim().to_owned()));
    }
    let (folded, number) = fold_header(header);
    let found = COLUMNS.iter().find(|column| column.headers.contains(&&*folded))?;
    Some(Known::Column(found.means, number))
}

/// Without case and separators, a number replaced by `#`; and that number.
fn fold_header(header: &str) -> (String, u8) {
    let plain = header.chars().filter(|letter| !letter.is_whitespace() && !"_-".contains(*letter));
    let (mut folded, mut number) = (String::new(), 0_u8);
    for letter in plain.flat_map(char::to_lowercase) {
        match letter.to_digit(10).and_then(|digit| u8::try_from(digit).ok()) {
            Some(digit) => {
                number = number.saturating_mul(10).saturating_add(digit);
                if !folded.ends_with('#') {
                    folded.push('#');
                }
            }
            None => folded.push(letter),
        }
    }
    (folded, number)
}

/// What is said when no column could be a number.
pub fn needed() -> String {
    let headers: Vec<_> = COLUMNS.iter().filter(|column| matches!(column.means, Means::Number | Means::Lid)).collect();
    let names = headers.iter().flat_map(|column| column.headers).copied();
    format!("has no column of phone numbers or LIDs: one must be called {}", names.collect::<Vec<_>>().join(", "))
}

type Write = for<'c> fn(&'c Contact, &'c Listed) -> Cell<'c>;

/// What is written into a cell.
pub enum Cell<'c> {
    Empty,
    Text(&'c str),
    Owned(String),
    Words(Vec<&'c str>),
}

impl<'c, T: Into<&'c str>> From<Option<T>> for Cell<'c> {
    fn from(text: Option<T>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }
}

fn number<'c>(number: Option<i64>) -> Cell<'c> {
    number.map_or(Cell::Empty, |number| Cell::Owned(number.to_string()))
}

fn flag<'c>(flag: bool) -> Cell<'c> {
    Cell::Text(if flag { "true" } else { "false" })
}

fn words(words: Option<&Vec<Box<str>>>) -> Cell<'_> {
    words.map_or(Cell::Empty, |words| Cell::Words(words.iter().map(|word| &**word).collect()))
}

fn part(part: Option<&NamePart>) -> Cell<'_> {
    part.map(NamePart::as_str).into()
}

/// The columns that we write, in their order.
pub const WRITTEN: [(&str, Write); 26] = [
    ("phone", |contact, _| Cell::Text(digits(contact.phone.as_ref()))),
    ("lid", |contact, _| contact.lid.map_or(Cell::Empty, |lid| Cell::Owned(format!("{lid}@lid")))),
    ("first_name", |contact, _| part(contact.names.saved.first.as_ref())),
    ("last_name", |contact, _| part(contact.names.saved.last.as_ref())),
    ("email", |contact, _| contact.card.email.as_deref().into()),
    ("company", |contact, _| contact.card.company.as_deref().into()),
    ("description", |contact, _| contact.card.description.as_deref().into()),
    ("address", |contact, _| contact.card.address.as_deref().into()),
    ("city", |contact, _| contact.card.city.as_deref().into()),
    ("state", |contact, _| contact.card.state.as_deref().into()),
    ("zip", |contact, _| contact.card.zip.as_deref().into()),
    ("country_code", |contact, _| contact.card.country_code.as_deref().into()),
    ("country_id", |contact, _| number(contact.card.country_id)),
    ("assigned_id", |contact, _| number(contact.card.assigned_id)),
    ("type", |contact, _| contact.card.kind.map(Kind::word).into()),
    ("source", |contact, listed| listed.source(contact).into()),
    ("status", |contact, listed| listed.status(contact).into()),
    ("groups", |contact, listed| Cell::Words(listed.groups(contact))),
    ("tags", |contact, _| words(contact.card.tags.as_ref())),
    ("labels", |contact, _| words(contact.card.labels.as_ref())),
    ("params", |contact, _| contact.card.params.as_ref().map_or(Cell::Empty, |params| Cell::Owned(object(params)))),
    ("opted_in", |contact, _| contact.card.opted_in.map_or(Cell::Empty, flag)),
    ("blocked", |contact, _| flag(contact.blocked)),
    // Names that the contact gave itself: to be read, not written back.
    ("push_name", |contact, _| contact.names.push.as_ref().map(Seen::text).into()),
    ("business_name", |contact, _| contact.names.business.as_ref().map(Seen::text).into()),
    ("uuid", |contact, _| Cell::Owned(contact.uuid.to_string())),
];

/// The values are JSON text already.
pub fn object(params: &BTreeMap<Box<str>, Box<str>>) -> String {
    let members = params.iter().map(|(key, value)| format!("{}:{value}", serde_json::Value::from(&**key)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_means_two_things() {
        let mut all: Vec<_> = COLUMNS.iter().flat_map(|column| column.headers).collect();
        for header in &all {
            assert_eq!(fold_header(header).0.replace("##", "#"), header.replace("##", "#"), "folded already");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn headers_are_known_in_every_spelling() {
        let means = |header: &str| match known(header) {
            Some(Known::Column(means, number)) => Some((means, number)),
            _ => None,
        };
        assert_eq!(means("Phone 2 - Value"), Some((Means::Number, 2)));
        assert_eq!(means("Phone 2 - Label"), Some((Means::NumberKind, 2)));
        assert_eq!(means("E-mail 1 - Value"), Some((Means::Line("email"), 1)));
        assert_eq!(means("userNumber"), Some((Means::Number, 0)));
        assert_eq!(means("FIRST_NAME"), Some((Means::Line("first_name"), 0)));
        assert_eq!(means("is_opted_out"), Some((Means::Unless("opted_in"), 0)));
        assert_eq!(means("Birthday"), None);
        assert_eq!(known("Params.Tier one"), Some(Known::Param("Tier one".into())));
        assert_eq!(known("params."), None);
    }

    #[test]
    fn what_we_write_we_read_but_for_what_is_not_ours_to_write() {
        let unread: Vec<_> =
            WRITTEN.iter().map(|(header, _)| *header).filter(|header| known(header).is_none()).collect();
        assert_eq!(unread, ["push_name", "business_name", "uuid"]);
    }
}

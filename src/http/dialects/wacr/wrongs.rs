//! What is said of fields that are wrong: the vendor's own messages where its documentation has them; where not, those of
//! the framework that it is built on.

use std::{borrow::Cow, collections::BTreeMap};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    Required,
    NotText,
    TooLong(usize),
    ControlCharacters,
    NotWhole,
    NotList,
    NotObject,
    NotFlag,
    /// None of the words that it may be.
    NotChoice,
    NotEmail,
    NotPhone,
    NotColor,
    /// It refers to something that does not exist.
    Unknown,
    /// Another one has it.
    Taken,
    Repeated,
    /// The account has as much of this as it may have.
    NoRoom(&'static str),
}

/// Fields that are wrong, each in one way.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrongs(Vec<(Cow<'static, str>, Wrong)>);

/// Whose messages are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Contact,
    /// An item of a batch: the framework's own messages, full stops included.
    Item,
    /// An entry of the groups, sources or statuses.
    Register(&'static str),
}

impl Wrongs {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn one(field: impl Into<Cow<'static, str>>, wrong: Wrong) -> Self {
        Self(vec![(field.into(), wrong)])
    }

    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, wrong: Wrong) {
        self.0.push((field.into(), wrong));
    }

    /// The fields with their messages.
    pub fn told(&self, manner: Manner) -> BTreeMap<&str, Vec<String>> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (field, wrong) in &self.0 {
            told.entry(&**field).or_default().push(manner.say(field, wrong));
        }
        told
    }
}

impl Manner {
    pub fn noun(self) -> &'static str {
        if let Self::Register(noun) = self { noun } else { "contact" }
    }

    pub fn noun_in_capitals(self) -> String {
        let noun = self.noun();
        noun[..1].to_ascii_uppercase() + &noun[1..]
    }

    pub fn validation_failed(self) -> &'static str {
        if let Self::Register(_) = self { "The given data was invalid" } else { "Validation failed" }
    }

    fn say(self, field: &str, wrong: &Wrong) -> String {
        match self {
            Self::Item => usual(field, wrong) + ".",
            Self::Register(noun) if field == "name" && *wrong == Wrong::Taken => {
                format!("A {noun} with this name already exists")
            }
            Self::Register(_) if field == "name" && *wrong == Wrong::Required => {
                format!("{} name is required", self.noun_in_capitals())
            }
            _ => documented(field, wrong).map_or_else(|| usual(field, wrong), str::to_owned),
        }
    }
}

fn documented(field: &str, wrong: &Wrong) -> Option<&'static str> {
    Some(match (field, wrong) {
        ("firstname", Wrong::Required) => "First name is required",
        ("lastname", Wrong::Required) => "Last name is required",
        ("phone", Wrong::Required) => "Phone number is required",
        ("phone", Wrong::Taken) => "This phone number already exists",
        ("email", Wrong::Taken) => "This email address already exists",
        ("type", Wrong::Required) => "Type is required",
        ("type", Wrong::NotChoice) => "Type must be either lead, customer, or guest",
        ("source_id", Wrong::Required) => "Source is required",
        ("source_id", Wrong::Unknown) => "The selected source does not exist or does not belong to your account",
        ("status_id", Wrong::Required) => "Status is required",
        ("status_id", Wrong::Unknown) => "The selected status does not exist or does not belong to your account",
        ("groups", Wrong::Unknown) => "The selected group does not exist or does not belong to your account",
        ("color", Wrong::NotColor) => "Color must be a valid hex color code (e.g., #FF5733)",
        ("contact_ids", Wrong::Required) => "Contact IDs are required",
        ("contact_ids", Wrong::NotList) => "Contact IDs must be an array",
        ("contact_ids", Wrong::Unknown) => "One or more contact IDs do not exist",
        ("contact_ids", Wrong::Repeated) => "One or more contacts do not belong to this tenant",
        _ => return None,
    })
}

/// As the framework says it, which spells `source_id` as two words.
fn usual(field: &str, wrong: &Wrong) -> String {
    let words = field.replace('_', " ");
    match wrong {
        Wrong::Required => format!("The {words} field is required"),
        Wrong::NotText => format!("The {words} field must be a string"),
        Wrong::TooLong(most) => format!("The {words} field must not be greater than {most} characters"),
        Wrong::ControlCharacters => format!("The {words} field must not contain control characters"),
        Wrong::NotWhole => format!("The {words} field must be an integer"),
        Wrong::NotList | Wrong::NotObject => format!("The {words} field must be an array"),
        Wrong::NotFlag => format!("The {words} field must be true or false"),
        Wrong::NotChoice | Wrong::Unknown => format!("The selected {words} is invalid"),
        Wrong::NotEmail => format!("The {words} field must be a valid email address"),
        Wrong::NotPhone => format!("The {words} field must be a phone number with its country code, like +15551234567"),
        Wrong::NotColor => format!("The {words} field must be a valid hexadecimal color"),
        Wrong::Taken => format!("The {words} has already been taken"),
        Wrong::NoRoom(of) => format!("Feature limit exceeded for {of}. Please upgrade your plan"),
        Wrong::Repeated => format!("The {words} field has a duplicate value"),
    }
}

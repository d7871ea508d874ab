//! Who is meant: a phone number (`4917…@c.us`) or a linked identity (`…@lid`). Parses every spelling that clients send
//! and prints the one canonical spelling. Digits are never rewritten: variants of a number are other numbers here.

use std::{fmt, str::FromStr};

use crate::domain::Invalid;

const FIELD: &str = "chat id";
const ACCEPTED: &str = "accepted are 15551234567, +1 555 123 4567, 15551234567@c.us and 123456789@lid";

/// Up to twenty ASCII digits, as written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digits {
    bytes: [u8; Self::MOST],
    len: u8,
}

impl Digits {
    const MOST: usize = 20;

    fn collect(digits: impl Iterator<Item = u8>) -> Option<Self> {
        let mut all = Self { bytes: [0; Self::MOST], len: 0 };
        for digit in digits {
            debug_assert!(digit.is_ascii_digit());
            *all.bytes.get_mut(usize::from(all.len))? = digit;
            all.len += 1;
        }
        Some(all)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("digits are ASCII")
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A person's digits never reach a log by accident, also not through `{:?}`.
impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({})", self.len)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChatId {
    Phone(Digits),
    Lid(Digits),
}

impl ChatId {
    pub fn digits(&self) -> &Digits {
        match self {
            Self::Phone(digits) | Self::Lid(digits) => digits,
        }
    }

    pub fn is_phone(&self) -> bool {
        matches!(self, Self::Phone(_))
    }

    /// A phone from 3 to 15 digits that does not begin with 0 (E.164 without its `+`; three is the shortest that a
    /// vendor's own page shows).
    pub fn phone(digits: &str) -> Result<Self, Invalid> {
        phone_from(digits.bytes())
    }

    /// A linked identity of 3 to 20 digits.
    pub fn lid(digits: &str) -> Result<Self, Invalid> {
        if digits.is_empty() {
            return refuse("has no digits");
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("has something other than digits before its @");
        }
        match digits.len() {
            0..=2 => refuse("is too short: a LID has 3 to 20 digits"),
            3..=20 => Ok(Self::Lid(Digits::collect(digits.bytes()).expect("at most twenty digits"))),
            _ => refuse("is too long: a LID has 3 to 20 digits"),
        }
    }
}

impl FromStr for ChatId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return refuse("is empty");
        }
        let Some((user, server)) = text.split_once('@') else { return bare_number(text) };
        match server {
            "c.us" | "s.whatsapp.net" => phone_from(without_device(user)?.bytes()),
            "lid" => Self::lid(without_device(user)?),
            "g.us" => refuse("names a group, not a contact"),
            "broadcast" => refuse("names a broadcast list, not a contact"),
            "newsletter" => refuse("names a newsletter, not a contact"),
            _ => refuse("has an unknown server after its @"),
        }
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(digits) => write!(f, "{digits}@c.us"),
            Self::Lid(digits) => write!(f, "{digits}@lid"),
        }
    }
}

/// Bare digits always mean a phone. A LID is never guessed by its length: that loses contacts.
fn bare_number(text: &str) -> Result<ChatId, Invalid> {
    let significant = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-' | b'.' | b'(' | b')'));
    phone_from(significant)
}

fn phone_from(text: impl Iterator<Item = u8>) -> Result<ChatId, Invalid> {
    let mut text = text.peekable();
    text.next_if_eq(&b'+');
    let mut bytes = [0u8; 15];
    let mut len = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return refuse("is not a number");
        }
        let Some(place) = bytes.get_mut(len) else {
            return refuse("is too long: a phone number has 3 to 15 digits");
        };
        *place = byte;
        len += 1;
    }
    match &bytes[..len] {
        [] => refuse("has no digits"),
        [b'0', b'0', ..] => refuse("begins with 00: write the country code without it"),
        [b'0', ..] => refuse("begins with 0: write the number with its country code"),
        [_] | [_, _] => refuse("is too short: a phone number has 3 to 15 digits"),
        digits => Ok(ChatId::Phone(Digits::collect(digits.iter().copied()).expect("at most fifteen digits"))),
    }
}

/// Drops the device (`:4`) and the agent (`_1`) that a multi-device client appends to the user.
fn without_device(user: &str) -> Result<&str, Invalid> {
    let (user, device) = user.split_once(':').unwrap_or((user, "0"));
    let (user, agent) = user.split_once('_').unwrap_or((user, "0"));
    let is_number = |text: &str| !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    if is_number(device) && is_number(agent) { Ok(user) } else { refuse("is not a number") }
}

fn refuse<T>(why: &str) -> Result<T, Invalid> {
    Err(Invalid::new(FIELD, format!("{why} ({ACCEPTED})")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_one_phone_is_one_chat_id() {
        for spelling in [
            "15551234567",
            "+15551234567",
            "+1 (555) 123-4567",
            "1.555.123.4567",
            " 15551234567",
            "15551234567@c.us",
            "+15551234567@c.us",
            "15551234567@s.whatsapp.net",
            "15551234567:4@s.whatsapp.net",
            "15551234567:4@c.us",
            "15551234567_1:4@c.us",
            "15551234567_1@c.us",
        ] {
            let parsed: ChatId = spelling.parse().unwrap_or_else(|e| panic!("{spelling}: {e}"));
            assert_eq!(parsed.to_string(), "15551234567@c.us", "{spelling}");
        }
    }

    #[test]
    fn a_lid_stays_a_lid_and_bare_digits_stay_a_phone() {
        assert_eq!("100875997589545@lid".parse::<ChatId>().unwrap().to_string(), "100875997589545@lid");
        assert_eq!("1008759:7@lid".parse::<ChatId>().unwrap().to_string(), "1008759@lid");
        assert_eq!("99999999999999999999@lid".parse::<ChatId>().unwrap().to_string(), "99999999999999999999@lid");
        assert_eq!("100875997589545".parse::<ChatId>().unwrap().to_string(), "100875997589545@c.us");
        assert_eq!("123@c.us".parse::<ChatId>().unwrap().to_string(), "123@c.us");
    }

    #[test]
    fn refusals_say_what_was_wrong() {
        for (text, why) in [
            ("", "empty"),
            ("   ", "empty"),
            ("+", "no digits"),
            ("@c.us", "no digits"),
            ("@lid", "no digits"),
            ("null@c.us", "not a number"),
            ("undefined", "not a number"),
            ("12ab34", "not a number"),
            ("../../etc/passwd", "not a number"),
            ("12", "too short"),
            ("12@lid", "too short"),
            ("1234567890123456@c.us", "too long"),
            ("1234567890123456", "too long"),
            ("123456789012345678901@lid", "too long"),
            ("0049170123456", "begins with 00"),
            ("0170123456", "begins with 0:"),
            ("120363025246125486@g.us", "group"),
            ("status@broadcast", "broadcast"),
            ("120363144038483540@newsletter", "newsletter"),
            ("201000000001@example.com", "unknown server"),
            ("1@2@c.us", "unknown server"),
            ("++15551234567", "not a number"),
            ("1555+1234567", "not a number"),
            ("15551234567:@c.us", "not a number"),
            ("15551234567:x@c.us", "not a number"),
            ("+123@lid", "other than digits"),
            ("١٢٣٤٥٦٧", "not a number"),
        ] {
            let refusal = text.parse::<ChatId>().expect_err(text);
            assert!(refusal.why.contains(why), "{text:?}: {refusal}");
            assert!(refusal.why.contains("accepted are"), "{text:?}: {refusal}");
        }
    }

    #[test]
    fn debug_output_shows_no_digits() {
        let id: ChatId = "15551234567".parse().unwrap();
        assert_eq!(format!("{id:?}"), "Phone(Digits(11))");
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(phone in "[1-9][0-9]{2,14}", lid in "[0-9]{3,20}") {
            for text in [format!("{phone}@c.us"), format!("{lid}@lid")] {
                let id: ChatId = text.parse().unwrap();
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(id) = text.parse::<ChatId>() {
                prop_assert_eq!(id.to_string().parse::<ChatId>().unwrap(), id);
            }
        }

        #[test]
        fn near_misses_never_panic(text in "[+0-9 @:_.()-]{0,24}(c\\.us|lid|s\\.whatsapp\\.net|g\\.us)?") {
            if let Ok(id) = text.parse::<ChatId>() {
                prop_assert_eq!(id.to_string().parse::<ChatId>().unwrap(), id);
            }
        }
    }
}

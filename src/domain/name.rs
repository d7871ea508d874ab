//! The three names a contact can have, kept apart: what the owner saved, what the contact calls itself (pushname) and
//! a verified business name. Each has its own column, time and source; no writer can touch another's.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::domain::{
    ChatId, Invalid, Moment,
    times::{NEVER, Times},
};

/// A first or last name, or any other single line: 1 to 255 code points, not blank, no control characters, otherwise
/// exactly as typed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamePart(Box<str>);

impl NamePart {
    pub const MOST: usize = 255;

    /// Blank text is no name: `Ok(None)`.
    pub fn parse(text: &str, field: &'static str) -> Result<Option<Self>, Invalid> {
        Self::parse_up_to(text, field, Self::MOST)
    }

    /// The same with another limit, for lines that are no names.
    pub fn parse_up_to(text: &str, field: &'static str, most: usize) -> Result<Option<Self>, Invalid> {
        if text.chars().any(char::is_control) {
            return Err(Invalid::new(field, "must not contain control characters"));
        }
        if text.chars().nth(most).is_some() {
            return Err(Invalid::new(field, format!("must not be longer than {most} characters")));
        }
        Ok((!text.trim().is_empty()).then(|| Self(text.into())))
    }

    /// For text that was a `NamePart` when it was stored.
    pub fn trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_text(self) -> Box<str> {
        self.0
    }
}

/// Names are people: `{:?}` shows that there is one, not which.
impl fmt::Debug for NamePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamePart({})", self.0.len())
    }
}

/// Who wrote something: a dialect, an import, a phone. Lower-case letters, digits and `_ . -`, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source(Cow<'static, str>);

impl Source {
    pub const fn known(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Source {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        if text.is_empty() || text.len() > 32 || !text.bytes().all(is_plain) {
            return Err(Invalid::new("source", "must be 1 to 32 of the letters a-z, digits, _ . and -"));
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub at: Moment,
    pub source: Source,
}

impl Stamp {
    /// Who it was, as a word.
    pub fn word(&self) -> &str {
        self.source.as_str()
    }
}

/// The private name. `by` says who last wrote it, also when what was written is "no name".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    pub first: Option<NamePart>,
    pub last: Option<NamePart>,
    pub by: Option<Stamp>,
}

impl Saved {
    /// First + space + last, trimmed; only one of them alone; nothing saved is `None`.
    pub fn full(&self) -> Option<String> {
        let part = |part: &Option<NamePart>| part.as_ref().map(|name| name.as_str().to_owned());
        let full = match (part(&self.first), part(&self.last)) {
            (Some(first), Some(last)) => first + " " + &last,
            (first, last) => first.or(last)?,
        };
        Some(match full.trim() {
            trimmed if trimmed.len() == full.len() => full,
            trimmed => trimmed.to_owned(),
        })
    }
}

impl Saved {
    /// Of two that were written at the same time the one of higher rank stays, in whichever order they come. The name that
    /// is read decides first, for it may be told without its parts.
    pub(super) fn rank(&self) -> impl Ord + '_ {
        (self.full(), &self.first, &self.last, self.by.as_ref().map(Stamp::word))
    }

    /// When any part of it was last written.
    pub(super) fn written_at(&self) -> Moment {
        self.by.as_ref().map_or(NEVER, |by| by.at)
    }

    /// When this part of it was.
    pub(super) fn part_at(&self, times: &Times, field: &str) -> Moment {
        times.get(field).unwrap_or(self.written_at())
    }
}

/// A name seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub name: NamePart,
    pub by: Stamp,
}

impl Seen {
    pub fn text(&self) -> &str {
        self.name.as_str()
    }

    /// Later; of two at the same time, always the same one, whichever came first.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        let rank = |seen: &Self| (seen.by.at, seen.name.clone(), seen.by.source.as_str().to_owned());
        rank(self) > rank(other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    pub saved: Saved,
    pub push: Option<Seen>,
    pub business: Option<Seen>,
}

/// Which of its names a contact is shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownBy {
    Saved,
    Business,
    Push,
    Number,
    Lid,
}

impl ShownBy {
    pub fn word(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Business => "business",
            Self::Push => "push",
            Self::Number => "number",
            Self::Lid => "lid",
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::Saved => "The owner has saved this name, and what the owner saved comes before every other name.",
            Self::Business => "No name is saved, and a verified business name comes before the pushname.",
            Self::Push => "No name is saved and no business name is known: this is what the contact calls itself.",
            Self::Number => "No name of any kind is known, so the phone number stands for the contact.",
            Self::Lid => "No name of any kind and no phone number is known, so the LID stands for the contact.",
        }
    }
}

impl Names {
    /// What a chat list shows, and why: the saved name, else the business name, else the pushname, else the number or LID.
    /// The one place where this is decided.
    pub fn shown(&self, who: &ChatId) -> (String, ShownBy) {
        let seen = |seen: &Option<Seen>, by| seen.as_ref().map(|seen| (seen.text().to_owned(), by));
        let saved = self.saved.full().map(|full| (full, ShownBy::Saved));
        saved
            .or_else(|| seen(&self.business, ShownBy::Business))
            .or_else(|| seen(&self.push, ShownBy::Push))
            .unwrap_or_else(|| match who {
                ChatId::Phone(digits) => (format!("+{digits}"), ShownBy::Number),
                ChatId::Lid(digits) => (digits.to_string(), ShownBy::Lid),
            })
    }

    pub fn display(&self, who: &ChatId) -> String {
        self.shown(who).0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn part(text: &str) -> Option<NamePart> {
        NamePart::parse(text, "name").unwrap()
    }

    #[rstest]
    #[case("Bob", "Smith", Some("Bob Smith"))]
    #[case("Bob", "", Some("Bob"))]
    #[case("", "Smith", Some("Smith"))]
    #[case("", "", None)]
    #[case("  ", " ", None)]
    #[case(" Uma ", "", Some("Uma"))]
    #[case("Lucía ", "Gómez", Some("Lucía  Gómez"))]
    fn the_full_name_is_first_space_last(#[case] first: &str, #[case] last: &str, #[case] full: Option<&str>) {
        let saved = Saved { first: part(first), last: part(last), by: None };
        assert_eq!(saved.full().as_deref(), full);
    }

    #[test]
    fn lengths_are_counted_in_code_points_and_control_characters_refused() {
        assert!(NamePart::parse(&"🌸".repeat(255), "name").is_ok());
        assert!(NamePart::parse(&"🌸".repeat(256), "name").is_err());
        for text in ["a\nb", "a\0", "\u{7f}", "\u{85}"] {
            assert!(NamePart::parse(text, "name").is_err(), "{text:?}");
        }
        let typed = "e\u{301} \u{200f}עברית";
        assert_eq!(part(typed).unwrap().as_str(), typed, "Unicode is kept as typed, not normalised");
    }

    #[test]
    fn the_shown_name_is_the_most_private_one() {
        let by = Stamp { at: Moment::from_millis(1), source: Source::known("test") };
        let seen = |text: &str| Some(Seen { name: part(text).unwrap(), by: by.clone() });
        let phone: ChatId = "15551234567".parse().unwrap();
        let lid: ChatId = "99@lid".parse().unwrap_or_else(|_| "999@lid".parse().unwrap());
        let mut names = Names::default();
        assert_eq!(names.shown(&phone), ("+15551234567".to_owned(), ShownBy::Number));
        assert_eq!(names.shown(&lid), ("999".to_owned(), ShownBy::Lid));
        names.push = seen("Alice 🌸");
        assert_eq!(names.shown(&phone), ("Alice 🌸".to_owned(), ShownBy::Push));
        names.business = seen("Alice Ltd");
        assert_eq!(names.shown(&phone), ("Alice Ltd".to_owned(), ShownBy::Business));
        names.saved.first = part("Alice");
        names.saved.last = part("Accounting");
        assert_eq!(names.display(&phone), "Alice Accounting");
        assert_eq!(names.shown(&phone).1, ShownBy::Saved);
    }

    proptest! {
        #[test]
        fn any_text_is_kept_exactly_or_refused(text in any::<String>()) {
            if let Ok(Some(name)) = NamePart::parse(&text, "name") {
                prop_assert_eq!(name.as_str(), text.as_str());
            }
            let _ = text.parse::<Source>();
        }
    }
}

//! What a phone, or a gateway that is linked to one, reports of one chat id at one time, as the edits that it comes to; and
//! which times are believed. How a report is spelled is each room's business.

use std::time::Duration;

use crate::domain::{
    Act, ChatId, Contact, Digits, Edit, Invalid, Moment, NamePart, Patch, Precondition, Require, SavedPatch, Sighting,
    Source,
};

/// 2009-01-01: before WhatsApp.
const EARLIEST: Moment = Moment::from_millis(1_230_768_000_000);

/// How far two clocks may be apart.
const LEAD: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone)]
pub struct Observation {
    pub who: ChatId,
    /// The other side of the same person: the phone of a LID, the LID of a phone.
    pub other: Option<Digits>,
    pub push: Option<NamePart>,
    pub business: Option<NamePart>,
    /// The saved name as the phone has it.
    pub saved: SavedPatch,
    pub blocked: Option<bool>,
    pub last_message_at: Option<Moment>,
    pub at: Moment,
    pub source: Source,
}

impl Observation {
    pub fn new(who: ChatId, at: Moment, source: Source) -> Self {
        let (other, push, business, blocked, last_message_at) = Default::default();
        Self { who, other, push, business, saved: SavedPatch::default(), blocked, last_message_at, at, source }
    }

    /// At most three edits of one person, in the order in which they have to be carried out. None, if it says nothing that
    /// could be kept: a blank name, the bare number.
    pub fn edits(self) -> impl Iterator<Item = Edit> {
        [self.mapping(), self.sighting(), self.writing()].into_iter().flatten()
    }

    fn mapping(&self) -> Option<Edit> {
        let (lid, phone) = match (self.who, self.other?) {
            (ChatId::Lid(lid), phone) => (lid, phone),
            (ChatId::Phone(phone), lid) => (lid, phone),
        };
        Some(Edit::learn(lid, phone, self.at, self.source.clone()))
    }

    /// Nobody comes into the book for a name that says nothing.
    fn sighting(&self) -> Option<Edit> {
        let mut stranger = Contact::unknown(self.who, self.at);
        match self.who {
            ChatId::Phone(_) => stranger.lid = self.other,
            ChatId::Lid(_) => stranger.phone = self.other,
        }
        let told = |name: &Option<NamePart>| name.clone().filter(|name| stranger.is_told_apart_by(name));
        let (push, business, last_message_at) = (told(&self.push), told(&self.business), self.last_message_at);
        if push.is_none() && business.is_none() && last_message_at.is_none() {
            return None;
        }
        let sighting = Sighting { push, business, last_message_at, at: self.at, source: self.source.clone() };
        Some(Edit::new(self.who, Act::See(sighting), self.at, self.source.clone()))
    }

    /// What the owner did on the phone takes its place in time among what the owner did elsewhere. That somebody has no name
    /// there and is not blocked makes no contact.
    fn writing(&self) -> Option<Edit> {
        let patch = Patch { saved: self.saved.clone(), blocked: self.blocked, ..Patch::default() };
        if patch == Patch::default() {
            return None;
        }
        let contact = (!self.makes_contact()).then_some(Precondition::Present);
        let edit = Edit::save(self.who, patch, self.at, self.source.clone()).as_given();
        Some(edit.requiring(Require { contact, ..Require::default() }))
    }

    fn makes_contact(&self) -> bool {
        let names = match &self.saved {
            SavedPatch::Parts { first, last } => first.set().or(last.set()).is_some(),
            SavedPatch::Whole(name) => name.is_some(),
        };
        names || self.blocked == Some(true)
    }
}

/// When the edits of many reports have their turn: first who is who, then whatever may bring somebody into the book, last
/// what is only said of those who are there. So the same reports, told again, find everything as they left it, in
/// whichever order they stand. Between the edits of one turn their times decide.
pub fn turn(edit: &Edit) -> u8 {
    match edit.act {
        Act::Learn { .. } => 0,
        _ if edit.require.contact.is_none() => 1,
        _ => 2,
    }
}

/// The time at which something was seen, if that can be: no time of ours lies in the future, else it would win over
/// everything that is written until then; a clock that runs ahead by minutes is taken for now.
pub fn believable(told: Moment, now: Moment, field: &'static str) -> Result<Moment, Invalid> {
    if told > now.plus(LEAD) {
        return Err(Invalid::new(field, "lies in the future: what was seen cannot be later than now"));
    }
    if told >= EARLIEST {
        return Ok(told.min(now));
    }
    let as_seconds = Moment::from_millis(told.millis().saturating_mul(1000));
    Err(Invalid::new(
        field,
        if as_seconds >= EARLIEST && as_seconds <= now.plus(LEAD) {
            "lies before 2009, and looks like seconds: write milliseconds since 1970, or RFC 3339"
        } else {
            "lies before 2009, when there was no WhatsApp"
        },
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Moment = Moment::from_millis(1_800_000_000_000);

    fn lid() -> ChatId {
        "999888777@lid".parse().unwrap()
    }

    fn seen() -> Observation {
        Observation::new(lid(), NOW, Source::known("phone-1"))
    }

    fn name(text: &str) -> Option<NamePart> {
        NamePart::parse(text, "name").unwrap()
    }

    #[test]
    fn one_report_is_a_mapping_then_a_sighting_then_what_the_owner_wrote() {
        let mut all = Observation { push: name("Ali"), blocked: Some(true), ..seen() };
        all.other = Some(*ChatId::phone("15551234567").unwrap().digits());
        let acts: Vec<_> = all.edits().map(|edit| edit.act).collect();
        assert!(matches!(acts.as_slice(), [Act::Learn { .. }, Act::See(_), Act::Save(_)]), "{acts:?}");
    }

    #[test]
    fn what_says_nothing_makes_no_contact() {
        for text in ["-", "999888777", " - "] {
            assert_eq!(Observation { push: name(text), ..seen() }.edits().count(), 0, "{text}");
        }
        let clears = Observation { blocked: Some(false), saved: SavedPatch::Whole(None), ..seen() };
        let edits: Vec<_> = clears.edits().collect();
        assert_eq!(edits[0].require.contact, Some(Precondition::Present));
        assert_eq!(seen().edits().count(), 0);
    }

    #[test]
    fn absurd_times_are_refused_and_clocks_a_little_ahead_are_now() {
        let minutes = |n: i64| Moment::from_millis(NOW.millis() + n * 60_000);
        assert_eq!(believable(minutes(4), NOW, "at"), Ok(NOW));
        assert_eq!(believable(minutes(-4), NOW, "at"), Ok(minutes(-4)));
        let why = |at| believable(at, NOW, "at").unwrap_err().to_string();
        assert!(why(minutes(6)).contains("in the future"));
        assert!(why(Moment::from_millis(1_700_000_000)).contains("looks like seconds"));
        for millis in [0, -1, i64::MIN, 1_230_767_999_999] {
            assert!(why(Moment::from_millis(millis)).contains("no WhatsApp"), "{millis}");
        }
        assert!(why(Moment::from_millis(i64::MAX)).contains("in the future"));
    }

    proptest! {
        #[test]
        fn no_time_that_is_believed_lies_in_the_future(millis in any::<i64>()) {
            if let Ok(at) = believable(Moment::from_millis(millis), NOW, "at") {
                prop_assert!(EARLIEST <= at && at <= NOW);
            }
        }
    }
}

//! A message: who wrote, under which name, by which of their ids, and when. WAHA's own fields (`from`, `to`, `participant`,
//! `fromMe`, `timestamp` in seconds) are those of <https://waha.devlike.pro/docs/how-to/events/#message>; names and other ids
//! stand in `_data`, as the engine has them: WEBJS (whatsapp-web.js) `notifyName`, `author`, `id.remote`; NOWEB (Baileys)
//! `pushName`, `verifiedBizName` and in `key` `remoteJid`, `remoteJidAlt`, `participant`, `participantAlt`, in versions
//! before 7 `senderPn`, `senderLid`, `participantPn`, `participantLid`; GOWS (whatsmeow's MessageInfo) `Info.PushName`,
//! `Info.Chat`, `Info.Sender`, `Info.SenderAlt`, `Info.RecipientAlt`, `Info.VerifiedName`. That `from` may be a LID while the
//! phone stands in `_data`: github.com/devlikeapro/waha issues 1608 and 1724.

use serde_json::Value;

use super::{Event, NOT_A_CONTACT, OWN, SOURCE, Said, contact_at, id_at, millis, name_at};
use crate::domain::{ChatId, Digits, Observation, believable};

const PUSHNAMES: [&str; 3] = ["/_data/notifyName", "/_data/pushName", "/_data/Info/PushName"];
const BUSINESS_NAMES: [&str; 2] = ["/_data/verifiedBizName", "/_data/Info/VerifiedName/Details/verifiedName"];

/// In which chat the account wrote. `from` comes last: with some engines it is the account, with others the chat.
const CHATS: [&str; 5] = ["/_data/key/remoteJid", "/_data/Info/Chat", "/_data/id/remote", "/to", "/from"];
const PARTICIPANTS: [&str; 5] =
    ["/participant", "/_data/author", "/author", "/_data/key/participant", "/_data/Info/Sender"];

/// Where the other id of the same person may stand: of who wrote to the account, of who wrote in a group, of whom the
/// account wrote to. What is of the same kind as the known one is passed over.
const OTHERS: [&str; 6] = [
    "/_data/key/remoteJidAlt",
    "/_data/key/senderPn",
    "/_data/key/senderLid",
    "/_data/Info/SenderAlt",
    "/_data/key/remoteJid",
    "/_data/Info/Sender",
];
const OTHERS_IN_GROUPS: [&str; 6] = [
    "/_data/key/participantAlt",
    "/_data/key/participantPn",
    "/_data/key/participantLid",
    "/_data/Info/SenderAlt",
    "/_data/key/participant",
    "/_data/Info/Sender",
];
const OTHERS_OF_RECIPIENTS: [&str; 2] = ["/_data/key/remoteJidAlt", "/_data/Info/RecipientAlt"];

/// A message that somebody wrote says what they call themselves and, outside of groups, when the conversation last moved.
/// One that the account wrote says only the latter: the name in it is the account's.
pub fn read(event: &Event<'_>, payload: &Value) -> Said {
    let at = match payload.get("timestamp").and_then(|seconds| millis(seconds, 1000.0)) {
        Some(told) => believable(told, event.now, "payload.timestamp"),
        None => event.sent_at(),
    };
    let at = match at {
        Ok(at) => at,
        Err(invalid) => return Ok(vec![Err(invalid)]),
    };
    let is_from_me = ["/fromMe", "/_data/key/fromMe", "/_data/Info/IsFromMe"];
    let is_from_me = is_from_me.iter().find_map(|place| payload.pointer(place)?.as_bool()).unwrap_or(false);
    let observation = if is_from_me {
        let who = recipient(event, payload)?;
        let other = other(event, payload, who, &OTHERS_OF_RECIPIENTS);
        Observation { other, last_message_at: Some(at), ..Observation::new(who, at, SOURCE) }
    } else {
        let (who, in_group) = sender(payload)?;
        if event.is_own(who) {
            return Err(OWN);
        }
        Observation {
            other: other(event, payload, who, if in_group { &OTHERS_IN_GROUPS } else { &OTHERS }),
            push: name_at(payload, &PUSHNAMES),
            business: name_at(payload, &BUSINESS_NAMES),
            last_message_at: (!in_group).then_some(at),
            ..Observation::new(who, at, SOURCE)
        }
    };
    Ok(vec![Ok(observation)])
}

/// A group, a broadcast list and a channel are no contacts; whoever wrote there is one.
fn sender(payload: &Value) -> Result<(ChatId, bool), &'static str> {
    if let Some(who) = contact_at(payload, "/from") {
        return Ok((who, false));
    }
    let participant = PARTICIPANTS.iter().find_map(|place| contact_at(payload, place));
    participant.map(|who| (who, true)).ok_or(NOT_A_CONTACT)
}

fn recipient(event: &Event<'_>, payload: &Value) -> Result<ChatId, &'static str> {
    let mut why = NOT_A_CONTACT;
    for place in CHATS {
        let Some(id) = id_at(payload, place).filter(|id| id.contains('@')) else { continue };
        match id.parse() {
            Ok(who) if event.is_own(who) => why = OWN,
            Ok(who) => return Ok(who),
            // The chat is a group: nobody in particular was written to.
            Err(_) => return Err(NOT_A_CONTACT),
        }
    }
    Err(why)
}

fn other(event: &Event<'_>, payload: &Value, who: ChatId, places: &[&str]) -> Option<Digits> {
    let ids = places.iter().filter_map(|place| contact_at(payload, place));
    let other = ids.into_iter().find(|id| id.is_phone() != who.is_phone() && !event.is_own(*id));
    other.map(|id| *id.digits())
}

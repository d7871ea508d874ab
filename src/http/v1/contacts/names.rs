//! Names explained: every name of a contact with who wrote it and when, why the shown one is shown, the saved names it had
//! before, the ids under which it is known, numbers that may be the same phone; and the undoing of a rename.

use actix_web::web::Data;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{
    Answer, TAG,
    conditions::Conditions,
    edit, enter, ok, settle,
    shown::{JsonNames, JsonOutcome},
    tagged, who,
};
use crate::{
    book::{Candidate, EarlierName, NameStory},
    domain::{Act, Error, Mapping, NamePart, Stamp},
    gateway::Scope,
    http::{Door, problem::Errors, room::Heard, schemas::ChatIdText, time::rfc3339},
};

#[derive(OpenApi)]
#[openapi(paths(names, undo))]
pub struct Description;

/// Every name, who wrote it and when, and why the shown one is shown. Candidates are suggestions: nothing merges by them.
#[utoipa::path(get, path = "/instances/{i}/contacts/{chat_id}/names", tag = TAG,
    params(("i" = String, Path), ("chat_id" = ChatIdText, Path)),
    responses((status = 200, description = "all names", body = Explained), Errors))]
pub async fn names(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsRead)?;
    let story = session.name_story(who(&heard)?).await?.ok_or(Error::NoContact)?;
    Ok(tagged(ok(), story.contact.revision).json(Explained::from(&story)))
}

/// Takes back the last change of the saved name; twice takes back the first undoing. 404 when there is no earlier name.
#[utoipa::path(post, path = "/instances/{i}/contacts/{chat_id}/names/undo", tag = TAG,
    params(("i" = String, Path), ("chat_id" = ChatIdText, Path), Conditions),
    responses((status = 200, description = "the contact with its earlier name", body = JsonOutcome), Errors))]
pub async fn undo(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsWrite)?;
    settle(&session, edit(&heard, Act::UndoName, None)?).await
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedNames)]
pub struct Explained {
    #[schema(example = "15551234567@c.us")]
    chat_id: String,
    phone: Option<String>,
    lid: Option<String>,
    shown: ShownName,
    #[serde(flatten)]
    names: JsonNames,
    /// Saved names that were replaced, newest first; the newest sixteen are kept.
    earlier: Vec<Earlier>,
    /// Which LID was reported to be which phone, newest first.
    mappings: Vec<ReportedMapping>,
    /// Other numbers that may be the same phone.
    candidates: Vec<Suggestion>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ShownName {
    name: String,
    /// `saved`, `business`, `push`, `number` or `lid`.
    because: &'static str,
    sentence: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EarlierName)]
struct Earlier {
    first: Option<String>,
    last: Option<String>,
    full: Option<String>,
    saved_at: Option<String>,
    source: Option<String>,
    /// The contact's revision with which it was replaced.
    replaced_with_revision: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReportedMapping {
    lid: String,
    phone: String,
    at: String,
    source: String,
    /// Whether nothing newer contradicts it.
    holds: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Suggestion {
    /// The other number.
    #[schema(example = "551187654321")]
    phone: String,
    why: &'static str,
    /// Who has that number, if the book holds them.
    contact: Option<SuggestedContact>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SuggestedContact {
    chat_id: String,
    shown: String,
}

impl From<&NameStory> for Explained {
    fn from(NameStory { contact, earlier, mappings, candidates }: &NameStory) -> Self {
        let (name, by) = contact.shown();
        Self {
            chat_id: contact.chat_id().to_string(),
            phone: contact.phone.map(|digits| digits.to_string()),
            lid: contact.lid.map(|digits| format!("{digits}@lid")),
            shown: ShownName { name, because: by.word(), sentence: by.sentence() },
            names: JsonNames::from(&contact.names),
            earlier: earlier.iter().map(Earlier::from).collect(),
            mappings: mappings.iter().map(ReportedMapping::from).collect(),
            candidates: candidates.iter().map(Suggestion::from).collect(),
        }
    }
}

impl From<&EarlierName> for Earlier {
    fn from(EarlierName { saved, revision }: &EarlierName) -> Self {
        let part = |part: &Option<NamePart>| part.as_ref().map(|name| name.as_str().to_owned());
        Self {
            first: part(&saved.first),
            last: part(&saved.last),
            full: saved.full(),
            saved_at: saved.by.as_ref().map(|by| rfc3339(by.at)),
            source: saved.by.as_ref().map(|by| by.word().to_owned()),
            replaced_with_revision: revision.number(),
        }
    }
}

impl From<&(Mapping, bool)> for ReportedMapping {
    fn from((mapping, holds): &(Mapping, bool)) -> Self {
        let Stamp { at, source } = &mapping.by;
        Self {
            lid: format!("{}@lid", mapping.lid),
            phone: mapping.phone.to_string(),
            at: rfc3339(*at),
            source: source.as_str().to_owned(),
            holds: *holds,
        }
    }
}

impl From<&Candidate> for Suggestion {
    fn from(candidate: &Candidate) -> Self {
        let shown = |contact: &crate::domain::Contact| SuggestedContact {
            chat_id: candidate.chat_id().to_string(),
            shown: contact.display(),
        };
        Self {
            phone: candidate.variant.phone.digits().to_string(),
            why: candidate.variant.why,
            contact: candidate.contact.as_ref().map(shown),
        }
    }
}

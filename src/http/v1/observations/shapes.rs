//! For the API description only: what a body of observations looks like. Who reads one is next door (`many`).

use utoipa::ToSchema;

use crate::http::schemas::{ChatIdText, LidText, LoosePhoneText, NameText, described, or_anything};

/// What phones saw. Each row has a chat id and at least one thing that was seen.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `many::rows` reads")]
pub struct ManyObservations {
    #[schema(value_type = Vec<ObservationRow>)]
    observations: Vec<ObservationFields>,
    /// Who saw it all, where a row does not say; `phone`, if not given.
    #[schema(pattern = "^[a-z0-9_.-]{1,32}$", example = "phone-1")]
    source: Option<String>,
}

described!(ObservationRow = "ObservationRow", ObservationFields, or_anything);

/// What was seen of one chat id.
#[derive(ToSchema)]
#[schema(as = Observation)]
#[expect(dead_code, reason = "describes what `many::observation` reads")]
pub struct ObservationFields {
    #[schema(value_type = ChatIdText)]
    chat_id: String,
    /// Of a LID: the phone of the same person.
    #[schema(value_type = Option<LoosePhoneText>)]
    phone: Option<String>,
    /// Of a phone: the LID of the same person.
    #[schema(value_type = Option<LidText>)]
    lid: Option<String>,
    /// What the contact calls itself. Blank, `-` and the bare number say nothing.
    #[schema(value_type = Option<NameText>)]
    pushname: Option<String>,
    /// Its verified business name.
    #[schema(value_type = Option<NameText>)]
    business_name: Option<String>,
    /// The saved name as the phone has it; null: it has none.
    saved: Option<ObservedName>,
    blocked: Option<bool>,
    last_message_at: Option<When>,
    /// When it was seen; now, if not given. From 2009 on; a clock at most five minutes ahead is taken for now.
    at: Option<When>,
    /// Who saw it.
    #[schema(pattern = "^[a-z0-9_.-]{1,32}$")]
    source: Option<String>,
}

/// By its parts or whole; beside a part the whole is not read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `many::saved` reads")]
pub struct ObservedName {
    #[schema(value_type = Option<NameText>)]
    first: Option<String>,
    #[schema(value_type = Option<NameText>)]
    last: Option<String>,
    #[schema(value_type = Option<NameText>)]
    full: Option<String>,
}

/// RFC 3339, or milliseconds since 1970.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `many::moment` reads")]
pub enum When {
    #[schema(format = DateTime)]
    Text(String),
    Millis(i64),
}

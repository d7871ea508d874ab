//! Floor 0, the words: what a chat id, a name, a contact and an edit are, and the rules between them.
//! Leaves out all I/O, all JSON and the clock; every time arrives as a `Moment`.

mod card;
mod chat_id;
mod contact;
mod decide;
mod edit;
mod error;
mod fold;
mod instance;
mod mapping;
mod moment;
mod name;
mod observation;
mod observed;
mod register;
mod revision;
mod sync;
mod times;
mod unite;
mod variants;
mod who;

pub use card::{Card, CardPatch, Kind};
pub use chat_id::{ChatId, Digits};
pub use contact::{Contact, ContactId};
pub use decide::{Verdict, decide};
pub use edit::{Act, Change, Edit, Field, IdempotencyKey, Outcome, Patch, Precondition, Require, SavedPatch, Timing};
pub use error::{Error, Invalid, Result};
pub use fold::fold;
pub use instance::InstanceId;
pub use mapping::Mapping;
pub use moment::Moment;
pub use name::{NamePart, Names, Saved, Seen, ShownBy, Source, Stamp};
pub use observation::Sighting;
pub use observed::{Observation, believable, turn};
pub use register::{Entry, Register, RegisterAct, RegisterEdit};
pub use revision::{Epoch, Revision};
pub use sync::{Mark, News, Print, Sync, SyncState};
pub use times::Times;
pub use unite::unite;
pub use variants::{Variant, variants};
pub use who::{VendorId, Who};

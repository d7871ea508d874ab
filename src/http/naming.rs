//! What the dialects of WAHA's family mean by a first and a last name: which of them keeps, sets or clears a part of the
//! saved name. Leaves out where they stand and what they are called.

use crate::domain::{Field, Invalid, NamePart, Patch, SavedPatch};

/// Not given keeps, null and blank text clear.
pub fn part(given: Option<Option<&str>>, field: &'static str) -> Result<Field<NamePart>, Invalid> {
    Ok(match given {
        None => Field::Keep,
        Some(text) => Field::from(text.map(|text| NamePart::parse(text, field)).transpose()?.flatten()),
    })
}

/// First given: the name becomes first + last, no last name given means none. Only last given: the first name stays.
/// Neither: the contact is made sure of, its name left alone.
pub fn renamed(first: Field<NamePart>, last: Field<NamePart>) -> Patch {
    let last = match last {
        Field::Keep if first != Field::Keep => Field::Clear,
        last => last,
    };
    Patch { saved: SavedPatch::Parts { first, last }, ..Patch::default() }
}

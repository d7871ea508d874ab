//! The vendors' tongues, a folder each. None knows of another.

pub mod superwaba;
pub mod wawp;

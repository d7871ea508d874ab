//! The vendors' tongues, a folder each. None knows of another.

pub mod wacr;
pub mod wawp;

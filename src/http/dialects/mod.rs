//! The vendors' tongues, a folder each. None knows of another.

pub mod hypersender;
pub mod superwaba;
pub mod wacr;
pub mod waha;
pub mod wawp;

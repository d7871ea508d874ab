//! Companions: the linked phone or other gateway to which an instance's saved names leave and from which names come. Here
//! is what any of them can do, in our own words, and `NoCompanion`, which is honest about doing nothing. Leaves out which
//! one an instance has (gateway) and what is still to be told (book).

mod health;
mod pace;
mod reconcile;
mod registry;
mod trouble;
mod waha;
mod walk;
mod worker;

use std::pin::Pin;

pub use health::{Health, HealthState};
pub use registry::Companions;
pub use trouble::{Blame, Trouble};
pub use waha::parse_url;
pub use worker::Pulled;

use crate::domain::{ChatId, Digits, NamePart, Saved};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// A window of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub limit: usize,
    pub offset: usize,
}

/// What a companion can do. Each verb can be repeated without harm.
pub trait Companion: Send + Sync + 'static {
    /// Saves this name for this chat id; no error means that it was taken.
    fn save<'a>(&'a self, who: ChatId, name: &'a Saved) -> Answer<'a, ()>;

    /// Takes the saved name of this chat id away.
    fn remove(&self, who: ChatId) -> Answer<'_, ()>;

    fn lookup(&self, who: ChatId) -> Answer<'_, Met>;

    /// Fewer than asked for means that there are no more.
    fn contacts(&self, window: Window) -> Answer<'_, Page<Met>>;

    fn mappings(&self, window: Window) -> Answer<'_, Page<Mapped>>;
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What could be read of it.
    pub rows: Vec<T>,
    /// How many there were, with those that are none of ours or that nobody can read.
    pub listed: usize,
    /// The first of them, as it stood there: a list that begins anew where it should go on is recognised by it.
    pub first: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), listed: 0, first: None }
    }
}

/// A contact as the companion shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    pub who: ChatId,
    pub saved: There,
    pub push: Option<NamePart>,
}

/// The saved name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// It was not mentioned, or cannot be read.
    Unsaid,
    /// The companion says that none is saved.
    Nothing,
    Named(Saved),
}

/// A LID and its phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    pub lid: Digits,
    pub phone: Digits,
}

/// No companion. What is saved stays here, and nothing comes from outside.
pub struct NoCompanion;

impl Companion for NoCompanion {
    fn save<'a>(&'a self, _: ChatId, _: &'a Saved) -> Answer<'a, ()> {
        Box::pin(async { Err(NOBODY) })
    }

    fn remove(&self, _: ChatId) -> Answer<'_, ()> {
        Box::pin(async { Err(NOBODY) })
    }

    fn lookup(&self, _: ChatId) -> Answer<'_, Met> {
        Box::pin(async { Err(NOBODY) })
    }

    fn contacts(&self, _: Window) -> Answer<'_, Page<Met>> {
        Box::pin(async { Ok(Page::default()) })
    }

    fn mappings(&self, _: Window) -> Answer<'_, Page<Mapped>> {
        Box::pin(async { Ok(Page::default()) })
    }
}

const NOBODY: Trouble = Trouble::of_companion("none");

//! What one book may come to, at the desk: refused before anything is written. Deleting goes on always: it is the way back.

use crate::{
    book::Book,
    domain::{Error, Result},
    session::Quota,
};

/// As they are when a batch begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    most_contacts: u64,
    /// The bytes in use and how many there may be, once there is no more room.
    exceeded: Option<(u64, u64)>,
}

impl Bounds {
    pub(super) fn of(book: &Book, quota: Quota) -> Result<Self> {
        let bytes = if quota.bytes > 0 { book.bytes()? } else { 0 };
        let exceeded = (quota.bytes > 0 && bytes >= quota.bytes).then_some((bytes, quota.bytes));
        Ok(Self { most_contacts: quota.contacts, exceeded })
    }

    /// Whether anything may be written beside deletions.
    pub(super) fn let_more_in(self) -> Result<()> {
        match self.exceeded {
            Some((now, most)) => Err(Error::OverQuota { of: "bytes", now, most }),
            None => Ok(()),
        }
    }

    /// Whether somebody new may come to so many contacts.
    pub(super) fn let_one_in(self, contacts: u64) -> Result<()> {
        let most = self.most_contacts;
        if most > 0 && contacts >= most {
            return Err(Error::OverQuota { of: "contacts", now: contacts, most });
        }
        Ok(())
    }
}

//! All that the book knows of how one contact is called, read at one moment: its names, those it had before, the ids under
//! which it was known and when, and who else may be the same person. Leaves out why one of the names is shown (domain).

use crate::{
    book::{EarlierName, Reader, fault},
    domain::{ChatId, Contact, Mapping, Result, Variant, Who, variants},
};

#[derive(Debug, Clone)]
pub struct NameStory {
    pub contact: Contact,
    /// Newest first.
    pub earlier: Vec<EarlierName>,
    /// Newest first, and whether each holds.
    pub mappings: Vec<(Mapping, bool)>,
    pub candidates: Vec<Candidate>,
}

/// Another way in which the phone may be written, and who has it.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub variant: Variant,
    pub contact: Option<Contact>,
}

impl Reader {
    pub fn name_story(&self, who: &Who) -> Result<Option<NameStory>> {
        // All of it from one state of the book, whatever is written meanwhile.
        let _snapshot = self.connection.unchecked_transaction().map_err(fault::meaning)?;
        let Some(contact) = self.get(who)? else { return Ok(None) };
        let earlier = self.earlier_names(contact.id)?;
        let mut mappings = Vec::new();
        for id in contact.chat_ids() {
            for (mapping, holds) in self.mapping_history(&id)? {
                if !mappings.iter().any(|(known, _): &(Mapping, bool)| known.is_of_same_pair(&mapping)) {
                    mappings.push((mapping, holds));
                }
            }
        }
        mappings.sort_by_key(|(mapping, _)| std::cmp::Reverse(mapping.by.at));
        let candidates = self.candidates(&contact)?;
        Ok(Some(NameStory { contact, earlier, mappings, candidates }))
    }

    fn candidates(&self, contact: &Contact) -> Result<Vec<Candidate>> {
        let Some(phone) = contact.phone else { return Ok(Vec::new()) };
        let variants = variants(&phone);
        let whom: Vec<_> = variants.iter().map(|variant: &Variant| Who::Chat(variant.phone)).collect();
        let found = self.get_many(&whom)?;
        Ok(variants.into_iter().zip(found).map(|(variant, contact)| Candidate { variant, contact }).collect())
    }
}

impl Candidate {
    /// The id by which whoever has it is shown; else the number itself.
    pub fn chat_id(&self) -> ChatId {
        self.contact.as_ref().map_or(self.variant.phone, Contact::chat_id)
    }
}

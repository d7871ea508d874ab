//! Contacts one by one: list, create, fetch, update, delete.

use actix_web::web::Data;

use super::{
    Answer, TAG,
    contact::{self, ContactFields, ContactJson, NewContactFields},
    contact_id, enter,
    entry::Included,
    envelope::{Envelope, Nothing, created, done, gone, listed, shown},
    filters,
    paging::{LooseNumber, Window},
    problem::{Creating, Deleting, Errors, Fetching, Listing, Updating},
};
use crate::{
    domain::{Error, Precondition, Who},
    gateway::Scope,
    http::{Door, room::Heard},
};

/// Contacts by page; `filter[type|status_id|source_id|assigned_id|created_at|group_id]`, each also with `[gte]`, `[lte]`, `[gt]`, `[lt]`, `[ne]`, `[like]`, `[in]`, `[not_in]`, `[between]` and `[null]`.
#[utoipa::path(get, path = "/contacts", operation_id = "wacr_list_contacts", tag = TAG, params(
    ("page" = Option<LooseNumber>, Query), ("per_page" = Option<LooseNumber>, Query, description = "15 if not given, at most 100"),
    ("sort" = Option<String>, Query, description = "`id`, `firstname`, `lastname`, `created_at`, `updated_at`; a comma list, `-` before one turns it round"),
    ("search" = Option<String>, Query, description = "in names, e-mail, phone and company; also `q`"),
    ("include" = Option<String>, Query, description = "`groups`, `source`, `status`; a comma list"),
    ("fields" = Option<String>, Query, description = "taken, without effect, as with the vendor"), filters::Filters),
    responses((status = 200, description = "the contacts", body = Envelope<Vec<ContactJson>>), Errors))]
pub async fn list(heard: Heard, door: Data<Door>) -> Answer<Listing> {
    let session = enter(&door, &heard, Scope::ContactsRead)?;
    let (params, window) = (heard.params(), Window::hear(&heard));
    let page = session.page(filters::page(&params, &window)?).await?;
    let included = Included::asked_for(&session, &params).await?;
    let contacts: Vec<_> = page.contacts.iter().map(|contact| ContactJson::new(contact, &included)).collect();
    let figures = window.figures(page.total, contacts.len());
    Ok(listed(contacts, figures))
}

/// A new contact.
#[utoipa::path(post, path = "/contacts", operation_id = "wacr_create_contact", tag = TAG, request_body = NewContactFields,
    responses((status = 201, description = "created", body = Envelope<ContactJson>), Errors))]
pub async fn create(heard: Heard, door: Data<Door>) -> Answer<Creating> {
    let session = enter(&door, &heard, Scope::ContactsWrite)?;
    let edit = contact::creation(&heard.json()?, Precondition::Absent)?;
    let outcome = session.edit(edit).await?;
    let included = Included::groups_of(&session, &outcome.contact).await?;
    Ok(created(ContactJson::new(&outcome.contact, &included), "Contact created successfully"))
}

/// One contact.
#[utoipa::path(get, path = "/contacts/{id}", operation_id = "wacr_get_contact", tag = TAG,
    params(("id" = i64, Path), ("include" = Option<String>, Query, description = "`groups`, `source`, `status`; a comma list")),
    responses((status = 200, description = "the contact", body = Envelope<ContactJson>), Errors))]
pub async fn fetch(heard: Heard, door: Data<Door>) -> Answer<Fetching> {
    let session = enter(&door, &heard, Scope::ContactsRead)?;
    let contact = session.get(Who::Id(contact_id(&heard))).await?.ok_or(Error::NoContact)?;
    let included = Included::asked_for(&session, &heard.params()).await?;
    Ok(shown(ContactJson::new(&contact, &included)))
}

/// Change some fields of a contact. `groups` takes the place of the present ones.
#[utoipa::path(patch, path = "/contacts/{id}", operation_id = "wacr_update_contact", tag = TAG, params(("id" = i64, Path)), request_body = ContactFields,
    responses((status = 200, description = "updated", body = Envelope<ContactJson>), Errors))]
pub async fn update(heard: Heard, door: Data<Door>) -> Answer<Updating> {
    let session = enter(&door, &heard, Scope::ContactsWrite)?;
    let edit = contact::change(&heard.json()?, contact_id(&heard))?;
    let outcome = session.edit(edit).await?;
    let included = Included::groups_of(&session, &outcome.contact).await?;
    Ok(done(ContactJson::new(&outcome.contact, &included), "Contact updated successfully"))
}

/// Delete a contact.
#[utoipa::path(delete, path = "/contacts/{id}", operation_id = "wacr_delete_contact", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "deleted", body = Envelope<Nothing>), Errors))]
pub async fn delete(heard: Heard, door: Data<Door>) -> Answer<Deleting> {
    let session = enter(&door, &heard, Scope::ContactsDelete)?;
    session.edit(contact::deletion(contact_id(&heard).0)).await?;
    Ok(gone("Contact deleted successfully"))
}

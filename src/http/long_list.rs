//! A list of contacts that may be longer than what should lie in memory. Up to a page it is one answer from one
//! snapshot, like any other; beyond, it is sent page by page as the book is walked. If the walk fails midway, the
//! connection breaks off: half a list must not look like a whole one.

use actix_web::{HttpResponse, http::StatusCode, web::Bytes};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::{json, room::tell_outcome};
use crate::{
    book::{Cursor, PageQuery},
    domain::{Contact, Result},
    session::Session,
};

const PAGE: u32 = 10_000;

/// How far the walk has come.
enum Walk {
    On { left: u32, after: Cursor },
    Closing,
    Done,
}

/// `query` has one sort, so that its pages can be walked.
pub async fn answer<T>(session: Session, query: PageQuery) -> Result<HttpResponse>
where
    T: Serialize + for<'c> From<&'c Contact> + 'static,
{
    let (limit, query) = (query.limit, PageQuery { limit: query.limit.min(PAGE), ..query });
    let first = session.page(query.clone()).await?;
    let left = limit - query.limit;
    let Some(after) = first.next.filter(|_| left > 0) else {
        return Ok(json(StatusCode::OK, &first.contacts.iter().map(T::from).collect::<Vec<_>>()));
    };
    let head = chunk::<T>(&first.contacts, b'[');
    let rest = stream::try_unfold(Walk::On { left, after }, move |walk| {
        let (session, query) = (session.clone(), query.clone());
        async move {
            match walk {
                Walk::On { left, after } => step::<T>(&session, query, left, after).await.map(Some),
                Walk::Closing => Ok(Some((Bytes::from_static(b"]"), Walk::Done))),
                Walk::Done => Ok(None),
            }
        }
    });
    tell_outcome("ok");
    let body = stream::iter([Ok(head)]).chain(rest);
    Ok(HttpResponse::Ok().content_type("application/json").streaming(body))
}

async fn step<T>(session: &Session, query: PageQuery, left: u32, after: Cursor) -> Result<(Bytes, Walk)>
where
    T: Serialize + for<'c> From<&'c Contact>,
{
    let limit = left.min(PAGE);
    let page = session.page(PageQuery { limit, after: Some(after), ..query }).await.inspect_err(|error| {
        tracing::warn!(outcome = error.word(), "a list broke off");
    })?;
    let walk = match page.next {
        Some(after) if left > limit => Walk::On { left: left - limit, after },
        _ => Walk::Closing,
    };
    Ok((chunk::<T>(&page.contacts, b','), walk))
}

/// The items, opened by a bracket or, after others, by a comma; not closed.
fn chunk<T>(contacts: &[Contact], opening: u8) -> Bytes
where
    T: Serialize + for<'c> From<&'c Contact>,
{
    if contacts.is_empty() {
        return Bytes::new();
    }
    let items: Vec<T> = contacts.iter().map(T::from).collect();
    let mut text = serde_json::to_vec(&items).expect("contacts are JSON");
    text.pop();
    text[0] = opening;
    text.into()
}

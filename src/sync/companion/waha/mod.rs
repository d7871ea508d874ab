//! The companion `waha`: another gateway that speaks WAHA, over HTTP. Saved names are put one by one, contacts and LIDs
//! are listed page by page. WAHA cannot remove a contact: a removal takes the name away. Every answer is bounded in time
//! and size, and only the guarded way leads outside; neither URLs nor keys nor people reach a log.

mod answer;
mod wire;

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Value, json};

use super::{Answer, Companion, Mapped, Met, Page, Trouble, Window};
use crate::{
    domain::{ChatId, Invalid, NamePart, Saved},
    gateway::CompanionSettings,
    sync::Outside,
};

/// A page of five hundred contacts takes a fiftieth of this.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct Waha {
    outside: Arc<Outside>,
    client: Client,
    base: Url,
    session: String,
    api_key: Option<String>,
    timeout: Duration,
}

impl Waha {
    pub fn new(settings: &CompanionSettings, outside: Arc<Outside>) -> Result<Self, Trouble> {
        let unusable = || Trouble::of_companion("unusable");
        Ok(Self {
            client: outside.client().ok_or_else(unusable)?.clone(),
            outside,
            base: Url::parse(&settings.url).map_err(|_| unusable())?,
            session: settings.session.clone(),
            api_key: settings.api_key.clone(),
            timeout: TIMEOUT,
        })
    }

    #[cfg(test)]
    fn impatient(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// A request below `…/api`; the segments are encoded here.
    fn request(&self, method: Method, segments: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("api").extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url).timeout(self.timeout);
        match &self.api_key {
            Some(key) => request.header("X-Api-Key", key),
            None => request,
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Vec<u8>, Trouble> {
        // Whatever was allowed when it was set: an address in place of a name is asked of no resolver.
        self.outside.read(self.base.as_str()).map_err(|_| Trouble::of_companion("not_public"))?;
        let mut response = request.send().await.map_err(|error| answer::broken_off(&error))?;
        let (status, wait) = (response.status().as_u16(), answer::retry_after(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| answer::broken_off(&error))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Trouble::unclear("too_large"));
            }
            body.extend_from_slice(&chunk);
        }
        answer::judge(status, &body).map_err(|trouble| trouble.with_wait(wait))?;
        Ok(body)
    }

    async fn put(&self, who: ChatId, first: &str, last: &str) -> Result<(), Trouble> {
        let segments = [&self.session, "contacts", &who.to_string()];
        let names = json!({"firstName": first, "lastName": last});
        let body = self.ask(self.request(Method::PUT, &segments, &[]).json(&names)).await?;
        if body.trim_ascii().is_empty() {
            return Ok(());
        }
        let said: Value = serde_json::from_slice(&body).map_err(|_| Trouble::unclear("garbage"))?;
        if said["success"] == false { Err(Trouble::of_contact("not_taken")) } else { Ok(()) }
    }

    async fn list(&self, segments: &[&str], session: Option<&str>, window: Window) -> Result<Vec<u8>, Trouble> {
        let (limit, offset) = (window.limit.to_string(), window.offset.to_string());
        let mut query = vec![("limit", &*limit), ("offset", &*offset)];
        if let Some(session) = session {
            // By id: an order that a new name does not change.
            query.extend([("session", session), ("sortBy", "id"), ("sortOrder", "asc")]);
        }
        self.ask(self.request(Method::GET, segments, &query)).await
    }
}

impl Companion for Waha {
    fn save<'a>(&'a self, who: ChatId, name: &'a Saved) -> Answer<'a, ()> {
        let part = |part: &'a Option<NamePart>| part.as_ref().map_or("", NamePart::as_str);
        Box::pin(self.put(who, part(&name.first), part(&name.last)))
    }

    fn remove(&self, who: ChatId) -> Answer<'_, ()> {
        Box::pin(self.put(who, "", ""))
    }

    fn lookup(&self, who: ChatId) -> Answer<'_, Met> {
        Box::pin(async move {
            let query = [("contactId", &*who.to_string()), ("session", &self.session)];
            wire::contact(&self.ask(self.request(Method::GET, &["contacts"], &query)).await?)
        })
    }

    fn contacts(&self, window: Window) -> Answer<'_, Page<Met>> {
        Box::pin(async move { wire::contacts(&self.list(&["contacts", "all"], Some(&self.session), window).await?) })
    }

    fn mappings(&self, window: Window) -> Answer<'_, Page<Mapped>> {
        Box::pin(async move { wire::mappings(&self.list(&[&self.session, "lids"], None, window).await?) })
    }
}

/// Where a companion is, in one spelling: `http` or `https`, without credentials, query or fragment, no slash at its end.
pub fn parse_url(text: &str) -> Result<String, Invalid> {
    let refuse = |why: &'static str| Err(Invalid::new("url", why));
    if text.len() > 1000 {
        return refuse("must not be longer than 1000 characters");
    }
    let Ok(url) = Url::parse(text) else { return refuse("must be a URL such as https://waha.example.com") };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return refuse("must begin with http:// or https:// and name a host");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return refuse("must not have credentials, a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;

//! Pages by number: `page` and `per_page`, the figures in `meta.pagination`, the links beside them. Nothing here is an
//! error: what is no number counts as not given, what is out of range is brought into it.

use form_urlencoded::Serializer;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::room::Heard;

const PER_PAGE: u64 = 15;
const MOST: u64 = 100;

pub struct Window {
    page: u64,
    per_page: u64,
    url: String,
    /// The other parameters that say which page this is: the links keep those.
    query: Vec<(String, String)>,
}

/// For the API description: what is no number counts as not given, what is out of range is brought into it.
#[derive(ToSchema)]
#[schema(as = WacrLooseNumber)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `Window::hear` reads")]
pub enum LooseNumber {
    Number(i64),
    NotGiven(String),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrPagination)]
pub struct Pagination {
    /// On all pages.
    total: u64,
    /// On this page.
    count: u64,
    per_page: u64,
    current_page: u64,
    total_pages: u64,
    has_more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrLinks)]
pub struct Links {
    #[serde(rename = "self")]
    own: String,
    first: String,
    last: String,
    prev: Option<String>,
    next: Option<String>,
}

/// What else stands in a URL is not ours to print again: clients put even tokens there.
fn says_which(name: &str) -> bool {
    matches!(name, "per_page" | "search" | "q" | "sort" | "include" | "fields") || name.starts_with("filter[")
}

impl Window {
    pub fn hear(heard: &Heard) -> Self {
        let params = heard.params();
        let number = |name| params.filled(name).and_then(|text| text.trim().parse().ok());
        let query = params.all().filter(|(name, _)| says_which(name));
        Self {
            page: number("page").unwrap_or(1).max(1),
            per_page: number("per_page").unwrap_or(PER_PAGE).clamp(1, MOST),
            url: heard.url(),
            query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    pub fn limit(&self) -> u32 {
        u32::try_from(self.per_page).unwrap_or(u32::MAX)
    }

    pub fn offset(&self) -> u64 {
        (self.page - 1).saturating_mul(self.per_page)
    }

    /// What is to be said of this page, when so many match and so many of them are on it.
    pub fn figures(&self, total: u64, count: usize) -> (Pagination, Links) {
        let total_pages = total.div_ceil(self.per_page).max(1);
        let has_more = self.page < total_pages;
        let pagination = Pagination {
            total,
            count: count as u64,
            per_page: self.per_page,
            current_page: self.page,
            total_pages,
            has_more,
        };
        let links = Links {
            own: self.link(self.page),
            first: self.link(1),
            last: self.link(total_pages),
            prev: (self.page > 1).then(|| self.link(self.page - 1)),
            next: has_more.then(|| self.link(self.page + 1)),
        };
        (pagination, links)
    }

    fn link(&self, page: u64) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.query).append_pair("page", &page.to_string());
        format!("{}?{}", self.url, query.finish())
    }
}

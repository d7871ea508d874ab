//! How the native list is asked for: sort, search, filters and cursor, all in the query. A parameter that is not known is
//! refused, so that a misspelt filter never shows everything.

use utoipa::IntoParams;

use crate::{
    book::{Cursor, Direction, Filter, FilterField, PageQuery, Sort, Test, Value},
    domain::Invalid,
    http::{params::Params, schemas::Flag, time::parse_rfc3339},
};

const LIMIT: u64 = 100;
const MOST: u64 = 1000;

const SORTS: [(&str, Sort); 5] = [
    ("created", Sort::Created),
    ("updated", Sort::Updated),
    ("name", Sort::Name),
    ("chat_id", Sort::ChatId),
    ("last_message", Sort::LastMessage),
];

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `query` reads")]
pub struct Query {
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// The `next` of the page before; with the same sort, search and filters.
    #[param(pattern = "^(-?(created|updated|name|chat_id|last_message)\\.[A-Za-z0-9_-]+)?$")]
    cursor: Option<String>,
    /// Found anywhere in a name, number, e-mail or company, whatever its case and accents.
    search: Option<String>,
    /// `created` (default), `updated`, `name`, `chat_id` or `last_message`; a `-` before it turns it round.
    #[param(pattern = "^(-?(created|updated|name|chat_id|last_message))?$")]
    sort: Option<String>,
    /// `lead`, `customer` or `guest`.
    #[param(pattern = "^(lead|customer|guest)$")]
    r#type: Option<String>,
    source_id: Option<i64>,
    status_id: Option<i64>,
    assigned_id: Option<i64>,
    group_id: Option<i64>,
    tag: Option<String>,
    #[param(value_type = Option<Flag>)]
    blocked: Option<bool>,
    /// RFC 3339; contacts changed then or later.
    #[param(format = DateTime)]
    updated_since: Option<String>,
    /// RFC 3339; contacts made then or later.
    #[param(format = DateTime)]
    created_since: Option<String>,
}

/// The query, and the sort as it was spelled, which goes into the cursor.
pub fn query(params: &Params<'_>) -> Result<(PageQuery, String), Invalid> {
    let limit = params.number("limit", LIMIT, 1, MOST)?;
    let spelled = params.filled("sort").unwrap_or("created").to_owned();
    let (word, direction) = match spelled.strip_prefix('-') {
        Some(word) => (word, Direction::Descending),
        None => (spelled.as_str(), Direction::Ascending),
    };
    let sort = SORTS.iter().find(|(known, _)| *known == word).map(|(_, sort)| *sort);
    let sort = sort.ok_or_else(|| {
        Invalid::new(
            "sort",
            "must be created, updated, name, chat_id or last_message, with - before it to turn it round",
        )
    })?;
    let after = params.filled("cursor").map(|text| cursor(text, &spelled)).transpose()?;
    let query = PageQuery {
        sort: vec![(sort, direction)],
        search: params.filled("search").map(str::to_owned),
        filters: filters(params)?,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        offset: 0,
        after,
    };
    Ok((query, spelled))
}

/// The cursor as text, with the sort for which it was made.
pub fn cursor_text(cursor: &Cursor, sort: &str) -> String {
    format!("{sort}.{}", cursor.to_text())
}

fn cursor(text: &str, sort: &str) -> Result<Cursor, Invalid> {
    let refuse = |why| Err(Invalid::new("cursor", why));
    let Some((made_for, cursor)) = text.split_once('.') else { return refuse("is not one of ours") };
    if made_for != sort {
        return refuse("belongs to a list with another sort");
    }
    Cursor::from_text(cursor).map_or_else(|| refuse("is not one of ours"), Ok)
}

fn filters(params: &Params<'_>) -> Result<Vec<Filter>, Invalid> {
    let mut filters = Vec::new();
    for (name, text) in params.all() {
        let number = |field: &'static str| {
            text.trim().parse().map(Value::Number).map_err(|_| Invalid::new(field, "must be a whole number"))
        };
        let since =
            |field: &'static str| parse_rfc3339(text, field).map(|at| Test::AtLeast(Value::Number(at.millis())));
        let (field, test) = match name {
            "limit" | "cursor" | "search" | "sort" => continue,
            "type" => {
                let kind: crate::domain::Kind = text.parse()?;
                (FilterField::Kind, Test::Equals(Value::Text(kind.word().to_owned())))
            }
            "source_id" => (FilterField::SourceId, Test::Equals(number("source_id")?)),
            "status_id" => (FilterField::StatusId, Test::Equals(number("status_id")?)),
            "assigned_id" => (FilterField::AssignedId, Test::Equals(number("assigned_id")?)),
            "group_id" => (FilterField::GroupId, Test::Equals(number("group_id")?)),
            "tag" => (FilterField::Tag, Test::Equals(Value::Text(text.to_owned()))),
            "blocked" => {
                let Some(blocked) = params.flag("blocked")? else { continue };
                (FilterField::Blocked, Test::Equals(Value::Number(blocked.into())))
            }
            "updated_since" => (FilterField::UpdatedAt, since("updated_since")?),
            "created_since" => (FilterField::CreatedAt, since("created_since")?),
            _ => return Err(Invalid::new("query", "has a parameter that this list does not know")),
        };
        filters.push(Filter { field, test });
    }
    Ok(filters)
}

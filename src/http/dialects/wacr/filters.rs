//! WA.cr's query language: `filter[field]=value`, `filter[field][operator]=value`, `sort`, `search`. Fields and sorts that
//! are not known are passed over, an operator that is not known means equality, as documented. A value that cannot be
//! read as what its field holds is refused rather than passed over: a list that is longer than asked for misleads.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil};
use utoipa::IntoParams;

use super::paging::Window;
use crate::{
    book::{Direction, Filter, FilterField, PageQuery, Sort, Test, Value},
    domain::Invalid,
    http::{params::Params, schemas::MomentText},
};

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Word,
    Number,
    Time,
    /// Groups: only equality and lists mean something.
    Membership,
}

const FIELDS: [(&str, FilterField, Holds); 6] = [
    ("type", FilterField::Kind, Holds::Word),
    ("status_id", FilterField::StatusId, Holds::Number),
    ("source_id", FilterField::SourceId, Holds::Number),
    ("assigned_id", FilterField::AssignedId, Holds::Number),
    ("created_at", FilterField::CreatedSecond, Holds::Time),
    ("group_id", FilterField::GroupId, Holds::Membership),
];

const SORTS: [(&str, Sort); 5] = [
    ("id", Sort::Created),
    ("firstname", Sort::FirstName),
    ("lastname", Sort::LastName),
    ("created_at", Sort::Created),
    ("updated_at", Sort::Updated),
];

/// For the API description: each field alone, and the operators most used. All operators go with all fields.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `filters` reads")]
pub struct Filters {
    /// `lead`, `customer` or `guest`.
    #[param(rename = "filter[type]")]
    kind: Option<String>,
    #[param(rename = "filter[status_id]")]
    status_id: Option<i64>,
    #[param(rename = "filter[source_id]")]
    source_id: Option<i64>,
    #[param(rename = "filter[assigned_id]")]
    assigned_id: Option<i64>,
    #[param(rename = "filter[group_id]")]
    group_id: Option<i64>,
    /// A comma list: in any of these groups.
    #[param(rename = "filter[group_id][in]", pattern = "^([0-9]{1,18}(,[0-9]{1,18})*)?$")]
    group_ids: Option<String>,
    /// Created then or later: a time, or a date for its midnight in UTC.
    #[param(rename = "filter[created_at][gte]", value_type = Option<MomentText>)]
    created_from: Option<String>,
    #[param(rename = "filter[created_at][lte]", value_type = Option<MomentText>)]
    created_until: Option<String>,
}

/// Values of one list; more is no question that a person asks.
const MOST_VALUES: usize = 1000;

pub fn page(params: &Params<'_>, window: &Window) -> Result<PageQuery, Invalid> {
    Ok(PageQuery {
        sort: sorts(params, &SORTS),
        search: search(params),
        filters: filters(params, &FIELDS)?,
        limit: window.limit(),
        offset: window.offset(),
        ..PageQuery::default()
    })
}

/// The tests of `filter[created_at]`, for lists that are kept elsewhere.
pub fn created_at(params: &Params<'_>) -> Result<Vec<Test>, Invalid> {
    Ok(filters(params, &FIELDS[4..5])?.into_iter().map(|filter| filter.test).collect())
}

pub fn search(params: &Params<'_>) -> Option<String> {
    params.filled("search").or_else(|| params.filled("q")).map(str::to_owned)
}

/// A comma list; `-` turns a sort round. Each is taken once.
pub fn sorts<T: Copy + PartialEq>(params: &Params<'_>, known: &[(&str, T)]) -> Vec<(T, Direction)> {
    let mut sorts: Vec<(T, Direction)> = Vec::new();
    for word in params.text("sort").unwrap_or_default().split(',').map(str::trim) {
        let (word, direction) = match word.strip_prefix('-') {
            Some(word) => (word, Direction::Descending),
            None => (word, Direction::Ascending),
        };
        let sort = known.iter().find(|(name, _)| *name == word).map(|(_, sort)| *sort);
        if let Some(sort) = sort.filter(|sort| !sorts.iter().any(|(taken, _)| taken == sort)) {
            sorts.push((sort, direction));
        }
    }
    sorts
}

fn filters(params: &Params<'_>, known: &[(&str, FilterField, Holds)]) -> Result<Vec<Filter>, Invalid> {
    // Said twice, the last one counts, so there are never more filters than fields and operators.
    let mut asked = BTreeMap::new();
    for (name, value) in params.all() {
        if let Some((field, operator)) = parts(name)
            && let Some(place) = known.iter().position(|(word, ..)| *word == field)
        {
            asked.insert((place, spelled_out(operator)), value);
        }
    }
    let filters = asked.into_iter().filter(|((_, operator), value)| *operator == "null" || !value.trim().is_empty());
    filters
        .map(|((place, operator), value)| {
            let (_, field, holds) = known[place];
            test(holds, operator, value.trim()).map(|test| Filter { field, test })
        })
        .collect()
}

/// `filter[field]` and `filter[field][operator]`
fn parts(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("filter[")?.strip_suffix(']')?;
    Some(rest.split_once("][").unwrap_or((rest, "")))
}

fn spelled_out(operator: &str) -> &'static str {
    match operator {
        "gte" | ">=" => "gte",
        "lte" | "<=" => "lte",
        "gt" | ">" => "gt",
        "lt" | "<" => "lt",
        "ne" | "!=" => "ne",
        "like" => "like",
        "in" => "in",
        "not_in" => "not_in",
        "between" => "between",
        "null" => "null",
        _ => "",
    }
}

fn test(holds: Holds, operator: &str, text: &str) -> Result<Test, Invalid> {
    let one = || value(holds, text);
    let list = || {
        let values: Vec<_> = text.split(',').map(str::trim).collect();
        if values.len() > MOST_VALUES {
            return Err(Invalid::new("filter", "has too many values in a list"));
        }
        values.into_iter().map(|text| value(holds, text)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match operator {
        "ne" => Test::Differs(one()?),
        "in" => Test::OneOf(list()?),
        "not_in" => Test::NoneOf(list()?),
        // What PHP takes for false, and the word itself.
        "null" => Test::Empty(!matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "false")),
        _ if holds == Holds::Membership => Test::Equals(one()?),
        "gte" => Test::AtLeast(one()?),
        "lte" => Test::AtMost(one()?),
        "gt" => Test::MoreThan(one()?),
        "lt" => Test::LessThan(one()?),
        "like" => Test::Contains(text.to_owned()),
        "between" => match <[Value; 2]>::try_from(list()?) {
            Ok([low, high]) => Test::Between(low, high),
            Err(_) => return Err(Invalid::new("filter", "with between needs two values, with a comma between them")),
        },
        _ => Test::Equals(one()?),
    })
}

fn value(holds: Holds, text: &str) -> Result<Value, Invalid> {
    match holds {
        Holds::Word => Ok(Value::Text(text.to_ascii_lowercase())),
        Holds::Number | Holds::Membership => {
            text.parse().map(Value::Number).map_err(|_| Invalid::new("filter", "on an id needs whole numbers"))
        }
        Holds::Time => second(text).map(Value::Number).ok_or_else(|| {
            Invalid::new("filter", "on created_at needs times such as 2026-01-02 or 2026-01-02T03:04:05+00:00")
        }),
    }
}

/// A time with an offset, or without one in UTC; a date is its midnight.
fn second(text: &str) -> Option<i64> {
    let instant = text.parse::<Timestamp>().ok().or_else(|| {
        // A plus that was not encoded arrives as a space.
        let (time, offset) = text.rsplit_once(' ')?;
        format!("{time}+{offset}").parse().ok()
    });
    let plain = || {
        let time: civil::DateTime = text.parse().ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    instant.or_else(plain).map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tests(query: &str) -> Vec<Test> {
        filters(&Params::parse(query), &FIELDS).unwrap().into_iter().map(|filter| filter.test).collect()
    }

    #[test]
    fn every_spelling_of_an_operator() {
        for (query, expected) in [
            ("filter[status_id]=3", Test::Equals(Value::Number(3))),
            ("filter%5Bstatus_id%5D%5B%3E%3D%5D=3", Test::AtLeast(Value::Number(3))),
            ("filter[status_id][lte]=3", Test::AtMost(Value::Number(3))),
            ("filter[status_id][>]=3", Test::MoreThan(Value::Number(3))),
            ("filter[status_id][lt]=3", Test::LessThan(Value::Number(3))),
            ("filter[status_id][!%3D]=3", Test::Differs(Value::Number(3))),
            ("filter[status_id][in]=3, 4", Test::OneOf(vec![Value::Number(3), Value::Number(4)])),
            ("filter[type][not_in]=Lead", Test::NoneOf(vec![Value::Text("lead".into())])),
            ("filter[type][like]=ea", Test::Contains("ea".into())),
            ("filter[status_id][between]=3,4", Test::Between(Value::Number(3), Value::Number(4))),
            ("filter[status_id][null]=1", Test::Empty(true)),
            ("filter[status_id][null]=false", Test::Empty(false)),
            ("filter[status_id][null]=", Test::Empty(false)),
            ("filter[status_id][sounds_like]=3", Test::Equals(Value::Number(3))),
            ("filter[group_id][gte]=3", Test::Equals(Value::Number(3))),
            ("filter[created_at]=2026-01-02", Test::Equals(Value::Number(1_767_312_000))),
            ("filter[created_at]=2026-01-02T03:04:05%2B00:00", Test::Equals(Value::Number(1_767_323_045))),
            ("filter[created_at]=2026-01-02T03:04:05+00:00", Test::Equals(Value::Number(1_767_323_045))),
            ("filter[created_at]=2026-01-02 03:04:05", Test::Equals(Value::Number(1_767_323_045))),
        ] {
            assert_eq!(tests(query), [expected], "{query}");
        }
        assert_eq!(tests("filter[nobody]=1&filter[status_id]=&filter=1&filter[]=2&filter[type"), []);
        assert_eq!(tests("filter[status_id]=1&filter[status_id]=2").len(), 1);
    }

    proptest! {
        #[test]
        fn any_query_is_read_without_a_panic(field in "type|status_id|created_at|group_id|x", operator in "[a-z_]{0,7}|[<>=!]{0,2}", value in any::<String>()) {
            let query: String = form_urlencoded::Serializer::new(String::new())
                .append_pair(&format!("filter[{field}][{operator}]"), &value).append_pair("sort", &value).finish();
            let _ = filters(&Params::parse(&query), &FIELDS);
            let _ = sorts(&Params::parse(&query), &SORTS);
        }
    }
}

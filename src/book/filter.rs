//! Filters of a list: a field, a test, values. What no one column can tell ("is in this group") is said here too.

use rusqlite::types::Value as Sql;

use crate::domain::fold;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterField {
    Kind,
    SourceId,
    StatusId,
    AssignedId,
    CreatedAt,
    /// `CreatedAt` in whole seconds, as most dialects show it; as text, `2026-01-02 03:04:05`.
    CreatedSecond,
    UpdatedAt,
    Blocked,
    Email,
    /// Membership: in this group or in one of these, or not; or in none at all.
    GroupId,
    /// One tag, exactly.
    Tag,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Number(i64),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    Equals(Value),
    Differs(Value),
    AtLeast(Value),
    AtMost(Value),
    MoreThan(Value),
    LessThan(Value),
    /// Text within, whatever its case.
    Contains(String),
    OneOf(Vec<Value>),
    NoneOf(Vec<Value>),
    /// Both ends belong to it.
    Between(Value, Value),
    Empty(bool),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub field: FilterField,
    pub test: Test,
}

impl Test {
    fn membership(&self) -> Option<(&'static str, &[Value])> {
        match self {
            Self::Equals(value) => Some(("IN", std::slice::from_ref(value))),
            Self::OneOf(values) => Some(("IN", values)),
            Self::Differs(value) => Some(("NOT IN", std::slice::from_ref(value))),
            Self::NoneOf(values) => Some(("NOT IN", values)),
            _ => None,
        }
    }
}

impl FilterField {
    fn column(self) -> &'static str {
        match self {
            Self::Kind => "c.kind",
            Self::SourceId => "c.source_id",
            Self::StatusId => "c.status_id",
            Self::AssignedId => "c.assigned_id",
            Self::CreatedAt => "c.created_at",
            Self::CreatedSecond => "c.created_at / 1000",
            Self::UpdatedAt => "c.updated_at",
            Self::Blocked => "c.blocked",
            Self::Email => "c.email_key",
            Self::GroupId => "c.groups",
            Self::Tag => "c.tags",
        }
    }
}

impl Filter {
    pub(super) fn write(&self, conditions: &mut Vec<String>, params: &mut Vec<Sql>) {
        let column = self.field.column();
        if let (FilterField::GroupId, Some((relation, groups))) = (self.field, self.test.membership()) {
            let places = places(groups.len());
            conditions
                .push(format!("c.id {relation} (SELECT contact_id FROM membership WHERE group_id IN ({places}))"));
            params.extend(groups.iter().map(sql));
            return;
        }
        let mut compared = |operator: &str, value: &Value| {
            conditions.push(format!("{column} {operator} ?"));
            params.push(sql(value));
        };
        match (&self.test, self.field) {
            (Test::Equals(value), FilterField::Tag) => {
                conditions.push("EXISTS (SELECT 1 FROM json_each(c.tags) WHERE value = ?)".to_owned());
                params.push(sql(value));
            }
            (Test::Equals(value), _) => compared("=", value),
            (Test::Differs(value), _) => compared("<>", value),
            (Test::AtLeast(value), _) => compared(">=", value),
            (Test::AtMost(value), _) => compared("<=", value),
            (Test::MoreThan(value), _) => compared(">", value),
            (Test::LessThan(value), _) => compared("<", value),
            (Test::Contains(text), FilterField::CreatedSecond) => {
                conditions.push("instr(datetime(c.created_at / 1000, 'unixepoch'), ?) > 0".to_owned());
                params.push(Sql::Text(text.clone()));
            }
            (Test::Contains(text), _) => {
                conditions.push(format!("instr(lower({column}), ?) > 0"));
                params.push(Sql::Text(fold(text)));
            }
            (Test::OneOf(values), _) => {
                conditions.push(format!("{column} IN ({})", places(values.len())));
                params.extend(values.iter().map(sql));
            }
            (Test::NoneOf(values), _) => {
                conditions.push(format!("{column} NOT IN ({})", places(values.len())));
                params.extend(values.iter().map(sql));
            }
            (Test::Between(low, high), _) => {
                conditions.push(format!("{column} BETWEEN ? AND ?"));
                params.extend([sql(low), sql(high)]);
            }
            (Test::Empty(true), _) => conditions.push(format!("{column} IS NULL")),
            (Test::Empty(false), _) => conditions.push(format!("{column} IS NOT NULL")),
        }
    }
}

fn sql(value: &Value) -> Sql {
    match value {
        Value::Number(number) => Sql::Integer(*number),
        Value::Text(text) => Sql::Text(text.clone()),
    }
}

fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

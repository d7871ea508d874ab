//! Spellings that several rooms share, for the API description only: what a chat id, a phone, a LID and a name look like
//! as text. The rules themselves are `domain`'s; here they are said as patterns, so that a generated client or test knows
//! them too.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Schema,
        schema::{AllOfBuilder, AnyOfBuilder, SchemaType, Type},
    },
};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident($pattern:expr, $min:literal, $max:literal, $example:literal);)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some($pattern))
                    .min_length(Some($min))
                    .max_length(Some($max))
                    .examples([$example])
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

/// All but blanks, control characters and what has a meaning of its own in an address.
macro_rules! address {
    ($($more:literal)?) => {
        concat!("[^\\s\\x00-\\x1f\\x7f-\\x9f<>()\\[\\]\\\\,;:\"@", $($more,)? "]")
    };
}

/// A label of a host name: no dot, no hyphen at either end.
macro_rules! label {
    () => {
        concat!(address!(".-"), "(", address!("."), "*", address!(".-"), ")?")
    };
}

texts! {
    /// A phone in one of its spellings, or a LID.
    ChatIdText(r"^(\+?[1-9][0-9]{2,14}(@c\.us|@s\.whatsapp\.net)?|[0-9]{3,20}@lid)$", 3, 31, "15551234567@c.us");
    /// Digits, with at most a leading plus.
    PhoneText(r"^\+?[1-9][0-9]{2,14}$", 3, 16, "15551234567");
    /// A phone number as people write it.
    LoosePhoneText(r"^\+?[1-9][0-9]{2,14}(@c\.us)?$", 3, 21, "15551234567");
    /// A LID, with or without its `@lid`.
    LidText(r"^[0-9]{3,20}(@lid)?$", 3, 24, "999888777@lid");
    /// One line without control characters.
    NameText(r"^[^\x00-\x1f\x7f-\x9f]*$", 0, 255, "Bob");
    /// One line without control characters, not blank.
    FilledText(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", 1, 255, "Bob");
    /// An e-mail address; blank is none.
    EmailText(concat!("^(", address!(), "{1,64}@", label!(), "(\\.", label!(), ")*)?$"), 0, 254, "ahmed@example.com");
    /// An e-mail address, not of the longest; blank is none.
    ShortEmailText(concat!("^(", address!(), "{1,64}@", label!(), "(\\.", label!(), ")*)?$"), 0, 191, "ahmed@example.com");
    /// ISO 3166-1 alpha-2; blank is none.
    CountryText("^([A-Za-z]{2})?$", 0, 2, "AE");
    /// A time, or a date for its midnight in UTC; blank is none.
    MomentText(
        concat!("^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", "(T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(Z|[+]00:00))?)?$"), 0, 25, "2026-01-02T03:04:05Z");
    /// A truth value in another spelling.
    FlagText("^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])?$", 0, 5, "true");
    /// `name` (also when blank) or `id`, in any case.
    SortByText("^([Nn][Aa][Mm][Ee]|[Ii][Dd])?$", 0, 4, "name");
    /// `asc` (also when blank) or `desc`, in any case.
    SortOrderText("^([Aa][Ss][Cc]|[Dd][Ee][Ss][Cc])?$", 0, 4, "asc");
}

/// True or false; `1`, `0` and capitals are taken too, and blank is as good as not given.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `Params::flag` reads")]
pub enum Flag {
    Plain(bool),
    #[schema(value_type = FlagText)]
    Spelled(String),
}

/// Names what is described as a `T`, and more: less than a `T`, or not any.
macro_rules! described {
    ($(#[$doc:meta])* $name:ident = $word:literal, $base:ty, $describe:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $describe(utoipa::openapi::Ref::from_schema_name(<$base as utoipa::ToSchema>::name()))
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                $word.into()
            }

            fn schemas(all: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                let (name, schema) = (<$base as utoipa::ToSchema>::name(), <$base as utoipa::PartialSchema>::schema());
                all.push((name.into_owned(), schema));
                <$base as utoipa::ToSchema>::schemas(all);
            }
        }
    };
}
pub(super) use described;

/// An entry of many.
pub fn or_anything(entry: Ref) -> RefOr<Schema> {
    loosely(entry, SchemaType::AnyValue)
}

/// An entry of many that must at least be an object.
pub fn or_any_object(entry: Ref) -> RefOr<Schema> {
    loosely(entry, Type::Object.into())
}

fn loosely(entry: Ref, kind: SchemaType) -> RefOr<Schema> {
    let why = "What is not as described keeps none of the others out, but is refused in its own result.";
    let other = ObjectBuilder::new().schema_type(kind).description(Some(why));
    Schema::AnyOf(AnyOfBuilder::new().item(entry).item(other).build()).into()
}

/// A body that is a `T` in which, besides, at least one of these fields is given; `null` is as good as given.
pub fn any_of_these<const N: usize>(body: Ref, fields: [&str; N]) -> RefOr<Schema> {
    let given = fields.into_iter().fold(AnyOfBuilder::new(), |any, field| {
        any.item(ObjectBuilder::new().schema_type(Type::Object).required(field))
    });
    AllOfBuilder::new().item(body).item(Schema::AnyOf(given.build())).into()
}

/// A body that is a `T` in which, besides, at most one of two fields is given; `null` is as good as not given.
pub fn one_of_two(body: Ref, fields: [&str; 2]) -> RefOr<Schema> {
    let missing = fields.into_iter().fold(AnyOfBuilder::new(), |any, field| {
        let null = ObjectBuilder::new().schema_type(Type::Null);
        any.item(ObjectBuilder::new().schema_type(Type::Object).property(field, null))
    });
    AllOfBuilder::new().item(body).item(Schema::AnyOf(missing.build())).into()
}

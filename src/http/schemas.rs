//! Spellings that several rooms share, for the API description only: what a chat id, a phone, a LID and a name look like
//! as text. The rules themselves are `domain`'s; here they are said as patterns, so that a generated client or test knows
//! them too.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident($pattern:literal, $min:literal, $max:literal, $example:literal);)*) => {$(
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
}

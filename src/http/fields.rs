//! A JSON object read field by field: absent keeps, null clears, a value of the right kind sets, anything else is refused
//! with the field's name and what it must be. For bodies in which what is missing means something.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    domain::{Field, Invalid, NamePart},
    port::Values,
};

/// JSON has one kind of number: 7.0 is as whole as 7.
pub fn whole(value: &Value) -> Option<i64> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() < (1_u64 << 53) as f64;
    value.as_i64().or_else(|| value.as_f64().filter(exact).map(|number| number as i64))
}

/// Where the values lie by their names.
pub trait ByName {
    fn named(&self, name: &str) -> Option<&Value>;
}

impl ByName for Map<String, Value> {
    fn named(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl ByName for Values {
    fn named(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Fields<V = Map<String, Value>>(V);

impl<V: ByName> Fields<V> {
    pub fn of(values: V) -> Self {
        Self(values)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.named(name).is_some()
    }

    pub fn text(&self, name: &'static str) -> Result<Field<&str>, Invalid> {
        self.read(name, "a string", Value::as_str)
    }

    /// One line of at most 255 code points; blank clears.
    pub fn name(&self, name: &'static str) -> Result<Field<NamePart>, Invalid> {
        self.line(name, NamePart::MOST)
    }

    /// One line of at most `most` code points; blank clears.
    pub fn line(&self, name: &'static str, most: usize) -> Result<Field<NamePart>, Invalid> {
        match self.text(name)? {
            Field::Keep => Ok(Field::Keep),
            Field::Clear => Ok(Field::Clear),
            Field::Set(text) => Ok(Field::from(NamePart::parse_up_to(text, name, most)?)),
        }
    }

    pub fn integer(&self, name: &'static str) -> Result<Field<i64>, Invalid> {
        self.read(name, "a whole number", whole)
    }

    pub fn flag(&self, name: &'static str) -> Result<Field<bool>, Invalid> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub fn texts(&self, name: &'static str) -> Result<Field<Vec<&str>>, Invalid> {
        self.read(name, "an array of strings", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    pub fn integers(&self, name: &'static str) -> Result<Field<Vec<i64>>, Invalid> {
        self.read(name, "an array of whole numbers", |value| value.as_array()?.iter().map(whole).collect())
    }

    pub fn object(&self, name: &'static str) -> Result<Field<&Map<String, Value>>, Invalid> {
        self.read(name, "an object", Value::as_object)
    }

    fn read<'s, T>(
        &'s self,
        name: &'static str,
        must_be: &str,
        read: impl FnOnce(&'s Value) -> Option<T>,
    ) -> Result<Field<T>, Invalid> {
        match self.0.named(name) {
            None => Ok(Field::Keep),
            Some(Value::Null) => Ok(Field::Clear),
            Some(value) => read(value).map(Field::Set).ok_or_else(|| Invalid::new(name, format!("must be {must_be}"))),
        }
    }
}

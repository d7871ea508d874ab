//! What a row says, by the field names of the native API: few, each once, in the order in which they were said. A list that
//! is gone through: a row has about five, and a file a million rows. Leaves out whether a value is right.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Values(Vec<(&'static str, Value)>);

impl Values {
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    pub fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// Takes the place of what was said before.
    pub fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, before)) => *before = value,
            None => self.0.push((field, value)),
        }
    }

    /// What was said before stays.
    pub fn set_if_new(&mut self, field: &'static str, value: Value) {
        if !self.has(field) {
            self.0.push((field, value));
        }
    }

    pub fn remove(&mut self, field: &str) -> Option<Value> {
        let place = self.0.iter().position(|(known, _)| *known == field)?;
        Some(self.0.swap_remove(place).1)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Values> for Value {
    fn from(Values(values): Values) -> Self {
        Self::Object(values.into_iter().map(|(field, value)| (field.to_owned(), value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_is_there_once() {
        let mut values = Values::default();
        values.set("city", "Bonn");
        values.set("name", "Bob");
        values.set("city", "Berlin");
        values.set_if_new("city", Value::Null);
        values.set_if_new("zip", Value::Null);
        assert_eq!(values.remove("name"), Some(json!("Bob")));
        assert_eq!(values.remove("name"), None);
        assert!(values.has("zip") && !values.is_empty());
        assert_eq!(Value::from(values), json!({"city": "Berlin", "zip": null}));
    }
}

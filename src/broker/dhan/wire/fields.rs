//! A JSON object whose keys may come in two casings at once and whose numbers may be strings (dhan-v2.md 3.2).

use std::collections::BTreeMap;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value};

/// The object, its keys folded to lower case without underscores. Where two spellings meet, the first that says
/// something wins.
#[derive(Debug, Clone, Default)]
pub struct Fields(BTreeMap<String, Value>);

/// A value that is there and cannot be what its field needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

fn fold(key: &str) -> String {
    key.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

impl Fields {
    /// Folds an object.
    pub fn new(object: &Map<String, Value>) -> Fields {
        let mut folded: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in object {
            let place = folded.entry(fold(key)).or_insert(Value::Null);
            if says_nothing(place) && !value.is_null() {
                *place = value.clone();
            }
        }
        Fields(folded)
    }

    /// The value of a field, by its name in any casing; `None` when absent or null.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(&fold(name)).filter(|value| !value.is_null())
    }

    /// A field as text, numbers and booleans included; empty when absent.
    pub fn text(&self, name: &str) -> Result<String, Malformed> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(flag)) => Ok(flag.to_string()),
            Some(_) => Err(Malformed),
        }
    }

    /// A field as a number, from a number or a string; `None` when absent, empty or `NA`.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>, Malformed> {
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(Malformed),
        };
        if super::words::is_absent(&text) {
            return Ok(None);
        }
        Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).map(Some).map_err(|_| Malformed)
    }

    /// A field as a whole number; `75`, `75.0` and `"75"` are the same.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Malformed> {
        let Some(number) = self.decimal(name)? else { return Ok(None) };
        if !number.fract().is_zero() {
            return Err(Malformed);
        }
        number.to_i64().map(Some).ok_or(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::new(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap())
    }

    #[test]
    fn two_casings_at_once_are_one_field_and_the_first_that_speaks_wins() {
        let both = fields(r#"{"Series":null,"series":"EQ","OrderNo":"1","orderNo":"2","order_no":"3","X":"","x":"y"}"#);
        assert_eq!(both.text("Series"), Ok("EQ".to_owned()));
        assert_eq!(both.text("orderno"), Ok("1".to_owned()));
        assert_eq!(both.text("X"), Ok("y".to_owned()));
        assert_eq!(both.text("absent"), Ok(String::new()));
    }

    #[test]
    fn numbers_may_be_strings_and_strings_numbers() {
        let f = fields(
            r#"{"a":"75","b":75,"c":75.0,"d":"75.0","e":75.5,"f":"","g":"NA","h":"x","i":1e2,"j":[1],"k":"1e2"}"#,
        );
        for same in ["a", "b", "c", "d"] {
            assert_eq!(f.int(same), Ok(Some(75)), "{same}");
        }
        assert_eq!(f.int("e"), Err(Malformed));
        assert_eq!(f.int("f"), Ok(None));
        assert_eq!(f.int("g"), Ok(None));
        assert_eq!(f.int("h"), Err(Malformed));
        assert_eq!(f.int("i"), Ok(Some(100)));
        assert_eq!(f.int("k"), Ok(Some(100)));
        assert_eq!(f.decimal("j"), Err(Malformed));
        assert_eq!(f.text("j"), Err(Malformed));
        assert_eq!(f.text("b"), Ok("75".to_owned()));
    }
}

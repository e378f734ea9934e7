//! Scalars as Dhan writes them: numbers that may be strings, strings that may be numbers, and five ways to say
//! "nothing": null, "", "NA", "0" and dates of the year 1 (dhan-v2.md 5.4).

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// Largest magnitude that is still a believable number: whole paise of it fit 53 bits.
const LARGEST: f64 = 9e13;

fn number_of(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) => s.trim().parse().ok()?,
        _ => return None,
    };
    (number.is_finite() && number.abs() <= LARGEST).then_some(number)
}

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident, $write:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
        pub struct $name(f64);

        impl $name {
            /// Rupees from paise.
            pub fn from_paise(paise: i64) -> Self {
                Self(paise as f64 / 100.0)
            }

            /// From a number; `None` for NaN, infinities and what nothing costs.
            pub fn new(number: f64) -> Option<Self> {
                (number.is_finite() && number.abs() <= LARGEST).then_some(Self(number))
            }

            /// The number.
            pub const fn get(self) -> f64 {
                self.0
            }

            /// Rupees as paise, to the nearest: 23092.19921875, a widened f32, is 23092.20.
            pub fn paise(self) -> i64 {
                (self.0 * 100.0).round() as i64
            }

            /// The nearest whole number.
            pub fn whole(self) -> i64 {
                self.0.round() as i64
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let write: fn(f64, S) -> Result<S::Ok, S::Error> = $write;
                write(self.0, s)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let value = Value::deserialize(d)?;
                number_of(&value).map(Self).ok_or_else(|| D::Error::custom(format!("{value} is not a number")))
            }
        }
    };
}

number_type! {
    /// A number; written with a decimal point, as the order and chart endpoints do (`0.0`).
    Number, |x, s| s.serialize_f64(x)
}
number_type! {
    /// A number; written without a decimal point when whole, as the quote and chain endpoints do (`0`).
    Plain, |x, s| if x.fract() == 0.0 { s.serialize_i64(x as i64) } else { s.serialize_f64(x) }
}

/// A whole number, also when written `5.0` or `"5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Count(pub i64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(d)?;
        number_of(&value)
            .filter(|x| x.fract() == 0.0)
            .map(|x| Count(x as i64))
            .ok_or_else(|| D::Error::custom(format!("{value} is not a whole number")))
    }
}

/// Whether a text is one of the ways to say "nothing".
pub fn is_absent(text: &str) -> bool {
    let text = text.trim();
    matches!(text, "" | "NA" | "0" | "null" | "N/A") || text.starts_with("0001-01-01")
}

/// A text, from a string or a number; `None` for what says "nothing".
pub fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(s) => s.trim().to_owned(),
        Value::Number(n) => match n.as_i64() {
            Some(whole) => whole.to_string(),
            None => n.to_string(),
        },
        _ => return None,
    };
    (!is_absent(&text)).then_some(text)
}

macro_rules! absent_as {
    ($($(#[$doc:meta])* $name:ident => $absent:expr;)*) => {$(
        $(#[$doc])*
        pub mod $name {
            use super::*;

            /// The text, or the word this field uses for none.
            pub fn serialize<S: Serializer>(text: &Option<String>, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(text.as_deref().unwrap_or($absent))
            }

            /// The text; every way to say "nothing" is `None`.
            pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
                Ok(text_of(&Value::deserialize(d)?))
            }
        }
    )*};
}

absent_as! {
    /// Optional text whose absence is written `"NA"`.
    na => "NA";
    /// Optional text whose absence is written `"0"`.
    zero => "0";
    /// Optional text whose absence is written `""`.
    empty => "";
    /// Optional time whose absence is written `"0001-01-01 00:00:00"`.
    no_time => "0001-01-01 00:00:00";
    /// Optional date whose absence is written `"0001-01-01"`.
    no_date => "0001-01-01";
}

/// A text that must be there, written as a string, read from a string or a number.
pub mod required {
    use super::*;

    /// As a string.
    pub fn serialize<S: Serializer>(text: &str, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(text)
    }

    /// From a string or a number; an error when it says "nothing".
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
        let value = Value::deserialize(d)?;
        text_of(&value).ok_or_else(|| D::Error::custom(format!("{value} is no text")))
    }
}

/// A token inside a segment: a string of digits on the wire, a positive number here.
pub mod security_id {
    use super::*;

    /// As a string.
    pub fn serialize<S: Serializer>(id: &u32, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(id)
    }

    /// From a string or a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
        let value = Value::deserialize(d)?;
        text_of(&value)
            .and_then(|text| text.parse().ok())
            .filter(|id| *id > 0)
            .ok_or_else(|| D::Error::custom(format!("{value} is no security id")))
    }
}

/// An optional number or count: absent when null, `""`, `"NA"` or missing; absence is written 0. A text that is
/// neither a number nor "nothing" is an error.
pub mod maybe {
    use super::*;

    /// The number, or 0.
    pub fn serialize<T: Serialize + Default, S: Serializer>(number: &Option<T>, s: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => number.serialize(s),
            None => T::default().serialize(s),
        }
    }

    /// The number.
    pub fn deserialize<'de, T: serde::de::DeserializeOwned, D: Deserializer<'de>>(d: D) -> Result<Option<T>, D::Error> {
        let value = Value::deserialize(d)?;
        match &value {
            Value::Null => Ok(None),
            Value::String(s) if matches!(s.trim(), "" | "NA" | "null") => Ok(None),
            _ => serde_json::from_value(value).map(Some).map_err(D::Error::custom),
        }
    }
}

/// A yes or no, also when written as a string or a number.
pub mod flag {
    use super::*;

    /// As a boolean.
    pub fn serialize<S: Serializer>(flag: &bool, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bool(*flag)
    }

    /// From a boolean, `"true"`, `"Y"`, 1 and their opposites; null and "" are false.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
        let value = Value::deserialize(d)?;
        match &value {
            Value::Bool(flag) => Ok(*flag),
            Value::Null => Ok(false),
            Value::Number(n) => Ok(n.as_f64() != Some(0.0)),
            Value::String(s) => match s.trim().to_ascii_lowercase().as_str() {
                "true" | "y" | "yes" | "1" => Ok(true),
                "false" | "n" | "no" | "0" | "" | "na" => Ok(false),
                other => Err(D::Error::custom(format!("{other:?} is neither yes nor no"))),
            },
            _ => Err(D::Error::custom(format!("{value} is neither yes nor no"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize, PartialEq)]
    struct Row {
        #[serde(default, with = "na")]
        tag: Option<String>,
        #[serde(default, with = "maybe")]
        price: Option<Number>,
    }

    #[test]
    fn every_way_to_say_nothing_is_nothing() {
        for nothing in ["null", r#""""#, r#""NA""#, r#""0""#, "0", r#""0001-01-01 00:00:00""#, r#""0001-01-01""#] {
            let row: Row = serde_json::from_str(&format!(r#"{{"tag":{nothing}}}"#)).unwrap();
            assert_eq!(row, Row { tag: None, price: None }, "{nothing}");
            assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"tag":"NA","price":0.0}"#);
        }
    }

    #[test]
    fn numbers_come_as_numbers_strings_and_exponents_and_never_as_nonsense() {
        for (text, paise) in
            [("1.5", 150), (r#""1.5""#, 150), ("1.7375706E9", 173_757_060_000), ("23092.19921875", 2_309_220)]
        {
            assert_eq!(serde_json::from_str::<Number>(text).unwrap().paise(), paise, "{text}");
        }
        for nonsense in [r#""NaN""#, r#""inf""#, "1e300", r#""""#, "null", "[]", "true", r#""12a""#] {
            assert!(serde_json::from_str::<Number>(nonsense).is_err(), "{nonsense}");
        }
        assert_eq!(serde_json::from_str::<Count>(r#""65.0""#).unwrap(), Count(65));
        assert!(serde_json::from_str::<Count>("65.5").is_err());
        assert_eq!(serde_json::to_string(&(Number::from_paise(15005), Plain::from_paise(100))).unwrap(), "[150.05,1]");
    }
}

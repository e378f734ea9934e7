//! Reads a [`Node`] tree into typed structs, so that every complaint carries the place of the offending text.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::error::{ConfigError, Problem, nearest};
use super::node::{Entry, Location, Node, SourceKind, Value};

/// Newtype name under which a value may be the word `none`.
pub(crate) const MAYBE: &str = "scalper::Maybe";
/// Newtype name under which a text must be quoted in files.
pub(crate) const QUOTED: &str = "scalper::Quoted";

/// Reads `node` into `T`.
pub(crate) fn read<T: DeserializeOwned>(node: &Node) -> Result<T, ConfigError> {
    T::deserialize(Reader(node)).map_err(|e| ConfigError::from(e.into_problem(&node.at)))
}

/// A complaint on its way up; the innermost node gives the place, every level its key.
#[derive(Debug)]
pub(crate) struct Complaint {
    message: String,
    help: Option<String>,
    at: Option<Location>,
    path: String,
}

impl Complaint {
    fn new(message: String) -> Complaint {
        Complaint { message, help: None, at: None, path: String::new() }
    }
    fn with_help(mut self, help: impl Into<String>) -> Complaint {
        self.help = Some(help.into());
        self
    }
    fn or_at(mut self, at: &Location) -> Complaint {
        self.at.get_or_insert_with(|| at.clone());
        self
    }
    fn under(mut self, step: &str) -> Complaint {
        self.path = match self.path.chars().next() {
            None => step.to_owned(),
            Some('[') => format!("{step}{}", self.path),
            Some(_) => format!("{step}.{}", self.path),
        };
        self
    }
    fn into_problem(self, fallback: &Location) -> Problem {
        let problem = Problem::at(self.path, self.message, self.at.as_ref().unwrap_or(fallback));
        match self.help {
            Some(help) => problem.with_help(help),
            None => problem,
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Complaint {}

fn describe(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(b) => format!("the boolean {b}"),
        de::Unexpected::Unsigned(n) => format!("the number {n}"),
        de::Unexpected::Signed(n) => format!("the number {n}"),
        de::Unexpected::Float(n) => format!("the number {n}"),
        de::Unexpected::Str(s) => format!("the text \"{s}\""),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "a section with keys".to_owned(),
        de::Unexpected::Option | de::Unexpected::Unit => "nothing".to_owned(),
        other => other.to_string(),
    }
}

impl de::Error for Complaint {
    fn custom<T: fmt::Display>(msg: T) -> Complaint {
        Complaint::new(msg.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn Expected) -> Complaint {
        let expected = expected.to_string();
        let complaint = Complaint::new(format!("expected {expected}, found {}", describe(&found)));
        let de::Unexpected::Str(text) = found else { return complaint };
        let yes_no = ["yes", "no", "on", "off", "y", "n", "true", "false"];
        if expected == "a boolean" && yes_no.contains(&text.to_lowercase().as_str()) {
            complaint.with_help("write true or false, without quotes")
        } else if expected.contains("number") && text.parse::<f64>().is_ok() {
            complaint.with_help("remove the quotes")
        } else if expected.contains("number") && text.trim_end_matches('%').trim().parse::<f64>().is_ok() {
            complaint.with_help("write the number alone; the unit is in the name of the key")
        } else {
            complaint
        }
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn Expected) -> Complaint {
        Complaint::new(format!("expected {expected}, found {}", describe(&found)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Complaint {
        let complaint = Complaint::new("unknown key".to_owned()).under(field);
        match nearest(field, expected.iter().copied()) {
            Some(near) => complaint.with_help(format!("did you mean `{near}`?")),
            None => complaint.with_help(format!("keys known here: {}", expected.join(", "))),
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Complaint {
        let complaint = Complaint::new(format!("`{variant}` is not one of {}", expected.join(", ")));
        match nearest(variant, expected.iter().copied()) {
            Some(near) => complaint.with_help(format!("did you mean `{near}`?")),
            None => complaint,
        }
    }

    fn missing_field(field: &'static str) -> Complaint {
        Complaint::new(format!("the key `{field}` is missing"))
    }
}

struct Reader<'a>(&'a Node);

impl<'a> Reader<'a> {
    fn empty(&self) -> Option<Complaint> {
        matches!(self.0.value, Value::Empty).then(|| {
            Complaint::new("nothing is written after this key".to_owned())
                .with_help("write a value, write `none` to switch an optional rule off, or remove the line")
                .or_at(&self.0.at)
        })
    }

    fn scalar_as_text(&self) -> Option<&'a str> {
        match &self.0.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        if let Some(complaint) = self.empty() {
            return Err(complaint);
        }
        let answer = match &self.0.value {
            Value::Empty => unreachable!("refused above"),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Int(i) => visitor.visit_i64(*i),
            Value::Float(f) => visitor.visit_f64(*f),
            Value::Text { text, .. } => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        };
        answer.map_err(|e| e.or_at(&self.0.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        let at = &self.0.at;
        if name == MAYBE && self.scalar_as_text() == Some("none") {
            return visitor.visit_none();
        }
        let in_file = !matches!(at.source.kind(), SourceKind::Env(_));
        if let (QUOTED, true, Value::Text { text, quoted: false }) = (name, in_file, &self.0.value) {
            return Err(Complaint::new(format!("the time {text} must be quoted"))
                .with_help(format!("write \"{text}\": other YAML readers take an unquoted time for a number"))
                .or_at(at));
        }
        visitor.visit_newtype_struct(self).map_err(|e: Complaint| e.or_at(at))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        // serde's derived visitors would also take a list of values in order.
        if !matches!(self.0.value, Value::Map(_) | Value::Empty) {
            let message = format!("expected a section with keys, found {}", self.0.canonical());
            return Err(Complaint::new(message).or_at(&self.0.at));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        if let Some(complaint) = self.empty() {
            return Err(complaint);
        }
        let Some(text) = self.scalar_as_text() else {
            let message = format!("expected one of {}, found {}", variants.join(", "), self.0.canonical());
            return Err(Complaint::new(message).or_at(&self.0.at));
        };
        visitor.visit_enum(text.into_deserializer()).map_err(|e: Complaint| e.or_at(&self.0.at))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Complaint;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let step = format!("[{}]", self.next);
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|e| e.or_at(&item.at).under(&step))
    }
}

struct Entries<'a> {
    entries: &'a [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|e: Complaint| {
            let named = e.path.is_empty();
            let e = e.or_at(&entry.key_at);
            if named { e.under(&entry.key) } else { e }
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Complaint> {
        let entry = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(Reader(&entry.node)).map_err(|e| e.or_at(&entry.node.at).under(&entry.key))
    }
}

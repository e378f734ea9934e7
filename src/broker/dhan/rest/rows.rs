//! Arrays of rows where one bad row must not hide the others, and single objects that come as an array of one.

use scalper_decide::domain::ClientOrderId;
use scalper_decide::domain::broker::BrokerOrderId;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::scalar::text_of;
use crate::broker::ports::{Rows, Unread};

/// A wire row that becomes a row of our words.
pub trait Row<T>: DeserializeOwned {
    /// In our words, or what is wrong.
    fn to_row(&self) -> Result<T, String>;
}

/// Reads an array, or a single object as an array of one; each element stands for itself. `None` when the answer is
/// neither, which says nothing about anything.
pub fn read<W: Row<T>, T>(body: Value) -> Option<Rows<T>> {
    let elements = one_or_many(body)?;
    let mut out = Rows { rows: Vec::with_capacity(elements.len()), unread: Vec::new() };
    for element in elements {
        let broker_id = element.get("orderId").and_then(text_of).map(|id| BrokerOrderId(id.into()));
        let tag = element.get("correlationId").and_then(text_of).and_then(|tag| ClientOrderId::parse(&tag));
        match serde_json::from_value::<W>(element).map_err(|e| e.to_string()).and_then(|row| row.to_row()) {
            Ok(row) => out.rows.push(row),
            Err(why) => out.unread.push(Unread { broker_id, tag, why }),
        }
    }
    Some(out)
}

/// The elements of an array, or a non-empty object as the only one.
pub fn one_or_many(body: Value) -> Option<Vec<Value>> {
    match body {
        Value::Array(rows) => Some(rows),
        Value::Object(ref fields) if !fields.is_empty() => Some(vec![body]),
        _ => None,
    }
}

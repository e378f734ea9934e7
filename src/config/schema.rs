//! JSON Schema of `algo.yml` and the presets, for editors: types and texts from the raw structs, ranges from the
//! table that also checks them.

use rust_decimal::prelude::ToPrimitive;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::ranges::range_of;
use super::raw::Raw;

/// The schema as one self-contained JSON document.
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
    let mut schema = generator.into_root_schema_for::<Raw>().to_value();
    finish(&mut schema, "");
    schema["title"] = json!("scalper settings");
    schema
}

/// Adds ranges, and takes back the `null` that optional keys bring along: an empty value is refused.
fn finish(schema: &mut Value, path: &str) {
    let Value::Object(object) = schema else { return };
    object.remove("default");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(Value::Array(variants)) = object.get_mut(list) {
            variants.retain(|v| v != &json!({"type": "null"}));
            for variant in variants.iter_mut() {
                finish(variant, path);
            }
            if let [only] = variants.as_slice() {
                let only = only.clone();
                object.remove(list);
                if let Value::Object(inner) = only {
                    object.extend(inner);
                }
            }
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
    if matches!(object.get("type"), Some(Value::String(t)) if t == "number" || t == "integer") {
        add_range(object, path);
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (key, property) in properties {
            let sub = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            finish(property, &sub);
        }
    }
    for key in ["additionalProperties", "items"] {
        if let Some(inner) = object.get_mut(key) {
            let sub = if key == "items" { format!("{path}[0]") } else { format!("{path}.*") };
            finish(inner, &sub);
        }
    }
}

fn add_range(object: &mut Map<String, Value>, path: &str) {
    let Some((min, max)) = range_of(path) else { return };
    for (name, bound) in [("minimum", min), ("maximum", max)] {
        let value = match bound.to_i64().filter(|_| bound.is_integer()) {
            Some(whole) => json!(whole),
            None => json!(bound.to_f64()),
        };
        object.insert(name.to_owned(), value);
    }
}

//! The editor schema covers every shipped key.

use super::*;

/// Follows `path` through the schema; `None` when the schema does not know it.
fn in_schema<'a>(schema: &'a serde_json::Value, path: &str) -> Option<&'a serde_json::Value> {
    let mut here = schema;
    for step in path.replace('[', ".[").split('.') {
        if let Some(variants) = here.get("anyOf").and_then(|v| v.as_array()) {
            here = variants.iter().find(|v| v.get("properties").is_some() || v.get("items").is_some()).unwrap_or(here);
        }
        here = match step.starts_with('[') {
            true => here.get("items")?,
            false => here
                .get("properties")
                .and_then(|p| p.get(step))
                .or_else(|| here.get("additionalProperties").filter(|a| a.is_object()))
                .or_else(|| here.get("patternProperties").and_then(|p| p.as_object()?.values().next()))?,
        };
    }
    Some(here)
}

#[test]
fn every_key_of_the_starter_the_defaults_and_the_presets_is_in_the_schema() {
    let schema = json_schema();
    let texts = [layers::DEFAULTS, STARTER].into_iter().chain(layers::PRESETS.iter().map(|(_, text)| *text));
    let mut seen = 0;
    for text in texts {
        let tree = layers::parse_document(&Source::new(SourceKind::BuiltIn, "t", text)).unwrap();
        for (path, node) in tree.leaves().into_iter().filter(|(p, _)| !p.starts_with("preset")) {
            let found = in_schema(&schema, &path).unwrap_or_else(|| panic!("{path} is not in the schema"));
            seen += 1;
            if let (Value::Int(_) | Value::Float(_), Some(range)) = (&node.value, ranges::range_of(&path)) {
                let text = found.to_string();
                assert!(
                    text.contains("\"minimum\":") && text.contains("\"maximum\":"),
                    "{path}: {text} lacks {range:?}"
                );
            }
        }
    }
    assert!(seen > 150, "{seen}");
    assert!(in_schema(&schema, "risk.made_up").is_none());
    let text = schema.to_string();
    assert!(!text.contains("\"null\""), "an empty value is refused, so the schema must not offer it");
    assert_eq!(schema["additionalProperties"], serde_json::json!(false));
}

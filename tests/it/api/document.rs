//! The OpenAPI document and its page: complete, the same for everybody, and without a network.

use std::collections::BTreeSet;

use scalper::api::{PREFIX, endpoints, spec};

use super::Rig;

#[actix_web::test]
async fn the_document_has_every_endpoint_with_its_role_and_nothing_else() {
    let rig = Rig::new().await;
    let served = rig.get(spec::DOCUMENT, "").await.json();
    assert_eq!(&served, spec::document());
    assert_eq!(served["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in served["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap_or_else(|| panic!("{method} {path} has no role"));
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 8), "{method} {path}");
            for answer in ["401", "403", "429"] {
                assert!(operation["responses"][answer]["content"]["application/problem+json"].is_object());
            }
            described.insert((method.to_uppercase(), path.clone(), role.to_owned()));
        }
    }
    let row =
        |e: &scalper::api::route::Endpoint| (e.method.to_string(), e.path.clone(), e.handler.role.name().to_owned());
    assert_eq!(described, endpoints().iter().map(row).collect());
    assert!(described.iter().all(|(_, path, _)| path.starts_with(PREFIX)));
    rig.end().await;
}

#[test]
fn every_endpoint_is_in_the_table_of_the_page_in_the_docs() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/API.md")).unwrap();
    for endpoint in endpoints() {
        let (method, path) = (&endpoint.method, endpoint.path.strip_prefix(PREFIX).unwrap());
        let row = format!("| `{method} {path}` | {} |", endpoint.handler.role.name());
        assert!(page.contains(&row), "docs/API.md has no line {row}");
    }
}

#[test]
fn every_money_is_whole_paise_and_every_time_says_its_form() {
    // X: one unit everywhere, written in the name.
    let schemas = spec::document()["components"]["schemas"].as_object().unwrap();
    let mut paise = 0;
    for (name, schema) in schemas {
        for (field, kind) in schema["properties"].as_object().into_iter().flatten() {
            let text = kind.to_string();
            assert!(!text.contains("\"number\""), "{name}.{field} is a float");
            if field.ends_with("_paise") {
                paise += 1;
                assert!(text.contains("\"integer\""), "{name}.{field}: {text}");
            }
            if field.ends_with("_at") || field == "at" {
                assert!(text.contains("Time") || text.contains("date-time"), "{name}.{field}: {text}");
            }
        }
    }
    assert!(paise > 10);
}

#[actix_web::test]
async fn the_page_comes_whole_out_of_the_program_and_may_load_nothing_else() {
    // S46, S12
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/v2/docs", "").await.header("location"), Some(spec::PAGE));
    let page = rig.get(spec::PAGE, "").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "{}", page.body);
    let files: Vec<&str> = page
        .body
        .split(['"', '\''])
        .filter_map(|part| part.strip_prefix("./"))
        .filter(|file| file.ends_with(".js") || file.ends_with(".css"))
        .collect();
    assert!(files.len() >= 3, "{}", page.body);
    for file in &files {
        assert_eq!(rig.get(&format!("{}{file}", spec::PAGE), "").await.status, 200, "{file}");
    }
    let start = rig.get("/api/v2/docs/swagger-initializer.js", "").await.body;
    assert!(start.contains(spec::DOCUMENT), "{start}");
    assert!(page.body.contains("swagger-ui") && !page.body.contains("<script>"), "no inline script: {}", page.body);
    rig.end().await;
}

//! The OpenAPI document, put together from the endpoints that are served, and its page: Swagger UI out of this program,
//! without a network.

use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_swagger_ui::Config;

use super::problem::{MEDIA_TYPE, Problem};
use super::{GROUPS, PREFIX, route};

/// The page needs its own scripts and styles, and images it carries inside; nothing of anybody else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";

/// Where the document is.
pub const DOCUMENT: &str = "/api/v2/openapi.json";
/// Where its page is.
pub const PAGE: &str = "/api/v2/docs/";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "scalper",
        version = "2.0.0",
        description = "The daemon's API. Every call needs a token (`scalper api-token create`), and each operation \
                       says in `x-role` which role. Times are RFC 3339 in IST, money is whole paise.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Root;

/// What any operation may answer, beside what it says itself.
const COMMON: [(&str, &str); 11] = [
    ("400", "The request cannot be understood."),
    ("401", "No token, or none that works."),
    ("403", "The token's role is not enough, or another origin's page calls."),
    ("404", "There is nothing there."),
    ("413", "The body is too large."),
    ("414", "The address is too long."),
    ("421", "This server is not called that."),
    ("429", "Too many calls; `Retry-After` says when."),
    ("431", "The headers are too large."),
    ("503", "Not now; `Retry-After` says when."),
    ("504", "No answer in time."),
];

/// The same for operations that change something.
const OF_CHANGES: [(&str, &str); 5] = [
    ("409", "It cannot be done as things stand."),
    ("412", "What the caller has seen is not so any more."),
    ("415", "The body is not JSON."),
    ("422", "A typed word or a key is not the one expected, or the settings are wrong."),
    ("428", "`If-Match` is needed."),
];

/// The document. It is the same in every process of this program.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
    &DOCUMENT
}

fn build() -> Value {
    let mut root = Root::openapi();
    for group in GROUPS {
        root.merge((group().spec)());
    }
    let mut document = serde_json::to_value(root).expect("a document is plain values");
    document["servers"] = json!([{ "url": "/" }]);
    document["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    for endpoint in GROUPS.iter().flat_map(|group| route::endpoints(&group())) {
        let method = endpoint.method.as_str().to_lowercase();
        let operation = &mut document["paths"][&endpoint.path][&method];
        operation["x-role"] = json!(endpoint.handler.role);
        operation["security"] = json!([{ "token": [] }]);
        let more: &[_] = if method == "get" { &[] } else { &OF_CHANGES };
        let responses = operation["responses"].as_object_mut().expect("every operation has answers");
        for (status, text) in COMMON.iter().chain(more) {
            if !responses.contains_key(*status) {
                let content = json!({ MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } });
                responses.insert((*status).to_owned(), json!({ "description": text, "content": content }));
            }
        }
        responses.sort_keys();
    }
    document
}

pub(super) async fn openapi_json() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// The page and its files, which are the same for everybody and hold nothing of this engine.
pub(super) async fn page(file: web::Path<String>) -> HttpResponse {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        Arc::new(Config::from(DOCUMENT).validator_url("none").display_request_duration(true).try_it_out_enabled(false))
    });
    match utoipa_swagger_ui::serve(&file, CONFIG.clone()) {
        Ok(Some(file)) => HttpResponse::Ok()
            .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
            .content_type(file.content_type)
            .body(file.bytes.into_owned()),
        Ok(None) => Problem::not_found(format!("the page is at {PAGE}")).response(),
        Err(e) => {
            tracing::error!(target: "api", error = %e, "the page cannot be put together");
            Problem::unavailable("PAGE", "the page cannot be put together", 60).response()
        }
    }
}

pub(super) async fn to_page() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, PAGE)).finish()
}

/// The part of a path after [`PREFIX`].
pub(super) fn tail(path: &str) -> &str {
    path.strip_prefix(PREFIX).expect("every endpoint is under the prefix")
}

//! The one HTTP listener. Loopback unless told otherwise (S1, S2, S3, S12).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};

use super::problem::Problem;
use super::state::ApiState;
use super::{PREFIX, gate, health, spec};

/// Headers of every answer that does not set its own (S12).
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Another address than loopback without being asked for.
    #[error(
        "{0} is not a loopback address: whoever reaches it may try tokens, and they travel in the clear; put a proxy \
         with TLS before 127.0.0.1, or name what this server is called from outside with --allow-host NAME:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken or the address is not ours.
    #[error("cannot listen on {address}: {source}; choose another port with --listen, or stop the program that has it")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Names under which a loopback listener may be called.
fn loopback_hosts(port: u16) -> impl Iterator<Item = String> {
    ["127.0.0.1", "localhost", "[::1]"].into_iter().map(move |host| format!("{host}:{port}"))
}

/// Opens the listener and serves in the background, on a thread of its own; returns where it listens and the handle
/// that stops it. `allowed` are names, with their port where it is not the scheme's own, under which it may be called
/// beside those of loopback. Without one, no other address than loopback is listened on.
///
/// # Errors
/// [`HttpError`] when the address is not loopback or cannot be had.
pub fn serve(
    address: SocketAddr,
    allowed: &[String],
    mut state: ApiState,
) -> Result<(SocketAddr, ServerHandle), HttpError> {
    if !address.ip().is_loopback() && allowed.is_empty() {
        return Err(HttpError::NotLoopback(address));
    }
    let bind = |source| HttpError::Bind { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    state.hosts = loopback_hosts(bound.port()).chain(allowed.iter().cloned()).collect::<Arc<[String]>>();
    if !bound.ip().is_loopback() {
        tracing::warn!(target: "api", %bound, "listening beyond this machine, without TLS: put a proxy with TLS before it");
    }
    let server = HttpServer::new(move || {
        let headers = HEADERS.into_iter().fold(DefaultHeaders::new(), |all, header| all.add(header));
        App::new()
            .app_data(web::Data::new(state.clone()))
            .wrap(from_fn(gate::gate))
            .wrap(headers)
            .configure(|app| routes(app, &state))
            .default_service(web::to(nothing))
    })
    .workers(1)
    .max_connections(64)
    .client_request_timeout(Duration::from_secs(5))
    .keep_alive(Duration::from_secs(60))
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)
    .map_err(bind)?
    .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((bound, handle))
}

fn routes(app: &mut web::ServiceConfig, state: &ApiState) {
    let json = web::JsonConfig::default().limit(gate::BODY_MAX).error_handler(|e, _| wrong_body(&e).into());
    let query = web::QueryConfig::default().error_handler(|e, _| wrong_query(&e).into());
    let path = web::PathConfig::default().error_handler(|e, _| wrong_path(&e).into());
    let mut api = web::scope(PREFIX).app_data(json).app_data(query).app_data(path);
    let mut paths: Vec<&str> = state.endpoints.iter().map(|endpoint| endpoint.path.as_str()).collect();
    paths.dedup();
    for path in paths {
        let mut resource = web::resource(spec::tail(path));
        for endpoint in state.endpoints.iter().filter(|endpoint| endpoint.path == path) {
            resource = resource.route((endpoint.handler.route)().method(endpoint.method.clone()));
        }
        api = api.service(resource);
    }
    app.route("/healthz", web::get().to(health::healthz))
        .route("/health", web::get().to(health::health))
        .route("/metrics", web::get().to(health::metrics_text))
        .route(spec::DOCUMENT, web::get().to(spec::openapi_json))
        .route("/api/v2/docs", web::get().to(spec::to_page))
        .route("/api/v2/docs/{file:.*}", web::get().to(spec::page))
        .service(api.wrap(from_fn(gate::enter)));
}

async fn nothing() -> HttpResponse {
    Problem::not_found("there is nothing here; the API is under /api/v2").response()
}

fn wrong_body(e: &JsonPayloadError) -> Problem {
    match e {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => gate::too_large(),
        JsonPayloadError::ContentType => {
            let text = "the body must be JSON, and say so: Content-Type: application/json";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NOT_JSON", text)
        }
        other => Problem::malformed(format!("the body: {other}")),
    }
}

fn wrong_query(e: &QueryPayloadError) -> Problem {
    Problem::malformed(format!("the query: {e}"))
}

fn wrong_path(e: &PathError) -> Problem {
    Problem::not_found(format!("the path: {e}"))
}

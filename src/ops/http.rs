//! The one HTTP listener: `/healthz` for supervisors (no token, no body), `/health` and `/metrics` behind the read
//! token. Loopback unless told otherwise (S1, S2, S3, S12).

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use scalper_decide::domain::Age;

use super::api_token::ApiToken;
use crate::clock::SessionClock;
use crate::engine::handle::EngineHandle;
use crate::engine::status::Status;

/// Silence of the feed, in session time, after which `/healthz` says 503.
const FEED_SILENCE: Age = Age::from_secs(10);

/// What the routes need.
#[derive(Clone)]
pub struct HttpState {
    /// The engine.
    pub engine: EngineHandle,
    /// Session time.
    pub clock: SessionClock,
    /// Who may read.
    pub token: ApiToken,
    /// The metrics registry.
    pub metrics: PrometheusHandle,
    /// `Host` values that are answered; others get 421 (DNS rebinding).
    pub hosts: Arc<[String]>,
}

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Another address than loopback without being asked for.
    #[error(
        "{0} is not a loopback address: health and metrics would be readable from outside; put a proxy before 127.0.0.1 instead"
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
pub fn loopback_hosts(port: u16) -> Arc<[String]> {
    ["127.0.0.1", "localhost", "[::1]"].iter().map(|host| format!("{host}:{port}")).collect()
}

/// Opens the listener and serves in the background; returns where it listens and the handle that stops it. `hosts`
/// of `state` is replaced by the loopback names of the port.
///
/// # Errors
/// [`HttpError`] when the address is not loopback or cannot be had.
pub fn serve(address: SocketAddr, mut state: HttpState) -> Result<(SocketAddr, ServerHandle), HttpError> {
    if !address.ip().is_loopback() {
        return Err(HttpError::NotLoopback(address));
    }
    let bind = |source| HttpError::Bind { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    state.hosts = loopback_hosts(bound.port());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(state.clone()))
            .wrap(from_fn(known_host))
            .wrap(
                DefaultHeaders::new()
                    .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
                    .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                    .add((header::REFERRER_POLICY, "no-referrer"))
                    .add((header::CACHE_CONTROL, "no-store")),
            )
            .route("/healthz", web::get().to(healthz))
            .route("/health", web::get().to(health))
            .route("/metrics", web::get().to(metrics_text))
    })
    .workers(1)
    .max_connections(64)
    .client_request_timeout(std::time::Duration::from_secs(5))
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)
    .map_err(bind)?
    .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((bound, handle))
}

/// Answers only to names it knows, before anything is routed (S3).
async fn known_host<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<actix_web::body::EitherBody<B>>, Error> {
    let state = request.app_data::<web::Data<HttpState>>().expect("set for every worker");
    let mut hosts = request.headers().get_all(header::HOST);
    let named = hosts.next().and_then(|host| host.to_str().ok());
    let is_known = hosts.next().is_none() && named.is_some_and(|host| state.hosts.iter().any(|known| known == host));
    if !is_known {
        let refused = HttpResponse::new(StatusCode::MISDIRECTED_REQUEST);
        return Ok(request.into_response(refused).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn may_read(request: &HttpRequest, state: &HttpState) -> bool {
    let presented = request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str);
    matches!(presented, Some(Ok(value)) if value.strip_prefix("Bearer ").is_some_and(|token| state.token.accepts(token)))
}

fn unauthorized() -> HttpResponse {
    HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Bearer")).finish()
}

fn is_healthy(status: &Status, clock: &SessionClock) -> bool {
    status.is_healthy(clock.now(), FEED_SILENCE)
}

async fn healthz(state: web::Data<HttpState>) -> HttpResponse {
    let healthy = is_healthy(&state.engine.status(), &state.clock);
    HttpResponse::new(if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE })
}

async fn health(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    if !may_read(&request, &state) {
        return unauthorized();
    }
    let status = state.engine.status();
    let code = if is_healthy(&status, &state.clock) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(code).json(&*status)
}

async fn metrics_text(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    if !may_read(&request, &state) {
        return unauthorized();
    }
    super::gauges::publish(&state.engine.status(), &state.clock);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(state.metrics.render())
}

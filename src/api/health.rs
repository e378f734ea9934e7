//! `/healthz` for supervisors (no token, no body), `/health` and `/metrics` for any token (S2).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use scalper_decide::domain::Age;

use super::gate;
use super::state::ApiState;

/// Silence of the feed, in session time, after which `/healthz` says 503.
const FEED_SILENCE: Age = Age::from_secs(10);

fn code(state: &ApiState) -> StatusCode {
    let is_healthy = state.engine.status().is_healthy(state.clock.now(), FEED_SILENCE);
    if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

pub(super) async fn healthz(state: web::Data<ApiState>) -> HttpResponse {
    HttpResponse::new(code(&state))
}

pub(super) async fn health(request: HttpRequest, state: web::Data<ApiState>) -> HttpResponse {
    if let Err(problem) = gate::authenticate(&request, &state) {
        return problem.response();
    }
    HttpResponse::build(code(&state)).json(&*state.engine.status())
}

pub(super) async fn metrics_text(request: HttpRequest, state: web::Data<ApiState>) -> HttpResponse {
    if let Err(problem) = gate::authenticate(&request, &state) {
        return problem.response();
    }
    crate::ops::gauges::publish(&state.engine.status(), &state.clock);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(state.metrics.render())
}

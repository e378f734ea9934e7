//! Reads about the engine as a whole.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pages::{Page, Window};
use super::problem::{Answer, Problem};
use super::reply;
use super::route::group;
use super::state::ApiState;
use super::views::{AlarmView, CheckView, ControlView, StatusView};
use crate::engine::handle::Outcome;

group! {
    Read Look status,
    Read Look control_state,
    Read Look alarms,
    Read Look explain,
    Operate Look doctor,
}

/// What the engine is doing
///
/// Everything about the engine but its lists. It is made anew twice a second and after each event that changes it.
#[utoipa::path(get, path = "/api/v2/status", tag = "engine",
    responses((status = 200, body = StatusView), (status = 304, description = "As the ETag says.")))]
async fn status(request: HttpRequest, state: web::Data<ApiState>) -> Answer {
    reply::read(&request, &StatusView::from(&*state.engine.status()))
}

/// What a person decides upon
///
/// Blocks, arming, breaker and positions without their prices. Its ETag goes into `If-Match` of commands.
#[utoipa::path(get, path = "/api/v2/control", tag = "engine",
    responses((status = 200, body = ControlView), (status = 304, description = "As the ETag says.")))]
async fn control_state(request: HttpRequest, state: web::Data<ApiState>) -> Answer {
    let view = ControlView::from(&*state.engine.status());
    let tag = format!("\"{}\"", super::views::version(&state.engine.status()));
    let body = serde_json::to_vec(&view).expect("views are plain values");
    reply::read_tagged(&request, body, &tag)
}

/// The latest alarms, newest first
#[utoipa::path(get, path = "/api/v2/alarms", tag = "engine", params(Window),
    responses((status = 200, body = Page<AlarmView>), (status = 304, description = "As the ETag says.")))]
async fn alarms(request: HttpRequest, window: web::Query<Window>, state: web::Data<ApiState>) -> Answer {
    let part = window.part()?;
    let status = state.engine.status();
    reply::read(&request, &part.cut(status.alarms.iter().rev().map(AlarmView::from)))
}

/// What is to be explained.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Question {
    /// A time of day (`10:42`, `10:42:13`), a client order id or a position number.
    #[param(min_length = 1, max_length = 64)]
    what: String,
}

/// Lines of the journal that answer a question.
#[derive(Debug, Serialize, ToSchema)]
struct Explanation {
    /// One line each, oldest first.
    lines: Vec<String>,
}

/// Inputs, gates, values and answers of a time, an order or a position
#[utoipa::path(get, path = "/api/v2/explain", tag = "engine", params(Question),
    responses((status = 200, body = Explanation), (status = 304, description = "As the ETag says."),
        (status = 404, description = "Nothing is known about it.", body = Problem, content_type = "application/problem+json")))]
async fn explain(request: HttpRequest, question: web::Query<Question>, state: web::Data<ApiState>) -> Answer {
    let what = &question.what;
    if !(1..=64).contains(&what.chars().count()) {
        return Err(Problem::malformed("what: 1 to 64 characters"));
    }
    match state.engine.explain(what).await {
        Outcome::Done { text } => {
            reply::read(&request, &Explanation { lines: text.lines().map(str::to_owned).collect() })
        }
        Outcome::Refused { code, text } if matches!(code.as_str(), "BUSY" | "ENGINE_GONE") => {
            Err(Problem::unavailable(&code, text, 1))
        }
        Outcome::Refused { text, .. } => Err(Problem::not_found(text)),
    }
}

/// Everything that must be right before a session.
#[derive(Debug, Serialize, ToSchema)]
struct Examination {
    /// Nothing has failed.
    is_well: bool,
    /// The checks.
    checks: Vec<CheckView>,
}

/// Every check that arming looks at
///
/// It asks the broker, so it needs the role operate.
#[utoipa::path(get, path = "/api/v2/doctor", tag = "engine", responses((status = 200, body = Examination)))]
async fn doctor(state: web::Data<ApiState>) -> Answer {
    match state.engine.examine().await {
        Ok(checks) => {
            let is_well = crate::ops::doctor::failures(&checks).next().is_none();
            let checks = checks.iter().map(Into::into).collect();
            Ok(HttpResponse::Ok().json(Examination { is_well, checks }))
        }
        Err(Outcome::Refused { code, text }) => Err(Problem::unavailable(&code, text, 1)),
        Err(Outcome::Done { text }) => Err(Problem::unavailable("NO_CHECKS", text, 1)),
    }
}

//! The operator's verbs.

use actix_web::http::StatusCode;
use actix_web::web;
use scalper_decide::domain::operator::OperatorCommand;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::carry::{Deed, Done, Keyed, KeyedAndSeen, Wish, carry_out};
use super::problem::{Answer, Problem};
use super::route::group;
use super::state::ApiState;
use super::views::Index;

group! {
    Operate Stop halt,
    Operate Stop reduce_only,
    Operate Stop pause,
    Operate Stop flatten,
    Operate Stop disarm,
    Operate Change resume,
    Operate Change acknowledge,
    Admin Change arm,
    Admin Change reset_breaker,
    Admin Change reload,
    Admin Change stop,
}

/// Longest reason, characters.
const REASON_MAX: usize = 200;
/// Longest phrase, characters.
const PHRASE_MAX: usize = 200;

/// One index, or all of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only this index; all of them without it.
    #[serde(default)]
    index: Option<Index>,
}

/// One index.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct One {
    index: Index,
}

/// What is closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Flatten {
    /// Only this index; all of them without it.
    #[serde(default)]
    index: Option<Index>,
    /// Typed by a person when everything is meant: `flatten all`.
    #[serde(default)]
    #[schema(max_length = 32)]
    confirm: Option<String>,
}

/// What a person typed, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    /// Typed by a person: the verb in words (`reset breaker`, `stop`).
    #[schema(max_length = 32)]
    confirm: String,
    /// Why; it stands in the audit trail.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// The phrase that arms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Arm {
    /// Typed by a person: what `/api/v2/control` shows as the phrase, account and caps included.
    #[schema(max_length = 200)]
    phrase: String,
    /// Why; it stands in the audit trail.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// A typed word is the one expected, and a reason is one.
fn confirmed(typed: &str, expected: &str) -> Result<(), Problem> {
    if typed == expected {
        return Ok(());
    }
    let text = format!("`confirm` must be {expected:?}");
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "NOT_CONFIRMED", text))
}

fn reason(text: &str) -> Result<(), Problem> {
    let is_reason = !text.trim().is_empty() && text.chars().count() <= REASON_MAX;
    is_reason.then_some(()).ok_or_else(|| Problem::malformed(format!("reason: 1 to {REASON_MAX} characters")))
}

async fn operate(state: &ApiState, wish: Wish, deed: Deed, command: OperatorCommand) -> Answer {
    carry_out(state, wish, deed, |engine, actor| async move { engine.operate(command, &actor).await }).await
}

/// No entries, and working ones taken back
///
/// Until resumed; days do not end it. Exits go on.
#[utoipa::path(post, path = "/api/v2/control/halt", tag = "control", params(Keyed),
    responses((status = 200, body = Done)))]
async fn halt(state: web::Data<ApiState>, wish: Wish) -> Answer {
    operate(&state, wish, Deed::eases("halt", json!({})), OperatorCommand::Halt).await
}

/// No new entries
///
/// What works already may still fill.
#[utoipa::path(post, path = "/api/v2/control/reduce-only", tag = "control", params(Keyed),
    responses((status = 200, body = Done)))]
async fn reduce_only(state: web::Data<ApiState>, wish: Wish) -> Answer {
    operate(&state, wish, Deed::eases("reduce-only", json!({})), OperatorCommand::ReduceOnly).await
}

/// No new entries in one index
#[utoipa::path(post, path = "/api/v2/control/pause", tag = "control", params(Keyed), request_body = One,
    responses((status = 200, body = Done)))]
async fn pause(state: web::Data<ApiState>, wish: Wish, body: web::Json<One>) -> Answer {
    let Index(underlying) = body.index;
    let deed = Deed::eases("pause", json!({ "index": underlying }));
    operate(&state, wish, deed, OperatorCommand::Pause { underlying }).await
}

/// Close every position, or those of one index
///
/// It passes every gate. Everything at once wants `confirm: "flatten all"`.
#[utoipa::path(post, path = "/api/v2/control/flatten", tag = "control", params(Keyed), request_body = Flatten,
    responses((status = 200, body = Done)))]
async fn flatten(state: web::Data<ApiState>, wish: Wish, body: web::Json<Flatten>) -> Answer {
    if body.index.is_none() {
        confirmed(body.confirm.as_deref().unwrap_or_default(), "flatten all")?;
    }
    let underlying = body.index.map(|Index(underlying)| underlying);
    let deed = Deed::eases("flatten", json!({ "index": underlying }));
    operate(&state, wish, deed, OperatorCommand::Flatten { underlying }).await
}

/// No entries until armed again, and working ones taken back
///
/// Exits go on.
#[utoipa::path(post, path = "/api/v2/control/disarm", tag = "control", params(Keyed),
    responses((status = 200, body = Done)))]
async fn disarm(state: web::Data<ApiState>, wish: Wish) -> Answer {
    operate(&state, wish, Deed::eases("disarm", json!({})), OperatorCommand::Disarm).await
}

/// End halt and reduce-only, or the pause of one index
#[utoipa::path(post, path = "/api/v2/control/resume", tag = "control", params(KeyedAndSeen), request_body = Which,
    responses((status = 200, body = Done)))]
async fn resume(state: web::Data<ApiState>, wish: Wish, body: web::Json<Which>) -> Answer {
    let underlying = body.index.map(|Index(underlying)| underlying);
    let command = match underlying {
        Some(underlying) => OperatorCommand::ResumeIndex { underlying },
        None => OperatorCommand::Resume,
    };
    operate(&state, wish, Deed::adds("resume", json!({ "index": underlying })), command).await
}

/// Say that you have looked at orders that came late, are ours and unknown, or contradict themselves
///
/// None of those seen so far keeps entries waiting any more.
#[utoipa::path(post, path = "/api/v2/control/acknowledge", tag = "control", params(KeyedAndSeen),
    responses((status = 200, body = Done)))]
async fn acknowledge(state: web::Data<ApiState>, wish: Wish) -> Answer {
    operate(&state, wish, Deed::adds("acknowledge", json!({})), OperatorCommand::Acknowledge).await
}

/// Let a live engine risk real money until the session ends
///
/// Every check of the doctor is looked at first.
#[utoipa::path(post, path = "/api/v2/control/arm", tag = "control", params(KeyedAndSeen), request_body = Arm,
    responses((status = 200, body = Done)))]
async fn arm(state: web::Data<ApiState>, wish: Wish, body: web::Json<Arm>) -> Answer {
    reason(&body.reason)?;
    if body.phrase.chars().count() > PHRASE_MAX {
        return Err(Problem::malformed(format!("phrase: at most {PHRASE_MAX} characters")));
    }
    let Arm { phrase, reason } = body.into_inner();
    let deed = Deed::adds("arm", json!({ "phrase": phrase, "reason": reason }));
    carry_out(&state, wish, deed, |engine, actor| async move { engine.arm(&phrase, &actor).await }).await
}

/// Lift a tripped breaker
///
/// The day's loss is counted anew from here. Wants `confirm: "reset breaker"`.
#[utoipa::path(post, path = "/api/v2/control/reset-breaker", tag = "control", params(KeyedAndSeen),
    request_body = Confirmed, responses((status = 200, body = Done)))]
async fn reset_breaker(state: web::Data<ApiState>, wish: Wish, body: web::Json<Confirmed>) -> Answer {
    confirmed(&body.confirm, "reset breaker")?;
    reason(&body.reason)?;
    let deed = Deed::adds("reset-breaker", json!({ "reason": body.reason }));
    operate(&state, wish, deed, OperatorCommand::ResetBreaker).await
}

/// Read the settings again
///
/// What is safe to change applies, the rest is refused with the reason.
#[utoipa::path(post, path = "/api/v2/control/reload", tag = "control", params(KeyedAndSeen),
    responses((status = 200, body = Done)))]
async fn reload(state: web::Data<ApiState>, wish: Wish) -> Answer {
    let deed = Deed::adds("reload", json!({}));
    carry_out(&state, wish, deed, |engine, actor| async move { engine.reload(&actor).await }).await
}

/// End the engine in order
///
/// Stops stay at the broker. Wants `confirm: "stop"`.
#[utoipa::path(post, path = "/api/v2/control/stop", tag = "control", params(Keyed), request_body = Confirmed,
    responses((status = 200, body = Done)))]
async fn stop(state: web::Data<ApiState>, wish: Wish, body: web::Json<Confirmed>) -> Answer {
    confirmed(&body.confirm, "stop")?;
    reason(&body.reason)?;
    let deed = Deed::eases("stop", json!({ "reason": body.reason }));
    carry_out(&state, wish, deed, |engine, actor| async move { engine.stop(&actor).await }).await
}

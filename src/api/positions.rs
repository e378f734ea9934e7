//! Open positions, and what a person may do with one.

use actix_web::{HttpRequest, web};
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Lots, PositionId, Premium};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::carry::{Deed, Done, Keyed, Wish, carry_out};
use super::pages::{Page, Window};
use super::problem::{Answer, Problem};
use super::reply;
use super::route::group;
use super::state::ApiState;
use super::views::PositionView;

group! {
    Read Look positions,
    Read Look position,
    Operate Stop close,
    Operate Stop tighten,
}

/// Most lots of one request.
const LOTS_MAX: i64 = 10_000;
/// Highest stop, paise.
const STOP_MAX: i64 = 1_000_000_000;

/// Highest number of a position: what every JSON reader takes for the same number.
const ID_MAX: u64 = (1 << 53) - 1;

/// A number that a position may have.
fn number(id: u64) -> Result<PositionId, Problem> {
    let is_one = id <= ID_MAX;
    is_one.then_some(PositionId(id)).ok_or_else(|| Problem::not_found(format!("position {id} is not open")))
}

/// How much is sold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Close {
    /// So many lots; all of them without it.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000)]
    lots: Option<i64>,
}

/// A higher stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Tighten {
    /// New trigger in paise; rounded up to the tick.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    stop_paise: i64,
}

/// Open positions
#[utoipa::path(get, path = "/api/v2/positions", tag = "positions", params(Window),
    responses((status = 200, body = Page<PositionView>), (status = 304, description = "As the ETag says.")))]
async fn positions(request: HttpRequest, window: web::Query<Window>, state: web::Data<ApiState>) -> Answer {
    let part = window.part()?;
    let status = state.engine.status();
    reply::read(&request, &part.cut(status.positions.iter().map(PositionView::from)))
}

/// One open position
#[utoipa::path(get, path = "/api/v2/positions/{id}", tag = "positions",
    params(("id" = u64, Path, description = "Number of the position.")),
    responses((status = 200, body = PositionView), (status = 304, description = "As the ETag says."),
        (status = 404, description = "It is not open.", body = Problem, content_type = "application/problem+json")))]
async fn position(request: HttpRequest, id: web::Path<u64>, state: web::Data<ApiState>) -> Answer {
    let status = state.engine.status();
    match status.positions.iter().find(|position| position.id == *id) {
        Some(position) => reply::read(&request, &PositionView::from(position)),
        None => Err(Problem::not_found(format!("position {id} is not open"))),
    }
}

/// Close a position, or sell some of its lots
///
/// The rest stays protected. Sent again with the same key it sells nothing more, after a restart of the engine neither.
#[utoipa::path(post, path = "/api/v2/positions/{id}/close", tag = "positions",
    params(("id" = u64, Path, description = "Number of the position."), Keyed), request_body = Close,
    responses((status = 200, body = Done)))]
async fn close(state: web::Data<ApiState>, id: web::Path<u64>, wish: Wish, body: web::Json<Close>) -> Answer {
    if body.lots.is_some_and(|lots| !(1..=LOTS_MAX).contains(&lots)) {
        return Err(Problem::malformed(format!("lots: 1 to {LOTS_MAX}")));
    }
    let (position, lots, request) = (number(*id)?, body.lots.map(Lots::new), wish.number());
    let deed = Deed::eases("close", json!({ "position": *id, "lots": body.lots }));
    let command = OperatorCommand::Close { position, lots, request };
    carry_out(&state, wish, deed, |engine, actor| async move { engine.operate(command, &actor).await }).await
}

/// Raise the stop of a position
///
/// It never falls.
#[utoipa::path(post, path = "/api/v2/positions/{id}/tighten", tag = "positions",
    params(("id" = u64, Path, description = "Number of the position."), Keyed), request_body = Tighten,
    responses((status = 200, body = Done)))]
async fn tighten(state: web::Data<ApiState>, id: web::Path<u64>, wish: Wish, body: web::Json<Tighten>) -> Answer {
    if !(1..=STOP_MAX).contains(&body.stop_paise) {
        return Err(Problem::malformed(format!("stop_paise: 1 to {STOP_MAX}")));
    }
    let deed = Deed::eases("tighten", json!({ "position": *id, "stop_paise": body.stop_paise }));
    let command = OperatorCommand::Tighten { position: number(*id)?, stop: Premium::from_paise(body.stop_paise) };
    carry_out(&state, wish, deed, |engine, actor| async move { engine.operate(command, &actor).await }).await
}

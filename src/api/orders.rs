//! Orders of today, and the life of one.

use actix_web::{HttpRequest, web};
use scalper_decide::domain::Instant;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pages::{Page, Part};
use super::problem::{Answer, Problem};
use super::records::damaged;
use super::reply;
use super::route::group;
use super::state::ApiState;
use super::views::{OrderView, Time};
use crate::store::error::StoreError;
use crate::store::link::{Row, args};

group! {
    Read Look orders,
    Read Look order,
}

/// Longest id of an order.
const ID_MAX: usize = 64;
/// Lines of one order's life at most.
const LINES: i64 = 1_000;

/// Which orders.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Items to leave out first.
    #[param(minimum = 0, maximum = 1_000_000_000)]
    offset: Option<u64>,
    /// Items wanted; 50 unless said otherwise.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only orders that are over, or only those that are not.
    over: Option<bool>,
}

/// An order with everything that was said about it.
#[derive(Debug, Serialize, ToSchema)]
struct OrderLife {
    order: OrderView,
    /// Commands and reports as far as they are in the database, oldest first.
    events: Vec<OrderEvent>,
}

/// A command that went out, or a report that came in.
#[derive(Debug, Serialize, ToSchema)]
struct OrderEvent {
    at: Time,
    /// Number of the journal's event.
    seq: i64,
    /// `out` or `in`.
    direction: String,
    /// What it is.
    kind: String,
    /// Its content in words.
    detail: String,
}

/// Orders of today, newest first
#[utoipa::path(get, path = "/api/v2/orders", tag = "orders", params(Wanted),
    responses((status = 200, body = Page<OrderView>), (status = 304, description = "As the ETag says.")))]
async fn orders(request: HttpRequest, wanted: web::Query<Wanted>, state: web::Data<ApiState>) -> Answer {
    let part = Part::new(wanted.offset, wanted.limit)?;
    let status = state.engine.status();
    let mut orders: Vec<OrderView> = status.orders.iter().rev().map(OrderView::from).collect();
    orders.retain(|order| wanted.over.is_none_or(|over| order.is_over == over));
    reply::read(&request, &part.cut(orders.into_iter()))
}

/// One order of today with its life
#[utoipa::path(get, path = "/api/v2/orders/{id}", tag = "orders",
    params(("id" = String, Path, description = "Our id of the order.", min_length = 1, max_length = 64)),
    responses((status = 200, body = OrderLife), (status = 304, description = "As the ETag says."),
        (status = 404, description = "There is no such order today.", body = Problem,
            content_type = "application/problem+json")))]
async fn order(request: HttpRequest, id: web::Path<String>, state: web::Data<ApiState>) -> Answer {
    let status = state.engine.status();
    let known = status.orders.iter().find(|order| order.id == *id && id.len() <= ID_MAX);
    let Some((order, day)) = known.map(OrderView::from).zip(status.day) else {
        return Err(Problem::not_found("there is no such order today"));
    };
    let sql = "SELECT at, seq, direction, kind, detail FROM order_events WHERE day = $1 AND client_order_id = $2 \
               ORDER BY seq, line LIMIT $3";
    let args = args![day.to_string(), order.id.as_str(), LINES];
    let rows = state.shelf()?.readers.fetch(sql, &args).await.map_err(damaged)?;
    let event = |row: &Row| {
        Ok(OrderEvent {
            at: Time(Instant::from_nanos(row.int(0)?)),
            seq: row.int(1)?,
            direction: row.text(2)?.to_owned(),
            kind: row.text(3)?.to_owned(),
            detail: row.text(4)?.to_owned(),
        })
    };
    let events = rows.iter().map(event).collect::<Result<_, StoreError>>().map_err(damaged)?;
    reply::read(&request, &OrderLife { order, events })
}

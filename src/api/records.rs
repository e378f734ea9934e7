//! What the database keeps of a day: finished trades, decisions.

use actix_web::{HttpRequest, web};
use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Underlying};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pages::{Page, Part};
use super::problem::{Answer, Problem};
use super::reply;
use super::route::group;
use super::state::ApiState;
use super::views::{Index, Time};
use crate::store::error::StoreError;
use crate::store::link::{Row, args};

group! {
    Read Look trades,
    Read Look decisions,
}

/// The database did not give what was asked for.
pub(super) fn damaged(e: StoreError) -> Problem {
    tracing::error!(target: "api", error = %e, "the database cannot be read");
    Problem::unavailable("DATABASE", "the database does not answer; the log says why", 1)
}

/// Which day and part.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfDay {
    /// Trading day; today without it.
    day: Option<NaiveDate>,
    /// Items to leave out first.
    #[param(minimum = 0, maximum = 1_000_000_000)]
    offset: Option<u64>,
    /// Items wanted; 50 unless said otherwise.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Which decisions.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Trading day; today without it.
    day: Option<NaiveDate>,
    /// Only about this index.
    index: Option<Index>,
    /// Only with this code, e.g. `NO_STRIKE`.
    #[param(min_length = 1, max_length = 64)]
    code: Option<String>,
    /// Items to leave out first.
    #[param(minimum = 0, maximum = 1_000_000_000)]
    offset: Option<u64>,
    /// Items wanted; 50 unless said otherwise.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A position from its first order to its end.
#[derive(Debug, Serialize, ToSchema)]
struct TradeView {
    day: String,
    /// Number of the position.
    position: i64,
    /// The index.
    underlying: String,
    /// Segment by the broker's name.
    segment: String,
    /// Token inside the segment.
    security_id: i64,
    /// The signal that led to it.
    signal: String,
    /// Why it ended.
    exit_reason: Option<String>,
    /// Units bought.
    bought: i64,
    /// Units sold.
    sold: i64,
    paid_paise: i64,
    received_paise: i64,
    charges_paise: i64,
    /// Result after charges.
    net_paise: Option<i64>,
    /// Highest price seen while it was held.
    high_water_paise: Option<i64>,
    /// Lowest price seen while it was held.
    low_water_paise: Option<i64>,
    opened_at: Option<Time>,
    closed_at: Option<Time>,
}

/// The answer of a stage.
#[derive(Debug, Serialize, ToSchema)]
struct DecisionView {
    at: Time,
    /// Number of the journal's event.
    seq: i64,
    /// The index.
    underlying: String,
    /// Which stage.
    stage: String,
    /// Its code.
    code: String,
    /// In words.
    detail: String,
}

fn day_of(state: &ApiState, asked: Option<NaiveDate>) -> Result<String, Problem> {
    let none = || Problem::unavailable("STARTING", "no trading day is open yet", 1);
    asked.or(state.engine.status().day).map(|day| day.to_string()).ok_or_else(none)
}

fn time(row: &Row, at: usize) -> Result<Option<Time>, StoreError> {
    Ok(row.maybe_int(at)?.map(|nanos| Time(Instant::from_nanos(nanos))))
}

/// Finished trades of a day, newest first
#[utoipa::path(get, path = "/api/v2/trades", tag = "records", params(OfDay),
    responses((status = 200, body = Page<TradeView>), (status = 304, description = "As the ETag says.")))]
async fn trades(request: HttpRequest, of: web::Query<OfDay>, state: web::Data<ApiState>) -> Answer {
    let part = Part::new(of.offset, of.limit)?;
    let day = day_of(&state, of.day)?;
    let shelf = state.shelf()?;
    let readers = &shelf.readers;
    let sql = "SELECT count(*) FROM positions WHERE day = $1 AND closed_at IS NOT NULL";
    let total = readers.fetch_one(sql, &args![day.as_str()]).await.map_err(damaged)?;
    let sql = "SELECT day, position_id, underlying, segment, security_id, signal, exit_reason, bought, sold, paid_paise, \
               received_paise, charges_paise, net_paise, high_water_paise, low_water_paise, opened_at, closed_at \
               FROM positions WHERE day = $1 AND closed_at IS NOT NULL ORDER BY closed_at DESC, position_id DESC \
               LIMIT $2 OFFSET $3";
    let rows = readers.fetch(sql, &args![day, i64::from(part.limit), part.offset]).await.map_err(damaged)?;
    let trade = |row: &Row| {
        let text = |at| row.text(at).map(str::to_owned);
        Ok(TradeView {
            day: text(0)?,
            position: row.int(1)?,
            underlying: text(2)?,
            segment: text(3)?,
            security_id: row.int(4)?,
            signal: text(5)?,
            exit_reason: row.maybe_text(6)?.map(str::to_owned),
            bought: row.int(7)?,
            sold: row.int(8)?,
            paid_paise: row.int(9)?,
            received_paise: row.int(10)?,
            charges_paise: row.int(11)?,
            net_paise: row.maybe_int(12)?,
            high_water_paise: row.maybe_int(13)?,
            low_water_paise: row.maybe_int(14)?,
            opened_at: time(row, 15)?,
            closed_at: time(row, 16)?,
        })
    };
    let trades = rows.iter().map(trade).collect::<Result<_, StoreError>>().map_err(damaged)?;
    reply::read(&request, &part.page(trades, count(total)?))
}

/// The number of a `count(*)`.
pub(super) fn count(row: Option<Row>) -> Result<u64, Problem> {
    let row = row.ok_or_else(|| damaged(StoreError::Damaged("a count without a row".to_owned())))?;
    row.int(0).map(i64::cast_unsigned).map_err(damaged)
}

/// Answers of the decision chain on a day, newest first
#[utoipa::path(get, path = "/api/v2/decisions", tag = "records", params(Asked),
    responses((status = 200, body = Page<DecisionView>), (status = 304, description = "As the ETag says.")))]
async fn decisions(request: HttpRequest, asked: web::Query<Asked>, state: web::Data<ApiState>) -> Answer {
    let part = Part::new(asked.offset, asked.limit)?;
    if asked.code.as_ref().is_some_and(|code| !(1..=64).contains(&code.chars().count()) || code.contains('\0')) {
        return Err(Problem::malformed("code: 1 to 64 characters"));
    }
    let day = day_of(&state, asked.day)?;
    let index = asked.index.map_or("", |Index(underlying)| Underlying::symbol(underlying));
    let code = asked.code.as_deref().unwrap_or_default();
    let shelf = state.shelf()?;
    let readers = &shelf.readers;
    let sql =
        "SELECT count(*) FROM decisions WHERE day = $1 AND ($2 = '' OR underlying = $2) AND ($3 = '' OR code = $3)";
    let total = readers.fetch_one(sql, &args![day.as_str(), index, code]).await.map_err(damaged)?;
    let sql = "SELECT at, seq, underlying, stage, code, detail FROM decisions WHERE day = $1 \
               AND ($2 = '' OR underlying = $2) AND ($3 = '' OR code = $3) ORDER BY seq DESC, line DESC \
               LIMIT $4 OFFSET $5";
    let args = args![day, index, code, i64::from(part.limit), part.offset];
    let rows = readers.fetch(sql, &args).await.map_err(damaged)?;
    let decision = |row: &Row| {
        Ok(DecisionView {
            at: Time(Instant::from_nanos(row.int(0)?)),
            seq: row.int(1)?,
            underlying: row.text(2)?.to_owned(),
            stage: row.text(3)?.to_owned(),
            code: row.text(4)?.to_owned(),
            detail: row.text(5)?.to_owned(),
        })
    };
    let decisions = rows.iter().map(decision).collect::<Result<_, StoreError>>().map_err(damaged)?;
    reply::read(&request, &part.page(decisions, count(total)?))
}

//! What a replay produces: plain records that tables, JSON, CSV and the HTML report are made from.

use chrono::NaiveDate;
use scalper_decide::domain::{
    ChargeHeads, Direction, ExitReason, Instant, Money, OrderPurpose, OrderSide, Premium, Qty, Right, Strike,
    Underlying,
};
use serde::Serialize;

use super::rules::RuleRow;

/// What was run, on what, with which code.
#[derive(Debug, Clone, Serialize)]
pub struct RunMeta {
    /// Name of the run, e.g. `demo` or the tape's folder name.
    pub title: String,
    /// First day replayed.
    pub first_day: NaiveDate,
    /// Last day replayed.
    pub last_day: NaiveDate,
    /// Trading days replayed (warm-up days not counted).
    pub days: usize,
    /// Preset the configuration started from.
    pub preset: String,
    /// BLAKE3 of the effective configuration and dated tables.
    pub config_hash: String,
    /// BLAKE3 over the tape files read.
    pub tape_hash: String,
    /// Version of the program.
    pub code_version: String,
    /// Fill model of the headline figures.
    pub fill_model: String,
    /// Balance at the start.
    pub opening_balance: Money,
}

/// One closed round trip.
#[derive(Debug, Clone, Serialize)]
pub struct TradeRecord {
    /// Position id.
    pub position: u64,
    /// Trading day.
    pub day: NaiveDate,
    /// The index.
    pub underlying: Underlying,
    /// Display symbol of the contract.
    pub symbol: String,
    /// Expiry of the contract.
    pub expiry: NaiveDate,
    /// Its strike.
    pub strike: Strike,
    /// Call or put.
    pub right: Right,
    /// Direction of the signal.
    pub direction: Direction,
    /// Units.
    pub qty: Qty,
    /// Lots.
    pub lots: i64,
    /// Smallest price step of the contract on that day.
    pub tick: Premium,
    /// Distance between neighbouring strikes near the money; `None` when it could not be told from the listing.
    pub strike_step: Option<Strike>,
    /// When the entry was decided.
    pub decided_at: Instant,
    /// First entry fill.
    pub entry_at: Instant,
    /// Last exit fill.
    pub exit_at: Instant,
    /// Average entry price.
    pub entry_price: Premium,
    /// Average exit price.
    pub exit_price: Premium,
    /// Ask when the entry was decided.
    pub decision_ask: Premium,
    /// Initial stop.
    pub initial_stop: Premium,
    /// Why it was closed.
    pub reason: ExitReason,
    /// Result before charges.
    pub gross: Money,
    /// Charges by head.
    pub charges: ChargeHeads,
    /// Result after charges.
    pub net: Money,
    /// Worst open result while held, against the average entry (zero or negative).
    pub mae: Money,
    /// Best open result while held (zero or positive).
    pub mfe: Money,
    /// Index level when the entry was decided, in points.
    pub index_at_entry: f64,
    /// Index level when the exit was decided, in points.
    pub index_at_exit: f64,
    /// Own implied volatility at the decision, percent.
    pub iv_pct: f64,
    /// Own delta at the decision.
    pub delta: f64,
    /// Whether any fill was priced on a point of a bar rather than on an observed quote.
    pub on_synthesised: bool,
}

/// A position that could not be closed because its quotes stopped.
#[derive(Debug, Clone, Serialize)]
pub struct UnresolvedRecord {
    /// Position id.
    pub position: u64,
    /// Trading day.
    pub day: NaiveDate,
    /// The index.
    pub underlying: Underlying,
    /// Display symbol.
    pub symbol: String,
    /// Units still owned.
    pub qty: Qty,
    /// Average entry price.
    pub entry_price: Premium,
    /// First entry fill.
    pub entry_at: Instant,
    /// Last quote seen.
    pub last_quote_at: Option<Instant>,
    /// Last price seen.
    pub last_price: Option<Premium>,
    /// Exit that was wanted.
    pub wanted: Option<ExitReason>,
    /// Result if the units were worth nothing.
    pub worst_case: Money,
    /// Result at the last price seen.
    pub at_last_price: Option<Money>,
}

/// One order.
#[derive(Debug, Clone, Serialize)]
pub struct OrderRecord {
    /// Client order id.
    pub id: String,
    /// Position id.
    pub position: u64,
    /// Display symbol.
    pub symbol: String,
    /// Entry, protection or exit.
    pub purpose: OrderPurpose,
    /// Buy or sell.
    pub side: OrderSide,
    /// Units ordered.
    pub qty: Qty,
    /// Units executed.
    pub filled: Qty,
    /// Limit price last in force.
    pub limit: Premium,
    /// Trigger last in force.
    pub trigger: Option<Premium>,
    /// When it was sent.
    pub sent_at: Instant,
    /// How it ended.
    pub state: String,
    /// Modifications sent.
    pub modifications: u8,
}

/// One execution.
#[derive(Debug, Clone, Serialize)]
pub struct FillRecord {
    /// Exchange trade id.
    pub trade: u64,
    /// Client order id.
    pub order: String,
    /// Display symbol.
    pub symbol: String,
    /// Buy or sell.
    pub side: OrderSide,
    /// Units.
    pub qty: Qty,
    /// Price per unit.
    pub price: Premium,
    /// Exchange time.
    pub at: Instant,
    /// Whether it was priced on a point of a bar.
    pub synthesised: bool,
    /// Last traded price of the tick it was priced on.
    pub tick_ltp: Premium,
}

/// One evaluation and its typed reason.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionRecord {
    /// Place in the journal.
    pub seq: u64,
    /// Engine time.
    pub at: Instant,
    /// The index.
    pub underlying: Underlying,
    /// Stage that answered: `signal_engine`, `chain_analyzer`, `capital_allocator`, `entry_guard`, `risk_manager`,
    /// `order_manager`.
    pub stage: &'static str,
    /// Code of the answer: `SIGNAL`, `PICKED`, `PLACED`, or a refusal such as `ADX_WEAK`.
    pub code: &'static str,
    /// The answer in words with its numbers.
    pub text: String,
}

/// One row of the "why no trade" funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FunnelRow {
    /// Stage that refused.
    pub stage: &'static str,
    /// Refusal code.
    pub code: &'static str,
    /// How often.
    pub count: u64,
}

/// One closed bar with its indicators; `None` until they are defined.
#[derive(Debug, Clone, Serialize)]
pub struct BarRecord {
    /// Start of the bar.
    pub start: Instant,
    /// The index.
    pub underlying: Underlying,
    /// `1m`, `3m`, `5m` or `15m`.
    pub timeframe: &'static str,
    /// Open, points.
    pub open: f64,
    /// High, points.
    pub high: f64,
    /// Low, points.
    pub low: f64,
    /// Close, points.
    pub close: f64,
    /// Supertrend's ATR.
    pub atr: Option<f64>,
    /// Supertrend line.
    pub supertrend: Option<f64>,
    /// `+1` up, `-1` down.
    pub direction: Option<i8>,
    /// +DI.
    pub plus_di: Option<f64>,
    /// -DI.
    pub minus_di: Option<f64>,
    /// ADX.
    pub adx: Option<f64>,
}

/// One trading day.
#[derive(Debug, Clone, Serialize)]
pub struct DayRecord {
    /// The day.
    pub day: NaiveDate,
    /// Round trips closed.
    pub trades: usize,
    /// Result before charges.
    pub gross: Money,
    /// Charges.
    pub charges: Money,
    /// Result after charges.
    pub net: Money,
    /// Balance at the end of the day.
    pub closing_balance: Money,
    /// Why entries stopped early, if they did (breaker, day profit lock).
    pub halted: Option<String>,
}

/// Result under one fill model.
#[derive(Debug, Clone, Serialize)]
pub struct FillModelRow {
    /// `optimistic`, `base`, `pessimistic` or `stressed`.
    pub model: &'static str,
    /// Round trips.
    pub trades: usize,
    /// Result before charges.
    pub gross: Money,
    /// Charges.
    pub charges: Money,
    /// Result after charges.
    pub net: Money,
    /// Entries that never filled.
    pub unfilled_entries: usize,
    /// Positions without a resolvable exit.
    pub unresolved: usize,
    /// Digest of this replay.
    pub digest: String,
}

/// How complete the data was.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DataQuality {
    /// Ticks replayed.
    pub ticks: u64,
    /// Ticks that are points of bars.
    pub synthesised: u64,
    /// Ticks of a generated market, which nobody ever traded.
    pub generated: u64,
    /// Ticks kept but excluded: outside the session.
    pub out_of_session: u64,
    /// Ticks kept but excluded: stale repeats.
    pub stale: u64,
    /// Ticks kept but excluded: out of order.
    pub out_of_order: u64,
    /// Ticks the tick cache refused (price bounds).
    pub rejected: u64,
    /// Ticks with a two-sided book.
    pub with_book: u64,
    /// Index ticks derived from put-call parity instead of spot.
    pub derived_index: u64,
    /// Bars that no tick fell into, between the first and last bar of a session.
    pub missing_bars: u64,
    /// Notes a reader must see, e.g. "no option data: decisions refused".
    pub notes: Vec<String>,
}

/// Everything a replay says.
#[derive(Debug, Clone, Serialize)]
pub struct BacktestResult {
    /// What was run.
    pub meta: RunMeta,
    /// Fill, charge, latency and data assumptions, name and text.
    pub assumptions: Vec<(String, String)>,
    /// Closed round trips in order of exit.
    pub trades: Vec<TradeRecord>,
    /// Positions without a resolvable exit; outside every headline figure.
    pub unresolved: Vec<UnresolvedRecord>,
    /// Orders in order of sending.
    pub orders: Vec<OrderRecord>,
    /// Executions in order of time.
    pub fills: Vec<FillRecord>,
    /// The first evaluation of each kind.
    #[serde(skip)]
    pub decisions: Vec<DecisionRecord>,
    /// Refusals per gate, in pipeline order.
    pub funnel: Vec<FunnelRow>,
    /// Exit rules, in report order: in force or not, judged how often, exits.
    pub rules: Vec<RuleRow>,
    /// Closed bars of the days that are drawn, and the first and last of each index.
    #[serde(skip)]
    pub bars: Vec<BarRecord>,
    /// Days in order.
    pub days: Vec<DayRecord>,
    /// Balance after each exit.
    pub equity: Vec<(Instant, Money)>,
    /// Charges by head.
    pub charges: ChargeHeads,
    /// The same replay under all four fill models.
    pub fill_models: Vec<FillModelRow>,
    /// Completeness of the data.
    pub data: DataQuality,
    /// Entries placed that never filled.
    pub unfilled_entries: usize,
    /// BLAKE3 digest of the journal under the headline fill model.
    pub digest: String,
}

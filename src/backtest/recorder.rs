//! Collects what a replay says into plain records.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::decision_core::Books;
use scalper_decide::domain::{
    ChargeHeads, Instant, Money, Order, OrderReport, PositionId, PositionPhase, Premium, Qty, Tick, TickFlags,
    TickSource, Underlying, Universe,
};
use scalper_decide::journal::{Decision, EntryNote, ExitNote, JournalEntry, Stage};
use scalper_decide::signal_engine::ClosedBar;
use scalper_decide::venue_sim::VenueOutput;

use super::replay::is_synthesised;
use super::result::{
    BarRecord, DataQuality, DayRecord, DecisionRecord, FillRecord, FunnelRow, OrderRecord, TradeRecord,
    UnresolvedRecord,
};

/// Which of the bulky records to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// None: the replay only counts.
    Nothing,
    /// What tables and report show: the first decision of each kind, the bars of days that are drawn. Bounded, however
    /// many days are replayed (P32).
    Shown,
}

/// Takes what a replay does not keep: every decision as it is made, every bar when its day is over.
pub trait Bulk: std::fmt::Debug + Send {
    /// One evaluation, in order of time.
    ///
    /// # Errors
    /// When it cannot be taken; the replay then ends with this error.
    fn decision(&mut self, decision: &DecisionRecord) -> anyhow::Result<()>;
    /// The closed bars of a day by start, index and timeframe.
    ///
    /// # Errors
    /// When they cannot be taken; the replay then ends with this error.
    fn bars(&mut self, of_day: &[BarRecord]) -> anyhow::Result<()>;
}

/// Charts a report draws at most, one per day and index; it stays a few megabytes however long the run, and bars of
/// further days are not kept for it.
pub const DRAWN_DAYS: usize = 12;

/// Which bars a chart is drawn from, best first: a report of one or two traded days shows minutes, a longer one
/// five-minute bars.
pub const fn drawn_timeframes(days: usize) -> [&'static str; 4] {
    if days <= 2 { ["1m", "3m", "5m", "15m"] } else { ["5m", "3m", "1m", "15m"] }
}

/// Records of one replay.
#[derive(Debug)]
pub struct Recorder<'a> {
    keep: Keep,
    bulk: Option<&'a mut dyn Bulk>,
    /// Why `bulk` took no more.
    bulk_failure: Option<anyhow::Error>,
    seen: BTreeSet<(Stage, &'static str)>,
    day_bars: Vec<BarRecord>,
    last_bars: BTreeMap<Underlying, BarRecord>,
    drawn: usize,
    planned_days: usize,
    day: Option<(NaiveDate, bool)>,
    day_opening: Option<Money>,
    entries: BTreeMap<PositionId, EntryNote>,
    entry_stamps: BTreeMap<PositionId, Instant>,
    unresolved_quotes: BTreeMap<PositionId, (Option<Instant>, Option<Premium>)>,
    funnel: BTreeMap<(Stage, &'static str), u64>,
    next_fill: Option<(Premium, bool)>,
    day_trades: usize,
    day_gross: Money,
    day_charges: Money,
    /// Closed round trips.
    pub trades: Vec<TradeRecord>,
    /// Positions without a resolvable exit.
    pub unresolved: Vec<UnresolvedRecord>,
    /// Orders.
    pub orders: Vec<OrderRecord>,
    /// Executions.
    pub fills: Vec<FillRecord>,
    /// Evaluations.
    pub decisions: Vec<DecisionRecord>,
    /// Bars.
    pub bars: Vec<BarRecord>,
    /// Days.
    pub days: Vec<DayRecord>,
    /// Balance after each exit.
    pub equity: Vec<(Instant, Money)>,
    /// Charges of closed round trips.
    pub charges: ChargeHeads,
    /// Counts of ticks.
    pub data: DataQuality,
    /// Part of the counted ticks that belongs to warm-up days.
    pub warm_up_ticks: u64,
    is_warm_up: bool,
    /// Entries that never filled.
    pub unfilled_entries: usize,
    balance: Money,
}

impl<'a> Recorder<'a> {
    /// An empty recorder for `planned_days` traded days of an account that starts with `opening_balance`.
    pub fn new(
        keep: Keep,
        bulk: Option<&'a mut dyn Bulk>,
        planned_days: usize,
        opening_balance: Money,
    ) -> Recorder<'a> {
        Recorder {
            keep,
            bulk,
            bulk_failure: None,
            seen: BTreeSet::new(),
            day_bars: Vec::new(),
            last_bars: BTreeMap::new(),
            drawn: 0,
            planned_days,
            day: None,
            day_opening: None,
            entries: BTreeMap::new(),
            entry_stamps: BTreeMap::new(),
            unresolved_quotes: BTreeMap::new(),
            funnel: BTreeMap::new(),
            next_fill: None,
            day_trades: 0,
            day_gross: Money::ZERO,
            day_charges: Money::ZERO,
            trades: Vec::new(),
            unresolved: Vec::new(),
            orders: Vec::new(),
            fills: Vec::new(),
            decisions: Vec::new(),
            bars: Vec::new(),
            days: Vec::new(),
            equity: Vec::new(),
            charges: ChargeHeads::default(),
            data: DataQuality::default(),
            warm_up_ticks: 0,
            is_warm_up: false,
            unfilled_entries: 0,
            balance: opening_balance,
        }
    }

    /// A day begins.
    pub fn open_day(&mut self, day: NaiveDate, warm_up: bool, balance: Option<Money>) {
        self.day = Some((day, warm_up));
        self.is_warm_up = warm_up;
        self.day_opening = balance;
        (self.day_trades, self.day_gross, self.day_charges) = (0, Money::ZERO, Money::ZERO);
        self.entries.clear();
        self.entry_stamps.clear();
    }

    /// Counts a tick.
    #[inline]
    pub fn count(&mut self, tick: &Tick) {
        self.warm_up_ticks += u64::from(self.is_warm_up);
        let d = &mut self.data;
        d.ticks += 1;
        d.synthesised += u64::from(is_synthesised(tick));
        d.generated += u64::from(tick.source == TickSource::Generated);
        d.with_book += u64::from(tick.has_book());
        d.derived_index += u64::from(tick.source == TickSource::Derived);
        if !tick.flags.is_decidable() {
            // Each tick counts under one reason, in the order in which the tick cache names it; out of order is
            // counted there, because it finds more than the tape flagged.
            let outside = tick.flags.has(TickFlags::OUT_OF_SESSION);
            d.out_of_session += u64::from(outside);
            d.stale += u64::from(!outside && tick.flags.has(TickFlags::STALE));
        }
    }

    /// The context of the report that is handled next.
    pub fn fill_context(&mut self, output: &VenueOutput) {
        self.next_fill = output.tick.as_ref().map(|t| (t.ltp, t.synthesised));
    }

    /// Takes a line of the journal in.
    pub fn entry(&mut self, entry: JournalEntry) {
        match entry {
            JournalEntry::Decision(decision) => self.decision(decision),
            JournalEntry::Bar { underlying, bar, .. } => self.bar(underlying, &bar),
            JournalEntry::Entry { stamp, note } => {
                self.entry_stamps.insert(note.position, stamp.at);
                self.entries.insert(note.position, *note);
            }
            JournalEntry::Report { event, .. } => {
                if let OrderReport::Filled(fill) = &event.report {
                    let (tick_ltp, synthesised) = self.next_fill.unwrap_or((fill.price, false));
                    self.fills.push(FillRecord {
                        trade: fill.trade.0,
                        order: event.id.to_string(),
                        symbol: String::new(),
                        side: scalper_decide::domain::OrderSide::Buy,
                        qty: fill.qty,
                        price: fill.price,
                        at: fill.at,
                        synthesised,
                        tick_ltp,
                    });
                }
            }
            JournalEntry::Exit { note, .. } => self.exit(*note),
            // A backtest has no broker to find fault with.
            JournalEntry::Command { .. }
            | JournalEntry::Change { .. }
            | JournalEntry::Finding { .. }
            | JournalEntry::Alarm { .. }
            | JournalEntry::Adopted { .. }
            | JournalEntry::Operated { .. }
            | JournalEntry::Configured { .. } => {}
        }
    }

    fn decision(&mut self, decision: Decision) {
        if !matches!(self.day, Some((_, true))) && !matches!(decision.code, "SIGNAL" | "PICKED" | "PLACED") {
            *self.funnel.entry((decision.stage, decision.code)).or_default() += 1;
        }
        let shown = self.keep == Keep::Shown && self.seen.insert((decision.stage, decision.code));
        if !shown && self.bulk.is_none() {
            return;
        }
        let record = DecisionRecord {
            seq: decision.stamp.seq.0,
            at: decision.stamp.at,
            underlying: decision.underlying,
            stage: decision.stage.name(),
            code: decision.code,
            text: decision.text,
        };
        self.pass_on(|bulk| bulk.decision(&record));
        if shown {
            self.decisions.push(record);
        }
    }

    /// Hands something to the taker of bulky records until it fails once.
    fn pass_on(&mut self, give: impl FnOnce(&mut dyn Bulk) -> anyhow::Result<()>) {
        if let Some(bulk) = self.bulk.as_deref_mut()
            && self.bulk_failure.is_none()
        {
            self.bulk_failure = give(bulk).err();
        }
    }

    fn bar(&mut self, underlying: Underlying, bar: &ClosedBar) {
        if self.keep != Keep::Nothing {
            self.day_bars.push(BarRecord {
                start: bar.bar.start(),
                underlying,
                timeframe: bar.timeframe.code(),
                open: bar.bar.open(),
                high: bar.bar.high(),
                low: bar.bar.low(),
                close: bar.bar.close(),
                atr: bar.supertrend.map(|s| s.atr),
                supertrend: bar.supertrend.map(|s| s.line),
                direction: bar.supertrend.map(|s| s.direction.sign() as i8),
                plus_di: bar.plus_di,
                minus_di: bar.minus_di,
                adx: bar.adx,
            });
        }
    }

    fn exit(&mut self, note: ExitNote) {
        let position = &note.position;
        if position.phase == PositionPhase::Abandoned {
            self.unfilled_entries += 1;
            return;
        }
        let Some(entry) = self.entries.get(&position.id) else { return };
        let (day, _) = self.day.expect("positions end inside a day");
        let contract = entry.entry.contract;
        let symbol = format!("{} {} {} {}", contract.underlying, contract.expiry, contract.strike, contract.right);
        let Some(average) = position.average_entry() else { return };
        let opened_at = position.opened_at.unwrap_or(Instant::MAX);
        let Some(reason) = note.reason else {
            let (last_quote_at, last_price) = self.unresolved_quotes.get(&position.id).copied().unwrap_or((None, None));
            let realised = position.received - position.paid - position.charges.total();
            self.unresolved.push(UnresolvedRecord {
                position: position.id.0,
                day,
                underlying: contract.underlying,
                symbol,
                qty: note.unresolved,
                entry_price: average,
                entry_at: opened_at,
                last_quote_at,
                last_price,
                wanted: note.wanted,
                worst_case: realised,
                at_last_price: last_price.map(|p| realised + p * note.unresolved),
            });
            return;
        };
        let exit_at = match position.phase {
            PositionPhase::Closed { at, .. } => at,
            _ => opened_at,
        };
        let (peak, trough) = note.excursion.map_or((average, average), |e| (e.peak, e.trough));
        // The result itself was reached as well: slippage and settlement may lie beyond every price that was seen.
        let worst = ((trough - average) * position.bought).min(Money::ZERO).min(position.gross());
        let best = ((peak - average) * position.bought).max(Money::ZERO).max(position.gross());
        let trade = TradeRecord {
            position: position.id.0,
            day,
            underlying: contract.underlying,
            symbol,
            expiry: contract.expiry,
            strike: contract.strike,
            right: contract.right,
            direction: position.signal.direction,
            qty: position.bought,
            lots: contract.lot.lots_in(position.bought).get(),
            decided_at: self.entry_stamps[&position.id],
            entry_at: opened_at,
            exit_at,
            entry_price: average,
            exit_price: position.average_exit().unwrap_or_default(),
            decision_ask: entry.ask,
            initial_stop: note.excursion.map_or(Premium::ZERO, |e| e.initial_stop),
            reason,
            gross: position.gross(),
            charges: position.charges,
            net: position.net(),
            mae: worst,
            mfe: best,
            index_at_entry: entry.index.map_or(0.0, |i| i.as_rupees_f64()),
            index_at_exit: note.index.map_or(0.0, |i| i.as_rupees_f64()),
            iv_pct: entry.pick.chosen.greeks.iv_pct,
            delta: entry.pick.chosen.greeks.delta,
            on_synthesised: false,
            tick: contract.tick,
            strike_step: entry.pick.step,
        };
        self.balance += trade.net;
        self.equity.push((exit_at, self.balance));
        self.charges += trade.charges;
        self.day_trades += 1;
        self.day_gross += trade.gross;
        self.day_charges += trade.charges.total();
        self.trades.push(trade);
    }

    /// Notes the last quotes of positions that are about to end unresolved.
    pub fn before_close(&mut self, books: &Books) {
        for position in books.orders.positions().filter(|p| p.is_live()) {
            let quote = books.orders.last_quote(position.id);
            let seen = quote.map(|q| q.received_at);
            let price = quote.and_then(|q| q.sellable_at().or(q.ltp()));
            self.unresolved_quotes.insert(position.id, (seen, price));
        }
    }

    /// The account and the records are two ledgers of the same money.
    ///
    /// # Panics
    /// When they disagree, or money is still set aside after the session: a replay that lost count must not go on.
    fn reconcile(&self, books: &Books) {
        let capital = &books.capital;
        assert_eq!(
            (capital.held(), capital.committed()),
            (Money::ZERO, Money::ZERO),
            "money set aside after the close"
        );
        let Some(balance) = capital.balance() else { return };
        // Unresolved positions stand in the account at cost and in no headline figure.
        let apart: Money = self.unresolved.iter().map(|u| u.worst_case).sum();
        let recorded = self.balance + apart + capital.written_off_total();
        assert_eq!(balance, recorded, "the account's balance against the recorded trades");
    }

    /// A day ends: its orders become records.
    ///
    /// # Errors
    /// What the taker of bulky records answered.
    pub fn close_day(&mut self, books: &Books, universe: &Universe) -> anyhow::Result<()> {
        self.reconcile(books);
        let Some((day, warm_up)) = self.day else { return Ok(()) };
        let mut by_id: BTreeMap<String, (String, scalper_decide::domain::OrderSide, PositionId)> = BTreeMap::new();
        let mut orders: Vec<(&Order, u8)> = books.orders.orders().collect();
        orders.sort_by_key(|(order, _)| (order.sent_at, order.spec.position, order.spec.id));
        for (order, modifications) in orders {
            let symbol = universe.get(order.spec.instrument).symbol.clone();
            by_id.insert(order.spec.id.to_string(), (symbol.clone(), order.spec.side, order.spec.position));
            self.orders.push(OrderRecord {
                id: order.spec.id.to_string(),
                position: order.spec.position.0,
                symbol,
                purpose: order.spec.purpose,
                side: order.spec.side,
                qty: order.spec.qty,
                filled: order.filled(),
                limit: order.spec.order_type.limit(),
                trigger: order.spec.order_type.trigger(),
                sent_at: order.sent_at,
                state: state_text(order),
                modifications,
            });
        }
        let mut synthesised: BTreeMap<PositionId, bool> = BTreeMap::new();
        for fill in self.fills.iter_mut().filter(|f| f.symbol.is_empty()) {
            if let Some((symbol, side, position)) = by_id.get(&fill.order) {
                fill.symbol.clone_from(symbol);
                fill.side = *side;
                *synthesised.entry(*position).or_default() |= fill.synthesised;
            }
        }
        for trade in self.trades.iter_mut().filter(|t| t.day == day) {
            trade.on_synthesised = synthesised.get(&PositionId(trade.position)).copied().unwrap_or(false);
        }
        self.keep_bars(day, warm_up);
        if !warm_up {
            self.days.push(DayRecord {
                day,
                trades: self.day_trades,
                gross: self.day_gross,
                charges: self.day_charges,
                net: self.day_gross - self.day_charges,
                closing_balance: self.balance,
                halted: Some(books.risk.day().halts().collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty()),
            });
        }
        self.bulk_failure.take().map_or(Ok(()), Err)
    }

    /// Decides which of the day's bars stay.
    fn keep_bars(&mut self, day: NaiveDate, warm_up: bool) {
        let mut bars = std::mem::take(&mut self.day_bars);
        bars.sort_by_key(bar_key);
        self.pass_on(|bulk| bulk.bars(&bars));
        if warm_up {
            return;
        }
        for underlying in Underlying::ALL {
            let of_index = || bars.iter().filter(|b| b.underlying == underlying);
            let traded = self.trades.iter().any(|t| t.day == day && t.underlying == underlying);
            if traded && self.drawn < DRAWN_DAYS {
                self.drawn += 1;
                let order = drawn_timeframes(self.planned_days);
                let drawn = order.into_iter().find(|t| of_index().any(|b| b.timeframe == *t));
                self.bars.extend(of_index().filter(|b| Some(b.timeframe) == drawn).cloned());
            } else if !self.last_bars.contains_key(&underlying) {
                self.bars.extend(of_index().min_by_key(|b| b.start).cloned());
            }
            // The latest bar of each index closes the change over the period.
            if let Some(last) = of_index().max_by_key(|b| b.start) {
                self.last_bars.insert(underlying, last.clone());
            }
        }
    }

    /// Adds what is only known at the end of the last day.
    pub fn finish(&mut self) {
        let last = std::mem::take(&mut self.last_bars);
        self.bars.extend(last.into_values());
        self.bars.sort_by_key(bar_key);
        self.bars.dedup_by_key(|bar| bar_key(bar));
    }

    /// Refusals per gate, in pipeline order, most frequent first inside a stage.
    pub fn funnel(&self) -> Vec<FunnelRow> {
        let mut rows: Vec<(Stage, FunnelRow)> = self
            .funnel
            .iter()
            .map(|((stage, code), count)| (*stage, FunnelRow { stage: stage.name(), code, count: *count }))
            .collect();
        rows.sort_by_key(|(stage, row)| (*stage, std::cmp::Reverse(row.count), row.code));
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// Order of bars everywhere.
fn bar_key(bar: &BarRecord) -> (Instant, Underlying, &'static str) {
    (bar.start, bar.underlying, bar.timeframe)
}

fn state_text(order: &Order) -> String {
    use scalper_decide::domain::OrderState;
    match &order.state {
        OrderState::Sent { .. } => "sent".to_owned(),
        OrderState::InDoubt { .. } => "in_doubt".to_owned(),
        OrderState::Working { triggered: true } => "triggered".to_owned(),
        OrderState::Working { triggered: false } => "working".to_owned(),
        OrderState::Filled => "filled".to_owned(),
        OrderState::Cancelled { filled } if *filled > Qty::ZERO => "part_filled".to_owned(),
        OrderState::Cancelled { .. } => "cancelled".to_owned(),
        OrderState::Rejected { refusal } => format!("rejected: {refusal}"),
        OrderState::Absent => "absent".to_owned(),
    }
}

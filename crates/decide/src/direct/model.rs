//! The whole core against a broker that keeps its own books and never looks into ours, behind a line that loses,
//! repeats, delays and reorders. The laws hold at every event; a minute after the last fault our books are the broker's
//! (I33) and every owned unit is covered (J13). `SCALPER_MODEL_SEEDS` sets how many seeds are played.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::*;
use crate::domain::alarm::AlarmKey;
use crate::domain::broker::{
    Answer, BrokerOrderId, BrokerOrderType, BrokerStatus, OrderCall, OrderRow, PositionRow, Product, TradeRow,
};
use crate::domain::calendar::{HoursRegime, Window};
use crate::domain::charges::{ChargeTable, Rate};
use crate::domain::contracts::Dated;
use crate::domain::ids::InstanceTag;
use crate::domain::order::OrderSide;
use crate::domain::{
    Age, BookLevel, Bps, Cutoffs, Direction, Instrument, LotSize, Lots, Money, OptionContract, OrderState, OrderType,
    Premium, Right, Segment, SessionHours, SignalId, Strike, TickFlags, TickSource, TimeOfDay, TradeId, VenueRefusal,
};
use crate::params::*;
use crate::reconciler::Finding;
use crate::risk_manager::{ApprovedEntry, EntryPlan};

const SLOT: InstrumentId = InstrumentId(0);
const TOKEN: u32 = 40_001;
const LOT: i64 = 65;
/// Faults are injected up to here, milliseconds after ten o'clock.
const FAULTS_UNTIL: i64 = 120_000;
/// The slowest list shows the books this long ago.
const LIST_LAG: i64 = 8_000;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.roll((to - from) as u64) as i64
    }
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis)
}

fn hours() -> SessionHours {
    let hm = |h, m| TimeOfDay::hm(h, m).unwrap();
    SessionHours {
        day: day(),
        windows: vec![Window { open: hm(9, 15), close: hm(15, 30) }],
        index_continuous_close: hm(15, 30),
        cutoffs: Cutoffs {
            no_new_entry: hm(14, 45),
            expiry_force_exit: hm(15, 0),
            square_off_start: hm(15, 5),
            square_off_deadline: hm(15, 12),
            broker_square_off: hm(15, 20),
        },
    }
}

fn contract() -> OptionContract {
    OptionContract {
        underlying: Underlying::Nifty,
        expiry: day().succ_opt().unwrap(),
        strike: Strike::from_points(25_650),
        right: Right::Call,
        lot: LotSize::new(LOT).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(3 * LOT),
    }
}

fn params() -> StrategyParams {
    let ages = QuoteAgeLimits { feed: Age::from_secs(5), snapshot: Age::from_secs(5), bar: Age::from_secs(60) };
    StrategyParams {
        indices: vec![Underlying::Nifty],
        signal: SignalParams {
            primary: Timeframe::M1,
            confirmation: None,
            supertrend: SupertrendParams::Classic { period: 10, multiplier: 3.0 },
            adx_period: 14,
            adx_min_primary: 18.0,
            adx_min_confirmation: 20.0,
            trigger: SignalTrigger::State,
            flip_valid_bars: 3,
            warmup_bars: 30,
            iv_rank: IvRankParams {
                enabled: false,
                min: 0.0,
                max: 1.0,
                lookback_days: 20,
                min_days: 2,
                on_no_history: NoHistory::Pass,
            },
            theta_cutoff: None,
            min_minutes_to_expiry: 30,
            trend_bars: None,
            bar_close_grace: Age::ZERO,
            opening_no_trade_minutes: 5,
            blackout_dates: BTreeSet::new(),
        },
        signal_by_index: BTreeMap::new(),
        chain: ChainParams {
            max_offset: 2,
            preferred_offset: None,
            atm_nearest_quoted: false,
            iv_min_pct: 10.0,
            iv_max_pct: 60.0,
            min_oi: Qty::ZERO,
            max_spread: Bps::from_percent(3),
            min_abs_delta: 0.1,
            max_abs_delta: 0.7,
            premium_band: BTreeMap::new(),
            quote_age: ages,
            min_score: 0,
            interest_rate: 0.06,
            min_minutes_to_expiry: 30,
        },
        capital: CapitalParams {
            opening_balance: Some(Money::from_rupees(1_000_000)),
            bands: vec![CapitalBand {
                up_to: None,
                allocation: Bps::from_percent(10),
                risk_per_trade: Bps::from_percent(5),
                day_loss: Bps::from_percent(50),
            }],
            index_allocation: BTreeMap::from([(Underlying::Nifty, Bps::from_percent(100))]),
            sizing: Sizing::RiskPercent,
            max_lots: Lots::new(6),
            max_trade_cost: None,
        },
        entry_guard: EntryGuardParams {
            max_positions_per_contract: 9,
            max_positions_per_index: 9,
            max_positions_total: 9,
            pyramid_only_in_profit: false,
            cooldown_direction: Age::ZERO,
            cooldown_strike: Age::ZERO,
            index_age: ages,
            option_age: ages,
            max_spread: Bps::from_percent(3),
            slippage_cap: Bps::from_percent(1),
            max_trades_per_index: 99,
            max_trades_per_day: 99,
        },
        risk: RiskParams {
            stop: StopDistance::Percent { pct: Bps::from_percent(4) },
            stop_limit_gap: Bps::from_percent(5),
            target: Some(Bps::from_percent(6)),
            break_even_after: Some(Bps::from_percent(3)),
            trail: Some(TrailParams { arm_after: Bps::from_percent(2), drop: Bps::from_percent(2) }),
            profit_lock: None,
            time_stop: Some(Age::from_secs(50)),
            day_loss: None,
            index_day_loss: BTreeMap::new(),
            day_profit: None,
            loss_streak: None,
            expiry_limits: Vec::new(),
            cutoffs: None,
        },
        orders: OrderParams {
            instance: InstanceTag::new("A1").unwrap(),
            entry_offset: Bps::new(50),
            entry_timeout: Age::from_secs(5),
            exit_offset: Bps::new(100),
            exit_chase: Age::from_secs(1),
            max_modifications: 25,
            modifications_for_exit: 10,
            stop_move_min: Bps::new(50),
            answer_timeout: Age::from_secs(2),
        },
    }
}

fn tables() -> CoreTables {
    fn always<T>(value: T) -> Vec<Dated<T>> {
        vec![Dated { from: NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(), to: None, value }]
    }
    let rate = |ppb| always(Rate::from_ppb(ppb));
    let table = ChargeTable {
        brokerage_per_order: always(Money::from_rupees(20)),
        stt_option_sale: rate(1_000_000),
        stt_exercise: rate(1_250_000),
        exchange: rate(350_300),
        sebi: rate(1_000),
        ipft: rate(5_000),
        stamp_buy: rate(30_000),
        gst: rate(180_000_000),
    };
    let tables = BTreeMap::from([(Underlying::Nifty.exchange(), table)]);
    let (hours, from) = (hours(), NaiveDate::from_ymd_opt(2025, 1, 1).unwrap());
    let regime = HoursRegime {
        from,
        window: hours.windows[0],
        index_continuous_close: hours.index_continuous_close,
        cutoffs: hours.cutoffs,
    };
    let to = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
    let calendar = SessionCalendar::new(from, to, vec![regime], BTreeMap::new()).unwrap();
    CoreTables { calendar: Arc::new(calendar), charges: Arc::new(ChargeBook { tables }) }
}

/// What is on its way.
#[derive(Debug, Clone)]
enum Line {
    Arrives(Command, i64),
    Said(BrokerEvent),
    Read(BrokerRead, Instant),
    Market,
    Enter,
    Meddle,
    Person,
}

#[derive(Debug, Clone, Default)]
struct Books {
    orders: Vec<OrderRow>,
    trades: Vec<TradeRow>,
}

struct World {
    dice: Dice,
    core: Direct,
    books: Books,
    history: Vec<(i64, Books)>,
    line: BTreeMap<(i64, u64), Line>,
    sent: u64,
    now: i64,
    /// Best bid in ticks of five paise; the ask is two above.
    bid: i64,
    last_fault: i64,
    placed: BTreeSet<ClientOrderId>,
    risk_stops: BTreeMap<PositionId, Premium>,
    seen: BTreeMap<ClientOrderId, (bool, Qty)>,
    absent: BTreeSet<ClientOrderId>,
    findings: Vec<Finding>,
    alarms: BTreeMap<AlarmKey, usize>,
    closed: usize,
    /// A sell arrived that was proven absent: the broker may be short until its units are booked.
    late_sell: bool,
    is_frozen: bool,
    log: Vec<String>,
}

impl World {
    fn new(seed: u64) -> World {
        let reconciler = ReconcilerParams::new(InstanceTag::new("A1").unwrap());
        let mut core = Direct::new(params(), tables(), &BTreeMap::new()).with_reconciler(reconciler);
        let opened = Event::SessionOpened { hours: hours(), warm_up: false, bars_of: BTreeMap::new() };
        core.handle_now(ms(-1_000), &opened).unwrap();
        let instrument = Instrument {
            id: SLOT,
            segment: Segment::NseFno,
            security_id: TOKEN,
            symbol: "NIFTY 25650 CE".to_owned(),
            kind: InstrumentKind::Option(contract()),
        };
        core.handle_now(ms(-1_000), &Event::Listed { instrument }).unwrap();
        let mut w = World {
            dice: Dice(seed),
            core,
            books: Books::default(),
            history: vec![(i64::MIN, Books::default())],
            line: BTreeMap::new(),
            sent: 0,
            now: 0,
            bid: 2_000,
            last_fault: 0,
            placed: BTreeSet::new(),
            risk_stops: BTreeMap::new(),
            seen: BTreeMap::new(),
            absent: BTreeSet::new(),
            findings: Vec::new(),
            alarms: BTreeMap::new(),
            closed: 0,
            late_sell: false,
            is_frozen: false,
            log: Vec::new(),
        };
        w.later(0, Line::Said(BrokerEvent::PushLink { up: true }));
        w.later(1, Line::Market);
        w
    }

    fn faulty(&mut self, percent: u64) -> bool {
        let is_fault = self.now < FAULTS_UNTIL && self.dice.chance(percent);
        if is_fault {
            self.last_fault = self.last_fault.max(self.now);
        }
        is_fault
    }

    fn later(&mut self, after: i64, what: Line) {
        self.sent += 1;
        self.line.insert((self.now + after, self.sent), what);
    }

    fn handle(&mut self, event: &Event) {
        let log: String = self.log.iter().rev().take(60).rev().cloned().collect();
        self.core.handle_now(ms(self.now), event).unwrap_or_else(|e| panic!("{e} at {} after {log}", self.now));
        self.drain();
    }

    /// Sends what was decided, and checks the laws.
    fn drain(&mut self) {
        let mut journaled = Vec::new();
        for entry in self.core.take_journal().collect::<Vec<_>>() {
            match entry {
                JournalEntry::Command { command, .. } => journaled.push(command),
                JournalEntry::Finding { finding, .. } => {
                    if let Finding::ProvenAbsent { id, lists, lookups, .. } = &finding {
                        assert!(lists.len() >= 3 && lookups.len() >= 3, "no end without proof (I11)");
                        self.absent.insert(*id);
                    }
                    self.log.push(format!("{} {finding:?}\n", self.now));
                    self.findings.push(finding);
                }
                JournalEntry::Alarm { key, .. } => *self.alarms.entry(key).or_default() += 1,
                JournalEntry::Report { event, .. } => self.log.push(format!("{} {event:?}\n", self.now)),
                JournalEntry::Exit { note, .. } => self.closed += usize::from(note.reason.is_some()),
                _ => {}
            }
        }
        let commands: Vec<Command> = self.core.take_commands().map(|(_, command)| command).collect();
        assert_eq!(commands, journaled, "nothing leaves that is not written, in that order (I12)");
        for command in commands {
            self.log.push(format!("{} {command:?}\n", self.now));
            let stop = match command {
                Command::Place(spec) => {
                    assert!(self.placed.insert(spec.id), "{} is sent twice (I1)", spec.id);
                    spec.order_type.trigger()
                }
                Command::Modify { order_type, .. } => order_type.trigger(),
                Command::Cancel { .. } => None,
            };
            if let Some(trigger) = stop {
                let in_force = self.core.orders.orders().find(|(o, _)| o.spec.id == command.order_id());
                let in_force = in_force.and_then(|(o, _)| o.spec.order_type.trigger()).unwrap_or(trigger);
                let is_about = |line: &&String| line.contains(&format!("{:?}", command.order_id()));
                let log = || self.log.iter().filter(is_about).cloned().collect::<String>();
                assert!(trigger >= in_force, "a stop falls from {in_force} to {trigger} (I7)\n{}", log());
            }
            self.transmit(command);
        }
        for read in self.core.take_reads().collect::<Vec<_>>() {
            let delay = self.dice.between(1, 30);
            self.later(delay, Line::Read(read, ms(self.now)));
        }
        self.laws();
    }

    fn laws(&mut self) {
        let orders = &self.core.orders;
        let owned: Qty = orders.positions().filter(|p| p.is_live()).map(|p| p.owned()).sum();
        let mut on_sale = Qty::ZERO;
        let mut net = 0;
        for (order, _) in orders.orders() {
            let sign = if order.spec.side == OrderSide::Buy { 1 } else { -1 };
            net += sign * order.filled().get();
            if order.spec.side == OrderSide::Sell {
                on_sale += order.open_qty() + order.missing_fills();
            }
            let known = self.seen.entry(order.spec.id).or_insert((false, Qty::ZERO));
            assert!(!known.0 || order.state.is_terminal(), "an end was reopened (I10)");
            assert!(order.filled() >= known.1, "executions were forgotten (I5, I10)");
            *known = (order.state.is_terminal(), order.filled());
            if order.state == OrderState::Absent {
                assert!(self.absent.contains(&order.spec.id), "absent without proof (I11)");
            }
        }
        let log = || self.log.iter().rev().take(60).rev().cloned().collect::<String>();
        assert!(on_sale <= owned, "{on_sale} on sale, {owned} owned (I2)\n{}", log());
        let by_positions: i64 = orders.positions().map(|p| p.owned().get()).sum();
        let adopted = self.core.reconciler.adopted_net();
        assert_eq!(net + adopted, by_positions, "positions are fills (I4)\n{}", log());
        let capital = &self.core.allocator;
        let books = capital.opening_of_day().unwrap() + capital.realised() - capital.charges();
        assert_eq!(capital.balance().unwrap(), books, "every rupee is somewhere (I8)");
        assert!(self.core.reconciler.every_open_order_has_a_deadline(), "I9");
        for p in self.core.risk.guarded() {
            let high = self.risk_stops.entry(p.id).or_insert(p.protection.stop);
            assert!(p.protection.stop >= *high, "I7");
            *high = p.protection.stop;
        }
        if !self.late_sell {
            let truth: i64 = self.books.trades.iter().map(|t| signed(t.side, t.qty)).sum();
            assert!(truth >= 0, "sold short at the broker (I2, I3)\n{}", log());
        }
    }

    /// One of our calls leaves: its way there, and its answer's way back, may both go wrong.
    fn transmit(&mut self, command: Command) {
        let is_place = matches!(command, Command::Place(_));
        if self.faulty(3) {
            return self.answer(&command, Answer::NotSent { why: "no connection".to_owned() }, 20);
        }
        if self.faulty(8) {
            if self.dice.chance(70) {
                self.answer(&command, Answer::Unknown { what: "time-out".to_owned() }, 5_000);
            }
            return;
        }
        let mut delay = self.dice.between(10, 60);
        if self.faulty(10) {
            delay = self.dice.between(1_000, if is_place { 30_000 } else { 5_000 });
            if is_place && self.dice.chance(25) {
                delay = self.dice.between(60_000, 90_000);
            }
            self.last_fault = self.last_fault.max(self.now + delay);
        }
        self.later(delay, Line::Arrives(command, self.now));
    }

    fn answer(&mut self, command: &Command, answer: Answer, after: i64) {
        let id = command.order_id();
        let call = match command {
            Command::Place(_) => OrderCall::Place,
            Command::Modify { version, .. } => OrderCall::Modify { version: *version },
            Command::Cancel { .. } => OrderCall::Cancel,
        };
        self.later(after, Line::Said(BrokerEvent::Answered { id, call, answer }));
    }

    fn index_of(&self, id: ClientOrderId) -> Option<usize> {
        self.books.orders.iter().position(|row| row.tag == Some(id))
    }

    fn push(&mut self, index: usize) {
        self.history.push((self.now, self.books.clone()));
        if self.faulty(20) {
            return;
        }
        let row = self.books.orders[index].clone();
        for _ in 0..if self.faulty(20) { 2 } else { 1 } {
            let delay = if self.faulty(25) { self.dice.between(100, LIST_LAG) } else { self.dice.between(5, 80) };
            self.last_fault = self.last_fault.max(if delay > 100 { self.now + delay } else { 0 });
            self.later(delay, Line::Said(BrokerEvent::Pushed { row: row.clone() }));
        }
    }

    fn arrives(&mut self, command: Command, left_at: i64) {
        let accepted = |i: usize| Answer::Accepted { broker_id: number(i), status: BrokerStatus::Transit };
        let refused = |refusal| Answer::Refused { refusal };
        let bid = Premium::from_paise(self.bid * 5);
        let answer = match command {
            Command::Place(spec) => {
                let wrong_side = spec.order_type.trigger().is_some_and(|trigger| trigger >= bid);
                if self.faulty(4) || wrong_side {
                    refused(VenueRefusal::TriggerSide)
                } else {
                    let i = self.books.orders.len();
                    let (order_type, price, trigger) = typed(spec.order_type);
                    self.books.orders.push(OrderRow {
                        broker_id: number(i),
                        tag: Some(spec.id),
                        segment: Segment::NseFno,
                        security_id: TOKEN,
                        side: spec.side,
                        product: Product::Intraday,
                        order_type,
                        status: BrokerStatus::Pending,
                        qty: spec.qty,
                        filled: Qty::ZERO,
                        value: Money::ZERO,
                        price,
                        trigger,
                        by_api: Some(true),
                        reason: String::new(),
                        updated_at: None,
                    });
                    self.late_sell |= spec.side == OrderSide::Sell && self.now - left_at > 45_000;
                    self.push(i);
                    accepted(i)
                }
            }
            Command::Modify { id, order_type, qty, .. } => match self.index_of(id) {
                Some(i) if !self.books.orders[i].status.is_final() && self.books.orders[i].filled < qty => {
                    let row = &mut self.books.orders[i];
                    let is_stop = order_type.trigger();
                    if is_stop.is_some_and(|t| t >= bid) || is_stop.is_some() && row.status == BrokerStatus::Triggered {
                        refused(VenueRefusal::TriggerSide)
                    } else {
                        (row.order_type, row.price, row.trigger) = typed(order_type);
                        row.qty = qty;
                        if row.status == BrokerStatus::Triggered {
                            row.status = BrokerStatus::Pending;
                        }
                        self.push(i);
                        accepted(i)
                    }
                }
                _ => refused(VenueRefusal::NotOpen),
            },
            Command::Cancel { id, .. } => match self.index_of(id) {
                Some(i) if !self.books.orders[i].status.is_final() => {
                    self.books.orders[i].status = BrokerStatus::Cancelled;
                    self.push(i);
                    accepted(i)
                }
                _ => refused(VenueRefusal::NotOpen),
            },
        };
        let is_late = self.now - left_at > 5_000;
        if is_late || self.faulty(12) {
            if !self.dice.chance(30) {
                let given_up = (left_at + 5_000 - self.now).max(1);
                self.answer(&command, Answer::Unknown { what: "time-out".to_owned() }, given_up);
            }
        } else {
            let delay = if self.faulty(20) { self.dice.between(100, 4_000) } else { self.dice.between(5, 60) };
            self.answer(&command, answer, delay);
        }
    }

    /// The market moves: stops trigger, whatever can trade trades in parts, and we get a quote.
    fn market(&mut self) {
        if self.is_frozen {
            return;
        }
        self.bid = (self.bid + self.dice.between(-24, 25)).clamp(1_200, 3_000);
        let (bid, ask) = (Premium::from_paise(self.bid * 5), Premium::from_paise(self.bid * 5 + 10));
        for i in 0..self.books.orders.len() {
            let row = &mut self.books.orders[i];
            if row.status.is_final() {
                continue;
            }
            if row.order_type == BrokerOrderType::StopLoss && row.status == BrokerStatus::Pending && bid <= row.trigger
            {
                row.status = BrokerStatus::Triggered;
                self.push(i);
            }
            let row = &self.books.orders[i];
            let is_resting = row.order_type == BrokerOrderType::StopLoss
                && !matches!(row.status, BrokerStatus::Triggered | BrokerStatus::PartTraded);
            let trades_at = match row.side {
                OrderSide::Buy if row.price >= ask => Some(ask),
                OrderSide::Sell if !is_resting && row.price <= bid => Some(bid),
                _ => None,
            };
            let lots = (row.qty - row.filled).get() / LOT;
            if let Some(price) = trades_at.filter(|_| self.dice.chance(70)) {
                let lots = self.dice.between(1, lots + 1);
                self.executes(i, Qty::new(lots * LOT), price);
            }
        }
        let level = |price| [(); 5].map(|()| BookLevel::new(price, Qty::new(10_000)));
        let at = ms(self.now);
        let tick = Tick {
            flags: TickFlags::NONE,
            bids: level(bid),
            asks: level(ask),
            ..Tick::last_price(SLOT, at, at, bid.paise(), TickSource::Feed)
        };
        self.handle(&Event::Tick(tick));
        let wait = self.dice.between(200, 900);
        self.later(wait, Line::Market);
    }

    fn executes(&mut self, i: usize, qty: Qty, price: Premium) {
        let row = &mut self.books.orders[i];
        row.filled += qty;
        row.value += price * qty;
        row.status = if row.filled == row.qty { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
        let trade = TradeRow {
            broker_id: row.broker_id.clone(),
            trade: TradeId(self.books.trades.len() as u64 + 1),
            segment: row.segment,
            security_id: row.security_id,
            side: row.side,
            qty,
            price,
            at: ms(self.now),
        };
        self.books.trades.push(trade);
        self.push(i);
    }

    fn read(&mut self, read: BrokerRead, asked_at: Instant) {
        if self.faulty(20) {
            if self.dice.chance(80) {
                self.later(50, Line::Said(BrokerEvent::ReadFailed { read, what: "DH-908".to_owned() }));
            }
            return;
        }
        let lag = if self.faulty(20) { self.dice.between(0, LIST_LAG) } else { 0 };
        let books = self.history.iter().rev().find(|(at, _)| *at <= self.now - lag).expect("began empty").1.clone();
        let said = match read {
            BrokerRead::Orders => BrokerEvent::Orders { asked_at, rows: books.orders },
            BrokerRead::Trades => BrokerEvent::Trades { asked_at, rows: books.trades },
            BrokerRead::Positions => BrokerEvent::Positions { asked_at, rows: positions_of(&books) },
            BrokerRead::ByTag { id } => {
                let rows = books.orders.into_iter().filter(|row| row.tag == Some(id)).collect();
                BrokerEvent::LookedUp { asked_at, id, rows }
            }
        };
        let delay = if self.faulty(20) { self.dice.between(100, 6_000) } else { self.dice.between(5, 60) };
        self.later(delay, Line::Said(said));
    }

    /// An approved entry, from the sizing on as the pipeline has it.
    fn enter(&mut self) {
        if self.core.reconciler.entry_block(Underlying::Nifty).is_some() || self.core.market.quote(SLOT).is_none() {
            return;
        }
        let (contract, at) = (contract(), ms(self.now));
        let now = self.core.ledger.stamp(at);
        let ask = Premium::from_paise(self.bid * 5 + 10);
        let prices = entries::prices(&self.core.orders, &contract, ask);
        let expires_at = hours().close_at() + Age::from_mins(24 * 60);
        let preview = self.core.risk.preview(at, &contract, expires_at, prices.limit);
        let request = entries::hold_request(self.core.terms.as_ref(), &contract, prices, &preview);
        let Ok(hold) = self.core.allocator.hold(&request) else { return };
        let signal = SignalId { underlying: Underlying::Nifty, bar_start: at, direction: Direction::Up };
        let (lot, tick) = (contract.lot, contract.tick);
        let plan = EntryPlan { signal, instrument: SLOT, tick, lot, expires_today: false, tightened_stop: None };
        let entry = ApprovedEntry { plan, contract, hold, entry_limit: prices.limit };
        let (_, commands) = ready(self.core.place(now, RiskApproved::for_test(entry)));
        pipeline::send_all(&mut self.core, now, commands);
        self.drain();
    }

    /// A person changes a resting order of ours at the broker (C14, E4).
    fn meddle(&mut self) {
        let is_stop =
            |row: &OrderRow| row.order_type == BrokerOrderType::StopLoss && row.status == BrokerStatus::Pending;
        let Some(i) = self.books.orders.iter().position(is_stop) else { return };
        self.last_fault = self.last_fault.max(self.now);
        let steps = self.dice.between(-30, 30) * 5;
        let row = &mut self.books.orders[i];
        let trigger = Premium::from_paise((row.trigger.paise() + steps).min(self.bid * 5 - 5));
        (row.price, row.trigger) = (row.price + (trigger - row.trigger), trigger);
        self.push(i);
    }

    fn person(&mut self) {
        let position = self.core.risk.guarded().map(|p| (p.id, p.protection.stop)).next();
        let command = match (self.dice.roll(4), position) {
            (0, Some((position, _))) => {
                OperatorCommand::Close { position, lots: Some(Lots::new(1)), request: self.sent + 1 }
            }
            (1, Some((position, stop))) => OperatorCommand::Tighten { position, stop: stop + Premium::from_rupees(1) },
            (2, _) => OperatorCommand::Flatten { underlying: None },
            _ => OperatorCommand::Acknowledge,
        };
        self.handle(&Event::Operator(command));
    }

    fn run(&mut self, until: i64) {
        loop {
            let wake = self.core.wake_at().map_or(i64::MAX, |at| (at.nanos() - ms(0).nanos()).div_euclid(1_000_000));
            let next = self.line.keys().next().map_or(i64::MAX, |(at, _)| *at);
            if wake.min(next) > until {
                self.now = until;
                return;
            }
            if wake <= next {
                self.now = self.now.max(wake);
                self.handle(&Event::Timer);
                continue;
            }
            self.now = next;
            match self.line.pop_first().expect("peeked").1 {
                Line::Arrives(command, left_at) => self.arrives(command, left_at),
                Line::Said(said) => {
                    self.handle(&Event::Broker(said));
                }
                Line::Read(read, asked_at) => self.read(read, asked_at),
                Line::Market => self.market(),
                Line::Enter => self.enter(),
                Line::Meddle => self.meddle(),
                Line::Person => self.person(),
            }
        }
    }

    /// Our books are the broker's, and what is owned is covered.
    fn converged(&self) {
        let log = || self.log.iter().rev().take(150).rev().cloned().collect::<String>();
        assert_eq!(self.core.orders.in_doubt().count(), 0, "nothing is unknown (I33)\n{}", log());
        for (order, _) in self.core.orders.orders() {
            let id = order.spec.id;
            let row = self.index_of(id).map(|i| &self.books.orders[i]);
            let (filled, is_final) = row.map_or((Qty::ZERO, true), |r| (r.filled, r.status.is_final()));
            let taken = self.core.reconciler.adopted_of(id);
            // Units sold late that nobody owned: told, blocking entries, and nothing that a sell could put right.
            let is_short = self.late_sell && order.state == OrderState::Absent && order.spec.side == OrderSide::Sell;
            assert!(order.filled() + taken == filled || is_short, "{id} {:?} {row:?}\n{}", order.state, log());
            let about = || self.log.iter().filter(|l| l.contains(&format!("{id:?}"))).cloned().collect::<String>();
            assert!(order.state.is_terminal() == is_final, "{id} {:?} {row:?}\n{}", order.state, about());
            let is_settled = order.state.is_terminal() || !order.has_unresolved();
            assert!(is_settled, "{id}: quantities stay reserved for {:?}\n{}", order.unresolved().last(), log());
        }
        let truth: i64 = self.books.trades.iter().map(|t| signed(t.side, t.qty)).sum();
        let owned: i64 = self.core.orders.positions().map(|p| p.owned().get()).sum();
        assert!(
            owned == truth || self.late_sell && owned > truth,
            "{owned} {truth}: the broker's net is ours (I4)\n{}",
            log()
        );
        for gap in self.core.orders.uncovered(ms(self.now)) {
            assert!(gap.age <= Age::from_millis(1_500), "{gap:?} (I6, J13)\n{}", log());
        }
    }
}

fn number(i: usize) -> BrokerOrderId {
    BrokerOrderId(format!("1126{i:06}").into())
}

fn signed(side: OrderSide, qty: Qty) -> i64 {
    if side == OrderSide::Buy { qty.get() } else { -qty.get() }
}

fn typed(order_type: OrderType) -> (BrokerOrderType, Premium, Premium) {
    let kind = if order_type.trigger().is_some() { BrokerOrderType::StopLoss } else { BrokerOrderType::Limit };
    (kind, order_type.limit(), order_type.trigger().unwrap_or(Premium::ZERO))
}

fn positions_of(books: &Books) -> Vec<PositionRow> {
    let units = |side| books.trades.iter().filter(|t| t.side == side).map(|t| t.qty).sum::<Qty>();
    let (day_bought, day_sold) = (units(OrderSide::Buy), units(OrderSide::Sell));
    if day_bought == Qty::ZERO && day_sold == Qty::ZERO {
        return Vec::new();
    }
    let (segment, product) = (Segment::NseFno, Product::Intraday);
    let net = (day_bought - day_sold).get();
    vec![PositionRow { segment, security_id: TOKEN, product, net, day_bought, day_sold }]
}

fn run(seed: u64) -> World {
    let mut w = World::new(seed);
    for _ in 0..12 {
        let after = w.dice.between(2_000, FAULTS_UNTIL);
        w.later(after, Line::Enter);
    }
    for _ in 0..w.dice.roll(4) {
        let after = w.dice.between(5_000, FAULTS_UNTIL);
        w.later(after, Line::Meddle);
        w.later(after / 2, Line::Person);
    }
    for _ in 0..w.dice.roll(3) {
        let after = w.dice.between(0, FAULTS_UNTIL);
        w.later(after, Line::Said(BrokerEvent::PushLink { up: false }));
        w.later(after + 3_000, Line::Said(BrokerEvent::PushLink { up: true }));
    }
    w.run(FAULTS_UNTIL);
    let quiet_from = w.last_fault.max(FAULTS_UNTIL);
    w.run(quiet_from + 58_000);
    // What is on its way at the moment of the check is no difference.
    w.is_frozen = true;
    w.run(quiet_from + 60_000);
    w.converged();
    w
}

#[test]
#[allow(clippy::disallowed_methods, reason = "how many seeds are played is the caller's choice")]
fn whatever_the_line_does_the_laws_hold_and_our_books_become_the_brokers() {
    // I1, I2, I4, I5, I7, I8, I9, I10, I11, I12, I33, J13.
    let seeds = std::env::var("SCALPER_MODEL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let first = std::env::var("SCALPER_MODEL_FIRST").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut reached: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut closed = 0;
    for seed in first..first + seeds {
        match std::panic::catch_unwind(|| run(seed)) {
            Ok(w) => {
                closed += w.closed;
                for finding in &w.findings {
                    *reached.entry(finding.code()).or_default() += 1;
                }
                for (key, count) in w.alarms {
                    *reached.entry(key.code()).or_default() += count;
                }
            }
            Err(_) => failed.push(seed),
        }
    }
    eprintln!("{closed} positions closed, {reached:?}");
    assert!(failed.is_empty(), "{} of {seeds} seeds fail: {failed:?}", failed.len());
    for code in ["IN_DOUBT", "PROVEN_ABSENT", "LATE_ARRIVAL", "UNMANAGED", "ALTERED"] {
        assert!(reached.contains_key(code) || seeds < 300, "{code} was not reached: {reached:?}");
    }
}

#[test]
fn units_that_a_person_sold_are_not_sold_again() {
    // E1, I2: the stop for everything owned is made smaller first.
    let mut w = World::new(7);
    w.now = FAULTS_UNTIL + 1_000;
    w.line.clear();
    w.later(0, Line::Said(BrokerEvent::PushLink { up: true }));
    w.later(1, Line::Market);
    w.run(w.now + 3_000);
    let owned = |w: &World| w.core.orders.positions().filter(|p| p.is_live()).map(|p| p.owned()).sum::<Qty>();
    for _ in 0..40 {
        if owned(&w) >= Qty::new(2 * LOT) {
            break;
        }
        w.enter();
        w.run(w.now + 500);
    }
    w.is_frozen = true;
    w.run(w.now + 6_000);
    let ours = owned(&w);
    assert!(ours >= Qty::new(2 * LOT), "{ours} owned");
    let row = OrderRow {
        tag: None,
        broker_id: number(w.books.orders.len()),
        side: OrderSide::Sell,
        qty: Qty::new(LOT),
        filled: Qty::ZERO,
        value: Money::ZERO,
        ..w.books.orders[0].clone()
    };
    w.books.orders.push(row);
    w.executes(w.books.orders.len() - 1, Qty::new(LOT), Premium::from_paise(w.bid * 5));
    w.run(w.now + 30_000);
    let sells = w.core.orders.orders().filter(|(o, _)| o.spec.side == OrderSide::Sell);
    let on_sale: Qty = sells.map(|(o, _)| o.open_qty()).sum();
    assert_eq!((owned(&w), on_sale), (ours, ours - Qty::new(LOT)));
    assert!(w.alarms.contains_key(&AlarmKey::NetShort));
}

//! The order manager against venues that behave, misbehave, and answer in any order.

mod cover;
mod doubt;
mod joined;
mod part;
mod unknowns;

use proptest::prelude::*;

use super::*;
use crate::capital_allocator::CapitalHold;
use crate::domain::calendar::Window;
use crate::domain::charges::Rate;
use crate::domain::ids::InstanceTag;
use crate::domain::order::{Fill, OrderPurpose, OrderSide};
use crate::domain::{
    Age, Bps, Command, Cutoffs, Direction, ExitReason, IndexPrice, LotSize, Lots, Money, OptionContract, OrderEvent,
    OrderReport, OrderSpec, OrderType, PositionPhase, Premium, Qty, Right, Seq, SessionHours, Stamp, Strike, TickFlags,
    TickSource, TimeOfDay, TradeId, VenueRefusal,
};
use crate::risk_manager::{EntryPlan, RiskAction, RiskApproved};

const LOT: i64 = 65;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn at(secs: i64) -> Stamp {
    let start = Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap());
    Stamp { seq: Seq(secs.unsigned_abs()), at: start + Age::from_secs(secs) }
}

fn rates() -> ChargeRates {
    ChargeRates {
        brokerage_per_order: Money::from_rupees(20),
        stt_option_sale: Rate::from_ppb(1_000_000),
        exchange: Rate::from_ppb(350_300),
        gst: Rate::from_ppb(180_000_000),
        ..ChargeRates::default()
    }
}

fn manager() -> OrderManager {
    let mut m = OrderManager::new(OrderParams {
        instance: InstanceTag::new("T1").unwrap(),
        entry_offset: Bps::new(50),
        entry_timeout: Age::from_secs(5),
        exit_offset: Bps::new(100),
        exit_chase: Age::from_secs(1),
        max_modifications: 25,
        modifications_for_exit: 10,
        stop_move_min: Bps::new(50),
        answer_timeout: Age::from_secs(2),
    });
    m.open_session(&hours(&[((9, 15), (15, 30))]), BTreeMap::from([(Underlying::Nifty, rates())]));
    m
}

/// Hour and minute.
type Clock = (u32, u32);

fn hours(windows: &[(Clock, Clock)]) -> SessionHours {
    let time = |(h, m): (u32, u32)| TimeOfDay::hm(h, m).unwrap();
    let late = time((15, 20));
    SessionHours {
        day: day(),
        windows: windows.iter().map(|(open, close)| Window { open: time(*open), close: time(*close) }).collect(),
        index_continuous_close: time((15, 30)),
        cutoffs: Cutoffs {
            no_new_entry: late,
            expiry_force_exit: late,
            square_off_start: late,
            square_off_deadline: late,
            broker_square_off: late,
        },
    }
}

fn approved(lots: i64) -> RiskApproved {
    let contract = OptionContract {
        underlying: Underlying::Nifty,
        expiry: NaiveDate::from_ymd_opt(2026, 1, 13).unwrap(),
        strike: Strike::from_points(25_650),
        right: Right::Call,
        lot: LotSize::new(LOT).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(27 * LOT),
    };
    let signal = SignalId { underlying: Underlying::Nifty, bar_start: at(0).at, direction: Direction::Up };
    let limit = Premium::from_rupees(101);
    let qty = contract.lot.units(Lots::new(lots));
    RiskApproved::for_test(ApprovedEntry {
        plan: EntryPlan {
            signal,
            instrument: InstrumentId(3),
            tick: contract.tick,
            lot: contract.lot,
            expires_today: false,
            tightened_stop: None,
            named_stop: None,
        },
        contract,
        hold: CapitalHold {
            id: HoldId(1),
            lots: Lots::new(lots),
            qty,
            amount: limit * qty,
            risk_at_stop: Money::ZERO,
            binding: "test",
        },
        entry_limit: limit,
    })
}

fn quote(secs: i64, bid: i64) -> Quote {
    let level = |rupees: i64| Some(crate::domain::BookLevel::new(Premium::from_rupees(rupees), Qty::new(1_000)));
    Quote {
        ltp_paise: bid * 100,
        bid: level(bid),
        ask: level(bid + 1),
        oi: None,
        volume: None,
        exchange_at: at(secs).at,
        received_at: at(secs).at,
        source: TickSource::Feed,
        flags: TickFlags::NONE,
    }
}

fn report(id: ClientOrderId, report: OrderReport) -> OrderEvent {
    OrderEvent { id, instrument: InstrumentId(3), report }
}

fn fill(id: ClientOrderId, trade: u64, qty: i64, rupees: i64) -> OrderEvent {
    let fill = Fill { trade: TradeId(trade), qty: Qty::new(qty), price: Premium::from_rupees(rupees), at: at(1).at };
    report(id, OrderReport::Filled(fill))
}

fn protect(position: PositionId, rupees: i64) -> RiskAction {
    let trigger = Premium::from_rupees(rupees);
    RiskAction::Protect { position, trigger, limit: Premium::from_rupees(rupees - 2), rule: ExitReason::StopLoss }
}

const fn exit(position: PositionId) -> RiskAction {
    RiskAction::Exit { position, reason: ExitReason::Target }
}

/// Places an entry of `lots` lots and fills `filled` units of it.
fn opened(m: &mut OrderManager, lots: i64, filled: i64) -> (PositionId, ClientOrderId) {
    let (position, commands) = m.place(at(0), &approved(lots), Some(quote(0, 100)));
    let entry = commands[0].order_id();
    m.apply(at(1), &report(entry, OrderReport::Accepted)).unwrap();
    if filled > 0 {
        m.apply(at(1), &fill(entry, 1, filled, 100)).unwrap();
    }
    (position, entry)
}

#[test]
fn entries_above_the_freeze_quantity_are_sliced_with_ids_of_their_own() {
    // F-40
    let mut m = manager();
    let (_, commands) = m.place(at(0), &approved(60), None);
    let qty: Vec<i64> = commands
        .iter()
        .map(|c| match c {
            Command::Place(spec) => spec.qty.get(),
            _ => 0,
        })
        .collect();
    assert_eq!(qty, [27 * LOT, 27 * LOT, 6 * LOT]);
    let ids: BTreeSet<_> = commands.iter().map(Command::order_id).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn an_exit_takes_the_working_entry_back_and_sells_only_what_was_filled() {
    // F-14, I2
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    let commands = m.act(at(2), exit(position));
    assert!(matches!(commands[0], Command::Cancel { id, .. } if id == entry));
    let Command::Place(sell) = commands[1] else { panic!("the exit sells: {commands:?}") };
    assert_eq!((sell.side, sell.qty), (OrderSide::Sell, Qty::new(LOT)));
    // The rest of the entry fills before the cancel arrives: it must leave too.
    m.apply(at(2), &report(sell.id, OrderReport::Accepted)).unwrap();
    let late = m.apply(at(2), &fill(entry, 2, LOT, 100)).unwrap();
    let more = late.commands.iter().any(|c| matches!(c, Command::Modify { qty, .. } if *qty == Qty::new(2 * LOT)));
    assert!(more, "the sell grows to everything owned: {:?}", late.commands);
}

#[test]
fn only_fills_close_a_position() {
    // F-15, F-16, I18
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let sell = m.act(at(2), exit(position))[0].order_id();
    let accepted = m.apply(at(2), &report(sell, OrderReport::Accepted)).unwrap();
    assert!(accepted.changes.is_empty());
    let done = m.apply(at(3), &fill(sell, 9, LOT, 110)).unwrap();
    let closed = done.changes.iter().find_map(|c| match c {
        PositionChange::Closed { reason, net, .. } => Some((*reason, *net)),
        _ => None,
    });
    let (reason, net) = closed.expect("the last unit was sold");
    assert_eq!(reason, ExitReason::Target);
    // 650 gross; two brokerages of 20 with exchange charge and GST, STT on the sale.
    assert!(net < Money::from_rupees(600) && net > Money::from_rupees(580), "{net}");
}

#[test]
fn a_stop_that_fills_on_its_own_records_the_rule_that_set_it() {
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    let done = m.apply(at(9), &fill(stop, 5, LOT, 70)).unwrap();
    assert!(done.changes.iter().any(|c| matches!(c, PositionChange::Closed { reason: ExitReason::StopLoss, .. })));
}

#[test]
fn a_refused_stop_leaves_the_position_unprotected_and_says_so() {
    // J13: the risk manager answers with an exit.
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    let refused = report(stop, OrderReport::Rejected { refusal: VenueRefusal::TriggerSide });
    let outcome = m.apply(at(3), &refused).unwrap();
    assert!(matches!(outcome.changes[0], PositionChange::Unprotected { .. }));
    let again = m.act(at(3), exit(position));
    assert!(matches!(again[0], Command::Place(spec) if spec.purpose == OrderPurpose::Exit));
    assert_ne!(again[0].order_id(), stop, "a new attempt has an id of its own (F-19)");
}

#[test]
fn an_exit_that_rests_is_priced_again_under_a_newer_bid_and_not_without_one() {
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let sell = m.act(at(2), exit(position))[0];
    let Command::Place(spec) = sell else { panic!() };
    assert_eq!(spec.order_type.limit(), Premium::from_rupees(99));
    m.apply(at(2), &report(spec.id, OrderReport::Accepted)).unwrap();
    assert!(m.on_timer(at(4)).commands.is_empty(), "no newer quote: unpriced, it waits");
    let chased = m.on_quote(at(5), InstrumentId(3), &quote(5, 90));
    let Command::Modify { order_type, .. } = chased[0] else { panic!("{chased:?}") };
    assert_eq!(order_type.limit(), Premium::from_paise(8_820), "two offsets under the bid");
}

#[test]
fn an_unfilled_entry_is_taken_back_at_its_time_out_and_the_position_abandoned() {
    let mut m = manager();
    let (position, entry) = opened(&mut m, 1, 0);
    assert_eq!(m.wake_at(), Some(at(5).at));
    let commands = m.on_timer(at(5)).commands;
    assert!(matches!(commands[0], Command::Cancel { id, .. } if id == entry));
    let outcome = m.apply(at(6), &report(entry, OrderReport::Cancelled { filled: Qty::ZERO })).unwrap();
    assert!(matches!(outcome.changes[..], [PositionChange::Abandoned { position: p }] if p == position));
    assert_eq!(m.exposure(Underlying::Nifty, InstrumentId(3)).total, 0);
}

#[test]
fn silence_after_sending_is_doubt_and_never_a_rejection() {
    // F-36, L3
    let mut m = manager();
    let (_, commands) = m.place(at(0), &approved(1), None);
    m.on_timer(at(2));
    let exposure = m.exposure(Underlying::Nifty, InstrumentId(3));
    assert!(exposure.in_doubt && exposure.total == 1, "worst case stays reserved: {exposure:?}");
    m.apply(at(3), &fill(commands[0].order_id(), 1, LOT, 100)).unwrap();
    assert!(!m.exposure(Underlying::Nifty, InstrumentId(3)).in_doubt, "evidence ends the doubt");
}

#[test]
fn settlement_pays_the_intrinsic_value_once() {
    // P30, F-30
    let mut m = manager();
    let (position, _) = opened(&mut m, 1, LOT);
    let value = IndexPrice::from_rupees(25_700);
    let expiry = NaiveDate::from_ymd_opt(2026, 1, 13).unwrap();
    let outcome = m.settle(at(9), Underlying::Nifty, expiry, value);
    let settled = m.position(position).unwrap();
    assert_eq!(settled.received, Money::from_rupees(50 * LOT));
    assert!(matches!(settled.phase, PositionPhase::Closed { reason: ExitReason::ExpirySettlement, .. }));
    assert_eq!(outcome.changes.len(), 2);
    assert!(m.settle(at(10), Underlying::Nifty, expiry, value).changes.is_empty());
}

/// A position of one lot with a stop resting at 70.
fn stopped(m: &mut OrderManager) -> (PositionId, ClientOrderId) {
    let (position, _) = opened(m, 1, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    (position, stop)
}

fn refused_change(id: ClientOrderId, version: u8, refusal: VenueRefusal) -> OrderEvent {
    report(id, OrderReport::ModifyRefused { version, refusal })
}

#[test]
fn a_refused_stop_move_is_not_sent_again_until_the_stop_rises_further() {
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    assert_eq!(m.act(at(3), protect(position, 80)).len(), 1);
    let outcome = m.apply(at(3), &refused_change(stop, 1, VenueRefusal::TriggerSide)).unwrap();
    assert!(outcome.commands.is_empty(), "the same wish again burns a modification: {:?}", outcome.commands);
    assert_eq!(m.act(at(4), protect(position, 85)).len(), 1, "a new wish is sent");
}

#[test]
fn units_bought_after_the_stop_triggered_get_a_stop_of_their_own() {
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    m.apply(at(3), &report(stop, OrderReport::Triggered)).unwrap();
    let outcome = m.apply(at(3), &fill(entry, 2, LOT, 100)).unwrap();
    let placed = |c: &Command| matches!(c, Command::Place(s) if s.qty == Qty::new(LOT) && s.side == OrderSide::Sell);
    assert!(outcome.commands.iter().any(placed), "a triggered stop cannot grow: {:?}", outcome.commands);
}

#[test]
fn a_stop_that_fills_takes_the_rest_of_the_entry_back() {
    // F-14: nothing more is bought into a position whose stop was hit.
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, LOT);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    let outcome = m.apply(at(3), &fill(stop, 2, LOT, 70)).unwrap();
    let cancelled = |c: &Command| matches!(c, Command::Cancel { id, .. } if *id == entry);
    assert!(outcome.commands.iter().any(cancelled), "{:?}", outcome.commands);
}

#[test]
fn a_refused_exit_waits_for_its_next_chase_and_never_gives_up() {
    // F-18, F-23: no hammering, and no end before the close.
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    let mut now = 3;
    assert_eq!(m.act(at(now), exit(position)).len(), 1);
    for version in 1..=25 {
        let outcome = m.apply(at(now), &refused_change(stop, version, VenueRefusal::PriceBand)).unwrap();
        assert!(outcome.commands.is_empty(), "sent again in the event of its refusal: {:?}", outcome.commands);
        let wake = m.wake_at().expect("the next chase");
        assert!(wake > at(now).at);
        now = wake.age_of(at(0).at).secs() + 1;
        let commands = m.on_timer(at(now)).commands;
        assert_eq!(commands.len(), 1, "modification {version}: {commands:?}");
    }
    // Out of modifications it is taken back; that is refused as well, for a long time.
    for round in 0..300 {
        let refusal = OrderReport::CancelRefused { refusal: VenueRefusal::Other("busy".into()) };
        let outcome = m.apply(at(now), &report(stop, refusal)).unwrap();
        assert!(outcome.commands.is_empty(), "round {round}: {:?}", outcome.commands);
        now = m.wake_at().expect("the next chase").age_of(at(0).at).secs() + 1;
        if at(now).at >= Instant::from_ist(day(), TimeOfDay::hm(15, 30).unwrap()) {
            break;
        }
        assert!(matches!(m.on_timer(at(now)).commands[..], [Command::Cancel { .. }]), "round {round}");
    }
    assert!(now > 3 * 3_600, "still trying hours later");
}

#[test]
fn an_exit_whose_own_cancel_succeeded_is_placed_afresh_at_once() {
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    for version in 1..=25 {
        let rupees = 100 - i64::from(version);
        let commands = match version {
            1 => m.act(at(3), exit(position)),
            v => m.on_quote(at(3 * i64::from(v)), InstrumentId(3), &quote(3 * i64::from(v), rupees)),
        };
        let Command::Modify { order_type, qty, .. } = commands[0] else { panic!("{commands:?}") };
        let done = OrderReport::Modified { version, order_type, qty };
        m.apply(at(3 * i64::from(version)), &report(stop, done)).unwrap();
    }
    let commands = m.on_quote(at(90), InstrumentId(3), &quote(90, 50));
    assert!(matches!(commands[..], [Command::Cancel { .. }]), "{commands:?}");
    let outcome = m.apply(at(90), &report(stop, OrderReport::Cancelled { filled: Qty::ZERO })).unwrap();
    assert!(matches!(outcome.commands[..], [Command::Place(_)]), "naked until the next chase: {:?}", outcome.commands);
}

#[test]
fn without_buyers_an_exit_asks_near_the_last_price_and_never_for_one_tick() {
    let mut m = manager();
    let (position, stop) = stopped(&mut m);
    let mut lonely = quote(3, 90);
    lonely.bid = None;
    m.on_quote(at(3), InstrumentId(3), &lonely);
    let commands = m.act(at(3), exit(position));
    let [Command::Modify { id, order_type, .. }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!((id, order_type.limit()), (stop, Premium::from_paise(8_910)), "one offset under the last price of 90");
    let mut m = manager();
    let (position, _) = stopped(&mut m);
    (lonely.ltp_paise, lonely.ask) = (0, None);
    m.on_quote(at(3), InstrumentId(3), &lonely);
    assert!(m.act(at(3), exit(position)).is_empty(), "without any price the stop keeps resting");
    assert_eq!(m.on_quote(at(9), InstrumentId(3), &quote(9, 60)).len(), 1, "it leaves at its next quote");
}

#[test]
fn no_exit_is_priced_outside_the_exchanges_band() {
    let mut m = manager();
    m.params.exit_offset = Bps::from_percent(8);
    let (position, _) = opened(&mut m, 1, LOT);
    let sell = m.act(at(2), exit(position))[0].order_id();
    m.apply(at(2), &report(sell, OrderReport::Accepted)).unwrap();
    for i in 1..=20_u8 {
        let secs = 2 + 2 * i64::from(i);
        let commands = m.on_quote(at(secs), InstrumentId(3), &quote(secs, 100));
        if let Some(Command::Modify { order_type, qty, version, .. }) = commands.first().copied() {
            assert!(order_type.limit() >= Premium::from_rupees(60), "{order_type:?} under a bid of 100");
            m.apply(at(secs), &report(sell, OrderReport::Modified { version, order_type, qty })).unwrap();
        }
    }
}

#[test]
fn a_cancellation_that_overtakes_its_fills_neither_abandons_nor_sells_twice() {
    // P2, I2: the count comes before the executions it counts.
    let mut m = manager();
    let (position, entry) = opened(&mut m, 2, 0);
    let outcome = m.apply(at(2), &report(entry, OrderReport::Cancelled { filled: Qty::new(LOT) })).unwrap();
    assert!(outcome.changes.is_empty(), "{:?}", outcome.changes);
    let outcome = m.apply(at(2), &fill(entry, 1, LOT, 100)).unwrap();
    let names = outcome.changes.iter().map(|c| matches!(c, PositionChange::Bought { .. })).collect::<Vec<_>>();
    assert_eq!(names, [true, false], "bought, then done: {:?}", outcome.changes);
    let stop = m.act(at(2), protect(position, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    let outcome = m.apply(at(3), &report(stop, OrderReport::Cancelled { filled: Qty::new(LOT) })).unwrap();
    assert!(outcome.commands.is_empty() && outcome.changes.is_empty(), "{outcome:?}");
    assert!(m.act(at(3), exit(position)).is_empty(), "everything owned is sold already, the fill is on its way");
    let outcome = m.apply(at(3), &fill(stop, 2, LOT, 70)).unwrap();
    assert!(outcome.changes.iter().any(|c| matches!(c, PositionChange::Closed { .. })));
}

#[test]
fn an_entry_that_could_not_be_taken_back_is_tried_again() {
    let mut m = manager();
    let (_, entry) = opened(&mut m, 1, 0);
    assert_eq!(m.on_timer(at(5)).commands.len(), 1);
    let refusal = OrderReport::CancelRefused { refusal: VenueRefusal::MarketClosed };
    m.apply(at(5), &report(entry, refusal)).unwrap();
    let wake = m.wake_at().expect("tried again");
    assert!(wake > at(5).at);
    let later = Stamp { seq: Seq(99), at: wake };
    assert!(matches!(m.on_timer(later).commands[..], [Command::Cancel { .. }]));
}

#[test]
fn nothing_is_sent_in_the_break_between_two_windows_and_everything_at_the_next_open() {
    let mut m = manager();
    m.open_session(&hours(&[((9, 15), (10, 1)), ((11, 30), (12, 30))]), BTreeMap::new());
    let reopens = Instant::from_ist(day(), TimeOfDay::hm(11, 30).unwrap());
    let (position, stop) = stopped(&mut m);
    assert!(m.act(at(100), exit(position)).is_empty(), "10:01:40: the venue would refuse it");
    assert_eq!(m.wake_at(), Some(reopens));
    let open = Stamp { seq: Seq(500), at: reopens };
    assert!(matches!(m.on_timer(open).commands[..], [Command::Modify { id, .. }] if id == stop));
    // A stop for units reported bought after the window's close waits for the next open as well.
    let mut m = manager();
    m.open_session(&hours(&[((9, 15), (10, 1)), ((11, 30), (12, 30))]), BTreeMap::new());
    let (position, entry) = opened(&mut m, 1, 0);
    m.apply(at(61), &fill(entry, 1, LOT, 100)).unwrap();
    assert!(m.act(at(61), protect(position, 70)).is_empty());
    assert!(matches!(m.on_timer(open).commands[..], [Command::Place(s)] if s.purpose == OrderPurpose::Protection));
}

#[test]
fn a_session_that_ends_around_a_working_entry_ends_its_books_as_well() {
    let mut m = manager();
    let (position, _) = opened(&mut m, 2, LOT);
    let changes = m.close_session(at(9_000)).changes;
    assert!(
        matches!(changes[..], [PositionChange::EntryDone { .. }, PositionChange::Unresolved { .. }]),
        "{changes:?}"
    );
    let mut m = manager();
    let (other, _) = opened(&mut m, 2, LOT);
    let stop = m.act(at(2), protect(other, 70))[0].order_id();
    m.apply(at(2), &report(stop, OrderReport::Accepted)).unwrap();
    m.apply(at(3), &fill(stop, 2, LOT, 70)).unwrap();
    let changes = m.close_session(at(9_000)).changes;
    assert!(matches!(changes[..], [PositionChange::EntryDone { .. }, PositionChange::Closed { .. }]), "{changes:?}");
    assert_eq!(position, other);
}

/// An order as a fickle venue holds it.
#[derive(Debug, Clone)]
struct VenueOrder {
    side: OrderSide,
    qty: i64,
    filled: i64,
    open: bool,
    limit: Premium,
}

/// A venue that answers in any order, fills in pieces, refuses, and forgets nothing.
#[derive(Debug, Default)]
struct FickleVenue {
    orders: BTreeMap<ClientOrderId, VenueOrder>,
    inbox: Vec<Command>,
    trades: u64,
}

impl FickleVenue {
    /// Acts on one waiting command or one open order, by `choice`.
    fn act(&mut self, choice: u32) -> Option<OrderEvent> {
        let refuse = choice.is_multiple_of(7);
        if !self.inbox.is_empty() && !choice.is_multiple_of(3) {
            let command = self.inbox.remove(choice as usize % self.inbox.len());
            let id = command.order_id();
            let not_open = VenueRefusal::NotOpen;
            let answer = match command {
                Command::Place(_) if refuse => OrderReport::Rejected { refusal: VenueRefusal::PriceBand },
                Command::Place(spec) => {
                    let limit = spec.order_type.limit();
                    let order = VenueOrder { side: spec.side, qty: spec.qty.get(), filled: 0, open: true, limit };
                    self.orders.insert(id, order);
                    OrderReport::Accepted
                }
                Command::Modify { version, order_type, qty, .. } => match self.orders.get_mut(&id) {
                    Some(o) if o.open && !refuse && qty.get() > o.filled => {
                        (o.qty, o.limit) = (qty.get(), order_type.limit());
                        OrderReport::Modified { version, order_type, qty }
                    }
                    _ => OrderReport::ModifyRefused { version, refusal: not_open },
                },
                Command::Cancel { .. } => match self.orders.get_mut(&id) {
                    Some(o) if o.open && !refuse => {
                        o.open = false;
                        OrderReport::Cancelled { filled: Qty::new(o.filled) }
                    }
                    _ => OrderReport::CancelRefused { refusal: not_open },
                },
            };
            return Some(report(id, answer));
        }
        let open: Vec<ClientOrderId> = self.orders.iter().filter(|(_, o)| o.open).map(|(id, _)| *id).collect();
        let id = *open.get(choice as usize % open.len().max(1))?;
        let order = self.orders.get_mut(&id)?;
        let left = order.qty - order.filled;
        let qty = if choice.is_multiple_of(2) { left } else { LOT.min(left) };
        order.filled += qty;
        order.open = order.filled < order.qty;
        self.trades += 1;
        let fill = Fill { trade: TradeId(self.trades), qty: Qty::new(qty), price: order.limit, at: at(1).at };
        Some(report(id, OrderReport::Filled(fill)))
    }

    fn net(&self) -> i64 {
        self.orders.values().map(|o| if o.side == OrderSide::Buy { o.filled } else { -o.filled }).sum()
    }

    fn sellable(&self) -> i64 {
        self.orders.values().filter(|o| o.open && o.side == OrderSide::Sell).map(|o| o.qty - o.filled).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// I2, I3, I4, F-39: whatever the venue does and in whatever order it answers, the open sells never exceed what is
    /// owned, the position is never short, and our books equal the venue's.
    #[test]
    fn no_order_of_answers_ever_sells_more_than_is_owned(
        lots in 1_i64..40,
        steps in prop::collection::vec((0_u32..5, any::<u32>(), 60_i64..140), 20..160),
    ) {
        let mut m = manager();
        let mut venue = FickleVenue::default();
        let (position, commands) = m.place(at(0), &approved(lots), Some(quote(0, 100)));
        venue.inbox.extend(commands);
        let mut stop = 70;
        for (i, (kind, choice, bid)) in steps.into_iter().enumerate() {
            let now = at(i as i64 + 1);
            match kind {
                0 => venue.inbox.extend(m.on_quote(now, InstrumentId(3), &quote(i as i64 + 1, bid))),
                1 if choice.is_multiple_of(4) => venue.inbox.extend(m.act(now, exit(position))),
                1 => {
                    stop += 1;
                    venue.inbox.extend(m.act(now, protect(position, stop)));
                }
                2 => venue.inbox.extend(m.on_timer(now).commands),
                _ => {
                    if let Some(event) = venue.act(choice) {
                        let outcome = m.apply(now, &event).expect("a real venue never contradicts itself");
                        venue.inbox.extend(outcome.commands);
                        for change in outcome.changes {
                            if let PositionChange::Unprotected { position } = change {
                                venue.inbox.extend(m.act(now, exit(position)));
                            }
                        }
                    }
                }
            }
            let owned = m.position(position).unwrap().owned().get();
            prop_assert_eq!(owned, venue.net(), "our books and the venue's");
            prop_assert!(venue.net() >= 0, "short by {}", -venue.net());
            prop_assert!(venue.sellable() <= venue.net(), "{} on sale, {} owned", venue.sellable(), venue.net());
        }
        let p = m.position(position).unwrap();
        prop_assert!(p.sold <= p.bought);
    }
}

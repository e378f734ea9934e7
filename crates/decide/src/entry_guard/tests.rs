use super::*;
use crate::domain::calendar::Window;
use crate::domain::{BookLevel, Bps, Cutoffs, LotSize, Qty, Seq, TickFlags, TickSource, TimeOfDay};
use crate::params::QuoteAgeLimits;
use chrono::NaiveDate;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 8, 4).unwrap()
}

fn hm(hour: u32, minute: u32) -> TimeOfDay {
    TimeOfDay::hm(hour, minute).unwrap()
}

fn hours() -> SessionHours {
    SessionHours {
        day: day(),
        windows: vec![Window { open: hm(9, 15), close: hm(15, 40) }],
        index_continuous_close: hm(15, 15),
        cutoffs: Cutoffs {
            no_new_entry: hm(15, 0),
            expiry_force_exit: hm(15, 5),
            square_off_start: hm(15, 10),
            square_off_deadline: hm(15, 20),
            broker_square_off: hm(15, 25),
        },
    }
}

fn params() -> EntryGuardParams {
    let ages = |secs: i64| QuoteAgeLimits {
        feed: Age::from_secs(secs),
        snapshot: Age::from_secs(100),
        bar: Age::from_secs(60),
    };
    EntryGuardParams {
        max_positions_per_contract: 3,
        max_positions_per_index: 4,
        max_positions_total: 6,
        pyramid_only_in_profit: true,
        cooldown_direction: Age::from_secs(180),
        cooldown_strike: Age::from_secs(300),
        index_age: ages(5),
        option_age: ages(2),
        max_spread: Bps::from_percent(3),
        slippage_cap: Bps::from_percent(1),
        max_trades_per_index: 2,
        max_trades_per_day: 3,
    }
}

/// An entry that passes every check; each test breaks one thing.
#[derive(Clone)]
struct Case {
    guard: EntryGuard,
    at: Instant,
    hours: SessionHours,
    signal: SignalId,
    contract: OptionContract,
    index: Option<Quote>,
    option: Option<Quote>,
    limit: Premium,
    open: PositionCounts,
    block: Option<EntryBlock>,
    duplicate: bool,
}

fn at(time: TimeOfDay) -> Instant {
    Instant::from_ist(day(), time)
}

fn signal(underlying: Underlying, minute: u32) -> SignalId {
    SignalId { underlying, bar_start: at(hm(10, minute)), direction: Direction::Up }
}

fn level(paise: i32) -> Option<BookLevel> {
    Some(BookLevel { price: paise, qty: 65 })
}

fn quote(ltp: i64, received_at: Instant) -> Quote {
    Quote {
        ltp_paise: ltp,
        bid: None,
        ask: None,
        oi: None,
        volume: None,
        exchange_at: received_at,
        received_at,
        source: TickSource::Feed,
        flags: TickFlags::NONE,
    }
}

fn case() -> Case {
    let now = at(hm(11, 0));
    Case {
        guard: EntryGuard::new(params()),
        at: now,
        hours: hours(),
        signal: signal(Underlying::Nifty, 58),
        contract: OptionContract {
            underlying: Underlying::Nifty,
            expiry: day(),
            strike: Strike::from_points(25_700),
            right: Right::Call,
            lot: LotSize::new(65).unwrap(),
            tick: Premium::from_paise(5),
            max_order_qty: Qty::new(1_755),
        },
        index: Some(quote(2_565_000, now)),
        option: Some(Quote { bid: level(10_000), ask: level(10_100), ..quote(10_050, now) }),
        limit: Premium::from_paise(10_200),
        open: PositionCounts::default(),
        block: None,
        duplicate: false,
    }
}

impl Case {
    fn decide(&self) -> Result<Guarded, EntryRefusal> {
        let ctx = EntryContext {
            signal: self.signal,
            contract: &self.contract,
            instrument: InstrumentId(7),
            hours: &self.hours,
            index_quote: self.index.as_ref(),
            option_quote: self.option.as_ref(),
            entry_limit: self.limit,
            open: self.open,
            entries_blocked: self.block.clone(),
            duplicate_signal: self.duplicate,
        };
        self.guard.decide(stamp(self.at), &ctx)
    }
}

fn stamp(at: Instant) -> Stamp {
    Stamp { seq: Seq(9), at }
}

/// Expects `pass`, or a code and its message.
fn check(want: &str, change: impl FnOnce(&mut Case)) {
    let mut case = case();
    change(&mut case);
    let got = match case.decide() {
        Ok(_) => "pass".to_owned(),
        Err(refusal) => format!("{}: {refusal}", refusal.code()),
    };
    assert_eq!(got, want);
}

/// Moves the whole case to another instant, quotes included.
fn move_to(case: &mut Case, now: Instant) {
    case.at = now;
    for quote in [&mut case.index, &mut case.option].into_iter().flatten() {
        quote.received_at = now;
    }
}

#[test]
fn a_sound_entry_passes_and_the_permission_says_for_what() {
    let case = case();
    let guarded = case.decide().unwrap();
    assert_eq!(guarded.signal(), case.signal);
    assert_eq!(guarded.contract(), &case.contract);
    assert_eq!((guarded.instrument(), guarded.entry_limit()), (InstrumentId(7), case.limit));
    assert_eq!(guarded.at(), stamp(case.at));
}

#[test]
fn entries_end_with_the_session_the_cut_off_and_the_index() {
    // F-13, F-84, design 15: spot goes quiet at 15:15, options trade to 15:40.
    let closed = |text: &str| format!("SESSION_CLOSED: no continuous trading at {text}");
    check("pass", |c| move_to(c, at(hm(9, 15))));
    check(&closed("2026-08-04T09:14:59.999+05:30"), |c| move_to(c, at(hm(9, 15)) - Age::from_millis(1)));
    check(&closed("2026-08-04T15:40:00+05:30"), |c| move_to(c, at(hm(15, 40))));
    check(&closed("2026-08-05T11:00:00+05:30"), |c| move_to(c, at(hm(11, 0)) + Age::from_mins(24 * 60)));
    check("pass", |c| move_to(c, at(hm(15, 0)) - Age::from_millis(1)));
    check("PAST_NO_NEW_ENTRY: 15:00:00 is past no_new_entry 15:00:00", |c| move_to(c, at(hm(15, 0))));
    let late = |c: &mut Case| c.hours.cutoffs.no_new_entry = hm(15, 20);
    check("pass", |c| {
        late(c);
        move_to(c, at(hm(15, 15)) - Age::from_millis(1));
    });
    check("INDEX_NOT_CONTINUOUS: 15:15:00 is past index_continuous_close 15:15:00", |c| {
        late(c);
        move_to(c, at(hm(15, 15)));
    });
}

#[test]
fn a_tripped_breaker_stops_entries_with_its_own_code() {
    // F-26, S3-27
    check("DAY_LOSS: day loss 6000.00, limit 6000.00", |c| {
        c.block = Some(EntryBlock { code: "DAY_LOSS", text: "day loss 6000.00, limit 6000.00".into() });
    });
}

#[test]
fn the_contract_must_be_the_signals() {
    // F-11, F-51
    let id = "NIFTY-2026-08-04T10:58:00+05:30-up";
    check(&format!("CONTRACT_MISMATCH: signal {id} does not buy NIFTY PE"), |c| c.contract.right = Right::Put);
    check(&format!("CONTRACT_MISMATCH: signal {id} does not buy SENSEX CE"), |c| {
        c.contract.underlying = Underlying::Sensex;
    });
    check("CONTRACT_EXPIRED: the contract expired on 2026-08-03", |c| {
        c.contract.expiry = day().pred_opt().unwrap();
    });
}

#[test]
fn one_signal_enters_once() {
    // F-33, S3-24
    let text = "DUPLICATE_SIGNAL: signal NIFTY-2026-08-04T10:58:00+05:30-up was acted on already";
    check(text, |c| c.duplicate = true);
    check(&format!("{text} at 2026-08-04T10:59:00+05:30"), |c| {
        let signal = c.signal;
        c.guard.entered(stamp(at(hm(10, 59))), signal);
    });
}

#[test]
fn an_order_in_doubt_closes_its_index() {
    // F-36
    check("IN_DOUBT: an order of NIFTY is in doubt", |c| c.open.in_doubt_in_underlying = true);
}

#[test]
fn positions_and_working_entries_fill_the_limits() {
    // F-34, S3-24, S3-33
    let open = |in_contract, in_index, total| PositionCounts {
        in_contract,
        in_index,
        total,
        others_in_contract_all_in_profit: true,
        in_doubt_in_underlying: false,
    };
    check("pass", |c| c.open = open(2, 3, 5));
    check("CONTRACT_FULL: 25700 CE has 3 positions or working entries, limit 3", |c| c.open = open(3, 3, 3));
    check("INDEX_FULL: NIFTY has 4 positions or working entries, limit 4", |c| c.open = open(0, 4, 4));
    check("ALL_FULL: 6 positions or working entries in all, limit 6", |c| c.open = open(0, 0, 6));
}

#[test]
fn a_pyramid_needs_every_earlier_position_in_profit() {
    let losing = PositionCounts { in_contract: 1, in_index: 1, total: 1, ..PositionCounts::default() };
    check("PYRAMID_NOT_IN_PROFIT: not all of the 1 earlier positions in the contract are in profit", |c| {
        c.open = losing;
    });
    check("pass", |c| c.open = PositionCounts { others_in_contract_all_in_profit: true, ..losing });
    check("pass", |c| {
        c.open = losing;
        c.guard.params.pyramid_only_in_profit = false;
    });
}

#[test]
fn leaving_a_direction_cools_it_down_whatever_the_next_strike() {
    // F-54, S3-28
    let leave = |seconds: i64| {
        move |c: &mut Case| {
            let left = stamp(c.at - Age::from_secs(seconds));
            c.guard.exited(left, Underlying::Nifty, Direction::Up, Strike::from_points(25_650), Right::Call);
        }
    };
    check("pass", leave(180));
    check("DIRECTION_COOL_DOWN: left NIFTY up 179000 ms ago, cool-down 180000 ms", leave(179));
}

#[test]
fn leaving_a_strike_cools_it_down_and_no_other_index_or_direction() {
    // F-54
    let leave = |seconds: i64, underlying, direction: Direction| {
        move |c: &mut Case| {
            let left = stamp(c.at - Age::from_secs(seconds));
            c.guard.exited(left, underlying, direction, Strike::from_points(25_700), direction.right());
        }
    };
    check("pass", leave(300, Underlying::Nifty, Direction::Up));
    check(
        "STRIKE_COOL_DOWN: left 25700 CE 299000 ms ago, cool-down 300000 ms",
        leave(299, Underlying::Nifty, Direction::Up),
    );
    check("pass", leave(1, Underlying::Nifty, Direction::Down));
    check("pass", leave(1, Underlying::Sensex, Direction::Up));
}

#[test]
fn the_trades_of_a_day_are_limited_per_index_and_in_all_and_start_anew_each_day() {
    let enter = |c: &mut Case, entries: &[Underlying]| {
        for (minute, underlying) in (0..).zip(entries) {
            c.guard.entered(stamp(c.at), signal(*underlying, minute));
        }
    };
    use Underlying::{BankNifty, Nifty, Sensex};
    check("pass", |c| enter(c, &[Nifty, Sensex]));
    check("INDEX_TRADES_DONE: NIFTY had 2 entries today, limit 2", |c| enter(c, &[Nifty, Nifty]));
    check("DAY_TRADES_DONE: 3 entries today, limit 3", |c| enter(c, &[Nifty, Sensex, BankNifty]));
    check("pass", |c| {
        enter(c, &[Nifty, Nifty, Sensex]);
        c.guard.exited(stamp(c.at), Nifty, Direction::Up, Strike::from_points(25_700), Right::Call);
        c.guard.open_session(day().succ_opt().unwrap());
    });
}

#[test]
fn an_index_price_must_be_there_and_young_for_its_source() {
    // F-42, F-43, F-80
    check("INDEX_PRICE_MISSING: no price of NIFTY", |c| c.index = None);
    check("INDEX_PRICE_MISSING: no price of NIFTY", |c| c.index.as_mut().unwrap().ltp_paise = 0);
    check("INDEX_PRICE_MISSING: no price of NIFTY", |c| c.index.as_mut().unwrap().flags = TickFlags::STALE);
    let age = |millis: i64, source: TickSource| {
        move |c: &mut Case| {
            let quote = c.index.as_mut().unwrap();
            quote.received_at = c.at - Age::from_millis(millis);
            quote.source = source;
        }
    };
    check("pass", age(5_000, TickSource::Feed));
    check("INDEX_STALE: NIFTY price is 5001 ms old, limit 5000 ms for source Feed", age(5_001, TickSource::Feed));
    check("pass", age(100_000, TickSource::Derived));
    check(
        "INDEX_STALE: NIFTY price is 100001 ms old, limit 100000 ms for source Derived",
        age(100_001, TickSource::Derived),
    );
    check(
        "INDEX_FROM_FUTURE: NIFTY price received 2026-08-04T11:00:00.001+05:30, now is 2026-08-04T11:00:00+05:30",
        age(-1, TickSource::Feed),
    );
}

#[test]
fn an_option_price_must_be_there_observed_and_young_for_its_source() {
    // F-42, F-43, design 8
    check("OPTION_PRICE_MISSING: no price of 25700 CE", |c| c.option = None);
    check("OPTION_PRICE_MISSING: no price of 25700 CE", |c| c.option.as_mut().unwrap().flags = TickFlags::OUT_OF_ORDER);
    check("OPTION_PRICE_MISSING: no price of 25700 CE", |c| {
        c.option = Some(quote(0, c.at));
    });
    let age = |millis: i64, source: TickSource| {
        move |c: &mut Case| {
            let quote = c.option.as_mut().unwrap();
            quote.received_at = c.at - Age::from_millis(millis);
            quote.source = source;
        }
    };
    check("pass", age(2_000, TickSource::Feed));
    check("OPTION_STALE: 25700 CE price is 2001 ms old, limit 2000 ms for source Feed", age(2_001, TickSource::Feed));
    check("pass", age(60_000, TickSource::Bar));
    check("OPTION_STALE: 25700 CE price is 60001 ms old, limit 60000 ms for source Bar", age(60_001, TickSource::Bar));
    check(
        "OPTION_FROM_FUTURE: 25700 CE price received 2026-08-04T11:00:00.001+05:30, now is 2026-08-04T11:00:00+05:30",
        age(-1, TickSource::Feed),
    );
    check("OPTION_PRICE_DERIVED: the price of 25700 CE is derived, not observed", age(0, TickSource::Derived));
}

#[test]
fn a_wide_one_sided_or_crossed_book_is_refused() {
    // F-48
    let book = |bid: Option<BookLevel>, ask: Option<BookLevel>| {
        move |c: &mut Case| {
            let quote = c.option.as_mut().unwrap();
            (quote.bid, quote.ask) = (bid, ask);
        }
    };
    check("pass", book(level(10_000), level(10_300)));
    check("SPREAD_WIDE: bid 100.00 ask 103.05: spread above 3.00 % of the bid", book(level(10_000), level(10_305)));
    check("ONE_SIDED_BOOK: 25700 CE has no buyers", book(None, level(10_100)));
    check("ONE_SIDED_BOOK: 25700 CE has no sellers", book(level(10_100), None));
    check("CROSSED_BOOK: bid 101.00 is above ask 100.95", book(level(10_100), level(10_095)));
}

#[test]
fn the_entry_limit_stays_within_the_slippage_cap_of_the_ask_or_of_the_last_price() {
    let limit = |paise: i64| move |c: &mut Case| c.limit = Premium::from_paise(paise);
    check("pass", limit(10_200)); // 1 % of 101.00 is 102.01
    check("SLIPPAGE_CAP: entry limit 102.05 is more than 1.00 % above 101.00", limit(10_205));
    check("LIMIT_OFF_TICK: entry limit 102.01 is not a positive multiple of the tick 0.05", limit(10_201));
    check("LIMIT_OFF_TICK: entry limit 0.00 is not a positive multiple of the tick 0.05", limit(0));
    let bar = |paise: i64| {
        move |c: &mut Case| {
            c.option = Some(Quote { source: TickSource::Bar, ..quote(10_000, c.at) });
            c.limit = Premium::from_paise(paise);
        }
    };
    check("pass", bar(10_100));
    check("SLIPPAGE_CAP: entry limit 101.05 is more than 1.00 % above 100.00", bar(10_105));
}

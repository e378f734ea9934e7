//! People, restarts and settings against a whole simulated day: the core and the venue, event by event.

use std::collections::BTreeMap;
use std::sync::Arc;

use scalper::backtest::feed::TickFeed as _;
use scalper::backtest::memory_feed::MemoryFeed;
use scalper::config;
use scalper::engine::held_quotes::silent;
use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::alarm::AlarmKey;
use scalper_decide::domain::operator::{OperatorAnswer, OperatorCommand};
use scalper_decide::domain::{
    Age, Bps, Event, ExitReason, Instant, Lots, Money, PositionId, PositionPhase, Premium, Qty, SessionHours, Tick,
    TickSource, TimeOfDay, Underlying,
};
use scalper_decide::journal::JournalEntry;
use scalper_decide::params::StrategyParams;
use scalper_decide::params::change::{self, Circumstances, Effect};
use scalper_decide::venue_sim::{FillModel, FillModelKind, VenueOutput, VenueSim};

use crate::support::{demo_market, demo_request};

const TICKS: usize = 300_000;

/// A day in progress, driven tick by tick.
struct World {
    core: Direct,
    venue: VenueSim,
    reports: BTreeMap<(Instant, u64), VenueOutput>,
    count: u64,
    journal: Vec<JournalEntry>,
    /// Everything that was handled, for a replay.
    log: Vec<(Instant, Event)>,
    hours: SessionHours,
    ticks: Vec<Tick>,
    next: usize,
    now: Instant,
}

fn tables() -> CoreTables {
    let tables = config::tables::load(None).expect("shipped tables load");
    CoreTables { calendar: Arc::new(tables.calendar), charges: Arc::new(tables.charges) }
}

impl World {
    /// The demo market at its last day, warmed up by the days before.
    fn new(change: impl Fn(&mut StrategyParams)) -> World {
        let feed = MemoryFeed::copy_of(&demo_market(1, TICKS)).unwrap();
        let mut params = demo_request(&feed).params;
        change(&mut params);
        let calendar = config::tables::load(None).unwrap().calendar;
        let days = feed.days();
        let last = *days.last().unwrap();
        let hours = |day| calendar.hours(day).unwrap().unwrap();
        let mut w = World {
            core: Direct::new(params.clone(), tables(), &BTreeMap::new()),
            venue: VenueSim::new(FillModel::named(FillModelKind::Base)),
            reports: BTreeMap::new(),
            count: 0,
            journal: Vec::new(),
            log: Vec::new(),
            hours: hours(last),
            ticks: Vec::new(),
            next: 0,
            now: Instant::from_nanos(0),
        };
        let midnight = |day| Instant::from_ist(day, TimeOfDay::from_secs(0).unwrap());
        w.handle(midnight(days[0]), Event::Configured { params: Box::new(params), reconciler: None });
        for day in days {
            let (start, is_warm_up) = (midnight(day), day != last);
            let bars_of = feed.bars_of(day);
            w.handle(start, Event::SessionOpened { hours: hours(day), warm_up: is_warm_up, bars_of });
            w.venue.open_session(&hours(day));
            for mut instrument in feed.instruments(day).unwrap() {
                instrument.id = feed.slot_of(instrument.segment, instrument.security_id).unwrap();
                w.venue.list(&instrument);
                w.handle(start, Event::Listed { instrument });
            }
            w.ticks.clone_from(&feed.days[&day].ticks);
            w.next = 0;
            if is_warm_up {
                w.until(|_| false);
                w.handle(hours(day).close_at() + Age::from_mins(1), Event::SessionClosed { day });
            }
        }
        w
    }

    fn handle(&mut self, at: Instant, event: Event) {
        self.now = self.now.max(at);
        self.core.handle_now(at, &event).expect("the core goes on");
        self.log.push((at, event));
        for (_, command) in self.core.take_commands().collect::<Vec<_>>() {
            self.venue.submit(at, command);
        }
        self.journal.extend(self.core.take_journal());
    }

    fn ask(&mut self, command: OperatorCommand) -> OperatorAnswer {
        self.handle(self.now, Event::Operator(command.clone()));
        let answered = self.journal.iter().rev().find_map(|e| match e {
            JournalEntry::Operated { command: asked, answer, .. } if *asked == command => Some(answer.clone()),
            _ => None,
        });
        answered.expect("every command is journaled with its answer")
    }

    fn due(&mut self, at: Instant) {
        loop {
            let arrival = self.venue.wake_at().unwrap_or(Instant::MAX);
            let report = self.reports.first_key_value().map_or(Instant::MAX, |((t, _), _)| *t);
            let timer = self.core.wake_at().unwrap_or(Instant::MAX);
            let first = arrival.min(report).min(timer);
            if first >= at {
                return;
            }
            if arrival == first {
                let mut out = Vec::new();
                self.venue.advance(arrival, &mut out);
                self.queue(out);
            } else if report == first {
                let (_, output) = self.reports.pop_first().unwrap();
                self.handle(report, Event::Order(output.event));
            } else {
                self.handle(timer, Event::Timer);
            }
        }
    }

    fn queue(&mut self, outputs: Vec<VenueOutput>) {
        for output in outputs {
            self.count += 1;
            self.reports.insert((output.deliver_at, self.count), output);
        }
    }

    /// Plays ticks until `stop` says so; whether it did before the day was over.
    fn until(&mut self, stop: impl Fn(&World) -> bool) -> bool {
        while let Some(tick) = self.ticks.get(self.next).copied() {
            self.next += 1;
            self.due(tick.received_at);
            let mut out = Vec::new();
            self.venue.on_tick(&tick, &mut out);
            self.queue(out);
            self.handle(tick.received_at, Event::Tick(tick));
            if stop(self) {
                return true;
            }
        }
        false
    }

    fn play(&mut self, time: Age) {
        let end = self.now + time;
        self.until(|w| w.now >= end);
    }

    /// Plays until a position owns at least `lots` and rests behind a stop.
    fn until_held(&mut self, lots: i64) -> PositionId {
        let held = |w: &World| {
            let open = w.core.risk().guarded().find(|p| {
                p.exiting.is_none()
                    && p.owned >= p.plan.lot.units(Lots::new(lots))
                    && w.core.orders().uncovered(w.now).is_empty()
            });
            open.map(|p| p.id)
        };
        assert!(self.until(|w| held(w).is_some()), "no position of {lots} lots all day");
        held(self).unwrap()
    }

    fn owned(&self) -> Qty {
        self.core.orders().positions().map(|p| p.owned()).sum()
    }

    /// Every rupee is somewhere (I8).
    fn assert_books(&self) {
        let net: Money = self
            .core
            .orders()
            .positions()
            .filter(|p| matches!(p.phase, PositionPhase::Closed { .. }))
            .map(|p| p.net())
            .sum();
        let capital = self.core.capital();
        let opening = capital.opening_of_day().unwrap();
        assert_eq!(capital.balance().unwrap(), opening + capital.realised() - capital.charges());
        if self.owned() == Qty::ZERO {
            assert_eq!(capital.balance().unwrap(), opening + net);
        }
    }

    fn codes(&self, since: usize) -> Vec<&'static str> {
        let code = |e: &JournalEntry| match e {
            JournalEntry::Decision(d) => Some(d.code),
            _ => None,
        };
        self.journal[since..].iter().filter_map(code).collect()
    }
}

const DONE: OperatorAnswer = OperatorAnswer::Done { changed: true };

#[test]
fn a_tripped_breaker_flattens_in_seconds_blocks_entries_and_outlives_a_restart() {
    // F-24, F-26, I13, J1, J2, J12
    let mut w = World::new(|_| {});
    w.until_held(1);
    assert_eq!(w.ask(OperatorCommand::TripBreaker { reason: "drill".to_owned() }), DONE);
    let exits = |w: &World| w.core.risk().guarded().all(|p| p.exiting.is_some());
    assert!(exits(&w), "every exit is decided in the event of the trip");
    // The thinned market of this test quotes a contract every few seconds.
    w.play(Age::from_mins(1));
    assert_eq!(w.owned(), Qty::ZERO, "flat within a minute");
    w.assert_books();
    let alarms = w.journal.iter().filter(|e| matches!(e, JournalEntry::Alarm { key: AlarmKey::BreakerTripped, .. }));
    assert_eq!(alarms.count(), 1);
    let (orders, bars) = (w.core.orders().orders().count(), w.codes(0).len());
    // The session is opened again, as a restart does.
    let reopened = Event::SessionOpened { hours: w.hours.clone(), warm_up: false, bars_of: BTreeMap::new() };
    w.handle(w.now, reopened);
    assert_eq!(w.core.orders().orders().count(), orders, "no order is forgotten");
    let since = w.journal.len();
    w.until(|_| false);
    let codes = w.codes(since);
    assert!(bars > 0 && codes.contains(&"BREAKER_TRIPPED"), "{codes:?}");
    assert!(!codes.contains(&"PLACED") && !codes.contains(&"WARMING_UP"), "bars went on, entries did not");
    assert_eq!(w.core.orders().orders().count(), orders);
}

#[test]
fn a_halt_stops_entries_and_resume_starts_them_again() {
    let mut w = World::new(|_| {});
    assert_eq!(w.ask(OperatorCommand::Halt), DONE);
    assert!(w.until(|w| w.codes(0).contains(&"HALTED")), "no signal all day");
    assert!(w.core.orders().orders().next().is_none());
    assert_eq!(w.ask(OperatorCommand::Resume), DONE);
    w.until_held(1);
    assert_eq!(w.ask(OperatorCommand::Flatten { underlying: None }), DONE);
    w.play(Age::from_secs(10));
    assert_eq!(w.owned(), Qty::ZERO);
    w.assert_books();
}

#[test]
fn some_lots_are_sold_and_the_rest_stays_behind_its_stop() {
    let mut w = World::new(|p| p.capital.opening_balance = Some(Money::from_rupees(2_000_000)));
    let position = w.until_held(2);
    let before = w.owned();
    let lot = w.core.risk().guarded().find(|p| p.id == position).unwrap().plan.lot;
    let close = OperatorCommand::Close { position, lots: Some(Lots::new(1)), request: 1 };
    assert_eq!(w.ask(close.clone()), DONE);
    assert_eq!(w.ask(close), OperatorAnswer::Done { changed: false });
    let one = lot.units(Lots::new(1));
    let sold = w.until(|w| w.core.orders().position(position).unwrap().owned() == before - one);
    assert!(sold, "one lot of {before} is sold");
    assert!(w.core.orders().position(position).unwrap().is_live());
    w.play(Age::from_secs(2));
    assert!(w.core.orders().uncovered(w.now).is_empty(), "the rest is protected");
    let stop = w.core.risk().guarded().find(|p| p.id == position).map(|p| p.protection.stop);
    if let Some(current) = stop {
        let asked = current - Premium::from_paise(5);
        let answer = w.ask(OperatorCommand::Tighten { position, stop: asked });
        assert!(matches!(answer, OperatorAnswer::Refused { .. }), "{answer:?}");
    }
    w.until(|_| false);
    w.due(w.hours.close_at());
    assert!(!w.core.orders().position(position).unwrap().is_live(), "the rest leaves by its own rules");
    w.assert_books();
    for entry in &w.journal {
        match entry {
            JournalEntry::Exit { note, .. } if note.reason == Some(ExitReason::SquareOff) => {
                assert!(note.tag.as_deref().is_some_and(|t| t.starts_with("time_exit_15")), "{:?}", note.tag);
            }
            JournalEntry::Exit { note, .. } => assert_eq!(note.tag.is_some(), note.reason.is_some()),
            JournalEntry::Entry { note, .. } => assert!(note.tag.starts_with("entry_"), "{}", note.tag),
            _ => {}
        }
    }
}

#[test]
fn a_quiet_contract_is_named_and_a_polled_quote_drives_its_stop() {
    // S3-34, F-42: the feed of the contract falls silent, a REST quote comes in its place.
    let mut w = World::new(|_| {});
    let position = w.until_held(1);
    let instrument = w.core.orders().position(position).unwrap().instrument;
    let silent = |w: &World| -> Vec<_> {
        silent(w.core.risk(), w.core.orders(), w.core.universe(), w.now).into_values().collect()
    };
    assert!(silent(&w).is_empty());
    w.ticks.retain(|t| t.instrument != instrument);
    w.next = w.ticks.partition_point(|t| t.received_at <= w.now);
    let judged = w.core.risk().evaluations().find(|(r, _)| *r == ExitReason::StopLoss).unwrap().1;
    w.play(Age::from_secs(12));
    assert_eq!(silent(&w), [instrument]);
    let again = w.core.risk().evaluations().find(|(r, _)| *r == ExitReason::StopLoss).unwrap().1;
    assert!(again >= judged + 2, "judged every five seconds without a tick: {judged}, then {again}");
    let guarded = w.core.risk().guarded().find(|p| p.id == position).unwrap();
    let (stop, rule) = (guarded.protection.stop, guarded.stop_rule);
    let known = w.core.orders().last_quote(position).unwrap().exchange_at;
    let polled = Tick::last_price(instrument, known, w.now, stop.paise(), TickSource::Snapshot);
    w.handle(w.now, Event::Tick(polled));
    assert!(silent(&w).is_empty());
    let exiting = w.core.risk().guarded().find(|p| p.id == position).and_then(|p| p.exiting);
    assert_eq!(exiting, Some(rule), "the polled price is at the stop");
}

#[test]
fn the_journal_of_a_day_with_people_and_settings_replays_to_the_same_digest() {
    // I23: configuration, commands and time are events like any other.
    let mut w = World::new(|_| {});
    let first = w.core.params().clone();
    w.until_held(1);
    let mut next = first.clone();
    next.entry_guard.max_trades_per_day = 0;
    next.risk.day_loss = Some(Bps::from_percent(90));
    next.signal.adx_period += 1;
    w.handle(w.now, Event::Configured { params: Box::new(next), reconciler: None });
    let Some(JournalEntry::Configured { changes, .. }) =
        w.journal.iter().rev().find(|e| matches!(e, JournalEntry::Configured { .. }))
    else {
        panic!("the change is journaled")
    };
    let effect = |key: &str| changes.iter().find(|c| c.key == key).map(|c| c.effect);
    assert_eq!(effect("entry_guard.max_trades_per_day"), Some(Effect::AppliesNow), "a limit tightens at once");
    assert_eq!(effect("risk.day_loss"), Some(Effect::NextSession), "looser: not while the day lasts");
    assert_eq!(effect("signal"), Some(Effect::Refused), "not while something is held");
    assert_eq!(
        (w.core.params().signal.adx_period, w.core.params().risk.day_loss),
        (first.signal.adx_period, first.risk.day_loss)
    );
    let since = w.journal.len();
    w.ask(OperatorCommand::Flatten { underlying: Some(Underlying::Nifty) });
    w.ask(OperatorCommand::Pause { underlying: Underlying::Nifty });
    w.until(|_| false);
    assert!(!w.codes(since).contains(&"PLACED"), "the tightened limit holds");
    w.handle(w.hours.close_at() + Age::from_mins(1), Event::SessionClosed { day: w.hours.day });

    // A core that was built with other settings takes them from the journal.
    let mut other = first;
    other.indices = vec![Underlying::Sensex];
    other.capital.opening_balance = Some(Money::from_rupees(7));
    let mut again = Direct::new(other, tables(), &BTreeMap::new());
    for (at, event) in &w.log {
        again.handle_now(*at, event).unwrap();
    }
    assert_eq!(again.digest(), w.core.digest());
    assert_eq!(again.capital().balance(), w.core.capital().balance());
    assert_eq!(again.params().risk.day_loss, w.core.params().risk.day_loss);
}

#[test]
fn every_setting_is_classified_and_survives_the_journal() {
    // I2: a setting that nobody thought about would be changed behind everybody's back.
    let params = config::load_with(None, std::iter::empty(), &[]).unwrap().params;
    let value = serde_json::to_value(&params).unwrap();
    assert_eq!(serde_json::from_value::<StrategyParams>(value.clone()).unwrap(), params);
    let mut expected: Vec<String> = Vec::new();
    for (section, inside) in value.as_object().unwrap() {
        if ["capital", "entry_guard", "risk", "orders"].contains(&section.as_str()) {
            expected.extend(inside.as_object().unwrap().keys().map(|key| format!("{section}.{key}")));
        } else {
            expected.push(section.clone());
        }
    }
    let mut known: Vec<String> = change::keys().map(str::to_owned).collect();
    expected.sort();
    known.sort();
    assert_eq!(known, expected);
}

#[test]
fn a_looser_limit_waits_while_something_is_held_and_structure_waits_for_nobody() {
    // I2, I4
    let old = config::load_with(None, std::iter::empty(), &[]).unwrap().params;
    let mut new = old.clone();
    new.entry_guard.max_positions_total += 1;
    new.entry_guard.cooldown_strike = new.entry_guard.cooldown_strike.max(Age::from_secs(1)).max(Age::from_mins(90));
    new.risk.stop_limit_gap = Bps::new(new.risk.stop_limit_gap.get() + 1);
    new.risk.day_loss = Some(Bps::from_percent(99));
    new.orders.entry_timeout = Age::from_secs(77);
    new.indices = vec![Underlying::Sensex];
    let of = |is_flat, has_bars| {
        let changes = change::classify(&old, &new, Circumstances { is_flat, has_bars });
        let effects: BTreeMap<&str, Effect> = changes.iter().map(|c| (c.key, c.effect)).collect();
        assert!(changes.iter().all(|c| !c.why.is_empty() && c.to_string().contains(c.key)));
        effects
    };
    use Effect::{AppliesNow, NextSession, Refused};
    let held = of(false, true);
    assert_eq!(held["entry_guard.max_positions_total"], NextSession);
    assert_eq!(held["entry_guard.cooldown_strike"], AppliesNow, "longer is tighter");
    assert_eq!((held["risk.stop_limit_gap"], held["orders.entry_timeout"]), (AppliesNow, AppliesNow));
    assert_eq!((held["risk.day_loss"], held["indices"]), (NextSession, Refused));
    assert_eq!(held.len(), 6, "{held:?}");
    let flat = of(true, true);
    assert_eq!((flat["entry_guard.max_positions_total"], flat["indices"]), (AppliesNow, Refused));
    assert_eq!(flat["risk.day_loss"], NextSession, "the base of a day's limit stays the day's");
    assert_eq!(of(true, false)["indices"], AppliesNow);
    assert_eq!(of(false, false)["indices"], Refused);
}

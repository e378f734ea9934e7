//! Laws of the lanes: I28, G9, G10.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scalper_decide::domain::{ClientOrderId, InstrumentId, OrderEvent, OrderReport, TickSource};

use super::*;

fn tick(instrument: u32, n: i64) -> Tick {
    let at = Instant::from_nanos(n);
    Tick::last_price(InstrumentId(instrument), at, at, n, TickSource::Feed)
}

/// An event that can be told from every other.
fn settled(n: i64) -> Event {
    Event::SessionClosed { day: chrono::NaiveDate::from_num_days_from_ce_opt(700_000 + n as i32).unwrap() }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Tick(u32),
    Event,
    Take,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![6 => (0_u32..9).prop_map(Step::Tick), 1 => Just(Step::Event), 2 => Just(Step::Take)];
    prop::collection::vec(step, 1..400)
}

/// Plays the steps against the lanes; returns everything that went in and everything that came out to the last.
fn play(lanes: &Lanes, steps: &[Step]) -> (Vec<Tick>, Vec<Event>, Vec<Input>) {
    let (mut ticks, mut events, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for (n, step) in steps.iter().enumerate() {
        let n = n as i64 + 1;
        match step {
            Step::Tick(instrument) => {
                let tick = tick(*instrument, n);
                if lanes.offer_tick(tick).unwrap() {
                    ticks.push(tick);
                }
            }
            Step::Event => {
                if lanes.offer_event(Instant::from_nanos(n), Box::new(settled(n))).unwrap().is_none() {
                    events.push(settled(n));
                }
            }
            Step::Take => out.extend(lanes.take()),
        }
        let counts = lanes.counts();
        assert_eq!(counts.events_in, counts.events_out + counts.events_waiting as u64, "I28: no event is lost");
        assert_eq!(counts.ticks_in, counts.ticks_out + counts.conflated + counts.ticks_waiting as u64, "I28");
    }
    out.extend(std::iter::from_fn(|| lanes.take()));
    (ticks, events, out)
}

fn split(out: Vec<Input>) -> (Vec<Tick>, Vec<Event>) {
    let (mut ticks, mut events) = (Vec::new(), Vec::new());
    for input in out {
        match input {
            Input::Tick(tick) => ticks.push(tick),
            Input::Event { event, .. } => events.push(*event),
        }
    }
    (ticks, events)
}

proptest! {
    #[test]
    fn no_event_is_lost_and_the_last_tick_of_every_instrument_arrives(steps in steps(), room in 1_usize..20) {
        let lanes = Lanes::new(LaneLimits { events: 400, ticks: room, conflate: true });
        let (ticks_in, events_in, out) = play(&lanes, &steps);
        let (ticks_out, events_out) = split(out);
        prop_assert_eq!(&events_out, &events_in, "every event, in order");
        let counts = lanes.counts();
        prop_assert_eq!(ticks_in.len() as u64, counts.ticks_out + counts.conflated);
        prop_assert_eq!(ticks_out.len() as u64, counts.ticks_out);
        let last = |ticks: &[Tick]| ticks.iter().map(|t| (t.instrument, t.ltp_paise)).collect::<BTreeMap<_, _>>();
        prop_assert_eq!(last(&ticks_out), last(&ticks_in), "the state after draining is the newest of each instrument");
        let mut newest: BTreeMap<InstrumentId, i64> = BTreeMap::new();
        for tick in &ticks_out {
            let before = newest.insert(tick.instrument, tick.ltp_paise);
            prop_assert!(before.is_none_or(|b| b < tick.ltp_paise), "an instrument never goes back in time");
        }
    }

    #[test]
    fn with_conflation_off_every_tick_arrives_in_order(steps in steps(), room in 1_usize..20) {
        let lanes = Lanes::new(LaneLimits { events: 400, ticks: room, conflate: false });
        let (ticks_in, _, out) = play(&lanes, &steps);
        prop_assert_eq!(split(out).0, ticks_in);
        prop_assert_eq!(lanes.counts().conflated, 0);
    }
}

#[test]
fn memory_stays_flat_under_a_consumer_a_hundred_times_slower() {
    const INSTRUMENTS: u32 = 500;
    let limits = LaneLimits { events: 8, ticks: 256, conflate: true };
    let lanes = Lanes::new(limits);
    let mut most = 0;
    for n in 0..1_000_000_u32 {
        lanes.offer_tick(tick(n.wrapping_mul(7_919) % INSTRUMENTS, i64::from(n) + 1)).unwrap();
        if n % 100 == 99 {
            lanes.take();
        }
        most = most.max(lanes.counts().ticks_waiting);
    }
    assert!(most <= limits.ticks + INSTRUMENTS as usize, "{most} ticks were waiting at the worst");
    let counts = lanes.counts();
    assert_eq!(counts.ticks_in, 1_000_000);
    assert_eq!(counts.ticks_in, counts.ticks_out + counts.conflated + counts.ticks_waiting as u64);
}

#[test]
fn an_order_event_overtakes_a_backlog_of_ticks() {
    // G10: the exit lane is drained first.
    let lanes = Lanes::new(LaneLimits::default());
    for n in 1..1_000 {
        lanes.offer_tick(tick(1, n)).unwrap();
    }
    let report = OrderEvent {
        id: ClientOrderId::parse("S1260112E1-000000000000").unwrap(),
        instrument: InstrumentId(1),
        report: OrderReport::Accepted,
    };
    lanes.offer_event(Instant::from_nanos(5_000), Box::new(Event::Order(report.clone()))).unwrap();
    assert_eq!(lanes.oldest(), (Some(Instant::from_nanos(5_000)), Some(Instant::from_nanos(1))));
    let first = lanes.take().unwrap();
    assert_eq!(first, Input::Event { at: Instant::from_nanos(5_000), event: Box::new(Event::Order(report)) });
}

#[test]
fn a_half_full_lane_alarms_and_a_lane_at_eighty_percent_halts_entries() {
    // G9
    let lanes = Lanes::new(LaneLimits { events: 10, ..LaneLimits::default() });
    let mut pressure = lanes.pressure();
    let mut felt = Vec::new();
    let mut note = |n: i64| {
        if pressure.has_changed().unwrap() {
            felt.push((n, *pressure.borrow_and_update()));
        }
    };
    for n in 1..=10 {
        assert_eq!(lanes.offer_event(Instant::from_nanos(n), Box::new(Event::Timer)).unwrap(), None);
        note(n);
    }
    for n in (0..10).rev() {
        lanes.take().unwrap();
        note(n);
    }
    use Pressure::{Alarm, HaltEntries, Normal};
    assert_eq!(felt, [(5, Alarm), (8, HaltEntries), (7, Alarm), (4, Normal)]);
}

#[tokio::test]
async fn a_full_lane_of_events_holds_its_producer_back_and_loses_nothing() {
    let lanes = Lanes::new(LaneLimits { events: 2, ..LaneLimits::default() });
    let producer = tokio::spawn({
        let lanes = lanes.clone();
        async move {
            for n in 1..=100 {
                lanes.event(Instant::from_nanos(n), settled(n)).await.unwrap();
            }
            lanes.close();
        }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lanes.counts().events_in, 2, "the third waits at the socket");
    let mut seen = Vec::new();
    while let Some(Input::Event { event, .. }) = lanes.next().await {
        assert!(lanes.counts().events_waiting <= 2);
        seen.push(*event);
    }
    producer.await.unwrap();
    assert_eq!(seen, (1..=100).map(settled).collect::<Vec<_>>());
    assert_eq!(lanes.event(Instant::from_nanos(1), Event::Timer).await, Err(Closed));
}

#[tokio::test]
async fn with_conflation_off_a_full_tick_lane_holds_the_feed_back() {
    // Design 13: parity runs drop nothing.
    let lanes = Lanes::new(LaneLimits { ticks: 3, conflate: false, ..LaneLimits::default() });
    let feed = tokio::spawn({
        let lanes = lanes.clone();
        async move {
            for n in 1..=500 {
                lanes.tick(tick(1, n)).await.unwrap();
            }
            lanes.close();
        }
    });
    let mut seen = Vec::new();
    while let Some(Input::Tick(tick)) = lanes.next().await {
        assert!(lanes.counts().ticks_waiting <= 3);
        seen.push(tick.ltp_paise);
    }
    feed.await.unwrap();
    assert_eq!(seen, (1..=500).collect::<Vec<_>>());
}

//! The two sources of prices.

use super::*;
use crate::backtest::sample_feed::SampleFeed;
use crate::backtest::tape_feed::save_day;
use crate::sample::{Sample, SampleSpec, Script};
use crate::simulator::Notice;
use crate::simulator::market::{GeneratedMarket, GeneratedSpec, Jump, RecordedMarket};

pub(super) fn small(seed: u64) -> GeneratedSpec {
    GeneratedSpec {
        indices: vec![Underlying::Nifty],
        strikes_each_side: 3,
        expiries: 1,
        history_days: 2,
        target_ticks: Some(20_000),
        ..GeneratedSpec::usual(seed, day(12))
    }
}

pub(super) fn generated(spec: GeneratedSpec) -> Simulator {
    let tables = tables();
    let market = GeneratedMarket::new(spec, &tables.calendar, &tables.contracts).unwrap();
    Simulator::new(Box::new(market), SimConfig::default(), tables.charges).unwrap()
}

#[test]
fn a_generated_market_goes_on_over_weekends_and_holidays_from_a_quiet_pre_open_to_the_close() {
    // F9: nothing ticks before the bell. 15 January 2026 is a holiday.
    let mut sim = generated(small(7));
    let mut days = Vec::new();
    let mut said = Step::default();
    while days.len() < 5 {
        let at = sim.next_at();
        sim.advance(at, usize::MAX, &mut said).unwrap();
        for notice in said.notices.drain(..) {
            if let Notice::DayEnded { day, .. } = notice {
                days.push(day);
            }
        }
        let hours = sim.hours().unwrap();
        for tick in said.ticks.drain(..) {
            assert!(tick.exchange_at >= hours.open_at() && tick.exchange_at < hours.close_at());
        }
        said.clear();
    }
    assert_eq!(days, [day(12), day(13), day(14), day(16), day(19)]);
    assert!(sim.past().len() <= SimConfig::default().history_days);
}

#[test]
fn history_is_there_before_the_first_tick_and_previous_closes_with_it() {
    // Design 14: 200 closed bars before the first signal.
    let sim = generated(GeneratedSpec { history_days: 4, ..small(7) });
    let bars = sim.intraday(INDEX, 1, Instant::from_secs(0), Instant::MAX);
    assert_eq!(bars.len(), 4 * 375);
    assert!(bars.iter().all(|b| b.low <= b.open.min(b.close) && b.high >= b.open.max(b.close) && b.volume == 0));
    let known = sim.board().listed().iter().filter(|l| sim.board().desk(l.slot()).previous_close() > 0).count();
    assert!(known * 10 >= sim.board().listed().len() * 6, "{known} of {}", sim.board().listed().len());
    let index = sim.board().find(INDEX).unwrap().1.previous_close();
    assert_eq!(index, bars.last().unwrap().close);
}

#[test]
fn a_jump_moves_the_index_and_a_halt_silences_it() {
    let spec = GeneratedSpec {
        jumps: vec![Jump { day: 0, index: Underlying::Nifty, at: hm(11, 0), points: -700.0 }],
        halts: vec![Halt { day: 0, from: hm(13, 0), to: hm(13, 10), purges: false }],
        ..small(7)
    };
    let mut sim = generated(spec);
    let mut said = Step::default();
    sim.advance(Instant::from_ist(day(12), hm(15, 30)), usize::MAX, &mut said).unwrap();
    let index: Vec<&Tick> = said.ticks.iter().filter(|t| t.instrument.slot() == 0).collect();
    let fall = index.windows(2).map(|w| w[1].ltp_paise - w[0].ltp_paise).min().unwrap();
    assert!(fall < -60_000, "the largest fall between two ticks is {fall}");
    let still = |t: &&&Tick| t.received_at.ist_time() >= hm(13, 0) && t.received_at.ist_time() < hm(13, 10);
    assert_eq!(index.iter().filter(still).count(), 0);
}

#[test]
fn the_master_of_a_day_lists_every_contract_once_with_its_terms_in_the_brokers_columns() {
    // 10.4.
    let bench = Bench::with(vec![]);
    let csv = bench.sim.master_csv();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 16);
    let rows: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("every row has 16 columns")).collect();
    let find = |id: &str, segment: &str| {
        rows.iter().find(|r| &r[2] == id && &r[1] == segment).unwrap().iter().collect::<Vec<_>>().join(",")
    };
    assert_eq!(find("13", "I"), "NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY");
    assert_eq!(
        find("101", "D"),
        "NSE,D,101,OPTIDX,0,NIFTY-Jan2026-25650-CE,65.0,NIFTY 13 JAN 25650 CALL,2026-01-13 14:30:00,25650.00000,CE,5.0000,W,OP,,"
    );
    assert_eq!(
        find("103", "D"),
        "NSE,D,103,FUTIDX,0,NIFTY-Jan2026-FUT,65.0,NIFTY JAN FUT,2026-01-27 14:30:00,-0.01,XX,5.0000,M,FUT,,"
    );
    assert_eq!(&find("25", "E")[..8], "NSE,E,25", "an id is unique only inside its segment");
    assert_eq!(find("21", "I").split(',').nth(5), Some("INDIA VIX"));
}

#[test]
fn a_recorded_tape_comes_back_tick_by_tick_with_its_earlier_days_as_history() {
    let tables = tables();
    let spec = SampleSpec {
        first_day: day(12),
        days: 2,
        indices: vec![Underlying::Nifty],
        strikes_each_side: 1,
        expiries: 1,
        target_ticks: Some(5_000),
        script: Script::default(),
    };
    let sample = Sample::new(3, &spec, &tables.calendar, &tables.contracts).unwrap();
    let expected: Vec<Tick> = {
        let mut next = 0;
        let slots = move |_, _| {
            next += 1;
            InstrumentId(next - 1)
        };
        sample.days()[1].ticks(slots).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    let feed = SampleFeed::new("t", 3, sample);
    for date in [day(12), day(13)] {
        save_day(&feed, date, dir.path()).unwrap();
    }
    let market = RecordedMarket::open(dir.path(), Some(day(13)), 5, &tables.calendar, &tables.contracts).unwrap();
    let mut sim = Simulator::new(Box::new(market), SimConfig::default(), tables.charges).unwrap();
    let bars = sim.intraday(INDEX, 1, Instant::from_secs(0), Instant::MAX);
    assert_eq!((bars.len(), bars[0].start.ist_date()), (375, day(12)));
    let mut said = Step::default();
    while !sim.is_over() {
        sim.advance(sim.next_at(), 1_000, &mut said).unwrap();
    }
    let shape = |t: &Tick| (t.received_at, t.exchange_at, t.ltp_paise, t.bids, t.asks, t.oi);
    assert_eq!(said.ticks.iter().map(shape).collect::<Vec<_>>(), expected.iter().map(shape).collect::<Vec<_>>());
    assert!(RecordedMarket::open(dir.path(), Some(day(14)), 0, &tables.calendar, &tables.contracts).is_err());
}

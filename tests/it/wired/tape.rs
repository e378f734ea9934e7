//! The tape that a recorder on the wire would make of another tape: every tick as the simulator's feed sends it and the
//! daemon reads it. Lost on the way, by the broker's format: where a price came from and which point of a bar it was,
//! parts of a second of trade times, and of an index everything but its level.

use std::collections::BTreeMap;
use std::path::Path;

use scalper::broker::dhan::feed::{Built, Resolved, TickBuilder};
use scalper::broker::dhan::wire::clock::FeedEpoch;
use scalper::broker::dhan::wire::packet::packets;
use scalper::broker::dhan::wire::request::Mode;
use scalper::clock::SessionClock;
use scalper::config::tables::Tables;
use scalper::simulator::account::Account;
use scalper::simulator::desk::{Desk, FeedItem};
use scalper::simulator::limits::RateLimits;
use scalper::simulator::market::RecordedMarket;
use scalper::simulator::sockets::on_the_wire;
use scalper::simulator::{SimConfig, Simulator};
use scalper::tape::{DayAbout, Tape, TapeWriter};
use scalper_decide::domain::{Instant, InstrumentId, InstrumentKind, Segment, TickFlags};

/// Lives through `day` of `tape` without trading and writes what came over the wire into the tape `out`.
pub(super) fn wire_day(tape: &Path, day: chrono::NaiveDate, out: &Path, tables: &Tables) {
    let instruments = Tape::open(tape).unwrap().day(day).unwrap().instruments();
    let hours = tables.calendar.hours(day).unwrap().expect("a trading day");
    let known: BTreeMap<(Segment, u32), (Resolved, Mode)> = instruments
        .iter()
        .enumerate()
        .map(|(slot, instrument)| {
            let (tick_paise, mode) = match &instrument.kind {
                InstrumentKind::Index { .. } => (1, Mode::Ticker),
                InstrumentKind::Future { .. } => (5, Mode::Full),
                InstrumentKind::Option(contract) => (contract.tick.paise(), Mode::Full),
            };
            let resolved = Resolved { instrument: InstrumentId(slot as u32), tick_paise };
            ((instrument.segment, instrument.security_id), (resolved, mode))
        })
        .collect();
    let mut builder =
        TickBuilder::new(FeedEpoch::Ist, |segment, id| known.get(&(segment, id)).map(|(resolved, _)| *resolved));
    let mut writer = TapeWriter::create(out, day, &instruments).unwrap();

    let market = RecordedMarket::open(tape, Some(day), 0, &tables.calendar, &tables.contracts).unwrap();
    let sim = Simulator::new(Box::new(market), SimConfig::default(), tables.charges.clone()).unwrap();
    let clock = SessionClock::driven(sim.now());
    let desk = Desk::new(sim, Account::new("nobody"), RateLimits::default(), clock.clone());
    let mut stream = desk.subscribe_ticks();
    loop {
        let at = desk.next_at();
        if at == Instant::MAX || at.ist_date() != day {
            break;
        }
        clock.drive(at);
        desk.step().unwrap();
        while let Some(item) = stream.try_next() {
            let FeedItem::Tick(seen) = item else { continue };
            let received_at = seen.tick.expect("a tick that was told").received_at;
            let inside = hours.is_open(received_at.ist_time());
            let flags = if inside { TickFlags::NONE } else { TickFlags::OUT_OF_SESSION };
            for packet in packets(&on_the_wire(known[&seen.key].1, &seen)) {
                match builder.push(&packet.unwrap(), received_at, flags).unwrap() {
                    Built::Tick(tick) => writer.push(seen.key.0, seen.key.1, &tick).unwrap(),
                    other => assert_eq!(other, Built::Kept),
                }
            }
        }
    }
    assert_eq!(stream.left_out(), 0);
    writer.finish(DayAbout::default()).unwrap();
}

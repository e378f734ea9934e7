//! A generated market played through the core and the simulated venue, event by event, as a daemon would journal it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::NaiveDate;
use scalper::backtest::feed::TickFeed as _;
use scalper::config;
use scalper::store::verify::ReplayCore;
use scalper_decide::decision_core::Core as _;
use scalper_decide::direct::{CoreTables, Direct};
use scalper_decide::domain::{Event, Instant, InstrumentId, Stamp, Tick, TimeOfDay};
use scalper_decide::journal::JournalEntry;
use scalper_decide::sequencer::Sequencer;
use scalper_decide::venue_sim::{FillModel, FillModelKind, VenueOutput, VenueSim};

use crate::support::{demo_market, request};

/// A core with the settings of the demo.
pub(super) fn core() -> Direct {
    let tables = config::tables::load(None).expect("shipped tables load");
    let tables = CoreTables { calendar: Arc::new(tables.calendar), charges: Arc::new(tables.charges) };
    Direct::new(request(&["demo"]).params, tables, &BTreeMap::new())
}

/// What the sink sees of one event.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Stamp, &Event, &[JournalEntry], &Direct) -> ControlFlow<()>;

struct Player<'a> {
    core: Direct,
    venue: VenueSim,
    sequencer: Sequencer,
    reports: BTreeMap<(Instant, u64), VenueOutput>,
    outputs: Vec<VenueOutput>,
    count: u64,
    sink: Sink<'a>,
}

impl Player<'_> {
    fn event(&mut self, at: Instant, event: &Event) -> ControlFlow<()> {
        let stamp = self.sequencer.stamp(at);
        let entries = self.core.take_event(stamp, event).expect("the core goes on");
        for entry in &entries {
            if let JournalEntry::Command { command, .. } = entry {
                self.venue.submit(stamp.at, *command);
            }
        }
        (self.sink)(stamp, event, &entries, &self.core)
    }

    fn tick(&mut self, tick: &Tick) -> ControlFlow<()> {
        self.until(tick.received_at)?;
        self.venue.on_tick(tick, &mut self.outputs);
        self.queue();
        self.event(tick.received_at, &Event::Tick(*tick))
    }

    fn queue(&mut self) {
        for output in self.outputs.drain(..) {
            self.count += 1;
            self.reports.insert((output.deliver_at, self.count), output);
        }
    }

    fn until(&mut self, at: Instant) -> ControlFlow<()> {
        loop {
            let arrival = self.venue.wake_at().unwrap_or(Instant::MAX);
            let report = self.reports.first_key_value().map_or(Instant::MAX, |((t, _), _)| *t);
            let timer = self.core.wake_at().unwrap_or(Instant::MAX);
            let first = arrival.min(report).min(timer);
            if first >= at {
                return ControlFlow::Continue(());
            }
            if arrival == first {
                self.venue.advance(arrival, &mut self.outputs);
                self.queue();
            } else if report == first {
                let (_, output) = self.reports.pop_first().expect("a report is due");
                self.event(report, &Event::Order(output.event))?;
            } else {
                self.event(timer, &Event::Timer)?;
            }
        }
    }
}

/// Plays the generated market; the day that is traded. The sink sees every event and may stop it.
pub(super) fn play(seed: u64, ticks: usize, sink: Sink<'_>) -> NaiveDate {
    let feed = demo_market(seed, ticks);
    let tables = config::tables::load(None).expect("shipped tables load");
    let days = feed.days();
    let traded = *days.last().expect("the demo has days");
    let mut player = Player {
        core: core(),
        venue: VenueSim::new(FillModel::named(FillModelKind::Base)),
        sequencer: Sequencer::new(),
        reports: BTreeMap::new(),
        outputs: Vec::new(),
        count: 0,
        sink,
    };
    let _ = days.into_iter().try_for_each(|day| play_day(&mut player, &feed, &tables, day, day != traded));
    traded
}

fn play_day(
    player: &mut Player<'_>,
    feed: &scalper::backtest::sample_feed::SampleFeed,
    tables: &config::tables::Tables,
    day: NaiveDate,
    warm_up: bool,
) -> ControlFlow<()> {
    let hours = tables.calendar.hours(day).expect("the calendar knows").expect("a trading day");
    let start = Instant::from_ist(day, TimeOfDay::from_secs(0).unwrap());
    player.event(start, &Event::SessionOpened { hours: hours.clone(), warm_up, bars_of: feed.bars_of(day) })?;
    player.venue.open_session(&hours);
    for mut instrument in feed.instruments(day).unwrap() {
        let universe = player.core.universe();
        let known = universe.find(instrument.segment, instrument.security_id);
        instrument.id = known.unwrap_or(InstrumentId(u32::try_from(universe.len()).unwrap()));
        player.venue.list(&instrument);
        player.event(start, &Event::Listed { instrument })?;
    }
    let universe = player.core.universe().clone();
    let resolve = move |segment, id| universe.find(segment, id);
    let mut stopped = ControlFlow::Continue(());
    let fed = feed.replay(day, &resolve, &mut |ticks| {
        for tick in ticks.iter().filter(|t| t.received_at < hours.close_at()) {
            if stopped.is_break() {
                break;
            }
            stopped = player.tick(tick);
        }
        Ok(())
    });
    fed.unwrap();
    stopped?;
    let close = hours.close_at();
    player.until(close)?;
    player.venue.close_session(close, &mut player.outputs);
    player.queue();
    let end = Instant::from_nanos(close.nanos() + 60_000_000_000);
    player.until(end)?;
    player.event(end, &Event::SessionClosed { day })
}

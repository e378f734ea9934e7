//! What a daemon that starts on a day gets to see, as a feed for the backtest: minute bars of the index for the sessions
//! before, the wire's ticks of the day itself, instruments in the order of the broker's list.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use chrono::NaiveDate;
use scalper::backtest::feed::{Resolve, TickFeed, TickSink};
use scalper::tape::Tape;
use scalper_decide::domain::{Age, Instrument, InstrumentId, InstrumentKind, Tick, Underlying};

/// The slot of what is not listed.
const UNLISTED: InstrumentId = InstrumentId(u32::MAX);

/// See the module.
pub(super) struct DaemonsView {
    /// The tape that was recorded, for the bars of the days before.
    pub(super) recorded: PathBuf,
    /// The tape as it comes over the wire.
    pub(super) wired: PathBuf,
    /// The day that is traded.
    pub(super) day: NaiveDate,
    /// Its instruments, in order.
    pub(super) instruments: Vec<Instrument>,
}

impl DaemonsView {
    fn is_index(instrument: &Instrument) -> bool {
        matches!(instrument.kind, InstrumentKind::Index { .. })
    }
}

impl TickFeed for DaemonsView {
    fn title(&self) -> String {
        "as the daemon sees it".to_owned()
    }

    fn days(&self) -> Vec<NaiveDate> {
        let tape = Tape::open(&self.recorded).unwrap();
        tape.days().iter().copied().filter(|day| *day <= self.day).collect()
    }

    fn instruments(&self, day: NaiveDate) -> Result<Vec<Instrument>> {
        let listed = |i: &&Instrument| day == self.day || DaemonsView::is_index(i);
        Ok(self.instruments.iter().filter(listed).cloned().collect())
    }

    fn replay(&self, day: NaiveDate, resolve: Resolve<'_>, sink: TickSink<'_>) -> Result<()> {
        let tape = Tape::open(if day == self.day { &self.wired } else { &self.recorded })?;
        // Contracts of the days before are not listed: the daemon warms up on the index alone.
        let slots = |segment, id| resolve(segment, id).or(Some(UNLISTED));
        let ticks: Result<Vec<Tick>, _> = tape.day(day)?.ticks(slots)?.collect();
        sink(&ticks?.into_iter().filter(|tick| tick.instrument != UNLISTED).collect::<Vec<_>>())
    }

    fn tick_count(&self, _: NaiveDate) -> Option<u64> {
        None
    }

    fn hash(&self, days: &[NaiveDate]) -> Result<String> {
        Ok(format!("{days:?}"))
    }

    fn bars_of(&self, day: NaiveDate) -> BTreeMap<Underlying, Age> {
        let indices = self.instruments.iter().filter(|i| DaemonsView::is_index(i) && day != self.day);
        indices.map(|i| (i.underlying(), Age::from_mins(1))).collect()
    }

    fn notes(&self, _: NaiveDate) -> Vec<String> {
        Vec::new()
    }
}

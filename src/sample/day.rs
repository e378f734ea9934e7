//! One generated day: its listed instruments and the stream of its ticks.

use chrono::NaiveDate;
use scalper_decide::domain::{
    Instant, Instrument, InstrumentId, InstrumentKind, Segment, SessionHours, Tick, TickSource, TimeOfDay, Underlying,
};

use super::chain::{Contract, Terms};
use super::path::{FRAMES_PER_SEC, Path};
use super::price::{ExpiryState, Horizon};
use super::profile::profile;
use super::random::{Purpose, Stream};
use super::script::{Course, IvShock};

const NANOS_PER_FRAME: i64 = 1_000_000_000 / FRAMES_PER_SEC as i64;
/// Shortest delay from exchange to receiver.
const MIN_LATENCY_NS: i64 = 30_000_000;
/// Indices tick so often per second unless `target_ticks` is small.
const INDEX_RATE: f64 = 3.0;
/// Futures likewise.
const FUTURE_RATE: f64 = 1.0;
/// An at-the-money option without a target: `OPTION_RATE x eagerness`.
const OPTION_RATE: f64 = 0.7;
/// Sparse index ticks of a warm-up day.
const WARMUP_RATE: f64 = 1.0 / 3.0;

/// One day of the sample.
#[derive(Debug, Clone)]
pub struct SampleDay {
    /// The trading day.
    pub day: NaiveDate,
    /// Its hours.
    pub hours: SessionHours,
    /// Whether it only warms indicators up: index ticks alone, and sparse.
    pub warm_up: bool,
    /// Every instrument listed on the day; ids are unset (the consumer's universe gives them).
    pub instruments: Vec<Instrument>,
    pub(crate) seed: u64,
    pub(crate) target_ticks: Option<usize>,
    pub(crate) indices: Vec<IndexPlan>,
    pub(crate) iv_shocks: Vec<IvShock>,
    /// Terms beside each instrument, in the same order.
    pub(crate) lines: Vec<Line>,
}

/// How one index goes through the day.
#[derive(Debug, Clone)]
pub(crate) struct IndexPlan {
    pub underlying: Underlying,
    pub open: f64,
    pub course: Course,
    pub atm_iv: f64,
    /// Distinct expiries of its contracts.
    pub expiries: Vec<Horizon>,
    /// Strike step in points.
    pub step: f64,
}

/// What the generator must know of one instrument beside its public terms.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Place of its index in `indices`.
    pub index: usize,
    /// Place of its expiry in that index's `expiries`.
    pub expiry: usize,
    /// Price step in paise.
    pub tick: i64,
    /// Units in a lot.
    pub lot: i64,
    /// Silent stretches.
    pub silent: Vec<(TimeOfDay, TimeOfDay)>,
}

impl SampleDay {
    /// The ticks of the day in order of receipt. `slot_of` gives each instrument its id in the consumer's universe;
    /// it is asked once per instrument, in the order of `instruments`. Asking again gives the same ticks.
    pub fn ticks(&self, mut slot_of: impl FnMut(Segment, u32) -> InstrumentId) -> Ticks {
        let slots = self.instruments.iter().map(|i| slot_of(i.segment, i.security_id)).collect();
        Ticks::new(self, slots)
    }

    /// Level at which an index opens, in points.
    pub fn open_of(&self, underlying: Underlying) -> Option<f64> {
        self.indices.iter().find(|p| p.underlying == underlying).map(|p| p.open)
    }
}

/// An instrument while its day runs.
#[derive(Debug, Clone)]
struct Live {
    slot: InstrumentId,
    segment: Segment,
    index: usize,
    expiry: usize,
    /// `None` for the spot index.
    contract: Option<Contract>,
    /// Mean frames between ticks of eagerness 1.
    gap: f64,
    /// Silent frames.
    silent: Vec<(u32, u32)>,
}

/// The ticks of one day, generated as they are asked for.
#[derive(Debug, Clone)]
pub struct Ticks {
    live: Vec<Live>,
    /// Frame of the next tick, beside `live`: scanned every frame, so kept dense.
    due: Vec<u32>,
    paths: Vec<Path>,
    expiries: Vec<Vec<(Horizon, ExpiryState)>>,
    hours: SessionHours,
    /// Nanoseconds of IST midnight.
    midnight: i64,
    /// The next frame, counted from midnight.
    frame: u32,
    window: usize,
    last_close_secs: f64,
    path_rng: Stream,
    iv_rng: Stream,
    arrivals: Stream,
    books: Stream,
    latency_rng: Stream,
    /// Slow part of the delay in ms: indices, NSE, BSE.
    latency: [f64; 3],
    /// Sorted up to `ready`; later ticks may still be overtaken.
    buffer: Vec<Tick>,
    next: usize,
    ready: usize,
}

impl Ticks {
    fn new(day: &SampleDay, slots: Vec<InstrumentId>) -> Ticks {
        let hours = day.hours.clone();
        let stream = |purpose| Stream::new(day.seed, day.day, purpose);
        let mut books = stream(Purpose::Books);
        let paths: Vec<Path> = day
            .indices
            .iter()
            .map(|p| {
                let habits = profile(p.underlying);
                let shocks = &day.iv_shocks;
                Path::new(p.underlying, &habits, p.open, p.course.clone(), p.atm_iv, shocks, hours.open())
            })
            .collect();
        let last_close_secs = f64::from(hours.close().secs());
        let open_secs = f64::from(hours.open().secs());
        let expiries = day
            .indices
            .iter()
            .map(|p| {
                let state = |h: &Horizon| ExpiryState::new(p.open, p.atm_iv, last_close_secs - open_secs, *h);
                p.expiries.iter().map(|h| (*h, state(h))).collect()
            })
            .collect();
        let live: Vec<Live> = day
            .instruments
            .iter()
            .zip(&day.lines)
            .zip(slots)
            .map(|((instrument, line), slot)| {
                let plan = &day.indices[line.index];
                let terms = match &instrument.kind {
                    InstrumentKind::Index { .. } => None,
                    InstrumentKind::Future { .. } => Some(Terms::Future),
                    InstrumentKind::Option(c) => {
                        Some(Terms::Option { strike: c.strike.as_points_f64(), right: c.right })
                    }
                };
                let atm_oi = profile(plan.underlying).atm_oi;
                let contract =
                    terms.map(|t| Contract::new(t, line.tick, line.lot, plan.step, plan.open, atm_oi, &mut books));
                let silent = line.silent.iter().map(|(a, b)| (frames(*a), frames(*b))).collect();
                let Line { index, expiry, .. } = *line;
                Live { slot, segment: instrument.segment, index, expiry, contract, gap: f64::INFINITY, silent }
            })
            .collect();
        let mut ticks = Ticks {
            due: Vec::with_capacity(live.len()),
            live,
            paths,
            expiries,
            frame: frames(hours.open()),
            window: 0,
            midnight: hours.open_at().nanos() - i64::from(hours.open().secs()) * 1_000_000_000,
            hours,
            last_close_secs,
            path_rng: stream(Purpose::Path),
            iv_rng: stream(Purpose::Volatility),
            arrivals: stream(Purpose::Arrivals),
            books,
            latency_rng: stream(Purpose::Latency),
            latency: [60.0, 80.0, 90.0],
            buffer: Vec::with_capacity(512),
            next: 0,
            ready: 0,
        };
        ticks.set_rates(day);
        ticks
    }

    /// Shares the wanted number of ticks out: indices and futures first, the rest to options by eagerness, none
    /// more than one per frame.
    fn set_rates(&mut self, day: &SampleDay) {
        let session: f64 = day.hours.windows.iter().map(|w| f64::from(w.close.secs() - w.open.secs())).sum();
        let (mut indices, mut futures) = (0.0, 0.0);
        let mut eager = Vec::new();
        for live in &self.live {
            match &live.contract {
                None => indices += 1.0,
                Some(c) if c.is_future() => futures += 1.0,
                Some(c) => eager.push(c.eagerness(self.paths[live.index].level)),
            }
        }
        let (mut index_rate, mut future_rate, mut option_rate) = (INDEX_RATE, FUTURE_RATE, OPTION_RATE);
        if day.warm_up {
            index_rate = WARMUP_RATE;
        } else if let Some(target) = day.target_ticks.map(|t| t as f64 / session) {
            index_rate = index_rate.min(0.25 * target / indices);
            future_rate = future_rate.min(0.06 * target / f64::max(futures, 1.0));
            let wanted = target - index_rate * indices - future_rate * futures;
            // Contracts at the cap leave more for the others; a few rounds settle it.
            let cap = f64::from(FRAMES_PER_SEC);
            for _ in 0..20 {
                let got: f64 = eager.iter().map(|e| (e * option_rate).min(cap)).sum();
                option_rate *= wanted / f64::max(got, 1e-9);
            }
        }
        for live in &mut self.live {
            let rate = match &live.contract {
                None => index_rate,
                Some(c) if c.is_future() => future_rate,
                Some(_) => option_rate,
            };
            live.gap = f64::from(FRAMES_PER_SEC) / rate;
            // Everything shows itself in the first two seconds, as feeds do after subscribing.
            let start = self.arrivals.unit() * 2.0 * f64::from(FRAMES_PER_SEC);
            self.due.push(self.frame + start as u32);
        }
    }

    /// Makes the ticks of one frame; `false` when the day is over.
    fn run_frame(&mut self) -> bool {
        loop {
            let Some(window) = self.hours.windows.get(self.window) else { return false };
            self.frame = self.frame.max(frames(window.open));
            if self.frame < frames(window.close) {
                break;
            }
            self.window += 1;
        }
        let secs = f64::from(self.frame) / f64::from(FRAMES_PER_SEC);
        let common = self.path_rng.gauss();
        let on_second = self.frame.is_multiple_of(FRAMES_PER_SEC);
        for (path, expiries) in self.paths.iter_mut().zip(&mut self.expiries) {
            path.step(secs, common, &mut self.path_rng);
            if on_second {
                path.step_iv(secs, &mut self.iv_rng);
            }
            for (horizon, state) in expiries {
                if on_second {
                    *state = ExpiryState::new(path.level, path.atm_iv, self.last_close_secs - secs, *horizon);
                } else {
                    state.move_spot(path.level);
                }
            }
        }
        if on_second {
            for delay in &mut self.latency {
                *delay = (*delay + 6.0 * self.latency_rng.gauss() - 0.05 * (*delay - 75.0)).clamp(30.0, 180.0);
            }
        }
        let exchange_at = self.midnight + i64::from(self.frame) * NANOS_PER_FRAME;
        let index_is_live = secs < f64::from(self.hours.index_continuous_close.secs());
        for place in 0..self.due.len() {
            if self.due[place] <= self.frame {
                self.tick(place, exchange_at, index_is_live);
            }
        }
        self.frame += 1;
        true
    }

    /// One instrument's tick at `exchange_at`, and when its next one is due.
    fn tick(&mut self, place: usize, exchange_at: i64, index_is_live: bool) {
        let live = &mut self.live[place];
        let path = &self.paths[live.index];
        let eagerness = live.contract.as_ref().map_or(1.0, |c| c.eagerness(path.level));
        let wait = (live.gap / eagerness).max(1.0) * (0.5 + self.arrivals.unit());
        self.due[place] = self.frame + ((wait + self.arrivals.unit()) as u32).max(1);
        if let Some((_, end)) = live.silent.iter().find(|(from, to)| (*from..*to).contains(&self.frame)) {
            self.due[place] = *end + (self.due[place] - self.frame);
            return;
        }
        let road = match live.segment {
            Segment::IdxI => 0,
            Segment::NseFno => 1,
            _ => 2,
        };
        let delay_ms = self.latency[road] + 60.0 * self.latency_rng.unit();
        let received_at = exchange_at + (delay_ms * 1_000.0) as i64 * 1_000;
        let mut tick = Tick::last_price(
            live.slot,
            Instant::from_nanos(exchange_at),
            Instant::from_nanos(received_at),
            ((path.level * 20.0).round() as i64) * 5,
            TickSource::Generated,
        );
        match &mut live.contract {
            None if !index_is_live => return,
            None => {}
            Some(contract) => {
                let (_, state) = &self.expiries[live.index][live.expiry];
                let quote = contract.quote(path.level, state, path.vol, &mut self.books);
                (tick.ltp_paise, tick.ltq, tick.volume, tick.oi) = (quote.ltp, quote.ltq, quote.volume, quote.oi);
                (tick.bids, tick.asks) = (quote.bids, quote.asks);
            }
        }
        self.buffer.push(tick);
    }

    /// Generates frames until a tick is sure to be the next received one; `false` at the end of the day.
    fn refill(&mut self) -> bool {
        self.buffer.drain(..self.next);
        self.next = 0;
        loop {
            let more = self.run_frame();
            self.buffer.sort_by_key(|t| t.received_at);
            self.ready = if more {
                let horizon = self.midnight + i64::from(self.frame) * NANOS_PER_FRAME + MIN_LATENCY_NS;
                self.buffer.partition_point(|t| t.received_at.nanos() < horizon)
            } else {
                self.buffer.len()
            };
            if self.ready > 0 || !more {
                return self.ready > 0;
            }
        }
    }
}

impl Iterator for Ticks {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        if self.next == self.ready && !self.refill() {
            return None;
        }
        let tick = self.buffer[self.next];
        self.next += 1;
        Some(tick)
    }
}

/// Frames from midnight to a time of day.
const fn frames(time: TimeOfDay) -> u32 {
    time.secs() * FRAMES_PER_SEC
}

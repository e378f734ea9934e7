//! Puts a file's yield and what the tape already holds of a day together, so that importing the same files again, in
//! any order, gives the same day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{BookLevel, Instant, Instrument, InstrumentId, Segment, Tick, TickFlags, TickSource};

use super::super::contract::is_synthetic;
use super::super::error::TapeError;
use super::super::instruments::key_of;
use super::super::meta::{DayAbout, SourceMeta, SpotRank};
use super::super::reader::TapeDay;
use super::super::row::TapeRow;
use super::error::ImportError;
use super::harvest::DayHarvest;

type Address = (Segment, u32);

/// A day in memory.
#[derive(Debug, Default)]
pub struct DayContents {
    /// Contracts by address.
    pub instruments: BTreeMap<Address, Instrument>,
    /// Ticks of every contract, in order of arrival.
    ticks: BTreeMap<Address, Vec<Tick>>,
    /// Certificate's remarks.
    pub about: DayAbout,
}

impl DayContents {
    /// What a tape holds of a day.
    pub fn load(day: &TapeDay) -> Result<DayContents, TapeError> {
        let mut contents = DayContents { about: day.meta().about.clone(), ..DayContents::default() };
        for i in day.instruments() {
            contents.instruments.insert((i.segment, i.security_id), i);
        }
        let mut reader = day.ticks(|_, _| Some(InstrumentId(0)))?;
        let mut rows = Vec::new();
        while reader.next_rows(&mut rows)? {
            for row in &rows {
                contents.ticks.entry(row.key()).or_default().push(plain(row.tick));
            }
        }
        Ok(contents)
    }

    /// Adds a file's yield of this day. Returns how many ticks the day has more than before.
    ///
    /// # Errors
    /// [`ImportError::Overlap`] when both hold different bars of one contract for the same time, and clashes of ids.
    pub fn merge(
        &mut self,
        day: NaiveDate,
        file: &str,
        source: SourceMeta,
        harvest: DayHarvest,
        replace: bool,
    ) -> Result<u64, ImportError> {
        let DayHarvest { instruments, rows, spot, bar_secs, notes, .. } = harvest;
        let renamed = self.take_instruments(day, instruments)?;
        let mut fresh: BTreeMap<Address, Vec<Tick>> = BTreeMap::new();
        for row in rows {
            let address = renamed.get(&row.key()).copied().unwrap_or(row.key());
            fresh.entry(address).or_default().push(row.tick);
        }
        let mut skipped = BTreeSet::new();
        for (underlying, rank) in spot {
            let address = (Segment::IdxI, super::super::contract::index_security_id(underlying));
            let held = self.ticks.get(&address).is_some_and(|t| !t.is_empty());
            let best = self.about.spot.get(&underlying).copied().unwrap_or(SpotRank::Primary);
            if held && rank < best {
                fresh.remove(&address);
                skipped.insert(underlying);
                continue;
            }
            if held && rank > best {
                self.ticks.remove(&address);
                let stale = format!("{underlying} ");
                self.about.notes.retain(|n| !(n.starts_with(&stale) && n.contains("derived")));
            }
            let same = held && rank == best && !replace;
            let longest = bar_secs.get(&underlying).max(self.about.bar_secs.get(&underlying).filter(|_| same));
            match longest.copied() {
                Some(secs) => self.about.bar_secs.insert(underlying, secs),
                None => self.about.bar_secs.remove(&underlying),
            };
            self.about.spot.insert(underlying, rank);
        }
        let mut added = 0;
        for (address, ticks) in fresh {
            let held = self.ticks.entry(address).or_default();
            if replace {
                held.clear();
            }
            added += join(held, ticks).ok_or_else(|| ImportError::Overlap {
                file: file.to_owned(),
                contract: self.instruments.get(&address).map_or_else(String::new, |i| i.symbol.clone()),
                day,
            })?;
        }
        self.about.sources.insert(source);
        let left_out = |n: &String| skipped.iter().any(|u| n.starts_with(&format!("{u} ")));
        self.about.notes.extend(notes.into_iter().filter(|n| !left_out(n)));
        Ok(added)
    }

    /// Lists new contracts. One contract has one address: an exchange token wins over a made-up id. Returns the
    /// addresses under which the newcomer's ticks go if not their own.
    fn take_instruments(
        &mut self,
        day: NaiveDate,
        newcomers: BTreeMap<Address, Instrument>,
    ) -> Result<BTreeMap<Address, Address>, TapeError> {
        let mut renamed = BTreeMap::new();
        let mut by_key: BTreeMap<_, Address> = self.instruments.iter().map(|(a, i)| (key_of(i), *a)).collect();
        for (address, newcomer) in newcomers {
            let key = key_of(&newcomer);
            if let Some(other) = self.instruments.get(&address).map(key_of).filter(|other| *other != key) {
                let detail = format!("{} {} stands for both {other} and {key}", address.0, address.1);
                return Err(TapeError::Conflict { day, detail });
            }
            match by_key.get(&key).copied().filter(|known| *known != address) {
                None => {
                    by_key.insert(key, address);
                    self.instruments.insert(address, newcomer);
                }
                Some(known) if is_synthetic(address.1) => {
                    renamed.insert(address, known);
                }
                Some(known) if is_synthetic(known.1) => {
                    self.instruments.remove(&known);
                    if let Some(ticks) = self.ticks.remove(&known) {
                        self.ticks.insert(address, ticks);
                    }
                    by_key.insert(key, address);
                    self.instruments.insert(address, newcomer);
                }
                Some(known) => {
                    let detail = format!("{key} is {} in the tape and {} in the file", known.1, address.1);
                    return Err(TapeError::Conflict { day, detail });
                }
            }
        }
        Ok(renamed)
    }

    /// The day ready to be written: ticks sorted by (receive time, segment, id) and, of one contract, by arrival;
    /// late ones flagged.
    pub fn finish(self) -> (Vec<Instrument>, Vec<TapeRow>, DayAbout) {
        let DayContents { instruments, ticks, about } = self;
        let mut rows: Vec<TapeRow> = Vec::with_capacity(ticks.values().map(Vec::len).sum());
        for ((segment, security_id), mut list) in ticks {
            list.sort_by_key(|t| t.received_at);
            let mut newest = Instant::from_nanos(i64::MIN);
            for mut tick in list {
                if arrives(tick.source) {
                    if tick.exchange_at < newest {
                        tick.flags = tick.flags.with(TickFlags::OUT_OF_ORDER);
                    }
                    newest = newest.max(tick.exchange_at);
                }
                rows.push(TapeRow { segment, security_id, tick });
            }
        }
        rows.sort_by_key(|r| (r.tick.received_at, r.segment.code(), r.security_id));
        (instruments.into_values().collect(), rows, about)
    }
}

/// Whether a source delivers ticks one after the other, so that "late" means something.
const fn arrives(source: TickSource) -> bool {
    matches!(source, TickSource::Feed | TickSource::Snapshot)
}

/// A stored tick without the flag that [`DayContents::finish`] works out anew.
fn plain(mut tick: Tick) -> Tick {
    if arrives(tick.source) {
        tick.flags = TickFlags(tick.flags.0 & !TickFlags::OUT_OF_ORDER.0);
    }
    tick
}

/// Adds `fresh` to `held` without repeating what is already there; `None` when their bars differ.
fn join(held: &mut Vec<Tick>, fresh: Vec<Tick>) -> Option<u64> {
    if held.is_empty() {
        let count = fresh.len() as u64;
        *held = fresh;
        return Some(count);
    }
    if bars_differ(held, &fresh) {
        return None;
    }
    let mut known: BTreeMap<(Instant, Instant), Vec<Tick>> = BTreeMap::new();
    for tick in held.iter() {
        known.entry((tick.received_at, tick.exchange_at)).or_default().push(*tick);
    }
    let before = held.len();
    for tick in fresh {
        let same_time = known.entry((tick.received_at, tick.exchange_at)).or_default();
        if let Some(at) = same_time.iter().position(|t| *t == tick) {
            same_time.swap_remove(at);
        } else {
            held.push(tick);
        }
    }
    if held.len() > before {
        complete(held);
    }
    Some(held.len().saturating_sub(before) as u64)
}

/// Whether both drew bars of the same stretch of time and drew them differently.
fn bars_differ(held: &[Tick], fresh: &[Tick]) -> bool {
    let drawn = |ticks: &[Tick]| ticks.iter().any(|t| t.flags.has(TickFlags::SYNTHESISED));
    if !drawn(held) && !drawn(fresh) {
        return false;
    }
    let range = |ticks: &[Tick]| {
        let times = ticks.iter().map(|t| t.exchange_at);
        Some((times.clone().min()?, times.max()?))
    };
    let (Some((from_a, to_a)), Some((from_b, to_b))) = (range(held), range(fresh)) else { return false };
    let (from, to) = (from_a.max(from_b), to_a.min(to_b));
    let inside = |ticks: &[Tick]| {
        let mut part: Vec<Tick> =
            ticks.iter().filter(|t| from <= t.exchange_at && t.exchange_at <= to).copied().collect();
        part.sort_by_key(|t| t.exchange_at);
        part
    };
    inside(held) != inside(fresh)
}

/// Two feeds of one contract may tell parts of one event (a trade list and a book list): ticks of the same instants
/// that contradict each other in nothing become one.
fn complete(ticks: &mut Vec<Tick>) {
    ticks.sort_by_key(|t| (t.received_at, t.exchange_at));
    let mut out: Vec<Tick> = Vec::with_capacity(ticks.len());
    for tick in ticks.drain(..) {
        let partner = out
            .iter_mut()
            .rev()
            .take_while(|t| (t.received_at, t.exchange_at) == (tick.received_at, tick.exchange_at))
            .find_map(|t| united(t, &tick).map(|both| (t, both)));
        match partner {
            Some((place, both)) => *place = both,
            None => out.push(tick),
        }
    }
    *ticks = out;
}

/// Both ticks in one, when they differ only in what one of them lacks.
fn united(a: &Tick, b: &Tick) -> Option<Tick> {
    if a == b || a.source != TickSource::Feed || b.source != TickSource::Feed || a.flags != b.flags {
        return None;
    }
    let either = |x: i64, y: i64, none: i64| match (x == none, y == none) {
        (true, _) => Some(y),
        (_, true) => Some(x),
        _ => (x == y).then_some(x),
    };
    let empty = [BookLevel::default(); 5];
    let book = |x: [BookLevel; 5], y: [BookLevel; 5]| match (x == empty, y == empty) {
        (true, _) => Some(y),
        (_, true) => Some(x),
        _ => (x == y).then_some(x),
    };
    Some(Tick {
        ltp_paise: either(a.ltp_paise, b.ltp_paise, 0)?,
        ltq: either(a.ltq, b.ltq, ABSENT)?,
        volume: either(a.volume, b.volume, ABSENT)?,
        oi: either(a.oi, b.oi, ABSENT)?,
        bids: book(a.bids, b.bids)?,
        asks: book(a.asks, b.asks)?,
        ..*a
    })
}

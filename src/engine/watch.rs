//! Which instruments the engine wants quotes of: its indices, their nearest futures, and the strikes around the money
//! of the nearest expiries. What is held or working stays, wherever the index goes (F-28).

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::domain::{IndexPrice, InstrumentId, Right, Strike, Underlying, Universe};

/// Expiries watched per index.
const EXPIRIES: usize = 2;
/// Strikes watched on each side of the money.
const EACH_SIDE: usize = 15;
/// Strikes the money may move before the window follows: without it a price at the edge would subscribe and
/// unsubscribe with every tick.
const SLACK: usize = 3;

/// Remembers where each window stands.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    centres: BTreeMap<(Underlying, NaiveDate), Strike>,
}

impl Watch {
    /// Nothing watched yet.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Everything wanted now. An index without a level gets itself and its future only: no level, no strikes.
    pub fn wanted(
        &mut self,
        universe: &Universe,
        day: NaiveDate,
        levels: &BTreeMap<Underlying, IndexPrice>,
        indices: &[Underlying],
        pinned: &BTreeSet<InstrumentId>,
    ) -> BTreeSet<InstrumentId> {
        let mut wanted = pinned.clone();
        for underlying in indices {
            wanted.extend(universe.index_of(*underlying));
            wanted.extend(universe.near_future(*underlying, day));
            let Some(level) = levels.get(underlying) else { continue };
            for expiry in universe.expiries(*underlying, day).take(EXPIRIES) {
                let chain = universe.chain(*underlying, expiry).expect("expiries come from chains");
                let strikes: Vec<Strike> = chain.keys().copied().collect();
                let Some(at) = self.centre(*underlying, expiry, &strikes, *level) else { continue };
                let window = at.saturating_sub(EACH_SIDE)..(at + EACH_SIDE + 1).min(strikes.len());
                for strike in &strikes[window] {
                    wanted.extend([Right::Call, Right::Put].into_iter().filter_map(|right| chain[strike].get(right)));
                }
            }
        }
        wanted
    }

    /// Place of the window's centre among `strikes`: the nearest to the level, or where it stood while the level is
    /// within [`SLACK`] strikes of that.
    fn centre(
        &mut self,
        underlying: Underlying,
        expiry: NaiveDate,
        strikes: &[Strike],
        level: IndexPrice,
    ) -> Option<usize> {
        let distance = |strike: &Strike| (strike.paise() - level.paise()).abs();
        let nearest = (0..strikes.len()).min_by_key(|i| distance(&strikes[*i]))?;
        let stood = self.centres.get(&(underlying, expiry)).and_then(|strike| strikes.binary_search(strike).ok());
        let at = stood.filter(|stood| stood.abs_diff(nearest) <= SLACK).unwrap_or(nearest);
        self.centres.insert((underlying, expiry), strikes[at]);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use scalper_decide::domain::{Instrument, InstrumentKind, LotSize, OptionContract, Premium, Qty, Segment};

    use super::*;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 2, d).unwrap()
    }

    /// NIFTY with three expiries of 101 strikes each.
    fn universe() -> Universe {
        let mut universe = Universe::new();
        let mut list = |segment, security_id, kind| {
            universe.list(Instrument { id: InstrumentId(0), segment, security_id, symbol: String::new(), kind })
        };
        list(Segment::IdxI, 13, InstrumentKind::Index { underlying: Underlying::Nifty });
        let mut token = 40_000;
        for expiry in [day(10), day(17), day(24)] {
            for step in 0..101 {
                for right in [Right::Call, Right::Put] {
                    token += 1;
                    let contract = OptionContract {
                        underlying: Underlying::Nifty,
                        expiry,
                        strike: Strike::from_points(23_000 + 50 * step),
                        right,
                        lot: LotSize::new(65).unwrap(),
                        tick: Premium::from_paise(5),
                        max_order_qty: Qty::new(1_755),
                    };
                    list(Segment::NseFno, token, InstrumentKind::Option(contract));
                }
            }
        }
        universe
    }

    fn wanted(
        watch: &mut Watch,
        universe: &Universe,
        rupees: i64,
        pinned: &BTreeSet<InstrumentId>,
    ) -> BTreeSet<Strike> {
        let levels = BTreeMap::from([(Underlying::Nifty, IndexPrice::from_paise(rupees * 100))]);
        let found = watch.wanted(universe, day(10), &levels, &[Underlying::Nifty], pinned);
        assert!(found.contains(&universe.index_of(Underlying::Nifty).unwrap()));
        found.iter().filter_map(|id| universe.get(*id).option()).map(|c| c.strike).collect()
    }

    #[test]
    fn the_window_follows_the_money_only_after_it_has_moved_more_than_the_slack() {
        let universe = universe();
        let mut watch = Watch::new();
        let none = BTreeSet::new();
        let first = wanted(&mut watch, &universe, 25_510, &none);
        assert_eq!(first.len(), 2 * EACH_SIDE + 1);
        assert_eq!(*first.first().unwrap(), Strike::from_points(25_500 - 750));
        assert_eq!(wanted(&mut watch, &universe, 25_650, &none), first);
        let moved = wanted(&mut watch, &universe, 25_710, &none);
        assert_eq!(*moved.first().unwrap(), Strike::from_points(25_700 - 750));
        assert_eq!(wanted(&mut watch, &universe, 25_590, &none), moved);
    }

    #[test]
    fn what_is_held_stays_wanted_and_without_a_level_there_are_no_strikes() {
        // F-28
        let universe = universe();
        let mut watch = Watch::new();
        let far = *universe.chain(Underlying::Nifty, day(24)).unwrap().first_key_value().unwrap().0;
        let held = universe.chain(Underlying::Nifty, day(24)).unwrap()[&far].call.unwrap();
        let pinned = BTreeSet::from([held]);
        assert!(wanted(&mut watch, &universe, 25_510, &pinned).contains(&far));
        let levels = BTreeMap::new();
        let found = watch.wanted(&universe, day(10), &levels, &[Underlying::Nifty], &pinned);
        assert_eq!(found.len(), 2);
    }
}

//! What an exit tries next when it is refused again (C22): another price, the edge of the band, smaller slices, and an
//! alarm at every rung. It never gives up before the position is flat or the market closes (F-18, F-23).

use std::fmt;

use crate::domain::money::LotSize;
use crate::domain::{Lots, Qty};

/// A rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rung {
    /// Another price, farther under the bid.
    Reprice,
    /// The farthest price the exchange takes.
    BandEdge,
    /// Fewer units per order.
    Slices,
    /// One lot per order, and a person.
    Page,
}

impl Rung {
    /// The rung after so many refusals in a row; `None` before the first.
    pub(super) const fn after(refusals: u8) -> Option<Rung> {
        match refusals {
            0 => None,
            1..=2 => Some(Rung::Reprice),
            3..=4 => Some(Rung::BandEdge),
            5..=8 => Some(Rung::Slices),
            _ => Some(Rung::Page),
        }
    }

    /// Whether this many refusals deserve an alarm: the first on each rung, then every eighth.
    pub(super) const fn is_told(refusals: u8) -> bool {
        matches!(refusals, 1 | 3 | 5) || refusals >= 9 && (refusals - 9).is_multiple_of(8)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::Reprice => "priced farther under the bid",
            Rung::BandEdge => "priced at the edge of the band",
            Rung::Slices => "sold in smaller slices",
            Rung::Page => "sold lot by lot; somebody should look",
        })
    }
}

/// Most units of one exit order after so many refusals: half as many on every second one, one lot at the end.
pub(super) fn slice(refusals: u8, owned: Qty, lot: LotSize, max: Qty) -> Qty {
    let Some(halvings) = refusals.checked_sub(4).filter(|n| *n > 0) else { return max };
    if Rung::after(refusals) == Some(Rung::Page) {
        return lot.units(Lots::new(1)).min(max);
    }
    let lots = lot.lots_in(owned).get() >> halvings.div_ceil(2);
    lot.units(Lots::new(lots.max(1))).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_is_told_once_and_the_last_one_now_and_then() {
        let told: Vec<u8> = (0..40).filter(|n| Rung::is_told(*n)).collect();
        assert_eq!(told, [1, 3, 5, 9, 17, 25, 33]);
        assert_eq!(Rung::after(4), Some(Rung::BandEdge));
    }

    #[test]
    fn slices_halve_down_to_one_lot() {
        let lot = LotSize::new(65).unwrap();
        let of = |refusals| slice(refusals, Qty::new(8 * 65), lot, Qty::new(1_755)).get() / 65;
        assert_eq!([4, 5, 6, 7, 8, 9].map(of), [27, 4, 4, 2, 2, 1]);
        assert_eq!(slice(7, Qty::new(65), lot, Qty::new(1_755)), Qty::new(65));
    }
}

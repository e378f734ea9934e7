//! A book of 20 levels.

use scalper_decide::domain::Instant;

use super::super::wire::depth::{BookSide, DEPTH_LEVELS, RawLevel};
use super::super::wire::price::{PriceFault, checked_paise_f64};

/// One level in paise and units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DepthRow {
    /// Price in paise.
    pub price: i64,
    /// Units.
    pub qty: u32,
    /// Orders.
    pub orders: u32,
}

/// Both sides of one contract, best first, without empty levels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DepthBook {
    /// Buyers, dearest first.
    pub bids: Vec<DepthRow>,
    /// Sellers, cheapest first.
    pub asks: Vec<DepthRow>,
    /// When the buyers were received; `None` before the first.
    pub bids_at: Option<Instant>,
    /// When the sellers were received.
    pub asks_at: Option<Instant>,
}

impl DepthBook {
    /// Whether both sides were seen.
    pub const fn is_complete(&self) -> bool {
        self.bids_at.is_some() && self.asks_at.is_some()
    }

    /// Replaces one side; a price that is none leaves the side as it was.
    pub(super) fn apply(
        &mut self,
        side: BookSide,
        levels: &[RawLevel; DEPTH_LEVELS],
        at: Instant,
    ) -> Result<(), PriceFault> {
        let mut rows = [DepthRow::default(); DEPTH_LEVELS];
        let mut filled = 0;
        for level in levels {
            // Depth prices are binary64 and exact to the paisa.
            let price = checked_paise_f64(level.price, 1)?;
            if price > 0 && level.qty > 0 {
                rows[filled] = DepthRow { price, qty: level.qty, orders: level.orders };
                filled += 1;
            }
        }
        let rows = &mut rows[..filled];
        // The order of levels is not promised.
        let (place, time) = match side {
            BookSide::Bid => {
                rows.sort_by_key(|row| -row.price);
                (&mut self.bids, &mut self.bids_at)
            }
            BookSide::Ask => {
                rows.sort_by_key(|row| row.price);
                (&mut self.asks, &mut self.asks_at)
            }
        };
        place.clear();
        place.extend_from_slice(rows);
        *time = Some(at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_sorted_best_first_and_empty_levels_left_out() {
        let mut levels = [RawLevel::default(); DEPTH_LEVELS];
        levels[0] = RawLevel { price: 101.3, qty: 65, orders: 1 };
        levels[4] = RawLevel { price: 101.35, qty: 130, orders: 2 };
        levels[9] = RawLevel { price: 101.4, qty: 0, orders: 2 };
        let mut book = DepthBook::default();
        let at = Instant::from_secs(1);
        book.apply(BookSide::Bid, &levels, at).unwrap();
        assert!(!book.is_complete());
        book.apply(BookSide::Ask, &levels, at).unwrap();
        assert!(book.is_complete());
        assert_eq!(book.bids.iter().map(|r| r.price).collect::<Vec<_>>(), [10_135, 10_130]);
        assert_eq!(book.asks.iter().map(|r| r.price).collect::<Vec<_>>(), [10_130, 10_135]);
    }

    #[test]
    fn a_price_that_is_none_leaves_the_side_as_it_was() {
        let mut levels = [RawLevel { price: 10.0, qty: 1, orders: 1 }; DEPTH_LEVELS];
        let mut book = DepthBook::default();
        book.apply(BookSide::Bid, &levels, Instant::from_secs(1)).unwrap();
        levels[3].price = f64::NAN;
        let before = book.clone();
        assert_eq!(book.apply(BookSide::Bid, &levels, Instant::from_secs(2)), Err(PriceFault::NotANumber));
        assert_eq!(book, before);
    }
}

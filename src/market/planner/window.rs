//! The strikes around the money that a chain carries, with slack: a price that walks to and fro over the middle between
//! two strikes changes nothing.

use std::ops::Range;

use scalper_decide::domain::Strike;

/// How many strikes a chain carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Width {
    /// Strikes below the money.
    pub below: usize,
    /// Strikes above it.
    pub above: usize,
    /// Strikes the money may move before the window follows.
    pub slack: usize,
}

impl Width {
    /// Strikes of a full window.
    pub const fn strikes(self) -> usize {
        self.below + 1 + self.above
    }
}

/// Places of the window among `strikes` (ascending), and the strike it stands on. `atm` is where the money is; `stood`
/// is the strike the window stood on before. As many strikes as are listed: an edge of the list cuts the window off.
/// `None` when nothing is listed.
pub fn window(strikes: &[Strike], atm: Strike, stood: Option<Strike>, width: Width) -> Option<(Range<usize>, Strike)> {
    let now = nearest(strikes, atm)?;
    let stood = stood.and_then(|strike| strikes.binary_search(&strike).ok());
    let at = stood.filter(|at| at.abs_diff(now) <= width.slack).unwrap_or(now);
    Some((at.saturating_sub(width.below)..(at + width.above + 1).min(strikes.len()), strikes[at]))
}

/// Place of the listed strike nearest to `level`; the higher one of two at the same distance (S1-16).
pub(in crate::market) fn nearest(strikes: &[Strike], level: Strike) -> Option<usize> {
    let above = strikes.partition_point(|strike| *strike < level);
    match (above.checked_sub(1), strikes.get(above)) {
        (None, None) => None,
        (None, Some(_)) => Some(above),
        (Some(below), None) => Some(below),
        (Some(below), Some(up)) => {
            let nearer_below = level.paise() - strikes[below].paise() < up.paise() - level.paise();
            Some(if nearer_below { below } else { above })
        }
    }
}

//! Which fill model speaks for the run, and how much hangs on that choice (N9, P24).

use scalper_decide::domain::Money;

use super::super::result::{BacktestResult, FillModelRow};
use super::percent;

/// Name of the model that may never be the headline.
const OPTIMISTIC: &str = "optimistic";

/// Models that may stand in for an optimistic headline, the fairest first.
const STAND_INS: [&str; 3] = ["base", "pessimistic", "stressed"];

/// The figures a reader may quote.
#[derive(Debug, Clone, PartialEq)]
pub struct Headline {
    /// Fill model the figures come from; empty when only an optimistic replay exists.
    pub model: String,
    /// Round trips.
    pub trades: usize,
    /// Result after charges; `None` when only an optimistic replay exists.
    pub net: Option<Money>,
    /// Whether every table of the report comes from this model. False when the run itself was optimistic: then the
    /// tables show the optimistic run and the headline is taken from another row.
    pub covers_tables: bool,
}

impl Headline {
    /// The headline of a result: its own model, unless that is the optimistic one.
    pub fn of(result: &BacktestResult) -> Headline {
        let own = &result.meta.fill_model;
        if own != OPTIMISTIC {
            return Headline {
                model: own.clone(),
                trades: result.trades.len(),
                net: Some(result.trades.iter().map(|t| t.net).sum()),
                covers_tables: true,
            };
        }
        let find = |name: &str| result.fill_models.iter().find(|row| row.model == name);
        match STAND_INS.into_iter().find_map(find) {
            Some(row) => {
                Headline { model: row.model.to_owned(), trades: row.trades, net: Some(row.net), covers_tables: false }
            }
            None => Headline { model: String::new(), trades: 0, net: None, covers_tables: false },
        }
    }
}

/// How much of the result depends on how fills are imagined.
#[derive(Debug, Clone, PartialEq)]
pub struct FillModelEffect {
    /// Net result of the optimistic replay less that of the stressed one.
    pub spread: Money,
    /// That difference in percent of the headline's net result without its sign; `None` when that is zero.
    pub percent_of_headline: Option<f64>,
}

impl FillModelEffect {
    /// The effect; `None` unless both bounds were replayed and there is a headline.
    pub fn of(result: &BacktestResult) -> Option<FillModelEffect> {
        let net = |name: &str| result.fill_models.iter().find(|r: &&FillModelRow| r.model == name).map(|r| r.net);
        let spread = net(OPTIMISTIC)? - net("stressed")?;
        let headline = Headline::of(result).net?;
        Some(FillModelEffect { spread, percent_of_headline: percent(spread, headline.abs()) })
    }
}

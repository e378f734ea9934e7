//! The Supertrend the settings ask for, behind one type.

use ta::{Next, Period, Reset};

use super::adaptive_supertrend::AdaptiveSupertrend;
use super::bar::Bar;
use super::supertrend::{Supertrend, SupertrendValue};
use crate::params::SupertrendParams;

/// Either Supertrend, as configured.
#[derive(Debug, Clone)]
pub enum SupertrendModel {
    /// Fixed multiplier.
    Classic(Supertrend),
    /// Multiplier chosen bar by bar.
    Adaptive(Box<AdaptiveSupertrend>),
}

impl SupertrendModel {
    /// Builds what `params` asks for.
    ///
    /// # Panics
    /// On settings outside the ranges of [`Supertrend::new`] and [`AdaptiveSupertrend::new`]; `config/` proves them.
    pub fn new(params: &SupertrendParams) -> SupertrendModel {
        match *params {
            SupertrendParams::Classic { period, multiplier } => {
                SupertrendModel::Classic(Supertrend::new(period, multiplier))
            }
            SupertrendParams::Adaptive { period, base_multiplier, training } => {
                SupertrendModel::Adaptive(Box::new(AdaptiveSupertrend::new(period, base_multiplier, training)))
            }
        }
    }
}

impl Next<&Bar> for SupertrendModel {
    type Output = Option<SupertrendValue>;
    fn next(&mut self, bar: &Bar) -> Option<SupertrendValue> {
        match self {
            SupertrendModel::Classic(model) => model.next(bar),
            SupertrendModel::Adaptive(model) => model.next(bar).map(|value| value.trend),
        }
    }
}

impl Period for SupertrendModel {
    fn period(&self) -> usize {
        match self {
            SupertrendModel::Classic(model) => model.period(),
            SupertrendModel::Adaptive(model) => model.period(),
        }
    }
}

impl Reset for SupertrendModel {
    fn reset(&mut self) {
        match self {
            SupertrendModel::Classic(model) => model.reset(),
            SupertrendModel::Adaptive(model) => model.reset(),
        }
    }
}

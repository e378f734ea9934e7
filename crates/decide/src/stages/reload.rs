//! Which settings are in force, and what becomes of new ones: some apply at once, some with the next trading day.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::capital_allocator::CapitalAllocator;
use crate::domain::{Age, Underlying};
use crate::params::StrategyParams;
use crate::params::change::{self, Circumstances, ConfigChange, Effect};

/// The settings before and after a change; every stage takes its part.
#[derive(Debug, Clone)]
pub struct NewSettings {
    /// In force until now.
    pub old: StrategyParams,
    /// In force from here on.
    pub new: StrategyParams,
}

/// What opening a session means for the settings and for what is known of the day.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Settings that waited for this day.
    pub settings: Option<NewSettings>,
    /// The day is under way already (a restart opens it again): its prices and bars stay.
    pub goes_on: bool,
}

/// Settings in force, and those that wait.
#[derive(Debug, Clone)]
pub struct Reload {
    params: StrategyParams,
    /// The first settings came as an event.
    is_configured: bool,
    /// Settings of which some keys wait for the next trading day.
    waiting: Option<Box<StrategyParams>>,
    /// The session has closed a bar.
    has_bars: bool,
    day: Option<NaiveDate>,
    warm_up: bool,
    bars_of: BTreeMap<Underlying, Age>,
    is_closed: bool,
}

impl Reload {
    /// Starts with these settings.
    pub const fn new(params: StrategyParams) -> Reload {
        Reload {
            params,
            is_configured: false,
            waiting: None,
            has_bars: false,
            day: None,
            warm_up: false,
            bars_of: BTreeMap::new(),
            is_closed: false,
        }
    }

    /// Settings in force.
    #[inline]
    pub const fn params(&self) -> &StrategyParams {
        &self.params
    }

    /// Whether a session is open.
    pub const fn is_open(&self) -> bool {
        self.day.is_some() && !self.is_closed
    }

    /// What the engine is doing, as far as changes of settings are concerned.
    pub const fn circumstances(&self, is_flat: bool) -> Circumstances {
        Circumstances { is_flat, has_bars: self.has_bars && !self.is_closed }
    }

    fn replace(&mut self, new: StrategyParams) -> NewSettings {
        let old = std::mem::replace(&mut self.params, new.clone());
        NewSettings { old, new }
    }

    /// A session opens.
    pub fn opening(
        &mut self,
        day: NaiveDate,
        warm_up: bool,
        bars_of: &BTreeMap<Underlying, Age>,
        is_flat: bool,
    ) -> Opening {
        let is_new_day = self.day != Some(day);
        let waiting = if is_new_day { self.waiting.take() } else { None };
        let settings = waiting.map(|waiting| {
            let changes = change::classify(&self.params, &waiting, self.circumstances(is_flat));
            let due = [Effect::AppliesNow, Effect::NextSession];
            let merged = change::merged(&self.params, &waiting, &changes, &due);
            self.replace(merged)
        });
        let goes_on = !is_new_day && !self.is_closed && self.warm_up == warm_up;
        self.has_bars &= goes_on;
        self.day = Some(day);
        self.is_closed = false;
        self.warm_up = warm_up;
        self.bars_of.clone_from(bars_of);
        Opening { settings, goes_on }
    }

    /// A session ends.
    pub const fn session_closed(&mut self) {
        self.is_closed = true;
    }

    /// Bars closed.
    pub const fn bars_closed(&mut self, any: bool) {
        self.has_bars |= any;
    }

    /// New settings arrive: the first ones set everything, later ones what is safe to change.
    pub fn configure(&mut self, params: &StrategyParams, is_flat: bool) -> (Vec<ConfigChange>, NewSettings) {
        if !std::mem::replace(&mut self.is_configured, true) && self.day.is_none() {
            // What the core was built with was nobody's choice: nothing is compared with it.
            return (Vec::new(), self.replace(params.clone()));
        }
        let changes = change::classify(&self.params, params, self.circumstances(is_flat));
        let waits = changes.iter().any(|c| c.effect == Effect::NextSession);
        self.waiting = waits.then(|| Box::new(params.clone()));
        let new = change::merged(&self.params, params, &changes, &[Effect::AppliesNow]);
        (changes, self.replace(new))
    }
}

/// The capital allocator's part of new settings.
pub fn configure_capital(allocator: &mut CapitalAllocator, settings: &NewSettings) {
    if settings.old.capital.opening_balance != settings.new.capital.opening_balance {
        allocator.set_balance(settings.new.capital.opening_balance);
    }
    allocator.configure(settings.new.capital.clone());
}

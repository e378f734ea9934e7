//! Rules that look at several settings at once: a rule that can never be reached, or that contradicts another one,
//! fails at load and names both keys with their values and where each came from (F-4, F-21, F-22).

use rust_decimal::Decimal;
use scalper_decide::domain::calendar::HoursRegime;
use scalper_decide::domain::money::Rounding;
use scalper_decide::domain::{Bps, Money, Underlying};
use scalper_decide::params::{
    CapitalBand, QuoteAgeLimits, SignalParams, SignalTrigger, Sizing, StopDistance, StrategyParams, SupertrendParams,
};

use super::error::Problem;
use super::node::{Location, Node, SourceKind};

/// Where a value came from, for people.
pub(crate) fn origin_text(at: &Location) -> String {
    match at.source.kind() {
        SourceKind::BuiltIn => "built-in default".to_owned(),
        SourceKind::Preset(name) => format!("preset {name}, {}:{}", at.source.name(), at.line()),
        SourceKind::File => format!("{}:{}", at.source.name(), at.line()),
        SourceKind::Env(name) => format!("environment {name}"),
    }
}

struct Rules<'a> {
    params: &'a StrategyParams,
    tree: &'a Node,
    hours: &'a [HoursRegime],
    problems: Vec<Problem>,
}

/// Compares the settings with each other and with the regular session hours.
pub(crate) fn check(params: &StrategyParams, tree: &Node, hours: &[HoursRegime]) -> Vec<Problem> {
    let mut rules = Rules { params, tree, hours, problems: Vec::new() };
    rules.signals();
    rules.chain_and_guard();
    rules.capital();
    rules.exits();
    rules.day_limits();
    rules.cutoffs();
    rules.session_times();
    rules.expiry_limits();
    rules.orders();
    rules.without_effect();
    rules.problems
}

impl Rules<'_> {
    fn signal_sets(&self) -> Vec<(String, SignalParams)> {
        let common = ("signals".to_owned(), self.params.signal.clone());
        let own = self.params.signal_by_index.iter().map(|(u, s)| (format!("indices.{u}.signals"), s.clone()));
        std::iter::once(common).chain(own).collect()
    }

    /// Notes that the values under `keys` cannot stand together.
    fn conflict(&mut self, keys: &[&str], why: impl Into<String>) {
        let found: Vec<(&str, &Node)> = keys.iter().filter_map(|k| self.tree.path(k).map(|n| (*k, n))).collect();
        let values: Vec<String> =
            found.iter().map(|(key, n)| format!("{key} = {} ({})", n.canonical(), origin_text(&n.at))).collect();
        let message = format!("{}: {}", why.into(), values.join(", "));
        // The caret goes where the person who reads it can change something: environment, then file, then preset.
        let rank = |n: &Node| match n.at.source.kind() {
            SourceKind::Env(_) => 0,
            SourceKind::File => 1,
            SourceKind::Preset(_) => 2,
            SourceKind::BuiltIn => 3,
        };
        let mut problem = match found.iter().min_by_key(|(_, n)| rank(n)) {
            None => Problem::general(message),
            Some((key, node)) => Problem::at(*key, message, &node.at),
        };
        for (key, node) in &found {
            if *key != problem.key {
                problem.add_place(&node.at, *key);
            }
        }
        self.problems.push(problem);
    }

    fn signals(&mut self) {
        for (prefix, s) in self.signal_sets() {
            let key = |field: &str| format!("{prefix}.{field}");
            if s.confirmation.is_some_and(|c| c <= s.primary) {
                self.conflict(
                    &[&key("confirmation_timeframe"), &key("primary_timeframe")],
                    "the confirming timeframe must be longer than the triggering one",
                );
            }
            if s.iv_rank.min >= s.iv_rank.max {
                self.conflict(
                    &[&key("iv_rank.min_pct"), &key("iv_rank.max_pct")],
                    "the lowest rank must lie below the highest, or no rank can pass",
                );
            }
            if s.iv_rank.min_days > s.iv_rank.lookback_days {
                self.conflict(
                    &[&key("iv_rank.min_days"), &key("iv_rank.lookback_days")],
                    "more days are needed than are looked back, so a rank could never exist",
                );
            }
        }
    }

    fn chain_and_guard(&mut self) {
        let (chain, guard) = (&self.params.chain, &self.params.entry_guard);
        let offset_beyond = chain.preferred_offset.is_some_and(|p| p > chain.max_offset);
        let iv = chain.iv_min_pct >= chain.iv_max_pct;
        let delta = chain.min_abs_delta >= chain.max_abs_delta;
        let spread = guard.max_spread > chain.max_spread;
        let bands: Vec<Underlying> =
            chain.premium_band.iter().filter(|(_, (min, max))| min >= max).map(|(u, _)| *u).collect();
        let older = |guard: QuoteAgeLimits, chain: QuoteAgeLimits| {
            [
                ("feed", guard.feed > chain.feed),
                ("snapshot", guard.snapshot > chain.snapshot),
                ("bar", guard.bar > chain.bar),
            ]
        };
        let ages = older(guard.option_age, chain.quote_age);
        let (contract, index, total) =
            (guard.max_positions_per_contract, guard.max_positions_per_index, guard.max_positions_total);
        let (trades_index, trades_day) = (guard.max_trades_per_index, guard.max_trades_per_day);

        if offset_beyond {
            self.conflict(
                &["chain.preferred_offset", "chain.max_offset"],
                "the preferred strike lies beyond the farthest candidate",
            );
        }
        if iv {
            self.conflict(&["chain.iv_min_pct", "chain.iv_max_pct"], "no volatility can pass this band");
        }
        if delta {
            self.conflict(&["chain.min_abs_delta", "chain.max_abs_delta"], "no delta can pass this band");
        }
        for u in bands {
            self.conflict(
                &[&format!("indices.{u}.premium_min_rupees"), &format!("indices.{u}.premium_max_rupees")],
                "no premium can pass this band",
            );
        }
        if spread {
            self.conflict(
                &["entry_guard.max_spread_pct", "chain.max_spread_pct"],
                "the guard can never refuse: the analyzer has already refused narrower spreads",
            );
        }
        for (source, _) in ages.into_iter().filter(|(_, looser)| *looser) {
            self.conflict(
                &[&format!("entry_guard.option_age_ms.{source}"), &format!("chain.quote_age_ms.{source}")],
                "the guard can never refuse: the analyzer has already refused younger quotes",
            );
        }
        if contract > index {
            self.conflict(
                &["entry_guard.max_positions_per_contract", "entry_guard.max_positions_per_index"],
                "one contract cannot hold more positions than its index",
            );
        }
        if index > total {
            self.conflict(
                &["entry_guard.max_positions_per_index", "entry_guard.max_positions_total"],
                "one index cannot hold more positions than the account",
            );
        }
        if index > trades_index {
            self.conflict(
                &["entry_guard.max_positions_per_index", "entry_guard.max_trades_per_index"],
                "the day's entries run out before the positions do",
            );
        }
        if trades_index > trades_day {
            self.conflict(
                &["entry_guard.max_trades_per_index", "entry_guard.max_trades_per_day"],
                "one index cannot enter more often than the account",
            );
        }
    }

    fn capital(&mut self) {
        let bands = self.params.capital.bands.clone();
        let last = bands.len().saturating_sub(1);
        if bands.is_empty() {
            self.conflict(&["capital.bands"], "at least one band of account size is needed");
        }
        for (i, band) in bands.iter().enumerate() {
            let key = |field: &str| format!("capital.bands[{i}].{field}");
            match (band.up_to, i == last) {
                (Some(_), true) => self.conflict(
                    &[&key("up_to_rupees")],
                    "the last band must be open (`up_to_rupees: none`), or a larger account has no band",
                ),
                (None, false) => {
                    self.conflict(
                        &[&key("up_to_rupees")],
                        "only the last band may be open; the bands after it are never used",
                    );
                }
                _ => {}
            }
            if let (Some(previous), Some(here)) = (i.checked_sub(1).and_then(|j| bands[j].up_to), band.up_to)
                && here <= previous
            {
                let before = format!("capital.bands[{}].up_to_rupees", i - 1);
                self.conflict(&[&key("up_to_rupees"), &before], "bands must ascend");
            }
            let own_limit = self.params.risk.day_loss;
            let (day_loss, day_key) =
                own_limit.map_or((band.day_loss, key("day_loss_pct")), |d| (d, "risk.day_loss_pct".to_owned()));
            if self.params.capital.sizing == Sizing::RiskPercent && band.risk_per_trade > day_loss {
                self.conflict(
                    &[&key("risk_per_trade_pct"), &day_key],
                    "one stopped trade would lose more than a whole day may",
                );
            }
        }
        let day_limit = self.band().and_then(|(_, b)| self.day_loss_rupees(&b));
        if let (Sizing::Rupees { risk }, Some(limit)) = (&self.params.capital.sizing, day_limit)
            && *risk > limit
        {
            self.conflict(
                &["capital.risk_per_trade_rupees", "risk.day_loss_pct", "capital.opening_balance_rupees"],
                format!("one stopped trade would lose more than the Rs {limit} a whole day may"),
            );
        }
    }

    /// The band of the opening balance, with its place in the list.
    fn band(&self) -> Option<(usize, CapitalBand)> {
        let balance = self.params.capital.opening_balance?;
        let bands = self.params.capital.bands.iter().copied().enumerate();
        bands.into_iter().find(|(_, b)| b.up_to.is_none_or(|up_to| balance <= up_to))
    }

    fn day_loss_rupees(&self, band: &CapitalBand) -> Option<Money> {
        let balance = self.params.capital.opening_balance?;
        Some(balance.portion(self.params.risk.day_loss.unwrap_or(band.day_loss), Rounding::Down))
    }

    /// The most one trade can cost at the opening balance, by every cap there is; `None` when unknown.
    fn largest_cost(&self) -> Option<Money> {
        let capital = &self.params.capital;
        let balance = capital.opening_balance?;
        let (_, band) = self.band()?;
        let widest_index = self.params.indices.iter().filter_map(|u| capital.index_allocation.get(u)).max()?;
        let mut cost =
            balance.portion(band.allocation, Rounding::Down).min(balance.portion(*widest_index, Rounding::Down));
        if let Some(cap) = capital.max_trade_cost {
            cost = cost.min(cap);
        }
        let budget = match capital.sizing {
            Sizing::RiskPercent => balance.portion(band.risk_per_trade, Rounding::Down),
            Sizing::Rupees { risk } => risk,
        };
        if let StopDistance::Percent { pct } = self.params.risk.stop {
            let by_risk = i128::from(budget.paise()) * 10_000 / i128::from(pct.get().max(1));
            cost = cost.min(Money::from_paise(i64::try_from(by_risk).unwrap_or(i64::MAX)));
        }
        Some(cost)
    }

    fn exits(&mut self) {
        let risk = self.params.risk.clone();
        let factor = |b: Bps| Decimal::ONE + Decimal::new(b.get(), 4);
        let stop = match risk.stop {
            StopDistance::Percent { pct } => Some(pct),
            StopDistance::Rupees { .. } => None,
        };
        if let (Some(target), Some(arm)) = (risk.target, risk.break_even_after)
            && arm >= target
        {
            self.conflict(
                &["risk.break_even_after_pct", "risk.target_pct"],
                "break-even can never arm: the target is reached first",
            );
        }
        if let Some(trail) = risk.trail {
            if risk.target.is_some_and(|target| trail.arm_after >= target) {
                self.conflict(
                    &["risk.trail.arm_after_pct", "risk.target_pct"],
                    "the trail can never arm: the target is reached first",
                );
            }
            let at_arming = factor(trail.arm_after) * factor(-trail.drop);
            if stop.is_some_and(|stop| at_arming <= factor(-stop)) {
                self.conflict(
                    &["risk.trail.drop_pct", "risk.trail.arm_after_pct", "risk.stop_pct"],
                    "the trail is so wide that it lies under the initial stop when it arms",
                );
            }
            if risk.break_even_after.is_some_and(|be| be > trail.arm_after) && at_arming >= Decimal::ONE {
                self.conflict(
                    &["risk.break_even_after_pct", "risk.trail.arm_after_pct", "risk.trail.drop_pct"],
                    "break-even can never act: the trail has already lifted the stop over the entry",
                );
            }
        }
        if let (Some(lock), Some(target), Some(cost)) = (risk.profit_lock, risk.target, self.largest_cost()) {
            let best = cost.portion(target, Rounding::Down);
            if best < lock.min_profit {
                self.conflict(
                    &["risk.profit_lock.min_profit_rupees", "risk.target_pct", "capital.opening_balance_rupees"],
                    format!(
                        "the profit lock can never arm: the dearest trade costs Rs {cost}, so the target pays at most Rs {best}"
                    ),
                );
            }
        }
        if stop.is_some_and(|stop| self.params.entry_guard.max_spread >= stop) {
            self.conflict(
                &["risk.stop_pct", "entry_guard.max_spread_pct"],
                "a position bought at the ask could be at its stop at once",
            );
        }
    }

    fn day_limits(&mut self) {
        let account = match (self.params.risk.day_loss, self.band()) {
            (Some(limit), _) => Some((limit, "risk.day_loss_pct".to_owned())),
            (None, Some((i, band))) => Some((band.day_loss, format!("capital.bands[{i}].day_loss_pct"))),
            (None, None) => None,
        };
        let Some((account, account_key)) = account else { return };
        for (u, _) in self.params.risk.index_day_loss.clone().into_iter().filter(|(_, limit)| *limit > account) {
            self.conflict(
                &[&format!("indices.{u}.day_loss_pct"), &account_key],
                "the limit of the index can never be reached: the account's comes first",
            );
        }
    }

    fn cutoffs(&mut self) {
        let Some(wanted) = self.params.risk.cutoffs else { return };
        for regime in self.hours {
            let clamped = wanted.clamped_to(&regime.cutoffs);
            if let Err(why) = clamped.validate(regime.window.close) {
                let keys = ["no_new_entry", "expiry_force_exit", "square_off_start", "square_off_deadline"]
                    .map(|k| format!("risk.cutoffs.{k}"));
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                self.conflict(&keys, format!("cut-offs out of order in the hours from {}: {why}", regime.from));
                return;
            }
        }
    }

    fn session_times(&mut self) {
        for (prefix, s) in self.signal_sets() {
            let opening_secs = s.opening_no_trade_minutes * 60;
            let first = |r: &HoursRegime| r.window.open.secs() + opening_secs;
            let theta_key = format!("{prefix}.theta_cutoff");
            let opening_key = format!("{prefix}.opening_no_trade_minutes");
            let (hours, params) = (self.hours, self.params);
            if let Some(theta) = s.theta_cutoff
                && hours.iter().any(|r| theta.secs() <= first(r))
            {
                self.conflict(&[&theta_key, &opening_key], "signals end before they begin");
            }
            let no_entry = |r: &HoursRegime| {
                params.risk.cutoffs.map_or(r.cutoffs, |c| c.clamped_to(&r.cutoffs)).no_new_entry.secs()
            };
            if hours.iter().any(|r| no_entry(r) <= first(r)) {
                self.conflict(&["risk.cutoffs.no_new_entry", &opening_key], "entries end before they begin");
            }
            let longest = hours.iter().map(|r| {
                let square_off = params.risk.cutoffs.map_or(r.cutoffs, |c| c.clamped_to(&r.cutoffs)).square_off_start;
                i64::from(square_off.secs()) - i64::from(first(r))
            });
            if let (Some(limit), Some(longest)) = (params.risk.time_stop, longest.max())
                && limit.secs() >= longest
                && prefix == "signals"
            {
                self.conflict(
                    &["risk.time_stop_minutes", "risk.cutoffs.square_off_start"],
                    format!(
                        "the time stop can never fire: from the first entry to the square-off are {} minutes",
                        longest / 60
                    ),
                );
            }
        }
    }

    fn expiry_limits(&mut self) {
        let limits = self.params.risk.expiry_limits.clone();
        let normal = match self.params.risk.stop {
            StopDistance::Percent { pct } => Some(pct),
            StopDistance::Rupees { .. } => None,
        };
        for (i, limit) in limits.iter().enumerate() {
            let key = |field: &str| format!("risk.expiry_limits[{i}].{field}");
            if let Some(before) = i.checked_sub(1) {
                let earlier = |field: &str| format!("risk.expiry_limits[{before}].{field}");
                if limits[before].minutes_to_expiry <= limit.minutes_to_expiry {
                    self.conflict(
                        &[&key("minutes_to_expiry"), &earlier("minutes_to_expiry")],
                        "expiry limits must come with descending minutes",
                    );
                }
                if limits[before].max_lots < limit.max_lots {
                    self.conflict(
                        &[&key("max_lots"), &earlier("max_lots")],
                        "a limit nearer to expiry must not allow more lots than the one before",
                    );
                }
            }
            if let (Some(tight), Some(normal)) = (limit.stop, normal)
                && tight >= normal
            {
                self.conflict(
                    &[&key("stop_pct"), "risk.stop_pct"],
                    "the expiry-day stop must be tighter than the normal one",
                );
            }
            if limit.stop.is_none() && limit.max_lots >= self.params.capital.max_lots {
                self.conflict(&[&key("max_lots"), "capital.max_lots"], "this limit never limits anything");
            }
            // Reached when at least one regime still allows what the limit forbids once it begins.
            let reached = self.hours.iter().any(|r| {
                let secs = u32::try_from(limit.minutes_to_expiry * 60).unwrap_or(u32::MAX);
                let begins = r.window.close.minus_secs(secs.min(r.window.close.secs()));
                let cutoffs = self.params.risk.cutoffs.map_or(r.cutoffs, |c| c.clamped_to(&r.cutoffs));
                let until = if limit.stop.is_some() { cutoffs.expiry_force_exit } else { cutoffs.no_new_entry };
                begins < until
            });
            if !reached {
                self.conflict(
                    &[&key("minutes_to_expiry"), "risk.cutoffs.no_new_entry"],
                    "this limit can never be reached: entries have ended before it begins",
                );
            }
        }
    }

    fn orders(&mut self) {
        let orders = &self.params.orders;
        let beyond_cap = orders.entry_offset > self.params.entry_guard.slippage_cap;
        let no_room = orders.modifications_for_exit >= orders.max_modifications;
        if beyond_cap {
            self.conflict(
                &["orders.entry_offset_pct", "entry_guard.slippage_cap_pct"],
                "every entry would be refused: its limit lies beyond the slippage cap",
            );
        }
        if no_room {
            self.conflict(
                &["orders.modifications_for_exit", "orders.max_modifications"],
                "nothing is left for the trail: fewer modifications must be kept for the exit than an order may have",
            );
        }
        if self.params.capital.sizing == Sizing::RiskPercent
            && self.tree.path("capital.risk_per_trade_rupees").is_some_and(|n| n.canonical() != "none")
        {
            self.conflict(
                &["capital.risk_per_trade_rupees", "capital.sizing"],
                "the rupee budget has no effect unless `sizing: rupees`",
            );
        }
    }

    /// A setting that a person wrote although another one switches it off (F-4).
    fn without_effect(&mut self) {
        let written = |tree: &Node, key: &str| {
            tree.path(key).is_some_and(|n| {
                matches!(n.at.source.kind(), SourceKind::File | SourceKind::Env(_)) && n.canonical() != "none"
            })
        };
        for (prefix, s) in self.signal_sets() {
            let key = |field: &str| format!("{prefix}.{field}");
            let classic = matches!(s.supertrend, SupertrendParams::Classic { .. });
            let cases = [
                (classic, key("supertrend.adaptive_training_bars"), key("supertrend.kind")),
                (s.trigger == SignalTrigger::State, key("flip_valid_bars"), key("trigger")),
                (s.confirmation.is_none(), key("adx.min_confirmation"), key("confirmation_timeframe")),
            ];
            for (off, unused, switch) in cases {
                if off && written(self.tree, &unused) {
                    self.conflict(&[&unused, &switch], "this setting has no effect");
                }
            }
        }
    }
}

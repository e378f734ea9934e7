//! The range of every number in the settings: one table for the check, the error text and the editor schema.

use std::str::FromStr;

use rust_decimal::Decimal;

use super::error::Problem;
use super::node::{Node, Value};

/// Pattern of a key, smallest and largest value, and whether two decimals are the finest step (percent and rupees
/// become hundredths). `*` stands for any one name, `[]` for any place in a list.
struct Rule {
    pattern: &'static str,
    min: &'static str,
    max: &'static str,
}

const fn rule(pattern: &'static str, min: &'static str, max: &'static str) -> Rule {
    Rule { pattern, min, max }
}

const RULES: &[Rule] = &[
    rule("indices.*.sid", "1", "4294967295"),
    rule("indices.*.capital_alloc_pct", "1", "100"),
    rule("indices.*.day_loss_pct", "0.1", "20"),
    rule("indices.*.premium_min_rupees", "0.05", "100000"),
    rule("indices.*.premium_max_rupees", "0.05", "100000"),
    rule("signals.flip_valid_bars", "1", "100"),
    // Below 200 bars the smoothed averages still depend on where they started (data reference: < 2e-4 at row 200).
    rule("signals.warmup_bars", "200", "5000"),
    rule("signals.bar_close_grace_ms", "0", "5000"),
    rule("signals.opening_no_trade_minutes", "0", "240"),
    rule("signals.trend_bars", "1", "50"),
    rule("signals.min_minutes_to_expiry", "0", "20000"),
    rule("signals.supertrend.period", "1", "100"),
    rule("signals.supertrend.multiplier", "0.1", "20"),
    rule("signals.supertrend.adaptive_training_bars", "20", "1000"),
    rule("signals.adx.period", "2", "100"),
    rule("signals.adx.min_primary", "0", "100"),
    rule("signals.adx.min_confirmation", "0", "100"),
    rule("signals.iv_rank.min_pct", "0", "100"),
    rule("signals.iv_rank.max_pct", "0", "100"),
    rule("signals.iv_rank.lookback_days", "2", "500"),
    rule("signals.iv_rank.min_days", "2", "500"),
    rule("chain.max_offset", "0", "20"),
    rule("chain.preferred_offset", "0", "20"),
    rule("chain.iv_min_pct", "0", "500"),
    rule("chain.iv_max_pct", "1", "500"),
    rule("chain.min_oi", "0", "1000000000"),
    rule("chain.max_spread_pct", "0.1", "50"),
    rule("chain.min_abs_delta", "0", "1"),
    rule("chain.max_abs_delta", "0", "1"),
    rule("chain.min_score", "0", "210"),
    rule("chain.interest_rate_pct", "-5", "30"),
    rule("chain.min_minutes_to_expiry", "0", "20000"),
    rule("chain.quote_age_ms.*", "100", "600000"),
    rule("capital.opening_balance_rupees", "1000", "10000000000"),
    rule("capital.risk_per_trade_rupees", "100", "100000000"),
    rule("capital.max_lots", "1", "10000"),
    rule("capital.max_trade_cost_rupees", "500", "10000000000"),
    rule("capital.bands[].up_to_rupees", "1000", "10000000000"),
    rule("capital.bands[].allocation_pct", "1", "100"),
    rule("capital.bands[].risk_per_trade_pct", "0.1", "20"),
    rule("capital.bands[].day_loss_pct", "0.1", "20"),
    rule("entry_guard.max_positions_per_contract", "1", "100"),
    rule("entry_guard.max_positions_per_index", "1", "100"),
    rule("entry_guard.max_positions_total", "1", "100"),
    rule("entry_guard.cooldown_direction_secs", "0", "86400"),
    rule("entry_guard.cooldown_strike_secs", "0", "86400"),
    rule("entry_guard.index_age_ms.*", "100", "600000"),
    rule("entry_guard.option_age_ms.*", "100", "600000"),
    rule("entry_guard.max_spread_pct", "0.1", "50"),
    rule("entry_guard.slippage_cap_pct", "0", "20"),
    rule("entry_guard.max_trades_per_index", "1", "1000"),
    rule("entry_guard.max_trades_per_day", "1", "1000"),
    rule("risk.stop_pct", "1", "90"),
    rule("risk.stop_rupees", "0.5", "5000"),
    rule("risk.stop_limit_gap_pct", "0.1", "50"),
    rule("risk.target_pct", "1", "1000"),
    rule("risk.break_even_after_pct", "0.5", "1000"),
    rule("risk.trail.arm_after_pct", "0", "1000"),
    rule("risk.trail.drop_pct", "0.5", "90"),
    rule("risk.profit_lock.min_profit_rupees", "1", "100000000"),
    rule("risk.profit_lock.keep_pct", "1", "100"),
    rule("risk.time_stop_minutes", "1", "1440"),
    rule("risk.day_loss_pct", "0.1", "20"),
    rule("risk.day_profit.target_rupees", "1", "1000000000"),
    rule("risk.day_profit.keep_pct", "1", "100"),
    rule("risk.loss_streak.losses", "1", "100"),
    rule("risk.loss_streak.pause_minutes", "1", "1440"),
    rule("risk.expiry_limits[].minutes_to_expiry", "1", "1440"),
    rule("risk.expiry_limits[].max_lots", "0", "10000"),
    rule("risk.expiry_limits[].stop_pct", "1", "90"),
    rule("orders.entry_offset_pct", "0", "20"),
    rule("orders.entry_timeout_ms", "200", "600000"),
    rule("orders.exit_offset_pct", "0", "50"),
    rule("orders.exit_chase_ms", "200", "600000"),
    // Dhan: at most 25 modifications per order.
    rule("orders.max_modifications", "2", "25"),
    rule("orders.modifications_for_exit", "1", "24"),
    rule("orders.stop_move_min_pct", "0", "20"),
    rule("orders.answer_timeout_ms", "200", "60000"),
    rule("engine.prepare_minutes", "1", "180"),
];

/// Replaces list places by `[]` and the names that vary by `*`, and drops the prefix of per-index signal settings.
fn generic(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut in_brackets = false;
    for c in path.chars() {
        match c {
            '[' => {
                out.push('[');
                in_brackets = true;
            }
            ']' => {
                out.push(']');
                in_brackets = false;
            }
            _ if in_brackets => {}
            c => out.push(c),
        }
    }
    match out.strip_prefix("indices.").and_then(|rest| rest.split_once('.')) {
        Some((_, rest)) if rest.starts_with("signals.") => rest.to_owned(),
        Some((_, rest)) => format!("indices.*.{rest}"),
        None => out,
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut p, mut k) = (pattern.split('.'), path.split('.'));
    loop {
        match (p.next(), k.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "*" => {}
            _ => return false,
        }
    }
}

/// Smallest and largest value of the number at `path`.
pub(crate) fn range_of(path: &str) -> Option<(Decimal, Decimal)> {
    let path = generic(path);
    let rule = RULES.iter().find(|r| matches(r.pattern, &path))?;
    Some((Decimal::from_str(rule.min).expect("a number"), Decimal::from_str(rule.max).expect("a number")))
}

/// Every number that lies outside its range, or is finer than its unit can hold.
pub(crate) fn check(tree: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, node) in tree.leaves() {
        let (Value::Int(_) | Value::Float(_)) = node.value else { continue };
        let found = node.canonical();
        let (Ok(value), Some((min, max))) = (Decimal::from_str(&found), range_of(&path)) else { continue };
        if value < min || value > max {
            let mut problem =
                Problem::at(path.as_str(), format!("must be between {min} and {max}, found {found}"), &node.at);
            if path.ends_with("_pct") && value > Decimal::ZERO && value < min {
                // F-8: a share was written where percent are read.
                let percent = (value * Decimal::ONE_HUNDRED).normalize();
                problem = problem.with_help(format!("the unit is percent: did you mean {percent}?"));
            }
            problems.push(problem);
        } else if (path.ends_with("_pct") || path.ends_with("_rupees")) && value.normalize().scale() > 2 {
            let unit = if path.ends_with("_pct") { "a percent" } else { "a rupee" };
            let message = format!("{found} is finer than a hundredth of {unit}");
            problems.push(Problem::at(path.as_str(), message, &node.at).with_help("write at most two decimals"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_index_signal_settings_have_the_ranges_of_the_common_ones() {
        assert_eq!(range_of("indices.NIFTY.signals.adx.period"), range_of("signals.adx.period"));
        assert!(range_of("signals.adx.period").is_some());
        assert!(range_of("capital.bands[12].day_loss_pct").is_some());
        assert!(range_of("risk.made_up").is_none());
    }
}

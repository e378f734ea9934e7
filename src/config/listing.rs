//! What people see of the effective settings: every value with its origin, the rules in force, and notes.

use scalper_decide::domain::{Bps, Cutoffs, Premium, Underlying};
use scalper_decide::params::{Sizing, StopDistance, StrategyParams};

use super::checked::OPEN_PREMIUM;
use super::node::Node;
use super::rules::origin_text;
use super::tables::Tables;
use super::{Effective, EffectiveValue};

/// Every leaf of the tree with its origin.
pub(crate) fn values(tree: &Node) -> Vec<EffectiveValue> {
    tree.leaves()
        .into_iter()
        .map(|(key, node)| EffectiveValue { key, value: node.canonical(), origin: origin_text(&node.at) })
        .collect()
}

/// What no rule forbids and a reader should still know.
pub(crate) fn notes(params: &StrategyParams, tree: &Node, tables: &Tables) -> Vec<String> {
    let mut notes = Vec::new();
    let (Some(wanted), Some(regime)) = (params.risk.cutoffs, tables.hours.last()) else { return notes };
    let limit = regime.cutoffs;
    for (name, wanted, limit) in [
        ("no_new_entry", wanted.no_new_entry, limit.no_new_entry),
        ("expiry_force_exit", wanted.expiry_force_exit, limit.expiry_force_exit),
        ("square_off_start", wanted.square_off_start, limit.square_off_start),
        ("square_off_deadline", wanted.square_off_deadline, limit.square_off_deadline),
    ] {
        let key = format!("risk.cutoffs.{name}");
        if let Some(node) = tree.path(&key).filter(|_| wanted > limit) {
            let origin = origin_text(&node.at);
            notes.push(format!("{key} {wanted} ({origin}) is later than the calendar's {limit}; {limit} is used"));
        }
    }
    notes
}

fn band_text(underlying: Underlying, min: Premium, max: Premium) -> String {
    if max == OPEN_PREMIUM { format!("{underlying} from Rs {min}") } else { format!("{underlying} Rs {min} to {max}") }
}

fn pct(share: Bps) -> String {
    format!("{share}")
}

/// Every rule with its figures, or `off`: a closed list, so that a rule nobody configured is visible too (F-4).
pub fn rules_in_force(effective: &Effective) -> Vec<(&'static str, String)> {
    let p = &effective.params;
    let (s, c, g, r, o) = (&p.signal, &p.chain, &p.entry_guard, &p.risk, &p.orders);
    let off = || "off".to_owned();
    let indices: Vec<String> = p
        .indices
        .iter()
        .map(|u| {
            let share =
                p.capital.index_allocation.get(u).map_or(String::new(), |a| format!(" (up to {a} of the balance)"));
            format!("{u}{share}")
        })
        .collect();
    let cutoffs = effective.tables.hours.last().map(|h| r.cutoffs.map_or(h.cutoffs, |c| c.clamped_to(&h.cutoffs)));
    let cutoff = |get: fn(&Cutoffs) -> String| cutoffs.as_ref().map_or_else(off, get);
    let rank = &s.iv_rank;
    vec![
        ("indices", indices.join(", ")),
        (
            "signal",
            format!(
                "{:?} on {}, confirmed by {}, {:?}",
                s.trigger,
                s.primary.code(),
                s.confirmation.map_or("nothing", |t| t.code()),
                s.supertrend
            ),
        ),
        ("signal: warm-up", format!("{} closed bars", s.warmup_bars)),
        ("signal: ADX", format!("{} at least {} / {}", s.adx_period, s.adx_min_primary, s.adx_min_confirmation)),
        (
            "signal: IV rank",
            if rank.enabled {
                format!("{:.2} to {:.2}, {:?} without {} days", rank.min, rank.max, rank.on_no_history, rank.min_days)
            } else {
                off()
            },
        ),
        (
            "signal: theta",
            s.theta_cutoff
                .map_or_else(off, |t| format!("no signal from {t}; {} minutes to expiry", s.min_minutes_to_expiry)),
        ),
        ("signal: trend", s.trend_bars.map_or_else(off, |n| format!("close against {n} bars earlier"))),
        ("signal: opening", format!("none in the first {} minutes", s.opening_no_trade_minutes)),
        (
            "signal: blackout",
            if s.blackout_dates.is_empty() { off() } else { format!("{} dates", s.blackout_dates.len()) },
        ),
        (
            "signal: per index",
            if p.signal_by_index.is_empty() {
                off()
            } else {
                p.signal_by_index.keys().map(|u| u.symbol()).collect::<Vec<_>>().join(", ")
            },
        ),
        (
            "strike",
            format!(
                "0 to {} steps out of the money, preferred {}",
                c.max_offset,
                c.preferred_offset.map_or("best score".to_owned(), |n| n.to_string())
            ),
        ),
        (
            "strike: filters",
            format!(
                "IV {} to {} %, OI {}, spread {}, delta {} to {}, score {}",
                c.iv_min_pct, c.iv_max_pct, c.min_oi, c.max_spread, c.min_abs_delta, c.max_abs_delta, c.min_score
            ),
        ),
        (
            "strike: premium band",
            if c.premium_band.is_empty() {
                off()
            } else {
                c.premium_band.iter().map(|(u, (min, max))| band_text(*u, *min, *max)).collect::<Vec<_>>().join(", ")
            },
        ),
        (
            "capital",
            format!(
                "Rs {}, {} bands, at most {} lots",
                p.capital.opening_balance.map_or("unknown".to_owned(), |b| b.to_string()),
                p.capital.bands.len(),
                p.capital.max_lots
            ),
        ),
        (
            "capital: risk per trade",
            match &p.capital.sizing {
                Sizing::RiskPercent => "share of the balance by band".to_owned(),
                Sizing::Rupees { risk } => format!("Rs {risk}"),
            },
        ),
        (
            "guard: positions",
            format!(
                "{} per contract, {} per index, {} in all{}",
                g.max_positions_per_contract,
                g.max_positions_per_index,
                g.max_positions_total,
                if g.pyramid_only_in_profit { ", further ones only in profit" } else { "" }
            ),
        ),
        (
            "guard: cool-down",
            format!("{} s direction, {} s strike", g.cooldown_direction.secs(), g.cooldown_strike.secs()),
        ),
        ("guard: trades", format!("{} per index, {} per day", g.max_trades_per_index, g.max_trades_per_day)),
        (
            "guard: price",
            format!(
                "spread {}, slippage {}, option quote {} old, index {}",
                g.max_spread, g.slippage_cap, g.option_age.feed, g.index_age.feed
            ),
        ),
        (
            "exit: stop",
            match r.stop {
                StopDistance::Percent { pct } => format!("{pct} under entry"),
                StopDistance::Rupees { premium } => format!("Rs {premium} under entry"),
            },
        ),
        ("exit: target", r.target.map_or_else(off, |t| format!("{t} over entry"))),
        ("exit: break-even", r.break_even_after.map_or_else(off, |b| format!("after {b}"))),
        ("exit: trail", r.trail.map_or_else(off, |t| format!("after {}, {} under the peak", t.arm_after, t.drop))),
        (
            "exit: profit lock",
            r.profit_lock.map_or_else(off, |l| format!("from Rs {}, keeps {}", l.min_profit, l.keep)),
        ),
        ("exit: time stop", r.time_stop.map_or_else(off, |t| format!("{} minutes", t.secs() / 60))),
        ("exit: square-off", cutoff(|c| format!("from {} until {}", c.square_off_start, c.square_off_deadline))),
        ("exit: expiry day", cutoff(|c| format!("from {}", c.expiry_force_exit))),
        ("day: last entry", cutoff(|c| format!("before {}", c.no_new_entry))),
        ("day: loss", r.day_loss.map_or_else(|| "share of the opening balance by band".to_owned(), pct)),
        (
            "day: loss per index",
            if r.index_day_loss.is_empty() {
                off()
            } else {
                r.index_day_loss.iter().map(|(u, l)| format!("{u} {l}")).collect::<Vec<_>>().join(", ")
            },
        ),
        ("day: profit", r.day_profit.map_or_else(off, |d| format!("from Rs {}, keeps {}", d.target, d.keep))),
        (
            "day: loss streak",
            r.loss_streak.map_or_else(off, |l| format!("{} losses pause {} minutes", l.losses, l.pause.secs() / 60)),
        ),
        (
            "day: expiry limits",
            if r.expiry_limits.is_empty() {
                off()
            } else {
                r.expiry_limits
                    .iter()
                    .map(|l| {
                        format!(
                            "{} min: {} lots{}",
                            l.minutes_to_expiry,
                            l.max_lots,
                            l.stop.map_or(String::new(), |s| format!(", stop {s}"))
                        )
                    })
                    .collect::<Vec<_>>()
                    .join("; ")
            },
        ),
        (
            "orders",
            format!(
                "entry ask + {} for {} ms, exit bid - {} again after {} ms, {} of {} modifications kept for the exit",
                o.entry_offset,
                o.entry_timeout.millis(),
                o.exit_offset,
                o.exit_chase.millis(),
                o.modifications_for_exit,
                o.max_modifications
            ),
        ),
    ]
}

//! The `--json` object of a replay. Its shape is documented in `docs/BACKTEST_JSON.md`.
//!
//! Money and prices are JSON numbers in rupees with at most two decimals, exact to the paisa; an undefined figure is
//! `null`; times are IST texts. Keys keep their order.

use scalper_decide::domain::{ChargeHeads, Instant, Money, Premium};
use serde_json::{Map, Value, json};

use super::result::{BacktestResult, TradeRecord, UnresolvedRecord};
use super::rules::RuleRow;
use super::stats::{DayRow, GroupRow, MONTH_TABLE_FROM_DAYS, Stats, Summary, TradeFigures, is_level, strike_steps};

/// Version of the shape; the number grows when a key changes its meaning or goes away.
pub const SCHEMA: &str = "scalper.backtest/1";

/// The whole object.
pub fn object(result: &BacktestResult) -> Value {
    let stats = Stats::of(result);
    json!({
        "digest": result.digest,
        "schema": SCHEMA,
        "meta": meta(result, &stats),
        "summary": summary(&stats),
        "per_index": groups(&stats.per_index),
        "exit_reasons": groups(&stats.exit_reasons),
        "days": stats.days.iter().map(day).collect::<Vec<_>>(),
        "breakdowns": breakdowns(&stats),
        "trades": result.trades.iter().map(trade).collect::<Vec<_>>(),
        "unresolved": result.unresolved.iter().map(unresolved).collect::<Vec<_>>(),
        "fill_models": fill_models(result, &stats),
        "funnel": result.funnel.iter().map(|f| json!({"stage": f.stage, "code": f.code, "count": f.count})).collect::<Vec<_>>(),
        "rules": result.rules.iter().map(rule).collect::<Vec<_>>(),
        "charges": charges(result, &stats),
        "assumptions": result.assumptions.iter().map(|(name, text)| json!({"name": name, "text": text})).collect::<Vec<_>>(),
        "data": data(result, &stats),
    })
}

/// Rupees as a JSON number. The nearest f64 to a paise amount prints as that amount with at most two decimals.
fn rs(amount: Money) -> Value {
    json!(amount.as_rupees_f64())
}

fn price(price: Premium) -> Value {
    json!(price.as_rupees_f64())
}

fn maybe_rs(amount: Option<Money>) -> Value {
    amount.map_or(Value::Null, rs)
}

/// A number, `null` when it is undefined. (`json!` writes `null` for what is not finite.)
fn num(value: Option<f64>) -> Value {
    json!(value.filter(|v| v.is_finite()))
}

fn time(at: Instant) -> Value {
    json!(at.ist_text())
}

fn meta(result: &BacktestResult, stats: &Stats) -> Value {
    let m = &result.meta;
    json!({
        "mode": "backtest",
        "title": m.title,
        "first_day": m.first_day,
        "last_day": m.last_day,
        "days": m.days,
        "preset": m.preset,
        "fill_model": m.fill_model,
        "headline": {
            "fill_model": stats.headline.model,
            "trades": stats.headline.trades,
            "net": maybe_rs(stats.headline.net),
            "covers_tables": stats.headline.covers_tables,
        },
        "opening_balance": rs(m.opening_balance),
        "config_hash": m.config_hash,
        "tape_hash": m.tape_hash,
        "code_version": m.code_version,
        "currency": "INR",
        "time_zone": "Asia/Kolkata",
    })
}

fn summary(stats: &Stats) -> Value {
    let mut all = Map::new();
    for part in [period_figures(&stats.summary), trade_figures(stats, &stats.trades)] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn period_figures(s: &Summary) -> Value {
    let on_day = |d: Option<(chrono::NaiveDate, Money)>| d.map(|(on, net)| json!({"day": on, "net": rs(net)}));
    json!({
        "trades_per_day": num(s.trades_per_day),
        "opening_balance": rs(s.opening),
        "final_balance": rs(s.final_balance),
        "balance_gap": rs(s.balance_gap),
        "net": rs(s.net),
        "gross": rs(s.gross),
        "return_pct": num(s.return_pct),
        "cagr_pct": num(s.cagr_pct),
        "sharpe": num(s.sharpe),
        "sortino": num(s.sortino),
        "calmar": num(s.calmar),
        "drawdown": s.drawdown.as_ref().map(|d| json!({
            "amount": rs(d.amount),
            "pct": num(d.percent),
            "start": d.start.map(time),
            "end": time(d.end),
            "recovered": d.recovered.map(time),
        })),
        "peak_capital": rs(s.peak_capital),
        "return_on_peak_capital_pct": num(s.return_on_peak_capital_pct),
        "max_open": s.max_open,
        "best_day": on_day(s.best_day),
        "worst_day": on_day(s.worst_day),
        "winning_days": s.winning_days,
        "draw_days": s.draw_days,
        "losing_days": s.losing_days,
        "charges": rs(s.charges),
        "charges_pct_of_gross": num(s.charges_pct_of_gross),
        "charges_pct_of_turnover": num(s.charges_pct_of_turnover),
        "turnover": rs(s.turnover),
        "no_signal": s.no_signal,
        "rejected_signals": s.rejected_signals,
        "unfilled_entries": s.unfilled_entries,
        "unresolved": s.unresolved,
        "unresolved_worst_case": rs(s.unresolved_worst),
        "unresolved_at_last_price": maybe_rs(s.unresolved_at_last),
        "synthesised_ticks_pct": num(s.synthesised_pct),
        "trades_on_synthesised": s.trades_on_synthesised,
        "index_changes": s.index_changes.iter().map(|c| json!({
            "index": c.underlying,
            "first": num(Some(c.first)),
            "last": num(Some(c.last)),
            "pct": num(c.percent),
        })).collect::<Vec<_>>(),
    })
}

fn trade_figures(stats: &Stats, t: &TradeFigures) -> Value {
    json!({
        "trades": stats.total.trades,
        "wins": stats.total.wins,
        "draws": stats.total.draws,
        "losses": stats.total.losses,
        "win_pct": num(t.win_pct),
        "profit_factor": num(t.profit_factor),
        "expectancy": maybe_rs(t.expectancy),
        "expectancy_ratio": num(t.expectancy_ratio),
        "average_win": maybe_rs(t.average_win),
        "average_loss": maybe_rs(t.average_loss),
        "payoff": num(t.payoff),
        "best_trade": t.best,
        "worst_trade": t.worst,
        "average_held_secs": t.average_secs,
        "winners_held_secs": t.winner_secs,
        "losers_held_secs": t.loser_secs,
        "longest_win_streak": t.longest_wins,
        "longest_loss_streak": t.longest_losses,
        "average_mae": maybe_rs(t.average_mae),
        "average_mfe": maybe_rs(t.average_mfe),
        "exit_efficiency_pct": num(t.exit_efficiency_pct),
        "entry_slippage": rs(t.entry_slippage),
        "entry_slippage_per_unit": t.entry_slippage_per_unit.map(price),
        "break_even_points": t.break_even_points.map(price),
        "break_even_slippage_ticks": num(t.break_even_slippage_ticks),
        "fill_model_spread": maybe_rs(stats.fill_effect.as_ref().map(|e| e.spread)),
        "fill_model_spread_pct_of_headline": num(stats.fill_effect.as_ref().and_then(|e| e.percent_of_headline)),
    })
}

fn group(row: &GroupRow) -> Value {
    json!({
        "label": row.label,
        "trades": row.trades,
        "wins": row.wins,
        "draws": row.draws,
        "losses": row.losses,
        "gross": rs(row.gross),
        "charges": rs(row.charges),
        "net": rs(row.net),
        "average_pct": num(row.average_pct),
        "average_held_secs": row.average_secs,
        "win_pct": num(row.win_pct),
        "profit_factor": num(row.profit_factor),
    })
}

fn groups(rows: &[GroupRow]) -> Value {
    rows.iter().map(group).collect()
}

fn breakdowns(stats: &Stats) -> Value {
    let months: Vec<Value> = stats
        .months
        .iter()
        .map(|m| {
            json!({
                "month": m.month,
                "days": m.days,
                "trades": m.trades,
                "gross": rs(m.gross),
                "charges": rs(m.charges),
                "net": rs(m.net),
                "closing_balance": rs(m.closing_balance),
            })
        })
        .collect();
    json!({
        "by_side": groups(&stats.sides),
        "by_entry_hour": groups(&stats.hours),
        "by_weekday": groups(&stats.weekdays),
        "by_expiry_distance": groups(&stats.expiry_distance),
        "by_strike_distance": groups(&stats.strike_distance),
        "by_month": if stats.days.len() > MONTH_TABLE_FROM_DAYS { json!(months) } else { Value::Null },
    })
}

fn day(d: &DayRow) -> Value {
    json!({
        "day": d.day,
        "trades": d.trades,
        "wins": d.wins,
        "draws": d.draws,
        "losses": d.losses,
        "gross": rs(d.gross),
        "charges": rs(d.charges),
        "net": rs(d.net),
        "closing_balance": rs(d.closing_balance),
        "halted": d.halted,
    })
}

fn heads(charges: &ChargeHeads) -> Map<String, Value> {
    let mut map: Map<String, Value> =
        charges.named().into_iter().map(|(name, amount)| (name.to_owned(), rs(amount))).collect();
    map.insert("total".to_owned(), rs(charges.total()));
    map
}

fn trade(t: &TradeRecord) -> Value {
    json!({
        "position": t.position,
        "day": t.day,
        "index": t.underlying,
        "symbol": t.symbol,
        "expiry": t.expiry,
        "strike": num(Some(t.strike.as_points_f64())),
        "right": t.right,
        "direction": t.direction,
        "strikes_otm": strike_steps(t),
        "qty": t.qty,
        "lots": t.lots,
        "decided_at": time(t.decided_at),
        "entry_at": time(t.entry_at),
        "exit_at": time(t.exit_at),
        "entry_price": price(t.entry_price),
        "exit_price": price(t.exit_price),
        "decision_ask": price(t.decision_ask),
        "initial_stop": price(t.initial_stop),
        "reason": t.reason.code(),
        "gross": rs(t.gross),
        "charges": heads(&t.charges),
        "net": rs(t.net),
        "mae": rs(t.mae),
        "mfe": rs(t.mfe),
        "index_at_entry": Some(t.index_at_entry).filter(|i| is_level(*i)),
        "index_at_exit": Some(t.index_at_exit).filter(|i| is_level(*i)),
        "iv_pct": num(Some(t.iv_pct)),
        "delta": num(Some(t.delta)),
        "on_synthesised": t.on_synthesised,
    })
}

fn unresolved(u: &UnresolvedRecord) -> Value {
    json!({
        "position": u.position,
        "day": u.day,
        "index": u.underlying,
        "symbol": u.symbol,
        "qty": u.qty,
        "entry_at": time(u.entry_at),
        "entry_price": price(u.entry_price),
        "last_quote_at": u.last_quote_at.map(time),
        "last_price": u.last_price.map(price),
        "wanted": u.wanted.map(|r| r.code()),
        "worst_case": rs(u.worst_case),
        "at_last_price": maybe_rs(u.at_last_price),
    })
}

fn fill_models(result: &BacktestResult, stats: &Stats) -> Value {
    result
        .fill_models
        .iter()
        .map(|row| {
            json!({
                "model": row.model,
                "headline": row.model == stats.headline.model,
                "trades": row.trades,
                "gross": rs(row.gross),
                "charges": rs(row.charges),
                "net": rs(row.net),
                "unfilled_entries": row.unfilled_entries,
                "unresolved": row.unresolved,
                "digest": row.digest,
            })
        })
        .collect()
}

fn rule(row: &RuleRow) -> Value {
    json!({
        "rule": row.rule.code(),
        "standing": row.standing.code(),
        "evaluations": row.evaluations,
        "exits": row.exits,
    })
}

fn charges(result: &BacktestResult, stats: &Stats) -> Value {
    json!({
        "closed_round_trips": heads(&stats.summary.charge_heads),
        "all_orders": heads(&result.charges),
        "pct_of_gross": num(stats.summary.charges_pct_of_gross),
        "pct_of_turnover": num(stats.summary.charges_pct_of_turnover),
    })
}

fn data(result: &BacktestResult, stats: &Stats) -> Value {
    let d = &result.data;
    json!({
        "ticks": d.ticks,
        "synthesised": d.synthesised,
        "synthesised_pct": num(stats.summary.synthesised_pct),
        "generated": d.generated,
        "with_book": d.with_book,
        "out_of_session": d.out_of_session,
        "stale": d.stale,
        "out_of_order": d.out_of_order,
        "rejected": d.rejected,
        "derived_index": d.derived_index,
        "missing_bars": d.missing_bars,
        "notes": d.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_no_undefined_number, realistic, trade, wild, with_trades};
    use super::*;

    #[test]
    fn the_object_opens_with_the_digest_and_has_every_documented_part_in_order() {
        let r = realistic(1);
        let value = object(&r);
        let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "digest",
                "schema",
                "meta",
                "summary",
                "per_index",
                "exit_reasons",
                "days",
                "breakdowns",
                "trades",
                "unresolved",
                "fill_models",
                "funnel",
                "rules",
                "charges",
                "assumptions",
                "data"
            ]
        );
        assert_eq!(value["digest"], json!(r.digest));
        assert_eq!(value["trades"].as_array().unwrap().len(), r.trades.len());
        assert!(value.to_string().starts_with(r#"{"digest":"d1"#));
        assert_eq!(value.to_string(), object(&r).to_string());
    }

    #[test]
    fn every_key_of_the_object_is_documented() {
        let docs = include_str!("../../docs/BACKTEST_JSON.md");
        fn walk(value: &Value, docs: &str) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, inner)| {
                    assert!(docs.contains(&format!("`{key}`")), "{key} is not in docs/BACKTEST_JSON.md");
                    walk(inner, docs);
                }),
                Value::Array(list) => list.iter().for_each(|inner| walk(inner, docs)),
                _ => {}
            }
        }
        let mut r = realistic(1);
        let first = r.days[0].clone();
        r.days.extend(
            (0..40).map(|i| super::super::result::DayRecord {
                day: first.day + chrono::Days::new(30 + i),
                ..first.clone()
            }),
        );
        walk(&object(&r), docs);
    }

    #[test]
    fn rupees_are_exact_to_the_paisa_with_at_most_two_decimals() {
        for paise in [0, 1, 5, 10, 99, 100, 123_456, -1, -12_345_678_901, 999_999_999_999_999] {
            let text = rs(Money::from_paise(paise)).to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            assert!(fraction.len() <= 2, "{text}");
            let digits = format!("{whole}{fraction:0<2}");
            assert_eq!(digits.parse::<i64>().unwrap(), paise, "{text}");
        }
    }

    #[test]
    fn undefined_figures_are_null() {
        let value = object(&with_trades(vec![trade(1, 110, 100)]));
        for key in ["sharpe", "sortino", "calmar", "cagr_pct", "profit_factor", "payoff", "drawdown"] {
            assert!(value["summary"][key].is_null(), "{key}");
        }
        assert_eq!(value["summary"]["net"], json!(900.0));
        assert_eq!(value["trades"][0]["strikes_otm"], json!(0));
        let mut blind = trade(1, 110, 100);
        blind.index_at_entry = 0.0;
        let value = object(&with_trades(vec![blind]));
        assert!(value["trades"][0]["index_at_entry"].is_null() && value["trades"][0]["strikes_otm"].is_null());
        for seed in 0..300 {
            let text = object(&wild(seed)).to_string();
            assert!(serde_json::from_str::<Value>(&text).is_ok());
            assert_no_undefined_number(&text);
        }
    }

    #[test]
    fn the_headline_of_an_optimistic_run_is_another_model() {
        // N9: the optimistic model can never be the headline.
        let mut r = realistic(1);
        r.meta.fill_model = "optimistic".to_owned();
        let value = object(&r);
        assert_eq!(value["meta"]["headline"]["fill_model"], "base");
        assert_eq!(value["meta"]["headline"]["covers_tables"], false);
        let marked: Vec<_> =
            value["fill_models"].as_array().unwrap().iter().filter(|m| m["headline"] == true).collect();
        assert_eq!(marked.len(), 1);
        assert_eq!(marked[0]["model"], "base");
    }
}

use super::super::fixture::{empty, realistic, trade, wild, with_trades};
use super::*;

fn printed(result: &BacktestResult) -> String {
    let mut out = Vec::new();
    print(result, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_tables_show_every_section_with_its_title() {
    let text = printed(&realistic(1));
    for title in [
        "BACKTEST",
        "PER INDEX",
        "EXIT REASONS",
        "CALLS AND PUTS",
        "HOUR OF ENTRY (IST)",
        "WEEKDAY",
        "DISTANCE TO EXPIRY",
        "STRIKE DISTANCE",
        "LEFT OPEN",
        "DAYS",
        "SUMMARY",
        "CHARGES BY HEAD",
        "FILL MODELS",
        "WHY NO TRADE",
        "EXIT RULES",
        "ASSUMPTIONS",
        "DATA COMPLETENESS",
        "IDENTITY",
    ] {
        assert!(text.contains(&format!("\n{title}")) || text.starts_with(title), "{title} is missing");
    }
    assert!(text.contains("5,00,000.00"), "start balance in Indian grouping");
    assert!(text.contains("-> base"), "the headline is marked");
    assert!(text.contains("daily-loss breaker at 13:42:10"));
    assert!(text.contains("NIFTY 2026-01-20 25900 CE"));
}

#[test]
fn no_trade_says_so_and_points_at_the_funnel() {
    // P40: every non-trade has a recorded reason.
    let mut r = empty();
    r.funnel.push(super::super::result::FunnelRow { stage: "signal_engine", code: "ADX_WEAK", count: 1_234 });
    let text = printed(&r);
    assert!(text.contains("No trades. The \"why no trade\" table below"));
    assert!(text.contains("ADX_WEAK") && text.contains("1,234") && text.contains("100.00 %"));
    assert!(!text.contains("PER INDEX"));
    assert!(printed(&empty()).contains("WHY NO TRADE: no gate refused anything"));
}

#[test]
fn one_trade_prints_with_n_a_where_a_figure_has_no_meaning() {
    let text = printed(&with_trades(vec![trade(1, 110, 100)]));
    assert!(text.contains("+900.00"));
    let line = |name: &str| text.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name}")).to_owned();
    assert!(line(" Profit factor  ").contains("n/a"));
    assert!(line(" Sharpe ").contains("n/a"));
}

#[test]
fn an_optimistic_run_is_announced_and_not_quoted() {
    // N9, P24.
    let mut r = realistic(1);
    r.meta.fill_model = "optimistic".to_owned();
    let text = printed(&r);
    assert!(text.contains("The tables below are the OPTIMISTIC replay, kinder than real fills. Headline (base)"));
    assert!(!text.contains("-> optimistic"));
}

#[test]
fn no_table_ever_prints_nan_or_inf() {
    for seed in 0..300 {
        let text = printed(&wild(seed));
        super::super::fixture::assert_no_undefined_number(&text);
    }
}

#[test]
fn a_rule_in_force_that_nothing_asked_is_called_out() {
    // F-2
    let text = printed(&realistic(1));
    let rules = text.split("EXIT RULES").nth(1).unwrap();
    let line = |name: &str| rules.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name}"));
    assert!(line("expiry_force_exit").contains("in force, never judged"));
    assert!(line("stop_loss").contains("48,211") && !line("stop_loss").contains("never judged"));
    assert!(line("day_profit_lock").contains("switched off"));
    assert!(line("expiry_settlement").contains("the exchange's"));
}

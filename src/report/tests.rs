//! The page is whole, closed to the outside, and says everything.

use proptest::prelude::*;

use super::*;
use crate::backtest::fixture::{assert_no_undefined_number, empty, realistic, trade, wild, with_trades};
use crate::backtest::result::{BacktestResult, FunnelRow};

/// Walks every tag; fails on one that is not closed, closed out of order, or on a stray `<` or `&`.
fn assert_balanced(page: &str) {
    let body = page.strip_prefix("<!doctype html>").expect("a doctype");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        assert_entities(&rest[..at], open.last() == Some(&"style"));
        let tag_end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..tag_end];
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes what is open");
        } else if !tag.ends_with('/') {
            let name = tag.split_ascii_whitespace().next().expect("a tag has a name");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "stray < before {name}");
            open.push(name);
        }
        rest = &rest[tag_end + 1..];
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

fn assert_entities(text: &str, style: bool) {
    if style {
        return;
    }
    for (i, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(known.iter().any(|k| text[i..].starts_with(k)), "raw & in {text:?}");
    }
    assert!(!text.contains('>'), "raw > in {text:?}");
}

/// Nothing is fetched: no script, no link to another file, every `href` stays on the page.
fn assert_offline(page: &str) {
    for banned in ["<script", "<link", "<img", "<iframe", "<object", "<embed", "<base", "<form"] {
        assert!(!page.contains(banned), "{banned}");
    }
    for banned in ["url(", "@import", "<"] {
        assert!(!STYLE.contains(banned), "{banned}");
    }
    for (i, _) in page.match_indices("href=") {
        assert!(page[i..].starts_with("href=\"#"), "{}", &page[i..i + 40]);
        let id = page[i + 7..].split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "nothing is called {id}");
    }
    for tag in page.split('<').skip(1) {
        // Every second part lies outside the quotes: names of attributes. `on...` would run code, `src` would fetch.
        let outside: String = tag.split('>').next().unwrap().split('"').step_by(2).collect();
        assert!(!outside.contains(" on") && !outside.contains(" src") && !outside.contains("style="), "<{outside}>");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\""));
}

#[test]
fn the_page_is_one_closed_well_formed_file_under_three_megabytes() {
    let page = render(&realistic(1));
    assert_balanced(&page);
    assert_offline(&page);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    for text in ["BACKTEST", "IST (UTC+05:30)", "five January days", "prefers-color-scheme: dark", "@media print", "₹"]
    {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn every_trade_order_of_magnitude_and_reason_is_on_the_page() {
    let r = realistic(1);
    let page = render(&r);
    for (n, t) in (1..).zip(&r.trades) {
        let row = page.split(&format!("<tr id=\"t{n}\">")).nth(1).and_then(|s| s.split("</tr>").next()).expect("a row");
        for text in [
            html::esc(&t.symbol),
            format::ist_clock(t.entry_at),
            format::ist_clock(t.exit_at),
            html::gain(t.net),
            words::spelled(t.reason.code()),
            html::plain(t.charges.total()),
        ] {
            assert!(row.contains(&text), "trade {n} lacks {text}");
        }
    }
    assert!(page.contains("NIFTY 2026-01-20 25900 CE"), "the position left open");
    for row in &r.funnel {
        assert!(page.contains(row.code));
    }
    for model in &r.fill_models {
        assert!(page.contains(model.model));
    }
}

#[test]
fn beyond_two_hundred_trades_the_rest_is_folded_but_there() {
    let page = render(&with_trades((0..260).map(|i| trade(i, 90 + (i as i64 % 20), 50)).collect()));
    assert_balanced(&page);
    assert!(page.contains("<summary>60 more trades</summary>"));
    let rows = (1..=260).filter(|n| page.contains(&format!("<tr id=\"t{n}\">"))).count();
    assert_eq!(rows, 260);
    assert!(!page.contains("<tr id=\"t261\">"));
}

#[test]
fn charts_beyond_the_twelfth_are_counted_not_drawn() {
    let mut trades = Vec::new();
    for i in 0..15_u64 {
        let mut t = trade(i, 110, 50);
        t.day = t.day + chrono::Days::new(i);
        trades.push(t);
    }
    let page = render(&with_trades(trades));
    assert!(page.contains("3 more charts were left out"));
    assert_eq!(page.matches("<figure class=\"day\">").count(), 12);
}

#[test]
fn twenty_busy_days_stay_under_three_megabytes() {
    let mut r = realistic(1);
    let (bars, trades, days) = (r.bars.clone(), r.trades.clone(), r.days.clone());
    for week in 1..4 {
        let shift = |day: chrono::NaiveDate| day + chrono::Days::new(week * 7);
        let later =
            |at: scalper_decide::domain::Instant| at + scalper_decide::domain::Age::from_mins(week as i64 * 10_080);
        r.bars.extend(bars.iter().map(|b| BarRecord { start: later(b.start), ..b.clone() }));
        r.days.extend(days.iter().cloned().map(|d| DayRecord { day: shift(d.day), ..d }));
        r.trades.extend(trades.iter().cloned().map(|t| TradeRecord {
            day: shift(t.day),
            exit_at: later(t.exit_at),
            ..t
        }));
    }
    let many: Vec<_> = r.trades.iter().cycle().take(1_000).cloned().collect();
    r.trades = many;
    let page = render(&r);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert_balanced(&page);
}

#[test]
fn markup_in_a_symbol_a_title_or_a_note_is_shown_not_obeyed() {
    let mut t = trade(1, 110, 50);
    t.symbol = "<script>alert(1)</script>\" onload=\"x".to_owned();
    let mut r = with_trades(vec![t]);
    r.bars = realistic(1).bars;
    r.meta.title = "</title><script>1</script>".to_owned();
    r.data.notes.push("<img src=x onerror=alert(1)>".to_owned());
    r.days[0].halted = Some("<b>".to_owned());
    let page = render(&r);
    assert_balanced(&page);
    assert_offline(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x"));
}

#[test]
fn no_trade_says_so_and_points_at_the_funnel() {
    let mut r = empty();
    r.funnel.push(FunnelRow { stage: "signal_engine", code: "ADX_WEAK", count: 1_234 });
    let page = render(&r);
    assert_balanced(&page);
    assert_offline(&page);
    assert!(page.contains("<b>No trades.</b> <a href=\"#funnel\">"));
    assert!(page.contains("the trend is too weak by ADX") && page.contains("1,234"));
    assert!(!page.contains("id=\"charts\"") && !page.contains("id=\"equity\""));
}

#[test]
fn a_result_on_generated_ticks_says_on_top_that_it_is_no_evidence() {
    let mut r = realistic(1);
    assert!(!render(&r).contains(words::GENERATED));
    r.data.generated = 1;
    let page = render(&r);
    assert!(page.find(words::GENERATED).unwrap() < page.find("class=\"cards\"").unwrap());
}

#[test]
fn an_optimistic_run_never_shows_its_own_net_as_the_headline() {
    // N9, P24.
    let mut r = realistic(1);
    r.meta.fill_model = "optimistic".to_owned();
    let page = render(&r);
    assert!(page.contains("optimistic replay, kinder than real fills"));
    assert!(page.contains("base <span class=\"badge\">headline</span>"));
    assert!(!page.contains("optimistic <span class=\"badge\">"));
    r.fill_models.clear();
    assert!(render(&r).contains("so there is no headline"));
}

#[test]
fn a_chart_marks_each_entry_and_exit_and_splits_supertrend_by_direction() {
    let r = realistic(1);
    let page = render(&r);
    let charts = page.split("id=\"charts\"").nth(1).unwrap().split("</section>").next().unwrap();
    let legend_marks = 2;
    assert_eq!(charts.matches("class=\"mark\"").count() - legend_marks, r.trades.len());
    let gains = r.trades.iter().filter(|t| !t.net.is_negative()).count();
    assert_eq!(charts.matches("class=\"upf\"").count() - 1, gains);
    assert_eq!(charts.matches("class=\"crossmark\"").count() - 1, r.trades.len() - gains);
    let pairs: std::collections::BTreeSet<_> = r.trades.iter().map(|t| (t.day, t.underlying)).collect();
    assert_eq!(charts.matches("<figure class=\"day\">").count(), pairs.len());
    assert_eq!(charts.matches("class=\"stu\"").count() - 1, pairs.len());
    for (day, underlying) in &pairs {
        let which = format!("{underlying} {}</text>", super::format::day(*day));
        assert_eq!(charts.matches(&which).count(), 1, "the picture itself names its index and day");
    }
    assert!(charts.contains(">10:00</text>") && charts.contains(">15:00</text>"), "time axis in IST");
}

#[test]
fn any_seed_of_the_realistic_result_is_a_whole_page() {
    (0..20).for_each(|seed| check_page(&realistic(seed)));
}

#[test]
fn the_same_result_gives_the_same_page() {
    assert_eq!(render(&realistic(7)), render(&realistic(7)));
}

use crate::backtest::result::{BarRecord, DayRecord, TradeRecord};

fn check_page(r: &BacktestResult) {
    let page = render(r);
    assert_balanced(&page);
    assert_offline(&page);
    assert_no_undefined_number(&page);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_result_breaks_the_page_or_prints_nan_or_inf(seed in any::<u64>()) {
        check_page(&wild(seed));
    }
}

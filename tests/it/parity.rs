//! The same market through plain calls and through the actors' mailboxes: the same journal, line by line (F-91, parity
//! (a) and (b)).

use scalper::actors::wiring::ByMailbox;
use scalper::backtest::feed::TickFeed;
use scalper::backtest::result::BacktestResult;
use scalper::backtest::run::BacktestRequest;
use scalper::backtest::tape_feed::TapeFeed;

use crate::real_days::nifty_january;
use crate::support::{demo_market, demo_request, replay, replay_wired, request, shared_data};

fn by_mailbox(feed: &dyn TickFeed, request: &BacktestRequest) -> BacktestResult {
    replay_wired(&ByMailbox, feed, request)
}

/// Everything a record holds, floats to their last digit.
fn written(record: &impl std::fmt::Debug) -> String {
    format!("{record:?}")
}

/// Both wirings decided, traded and accounted alike; the result of either.
fn assert_same(feed: &dyn TickFeed, request: &BacktestRequest) -> BacktestResult {
    let direct = replay(feed, request);
    let mailbox = by_mailbox(feed, request);
    assert_eq!(direct.digest, mailbox.digest, "one line of the journal differs");
    assert_eq!(written(&direct.trades), written(&mailbox.trades));
    assert!(written(&direct) == written(&mailbox), "orders, fills, decisions, bars, days or counts differ");
    direct
}

#[test]
fn the_sample_day_is_decided_by_mailbox_exactly_as_by_plain_calls() {
    let feed = demo_market(1, 300_000);
    let result = assert_same(&feed, &demo_request(&feed));
    assert!(!result.decisions.is_empty() && !result.trades.is_empty(), "something was decided and traded");
}

#[test]
fn all_fill_models_agree_by_mailbox_each_on_a_runtime_of_its_own() {
    let feed = demo_market(3, 60_000);
    let request = BacktestRequest { all_fill_models: true, ..demo_request(&feed) };
    let (direct, mailbox) = (replay(&feed, &request), by_mailbox(&feed, &request));
    assert_eq!(direct.fill_models.len(), 4);
    assert_eq!(written(&direct.fill_models), written(&mailbox.fill_models));
}

#[test]
fn january_on_nifty_is_decided_by_mailbox_exactly_as_by_plain_calls() {
    let Some(data) = shared_data("january_on_nifty_is_decided_by_mailbox") else { return };
    let dir = tempfile::tempdir().unwrap();
    let tape = nifty_january(&data, dir.path());
    let result = assert_same(&TapeFeed::open(&tape).unwrap(), &request(&["atm-only"]));
    eprintln!("NIFTY by mailbox: {} round trips, digest {}", result.trades.len(), result.digest);
    assert!(result.trades.len() >= 20, "{} round trips", result.trades.len());
}

//! What a replay takes for granted, in words a reader can argue with (P24).

use scalper_decide::venue_sim::FillModel;

use super::run::BacktestRequest;

/// Name and text of every assumption.
pub fn list(request: &BacktestRequest, warm_up: &[bool]) -> Vec<(String, String)> {
    let orders = &request.params.orders;
    let warm_up_days = warm_up.iter().filter(|w| **w).count();
    let fixed = [
        (
            "orders",
            format!(
                "only tick-rounded LIMIT and STOP_LOSS; entry limit up to {} over the ask, unfilled entries taken back \
                 after {}; exits {} under the bid, priced again every {}",
                orders.entry_offset, orders.entry_timeout, orders.exit_offset, orders.exit_chase
            ),
        ),
        (
            "charges",
            "dated rates of charges.yml, each head of each order rounded to the paisa; statutory rounding per contract \
             note is not applied"
                .to_owned(),
        ),
        (
            "market impact",
            "none beyond the displayed quantities; our orders do not move later quotes".to_owned(),
        ),
        (
            "unpriced positions",
            "a held contract without quotes leaves at its next quote of the session, is settled if it expires, and is \
             otherwise unresolved and outside every headline figure"
                .to_owned(),
        ),
        (
            "warm-up",
            format!(
                "{warm_up_days} earlier days only feed indicators; no signal before {} closed bars of each timeframe",
                request.params.signal.warmup_bars
            ),
        ),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into_iter();
    FillModel::named(request.headline).assumptions().into_iter().chain(fixed).collect()
}

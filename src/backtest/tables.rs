//! Terminal tables of a replay, in the shape users of freqtrade know, plus what this market needs.

mod detail;
mod sheet;
mod summary;

use std::io::{self, Write};

use super::result::BacktestResult;
use super::stats::{Headline, Stats};
use crate::report::format::{day, plural, signed};
use crate::report::words;

/// Prints everything the replay says.
///
/// # Errors
/// What `out` answers.
pub fn print(result: &BacktestResult, out: &mut impl Write) -> io::Result<()> {
    let stats = Stats::of(result);
    head(result, &stats.headline, out)?;
    if result.trades.is_empty() {
        writeln!(out, "\nNo trades. The \"why no trade\" table below counts what every gate refused.")?;
    } else {
        detail::groups(&stats, out)?;
    }
    detail::unresolved(result, out)?;
    detail::days(&stats, out)?;
    summary::metrics(result, &stats, out)?;
    summary::charges(result, &stats, out)?;
    summary::fill_models(result, &stats, out)?;
    detail::funnel(result, out)?;
    detail::rules(result, out)?;
    summary::assumptions(result, out)?;
    summary::data(result, &stats, out)?;
    summary::identity(result, out)
}

fn head(result: &BacktestResult, headline: &Headline, out: &mut impl Write) -> io::Result<()> {
    let meta = &result.meta;
    writeln!(
        out,
        "BACKTEST  {}  {} .. {} ({})  preset {}  fill model {}",
        meta.title,
        day(meta.first_day),
        day(meta.last_day),
        plural(meta.days, "trading day"),
        meta.preset,
        meta.fill_model
    )?;
    if result.data.generated > 0 {
        writeln!(out, "{}", words::GENERATED)?;
    }
    match (headline.covers_tables, headline.net) {
        (true, Some(net)) => {
            writeln!(out, "Net after charges: {} rupees over {}", signed(net), plural(headline.trades, "trade"))
        }
        (_, Some(net)) => writeln!(
            out,
            "The tables below are the OPTIMISTIC replay, kinder than real fills. Headline ({}): {} rupees over {}",
            headline.model,
            signed(net),
            plural(headline.trades, "trade")
        ),
        (_, None) => writeln!(
            out,
            "The tables below are the OPTIMISTIC replay, kinder than real fills. No other fill model was replayed, so there is \
             no headline."
        ),
    }
}

#[cfg(test)]
mod tests;

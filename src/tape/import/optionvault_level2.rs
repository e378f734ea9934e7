//! `optionvault-level2`: five-level books of one contract. The symbol is the vendor's placeholder, so the contract must
//! be told with --contract.

use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{InstrumentId, Tick, TickSource};

use super::clock::Clock;
use super::error::ImportError;
use super::generic_instruments;
use super::harvest::Harvest;
use super::input::Input;
use super::nse_chain::level;
use super::options::ImportOptions;
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let known = generic_instruments::load(options)?;
    let mut table = input.table()?;
    let (at, symbol) = (table.need(&["timestamp"])?, table.need(&["symbol"])?);
    let (ltp, volume) = (table.need(&["ltp"])?, table.find(&["volume"]));
    let mut book = [[0; 4]; DEPTH];
    for (n, columns) in book.iter_mut().enumerate() {
        for (place, side) in columns.iter_mut().zip(["bid_price", "bid_qty", "ask_price", "ask_qty"]) {
            *place = table.need(&[&format!("{side}{}", n + 1)])?;
        }
    }
    let mut clock = Clock::default();
    let mut rows = 0u64;
    while table.advance()? {
        rows += 1;
        let place = table.place();
        let entry = match known.by_symbol(table.text(symbol)) {
            Some(entry) => entry,
            None => known.only(input)?,
        };
        let time = table.get(at, text::iso_time)?;
        let listing = out.list(time.ist_date(), entry.key, entry.terms, &place)?;
        let received = clock.receive(listing, time);
        let mut tick = Tick::last_price(InstrumentId(0), time, received, table.price_or_zero(ltp)?, TickSource::Feed);
        if let Some(column) = volume
            && let Some(units) = table.get(column, text::optional_count)?
        {
            tick.volume = units;
        }
        for (n, [bid, bid_qty, ask, ask_qty]) in book.into_iter().enumerate() {
            tick.bids[n] = level(&table, bid, bid_qty)?;
            tick.asks[n] = level(&table, ask, ask_qty)?;
        }
        out.push(listing, tick, &place)?;
    }
    if rows == 0 { Err(ImportError::Empty { file: input.shown() }) } else { Ok(()) }
}

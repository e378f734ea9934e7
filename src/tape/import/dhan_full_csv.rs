//! `dhan-full-csv`: decoded FULL packets of one contract, `recv_ts,type,ltp,volume,oi,ltq,..`. There is no trade time;
//! the recorder's clock stands for both. A separate open-interest packet repeats what the FULL packet beside it says.

use scalper_decide::domain::tick::DEPTH;
use scalper_decide::domain::{InstrumentId, Tick, TickSource};

use super::error::ImportError;
use super::generic_instruments;
use super::harvest::Harvest;
use super::input::Input;
use super::nse_chain::level;
use super::options::ImportOptions;
use super::text;

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let entry = generic_instruments::load(options)?.only(input)?;
    let mut table = input.table()?;
    let (at, kind) = (table.need(&["recv_ts"])?, table.need(&["type"])?);
    let (ltp, ltq) = (table.need(&["ltp"])?, table.need(&["ltq"])?);
    let (volume, oi) = (table.need(&["volume"])?, table.need(&["oi"])?);
    let mut book = [[0; 4]; DEPTH];
    for (n, columns) in book.iter_mut().enumerate() {
        for (place, side) in columns.iter_mut().zip(["bid_price", "bid_qty", "ask_price", "ask_qty"]) {
            *place = table.need(&[&format!("{side}_{}", n + 1)])?;
        }
    }
    let mut rows = 0u64;
    while table.advance()? {
        rows += 1;
        let place = table.place();
        let received = table.get(at, text::iso_time)?;
        let day = received.ist_date();
        match table.text(kind) {
            "full" => {}
            "oi" => {
                table.count(oi)?;
                out.tally(day, "open-interest packets repeated by the full packet beside them");
                continue;
            }
            other => {
                let what = format!("packets of type {other:?} left out");
                out.tally(day, &what);
                continue;
            }
        }
        let listing = out.list(day, entry.key, entry.terms, &place)?;
        let mut tick = Tick::last_price(InstrumentId(0), received, received, table.price(ltp)?, TickSource::Feed);
        tick.ltq = table.count(ltq)?;
        tick.volume = table.count(volume)?;
        tick.oi = table.count(oi)?;
        for (n, [bid, bid_qty, ask, ask_qty]) in book.into_iter().enumerate() {
            tick.bids[n] = level(&table, bid, bid_qty)?;
            tick.asks[n] = level(&table, ask, ask_qty)?;
        }
        out.note(day, "decoded Dhan packets without trade time: the recorder's clock stands for it");
        out.push(listing, tick, &place)?;
    }
    if rows == 0 { Err(ImportError::Empty { file: input.shown() }) } else { Ok(()) }
}

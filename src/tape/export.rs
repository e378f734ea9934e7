//! Writes a day for other tools: CSV with rupees and IST times, or one Parquet file with a symbol column.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{BookLevel, InstrumentId, Premium, Segment};

use super::error::TapeError;
use super::meta::ist_text;
use super::reader::TapeDay;
use super::row::TapeRow;
use super::writer::write_ticks;

fn symbols(day: &TapeDay) -> BTreeMap<(Segment, u32), String> {
    day.instruments().into_iter().map(|i| ((i.segment, i.security_id), i.symbol)).collect()
}

/// Writes `day` as CSV: times in IST, prices in rupees, quantities in units, empty where nothing was sent. The columns
/// are those of the tape plus `symbol`, with `ltp` and the book in rupees.
///
/// # Errors
/// A tape that cannot be read, or an output that cannot be written (`out_path` names it).
pub fn to_csv(day: &TapeDay, out: impl Write, out_path: &Path) -> Result<u64, TapeError> {
    let symbols = symbols(day);
    let fail = |e: csv::Error| TapeError::Io { path: out_path.to_owned(), source: std::io::Error::other(e) };
    let mut csv = csv::Writer::from_writer(out);
    let mut header: Vec<String> =
        ["seq", "exchange_ts", "receive_ts", "segment", "security_id", "symbol", "ltp", "ltq", "volume", "oi"]
            .map(str::to_owned)
            .to_vec();
    for level in 1..=DEPTH {
        header
            .extend(["bid", "ask"].into_iter().flat_map(|s| [format!("{s}{level}_price"), format!("{s}{level}_qty")]));
    }
    header.extend(["source".to_owned(), "flags".to_owned()]);
    csv.write_record(&header).map_err(fail)?;
    let known = |v: i64| if v == ABSENT { String::new() } else { v.to_string() };
    let price = |v: i64| if v == 0 { String::new() } else { Premium::from_paise(v).to_string() };
    let mut rows = Vec::new();
    let mut reader = day.ticks(|_, _| Some(InstrumentId(0)))?;
    let mut seq = 0u64;
    while reader.next_rows(&mut rows)? {
        for row in &rows {
            let t = &row.tick;
            seq += 1;
            let mut cells = vec![
                seq.to_string(),
                ist_text(t.exchange_at),
                ist_text(t.received_at),
                row.segment.name().to_owned(),
                row.security_id.to_string(),
                symbols.get(&row.key()).cloned().unwrap_or_default(),
                price(t.ltp_paise),
                known(t.ltq),
                known(t.volume),
                known(t.oi),
            ];
            for level in 0..DEPTH {
                for side in [t.bids[level], t.asks[level]] {
                    let empty = side == BookLevel::default();
                    cells.push(price(i64::from(side.price)));
                    cells.push(if empty { String::new() } else { side.qty.to_string() });
                }
            }
            cells.push(t.source.code().to_string());
            cells.push(t.flags.0.to_string());
            csv.write_record(&cells).map_err(fail)?;
        }
    }
    csv.flush().map_err(TapeError::io(out_path))?;
    Ok(seq)
}

/// Writes `day` as one Parquet file: the tape's own columns (prices in paise, times in UTC) plus `symbol`.
///
/// # Errors
/// A tape that cannot be read, or an output that cannot be written.
pub fn to_parquet(day: &TapeDay, out: &Path) -> Result<u64, TapeError> {
    let symbols = symbols(day);
    let mut all: Vec<TapeRow> = Vec::new();
    let mut rows = Vec::new();
    let mut reader = day.ticks(|_, _| Some(InstrumentId(0)))?;
    while reader.next_rows(&mut rows)? {
        all.extend_from_slice(&rows);
    }
    let names: Vec<&str> = all.iter().map(|r| symbols.get(&r.key()).map_or("", String::as_str)).collect();
    write_ticks(out, &all, Some(&names))?;
    Ok(all.len() as u64)
}

//! CSV files of a replay: `trades.csv`, `orders.csv`, `fills.csv`, `decisions.csv`, `bars.csv`.
//!
//! Money and prices are rupees with two decimals, index levels and indicators the shortest decimal that reads back to
//! the same f64, times IST as `YYYY-MM-DDTHH:MM:SS+05:30` (with milliseconds when there are any), an undefined
//! value is an empty field. The five files are written in full beside their place and only then moved into it.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use csv::Writer;
use scalper_decide::domain::{OrderPurpose, Premium};
use tempfile::NamedTempFile;

use super::result::BacktestResult;
use super::stats::is_level;

/// Header of `bars.csv`; other programs read it by these names.
pub const BARS_HEADER: [&str; 13] = [
    "ts",
    "index",
    "timeframe",
    "open",
    "high",
    "low",
    "close",
    "atr",
    "supertrend",
    "direction",
    "plus_di",
    "minus_di",
    "adx",
];

const TRADES_HEADER: [&str; 37] = [
    "position",
    "day",
    "index",
    "symbol",
    "expiry",
    "strike",
    "right",
    "direction",
    "qty",
    "lots",
    "tick",
    "strike_step",
    "decided_at",
    "entry_at",
    "exit_at",
    "entry_price",
    "exit_price",
    "decision_ask",
    "initial_stop",
    "reason",
    "gross",
    "brokerage",
    "stt",
    "exchange",
    "sebi",
    "ipft",
    "stamp",
    "gst",
    "charges",
    "net",
    "mae",
    "mfe",
    "index_at_entry",
    "index_at_exit",
    "iv_pct",
    "delta",
    "on_synthesised",
];

const ORDERS_HEADER: [&str; 12] = [
    "id",
    "position",
    "symbol",
    "purpose",
    "side",
    "qty",
    "filled",
    "limit",
    "trigger",
    "sent_at",
    "state",
    "modifications",
];

const FILLS_HEADER: [&str; 9] = ["trade", "order", "symbol", "side", "qty", "price", "at", "synthesised", "tick_ltp"];

const DECISIONS_HEADER: [&str; 6] = ["seq", "at", "index", "stage", "code", "text"];

/// Shortest decimal that reads back to the same number; empty when there is none.
fn float(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

/// An index level; empty when none was known.
fn level(value: f64) -> String {
    if is_level(value) { float(value) } else { String::new() }
}

fn maybe<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(String::new, text)
}

fn purpose(purpose: OrderPurpose) -> &'static str {
    match purpose {
        OrderPurpose::Entry => "entry",
        OrderPurpose::Protection => "protection",
        OrderPurpose::Exit => "exit",
    }
}

type Out<'a> = Writer<BufWriter<&'a mut dyn Write>>;

fn trades(r: &BacktestResult, out: &mut Out) -> csv::Result<()> {
    out.write_record(TRADES_HEADER)?;
    for t in &r.trades {
        let c = &t.charges;
        out.write_record([
            t.position.to_string(),
            t.day.to_string(),
            t.underlying.to_string(),
            t.symbol.clone(),
            t.expiry.to_string(),
            t.strike.to_string(),
            t.right.to_string(),
            t.direction.to_string(),
            t.qty.to_string(),
            t.lots.to_string(),
            t.tick.to_string(),
            maybe(t.strike_step, |s| s.to_string()),
            t.decided_at.ist_text(),
            t.entry_at.ist_text(),
            t.exit_at.ist_text(),
            t.entry_price.to_string(),
            t.exit_price.to_string(),
            t.decision_ask.to_string(),
            t.initial_stop.to_string(),
            t.reason.to_string(),
            t.gross.to_string(),
            c.brokerage.to_string(),
            c.stt.to_string(),
            c.exchange.to_string(),
            c.sebi.to_string(),
            c.ipft.to_string(),
            c.stamp.to_string(),
            c.gst.to_string(),
            c.total().to_string(),
            t.net.to_string(),
            t.mae.to_string(),
            t.mfe.to_string(),
            level(t.index_at_entry),
            level(t.index_at_exit),
            float(t.iv_pct),
            float(t.delta),
            t.on_synthesised.to_string(),
        ])?;
    }
    Ok(())
}

fn orders(r: &BacktestResult, out: &mut Out) -> csv::Result<()> {
    out.write_record(ORDERS_HEADER)?;
    for o in &r.orders {
        out.write_record([
            o.id.clone(),
            o.position.to_string(),
            o.symbol.clone(),
            purpose(o.purpose).to_owned(),
            o.side.to_string(),
            o.qty.to_string(),
            o.filled.to_string(),
            o.limit.to_string(),
            maybe(o.trigger, |p: Premium| p.to_string()),
            o.sent_at.ist_text(),
            o.state.clone(),
            o.modifications.to_string(),
        ])?;
    }
    Ok(())
}

fn fills(r: &BacktestResult, out: &mut Out) -> csv::Result<()> {
    out.write_record(FILLS_HEADER)?;
    for f in &r.fills {
        out.write_record([
            f.trade.to_string(),
            f.order.clone(),
            f.symbol.clone(),
            f.side.to_string(),
            f.qty.to_string(),
            f.price.to_string(),
            f.at.ist_text(),
            f.synthesised.to_string(),
            f.tick_ltp.to_string(),
        ])?;
    }
    Ok(())
}

fn decisions(r: &BacktestResult, out: &mut Out) -> csv::Result<()> {
    out.write_record(DECISIONS_HEADER)?;
    for d in &r.decisions {
        out.write_record([
            d.seq.to_string().as_str(),
            d.at.ist_text().as_str(),
            d.underlying.symbol(),
            d.stage,
            d.code,
            d.text.as_str(),
        ])?;
    }
    Ok(())
}

fn bars(r: &BacktestResult, out: &mut Out) -> csv::Result<()> {
    out.write_record(BARS_HEADER)?;
    for b in &r.bars {
        out.write_record([
            b.start.ist_text(),
            b.underlying.to_string(),
            b.timeframe.to_owned(),
            float(b.open),
            float(b.high),
            float(b.low),
            float(b.close),
            maybe(b.atr, float),
            maybe(b.supertrend, float),
            maybe(b.direction, |d| d.to_string()),
            maybe(b.plus_di, float),
            maybe(b.minus_di, float),
            maybe(b.adx, float),
        ])?;
    }
    Ok(())
}

type Writing = fn(&BacktestResult, &mut Out) -> csv::Result<()>;

/// Name and content of each file.
const FILES: [(&str, Writing); 5] = [
    ("trades.csv", trades),
    ("orders.csv", orders),
    ("fills.csv", fills),
    ("decisions.csv", decisions),
    ("bars.csv", bars),
];

fn stage(result: &BacktestResult, dir: &Path, name: &str, write: Writing) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // The default of temporary files is readable by the owner only; exports follow the umask like any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(&format!(".{name}.")).tempfile_in(dir)?;
    {
        let sink: &mut dyn Write = file.as_file_mut();
        let mut out = Writer::from_writer(BufWriter::new(sink));
        write(result, &mut out)?;
        out.flush()?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

/// Writes the five files into `dir`, made when it does not exist; files of an earlier export are replaced. Returns
/// the paths written.
///
/// # Errors
/// When the folder or a file cannot be written. Then no file of this export is left behind, and none of an earlier one
/// is harmed unless the last step, moving finished files into place, failed half-way.
pub fn export(result: &BacktestResult, dir: &Path) -> Result<Vec<PathBuf>> {
    let existed = dir.exists();
    fs::create_dir_all(dir).with_context(|| format!("cannot make the export folder {}", dir.display()))?;
    let staged: Result<Vec<_>> = FILES
        .into_iter()
        .map(|(name, write)| {
            let file = stage(result, dir, name, write)
                .with_context(|| format!("cannot write {} in {}", name, dir.display()))?;
            Ok((dir.join(name), file))
        })
        .collect();
    let staged = staged.inspect_err(|_| {
        if !existed {
            // Best effort: the error that brought us here is the one to report.
            let _ = fs::remove_dir(dir);
        }
    })?;
    staged
        .into_iter()
        .map(|(path, file)| {
            file.persist(&path).with_context(|| format!("cannot move the finished file to {}", path.display()))?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests;

//! CSV files of a replay: `trades.csv`, `orders.csv`, `fills.csv`, `decisions.csv`, `bars.csv`.
//!
//! Money and prices are rupees with two decimals, index levels and indicators the shortest decimal that reads back to
//! the same f64, times IST as `YYYY-MM-DDTHH:MM:SS+05:30` (with milliseconds when there are any), an undefined
//! value is an empty field. The five files are written in full beside their place and only then moved into it.
//!
//! Decisions and bars are too many to keep until the end: a [`Spool`] takes them to disk while the replay runs.

use std::fs;
use std::io::{BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use csv::Writer;
use scalper_decide::domain::{OrderPurpose, Premium};
use tempfile::NamedTempFile;

use super::recorder::Bulk;
use super::result::{BacktestResult, BarRecord, DecisionRecord};
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

/// Decisions and bars on their way to an export, as CSV in files without a name: whatever ends the replay, nothing of
/// them is left behind.
#[derive(Debug)]
pub struct Spool {
    decisions: Writer<BufWriter<fs::File>>,
    bars: Writer<BufWriter<fs::File>>,
}

impl Spool {
    /// An empty spool on the disk that an export into `dir` goes to; `dir` need not exist yet.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn new(dir: &Path) -> Result<Spool> {
        let absolute = std::path::absolute(dir).with_context(|| format!("no such place: {}", dir.display()))?;
        let folder = absolute.ancestors().find(|p| p.is_dir()).unwrap_or(Path::new("/"));
        let file = |header: &[&str]| -> Result<_> {
            let file = tempfile::tempfile_in(folder)
                .with_context(|| format!("cannot write a temporary file in {}", folder.display()))?;
            let mut out = Writer::from_writer(BufWriter::new(file));
            out.write_record(header)?;
            Ok(out)
        };
        Ok(Spool { decisions: file(&DECISIONS_HEADER)?, bars: file(&BARS_HEADER)? })
    }
}

impl Bulk for Spool {
    fn decision(&mut self, d: &DecisionRecord) -> Result<()> {
        let (seq, at) = (d.seq.to_string(), d.at.ist_text());
        let fields = [seq.as_str(), at.as_str(), d.underlying.symbol(), d.stage, d.code, d.text.as_str()];
        self.decisions.write_record(fields).context("cannot write the decisions of the export")
    }

    fn bars(&mut self, of_day: &[BarRecord]) -> Result<()> {
        for b in of_day {
            let fields = [
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
            ];
            self.bars.write_record(fields).context("cannot write the bars of the export")?;
        }
        Ok(())
    }
}

/// Copies a spooled file from its beginning.
fn unspool(spooled: Writer<BufWriter<fs::File>>, out: &mut fs::File) -> Result<()> {
    let mut file = spooled.into_inner().map_err(|e| e.into_error())?.into_inner().map_err(|e| e.into_error())?;
    file.seek(SeekFrom::Start(0))?;
    std::io::copy(&mut file, out)?;
    Ok(())
}

type Writing<'a> = Box<dyn FnOnce(&mut fs::File) -> Result<()> + 'a>;

/// Writes the records a result holds.
fn listed<'a>(result: &'a BacktestResult, write: fn(&BacktestResult, &mut Out) -> csv::Result<()>) -> Writing<'a> {
    Box::new(move |file| {
        let mut out = Writer::from_writer(BufWriter::new(file as &mut dyn Write));
        write(result, &mut out)?;
        Ok(out.flush()?)
    })
}

fn stage(dir: &Path, name: &str, write: Writing<'_>) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // The default of temporary files is readable by the owner only; exports follow the umask like any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(&format!(".{name}.")).tempfile_in(dir)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Writes the five files, three from the result and two from the spool of its replay, into `dir`, made when it does not exist; files of an earlier export are replaced. Returns
/// the paths written.
///
/// # Errors
/// When the folder or a file cannot be written. Then no file of this export is left behind, and none of an earlier one
/// is harmed unless the last step, moving finished files into place, failed half-way.
pub fn export(result: &BacktestResult, spool: Spool, dir: &Path) -> Result<Vec<PathBuf>> {
    let existed = dir.exists();
    fs::create_dir_all(dir).with_context(|| format!("cannot make the export folder {}", dir.display()))?;
    let Spool { decisions, bars } = spool;
    let files: [(&str, Writing<'_>); 5] = [
        ("trades.csv", listed(result, trades)),
        ("orders.csv", listed(result, orders)),
        ("fills.csv", listed(result, fills)),
        ("decisions.csv", Box::new(move |file| unspool(decisions, file))),
        ("bars.csv", Box::new(move |file| unspool(bars, file))),
    ];
    let staged: Result<Vec<_>> = files
        .into_iter()
        .map(|(name, write)| {
            let file =
                stage(dir, name, write).with_context(|| format!("cannot write {} in {}", name, dir.display()))?;
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

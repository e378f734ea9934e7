//! `scalper instruments sync|search|show|expiries`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use scalper_decide::domain::{ContractBook, Segment};
use serde_json::{Value, json};

use super::config::named_or_default;
use super::exit::{BadInput, BadUsage, Code};
use super::list::{ListArgs, Listed, of_keep};
use crate::broker::dhan::rest::data::download_list;
use crate::broker::dhan::rest::transport::Limits;
use crate::config;
use crate::market::master::keep::Shelf;
use crate::market::master::{Filter, Listing};

/// The broker's instrument lists.
#[derive(Debug, Args)]
pub struct InstrumentsArgs {
    #[command(flatten)]
    list: ListArgs,
    /// Data folder; lists are kept in its folder `instruments`.
    #[arg(long, global = true, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    data_dir: PathBuf,
    /// One JSON value.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Downloads a list (no token needed), proves it, archives it and puts it in place of the last good one.
    Sync(SyncArgs),
    /// Finds instruments: every word must be in symbol or name; a day or date is an expiry.
    Search(SearchArgs),
    /// Shows one instrument: `NSE_FNO 44430`, or every one with a symbol.
    Show {
        /// Segment and id, or a symbol.
        #[arg(required = true, num_args = 1..)]
        what: Vec<String>,
    },
    /// Lists the expiries of an underlying with contracts, strikes and lots.
    Expiries {
        /// Symbol as derivatives have it: NIFTY, RELIANCE, CRUDEOIL.
        symbol: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    Compact,
    Detailed,
}

impl Layout {
    const fn name(self) -> &'static str {
        match self {
            Layout::Compact => "compact",
            Layout::Detailed => "detailed",
        }
    }
    const fn address(self) -> &'static str {
        match self {
            Layout::Compact => "https://images.dhan.co/api-data/api-scrip-master.csv",
            Layout::Detailed => "https://images.dhan.co/api-data/api-scrip-master-detailed.csv",
        }
    }
}

#[derive(Debug, Args)]
struct SyncArgs {
    /// Which list.
    #[arg(long, value_enum, default_value = "compact")]
    layout: Layout,
    /// Address of the list; https, or http on this machine [default: the broker's].
    #[arg(long, value_name = "URL", env = "SCALPER_DHAN_INSTRUMENTS")]
    url: Option<String>,
    /// A file in place of a download.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    from: Option<PathBuf>,
    /// Take it though it has shrunk by more than a fifth.
    #[arg(long)]
    accept_shrunk: bool,
}

#[derive(Debug, Args)]
struct SearchArgs {
    /// Words.
    #[arg(required = true, num_args = 1..)]
    words: Vec<String>,
    /// Most hits.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Only this segment, for example NSE_FNO.
    #[arg(long, value_parser = segment)]
    segment: Option<Segment>,
}

fn segment(text: &str) -> Result<Segment, String> {
    let known = "IDX_I, NSE_EQ, NSE_FNO, NSE_CURRENCY, BSE_EQ, MCX_COMM, BSE_CURRENCY, BSE_FNO";
    Segment::from_name(text).ok_or_else(|| format!("no segment; there are {known}"))
}

/// Runs the verb.
///
/// # Errors
/// A list that cannot be had or is refused, or nothing of that name in it.
pub fn run(args: &InstrumentsArgs) -> anyhow::Result<Code> {
    let folder = args.data_dir.join("instruments");
    let mut out = std::io::stdout().lock();
    match &args.verb {
        Verb::Sync(sync) => sync_list(args, sync, &folder, &mut out),
        Verb::Search(search) => {
            let listed = args.list.read(Some(&folder))?;
            let filter = Filter { segment: search.segment, ..Filter::default() };
            let found = listed.master.search(&search.words.join(" "), usize::from(search.limit), &filter);
            rows(args, &listed, &found, &mut out)
        }
        Verb::Show { what } => {
            let listed = args.list.read(Some(&folder))?;
            let found: Vec<Listing<'_>> = match what.as_slice() {
                [segment, id] if Segment::from_name(segment).is_some() => {
                    let id = id.parse().map_err(|_| BadUsage(format!("{id:?} is no security id")))?;
                    Segment::from_name(segment).and_then(|s| listed.master.get((s, id))).into_iter().collect()
                }
                words => listed.master.by_symbol(&words.join(" ")).collect(),
            };
            if found.is_empty() {
                let hint = listed.master.search(&what.join(" "), 1, &Filter::default());
                let hint = hint.first().map_or(String::new(), |l| format!("; did you mean {:?}?", l.symbol()));
                return Err(BadInput(format!("{:?} is not in {}{hint}", what.join(" "), listed.source)).into());
            }
            rows(args, &listed, &found, &mut out)
        }
        Verb::Expiries { symbol } => expiries(args, &args.list.read(Some(&folder))?, symbol, &mut out),
    }
}

fn sync_list(args: &InstrumentsArgs, sync: &SyncArgs, folder: &Path, out: &mut impl Write) -> anyhow::Result<Code> {
    if args.list.master.is_some() || args.list.sample {
        return Err(BadUsage("sync takes a list with --from FILE, not with --master or --sample".to_owned()).into());
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let shelf = Shelf::new(folder, sync.layout.name());
    let day = args.list.day.unwrap_or_else(super::list::today);
    let downloaded = folder.join(format!("{}.new.csv", sync.layout.name()));
    let (new, from) = match &sync.from {
        Some(file) => (file.clone(), file.display().to_string()),
        None => {
            let url = sync.url.as_deref().unwrap_or(sync.layout.address());
            let address = url.parse().map_err(|e| BadUsage(format!("--url {url}: {e}")))?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(download_list(address, &downloaded, Limits::default())).with_context(|| url.to_owned())?;
            (downloaded.clone(), url.to_owned())
        }
    };
    let had = shelf.good().map_err(of_keep)?;
    let taken = shelf.take(&new, day, sync.accept_shrunk);
    if new == downloaded && taken.is_ok() {
        std::fs::remove_file(&downloaded).with_context(|| downloaded.display().to_string())?;
    }
    let (master, good) = taken.map_err(of_keep)?;
    let report = master.report();
    if args.json {
        writeln!(out, "{}", json!({"from": from, "good": good, "before": had, "report": report}))?;
    } else {
        writeln!(
            out,
            "{from}: {} rows, {} instruments; in place as {}",
            report.rows,
            report.kept,
            shelf.path().display()
        )?;
        writeln!(
            out,
            "left out: {} expired, {} test rows, {} not on the feed, {} finer than a paisa, {} broken, {} ambiguous",
            report.expired, report.tests, report.off_feed, report.too_fine, report.broken, report.ambiguous
        )?;
        for complaint in &report.complaints {
            writeln!(out, "  {complaint}")?;
        }
        if let Some(had) = had {
            writeln!(out, "before: {} rows of {}", had.rows, had.day)?;
        }
        writeln!(out, "BLAKE3 {}", good.blake3)?;
    }
    Ok(Code::Ok)
}

/// Ten-thousandths of a rupee as rupees: `0.05`, `0.0025`.
fn rupees(e4: u32) -> String {
    let text = format!("{}.{:04}", e4 / 10_000, e4 % 10_000);
    text.strip_suffix("00").unwrap_or(&text).to_owned()
}

fn as_json(listing: &Listing<'_>, contracts: &ContractBook, day: chrono::NaiveDate) -> Value {
    let (segment, id) = listing.key();
    let freeze = listing.freeze(contracts, day);
    json!({
        "segment": segment.name(), "security_id": id, "exchange": listing.venue(), "kind": listing.kind(),
        "symbol": listing.symbol(), "name": listing.name(), "underlying": listing.underlying(),
        "expiry": listing.expiry(), "strike_paise": listing.strike().map(|s| s.paise()),
        "right": listing.right(), "lot": listing.lot(), "tick_rupees": rupees(listing.tick_e4()),
        "freeze_units": freeze.as_ref().ok().copied().flatten().map(|q| q.get()),
        "freeze_note": freeze.err().map(|e| e.to_string()),
        "series": listing.series(), "flag": listing.flag(),
    })
}

fn rows(args: &InstrumentsArgs, listed: &Listed, found: &[Listing<'_>], out: &mut impl Write) -> anyhow::Result<Code> {
    let contracts = config::load(named_or_default(None), std::env::vars())?.tables.contracts;
    if args.json {
        let found: Vec<Value> = found.iter().map(|l| as_json(l, &contracts, listed.day)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(Code::Ok);
    }
    let mut table = Table::new();
    table.force_no_tty().load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["segment", "id", "kind", "symbol", "name", "lot", "tick Rs", "freeze"]);
    for listing in found {
        let (segment, id) = listing.key();
        let freeze = match listing.freeze(&contracts, listed.day) {
            Ok(Some(units)) => units.get().to_string(),
            Ok(None) => String::new(),
            Err(_) => "not in the table".to_owned(),
        };
        table.add_row([
            segment.to_string(),
            id.to_string(),
            listing.kind().name().to_owned(),
            listing.symbol().to_owned(),
            listing.name(),
            listing.lot().to_string(),
            rupees(listing.tick_e4()),
            freeze,
        ]);
    }
    writeln!(out, "{}\n{} found in {}", table.trim_fmt(), found.len(), listed.source)?;
    Ok(Code::Ok)
}

fn expiries(args: &InstrumentsArgs, listed: &Listed, symbol: &str, out: &mut impl Write) -> anyhow::Result<Code> {
    let symbol = symbol.to_uppercase();
    let master = &listed.master;
    let mut lines = Vec::new();
    for (of, segment, _) in master.underlyings().filter(|(_, _, name)| *name == symbol) {
        for expiry in master.expiries(of, listed.day) {
            let strikes = master.strikes(of, expiry);
            let mut lots: Vec<u32> = master.chain(of, expiry).map(|l| l.lot()).collect();
            let contracts = lots.len();
            lots.sort_unstable();
            lots.dedup();
            let (first, last) = (strikes.first().copied(), strikes.last().copied());
            let middle = strikes.get(strikes.len() / 2).and_then(|s| master.step_near(of, expiry, *s));
            lines.push((segment, expiry, contracts, strikes.len(), first, last, middle, lots));
        }
    }
    if lines.is_empty() {
        return Err(BadInput(format!("no options on {symbol:?} in {}", listed.source)).into());
    }
    if args.json {
        let lines: Vec<Value> = lines
            .iter()
            .map(|(segment, expiry, contracts, strikes, first, last, step, lots)| {
                json!({
                    "segment": segment.name(), "expiry": expiry, "contracts": contracts, "strikes": strikes,
                    "first_strike_paise": first.map(|s| s.paise()), "last_strike_paise": last.map(|s| s.paise()),
                    "step_in_the_middle_paise": step.map(|s| s.paise()), "lots": lots,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&lines)?)?;
        return Ok(Code::Ok);
    }
    let mut table = Table::new();
    table.force_no_tty().load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["segment", "expiry", "contracts", "strikes", "from", "to", "step in the middle", "lot"]);
    for (segment, expiry, contracts, strikes, first, last, step, lots) in lines {
        let text = |strike: Option<scalper_decide::domain::Strike>| strike.map_or(String::new(), |s| s.to_string());
        let lots: Vec<String> = lots.iter().map(u32::to_string).collect();
        let cells = [text(first), text(last), text(step), lots.join(", ")];
        let head = [segment.to_string(), expiry.to_string(), contracts.to_string(), strikes.to_string()];
        table.add_row(head.into_iter().chain(cells));
    }
    writeln!(out, "{}\n{}", table.trim_fmt(), listed.source)?;
    Ok(Code::Ok)
}

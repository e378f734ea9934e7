//! `scalper data import|ls|verify|export`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use scalper_decide::domain::{Age, Instant, TickFlags, Underlying};
use serde_json::json;

use crate::tape::contract::{ContractKey, index_by_name, index_names};
use crate::tape::import::{
    self, BarPath, ImportContext, ImportOptions, ImportReport, Layout, PriceUnit, TimeUnit, parse_interval,
};
use crate::tape::{DayMeta, Tape, export, verify_day};

/// Tapes: bring data in, list it, prove it, take it out.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: DataVerb,
}

/// What to do with tapes.
#[derive(Debug, Subcommand)]
pub enum DataVerb {
    /// Turns files of any known layout into days of a tape; all of them or none.
    Import(Box<ImportArgs>),
    /// Lists the days of a tape.
    Ls(LsArgs),
    /// Reads every byte of a tape and checks it against its certificates.
    Verify(VerifyArgs),
    /// Writes one day for other tools.
    Export(ExportArgs),
}

/// Arguments of `data import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Shape of the files.
    #[arg(long, value_enum, default_value = "auto")]
    pub layout: Layout,
    /// Tape folder; made when it does not exist.
    #[arg(long, value_name = "DIR")]
    pub tape: PathBuf,
    /// The index, where the file does not name it.
    #[arg(long, value_parser = parse_index)]
    pub index: Option<Underlying>,
    /// Length of a bar, like 1m or 5m; found by looking when not given.
    #[arg(long, value_parser = parse_interval)]
    pub interval: Option<Age>,
    /// Order of the extremes on the path drawn through a bar.
    #[arg(long, value_enum, default_value = "ohlc")]
    pub path: BarPath,
    /// Leaves out spot ticks that come along with options.
    #[arg(long)]
    pub no_spot: bool,
    /// When a file without times was taken, IST.
    #[arg(long, value_parser = parse_at, value_name = "TIME")]
    pub at: Option<Instant>,
    /// The contract of a file about one contract, like "NIFTY 2025-12-30 FUT" or "NIFTY 2026-01-13 25650 CE".
    #[arg(long, value_parser = ContractKey::parse)]
    pub contract: Option<ContractKey>,
    /// Exchange token of that contract.
    #[arg(long, value_name = "ID")]
    pub security_id: Option<u32>,
    /// Contracts of a file that only names ids: id,symbol,kind,underlying_id,strike,expiry,lot,tick_size.
    #[arg(long, value_name = "FILE")]
    pub instruments: Option<PathBuf>,
    /// Columns of a generic file, like ltp=price,ts=timestamp.
    #[arg(long, value_delimiter = ',', value_parser = parse_pair, value_name = "OURS=THEIRS")]
    pub map: Vec<(String, String)>,
    /// Unit of a generic file's times; recognised when not given.
    #[arg(long, value_enum)]
    pub time_unit: Option<TimeUnit>,
    /// Unit of a generic file's prices.
    #[arg(long, value_enum, default_value = "rupees")]
    pub price_unit: PriceUnit,
    /// Drops what the tape holds of the contracts in these files on these days.
    #[arg(long)]
    pub replace: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Files to read, plain or gzip.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Arguments of `data ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Tape folder.
    #[arg(value_name = "DIR")]
    pub tape: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `data verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Tape folder.
    #[arg(value_name = "DIR")]
    pub tape: PathBuf,
    /// Only this day.
    #[arg(value_name = "DAY")]
    pub day: Option<NaiveDate>,
    /// Prints one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `data export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Form of the output: CSV in rupees and IST, or Parquet in paise and UTC.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: ExportFormat,
    /// Where to write; CSV goes to the screen when not given.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Tape folder.
    #[arg(value_name = "DIR")]
    pub tape: PathBuf,
    /// The day.
    #[arg(value_name = "DAY")]
    pub day: NaiveDate,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Text with a header.
    Csv,
    /// Parquet with a symbol column.
    Parquet,
}

fn parse_index(text: &str) -> Result<Underlying, String> {
    index_by_name(text).ok_or_else(|| format!("unknown index {text:?}; known are {}", index_names()))
}

fn parse_at(text: &str) -> Result<Instant, String> {
    import::text::iso_time(text).map_err(|fault| fault.to_string())
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((ours, theirs)) if !ours.is_empty() && !theirs.is_empty() => Ok((ours.to_owned(), theirs.to_owned())),
        _ => Err(format!("{text:?} is no pair; write it like ltp=price")),
    }
}

/// Runs `scalper data ..`. `tables` loads session calendar and contract terms; only an import asks for them.
///
/// # Errors
/// Everything that went wrong, in one message with file and row. A tape that `verify` refuses is an error too.
pub fn run(args: &DataArgs, tables: impl FnOnce() -> Result<ImportContext>) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match &args.verb {
        DataVerb::Import(args) => import_files(args, &tables()?, &mut out),
        DataVerb::Ls(args) => ls(args, &mut out),
        DataVerb::Verify(args) => verify(args, &mut out),
        DataVerb::Export(args) => export_day(args, &mut out),
    }?;
    Ok(ExitCode::SUCCESS)
}

impl ImportArgs {
    fn options(&self) -> ImportOptions {
        ImportOptions {
            layout: self.layout,
            index: self.index,
            interval: self.interval,
            path: self.path,
            no_spot: self.no_spot,
            at: self.at,
            contract: self.contract,
            security_id: self.security_id,
            instruments: self.instruments.clone(),
            map: self.map.clone(),
            time_unit: self.time_unit,
            price_unit: self.price_unit,
            replace: self.replace,
        }
    }
}

fn import_files(args: &ImportArgs, context: &ImportContext, out: &mut impl Write) -> Result<()> {
    let report = import::import(&args.files, &args.tape, &args.options(), context)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    print_import(&report, &args.tape, out)
}

fn print_import(report: &ImportReport, tape: &Path, out: &mut impl Write) -> Result<()> {
    let mut table =
        table(&["day", "new ticks", "ticks", "usable", "instruments", "synthesised", "out of session", "stale"]);
    for day in &report.days {
        table.add_row(vec![
            day.day.to_string(),
            grouped(day.added),
            grouped(day.counts.ticks),
            grouped(day.counts.decidable),
            grouped(day.instruments),
            share(day.counts.flag(TickFlags::SYNTHESISED), day.counts.ticks),
            grouped(day.counts.flag(TickFlags::OUT_OF_SESSION)),
            grouped(day.counts.flag(TickFlags::STALE)),
        ]);
    }
    writeln!(out, "{table}")?;
    for (file, layout) in &report.files {
        writeln!(out, "{file} read as {layout}")?;
    }
    for day in &report.days {
        for note in &day.notes {
            writeln!(out, "{}: {note}", day.day)?;
        }
    }
    let added: u64 = report.days.iter().map(|d| d.added).sum();
    writeln!(out, "{} new ticks on {} days in {}", grouped(added), report.days.len(), tape.display())?;
    Ok(())
}

fn ls(args: &LsArgs, out: &mut impl Write) -> Result<()> {
    let tape = Tape::open(&args.tape)?;
    let days = tape.days().iter().map(|d| tape.day(*d).map(|day| day.meta().clone())).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let object = json!({
            "tape": args.tape.display().to_string(),
            "hash": tape.hash(),
            "days": days.iter().map(day_json).collect::<Vec<_>>(),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&object)?)?;
        return Ok(());
    }
    let mut table = table(&["day", "ticks", "usable", "instruments", "synthesised", "size", "first", "last", "from"]);
    for day in &days {
        let clock = |text: &Option<String>| text.as_ref().map_or_else(String::new, |t| t[11..19].to_owned());
        let layouts: std::collections::BTreeSet<&str> = day.about.sources.iter().map(|s| s.layout.as_str()).collect();
        table.add_row(vec![
            day.day.to_string(),
            grouped(day.counts.ticks),
            grouped(day.counts.decidable),
            grouped(day.instruments),
            share(day.counts.flag(TickFlags::SYNTHESISED), day.counts.ticks),
            size(bytes(day)),
            clock(&day.first),
            clock(&day.last),
            layouts.into_iter().collect::<Vec<_>>().join(", "),
        ]);
    }
    writeln!(out, "{table}")?;
    let ticks: u64 = days.iter().map(|d| d.counts.ticks).sum();
    let total: u64 = days.iter().map(bytes).sum();
    writeln!(out, "{} days, {} ticks, {}", days.len(), grouped(ticks), size(total))?;
    Ok(())
}

fn day_json(day: &DayMeta) -> serde_json::Value {
    let ticks = day.counts.ticks;
    let synthesised = day.counts.flag(TickFlags::SYNTHESISED);
    json!({
        "day": day.day,
        "hash": day.hash(),
        "bytes": bytes(day),
        "instruments": day.instruments,
        "first": day.first,
        "last": day.last,
        "synthesised_share": if ticks == 0 { 0.0 } else { synthesised as f64 / ticks as f64 },
        "counts": day.counts,
        "sources": day.about.sources,
        "spot": day.about.spot,
        "bar_secs": day.about.bar_secs,
        "notes": day.about.notes,
    })
}

fn verify(args: &VerifyArgs, out: &mut impl Write) -> Result<()> {
    let tape = Tape::open(&args.tape)?;
    let days = args.day.map_or_else(|| tape.days().to_vec(), |day| vec![day]);
    let mut reports = Vec::new();
    for day in days {
        let report = verify_day(&tape.day(day)?).with_context(|| format!("{day} is not what its certificate says"))?;
        if !args.json {
            writeln!(
                out,
                "{day}  ok  {} ticks  {}  {}",
                grouped(report.counts.ticks),
                size(report.bytes),
                report.hash
            )?;
        }
        reports.push(report);
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "days": reports }))?)?;
    }
    Ok(())
}

fn export_day(args: &ExportArgs, out: &mut impl Write) -> Result<()> {
    let day = Tape::open(&args.tape)?.day(args.day)?;
    match (args.format, &args.out) {
        (ExportFormat::Csv, None) => {
            export::to_csv(&day, out, Path::new("standard output"))?;
        }
        (format, Some(path)) => {
            // Written beside its place and renamed, so that a failed export leaves no half file.
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let part = tempfile::NamedTempFile::new_in(folder).with_context(|| format!("{}", folder.display()))?;
            match format {
                ExportFormat::Csv => export::to_csv(&day, std::io::BufWriter::new(part.as_file()), path)?,
                ExportFormat::Parquet => export::to_parquet(&day, part.path())?,
            };
            part.persist(path).with_context(|| format!("{}", path.display()))?;
        }
        (ExportFormat::Parquet, None) => anyhow::bail!("Parquet cannot go to the screen; give --out FILE"),
    }
    Ok(())
}

fn bytes(day: &DayMeta) -> u64 {
    day.ticks_file.bytes + day.instruments_file.bytes
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in 1..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}

fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 20 => format!("{:.1} MiB", b as f64 / f64::from(1 << 20)),
        b if b >= 1 << 10 => format!("{:.1} KiB", b as f64 / f64::from(1 << 10)),
        b => format!("{b} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        data: DataArgs,
    }

    fn parse(args: &[&str]) -> Result<DataArgs, clap::Error> {
        Cli::try_parse_from(std::iter::once("data").chain(args.iter().copied())).map(|c| c.data)
    }

    #[test]
    fn the_documented_import_line_parses() {
        let line = ["import", "--layout", "index-bars", "--interval", "5m", "--index", "NIFTY", "--tape", "T", "F"];
        let DataVerb::Import(args) = parse(&line).unwrap().verb else { panic!("an import") };
        assert_eq!((args.layout, args.index), (Layout::IndexBars, Some(Underlying::Nifty)));
        assert_eq!((args.interval, args.path), (Some(Age::from_mins(5)), BarPath::Ohlc));
        let generic = ["import", "--layout", "ticks", "--map", "ltp=price,ts=timestamp", "--tape", "T", "F", "G"];
        let DataVerb::Import(args) = parse(&generic).unwrap().verb else { panic!("an import") };
        assert_eq!((args.map.len(), args.files.len()), (2, 2));
        assert!(
            parse(&["import", "--index", "NIFTYX", "--tape", "T", "F"])
                .is_err_and(|e| e.to_string().contains("known are NIFTY"))
        );
        assert!(
            parse(&["import", "--interval", "5", "--tape", "T", "F"])
                .is_err_and(|e| e.to_string().contains("like 1s, 1m"))
        );
    }

    #[test]
    fn every_verb_works_on_a_small_tape() {
        let dir = tempfile::tempdir().unwrap();
        let tape = dir.path().join("tape");
        let file = dir.path().join("bars.csv");
        std::fs::write(&file, "ts,open,high,low,close\n2026-01-12T09:15:00+05:30,100,110,90,105.5\n").unwrap();
        let tape_text = tape.display().to_string();
        let told =
            ["import", "--index", "NIFTY", "--interval", "1m", "--tape", &tape_text, &file.display().to_string()];
        let DataVerb::Import(args) = parse(&told).unwrap().verb else { panic!("an import") };
        let context = crate::tape::import::test_tables::context();
        let mut out = Vec::new();
        import_files(&args, &context, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("4 new ticks on 1 days"));

        let mut out = Vec::new();
        ls(&LsArgs { tape: tape.clone(), json: true }, &mut out).unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&listed["days"][0]["counts"]["ticks"], &listed["days"][0]["synthesised_share"]),
            (&json!(4), &json!(1.0))
        );
        let mut out = Vec::new();
        ls(&LsArgs { tape: tape.clone(), json: false }, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("100.0 %"));

        let mut out = Vec::new();
        verify(&VerifyArgs { tape: tape.clone(), day: None, json: false }, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().starts_with("2026-01-12  ok  4 ticks"));

        let day = "2026-01-12".parse().unwrap();
        let csv = dir.path().join("out.csv");
        let export = |format, out: Option<PathBuf>| ExportArgs { format, out, tape: tape.clone(), day };
        export_day(&export(ExportFormat::Csv, Some(csv.clone())), &mut Vec::new()).unwrap();
        let text = std::fs::read_to_string(&csv).unwrap();
        let first = "1,2026-01-12T09:15:01+05:30,2026-01-12T09:15:01+05:30,IDX_I,13,NIFTY,100.00,,,,";
        assert!(text.lines().nth(1).unwrap().starts_with(first), "{text}");
        assert!(export_day(&export(ExportFormat::Parquet, None), &mut Vec::new()).is_err());
        let parquet = dir.path().join("out.parquet");
        export_day(&export(ExportFormat::Parquet, Some(parquet.clone())), &mut Vec::new()).unwrap();
        assert!(parquet.metadata().unwrap().len() > 500);

        let ticks = tape.join("2026-01-12/ticks.parquet");
        let bytes = std::fs::read(&ticks).unwrap();
        std::fs::write(&ticks, &bytes[..100]).unwrap();
        let refused = verify(&VerifyArgs { tape, day: None, json: false }, &mut Vec::new()).unwrap_err();
        assert!(format!("{refused:#}").contains("truncated"), "{refused:#}");
    }

    #[test]
    fn numbers_are_printed_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([512, 2048, 3 << 20].map(size), ["512 B", "2.0 KiB", "3.0 MiB"]);
    }
}

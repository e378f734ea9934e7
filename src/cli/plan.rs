//! `scalper plan`: what the market feed would carry, without a daemon, an account or a network.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;

use super::config::named_or_default;
use super::exit::Code;
use super::list::{self, ListArgs};
use crate::config;
use crate::market::overview::{Line, Overview, TierTotal, overview};
use crate::market::universe::PriceOf;

/// Arguments of `scalper plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    list: ListArgs,
    /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Preset laid over the settings, for example universe-s4 or full-universe; may be repeated, later ones win.
    #[arg(long = "preset", value_name = "NAME")]
    presets: Vec<String>,
    /// Price of what a chain is written on, in rupees; may be repeated. Of a commodity: of its future.
    #[arg(long = "price", value_name = "SYMBOL=RUPEES", value_parser = list::price)]
    price: Vec<(String, i64)>,
    /// Such prices from a CSV with the columns symbol and price.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Sockets that are connected.
    #[arg(long, value_name = "N", default_value = "5", value_parser = list::sockets)]
    sockets: u8,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// Wrong settings, list or prices.
pub fn run(args: &PlanArgs) -> anyhow::Result<Code> {
    let settings = config::load_with(named_or_default(args.config.as_deref()), std::env::vars(), &args.presets)?;
    let listed = args.list.read(None)?;
    let from_sample = !listed.levels.is_empty();
    let mut prices: BTreeMap<String, (i64, &str)> =
        listed.levels.iter().map(|(symbol, paise)| (symbol.clone(), (*paise, "sample"))).collect();
    if let Some(file) = &args.prices {
        prices.extend(list::prices(file)?.into_iter().map(|(symbol, paise)| (symbol, (paise, "file"))));
    }
    prices.extend(args.price.iter().map(|(symbol, paise)| (symbol.clone(), (*paise, "given"))));
    let price = |of: PriceOf<'_>| prices.get(of.symbol).map(|(paise, _)| *paise);
    let overview = overview(&listed.master, &settings.universe, listed.day, args.sockets, &price);

    let mut kinds: Vec<&str> = prices.values().map(|(_, kind)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let priced = match kinds.as_slice() {
        [] => "no prices: give --price SYMBOL=RUPEES or --prices FILE".to_owned(),
        _ if from_sample => format!("reference levels of the generated sample, not a market's ({})", kinds.join(", ")),
        kinds => format!("as given on the command line ({})", kinds.join(", ")),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        let prices: BTreeMap<&String, _> =
            prices.iter().map(|(symbol, (paise, from))| (symbol, json!({"paise": paise, "from": from}))).collect();
        let json = json!({
            "list": {"source": listed.source, "generated": from_sample, "report": listed.master.report()},
            "prices": {"note": priced, "levels": prices},
            "presets": settings.presets,
            "universe": settings.universe,
            "plan": overview,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
    } else {
        let report = listed.master.report();
        writeln!(
            out,
            "list    {}, {} instruments of {} rows, as of {}",
            listed.source, report.kept, report.rows, overview.day
        )?;
        writeln!(out, "prices  {priced}")?;
        print(&overview, &mut out)?;
    }
    Ok(Code::Ok)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.force_no_tty().load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn print(plan: &Overview, out: &mut impl Write) -> anyhow::Result<()> {
    groups("Tier B, always on", &plan.tier_b, plan, out)?;
    if !plan.tier_b.by_underlying.is_empty() {
        let mut totals = table(&["tier B by name", "instruments", "option expiries"]);
        for (name, count) in &plan.tier_b.by_underlying {
            let expiries = plan.tier_b.by_expiry.get(name).map_or(0, BTreeMap::len);
            totals.add_row([name.clone(), count.to_string(), expiries.to_string()]);
        }
        writeln!(out, "\n{}", totals.trim_fmt())?;
    }
    let mut tier_a = table(&["tier A, asked for by a start", "instruments"]);
    for (share, count) in &plan.tier_a.by_share {
        tier_a.add_row([word(share), count.to_string()]);
    }
    tier_a.add_row(["different instruments".to_owned(), plan.tier_a.instruments.to_string()]);
    writeln!(out, "\n{}", tier_a.trim_fmt())?;

    let mut sockets = table(&["socket", "tier B", "tier A", "free", "messages"]);
    for load in &plan.sockets {
        let cells = [usize::from(load.socket.0), load.tier_b, load.tier_a, load.free, load.messages];
        sockets.add_row(cells.map(|n| n.to_string()));
    }
    writeln!(out, "\n{}", sockets.trim_fmt())?;
    for left in &plan.left_out {
        let why = word(&left.why);
        writeln!(out, "left out: {}, {} instruments: {why}", left.owner, left.instruments)?;
    }
    for missing in &plan.missing {
        writeln!(out, "missing: {missing}")?;
    }
    writeln!(
        out,
        "\ntier B {}, tier A {}, together {} of {} ({}.{} %); {} sockets would do; {} messages, the last {}.{:03} s after the \
         first",
        plan.tier_b.instruments,
        plan.tier_a.instruments,
        plan.total,
        plan.capacity,
        plan.total * 100 / plan.capacity.max(1),
        plan.total * 1_000 / plan.capacity.max(1) % 10,
        plan.sockets_useful,
        plan.messages,
        plan.last_message_ms / 1_000,
        plan.last_message_ms % 1_000
    )?;
    Ok(())
}

fn groups(title: &str, tier: &TierTotal, plan: &Overview, out: &mut impl Write) -> anyhow::Result<()> {
    let sockets: Vec<String> = plan.sockets.iter().map(|load| load.socket.to_string()).collect();
    let mut header = vec![title, "at the money", "strikes", "instruments"];
    header.extend(sockets.iter().map(String::as_str));
    let mut table = table(&header);
    for line in &tier.groups {
        let Line { name, strikes, instruments, per_socket, .. } = line;
        let (atm, found) = match strikes {
            Some(s) if s.found == s.strikes => (s.atm.to_string(), s.found.to_string()),
            Some(s) => (s.atm.to_string(), format!("{} of {}", s.found, s.strikes)),
            None => (String::new(), String::new()),
        };
        let mut cells = vec![name.clone(), atm, found, instruments.to_string()];
        cells.extend(plan.sockets.iter().map(|load| per_socket.get(&load.socket).copied().unwrap_or(0).to_string()));
        table.add_row(cells);
    }
    let mut sum = vec!["different instruments".to_owned(), String::new(), String::new(), tier.instruments.to_string()];
    sum.extend(plan.sockets.iter().map(|load| load.tier_b.to_string()));
    table.add_row(sum);
    writeln!(out, "\n{}", table.trim_fmt())?;
    Ok(())
}

/// A value's name as people read it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        Ok(serde_json::Value::Object(map)) => map.keys().next().map_or(String::new(), |word| word.replace('_', " ")),
        _ => String::new(),
    }
}

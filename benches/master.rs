//! What an instrument list of full size costs: reading and indexing it against a bare csv-crate pass that builds the same
//! maps, looking strikes up, searching, and planning 25,000 instruments over five sockets.
//!
//! `cargo bench --bench master`; `SCALPER_BENCH_SMALL=1` makes a quick run of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use scalper::market::atm::{AtmEngine, ChainSlot, Ladder, Rule};
use scalper::market::master::{Filter, Master};
use scalper::market::planner::{Chain, Desired, FeedMode, Limits, Placement, Request, SocketId, plan};
use scalper::market::sample::{DAY, Sample, Size};
use scalper_decide::domain::{Instant as At, Strike};

/// Reading and indexing against the bare pass.
const READ_RATIO_MAX: f64 = 1.2;
/// Bytes of the index per row.
const BYTES_MAX: usize = 150;
/// One look-up of a strike at the money.
const ATM_NANOS_MAX: f64 = 50.0;
/// One search over every row.
const SEARCH_MILLIS_MAX: f64 = 3.0;
const REPEATS: usize = 5;

/// The fastest of a few runs, in seconds.
fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let run = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    };
    (0..REPEATS).map(run).min().unwrap_or(Duration::MAX).as_secs_f64()
}

/// One row as plainly as it can be kept.
#[derive(Debug)]
#[allow(dead_code, reason = "kept, as the index keeps it")]
struct Plain {
    symbol: String,
    kind: u8,
    lot: u32,
    tick: u32,
    freeze: u32,
    strike: i64,
    expiry: Option<chrono::NaiveDate>,
    call: bool,
}

/// Rows of one chain by strike, puts before calls.
type PlainChain = BTreeMap<(i64, bool), u32>;

/// Everything the index can answer, in the maps of the standard library.
#[derive(Debug, Default)]
struct Bare {
    rows: Vec<Plain>,
    by_key: HashMap<(u8, u32), u32>,
    by_symbol: HashMap<String, Vec<u32>>,
    chains: BTreeMap<(u8, String), BTreeMap<chrono::NaiveDate, PlainChain>>,
    names: String,
}

fn bare(text: &str) -> Bare {
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(256 * 1024).from_reader(text.as_bytes());
    let header = reader.byte_headers().expect("a header").clone();
    let at = |name: &str| header.iter().position(|h| h == name.as_bytes()).expect("the column is there");
    let [exchange, segment, id, kind, underlying, symbol, lot, expiry, strike, right, tick, freeze] = [
        "EXCH_ID",
        "SEGMENT",
        "SECURITY_ID",
        "INSTRUMENT",
        "UNDERLYING_SYMBOL",
        "SYMBOL_NAME",
        "LOT_SIZE",
        "SM_EXPIRY_DATE",
        "STRIKE_PRICE",
        "OPTION_TYPE",
        "TICK_SIZE",
        "SM_FREEZE_QTY",
    ]
    .map(at);
    let mut made = Bare::default();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).expect("a row") {
        let text = |column: usize| std::str::from_utf8(&record[column]).expect("text");
        let number = |column: usize| text(column).parse::<f64>().unwrap_or(0.0);
        let place = record[exchange][0] ^ record[segment][0];
        let row = u32::try_from(made.rows.len()).expect("fewer than 2^32 rows");
        let expiry = text(expiry).parse::<chrono::NaiveDate>().ok().filter(|day| *day >= DAY);
        let plain = Plain {
            symbol: text(symbol).to_owned(),
            kind: record[kind][0],
            lot: number(lot) as u32,
            tick: (number(tick) * 100.0) as u32,
            freeze: number(freeze) as u32,
            strike: (number(strike) * 100.0).round() as i64,
            expiry,
            call: &record[right] == b"CE",
        };
        made.by_key.insert((place, text(id).parse().expect("an id")), row);
        made.names.push_str(&plain.symbol.to_ascii_uppercase());
        made.names.push('\n');
        made.by_symbol.entry(plain.symbol.to_ascii_uppercase()).or_default().push(row);
        if let Some(expiry) = expiry {
            let chain = made.chains.entry((place, text(underlying).to_owned())).or_default();
            chain.entry(expiry).or_default().insert((plain.strike, plain.call), row);
        }
        made.rows.push(plain);
    }
    made
}

fn verdict(name: &str, ok: bool, text: &str) -> bool {
    println!("{} {name}: {text}", if ok { "PASS" } else { "FAIL" });
    ok
}

fn atm_nanos() -> f64 {
    let mut engine = AtmEngine::new(AtmEngine::FIVE_MINUTES);
    let strikes: Vec<Strike> = (0..200).map(|i| Strike::from_points(20_000 + 50 * i)).collect();
    let ladder = Ladder { expiry: DAY, strikes, step: Strike::from_points(50), rule: Rule::NearestListed };
    const CHAINS: usize = 512;
    for chain in 0..CHAINS {
        engine.see(ChainSlot(chain), Some(2_500_000), &ladder, At::from_secs(0)).expect("a price");
    }
    const LOOKS: usize = 4_000_000;
    let secs = best(|| {
        let mut sum = 0;
        let mut chain = 1;
        for _ in 0..LOOKS {
            // Neither the next one nor a foreseeable one.
            chain = (chain * 5 + 3) % CHAINS;
            sum += engine.get(black_box(ChainSlot(chain)), black_box(At::from_secs(9))).expect("it is known").paise();
        }
        sum
    });
    secs * 1e9 / LOOKS as f64
}

fn planned() -> (f64, f64, usize) {
    let key = |id: u32| (scalper_decide::domain::Segment::NseFno, id);
    let chains = (0..250).map(|chain: u32| Chain {
        name: format!("chain {chain}").into(),
        mode: FeedMode::Full,
        legs: (chain * 100..chain * 100 + 100).map(key).collect(),
    });
    let desired = Desired { tier_b: chains.collect(), ..Desired::default() };
    let connected: BTreeSet<SocketId> = (1..=5).map(SocketId).collect();
    let limits = Limits::default();
    let mut placement = Placement::new();
    let ask = |placement: &Placement| {
        plan(&Request { desired: &desired, placement, connected: &connected, limits, rebalance: false })
    };
    let mut messages = 0;
    let first = best(|| messages = ask(&placement).messages(&limits).len());
    let made = ask(&placement);
    placement.apply(&made);
    let again = best(|| ask(&placement));
    (first, again, messages)
}

fn main() -> ExitCode {
    if std::env::args().any(|a| a == "--list" || a == "--test") {
        return ExitCode::SUCCESS;
    }
    let small = std::env::var_os("SCALPER_BENCH_SMALL").is_some();
    let sample = Sample::new(7, if small { Size::SAMPLE } else { Size::FULL });
    let text = sample.detailed();
    let columns = text.lines().next().map_or(0, |header| header.split(',').count());
    println!("{} rows of {columns} columns, {:.1} MB", sample.len(), text.len() as f64 / 1e6);

    let floor = best(|| bare(&text).rows.len());
    let read = best(|| Master::read(text.as_bytes(), DAY).expect("the list is good").len());
    println!("bare csv pass with maps {:8.1} ms", floor * 1e3);
    println!("read and index          {:8.1} ms", read * 1e3);
    let ratio = read / floor;
    let mut ok =
        verdict("reading against the bare pass", ratio <= READ_RATIO_MAX, &format!("{ratio:.2} (at most 1.20)"));

    let master = Master::read(text.as_bytes(), DAY).expect("the list is good");
    let bytes = master.bytes() / master.len().max(1);
    ok &=
        verdict("bytes per row", master.len() == sample.len() && bytes <= BYTES_MAX, &format!("{bytes} (at most 150)"));

    let nanos = atm_nanos();
    ok &= verdict("strike at the money", nanos <= ATM_NANOS_MAX, &format!("{nanos:.1} ns (at most 50)"));

    let mut worst = (0.0, "");
    for query in ["NIFTY", "0123", "E", "AMPLE0042", "25800", "NOWHERE", "nifty 25900 put", "CE"] {
        let millis = best(|| master.search(query, 20, &Filter::default()).len()) * 1e3;
        println!("search {query:18} {millis:6.2} ms, {} hits", master.search(query, 20, &Filter::default()).len());
        if millis > worst.0 {
            worst = (millis, query);
        }
    }
    let text = format!("{:.2} ms for {:?}, the slowest (at most 3)", worst.0, worst.1);
    ok &= verdict("search over every row", worst.0 <= SEARCH_MILLIS_MAX, &text);

    let (first, again, messages) = planned();
    println!(
        "plan of 25,000 instruments, {messages} messages: {:.1} ms; once more: {:.1} ms",
        first * 1e3,
        again * 1e3
    );
    ok &= verdict("a plan costs less than its first second", first < 1.0, &format!("{:.1} ms", first * 1e3));
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

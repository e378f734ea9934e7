//! The same market through the backtest and through the daemon at the simulator's sockets (F-91, parity (c)).
//!
//! The daemon is the real one: loopback sockets, REST, a journal on disk, a start with warm-up every morning on the data
//! folder of the days before. Three things are as no live session has them: session time stands still while anything is
//! under way (so no latency but the venue's own, which both sides have), every contract is subscribed all day, and the
//! broker does not close positions by itself before the end, which no venue of a backtest does.
//!
//! The wire does not carry where a price came from, so both sides get the tape as it comes over the wire; see [`tape`].

mod feed;
mod tape;
mod world;

use std::fmt::Debug;
use std::path::Path;

use chrono::NaiveDate;
use scalper::backtest::recorder::{Bulk, Keep, Recorder};
use scalper::backtest::result::{BarRecord, DecisionRecord, FillRecord, OrderRecord, TradeRecord};
use scalper::backtest::run::BacktestRequest;
use scalper::broker::dhan::rest::error::refusal;
use scalper::config::{self, Effective};
use scalper::tape::Tape;
use scalper_decide::domain::{Command, Money, OrderReport, Tick, VenueRefusal};
use scalper_decide::journal::JournalEntry;
use scalper_decide::venue_sim::FillModelKind;

use crate::real_days::nifty_january;
use crate::support::{replay, shared_data};
use feed::DaemonsView;
use world::Lived;

/// Round trips after which the test is content; the rest of the month is lived through when [`WHOLE`] is set.
const ENOUGH: usize = 20;
/// Environment variable.
const WHOLE: &str = "SCALPER_PARITY_MONTH";

/// Settings of both. Points of bars are as far apart on the wire as on the tape, and only their source is lost: quotes of
/// the feed may be as old as those of bars.
fn settings() -> Effective {
    let presets = ["atm-only".to_owned()];
    let mut config = config::load_with(None, std::iter::empty(), &presets).expect("presets load");
    let params = &mut config.params;
    params.indices.retain(|index| index.symbol() == "NIFTY");
    for age in [&mut params.chain.quote_age, &mut params.entry_guard.index_age, &mut params.entry_guard.option_age] {
        age.feed = age.bar;
    }
    config
}

/// What one side did on a day, as text to be compared: every float to its last digit.
#[derive(Debug, Default)]
struct Told {
    decisions: Vec<String>,
    bars: Vec<String>,
    orders: Vec<String>,
    /// Order and the terms last in force.
    terms: Vec<(String, String)>,
    fills: Vec<String>,
    trades: Vec<String>,
    net: Money,
}

fn texts<T: Debug>(records: &[T]) -> Vec<String> {
    records.iter().map(|record| format!("{record:?}")).collect()
}

/// The wire carries a rejection in the exchange's words; their code is read as the client reads that of a refused call.
fn by_code(order: &str) -> String {
    let Some((before, words)) = order.split_once("rejected: ") else { return order.to_owned() };
    let (words, modifications) = words.rsplit_once(' ').expect("followed by a count");
    format!("{before}rejected: {} {modifications}", refusal_of(words))
}

fn refusal_of(words: &str) -> String {
    match refusal(words) {
        // A code already.
        VenueRefusal::Other(_) => words.to_owned(),
        known => known.to_string(),
    }
}

impl Told {
    fn new(
        decisions: &[DecisionRecord],
        bars: &[BarRecord],
        orders: &[OrderRecord],
        fills: &[FillRecord],
        trades: &[TradeRecord],
    ) -> Told {
        // Places in the journal differ: the daemon also journals what a backtest has not, such as reads of the books.
        let decision = |d: &DecisionRecord| format!("{:?} {} {} {} {}", d.at, d.underlying, d.stage, d.code, d.text);
        // Trade numbers are the exchange's; the tick behind an execution is not known outside of it.
        let fill =
            |f: &FillRecord| format!("{} {} {:?} {:?} {:?} {:?}", f.order, f.symbol, f.side, f.qty, f.price, f.at);
        let order = |o: &OrderRecord| {
            let OrderRecord { id, position, symbol, purpose, side, qty, filled, sent_at, state, modifications, .. } = o;
            format!(
                "{id} {position} {symbol} {purpose:?} {side:?} {qty:?} {filled:?} {sent_at:?} {state} {modifications}"
            )
        };
        let order = |o: &OrderRecord| by_code(&order(o));
        let terms = |o: &OrderRecord| (o.id.clone(), format!("limit {:?} trigger {:?}", o.limit, o.trigger));
        Told {
            decisions: decisions.iter().map(decision).collect(),
            bars: texts(bars),
            orders: orders.iter().map(order).collect(),
            terms: orders.iter().map(terms).collect(),
            fills: fills.iter().map(fill).collect(),
            trades: texts(trades),
            net: trades.iter().map(|trade| trade.net).sum(),
        }
    }
}

/// Everything a replay says of one day.
#[derive(Debug, Default)]
struct OfDay {
    decisions: Vec<DecisionRecord>,
    bars: Vec<BarRecord>,
}

impl Bulk for OfDay {
    fn decision(&mut self, decision: &DecisionRecord) -> anyhow::Result<()> {
        self.decisions.push(decision.clone());
        Ok(())
    }

    fn bars(&mut self, of_day: &[BarRecord]) -> anyhow::Result<()> {
        self.bars.extend_from_slice(of_day);
        Ok(())
    }
}

/// The daemon's day, recorded as a backtest's is; its account must agree with the recorded trades.
fn daemon(day: NaiveDate, lived: &Lived) -> Told {
    let opening = settings().params.capital.opening_balance.unwrap_or(Money::ZERO);
    let mut all = OfDay::default();
    let mut recorder = Recorder::new(Keep::Shown, Some(&mut all), 1, opening);
    recorder.open_day(day, false, None);
    let of_day = |entry: &&JournalEntry| match entry {
        JournalEntry::Decision(decision) => decision.stamp.at.ist_date() == day,
        JournalEntry::Bar { bar, .. } => bar.bar.start().ist_date() == day,
        _ => true,
    };
    lived.entries.iter().filter(of_day).for_each(|entry| recorder.entry(entry.clone()));
    recorder.close_day(&lived.books, &lived.universe).unwrap();
    let Recorder { orders, fills, trades, .. } = recorder;
    Told::new(&all.decisions, &all.bars, &orders, &fills, &trades)
}

fn backtest(recorded: &Path, wired: &Path, day: NaiveDate, lived: &Lived) -> Told {
    let config = settings();
    let (recorded, wired) = (recorded.to_owned(), wired.to_owned());
    let feed = DaemonsView { recorded, wired, day, instruments: lived.instruments.clone() };
    let request = BacktestRequest {
        params: config.params,
        preset: "atm-only".to_owned(),
        config_hash: config.hash,
        days: Some((day, day)),
        trade_from: Some(day),
        headline: FillModelKind::Base,
        all_fill_models: false,
    };
    let result = replay(&feed, &request);
    let decisions: Vec<_> = result.decisions.into_iter().filter(|d| d.at.ist_date() == day).collect();
    let bars: Vec<_> = result.bars.into_iter().filter(|b| b.start.ist_date() == day).collect();
    Told::new(&decisions, &bars, &result.orders, &result.fills, &result.trades)
}

/// Stops at the first line that differs and shows it.
fn assert_same(day: NaiveDate, what: &str, backtest: &[String], daemon: &[String]) {
    for (n, (expected, told)) in backtest.iter().zip(daemon).enumerate() {
        assert_eq!(expected, told, "{day}: {what} {n} differs (backtest, then daemon)");
    }
    assert_eq!(
        backtest.len(),
        daemon.len(),
        "{day}: {what} beyond the last common one: {:?} {:?}",
        backtest.get(daemon.len()),
        daemon.get(backtest.len())
    );
}

/// The terms last in force may differ for one reason, latency: a change left when its order had already been executed.
/// The broker answers for itself at once, the venue of the backtest refuses when the change gets there.
fn assert_terms(day: NaiveDate, backtest: &[(String, String)], daemon: &[(String, String)], lived: &Lived) -> usize {
    let mut crossed = 0;
    for ((id, expected), (_, told)) in backtest.iter().zip(daemon).filter(|(a, b)| a != b) {
        let mut changed = None;
        let mut executed = None;
        for entry in &lived.entries {
            match entry {
                JournalEntry::Command { stamp, command: Command::Modify { id: of, .. } } if of.to_string() == *id => {
                    changed = Some(stamp.at);
                }
                JournalEntry::Report { event, .. } if event.id.to_string() == *id => {
                    if let OrderReport::Filled(fill) = &event.report {
                        executed = executed.or(Some(fill.at));
                    }
                }
                _ => {}
            }
        }
        let (changed, executed) = (changed.expect("a change"), executed.expect("an execution"));
        assert!(executed <= changed, "{day}: {id} has {expected} in the backtest and {told} at the sockets");
        let (changed, executed) = (changed.ist_text(), executed.ist_text());
        eprintln!("{day}: {id} {expected}, {told}: the change of {changed} crossed the execution of {executed}");
        crossed += 1;
    }
    crossed
}

/// Every tick of the wire went into the daemon's journal once, in order, with the time it has on the tape.
fn assert_ticks(wired: &Path, day: NaiveDate, lived: &Lived) {
    let slot = |segment, id| lived.universe.find(segment, id);
    let sent: Vec<Tick> =
        Tape::open(wired).unwrap().day(day).unwrap().ticks(slot).unwrap().map(Result::unwrap).collect();
    assert!(sent.len() > 1_000, "{} ticks", sent.len());
    for (sent, taken) in sent.iter().zip(&lived.ticks) {
        assert_eq!(sent, taken, "{day}: sent, then journalled");
    }
    assert_eq!(sent.len(), lived.ticks.len(), "{day}");
}

/// Memory in KiB and open files of this process; `None` where the system does not tell.
fn held() -> Option<(u64, usize)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some((kib, std::fs::read_dir("/proc/self/fd").ok()?.count()))
}

/// Four weeks in one process, simulator and daemon both: after the first week neither memory nor open files grow.
fn assert_flat(days: &[(u64, usize)]) {
    let Some((week, rest)) = days.split_at_checked(5).filter(|(_, rest)| !rest.is_empty()) else { return };
    let most = |days: &[(u64, usize)]| {
        let (kib, files) = days.iter().copied().unzip::<_, _, Vec<_>, Vec<_>>();
        (kib.into_iter().max().unwrap_or(0), files.into_iter().max().unwrap_or(0))
    };
    let ((kib, files), (kib_later, files_later)) = (most(week), most(rest));
    eprintln!("first week at most {kib} KiB and {files} files, later {kib_later} KiB and {files_later} files");
    assert!(files_later <= files, "{files_later} open files after {files}");
    assert!(kib_later * 10 <= kib * 13, "{kib_later} KiB after {kib}");
}

#[test]
fn january_on_nifty_is_decided_and_traded_at_the_simulators_sockets_exactly_as_in_the_backtest() {
    let Some(data) = shared_data("january_on_nifty_at_the_simulators_sockets") else { return };
    let dir = tempfile::tempdir().unwrap();
    let recorded = nifty_january(&data, dir.path());
    let (wired, folder) = (dir.path().join("wired"), dir.path().join("data"));
    std::fs::create_dir_all(&folder).unwrap();
    let tables = settings().tables;
    let (mut decisions, mut fills, mut trades, mut crossed, mut net) = (0, 0, 0, 0, Money::ZERO);
    let mut sizes = Vec::new();
    let is_whole = std::env::var_os(WHOLE).is_some();
    for day in Tape::open(&recorded).unwrap().days().to_vec() {
        if trades >= ENOUGH && !is_whole {
            eprintln!("{day} and later: only with {WHOLE}=1");
            break;
        }
        if tables.calendar.hours(day).unwrap().is_none() {
            continue;
        }
        tape::wire_day(&recorded, day, &wired, &tables);
        let lived = world::live(&wired, day, &folder, settings());
        assert_ticks(&wired, day, &lived);
        let (backtest, daemon) = (backtest(&recorded, &wired, day, &lived), daemon(day, &lived));
        assert_same(day, "decision", &backtest.decisions, &daemon.decisions);
        assert_same(day, "bar", &backtest.bars, &daemon.bars);
        assert_same(day, "order", &backtest.orders, &daemon.orders);
        crossed += assert_terms(day, &backtest.terms, &daemon.terms, &lived);
        // No latency but the venue's own: nothing could explain a difference, so there is none.
        assert_same(day, "fill", &backtest.fills, &daemon.fills);
        assert_same(day, "trade", &backtest.trades, &daemon.trades);
        eprintln!(
            "{day}: {} ticks, {} events, {} decisions, {} fills, {} trades, net {}: identical",
            lived.ticks.len(),
            lived.events,
            daemon.decisions.len(),
            daemon.fills.len(),
            daemon.trades.len(),
            daemon.net
        );
        sizes.extend(held());
        decisions += daemon.decisions.len();
        fills += daemon.fills.len();
        trades += daemon.trades.len();
        net += daemon.net;
    }
    eprintln!("{decisions} decisions, {fills} fills, {trades} trades, net {net}: identical; {crossed} changes crossed");
    if is_whole {
        assert_flat(&sizes);
    }
    assert!(trades >= ENOUGH, "{trades} trades");
}

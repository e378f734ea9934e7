//! How fast and how big a replay is, as ratios against named baselines run beside it in the same process.
//!
//! `cargo bench --bench replay` runs the full sizes; `SCALPER_BENCH_TICKS=200000` makes a quick run of it.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use scalper::actors::wiring::ByMailbox;
use scalper::backtest::feed::TickFeed;
use scalper::backtest::memory_feed::MemoryFeed;
use scalper::backtest::run::{BacktestRequest, run, run_wired};
use scalper::backtest::sample_feed::SampleFeed;
use scalper::backtest::tape_feed::{TapeFeed, save_day};
use scalper::config;
use scalper::sample::{Sample, SampleSpec};
use scalper_decide::domain::{InstrumentKind, Tick, Underlying};
use scalper_decide::tick_cache::TickRefusal;
use scalper_decide::venue_sim::FillModelKind;

/// Full pipeline in memory against a loop that only walks the same events.
const WALK_RATIO_MIN: f64 = 1.0 / 25.0;
/// Full pipeline from a tape against a pass that only decodes it.
const DECODE_RATIO_MIN: f64 = 0.5;
/// Pipeline through the actors' mailboxes against its plain calls and one bare message round per tick together: a tick
/// that nobody holds is one question to one decider.
const MAILBOX_RATIO_MAX: f64 = 1.3;
/// Peak memory of 20 days against 1 day.
const MEMORY_RATIO_MAX: f64 = 1.10;
const REPEATS: usize = 3;

fn ticks_per_day() -> usize {
    std::env::var("SCALPER_BENCH_TICKS").ok().and_then(|t| t.parse().ok()).unwrap_or(5_000_000)
}

fn sample(days: usize, ticks: usize) -> SampleFeed {
    let tables = config::tables::load(None).expect("shipped tables load");
    let spec = SampleSpec { target_ticks: Some(ticks), ..SampleSpec::bench(days) };
    let sample = Sample::new(7, &spec, &tables.calendar, &tables.contracts).expect("the bench sample is valid");
    SampleFeed::new("bench", 7, sample)
}

fn request() -> BacktestRequest {
    let effective = config::load_with(None, std::iter::empty(), &["demo".to_owned()]).expect("built-ins load");
    BacktestRequest {
        params: effective.params,
        preset: "demo".to_owned(),
        config_hash: effective.hash,
        days: None,
        trade_from: None,
        headline: FillModelKind::Base,
        all_fill_models: false,
    }
}

/// Seconds of the fastest of a few runs.
fn best(mut work: impl FnMut()) -> f64 {
    (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX)
        .as_secs_f64()
}

fn replay(feed: &dyn TickFeed) -> usize {
    let tables = config::tables::load(None).expect("shipped tables load");
    run(&request(), feed, &tables, &Default::default(), None).expect("the bench replays").trades.len()
}

fn replay_by_mailbox(feed: &dyn TickFeed) -> usize {
    let tables = config::tables::load(None).expect("shipped tables load");
    run_wired(&ByMailbox, &request(), feed, &tables, &Default::default(), None).expect("the bench replays").trades.len()
}

/// An actor that gives a tick's kind back and does nothing else.
struct Echo;

#[derive(actix::Message)]
#[rtype(result = "Result<InstrumentKind, TickRefusal>")]
struct Shout(Tick);

impl actix::Actor for Echo {
    type Context = actix::Context<Self>;
}

impl actix::Handler<Shout> for Echo {
    type Result = Result<InstrumentKind, TickRefusal>;
    fn handle(&mut self, shout: Shout, _: &mut Self::Context) -> Self::Result {
        black_box(shout.0);
        Ok(InstrumentKind::Index { underlying: Underlying::Nifty })
    }
}

/// One message round per tick on one arbiter, and nothing else.
fn rounds(feed: &MemoryFeed) {
    actix::System::new().block_on(async {
        let echo = actix::Actor::start(Echo);
        for day in feed.days.values() {
            for tick in &day.ticks {
                let _ = black_box(echo.send(Shout(*tick)).await.expect("it lives"));
            }
        }
    });
}

fn walk(feed: &MemoryFeed) {
    let mut sum = 0_i64;
    let mut latest = 0_i64;
    for day in feed.days.values() {
        for tick in &day.ticks {
            // Touch the first and the last field, so that every cache line of the tick is read.
            sum = sum.wrapping_add(tick.ltp_paise).wrapping_add(i64::from(tick.asks[4].qty));
            latest = latest.max(tick.received_at.nanos());
        }
    }
    black_box((sum, latest));
}

fn decode(feed: &TapeFeed) -> u64 {
    let mut ticks = 0;
    for day in feed.days() {
        let instruments = feed.instruments(day).expect("the tape lists its instruments");
        let mut universe = scalper_decide::domain::Universe::new();
        for instrument in instruments {
            universe.list(instrument);
        }
        let resolve = |segment, id| universe.find(segment, id);
        feed.replay(day, &resolve, &mut |batch: &[Tick]| {
            ticks += batch.len() as u64;
            Ok(())
        })
        .expect("the tape decodes");
    }
    ticks
}

fn write_tape(feed: &dyn TickFeed, dir: &Path) {
    for day in feed.days() {
        save_day(feed, day, dir).expect("the tape is written");
    }
}

/// Peak resident memory of a child that replays a tape, in KiB.
fn peak_kib(tape: &Path) -> u64 {
    let exe = std::env::current_exe().expect("this program has a path");
    let out = Command::new(exe).env("SCALPER_BENCH_CHILD", tape).output().expect("the child runs");
    assert!(out.status.success(), "child failed: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().parse().expect("the child prints KiB")
}

fn child(tape: &str) {
    let feed = TapeFeed::open(Path::new(tape)).expect("the tape opens");
    replay(&feed);
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells its memory");
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("peak is listed");
    println!("{}", peak.trim().trim_end_matches(" kB").trim());
}

fn verdict(name: &str, ok: bool, text: &str) -> bool {
    println!("{} {name}: {text}", if ok { "PASS" } else { "FAIL" });
    ok
}

fn main() -> ExitCode {
    if let Ok(tape) = std::env::var("SCALPER_BENCH_CHILD") {
        child(&tape);
        return ExitCode::SUCCESS;
    }
    if std::env::args().any(|a| a == "--list" || a == "--test") {
        return ExitCode::SUCCESS;
    }
    let per_day = ticks_per_day();
    let feed = sample(1, per_day);
    let memory = MemoryFeed::copy_of(&feed).expect("the sample is generated");
    let ticks: usize = memory.days.values().map(|d| d.ticks.len()).sum();
    let contracts = memory.days.values().map(|d| d.instruments.len()).max().unwrap_or(0);
    println!("{ticks} ticks, {contracts} instruments, 3 indices");

    let rate = |secs: f64| ticks as f64 / secs / 1e6;
    let walked = best(|| walk(&memory));
    let mut trades = 0;
    let replayed = best(|| trades = replay(&memory));
    let ratio = walked / replayed;
    println!("walk      {:8.2} M events/s", rate(walked));
    println!("pipeline  {:8.2} M events/s, {trades} trades", rate(replayed));
    let mut ok = verdict(
        "pipeline against walking",
        ratio >= WALK_RATIO_MIN && trades > 0,
        &format!("1/{:.1} (at least 1/25, aim 1/10), {trades} trades", 1.0 / ratio),
    );
    let mut same = 0;
    let by_mailbox = best(|| same = replay_by_mailbox(&memory));
    let bare = best(|| rounds(&memory));
    let ratio = by_mailbox / (replayed + bare);
    println!("rounds    {:8.2} M messages/s", rate(bare));
    println!("mailboxes {:8.2} M events/s, {same} trades", rate(by_mailbox));
    ok &= verdict(
        "mailboxes against plain calls and bare rounds",
        ratio <= MAILBOX_RATIO_MAX && same == trades,
        &format!("{ratio:.2} (at most {MAILBOX_RATIO_MAX}), {:.0} ns per tick", by_mailbox * 1e9 / ticks as f64),
    );
    drop(memory);

    let dir = tempfile::tempdir().expect("a temporary folder");
    let tape = dir.path().join("bench");
    write_tape(&feed, &tape);
    let opened = TapeFeed::open(&tape).expect("the tape opens");
    let decoded = best(|| {
        decode(&opened);
    });
    let from_tape = best(|| {
        replay(&opened);
    });
    let ratio = decoded / from_tape;
    println!("decode    {:8.2} M events/s", rate(decoded));
    println!("from tape {:8.2} M events/s", rate(from_tape));
    ok &= verdict("tape against decoding", ratio >= DECODE_RATIO_MIN, &format!("{ratio:.2} (at least 0.50)"));

    let small = per_day / 10;
    let (one, twenty) = (dir.path().join("one"), dir.path().join("twenty"));
    write_tape(&sample(1, small), &one);
    write_tape(&sample(20, small), &twenty);
    let (a, b) = (peak_kib(&one), peak_kib(&twenty));
    let growth = b as f64 / a as f64;
    ok &= verdict(
        "memory of 20 days against 1",
        growth <= MEMORY_RATIO_MAX,
        &format!("{:.3} ({} KiB against {} KiB, {small} ticks a day)", growth, b, a),
    );
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

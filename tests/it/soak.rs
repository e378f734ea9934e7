//! Trading weeks in one process (issue 3): memory and handles stay flat, and nobody has to explain an error.
//!
//! `SCALPER_SOAK_DAYS=10 cargo test --test it soak -- --nocapture` lives ten trading days from 2026-02-24 on: two
//! weekends and Holi. `SCALPER_SOAK_SPEED` is session seconds per second. Without the first the test says that it is
//! skipped: even two days take longer than a usual test may.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Environment variables.
const DAYS: &str = "SCALPER_SOAK_DAYS";
const SPEED: &str = "SCALPER_SOAK_SPEED";
/// A simulated day in a minute and a half: the broker's answers keep up.
const USUAL_SPEED: &str = "240";
/// Days after which memory counts: caches have been filled by then.
const SETTLED: usize = 3;
/// Growth of resident memory after that, per cent.
const GROWTH: u64 = 10;

/// Lines of level ERROR that may be there, each with the reason: part of the target, part of the line.
const EXPLAINED: [(&str, &str, &str); 1] = [(
    "supervisor",
    "Slow",
    "a decider was late for its sign of life: the machine is shared, and a day passes in a minute and a half",
)];

/// What the system says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    rss_kib: u64,
    handles: usize,
    threads: usize,
}

fn size(pid: u32) -> Size {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = std::fs::read_to_string(folder.join("status")).expect("the process lives");
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    let rss_kib = rss.trim().trim_end_matches(" kB").parse().expect("a number");
    let count = |what| std::fs::read_dir(folder.join(what)).expect("the process lives").count();
    Size { rss_kib, handles: count("fd"), threads: count("task") }
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines of a file so far.
fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}

/// The ERROR lines nobody explains, and how often each explained one came.
fn judge(log: &[String]) -> (Vec<String>, BTreeMap<&'static str, u32>) {
    let (mut strange, mut explained) = (Vec::new(), BTreeMap::new());
    for line in log {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        if entry["level"] != "ERROR" {
            continue;
        }
        let target = entry["target"].as_str().unwrap_or_default();
        match EXPLAINED.iter().find(|(of, part, _)| target.contains(of) && line.contains(part)) {
            Some((_, _, why)) => *explained.entry(*why).or_default() += 1,
            None => strange.push(line.clone()),
        }
    }
    (strange, explained)
}

#[test]
fn an_error_that_is_on_no_list_is_found() {
    let line = |level, target, text| format!(r#"{{"level":"{level}","target":"{target}","message":"{text}"}}"#);
    let log = [line("ERROR", "supervisor", "Slow"), line("ERROR", "journal", "lost"), line("WARN", "journal", "late")];
    let (strange, explained) = judge(&log);
    assert_eq!((strange.len(), explained.len()), (1, 1), "{strange:?} {explained:?}");
    assert!(strange[0].contains("lost"));
}

#[test]
fn trading_weeks_in_one_process_leave_it_as_large_as_it_was_and_no_error_unexplained() {
    let Some(days) = std::env::var(DAYS).ok().and_then(|days| days.parse::<usize>().ok()) else {
        eprintln!("SKIPPED trading_weeks_in_one_process: {DAYS} is not set");
        return;
    };
    let speed = std::env::var(SPEED).unwrap_or_else(|_| USUAL_SPEED.to_owned());
    let dir = tempfile::tempdir().unwrap();
    let (out, log) = (dir.path().join("out"), dir.path().join("log"));
    let process = Command::new(env!("CARGO_BIN_EXE_scalper"))
        .args(["run", "--speed", &speed, "--day", "2026-02-24", "--days", &days.to_string(), "--json"])
        .args(["--listen", "127.0.0.1:0", "--data-dir", "data"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut daemon = Daemon(process);
    let pid = daemon.0.id();
    // In the afternoon of each day, with everything subscribed, and where least is open after it: in the night.
    let (mut sizes, mut nights, mut seen) = (Vec::<(String, Size)>::new(), BTreeMap::<usize, Size>::new(), 0);
    let ended = loop {
        if let Some(ended) = daemon.0.try_wait().unwrap() {
            break ended;
        }
        let over = lines(&out).len();
        if over > seen {
            seen = over;
            println!("{over} of {days} days are over: {:?}", sizes.last());
        }
        if over > 0 && over < days {
            let (now, least) = (size(pid), nights.get(&over));
            if least.is_none_or(|least| now.handles < least.handles) {
                nights.insert(over, now);
            }
        }
        let status = Command::new(env!("CARGO_BIN_EXE_scalper"))
            .args(["status", "--json", "--data-dir", "data"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        let is_afternoon = status["at"].as_i64().is_some_and(|at| at / 1_000_000_000 % 86_400 > (14 * 60 - 330) * 60);
        if let Some(day) = status["day"].as_str()
            && is_afternoon
            && status["session_open"] == true
            && sizes.last().is_none_or(|(last, _)| last != day)
        {
            sizes.push((day.to_owned(), size(pid)));
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    let (text, of_days) = (lines(&log), lines(&out));
    assert!(ended.success(), "{ended}:\n{}", text[text.len().saturating_sub(40)..].join("\n"));
    let of_days: Vec<Value> = of_days.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut trades = 0;
    for status in &of_days {
        let (day, money) = (status["day"].as_str().unwrap(), &status["money"]);
        trades += money["trades"].as_u64().unwrap();
        let size = sizes.iter().find(|(of, _)| of == day).map(|(_, size)| *size);
        println!(
            "{day}: {} trades, {} paise, {} ticks, {size:?}",
            money["trades"], money["realised_paise"], status["ticks"]
        );
        assert!(status["positions"].as_array().unwrap().is_empty(), "{day}: {status:#}");
    }
    assert_eq!(of_days.len(), days);
    assert_eq!(sizes.len(), days, "{sizes:?}");
    assert!(trades > 0, "a process that does nothing stays small");
    let (strange, explained) = judge(&text);
    println!("errors explained: {explained:?}");
    assert!(strange.is_empty(), "{} errors nobody explains:\n{}", strange.len(), strange.join("\n"));
    for (after, size) in &nights {
        println!("the night after day {after}: {size:?}");
    }
    if days > SETTLED {
        let settled = sizes[SETTLED - 1].1;
        let most = sizes[SETTLED..].iter().map(|(_, size)| size.rss_kib).max().unwrap();
        assert!(most * 100 <= settled.rss_kib * (100 + GROWTH), "memory grows: {sizes:?}");
    }
    // By day connections come and go. A handle that each day leaves open is there in every night after it.
    let least = |nights: &[&Size]| nights.iter().map(|size| size.handles).min();
    let nights: Vec<&Size> = nights.values().collect();
    if nights.len() > SETTLED {
        let (first, rest) = nights.split_at(SETTLED);
        assert!(least(rest) <= least(first), "handles stay open: {nights:?}");
    }
}

//! The program as processes: starting it, asking it, waiting for it, and settings that trade all the time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest wait for anything; a healthy machine needs a fraction.
pub(crate) const PATIENCE: Duration = Duration::from_secs(200);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The program under test, without an account of the environment; a long drill may name another build of it.
pub(crate) fn scalper() -> Command {
    let built = || env!("CARGO_BIN_EXE_scalper").into();
    let mut command = Command::new(std::env::var_os("SCALPER_DRILL_BINARY").unwrap_or_else(built));
    command.env_remove("DHAN_CLIENT_ID").env_remove("DHAN_ACCESS_TOKEN").env_remove("SCALPER_TOKEN_FILE");
    command
}

/// What a process printed, errors last.
pub(crate) fn text(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.clone(), out.stderr.clone()].concat()).into_owned()
}

/// A process that ends with its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }
}

/// Sends a signal to any process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}

/// Asks until it is so.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>, log: impl Fn() -> String) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}:\n{}", log());
        std::thread::sleep(PAUSE);
    }
}

/// `scalper sim` in a process of its own.
pub(crate) struct Simulator {
    _process: Running,
    /// What it said of itself: addresses, account, token.
    pub(crate) facts: Value,
    file: PathBuf,
}

impl Simulator {
    /// Starts one with more arguments; its words go to `simulator.json` and `simulator.log` of the folder.
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Simulator {
        let log = std::fs::File::create(dir.join("simulator.log")).unwrap();
        let mut command = scalper();
        command.args(["sim", "--json"]).args(args).current_dir(dir).stdout(Stdio::piped()).stderr(log);
        let mut process = Running(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let file = dir.join("simulator.json");
        std::fs::write(&file, &line).unwrap();
        let facts = serde_json::from_str(&line).expect("the simulator says where it is");
        Simulator { _process: process, facts, file }
    }

    /// Its words as a file, for `--simulator`.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn token(&self) -> String {
        self.facts["token"].as_str().unwrap().to_owned()
    }

    /// A GET without any client's help, so that nothing of ours is in the way.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.call("GET", path, "")
    }

    /// What it knows of itself: `truth`, `clock` and so on.
    pub(crate) fn sim(&self, what: &str) -> Value {
        self.get(&format!("/sim/{what}"))
    }

    /// An answer to a request with a body, by the account's own token.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let rest = self.facts["rest"].as_str().unwrap();
        let host = rest.trim_start_matches("http://").trim_end_matches("/v2");
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (token, account) = (self.token(), self.facts["client_id"].as_str().unwrap());
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\naccess-token: {token}\r\n\
             client-id: {account}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer}"));
        if body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e} in {answer}"))
    }
}

/// `run` with the data of this folder, and on a port that is free.
pub(crate) fn in_folder(mut run: Command, dir: &Path) -> Command {
    run.args(["--listen", "127.0.0.1:0", "--data-dir", "data"]).current_dir(dir);
    run
}

/// One life of `scalper run`: its data under `data` of its folder, its words in `log`.
pub(crate) struct Daemon {
    pub(crate) process: Running,
    dir: PathBuf,
}

impl Daemon {
    /// Starts this command [`in_folder`].
    pub(crate) fn spawn(run: Command, dir: &Path) -> Daemon {
        let log = std::fs::File::options().append(true).create(true).open(dir.join("log")).unwrap();
        let process = in_folder(run, dir).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { process: Running(process), dir: dir.to_owned() }
    }

    /// `scalper run` with these arguments.
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Daemon {
        let mut run = scalper();
        run.arg("run").args(args);
        Daemon::spawn(run, dir)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Runs an operator's verb; its exit code and what it printed.
    pub(crate) fn ask(&self, verb: &[&str]) -> (i32, String) {
        ask(&self.dir, verb)
    }

    /// Asks until the status is as wanted.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let Daemon { process, dir } = self;
        let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        let asked = || {
            let (code, text) = ask(dir, &["status", "--json"]);
            (code == 0).then(|| serde_json::from_str::<Value>(&text).unwrap())
        };
        let found = || {
            if let Some(ended) = process.has_ended() {
                panic!("the daemon ended ({ended}) before {what}:\n{}", log());
            }
            asked().filter(|status| is_so(status))
        };
        until(what, found, || format!("{:#?}\n{}", asked(), log()))
    }

    pub(crate) fn until_end(&mut self) -> ExitStatus {
        let Daemon { process, dir } = self;
        let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        until("end of the daemon", || process.has_ended(), log)
    }

    /// Ends it in order; what it wrote.
    pub(crate) fn stop(&mut self) -> String {
        assert_eq!(self.ask(&["stop"]).0, 0);
        let ended = self.until_end();
        assert!(ended.success(), "{ended}\n{}", self.log());
        self.log()
    }
}

/// Runs a verb on the data of this folder; its exit code and what it printed.
pub(crate) fn ask(dir: &Path, verb: &[&str]) -> (i32, String) {
    let out = scalper().args(verb).args(["--data-dir", "data"]).current_dir(dir).output().unwrap();
    (out.status.code().unwrap_or(-1), text(&out))
}

/// Settings under which something is bought every few minutes and stops move all the time. Ages are session time: a busy
/// machine must not look like a silent market.
const LIVELY: &str = "\
preset: [demo]
indices:
  NIFTY: {enabled: true, key: NIFTY, sid: 13, segment: IDX_I, capital_alloc_pct: 60, premium_min_rupees: none}
  BANKNIFTY: {enabled: true, key: BANKNIFTY, sid: 25, segment: IDX_I, capital_alloc_pct: 60, premium_min_rupees: none}
  SENSEX: {enabled: true, key: SENSEX, sid: 51, segment: IDX_I, capital_alloc_pct: 60, premium_min_rupees: none, day_loss_pct: none}
signals:
  trigger: state
  confirmation_timeframe: none
  opening_no_trade_minutes: 0
  adx: {min_primary: 0}
  iv_rank: {enabled: false}
chain: {min_oi: 0, min_score: 0, max_spread_pct: 5, iv_min_pct: 1, iv_max_pct: 300, quote_age_ms: {feed: 60000}}
capital:
  opening_balance_rupees: 1000000
  max_lots: 2
  bands:
    - {up_to_rupees: none, allocation_pct: 50, risk_per_trade_pct: 5, day_loss_pct: 20}
entry_guard:
  max_positions_per_contract: 2
  max_positions_per_index: 3
  max_positions_total: 9
  pyramid_only_in_profit: false
  cooldown_direction_secs: 0
  cooldown_strike_secs: 0
  index_age_ms: {feed: 60000}
  option_age_ms: {feed: 60000}
  max_spread_pct: 5
  slippage_cap_pct: 3
  max_trades_per_index: 1000
  max_trades_per_day: 1000
risk:
  stop_pct: 10
  target_pct: 10
  break_even_after_pct: 2
  trail: {arm_after_pct: 3, drop_pct: 2}
  profit_lock: none
  time_stop_minutes: 3
  day_profit: none
  expiry_limits: []
";

/// The lively settings with these keys of another value, as YAML. Each is named as the text has it, `stop_pct: 40`, and
/// must be there exactly once.
pub(crate) fn lively(changed: &[&str]) -> String {
    let mut lines: Vec<String> = LIVELY.lines().map(str::to_owned).collect();
    for change in changed {
        let key = format!("{}:", change.split_once(':').expect("a key and its value").0);
        let named = |line: &&mut String| line.trim_start().starts_with(&key);
        let mut found: Vec<&mut String> = lines.iter_mut().filter(named).collect();
        assert_eq!(found.len(), 1, "{key} names one line of the lively settings");
        let indent = found[0].len() - found[0].trim_start().len();
        *found[0] = format!("{}{change}", &" ".repeat(indent));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

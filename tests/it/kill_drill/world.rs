//! A simulator that runs by itself, and daemons that come and go in front of it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use scalper::engine::handle::Outcome;
use scalper::engine::status::Status;
use scalper::failpoint;
use scalper::ops::control::SOCKET;
use scalper::ops::control::client::ControlClient;
use scalper::ops::control::protocol::{Request, Response};
use scalper::store::place::StoreUrl;
use scalper_decide::domain::operator::OperatorCommand;
use serde_json::Value;
use uuid::Uuid;

use super::truth::Truth;

/// Longest wait for anything; a healthy machine needs a fraction.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// Session seconds per second of the wall.
const SPEED: &str = "60";
/// Between two looks at a process or its status.
const PAUSE: Duration = Duration::from_millis(5);

/// Rules that trade all the time, and move stops all the time.
const CONFIG: &str = "
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
# Ages in session time: a busy machine must not look like a silent market.
chain: {min_oi: 0, max_spread_pct: 5, iv_min_pct: 1, iv_max_pct: 300, quote_age_ms: {feed: 60000}}
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

/// The program under test; a long drill may name another build of it.
fn scalper() -> Command {
    Command::new(std::env::var_os("SCALPER_DRILL_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_scalper").into()))
}

/// A simulated market and its account; ends when dropped.
pub(super) struct World {
    simulator: Child,
    dir: tempfile::TempDir,
    http: reqwest::Client,
    rest: String,
    /// The daemons' database.
    pub(super) url: StoreUrl,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.simulator.kill();
        let _ = self.simulator.wait();
    }
}

impl World {
    pub(super) fn start(seed: u64, url: Option<String>) -> World {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("algo.yml"), CONFIG).unwrap();
        let log = std::fs::File::create(dir.path().join("simulator.log")).unwrap();
        let mut simulator = scalper()
            .args(["sim", "--json", "--speed", SPEED, "--seed", &seed.to_string()])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(simulator.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let facts: Value = serde_json::from_str(&line).expect("the simulator says where it is");
        std::fs::write(dir.path().join("simulator.json"), &line).unwrap();
        // Another test of this binary may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let rest = facts["rest"].as_str().unwrap().trim_end_matches("/v2").to_owned();
        let url =
            url.map_or_else(|| StoreUrl::default_in(&dir.path().join("data")), |url| StoreUrl::parse(&url).unwrap());
        World { simulator, dir, http, rest, url }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}/sim/{path}", self.rest)).send().await.expect("the simulator answers");
        answer.json().await.expect("JSON")
    }

    /// What really happened.
    pub(super) async fn truth(&self) -> Truth {
        Truth::of(&self.get("truth").await)
    }

    /// The laws of the account, whoever lives.
    pub(super) async fn check_account(&self) {
        self.truth().await.check();
    }

    /// Whether the session has passed a time of day, `HH:MM`.
    pub(super) async fn is_later_than(&self, time: &str) -> bool {
        let now = self.get("clock").await["now"].as_str().expect("a time").to_owned();
        &now[11..16] >= time
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn url_argument(&self) -> Option<String> {
        match &self.url {
            StoreUrl::Sqlite(_) => None,
            StoreUrl::Postgres(url) => Some(url.clone()),
        }
    }

    /// Recomputes every table from the journal (I23).
    pub(super) fn verify(&self) {
        let mut command = scalper();
        command.args(["db", "verify", "--config", "algo.yml", "--data-dir", "data"]).current_dir(self.dir.path());
        command.args(self.url_argument().iter().flat_map(|url| ["--url", url]));
        let out = command.output().unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success(), "{text}");
    }
}

/// One life of the daemon.
pub(super) struct Daemon {
    process: Child,
    ended: Option<ExitStatus>,
    log: PathBuf,
    socket: PathBuf,
    spawned: Instant,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    pub(super) fn start(world: &World, failpoint: Option<&str>) -> Daemon {
        let log = world.dir.path().join("daemon.log");
        let out = std::fs::File::create(&log).unwrap();
        let mut command = scalper();
        command
            .args(["run", "--config", "algo.yml", "--simulator", "simulator.json", "--listen", "127.0.0.1:0"])
            // Its restarts are the drill's own business.
            .arg("--no-guardian")
            .args(["--data-dir", "data"])
            .args(world.url_argument().iter().flat_map(|url| ["--url", url]))
            .current_dir(world.dir.path())
            .stdout(Stdio::null())
            .stderr(out);
        if let Some(failpoint) = failpoint {
            command.env(failpoint::VARIABLE, failpoint);
        }
        let spawned = Instant::now();
        let process = command.spawn().unwrap();
        Daemon { process, ended: None, log, socket: world.data().join(SOCKET), spawned }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn request(&self, request: Request) -> Option<Response> {
        let mut client = ControlClient::connect(&self.socket).await.ok()?;
        client.ask(&request).await.ok()
    }

    /// What it says of itself; nothing while nobody answers.
    pub(super) async fn status(&self) -> Option<Status> {
        match self.request(Request::Status).await? {
            Response::Status { status } => Some(*status),
            _ => None,
        }
    }

    /// Gives it a command; it may die before the answer.
    pub(super) async fn ask(&mut self, command: OperatorCommand) {
        match self.request(Request::Operate { key: Uuid::new_v4(), command }).await {
            Some(Response::Outcome { outcome: Outcome::Done { .. } }) => {}
            other => assert!(self.is_dead() || other.is_none(), "{other:?}\n{}", self.log()),
        }
    }

    /// Waits for READY(exits) and says how long it took from the start of the process. Nothing when it was killed
    /// before, or at `until`.
    pub(super) async fn until_ready(&mut self, until: Instant) -> Option<Duration> {
        loop {
            if self.status().await.is_some_and(|status| status.ready.exits) {
                return Some(self.spawned.elapsed());
            }
            if self.is_dead() {
                return None;
            }
            if Instant::now() >= until {
                assert!(until < self.spawned + PATIENCE, "not ready: {:#?}\n{}", self.status().await, self.log());
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether it was killed. An end of any other kind is a failure of the drill.
    pub(super) fn is_dead(&mut self) -> bool {
        if self.ended.is_none()
            && let Some(ended) = self.process.try_wait().unwrap()
        {
            assert_eq!(ended.signal(), Some(9), "the daemon ended by itself ({ended})\n{}", self.log());
            self.ended = Some(ended);
        }
        self.ended.is_some()
    }

    /// Waits for its death until then.
    pub(super) fn until_dead(&mut self, until: Instant) {
        while !self.is_dead() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills it; whether it was dead already.
    pub(super) fn kill(mut self) -> bool {
        let was_dead = self.is_dead();
        let _ = self.process.kill();
        let _ = self.process.wait();
        was_dead
    }

    /// Asks it to end in order.
    pub(super) fn stop(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ended = self.process.wait().unwrap();
        assert!(ended.success(), "{ended}\n{}", self.log());
    }
}

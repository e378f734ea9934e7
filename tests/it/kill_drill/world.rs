//! A simulator that runs by itself, and daemons that come and go in front of it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use scalper::engine::handle::Outcome;
use scalper::engine::status::Status;
use scalper::failpoint;
use scalper::ops::control::SOCKET;
use scalper::ops::control::client::ControlClient;
use scalper::ops::control::protocol::{Request, Response};
use scalper::store::place::StoreUrl;
use scalper_decide::domain::operator::OperatorCommand;
use uuid::Uuid;

use super::truth::Truth;
use crate::process::{self, Simulator, lively, scalper, signal, text};

/// Longest wait for anything; a healthy machine needs a fraction.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// Session seconds per second of the wall.
const SPEED: &str = "60";
/// Between two looks at a process or its status.
const PAUSE: Duration = Duration::from_millis(5);

/// A simulated market and its account; ends when dropped.
pub(super) struct World {
    simulator: Simulator,
    dir: tempfile::TempDir,
    /// The daemons' database.
    pub(super) url: StoreUrl,
}

impl World {
    pub(super) fn start(seed: u64, url: Option<String>) -> World {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("algo.yml"), lively(&[])).unwrap();
        let simulator = Simulator::start(dir.path(), &["--speed", SPEED, "--seed", &seed.to_string()]);
        let url =
            url.map_or_else(|| StoreUrl::default_in(&dir.path().join("data")), |url| StoreUrl::parse(&url).unwrap());
        World { simulator, dir, url }
    }

    /// What really happened.
    pub(super) fn truth(&self) -> Truth {
        Truth::of(&self.simulator.sim("truth"))
    }

    /// The laws of the account, whoever lives.
    pub(super) fn check_account(&self) {
        self.truth().check();
    }

    /// Whether the session has passed a time of day, `HH:MM`.
    pub(super) fn is_later_than(&self, time: &str) -> bool {
        let now = self.simulator.sim("clock")["now"].as_str().expect("a time").to_owned();
        &now[11..16] >= time
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
        assert!(out.status.success(), "{}", text(&out));
    }
}

/// One life of the daemon.
pub(super) struct Daemon {
    daemon: process::Daemon,
    ended: Option<ExitStatus>,
    spawned: Instant,
}

impl Daemon {
    pub(super) fn start(world: &World, failpoint: Option<&str>) -> Daemon {
        let mut run = scalper();
        // Its restarts are the drill's own business.
        run.args(["run", "--config", "algo.yml", "--simulator", "simulator.json", "--no-guardian"]);
        run.args(world.url_argument().iter().flat_map(|url| ["--url", url]));
        if let Some(failpoint) = failpoint {
            run.env(failpoint::VARIABLE, failpoint);
        }
        let spawned = Instant::now();
        Daemon { daemon: process::Daemon::spawn(run, world.dir.path()), ended: None, spawned }
    }

    pub(super) fn log(&self) -> String {
        self.daemon.log()
    }

    async fn request(&self, request: Request) -> Option<Response> {
        let mut client = ControlClient::connect(&self.daemon.data().join(SOCKET)).await.ok()?;
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
            && let Some(ended) = self.daemon.process.has_ended()
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
        self.daemon.process.kill();
        was_dead
    }

    /// Asks it to end in order.
    pub(super) fn stop(mut self) {
        signal(self.daemon.pid(), Signal::TERM);
        let ended = self.daemon.until_end();
        assert!(ended.success(), "{ended}\n{}", self.log());
    }
}

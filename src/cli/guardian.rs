//! `scalper guardian`: watches the engine of a data folder and closes what it holds should it die or fall silent (N6).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use sd_notify::NotifyState;

use super::config::named_or_default;
use super::exit::{BadUsage, Code};
use super::run::{self, BrokerArgs, GuardianFrom, RunArgs};
use crate::config::{self, Effective};
use crate::engine::sim::SimAccess;
use crate::engine::start::{Role, StartError};
use crate::guardian::act::{self, Outcome};
use crate::guardian::beat::Beat;
use crate::guardian::post::Post;
use crate::guardian::process::Process;
use crate::guardian::watch::{Limits, Signs, Trigger, Verdict, Watcher};
use crate::journal::run::Mode;
use crate::ops::logging;
use crate::store::Store;
use crate::store::error::{Refusal, StoreError};
use crate::store::place::StoreUrl;

/// Between two looks at the engine.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks between two signs of life of our own.
const LOOKS_PER_SIGN: u64 = 5;
/// Between two attempts to take over.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// Alarms, one line each, inside the data folder.
const ALARMS: &str = "guardian.alarms";

/// Arguments of `scalper guardian`: those of the run it guards.
#[derive(Debug, Args)]
pub struct GuardianArgs {
    /// Settings file of the run.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Presets of the run.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// Data folder of the run.
    #[arg(long, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Database of the run.
    #[arg(long, value_name = "URL", env = "SCALPER_DATABASE_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// The simulator the run is connected to: what `scalper sim --json` printed.
    #[arg(long, value_name = "FILE")]
    pub simulator: Option<PathBuf>,
    /// Mode of the run: sim with a simulator that runs by itself, or live.
    #[arg(long, value_name = "MODE", value_parser = run::parse_mode)]
    pub mode: Option<Mode>,
    /// Where the broker is.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The engine that starts this guardian; set by `run`.
    #[arg(long, value_name = "PID", hide = true)]
    pub for_process: Option<u32>,
}

impl GuardianArgs {
    /// The run it guards, as far as it matters.
    fn run(&self) -> RunArgs {
        RunArgs {
            config: self.config.clone(),
            preset: self.preset.clone(),
            mode: self.mode,
            broker: self.broker.clone(),
            data_dir: self.data_dir.clone(),
            url: self.url.clone(),
            speed: 1.0,
            seed: 0,
            day: chrono::NaiveDate::MIN,
            tape: None,
            simulator: self.simulator.clone(),
            faults: None,
            listen: ([127, 0, 0, 1], 0).into(),
            allow_host: Vec::new(),
            api_rate: 1.0,
            json: false,
            days: None,
            guardian: GuardianFrom::Elsewhere,
            no_guardian: true,
        }
    }
}

struct Guardian<'a> {
    args: &'a GuardianArgs,
    config: Effective,
    url: Option<StoreUrl>,
    mode: Mode,
    simulator: Option<SimAccess>,
    post: Post,
}

/// Watches until nothing is left to guard.
///
/// # Errors
/// Everything that keeps it from its post, with what would help.
pub fn run(args: &GuardianArgs) -> anyhow::Result<Code> {
    if args.for_process.is_some() {
        // A session of its own: no terminal and no Ctrl-C of the engine's reaches it. A leader of a group cannot, and
        // need not.
        let _ = rustix::process::setsid();
    }
    let _logs = logging::start();
    let config = config::load_with(named_or_default(args.config.as_deref()), std::env::vars(), &args.preset)?;
    let url = args.url.as_deref().map(StoreUrl::parse).transpose().map_err(|e| BadUsage(e.to_string()))?;
    let mode = run::mode(&args.run(), &config)?;
    if mode == Mode::Paper || mode == Mode::Sim && args.simulator.is_none() {
        let text = "nothing is left to guard when a run in paper, or with a market of its own (no --simulator), ends";
        return Err(BadUsage(text.to_owned()).into());
    }
    let simulator = args.simulator.as_deref().map(SimAccess::from_file).transpose()?;
    let dir = &args.data_dir;
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let post = Post::take(dir).map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => anyhow::anyhow!("{} has a guardian already", dir.display()),
        _ => anyhow::Error::new(e).context(dir.display().to_string()),
    })?;
    Store::reserve_beside(dir)?;
    let system = actix_rt::System::new();
    system.block_on(Guardian { args, config, url, mode, simulator, post }.watch())
}

impl Guardian<'_> {
    fn dir(&self) -> &Path {
        &self.args.data_dir
    }

    /// Whether another living process than `engine` holds the folder.
    fn another_starts(&self, engine: Option<Process>) -> bool {
        let holder = std::fs::read_to_string(self.dir().join("scalper.lock")).ok();
        let holder = holder.and_then(|pid| Process::of(pid.trim().parse().ok()?));
        holder.is_some_and(|holder| Some(holder) != engine && holder != Process::me())
    }

    async fn watch(mut self) -> anyhow::Result<Code> {
        let parent = self.args.for_process.map(|pid| Process::of(pid).unwrap_or(Process { pid, started: 0 }));
        let mut watcher = Watcher::new(Limits::default());
        let (mut looks, mut looked, mut said) = (0, Instant::now(), "");
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // Being stopped ourselves is no silence of the engine's.
            let passed = looked.elapsed().min(LOOK_EVERY * 2);
            looked = Instant::now();
            let beat = Beat::read(self.dir());
            let signs = Signs {
                beat,
                is_alive: beat.is_some_and(|beat| beat.process.is_alive()),
                another_starts: self.another_starts(beat.map(|beat| beat.process)),
                parent: parent.map(|parent| (parent, parent.is_alive())),
            };
            let verdict = watcher.look(passed, &signs);
            let text = match verdict {
                Verdict::Wait(text) | Verdict::StandDown(text) => text,
                Verdict::TakeOver(trigger) => trigger.text(),
            };
            if text != said {
                tracing::info!(target: "guardian", "{text}");
                said = text;
            }
            if looks % LOOKS_PER_SIGN == 0 || !matches!(verdict, Verdict::Wait(_)) {
                if looks == 0 {
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                self.post.say(matches!(verdict, Verdict::Wait(_)), text)?;
                if !self.dir().exists() {
                    anyhow::bail!("{}: the data folder is gone", self.dir().display());
                }
            }
            looks += 1;
            match verdict {
                Verdict::Wait(_) => {}
                Verdict::StandDown(_) => return Ok(Code::Ok),
                Verdict::TakeOver(trigger) => {
                    if let Some(code) = self.take_over(trigger, beat.expect("a trigger needs a beat").process).await? {
                        return Ok(code);
                    }
                    tokio::time::sleep(RETRY_EVERY).await;
                }
            }
        }
    }

    /// Closes everything; `None` when it has to be looked at anew.
    async fn take_over(&mut self, trigger: Trigger, engine: Process) -> anyhow::Result<Option<Code>> {
        let begun = Instant::now();
        let beside = trigger == Trigger::Silent && engine.is_alive();
        self.alarm(&format!("{}: closing everything it holds", trigger.text()));
        let role = Role::Guardian { beside };
        let (args, access) = (self.args.run(), self.simulator.as_ref());
        let plan = run::plan(&args, self.config.clone(), self.mode, access, self.url.clone(), role).await;
        let plan = match plan {
            Ok(plan) => plan,
            Err(e) => {
                self.alarm(&format!("the broker is not reached: {e:#}"));
                return Ok(None);
            }
        };
        let dir = self.dir().to_owned();
        let folder_gone = async {
            while dir.exists() {
                tokio::time::sleep(RETRY_EVERY).await;
            }
        };
        let outcome = tokio::select! {
            outcome = act::take_over(plan) => outcome,
            // Without the journal nothing can be known any more; waiting for a broker would have no end.
            () = folder_gone => anyhow::bail!("{}: the data folder is gone", dir.display()),
        };
        match outcome {
            Ok(Outcome::Flat { took, positions }) => {
                let wall = begun.elapsed().as_millis();
                self.alarm(&format!(
                    "flat: {positions} positions were open; {} ms of session time, {wall} ms of wall time",
                    took.millis()
                ));
                Ok(Some(Code::GuardianActed))
            }
            Ok(Outcome::NotFlat { why, positions }) => {
                self.alarm(&format!("NOT FLAT: {positions} positions are left: {why}"));
                Ok(Some(Code::GuardianFailed))
            }
            Err(StartError::NothingBegun { .. }) => {
                self.alarm("nothing was begun today: nothing to close");
                Ok(Some(Code::Ok))
            }
            Err(e @ StartError::NoSession { .. }) => {
                self.alarm(&format!("nothing can be sold any more: {e}"));
                Ok(Some(Code::GuardianFailed))
            }
            Err(StartError::NotFenced(why)) => {
                self.alarm(&format!("the engine cannot be fenced off ({why}): ending process {}", engine.pid));
                engine.kill();
                Ok(None)
            }
            // An engine came up first, or holds the folder for a moment longer.
            Err(StartError::Store(StoreError::Refused(Refusal::Locked { pid, .. }))) => {
                self.alarm(&format!("process {pid} has the data folder"));
                Ok(None)
            }
            Err(e) => {
                self.alarm(&format!("the take-over failed, trying again: {e}"));
                Ok(None)
            }
        }
    }

    /// A person should know: the log, and a file of its own.
    fn alarm(&self, text: &str) {
        tracing::error!(target: "guardian", "{text}");
        let at = chrono::Utc::now().to_rfc3339();
        let file = std::fs::OpenOptions::new().append(true).create(true).open(self.dir().join(ALARMS));
        if let Err(e) = file.and_then(|mut file| writeln!(file, "{at} {text}")) {
            tracing::error!(target: "guardian", "{ALARMS}: {e}");
        }
    }
}

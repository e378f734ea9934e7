//! A run from its first start to its end: operator's socket, health and signals, which outlive the days, and the loop
//! over the days. An engine of its own lives each of them.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Age, Instant};
use sd_notify::NotifyState;
use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::day::{Day, Ground, News};
use super::night::{self, Rest, Told};
use super::sim::World;
use super::{mode, reload};
use crate::api::limits::Rates;
use crate::api::server;
use crate::api::state::ApiState;
use crate::api::tokens::Tokens;
use crate::cli::config::named_or_default;
use crate::cli::exit::Code;
use crate::clock::SessionClock;
use crate::config::{self, Effective};
use crate::engine::handle::{Ask, EngineHandle, Outcome};
use crate::engine::runtime::Stopped;
use crate::engine::start::StartError;
use crate::engine::status::{Alarm, Mode as StatusMode, Status};
use crate::journal::run::Mode;
use crate::ops::control::SOCKET;
use crate::ops::control::server::ControlServer;
use crate::ops::screen;

/// Between two looks at the clock while nothing else happens, wall time.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a start may keep the service manager waiting, wall time: after that it is as dead as a loop that hangs.
const START_PATIENCE: Duration = Duration::from_secs(300);
/// Alarms of the nights that are kept.
const ALARMS: usize = 10;

/// What a run is, over all of its days.
pub(super) struct Run<'a> {
    pub(super) ground: Ground,
    /// Settings of the first day; each later one reads them again.
    pub(super) config: Effective,
    /// The simulated world, if one is met.
    pub(super) world: Option<&'a World>,
    /// Trading days until the end; `None` = until somebody ends it.
    pub(super) days: Option<u32>,
    /// Whether a run that begins without a session waits for one.
    pub(super) may_wait: bool,
}

/// The loop over the days.
struct Days<'a> {
    run: Run<'a>,
    clock: SessionClock,
    status: watch::Sender<Arc<Status>>,
    asks: mpsc::Receiver<Ask>,
    /// Asked, and not yet handed to an engine: a night answers what came too late for its day.
    pending: Option<Ask>,
    base: reload::Base,
    lived: u32,
    failures: u32,
    /// Doors opened or closed while no engine ran.
    noted: Vec<OperatorCommand>,
    /// Alarms rung while no engine ran.
    alarms: Vec<Alarm>,
    /// Told once when something is there to be asked: an engine, or a rest.
    up: Option<oneshot::Sender<()>>,
}

/// Lives the days of a run.
pub(super) async fn serve(run: Run<'_>) -> anyhow::Result<Code> {
    let args = Arc::clone(&run.ground.args);
    let clock = match &run.ground.access {
        Some(simulator) => simulator.clock().await?,
        None => SessionClock::wall(),
    };
    let mode = match run.ground.mode {
        Mode::Sim => StatusMode::Sim,
        Mode::Paper => StatusMode::Paper,
        Mode::Live => StatusMode::Live,
    };
    let version = crate::backtest::run::CODE_VERSION;
    let first = Status::starting(mode, version, &run.config.hash, clock.now());
    let mut day = Day::begin(&run.ground, run.config.clone(), first.clone())?;
    // Who the broker does not let in has opened nothing yet.
    match day.course.next().await {
        News::Planned => {}
        News::Ended(Err(e)) => return Err(e),
        News::Up(_) | News::Ended(Ok(_)) => unreachable!("a day is planned first"),
    }

    let (handle, status, asks) = EngineHandle::new(first);
    let base = reload::Base::of(&run.config);
    let handle = handle.reading(reload::reader(&args, base.clone(), clock.speed()));
    let control = ControlServer::bind(&args.data_dir.join(SOCKET)).await?;
    // A log keeps what is printed there.
    let is_read_by_a_person = std::io::stderr().is_terminal();
    let (tokens, secrets) = Tokens::open(&args.data_dir, is_read_by_a_person, SessionClock::wall().now())?;
    if let Some(shown) = secrets.read {
        eprintln!("read token for /health, /metrics and the API, shown once: {}", shown.expose_secret());
    }
    if let Some(shown) = secrets.admin {
        eprintln!("admin token \"first\" of the API, shown once: {}", shown.expose_secret());
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // A second recorder in one process (tests) keeps the first.
    let _ = ::metrics::set_global_recorder(recorder);
    let (rates, shelf) = (Rates::times(args.api_rate), run.ground.shelf.clone());
    let state = ApiState::new(handle.clone(), clock.clone(), tokens, metrics, shelf, rates);
    // Both before the start, which opens sockets and may send: what cannot be had is said while nothing has happened.
    let (listening, http) = server::serve(args.listen, &args.allow_host, state)?;
    if !listening.ip().is_loopback() {
        eprintln!(
            "warning: {listening} is open to other machines and tokens travel in the clear: put a proxy with TLS before it"
        );
    }
    let (up, is_up) = oneshot::channel();
    actix_rt::spawn(async move {
        if is_up.await.is_err() {
            return;
        }
        tokio::spawn(control.serve(handle.clone()));
        let dir = args.data_dir.display();
        eprintln!("API: http://{listening}/api/v2/docs/ (tokens: scalper api-token create --data-dir {dir})");
        eprintln!("health and metrics: http://{listening}/healthz, /health, /metrics");
        eprintln!("scalper status --data-dir {}", args.data_dir.display());
        listen_to_signals(&handle);
    });
    let (noted, alarms) = (Vec::new(), Vec::new());
    let mut days =
        Days { run, clock, status, asks, pending: None, base, lived: 0, failures: 0, noted, alarms, up: Some(up) };
    day.course.go();
    let ended = days.live(day).await;
    http.stop(true).await;
    ended
}

fn listen_to_signals(handle: &EngineHandle) {
    let stopping = handle.clone();
    actix_rt::spawn(async move {
        stop_signal().await;
        stopping.stop("signal").await;
    });
    let reloading = handle.clone();
    actix_rt::spawn(async move {
        if let Ok(mut hup) = signal(SignalKind::hangup()) {
            while hup.recv().await.is_some() {
                match reloading.reload("SIGHUP").await {
                    Outcome::Done { text } => tracing::info!(target: "control", text, "settings read again"),
                    Outcome::Refused { text, .. } => tracing::error!(target: "control", text, "settings refused"),
                }
            }
        }
    });
}

impl Days<'_> {
    /// Day after day, from one that is on its way.
    async fn live(&mut self, first: Day) -> anyhow::Result<Code> {
        let mut ended = self.through(first).await;
        loop {
            let failed = match ended {
                Ok(Stopped::Asked) => return Ok(Code::Ok),
                Ok(Stopped::DayOver) => {
                    (self.lived, self.failures) = (self.lived + 1, 0);
                    self.print()?;
                    if self.run.days.is_some_and(|days| self.lived >= days) {
                        return Ok(Code::Ok);
                    }
                    None
                }
                Ok(Stopped::Halted(halt)) => anyhow::bail!("the core must not go on: {halt}"),
                Ok(Stopped::Journal(halt)) => anyhow::bail!("the journal takes nothing more: {halt}"),
                Err(e) if is_no_session(&e) && (self.lived > 0 || self.run.may_wait) => None,
                // The first start of a process fails before eyes that read the reason.
                Err(e) if self.lived == 0 && self.failures == 0 && self.up.is_some() => return Err(e),
                Err(e) => {
                    self.failures += 1;
                    Some(format!("{e:#}"))
                }
            };
            let Some(rest) = self.plan_rest(failed)? else {
                tracing::info!(target: "engine", "the simulated market is over");
                return Ok(Code::Ok);
            };
            if self.rest(rest).await == Told::Stop {
                return Ok(Code::Ok);
            }
            ended = self.next_day().await;
        }
    }

    /// What to wait for; `None` when the simulated market has no further day.
    fn plan_rest(&mut self, failed: Option<String>) -> anyhow::Result<Option<Rest>> {
        let now = self.clock.now();
        let calendar = &self.run.config.tables.calendar;
        let session = match self.run.world {
            // Its next day is not always the calendar's: a tape leaves days out.
            Some(World::Own(world)) if failed.is_none() => match world.next_session()? {
                Some(session) => session,
                None => return Ok(None),
            },
            _ => night::next_session(calendar, now).context("no further session: the calendar has to go on first")?,
        };
        let usual = night::begins_at(&session, self.run.config.engine.prepare, self.run.ground.access.is_some());
        let start_at = match &failed {
            None => usual,
            Some(_) => {
                let wait = night::back_off(self.failures).as_secs_f64() * self.clock.speed();
                usual.max(now + Age::from_nanos((wait * 1e9) as i64))
            }
        };
        let rest = Rest { session, start_at, failed };
        if rest.failed.is_some() {
            let (key, text) = night::mourn(&rest);
            eprintln!("{key}: {text}");
            self.alarm(now, key, text);
        } else {
            tracing::info!(target: "engine", "waiting for {}", rest.text());
        }
        Ok(Some(rest))
    }

    /// Waits; [`Told::Stop`] when the process is to end.
    async fn rest(&mut self, rest: Rest) -> Told {
        let last = self.status.borrow().clone();
        // Nobody else lives in a world of our own, and nothing happens there by night.
        if matches!(self.run.world, Some(World::Own(_))) && rest.failed.is_none() {
            self.say(rest.status(&last, self.clock.now()));
            self.clock.skip_to(rest.start_at);
        }
        let text = format!("waiting for {}", rest.text());
        if self.up.is_some() {
            eprintln!("{text}");
            let _ = sd_notify::notify(&[NotifyState::Ready]);
        }
        let _ = sd_notify::notify(&[NotifyState::Status(&text)]);
        self.is_up();
        if let Some(ask) = self.pending.take()
            && let told @ (Told::Stop | Told::TryAgain) = night::answer(ask, &rest, &mut self.noted)
        {
            return told;
        }
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                biased;
                ask = self.asks.recv() => match ask.map(|ask| night::answer(ask, &rest, &mut self.noted)) {
                    Some(Told::Nothing) => {}
                    Some(told) => return told,
                    None => return Told::Stop,
                },
                () = self.clock.sleep_until(rest.start_at) => return Told::Nothing,
                _ = look.tick() => {
                    self.say(rest.status(&last, self.clock.now()));
                    // The process goes on; that no engine runs is as it should be, or is an alarm already.
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }

    /// The start of another day, by the path of the first one.
    async fn next_day(&mut self) -> anyhow::Result<Stopped> {
        let args = Arc::clone(&self.run.ground.args);
        let config = config::load_with(named_or_default(args.config.as_deref()), std::env::vars(), &args.preset)?;
        let now_says = mode(&args, &config)?;
        if now_says != self.run.ground.mode {
            let was = self.run.ground.mode;
            anyhow::bail!("the settings now say {now_says}, this run is {was}: stop it and start again");
        }
        self.base.set(&config);
        self.run.config = config;
        let first = night::starting(&self.status.borrow(), self.clock.now());
        let mut day = Day::begin(&self.run.ground, self.run.config.clone(), (*first).clone())?;
        day.course.go();
        self.through(day).await
    }

    /// Stands between a day and everyone who asks, until it is over.
    async fn through(&mut self, mut day: Day) -> anyhow::Result<Stopped> {
        let (begun, mut is_up) = (std::time::Instant::now(), false);
        let mut look = tokio::time::interval(LOOK_EVERY);
        for command in &self.noted {
            // Nobody waits for the answer any more: it was given when the word was noted.
            let (command, answer) = (command.clone(), oneshot::channel().0);
            let ask = Ask::Operate { command, actor: "noted while no session was open".to_owned(), answer };
            // An engine that does not come to hear it leaves it noted for the next one.
            let _ = day.asks.send(ask).await;
        }
        loop {
            tokio::select! {
                biased;
                news = day.course.next() => match news {
                    News::Planned => {}
                    News::Up(summary) => {
                        eprintln!("{summary}");
                        (is_up, self.failures) = (true, 0);
                        self.noted.clear();
                        self.is_up();
                    }
                    News::Ended(ended) => {
                        let last = day.status.borrow().clone();
                        self.show(&last);
                        return ended;
                    }
                },
                Ok(()) = day.status.changed() => {
                    let fresh = day.status.borrow_and_update().clone();
                    self.show(&fresh);
                }
                Ok(permit) = day.asks.reserve(), if self.pending.is_some() => {
                    permit.send(self.pending.take().expect("looked at above"));
                }
                Some(ask) = self.asks.recv(), if self.pending.is_none() => self.pending = Some(ask),
                _ = look.tick(), if !is_up && begun.elapsed() < START_PATIENCE => {
                    // From here to readiness the decision loop does not speak for itself.
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }

    /// A day's status is the run's, with the alarms of the nights before it.
    fn show(&mut self, of_day: &Arc<Status>) {
        if self.alarms.is_empty() {
            self.status.send_replace(Arc::clone(of_day));
        } else {
            let alarms = self.alarms.iter().chain(&of_day.alarms).cloned().collect();
            self.say(Status { alarms, ..(**of_day).clone() });
        }
    }

    fn say(&self, status: Status) {
        self.status.send_replace(Arc::new(status));
    }

    fn alarm(&mut self, at: Instant, key: &str, text: String) {
        if self.alarms.len() == ALARMS {
            self.alarms.remove(0);
        }
        let alarm = Alarm { at, key: key.to_owned(), text };
        self.alarms.push(alarm.clone());
        let mut status = (**self.status.borrow()).clone();
        status.alarms.push(alarm);
        self.say(status);
    }

    fn is_up(&mut self) {
        if let Some(up) = self.up.take() {
            let _ = up.send(());
        }
    }

    /// The status of a day that is over.
    fn print(&self) -> anyhow::Result<()> {
        let status = self.status.borrow().clone();
        if self.run.ground.args.json {
            println!("{}", serde_json::to_string(&*status)?);
        } else {
            print!("{}", screen::status(&status, status.at));
        }
        Ok(())
    }
}

fn is_no_session(e: &anyhow::Error) -> bool {
    matches!(e.downcast_ref::<StartError>(), Some(StartError::NoSession { .. }))
}

async fn stop_signal() {
    let term = signal(SignalKind::terminate());
    let told = async {
        match term {
            Ok(mut term) => drop(term.recv().await),
            Err(e) => {
                tracing::warn!(error = %e, "SIGTERM is not heard");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        () = told => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

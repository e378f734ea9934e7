//! One trading day of a daemon, on a thread and in a runtime of its own: whatever the day began ends with it, so a
//! daemon that lives for weeks is not larger than one that lives for a day.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot, watch};

use super::{GuardianFrom, RunArgs, plan};
use crate::actors::last_words::{Ending, LastWords};
use crate::actors::supervisor::{self, Finding, Supervisor};
use crate::api::state::SharedShelf;
use crate::config::Effective;
use crate::engine::handle::{Ask, EngineHandle};
use crate::engine::runtime::Stopped;
use crate::engine::sim::SimAccess;
use crate::engine::start::{self, Role, StartError};
use crate::engine::status::Status;
use crate::guardian::post::{self, GuardWatch};
use crate::journal::run::Mode;
use crate::store::error::{Refusal, StoreError};
use crate::store::place::StoreUrl;

/// What every day of a run has in common.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) args: Arc<RunArgs>,
    pub(super) mode: Mode,
    /// The simulator in place of the broker.
    pub(super) access: Option<SimAccess>,
    pub(super) store: Option<StoreUrl>,
    /// Where the API finds the day's database.
    pub(super) shelf: SharedShelf,
}

impl Ground {
    fn is_guarded(&self, config: &Effective) -> bool {
        // A simulated world inside this process ends with it, and so does everything held there and on paper.
        let outlives_us = self.mode == Mode::Live || self.mode == Mode::Sim && self.args.simulator.is_some();
        outlives_us && config.engine.guardian_required && !self.args.no_guardian
    }
}

/// What becomes of a day, in this order; a start that fails leaves steps out.
pub(super) enum News {
    /// Token, broker and instruments are there; waits for [`Course::go`].
    Planned,
    /// Started; what the start went through.
    Up(String),
    /// Over, and nothing of it is left in this process.
    Ended(anyhow::Result<Stopped>),
}

/// A day under way.
pub(super) struct Day {
    /// What becomes of it.
    pub(super) course: Course,
    /// What the day's engine says of itself.
    pub(super) status: watch::Receiver<Arc<Status>>,
    /// Where it takes requests.
    pub(super) asks: mpsc::Sender<Ask>,
}

/// Tells what becomes of a day.
pub(super) struct Course {
    news: mpsc::UnboundedReceiver<News>,
    go: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Day {
    /// Begins a day on a thread of its own. `first` is its status until it has one.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn begin(ground: &Ground, config: Effective, first: Status) -> std::io::Result<Day> {
        let (tell, news) = mpsc::unbounded_channel();
        let (go, gone) = oneshot::channel();
        let (handle, status_in, asked) = EngineHandle::new(first);
        let ground = ground.clone();
        let thread = std::thread::Builder::new().name("day".to_owned()).spawn(move || {
            let system = actix_rt::System::new();
            let ended = system.block_on(live(&ground, config, (status_in, asked), &tell, gone));
            // Sockets, timers and actors of the day go before anybody hears of its end.
            drop(system);
            let _ = tell.send(News::Ended(ended));
        })?;
        let course = Course { news, go: Some(go), thread: Some(thread) };
        Ok(Day { course, status: handle.watch(), asks: handle.asks() })
    }
}

impl Course {
    /// Lets a planned day start.
    pub(super) fn go(&mut self) {
        if let Some(go) = self.go.take() {
            let _ = go.send(());
        }
    }

    /// The next news. A panic of the day's thread goes on in this one.
    pub(super) async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => {
                if matches!(news, News::Ended(_)) {
                    self.join();
                }
                news
            }
            None => {
                self.join();
                News::Ended(Err(anyhow::anyhow!("the day ended without a word")))
            }
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The day, from the broker's door to the end of its journal.
async fn live(
    ground: &Ground,
    config: Effective,
    (status, asks): (watch::Sender<Arc<Status>>, mpsc::Receiver<Ask>),
    tell: &mpsc::UnboundedSender<News>,
    gone: oneshot::Receiver<()>,
) -> anyhow::Result<Stopped> {
    let args = &*ground.args;
    let is_guarded = ground.is_guarded(&config);
    let role = Role::Engine { guard: is_guarded.then(|| GuardWatch::new(&args.data_dir)) };
    let plan = plan(args, config, ground.mode, ground.access.as_ref(), ground.store.clone(), role).await?;
    let _ = tell.send(News::Planned);
    if gone.await.is_err() {
        return Ok(Stopped::Asked);
    }
    let mut started = start::start(plan, status, asks).await.map_err(|e| with_guardian(args, e))?;
    ground.shelf.store(Some(Arc::new(started.shelf()?)));
    if is_guarded && args.guardian == GuardianFrom::Run {
        post::start(&args.data_dir, &guardian_arguments(args))
            .with_context(|| format!("the guardian does not start; see {} in the data folder", post::LOG))?;
    }
    // Without a service manager nothing happens.
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&started.summary)]);
    let _ = tell.send(News::Up(started.summary.clone()));
    let words = LastWords::new(|_, _| {
        // Nothing is left to flush: what a command rests on was durable before the command left, the rest is ticks.
    });
    let (ending, strain) = (words.clone(), started.strain.clone());
    let supervisor =
        Supervisor::start(supervisor::Limits::default(), started.take_watched(), move |finding| match finding {
            Finding::Stuck { .. } => ending.end(Ending::Stuck, &format!("{finding:?}")),
            Finding::Died { .. } => ending.end(Ending::Panicked, &format!("{finding:?}")),
            Finding::Slow { .. } => {
                tracing::error!(target: "supervisor", ?finding);
                strain.slow();
            }
            Finding::Recovered { .. } => {
                tracing::warn!(target: "supervisor", ?finding);
                strain.recovered();
            }
        })?;
    let stopped = words.guard(started.run()).await;
    // Before the deciders go: one that is gone looks dead.
    drop(supervisor);
    Ok(stopped)
}

/// What a guardian must know to reach the same broker and the same journal. The database's URL may hold a password and
/// goes by the environment, which a child inherits.
fn guardian_arguments(args: &RunArgs) -> Vec<String> {
    let mut all = vec!["--data-dir".to_owned(), args.data_dir.display().to_string()];
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.extend([name.to_owned(), value]);
        }
    };
    add("--config", args.config.as_ref().map(|path| path.display().to_string()));
    add("--simulator", args.simulator.as_ref().map(|path| path.display().to_string()));
    add("--url", args.url.clone().filter(|_| std::env::var_os("SCALPER_DATABASE_URL").is_none()));
    add("--mode", args.mode.map(|mode| mode.to_string()));
    add("--token-file", args.broker.token_file.as_ref().map(|path| path.display().to_string()));
    add("--rest", Some(args.broker.rest.clone()));
    add("--instruments", Some(args.broker.instruments.clone()));
    add("--feed", Some(args.broker.feed.clone()));
    add("--order-updates", Some(args.broker.order_updates.clone()));
    args.preset.iter().for_each(|preset| add("--preset", Some(preset.clone())));
    all
}

/// A folder that a guardian holds is free again soon.
fn with_guardian(args: &RunArgs, e: StartError) -> anyhow::Error {
    let at_work = post::report(&args.data_dir).filter(|report| !report.is_watching && report.process.is_alive());
    match (&e, at_work) {
        (StartError::Store(StoreError::Refused(Refusal::Locked { .. })), Some(report)) => {
            let (pid, doing) = (report.process.pid, report.text);
            anyhow::Error::new(e).context(format!("the guardian is at work (process {pid}: {doing}); start again soon"))
        }
        _ => e.into(),
    }
}

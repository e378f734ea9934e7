//! A run from its start to its end: operator's socket, health, supervisor, signals.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use sd_notify::NotifyState;
use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{GuardianFrom, RunArgs, reload};
use crate::actors::last_words::{Ending, LastWords};
use crate::actors::supervisor::{self, Finding, Supervisor};
use crate::api::limits::Rates;
use crate::api::server;
use crate::api::state::ApiState;
use crate::api::tokens::Tokens;
use crate::cli::exit::Code;
use crate::clock::SessionClock;
use crate::engine::handle::Outcome;
use crate::engine::runtime::Stopped;
use crate::engine::start::{self, Plan, Role, StartError};
use crate::guardian::post;
use crate::ops::control::SOCKET;
use crate::ops::control::server::ControlServer;
use crate::ops::screen;
use crate::store::error::{Refusal, StoreError};

/// Starts what `plan` describes and stays until it ends.
pub(super) async fn serve(args: &RunArgs, plan: Plan) -> anyhow::Result<Code> {
    let clock = plan.clock.clone();
    let (handle, status, asks) = start::handle(&plan);
    let handle = handle.reading(reload::reader(args, &plan));
    let control = ControlServer::bind(&args.data_dir.join(SOCKET)).await?;
    // A log keeps what is printed there.
    let is_read_by_a_person = std::io::stderr().is_terminal();
    let (tokens, first) = Tokens::open(&args.data_dir, is_read_by_a_person, SessionClock::wall().now())?;
    if let Some(shown) = first.read {
        eprintln!("read token for /health, /metrics and the API, shown once: {}", shown.expose_secret());
    }
    if let Some(shown) = first.admin {
        eprintln!("admin token \"first\" of the API, shown once: {}", shown.expose_secret());
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // A second recorder in one process (tests) keeps the first.
    let _ = ::metrics::set_global_recorder(recorder);
    let rates = Rates::times(args.api_rate);
    let state = ApiState::new(handle.clone(), clock, tokens, metrics, plan.bell.clone(), rates);
    let shelf = state.shelf.clone();
    // Both before the start, which opens sockets and may send: what cannot be had is said while nothing has happened.
    let (listening, http) = server::serve(args.listen, &args.allow_host, state)?;
    if !listening.ip().is_loopback() {
        eprintln!(
            "warning: {listening} is open to other machines and tokens travel in the clear: put a proxy with TLS before it"
        );
    }
    let is_guarded = matches!(plan.role, Role::Engine { guard: Some(_) });
    let mut started = match start::start(plan, status, asks).await {
        Ok(started) => started,
        Err(e) => return Err(with_guardian(args, e)),
    };
    shelf.set(started.shelf()?).expect("set once");
    if is_guarded && args.guardian == GuardianFrom::Run {
        post::start(&args.data_dir, &guardian_arguments(args))
            .with_context(|| format!("the guardian does not start; see {} in the data folder", post::LOG))?;
    }
    // Without a service manager nothing happens.
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&started.summary)]);
    tokio::spawn(control.serve(handle.clone()));
    eprintln!("{}", started.summary);
    eprintln!(
        "API: http://{listening}/api/v2/docs/ (tokens: scalper api-token create --data-dir {})",
        args.data_dir.display()
    );
    eprintln!("health and metrics: http://{listening}/healthz, /health, /metrics");
    eprintln!("scalper status --data-dir {}", args.data_dir.display());
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
    http.stop(true).await;
    match stopped {
        Stopped::Asked => Ok(Code::Ok),
        Stopped::DayOver => {
            let status = handle.status();
            if args.json {
                println!("{}", serde_json::to_string(&*status)?);
            } else {
                print!("{}", screen::status(&status, status.at));
            }
            Ok(Code::Ok)
        }
        Stopped::Halted(halt) => anyhow::bail!("the core must not go on: {halt}"),
        Stopped::Journal(halt) => anyhow::bail!("the journal takes nothing more: {halt}"),
    }
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

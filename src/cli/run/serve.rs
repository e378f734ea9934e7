//! A run from its start to its end: operator's socket, health, supervisor, signals.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::ExposeSecret as _;

use super::RunArgs;
use crate::actors::last_words::{Ending, LastWords};
use crate::actors::supervisor::{self, Finding, Supervisor};
use crate::cli::exit::Code;
use crate::engine::runtime::Stopped;
use crate::engine::start::{self, Plan};
use crate::ops::api_token::ApiToken;
use crate::ops::control::SOCKET;
use crate::ops::control::server::ControlServer;
use crate::ops::http::{self, HttpState};
use crate::ops::screen;

/// Starts what `plan` describes and stays until it ends.
pub(super) async fn serve(args: &RunArgs, plan: Plan) -> anyhow::Result<Code> {
    let clock = plan.clock.clone();
    let (handle, status, asks) = start::handle(&plan);
    let control = ControlServer::bind(&args.data_dir.join(SOCKET)).await?;
    let mut started = start::start(plan, status, asks).await?;
    tokio::spawn(control.serve(handle.clone()));
    let (token, shown) = ApiToken::open(&args.data_dir)?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // A second recorder in one process (tests) keeps the first.
    let _ = ::metrics::set_global_recorder(recorder);
    let state = HttpState { engine: handle.clone(), clock, token, metrics, hosts: [].into() };
    let (listening, http) = http::serve(args.listen, state)?;
    eprintln!("{}", started.summary);
    eprintln!("health and metrics: http://{listening}/healthz, /health, /metrics");
    if let Some(shown) = shown {
        eprintln!("read token for /health and /metrics, shown once: {}", shown.expose_secret());
    }
    eprintln!("scalper status --data-dir {}", args.data_dir.display());
    let stopping = handle.clone();
    actix_rt::spawn(async move {
        stop_signal().await;
        stopping.stop("signal").await;
    });
    let words = LastWords::new(|_, _| {
        // Nothing is left to flush: what a command rests on was durable before the command left, the rest is ticks.
    });
    let ending = words.clone();
    let supervisor =
        Supervisor::start(supervisor::Limits::default(), started.take_watched(), move |finding| match finding {
            Finding::Stuck { .. } => ending.end(Ending::Stuck, &format!("{finding:?}")),
            Finding::Died { .. } => ending.end(Ending::Panicked, &format!("{finding:?}")),
            Finding::Slow { .. } | Finding::Recovered { .. } => tracing::error!(target: "supervisor", ?finding),
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

async fn stop_signal() {
    let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(term) => term,
        Err(e) => {
            tracing::warn!(error = %e, "SIGTERM is not heard");
            tokio::time::sleep(Duration::MAX).await;
            return;
        }
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

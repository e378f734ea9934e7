//! What the endpoints share.

use std::sync::{Arc, Mutex};
use std::time::Instant as Wall;

use arc_swap::ArcSwapOption;
use metrics_exporter_prometheus::PrometheusHandle;

use super::limits::{Limiter, Rates};
use super::problem::Problem;
use super::route::Endpoint;
use super::tokens::Tokens;
use crate::clock::SessionClock;
use crate::engine::bell::Bell;
use crate::engine::handle::{EngineHandle, Outcome};
use crate::ops::once::Once;
use crate::store::audit::Trail;
use crate::store::link::Readers;

/// Commands whose keys are remembered.
const REMEMBERED: usize = 10_000;

/// What the database offers, once the engine has opened it.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// Readers of the API's own: they live on the thread that serves it.
    pub readers: Readers,
    /// Where acts are written down.
    pub trail: Trail,
    /// Rung when somebody tries tokens.
    pub bell: Bell,
}

/// The database of the day that runs, or ran last. Clones share it.
pub type SharedShelf = Arc<ArcSwapOption<Shelf>>;

/// An outcome, and whether the act is in the audit trail.
pub(super) type Carried = (Outcome, bool);

/// What the endpoints share. Clones share it too.
#[derive(Clone)]
pub struct ApiState {
    /// The engine.
    pub engine: EngineHandle,
    /// Session time.
    pub clock: SessionClock,
    /// Who may call.
    pub tokens: Arc<Tokens>,
    /// The metrics registry.
    pub metrics: PrometheusHandle,
    /// How often who may call.
    pub limits: Arc<Limiter>,
    /// The database, once it is open.
    pub shelf: SharedShelf,
    /// `Host` values that are answered; others get 421 (DNS rebinding).
    pub hosts: Arc<[String]>,
    pub(super) endpoints: Arc<[Endpoint]>,
    pub(super) once: Arc<Once<(String, String), String, Carried>>,
    pub(super) rung: Arc<Mutex<Option<Wall>>>,
}

impl ApiState {
    /// The state of a daemon that is about to start.
    pub fn new(
        engine: EngineHandle,
        clock: SessionClock,
        tokens: Tokens,
        metrics: PrometheusHandle,
        shelf: SharedShelf,
        rates: Rates,
    ) -> ApiState {
        ApiState {
            engine,
            clock,
            tokens: Arc::new(tokens),
            metrics,
            limits: Arc::new(Limiter::new(rates)),
            shelf,
            hosts: [].into(),
            endpoints: super::endpoints().into(),
            once: Arc::new(Once::new(REMEMBERED)),
            rung: Arc::default(),
        }
    }

    /// The database.
    ///
    /// # Errors
    /// A problem while the engine is still starting.
    pub(super) fn shelf(&self) -> Result<Arc<Shelf>, Problem> {
        let starting = || Problem::unavailable("STARTING", "the engine has not opened its database yet", 1);
        self.shelf.load_full().ok_or_else(starting)
    }
}

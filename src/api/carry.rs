//! Calls that change something: who, once, against which version, written down (S20, S21, S22).
//!
//! What takes risk away is carried out first and written down after; a database that does not answer never keeps a halt
//! waiting (S25). What adds risk is written down before it is tried, or it is refused.

use std::future::{Future, Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Answer, Problem};
use super::reply;
use super::state::{ApiState, Carried};
use super::tokens::Caller;
use super::views::version;
use crate::engine::handle::{EngineHandle, Outcome};
use crate::ops::once::KeyReused;
use crate::store::audit::Act;

/// Longest key.
const KEY_MAX: usize = 64;
/// The audit trail may take this long; the act is not undone when it takes longer.
const TRAIL_PATIENCE: Duration = Duration::from_secs(2);
/// What the audit trail has as the source of these acts.
const SOURCE: &str = "api";

/// Headers of a command that takes risk away, or leaves it as it is.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes headers that `Wish` reads")]
pub(super) struct Keyed {
    /// A command sent twice with one key is carried out once and answered alike.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    key: String,
    /// ETag of `/api/v2/control` the caller has seen: should that have changed, 412 and nothing happens.
    #[param(rename = "If-Match", required = false, nullable = false)]
    version: Option<String>,
}

/// Headers of a command that adds risk: the version has to be named.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes headers that `Wish` reads")]
pub(super) struct KeyedAndSeen {
    /// A command sent twice with one key is carried out once and answered alike.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    key: String,
    /// ETag of `/api/v2/control` the caller has seen, or `*`. Without it 428; should that have changed, 412 and nothing
    /// happens.
    #[param(rename = "If-Match")]
    version: String,
}

/// Who wants something, with the key and version of the request.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) caller: Caller,
    pub(super) key: String,
    version: Option<String>,
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Caller, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "nobody calls")))
    }
}

impl FromRequest for Wish {
    type Error = Problem;
    type Future = Ready<Result<Wish, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        ready(caller.and_then(|caller| wish(request, caller)))
    }
}

fn wish(request: &HttpRequest, caller: Caller) -> Result<Wish, Problem> {
    let mut keys = request.headers().get_all("idempotency-key");
    let (key, more) = (keys.next().and_then(|key| key.to_str().ok()), keys.next());
    let is_key = |key: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        (1..=KEY_MAX).contains(&key.len()) && key.chars().all(fine)
    };
    let Some(key) = key.filter(|key| is_key(key) && more.is_none()) else {
        let text = "a command needs one Idempotency-Key header of 1 to 64 letters, digits, `.`, `_`, `:` or `-`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "IDEMPOTENCY_KEY", text));
    };
    let versions: Vec<&str> =
        request.headers().get_all(header::IF_MATCH).filter_map(|value| value.to_str().ok()).collect();
    let version = (!versions.is_empty()).then(|| versions.join(","));
    Ok(Wish { caller, key: key.to_owned(), version })
}

/// What is wanted.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    /// The verb, as the audit trail has it.
    pub(super) action: &'static str,
    /// Its arguments, and the reason when one was given. Never a secret.
    pub(super) detail: Value,
    /// It may lead to new positions, looser limits or more room for either.
    pub(super) adds_risk: bool,
}

impl Deed {
    /// Takes risk away, or leaves it as it is.
    pub(super) fn eases(action: &'static str, detail: Value) -> Deed {
        Deed { action, detail, adds_risk: false }
    }
    /// Adds risk.
    pub(super) fn adds(action: &'static str, detail: Value) -> Deed {
        Deed { action, detail, adds_risk: true }
    }
}

/// A command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Done {
    /// What was done in words; `it was so already` when nothing had to be.
    text: String,
    /// Whether the act is in the audit trail. False when the database did not answer.
    audited: bool,
}

impl Wish {
    /// The name under which this caller acts.
    pub(super) fn actor(&self) -> String {
        format!("api:{}", self.caller.name)
    }

    /// A number that is the same for every repetition of this request, in any process.
    pub(super) fn number(&self) -> u64 {
        let mut hasher = blake3::Hasher::new_derive_key("scalper api v2 request number");
        hasher.update(self.caller.name.as_bytes()).update(b"\0").update(self.key.as_bytes());
        let bytes = hasher.finalize();
        u64::from_le_bytes(bytes.as_bytes()[..8].try_into().expect("eight bytes")).max(1)
    }

    /// The version the caller has seen is the one in force.
    fn check(&self, state: &ApiState, deed: &Deed) -> Result<(), Problem> {
        let Some(seen) = &self.version else {
            if deed.adds_risk {
                let text = "say what you have seen: If-Match with the ETag of /api/v2/control, or *";
                return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "NO_VERSION", text));
            }
            return Ok(());
        };
        let current = format!("\"{}\"", version(&state.engine.status()));
        if reply::names(seen, &current) {
            return Ok(());
        }
        let text = "what you have seen is not so any more: read /api/v2/control again";
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "STALE", text))
    }
}

/// Carries a command out, once for its key, and finds the words. It goes on when the caller hangs up.
pub(super) async fn carry_out<F>(
    state: &ApiState,
    wish: Wish,
    deed: Deed,
    run: impl FnOnce(EngineHandle, String) -> F + 'static,
) -> Answer
where
    F: Future<Output = Outcome> + 'static,
{
    let state = state.clone();
    let carried = actix_rt::spawn(async move { once(&state, &wish, deed, run).await }).await;
    let gone = |e| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "BUG", format!("the command did not end: {e}"));
    let (outcome, audited) = carried.map_err(gone)??;
    match outcome {
        Outcome::Done { text } => Ok(HttpResponse::Ok().json(Done { text, audited })),
        Outcome::Refused { code, text } => Err(refusal(&code, text)),
    }
}

async fn once<F: Future<Output = Outcome>>(
    state: &ApiState,
    wish: &Wish,
    deed: Deed,
    run: impl FnOnce(EngineHandle, String) -> F,
) -> Result<Carried, Problem> {
    let what = json!([deed.action, deed.detail]).to_string();
    let slot = state.once.slot(&(wish.caller.name.clone(), wish.key.clone()), what).map_err(|KeyReused| {
        let text = format!("key {:?} was used for another command", wish.key);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "KEY_REUSED", text)
    })?;
    let mut known = slot.lock().await;
    if let Some(carried) = &*known {
        return Ok(carried.clone());
    }
    wish.check(state, &deed)?;
    if deed.adds_risk && !write_down(state, wish, &deed, "asked", json!(null)).await {
        let text = "the audit trail takes nothing, and without it nothing that adds risk is done";
        return Err(Problem::unavailable("NOT_AUDITED", text, 1));
    }
    let outcome = run(state.engine.clone(), wish.actor()).await;
    let audited = write_down(state, wish, &deed, "outcome", json!(outcome)).await;
    let carried = (outcome, audited);
    *known = Some(carried.clone());
    Ok(carried)
}

/// Puts an act into the audit trail; whether it is there.
pub(super) async fn write_down(state: &ApiState, wish: &Wish, deed: &Deed, stage: &str, said: Value) -> bool {
    let detail = json!({ "key": wish.key, "arguments": deed.detail, "stage": stage, "outcome": said });
    write_act(state, wish.actor(), deed.action, detail).await
}

/// The same for acts without a key.
pub(super) async fn write_act(state: &ApiState, actor: String, action: &str, detail: Value) -> bool {
    let at = state.clock.now();
    let (action, detail) = (action.to_owned(), detail.to_string());
    let act = Act { at, actor, source: SOURCE.to_owned(), action, detail };
    let Ok(shelf) = state.shelf() else { return false };
    let written = tokio::time::timeout(TRAIL_PATIENCE, shelf.trail.write(act.clone())).await;
    let is_written = matches!(written, Ok(Ok(_)));
    if !is_written {
        // The log is the only witness then.
        tracing::error!(target: "api", actor = act.actor, action = act.action, detail = act.detail, "not in the audit trail");
    }
    is_written
}

/// The words of the engine as a problem.
fn refusal(code: &str, text: String) -> Problem {
    let status = match code {
        "BUSY" | "ENGINE_GONE" => return Problem::unavailable(code, text, 1),
        "WRONG_PHRASE" | "CONFIG" => StatusCode::UNPROCESSABLE_ENTITY,
        "NO_ANSWER" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, code, text)
}

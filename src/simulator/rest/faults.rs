//! What can go wrong on the way to the broker and back, chosen from outside. The hook is asked on the real path of
//! every call; what it says happens to the call itself: an order whose response is lost was taken.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use scalper_decide::domain::{Age, Instant};

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A call that changes something has arrived; nothing has looked at it.
    BeforeAcceptance,
    /// It was accepted; the answer has not left.
    AfterAcceptance,
    /// A read was answered; the answer has not left.
    Read,
}

/// A call at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment<'a> {
    /// Where it is.
    pub point: Point,
    /// HTTP method.
    pub method: &'a str,
    /// Path below the version, without slashes at its ends: `orders`, `orders/11`.
    pub path: &'a str,
    /// Session time.
    pub now: Instant,
    /// Body of the request.
    pub body: &'a [u8],
    /// Status of the answer that would leave; 0 before acceptance.
    pub http: u16,
    /// Body of the answer that would leave; empty before acceptance.
    pub reply: &'a [u8],
}

/// What becomes of a call or its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The connection is cut without a byte of an answer.
    Lost,
    /// Another answer. Before acceptance the call goes no further.
    Instead {
        /// HTTP status.
        http: u16,
        /// `application/json`, `text/html`.
        kind: &'static str,
        /// Its body; may be empty.
        body: String,
    },
    /// The second half of the body is missing; nothing before acceptance.
    Garbled,
    /// The call is carried out a second time, and answered as it was the first time; nothing elsewhere than after
    /// acceptance.
    Twice,
    /// The second half of the body comes so much later, session time; nothing before acceptance.
    Slow(Age),
}

impl Fate {
    /// The broker is in trouble, in its own shape.
    pub fn server_error(http: u16) -> Fate {
        let body = r#"{"errorType":"Internal_Server_Error","errorCode":"DH-908","errorMessage":"Internal error"}"#;
        Fate::Instead { http, kind: "application/json", body: body.to_owned() }
    }

    /// Too many requests.
    pub fn rate_limited() -> Fate {
        let body = r#"{"errorType":"Rate_Limit","errorCode":"DH-904","errorMessage":"Too many requests"}"#;
        Fate::Instead { http: 429, kind: "application/json", body: body.to_owned() }
    }

    /// A page of the edge in front of the broker.
    pub fn html(http: u16) -> Fate {
        let body = "<html><head><title>Error</title></head><body>The request could not be satisfied</body></html>";
        Fate::Instead { http, kind: "text/html", body: body.to_owned() }
    }

    /// A status and nothing more.
    pub const fn empty(http: u16) -> Fate {
        Fate::Instead { http, kind: "application/json", body: String::new() }
    }
}

/// A delay in session time, then a fate; either may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disturbance {
    /// How long the call, or its answer, waits here.
    pub delay: Age,
    /// What then becomes of it; `None` = it goes on.
    pub fate: Option<Fate>,
}

impl From<Fate> for Disturbance {
    fn from(fate: Fate) -> Disturbance {
        Disturbance { delay: Age::ZERO, fate: Some(fate) }
    }
}

impl Disturbance {
    /// Only a delay.
    pub const fn late(delay: Age) -> Disturbance {
        Disturbance { delay, fate: None }
    }
}

/// Decides what goes wrong.
pub trait FaultHook: Send + Sync {
    /// What happens to this call here; `None` = nothing.
    fn at(&self, moment: &Moment<'_>) -> Option<Disturbance>;
}

/// Nothing goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl FaultHook for NoFaults {
    fn at(&self, _: &Moment<'_>) -> Option<Disturbance> {
        None
    }
}

/// Which call a planned fault is for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    point: Point,
    method: Option<String>,
    /// The path begins with it.
    path: String,
    what: Disturbance,
}

/// A list of faults, each for the next call that fits.
#[derive(Debug, Default)]
pub struct FaultList(Mutex<VecDeque<Planned>>);

impl FaultList {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Planned>> {
        self.0.lock().expect("nothing here panics")
    }

    /// Adds a fault for the next call at `point` whose path begins with `path` ("" fits all) and that has this method,
    /// if one is named. Of several that fit one call, the one added first happens.
    pub fn next(&self, point: Point, method: Option<&str>, path: &str, what: impl Into<Disturbance>) {
        let (method, path, what) = (method.map(str::to_owned), path.to_owned(), what.into());
        self.lock().push_back(Planned { point, method, path, what });
    }

    /// Faults that have not happened.
    pub fn left(&self) -> usize {
        self.lock().len()
    }
}

impl FaultHook for FaultList {
    fn at(&self, moment: &Moment<'_>) -> Option<Disturbance> {
        let mut planned = self.lock();
        let fits = |p: &Planned| {
            p.point == moment.point
                && p.method.as_deref().is_none_or(|method| method == moment.method)
                && moment.path.starts_with(&p.path)
        };
        let place = planned.iter().position(fits)?;
        planned.remove(place).map(|p| p.what)
    }
}

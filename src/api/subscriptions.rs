//! What the feed carries, by what data has confirmed: never by wishes alone (G1-6).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Answer;
use super::reply;
use super::route::group;
use super::state::ApiState;
use crate::market::planner::Tier;
use crate::market::sync::{ClassStanding, SocketStanding, Standing};

group! {
    Read Look subscriptions_status,
}

/// Instruments Dhan lets a client carry: 5 sockets of 5,000.
const CAPACITY: usize = 25_000;

/// The feed's subscriptions as a whole.
#[derive(Debug, Serialize, ToSchema)]
struct SubscriptionsView {
    /// Instruments a client may carry.
    capacity: usize,
    /// Instruments handed to sockets.
    carried: usize,
    /// Of these, instruments data has come of since.
    confirmed: usize,
    /// Instruments without data since they were asked for.
    waiting: usize,
    /// Instruments whose message has not left yet.
    queued: usize,
    /// Instruments the engine itself holds on to: positions, working orders, candidates.
    pinned: usize,
    /// Carried for watchlists.
    tier_a: usize,
    /// Carried always, and what is pinned.
    tier_b: usize,
    /// Instruments without a place, by reason.
    left_out: BTreeMap<String, usize>,
    /// Alarms rung since the start, by key.
    alarms: BTreeMap<String, u64>,
    /// Connections, by number.
    sockets: Vec<SocketView>,
}

/// One connection.
#[derive(Debug, Serialize, ToSchema)]
struct SocketView {
    /// Its number, from 1.
    socket: u8,
    /// Whether it is to be connected.
    is_open: bool,
    /// For how long it is connected.
    up_ms: Option<u64>,
    /// Instruments it is to carry once all messages have left.
    wanted: usize,
    /// Instruments asked for on the wire.
    sent: usize,
    /// Instruments with data since.
    confirmed: usize,
    /// Instruments without.
    waiting: usize,
    /// How long the oldest of them has been waiting.
    oldest_waiting_ms: Option<u64>,
    /// By class of instrument: index, cash, nse_fno, bse_fno, commodity, currency.
    by_class: BTreeMap<String, ClassView>,
}

/// One class of instruments on one connection.
#[derive(Debug, Serialize, ToSchema)]
struct ClassView {
    /// Instruments it was told to carry.
    carried: usize,
    /// Of these, instruments with data since.
    confirmed: usize,
    /// Time since the last packet of the class.
    silent_ms: u64,
    /// For how long it stands still against its own habit, when it does.
    stalled_ms: Option<u64>,
}

impl From<&ClassStanding> for ClassView {
    fn from(class: &ClassStanding) -> ClassView {
        let ClassStanding { handed, confirmed, silent_ms, stalled_ms, .. } = *class;
        ClassView { carried: handed, confirmed, silent_ms, stalled_ms }
    }
}

impl From<&SocketStanding> for SocketView {
    fn from(s: &SocketStanding) -> SocketView {
        SocketView {
            socket: s.socket.0,
            is_open: s.open,
            up_ms: s.up_ms,
            wanted: s.wanted,
            sent: s.sent,
            confirmed: s.confirmed,
            waiting: s.waiting,
            oldest_waiting_ms: s.oldest_waiting_ms,
            by_class: s.by_class.iter().map(|(class, view)| (class.word().to_owned(), view.into())).collect(),
        }
    }
}

impl From<&Standing> for SubscriptionsView {
    fn from(standing: &Standing) -> SubscriptionsView {
        let of = |tier| standing.by_tier.get(&tier).copied().unwrap_or_default();
        SubscriptionsView {
            capacity: CAPACITY,
            carried: standing.sockets.iter().map(|socket| socket.handed).sum(),
            confirmed: standing.confirmed(),
            waiting: standing.sockets.iter().map(|socket| socket.waiting).sum(),
            queued: standing.queued,
            pinned: standing.pinned,
            tier_a: of(Tier::A),
            tier_b: of(Tier::B),
            left_out: standing.left_out.clone(),
            alarms: standing.alarms.clone(),
            sockets: standing.sockets.iter().map(SocketView::from).collect(),
        }
    }
}

/// What the feed carries
///
/// Counts per connection of what was wanted, said on the wire and confirmed by data, and who waits for how long.
#[utoipa::path(get, path = "/api/v2/subscriptions/status", tag = "subscriptions",
    responses((status = 200, body = SubscriptionsView), (status = 304, description = "As the ETag says.")))]
async fn subscriptions_status(request: HttpRequest, state: web::Data<ApiState>) -> Answer {
    reply::read(&request, &SubscriptionsView::from(&*state.engine.status().subscriptions))
}

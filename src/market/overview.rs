//! What the feed would carry on a day, counted: for `scalper plan`. Needs a list and prices, nothing that runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::domain::Instant;
use serde::Serialize;

use super::Key;
use super::master::Master;
use super::planner::{Desired, LeftOut, Limits, Placement, Request, SocketId, Tier, plan};
use super::universe::{Asked, Expanded, Group, PriceOf, Share, Universe, UniverseSettings};

/// One group with its places.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// For people.
    pub name: String,
    /// Symbol of what it is written on.
    pub underlying: String,
    /// What it is of.
    pub share: Share,
    /// Its expiry, of an option chain.
    pub expiry: Option<NaiveDate>,
    /// Its strikes, of an option chain.
    pub strikes: Option<Asked>,
    /// Its instruments.
    pub instruments: usize,
    /// How many of them each socket carries.
    pub per_socket: BTreeMap<SocketId, usize>,
}

/// One tier.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TierTotal {
    /// Different instruments of this tier; what both tiers want counts as tier B.
    pub instruments: usize,
    /// By what it is of. An instrument of two groups counts in both.
    pub by_share: BTreeMap<Share, usize>,
    /// By what it is written on, options of every expiry together with futures and spot.
    pub by_underlying: BTreeMap<String, usize>,
    /// By expiry of option chains.
    pub by_expiry: BTreeMap<String, BTreeMap<NaiveDate, usize>>,
    /// Its groups.
    pub groups: Vec<Line>,
}

/// One socket.
#[derive(Debug, Clone, Serialize)]
pub struct SocketLoad {
    /// Which.
    pub socket: SocketId,
    /// Instruments of tier B.
    pub tier_b: usize,
    /// Instruments of tier A.
    pub tier_a: usize,
    /// Room left.
    pub free: usize,
    /// Subscribe messages.
    pub messages: usize,
}

/// The whole of it.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The day.
    pub day: NaiveDate,
    /// Always on.
    pub tier_b: TierTotal,
    /// What a start asks for by itself.
    pub tier_a: TierTotal,
    /// Instruments in all.
    pub total: usize,
    /// Instruments the sockets may carry.
    pub capacity: usize,
    /// Sockets.
    pub sockets: Vec<SocketLoad>,
    /// Subscribe messages, and when the last may leave after the first, in milliseconds.
    pub messages: usize,
    /// See `messages`.
    pub last_message_ms: i64,
    /// Sockets that would do for it.
    pub sockets_useful: usize,
    /// Owners that do not get all they want.
    pub left_out: Vec<LeftOut>,
    /// What was asked for and is not listed or has no price.
    pub missing: Vec<String>,
}

/// Counts what would be carried over `sockets` sockets by a start on `day`.
pub fn overview(
    master: &Master,
    settings: &UniverseSettings,
    day: NaiveDate,
    sockets: u8,
    price: &dyn Fn(PriceOf<'_>) -> Option<i64>,
) -> Overview {
    let wanted = Universe::new(settings.clone()).expand(master, day, Instant::default(), price);
    let desired = Desired { tier_b: wanted.chains(), tier_a: wanted.entries(), ..Desired::default() };
    let connected: BTreeSet<SocketId> = (1..=sockets).map(SocketId).collect();
    let limits = settings.limits();
    let mut placement = Placement::new();
    let request = Request { desired: &desired, placement: &placement, connected: &connected, limits, rebalance: false };
    let plan = plan(&request);
    let messages = plan.messages(&limits);
    placement.apply(&plan);

    let Expanded { tier_b, tier_a, missing } = wanted;
    let keys_of_b: BTreeSet<Key> = tier_b.iter().flat_map(|group| group.legs.iter().copied()).collect();
    let mut loads: BTreeMap<SocketId, (usize, usize)> = connected.iter().map(|s| (*s, (0, 0))).collect();
    for (key, placed) in &placement.0 {
        let load = loads.entry(placed.socket).or_default();
        if keys_of_b.contains(key) { load.0 += 1 } else { load.1 += 1 }
    }
    let sockets = loads.into_iter().map(|(socket, (tier_b, tier_a))| SocketLoad {
        socket,
        tier_b,
        tier_a,
        free: limits.per_socket.saturating_sub(tier_b + tier_a),
        messages: messages.iter().filter(|m| m.socket == socket).count(),
    });
    let tier = |tier| plan.by_tier.get(&tier).copied().unwrap_or(0);
    Overview {
        day,
        tier_b: total(&tier_b, &placement, tier(Tier::B)),
        tier_a: total(&tier_a, &placement, tier(Tier::A)),
        total: plan.total(),
        capacity: limits
            .total
            .min(limits.per_socket * connected.len())
            .min(limits.per_socket * usize::from(Limits::SOCKETS)),
        sockets: sockets.collect(),
        messages: messages.len(),
        last_message_ms: messages.last().map_or(0, |m| m.after.millis()),
        sockets_useful: plan.sockets_useful,
        left_out: plan.left_out,
        missing,
    }
}

fn total(groups: &[Group], placement: &Placement, instruments: usize) -> TierTotal {
    let mut total = TierTotal { instruments, ..TierTotal::default() };
    for group in groups {
        *total.by_share.entry(group.share).or_default() += group.legs.len();
        *total.by_underlying.entry(group.underlying.clone()).or_default() += group.legs.len();
        if let Some(expiry) = group.expiry {
            *total.by_expiry.entry(group.underlying.clone()).or_default().entry(expiry).or_default() +=
                group.legs.len();
        }
        let mut per_socket = BTreeMap::new();
        for placed in group.legs.iter().filter_map(|key| placement.0.get(key)) {
            *per_socket.entry(placed.socket).or_default() += 1;
        }
        total.groups.push(Line {
            name: group.name.to_string(),
            underlying: group.underlying.clone(),
            share: group.share,
            expiry: group.expiry,
            strikes: group.asked,
            instruments: group.legs.len(),
            per_socket,
        });
    }
    total
}

//! The daemon's feed sockets against the simulated broker: what the broker says it was asked for is what the planner
//! says, through adds, removals, evictions and cuts, and everything of it is confirmed by data (G1-6, G1-7, F-70).
//!
//! `SCALPER_FULL_UNIVERSE=1 cargo test --release --test it subscriptions` does it with 25,000 instruments.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use scalper::actors::lanes::{LaneLimits, Lanes};
use scalper::broker::dhan::credentials::Credentials;
use scalper::broker::dhan::feed::FeedConfig;
use scalper::broker::dhan::wire::request::Mode;
use scalper::config::tables;
use scalper::engine::bell::Bell;
use scalper::engine::inbox::Inbox;
use scalper::engine::publish::Evidence;
use scalper::engine::sockets::{self, SharedEvidence, SocketPlan, Sockets, Watching};
use scalper::market::Key;
use scalper::market::planner::{Chain, Entry, FeedMode, Limits, Pin, PinReason, Placement, Request, SocketId, plan};
use scalper::market::sync::{Handle, Standing};
use scalper::simulator::bars::PastDay;
use scalper::simulator::market::{Listed, Market, MarketDay, MarketError};
use scalper::simulator::server::{Pace, SimServer, SimServerConfig};
use scalper::simulator::sockets::{Door, Kind, SocketFault, Target};
use scalper_decide::domain::{
    Age, BookLevel, Instant, Instrument, InstrumentId, InstrumentKind, LotSize, OptionContract, Premium, Qty, Right,
    Segment, Strike, Tick, TickSource, TimeOfDay, Underlying, Universe,
};
use tokio::sync::watch;

/// For all of a test's steps together: a hang, not a pace.
const PATIENCE: Duration = Duration::from_secs(240);
/// Ticks a second, all instruments together.
const RATE: u32 = 400;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

fn ten() -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap())
}

fn key(id: u32) -> Key {
    (Segment::NseFno, id)
}

/// NIFTY and so many options; each traded before ten, and one after the other trades after it.
struct Wide {
    options: u32,
    has_begun: bool,
}

impl Wide {
    fn instruments(&self) -> Vec<Instrument> {
        let index = InstrumentKind::Index { underlying: Underlying::Nifty };
        let option = |n: u32| {
            let contract = OptionContract {
                underlying: Underlying::Nifty,
                expiry: NaiveDate::from_ymd_opt(2026, 1, 13).unwrap(),
                strike: Strike::from_points(10_000 + i64::from(n / 2)),
                right: if n.is_multiple_of(2) { Right::Call } else { Right::Put },
                lot: LotSize::new(65).unwrap(),
                tick: Premium::from_paise(5),
                max_order_qty: Qty::new(1_755),
            };
            (key(1_000 + n), InstrumentKind::Option(contract))
        };
        let all = std::iter::once(((Segment::IdxI, 13), index)).chain((0..self.options).map(option));
        let instrument = |(slot, ((segment, security_id), kind)): (usize, (Key, InstrumentKind))| Instrument {
            id: InstrumentId(slot as u32),
            segment,
            security_id,
            symbol: format!("wide {security_id}"),
            kind,
        };
        all.enumerate().map(instrument).collect()
    }
}

fn listed(instrument: Instrument) -> Arc<Listed> {
    let (symbol, tick) = (instrument.symbol.clone(), Premium::from_paise(5));
    Arc::new(Listed { instrument, lot: 65, tick, max_qty: 1_755, custom_symbol: symbol.clone(), symbol })
}

fn tick(slot: u32, at: Instant) -> Tick {
    let price = if slot == 0 { 2_565_000 } else { 10_000 + 5 * i64::from(slot % 500) };
    let mut tick = Tick::last_price(InstrumentId(slot), at, at, price, TickSource::Generated);
    if slot > 0 {
        tick.volume = 650;
        tick.oi = 6_500;
        tick.bids[0] = BookLevel::new(Premium::from_paise(price - 5), Qty::new(65));
        tick.asks[0] = BookLevel::new(Premium::from_paise(price + 5), Qty::new(130));
    }
    tick
}

impl Market for Wide {
    fn title(&self) -> String {
        "wide".to_owned()
    }
    fn history(&mut self) -> Result<Vec<PastDay>, MarketError> {
        Ok(Vec::new())
    }
    fn next_day(&mut self) -> Result<Option<MarketDay>, MarketError> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(None);
        }
        let tables = tables::load(None).expect("the shipped tables are sound");
        let slots = self.options + 1;
        let before = (0..slots).map(|slot| tick(slot, ten() - Age::from_secs(1)));
        let gap = Age::from_nanos(1_000_000_000 / i64::from(RATE));
        let after = (0..RATE * 600).map(move |n| tick(n % slots, ten() + Age::from_nanos(gap.nanos() * i64::from(n))));
        Ok(Some(MarketDay {
            hours: tables.calendar.hours(day())?.expect("a trading day"),
            instruments: self.instruments().into_iter().map(listed).collect(),
            ticks: Box::new(before.chain(after).map(Ok)),
            halts: Vec::new(),
            settlements: BTreeMap::new(),
        }))
    }
}

/// The broker and the daemon's sockets.
struct Desk {
    server: SimServer,
    handle: Handle,
    limits: Limits,
    _sockets: Sockets,
    _credentials: watch::Sender<Option<Credentials>>,
}

async fn desk(options: u32, per_socket: usize) -> Desk {
    let config = SimServerConfig { pace: Pace::Scaled(1.0), start_at: Some(ten()), ..SimServerConfig::default() };
    let tables = tables::load(None).expect("the shipped tables are sound");
    let market = Wide { options, has_begun: false };
    let server = SimServer::start(Box::new(market), tables.charges, config).await.unwrap();
    let credentials = Credentials { client_id: server.client_id.clone(), token: server.token.clone() };
    let (keep, credentials) = watch::channel(Some(credentials));
    let feed = FeedConfig { per_socket, ..FeedConfig::new(&server.addresses.feed) };
    let limits = Limits { per_socket, ..Limits::default() };
    let plan = SocketPlan::new(feed, credentials);
    let handle = plan.desk.clone();
    let hours = tables.calendar.hours(day()).unwrap().unwrap();
    let inbox = Inbox::new(Lanes::new(LaneLimits::default()), server.clock.clone());
    let evidence: SharedEvidence = Rc::new(RefCell::new(Evidence::default()));
    let watching = Watching { hours: hours.clone(), bell: Bell::default(), judges: true };
    let sockets = sockets::start(plan, None, &server.clock, &Universe::new(), &inbox, &evidence, watching);
    Desk { server, handle, limits, _sockets: sockets, _credentials: keep }
}

type Asked = BTreeSet<(Key, Mode)>;

impl Desk {
    /// What the planner wants carried with every socket up that is of use.
    fn planned(&self) -> Asked {
        let desired = self.handle.desired();
        let (placement, limits) = (Placement::new(), self.limits);
        let connected = (1..=Limits::SOCKETS).map(SocketId).collect();
        let request =
            Request { desired: &desired, placement: &placement, connected: &connected, limits, rebalance: false };
        let mut placed = Placement::new();
        placed.apply(&plan(&request));
        placed.0.into_iter().map(|(key, placed)| (key, placed.mode.into())).collect()
    }

    /// The broker's own list, by connection.
    fn asked(&self) -> Vec<Asked> {
        self.server.hub.subscribed(Kind::Feed)
    }

    /// Waits until it is so, looking whenever the manager has.
    async fn until(&self, what: &str, mut is: impl FnMut(&Standing) -> bool) -> Arc<Standing> {
        let mut seen = self.handle.watch();
        let waiting = async {
            loop {
                let standing = seen.borrow_and_update().clone();
                if is(&standing) {
                    return standing;
                }
                seen.changed().await.expect("the manager runs");
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(standing) => standing,
            Err(_) => panic!("{what}: after all this time {:#?}", self.handle.standing().sockets),
        }
    }

    /// Waits until the broker's own list is what the planner says, and all of it is confirmed over so many sockets.
    async fn settled(&self, sockets: usize) -> Arc<Standing> {
        let planned = self.planned();
        let mut was_there = false;
        let is_there = |standing: &Standing| {
            let asked = self.asked();
            assert!(asked.iter().all(|asked| asked.len() <= self.limits.per_socket));
            let all = asked.iter().map(BTreeSet::len).sum::<usize>();
            let is_planned = all == planned.len() && asked.into_iter().flatten().collect::<Asked>() == planned;
            let up = standing.sockets.iter().filter(|socket| socket.up_ms.is_some()).count();
            let is_shown = standing.is_confirmed() && standing.confirmed() == planned.len() && up == sockets;
            // Twice: the first look may have been made before the last change.
            std::mem::replace(&mut was_there, is_planned && is_shown) && is_planned && is_shown
        };
        let standing = self.until("settled", is_there).await;
        assert_eq!(self.asked().len(), sockets);
        standing
    }

    fn cut(&self, nth: Option<usize>, fault: SocketFault) -> usize {
        self.server.hub.fault(Target { kind: Some(Kind::Feed), nth }, &fault)
    }
}

fn chain(name: &str, ids: std::ops::Range<u32>) -> Chain {
    Chain { name: name.into(), mode: FeedMode::Full, legs: ids.map(key).collect() }
}

fn entry(id: u64, ids: std::ops::Range<u32>) -> Entry {
    let legs = ids.map(key).collect();
    Entry { user: "anna".into(), id, mode: FeedMode::Quote, legs, last_used: ten() + Age::from_secs(id as i64) }
}

fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

#[test]
fn the_broker_s_list_is_the_planner_s_through_adds_removals_evictions_and_cuts() {
    run(async {
        let desk = desk(3_000, 500).await;
        desk.settled(0).await;
        assert_eq!(desk.server.hub.counters().totals().upgrades, 0, "no socket with nothing to carry");

        desk.handle
            .pin(BTreeMap::from([((Segment::IdxI, 13), Pin { why: PinReason::Candidate, mode: FeedMode::Ticker })]));
        desk.settled(1).await;
        desk.handle.always(vec![chain("NIFTY", 1_000..2_200)]);
        let standing = desk.settled(3).await;
        assert_eq!(standing.by_tier.values().sum::<usize>(), 1_201);
        for id in 0..10 {
            desk.handle.add(entry(id, 2_200 + id as u32 * 100..2_300 + id as u32 * 100));
        }
        desk.settled(5).await;
        assert!(desk.handle.remove(3) && !desk.handle.remove(33));
        desk.settled(5).await;

        // 2,500 is all there is room for: the entries used longest ago go, and come back when there is room again.
        desk.handle.add(entry(20, 3_200..3_800));
        let full = desk.settled(5).await;
        assert_eq!(full.entries[&0].left_out.as_deref(), Some("least_recently_used"));
        assert!(full.left_out["least_recently_used"] >= 200, "{:?}", full.left_out);
        assert!(desk.handle.touch(0, ten() + Age::from_mins(5)));
        let touched = desk.settled(5).await;
        assert_eq!((touched.entries[&0].left_out.as_deref(), touched.entries[&0].confirmed), (None, 100));

        // One cut: what has room goes to the others; the rest returns with the socket. All cut, and the door shut for a
        // while: everything is confirmed again.
        let upgrades = || desk.server.hub.counters().totals().upgrades;
        let before = upgrades();
        assert_eq!(desk.cut(Some(1), SocketFault::Reset), 1);
        desk.until("it is back", |_| upgrades() == before + 1).await;
        desk.settled(5).await;
        desk.server.hub.set_door(Door::Status(503, 3));
        assert_eq!(desk.cut(None, SocketFault::Reset), 5);
        desk.until("they are back", |_| upgrades() == before + 6).await;
        desk.settled(5).await;

        desk.handle.clear(|_| true);
        desk.handle.always(Vec::new());
        desk.handle.pin(BTreeMap::new());
        desk.settled(0).await;
    });
}

#[test]
fn the_last_quote_of_everything_is_there_for_others_and_the_core_hears_of_nothing_it_does_not_know() {
    run(async {
        let desk = desk(50, 5_000).await;
        desk.handle.always(vec![chain("NIFTY", 1_000..1_050)]);
        desk.settled(1).await;
        let quotes = desk.handle.quotes();
        let quote = quotes.get(key(1_007)).expect("it is confirmed");
        assert_eq!((quote.last, quote.bid, quote.ask), (10_040, 10_035, 10_045));
        assert_eq!((quote.bid_qty, quote.ask_qty, quote.oi, quote.socket), (65, 130, 6_500, SocketId(1)));
        assert!(quote.received_at >= ten());
        assert_eq!(quotes.get(key(9_999)), None);
        assert_eq!((quotes.unlisted(), quotes.refused()), (0, 0));
    });
}

#[test]
fn the_full_universe_is_confirmed_and_after_all_five_are_cut_confirmed_again() {
    // S1-2
    if std::env::var_os("SCALPER_FULL_UNIVERSE").is_none() {
        eprintln!("SKIPPED: 25,000 instruments want SCALPER_FULL_UNIVERSE=1 and a release build");
        return;
    }
    run(async {
        let desk = desk(26_000, 5_000).await;
        let began = std::time::Instant::now();
        desk.handle.always(vec![chain("B", 1_000..3_272)]);
        for id in 0..23 {
            desk.handle.add(entry(id, 3_272 + id as u32 * 1_000..(4_272 + id as u32 * 1_000).min(26_000)));
        }
        let standing = desk.settled(5).await;
        eprintln!("{} confirmed on 5 sockets after {:.1} s", standing.confirmed(), began.elapsed().as_secs_f64());
        assert_eq!(standing.confirmed(), 25_000);
        let began = std::time::Instant::now();
        let before = desk.server.hub.counters().totals().upgrades;
        assert_eq!(desk.cut(None, SocketFault::Reset), 5);
        desk.until("they are back", |_| desk.server.hub.counters().totals().upgrades >= before + 5).await;
        desk.settled(5).await;
        eprintln!("all five cut: confirmed again after {:.1} s", began.elapsed().as_secs_f64());
    });
}

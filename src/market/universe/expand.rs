//! Settings, list and prices to groups of instruments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, Segment, Strike, Underlying};
use serde::Serialize;

use super::price_of::{PriceOf, price_of, share};
use super::settings::{ChainLevels, Strikes, UniverseSettings};
use crate::market::Key;
use crate::market::atm::{AtmEngine, ChainSlot, Ladder, NoAtm, Rule};
use crate::market::master::{Kind, Master, UnderlyingId, Venue};
use crate::market::planner::{Chain, Entry, FeedMode, Width, window};

/// The user whose watchlist a start fills by itself.
const PRELOAD: &str = "preload";

/// What a group is of, for totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Values of indices.
    Spot,
    /// INDIA VIX.
    Vix,
    /// Futures on indices.
    IndexFutures,
    /// Options on indices.
    IndexOptions,
    /// Futures on commodities.
    McxFutures,
    /// Options on commodities.
    McxOptions,
    /// Options on shares.
    StockOptions,
    /// Futures on shares.
    StockFutures,
    /// Shares.
    Equities,
}

/// The strikes of a chain, and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Strikes a full window has.
    pub strikes: usize,
    /// Strikes it has.
    pub found: usize,
    /// Strike at the money, paise.
    pub atm: Strike,
}

/// Instruments that belong together: a chain of one expiry, the futures of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// For people: `NIFTY 2026-02-10`.
    pub name: Arc<str>,
    /// Symbol of what it is written on.
    pub underlying: String,
    /// What it is of.
    pub share: Share,
    /// Its expiry, of an option chain.
    pub expiry: Option<NaiveDate>,
    /// Its strikes, of an option chain.
    pub asked: Option<Asked>,
    /// Its instruments.
    pub legs: BTreeSet<Key>,
}

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Expanded {
    /// Always on, most important first.
    pub tier_b: Vec<Group>,
    /// What a start asks for by itself.
    pub tier_a: Vec<Group>,
    /// What was asked for and is not there, and why.
    pub missing: Vec<String>,
}

impl Expanded {
    /// Tier B as the planner takes it.
    pub fn chains(&self) -> Vec<Chain> {
        let chain =
            |group: &Group| Chain { name: Arc::clone(&group.name), mode: FeedMode::Full, legs: group.legs.clone() };
        self.tier_b.iter().map(chain).collect()
    }

    /// The preloaded part of tier A as entries of one watchlist, never looked at so far.
    pub fn entries(&self) -> Vec<Entry> {
        let user: Arc<str> = PRELOAD.into();
        let entry = |(group, id): (&Group, u64)| Entry {
            user: Arc::clone(&user),
            id,
            mode: FeedMode::Full,
            legs: group.legs.clone(),
            last_used: Instant::default(),
        };
        self.tier_a.iter().zip(1..).map(entry).collect()
    }
}

/// Remembers where every window stands, from one look to the next.
#[derive(Debug, Clone)]
pub struct Universe {
    settings: UniverseSettings,
    atm: AtmEngine,
    slots: BTreeMap<(Segment, String, NaiveDate), ChainSlot>,
    stood: BTreeMap<ChainSlot, Strike>,
}

/// One look at list and prices.
struct Look<'a> {
    master: &'a Master,
    day: NaiveDate,
    now: Instant,
    price: &'a dyn Fn(PriceOf<'_>) -> Option<i64>,
    missing: Vec<String>,
}

impl Universe {
    /// Nothing stands anywhere yet.
    pub fn new(settings: UniverseSettings) -> Universe {
        let atm = AtmEngine::new(settings.atm_max_age);
        Universe { settings, atm, slots: BTreeMap::new(), stood: BTreeMap::new() }
    }

    /// What is wanted on `day` at `now`. `price` answers with paise, or `None` where nobody knows.
    pub fn expand(
        &mut self,
        master: &Master,
        day: NaiveDate,
        now: Instant,
        price: &dyn Fn(PriceOf<'_>) -> Option<i64>,
    ) -> Expanded {
        let mut look = Look { master, day, now, price, missing: Vec::new() };
        let tier_b = self.tier_b(&mut look);
        let tier_a = self.tier_a(&mut look);
        Expanded { tier_b, tier_a, missing: look.missing }
    }

    fn tier_b(&mut self, look: &mut Look<'_>) -> Vec<Group> {
        let settings = self.settings.tier_b.clone();
        let mut groups = Vec::new();
        for underlying in settings.chains.keys() {
            groups.extend(spot(look, *underlying));
        }
        if settings.india_vix {
            match look.master.unique(Venue::Nse, Kind::Index, "INDIA VIX") {
                Some(vix) => groups.push(plain("INDIA VIX", "INDIA VIX", Share::Vix, [vix.key()])),
                None => look.missing.push("INDIA VIX: the list does not hold it exactly once".to_owned()),
            }
        }
        for underlying in settings.chains.keys() {
            let segment = underlying.fno_segment();
            groups.extend(futures(look, segment, underlying.symbol(), settings.index_futures, Share::IndexFutures));
        }
        for (underlying, ChainLevels { levels_each_side: each, expiries }) in &settings.chains {
            let strikes = Strikes { below: *each, above: *each };
            let segment = underlying.fno_segment();
            groups.extend(self.options(look, segment, underlying.symbol(), *expiries, strikes, Share::IndexOptions));
        }
        for symbol in &settings.mcx_futures {
            groups.extend(futures(look, Segment::McxComm, symbol, settings.mcx_future_contracts, Share::McxFutures));
        }
        let ChainLevels { levels_each_side: each, expiries } = settings.mcx_option_levels;
        for symbol in &settings.mcx_options {
            let strikes = Strikes { below: each, above: each };
            groups.extend(self.options(look, Segment::McxComm, symbol, expiries, strikes, Share::McxOptions));
        }
        groups
    }

    fn tier_a(&mut self, look: &mut Look<'_>) -> Vec<Group> {
        let settings = self.settings.tier_a.clone();
        let preload = settings.preload;
        let mut groups = Vec::new();
        for (underlying, strikes) in &settings.index_windows {
            let (segment, symbol) = (underlying.fno_segment(), underlying.symbol());
            groups.extend(self.options(look, segment, symbol, preload.index_expiries, *strikes, Share::IndexOptions));
        }
        let with_options = stocks(look.master, look.day);
        if preload.stocks > with_options.len() {
            look.missing.push(format!("{} stocks have options, not {}", with_options.len(), preload.stocks));
        }
        for symbol in with_options.iter().take(preload.stocks) {
            groups.extend(self.options(
                look,
                Segment::NseFno,
                symbol,
                preload.stock_expiries,
                settings.stock_window,
                Share::StockOptions,
            ));
            groups.extend(futures(look, Segment::NseFno, symbol, preload.stock_futures, Share::StockFutures));
        }
        groups.extend(equities(look, &with_options, preload.equities));
        groups
    }

    /// Option chains of the nearest expiries, as many as are listed.
    fn options(
        &mut self,
        look: &mut Look<'_>,
        segment: Segment,
        symbol: &str,
        expiries: usize,
        strikes: Strikes,
        share: Share,
    ) -> Vec<Group> {
        if expiries == 0 {
            return Vec::new();
        }
        let Some(of) = look.master.underlying(segment, symbol) else {
            look.missing.push(format!("{symbol}: no derivatives in {segment}"));
            return Vec::new();
        };
        let listed: Vec<NaiveDate> = look.master.expiries(of, look.day).take(expiries).collect();
        if listed.len() < expiries {
            look.missing.push(format!("{symbol}: {} expiries are listed, not {expiries}", listed.len()));
        }
        let width = Width { below: strikes.below, above: strikes.above, slack: self.settings.slack_strikes };
        let mut groups = Vec::new();
        for expiry in listed {
            match self.chain(look, of, (segment, symbol, expiry), width, share) {
                Ok(group) => groups.push(group),
                Err(why) => look.missing.push(format!("{symbol} {expiry}: {why}")),
            }
        }
        groups
    }

    fn chain(
        &mut self,
        look: &Look<'_>,
        of: UnderlyingId,
        (segment, symbol, expiry): (Segment, &str, NaiveDate),
        width: Width,
        share: Share,
    ) -> Result<Group, NoAtm> {
        let master = look.master;
        let level = price_of(master, of, expiry).and_then(|source| (look.price)(source));
        let next = ChainSlot(self.slots.len());
        let slot = *self.slots.entry((segment, symbol.to_owned(), expiry)).or_insert(next);
        let strikes = master.strikes(of, expiry);
        let near = level.map(Strike::from_paise).or_else(|| self.stood.get(&slot).copied());
        let step = near.and_then(|near| master.step_near(of, expiry, near)).unwrap_or(Strike::from_points(1));
        let ladder = Ladder { expiry, strikes, step, rule: Rule::NearestListed };
        let (atm, _) = self.atm.see(slot, level, &ladder, look.now)?;
        let stood = self.stood.get(&slot).copied();
        let (range, stands) = window(&ladder.strikes, atm, stood, width).ok_or(NoAtm::NotListed)?;
        self.stood.insert(slot, stands);
        let (Some(first), Some(last)) = (ladder.strikes.get(range.start), ladder.strikes.get(range.end - 1)) else {
            return Err(NoAtm::NotListed);
        };
        let inside = |strike: Strike| (*first..=*last).contains(&strike);
        let legs = master.chain(of, expiry).filter(|l| l.strike().is_some_and(inside)).map(|l| l.key()).collect();
        Ok(Group {
            name: format!("{symbol} {expiry}").into(),
            underlying: symbol.to_owned(),
            share,
            expiry: Some(expiry),
            asked: Some(Asked { strikes: width.strikes(), found: range.len(), atm }),
            legs,
        })
    }
}

fn plain(name: &str, underlying: &str, share: Share, legs: impl IntoIterator<Item = Key>) -> Group {
    let (name, underlying) = (name.into(), underlying.to_owned());
    Group { name, underlying, share, expiry: None, asked: None, legs: legs.into_iter().collect() }
}

fn spot(look: &mut Look<'_>, underlying: Underlying) -> Option<Group> {
    let venue = match underlying.fno_segment() {
        Segment::BseFno => Venue::Bse,
        _ => Venue::Nse,
    };
    let symbol = underlying.symbol();
    let found = look.master.unique(venue, Kind::Index, symbol);
    if found.is_none() {
        look.missing.push(format!("{symbol}: the list does not hold the index exactly once"));
    }
    found.map(|index| plain(&format!("{symbol} spot"), symbol, Share::Spot, [index.key()]))
}

/// The nearest futures of one name, as many as are listed.
fn futures(look: &mut Look<'_>, segment: Segment, symbol: &str, contracts: usize, share: Share) -> Option<Group> {
    if contracts == 0 {
        return None;
    }
    let of = look.master.underlying(segment, symbol);
    let legs: BTreeSet<Key> =
        of.into_iter().flat_map(|of| look.master.futures(of, look.day)).take(contracts).map(|l| l.key()).collect();
    if legs.len() < contracts {
        look.missing.push(format!("{symbol}: {} futures are listed, not {contracts}", legs.len()));
    }
    (!legs.is_empty()).then(|| plain(&format!("{symbol} futures"), symbol, share, legs))
}

/// Stocks with options at NSE whose share is known, by symbol.
fn stocks(master: &Master, day: NaiveDate) -> Vec<String> {
    let mut symbols: Vec<String> = master
        .underlyings()
        .filter(|(_, segment, _)| *segment == Segment::NseFno)
        .filter(|(of, _, symbol)| {
            let kind = master.expiries(*of, day).next().and_then(|e| master.chain(*of, e).next()).map(|l| l.kind());
            kind == Some(Kind::OptStk) && share(master, Venue::Nse, symbol).is_some()
        })
        .map(|(.., symbol)| symbol.to_owned())
        .collect();
    symbols.sort_unstable();
    symbols
}

/// Shares of series EQ: those with options first, then by symbol. One group, because a share is no chain.
fn equities(look: &mut Look<'_>, with_options: &[String], most: usize) -> Option<Group> {
    if most == 0 {
        return None;
    }
    let mut shares: Vec<(bool, &str, Key)> = look
        .master
        .segment(Segment::NseEq)
        .filter(|l| l.kind() == Kind::Equity && l.series() == "EQ")
        .map(|l| (with_options.binary_search_by(|s| s.as_str().cmp(l.symbol())).is_err(), l.symbol(), l.key()))
        .collect();
    shares.sort_unstable();
    if shares.len() < most {
        look.missing.push(format!("{} shares of series EQ are listed, not {most}", shares.len()));
    }
    let legs: Vec<Key> = shares.into_iter().take(most).map(|(.., key)| key).collect();
    (!legs.is_empty()).then(|| plain("EQ", "EQ", Share::Equities, legs))
}

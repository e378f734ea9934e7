//! What settings, list and prices come to.

use std::collections::BTreeMap;

use scalper_decide::domain::{Instant, Segment, Strike, Underlying};

use super::*;
use crate::config;
use crate::market::master::{Kind, Master};
use crate::market::planner::{Desired, Limits, Placement, Request, SocketId, plan};
use crate::market::sample::{DAY, Sample, Size};

fn settings(presets: &[&str]) -> UniverseSettings {
    let presets: Vec<String> = presets.iter().map(|p| (*p).to_owned()).collect();
    config::load_with(None, std::iter::empty(), &presets).unwrap_or_else(|e| panic!("{e}")).universe
}

fn market() -> (Master, BTreeMap<String, i64>) {
    let sample = Sample::new(7, Size::SAMPLE);
    let master = Master::read(sample.compact().as_bytes(), DAY).unwrap();
    (master, sample.levels().iter().cloned().collect())
}

fn expand(settings: UniverseSettings, master: &Master, levels: &BTreeMap<String, i64>) -> Expanded {
    let price = |of: PriceOf<'_>| levels.get(of.symbol).copied();
    Universe::new(settings).expand(master, DAY, Instant::from_secs(0), &price)
}

fn by_share(groups: &[Group]) -> BTreeMap<Share, usize> {
    let mut counts = BTreeMap::new();
    for group in groups {
        *counts.entry(group.share).or_default() += group.legs.len();
    }
    counts
}

#[test]
fn tier_b_is_counted_from_the_list() {
    // ten levels each side are 21 strikes, 42 contracts..
    let (master, levels) = market();
    let wanted = expand(settings(&[]), &master, &levels);
    assert_eq!(wanted.missing, [""; 0]);
    assert!(wanted.tier_a.is_empty());
    let chains: Vec<&Group> = wanted.tier_b.iter().filter(|g| g.share == Share::IndexOptions).collect();
    assert_eq!(chains.len(), 4 + 2 + 4 + 2 + 2 + 2);
    assert!(chains.iter().all(|g| g.legs.len() == 42 && g.asked.unwrap().strikes == 21));
    let counts = by_share(&wanted.tier_b);
    assert_eq!(counts[&Share::IndexOptions], 16 * 42);
    assert_eq!((counts[&Share::Spot], counts[&Share::Vix], counts[&Share::IndexFutures]), (6, 1, 12));
    assert_eq!((counts[&Share::McxFutures], counts[&Share::McxOptions]), (10, 2 * 2 * 22));
}

#[test]
fn the_shape_of_the_fourth_system_has_42_contracts_an_expiry_and_says_what_is_not_listed() {
    // S4-4
    let (master, levels) = market();
    let wanted = expand(settings(&["universe-s4"]), &master, &levels);
    let of = |symbol: &str| {
        let groups = wanted.tier_b.iter().filter(|g| g.underlying == symbol && g.asked.is_some());
        groups.map(|g| g.legs.len()).collect::<Vec<_>>()
    };
    assert!(of("NIFTY").iter().all(|legs| *legs == 42) && of("NIFTY").len() == 9, "{:?}", of("NIFTY"));
    assert_eq!(of("BANKNIFTY"), [42; 3]);
    assert_eq!((of("CRUDEOIL"), of("NATURALGAS")), (vec![22; 2], vec![22; 2]));
    assert!(wanted.missing.contains(&"NIFTY: 9 expiries are listed, not 15".to_owned()), "{:?}", wanted.missing);
    assert!(wanted.missing.contains(&"BANKNIFTY: 3 expiries are listed, not 9".to_owned()));
    assert!(wanted.tier_b.iter().all(|g| !matches!(g.share, Share::Vix | Share::IndexFutures | Share::McxFutures)));
}

#[test]
fn watchlist_windows_are_those_of_the_requirements() {
    // S1-12, S1-13, X-8
    let windows = settings(&[]).tier_a.index_windows;
    let strikes = |u: Underlying| windows[&u].below + 1 + windows[&u].above;
    assert_eq!([Underlying::Nifty, Underlying::BankNifty, Underlying::Sensex].map(strikes), [101; 3]);
    assert_eq!([Underlying::FinNifty, Underlying::MidcpNifty, Underlying::Bankex].map(strikes), [50; 3]);
    let stock = settings(&[]).tier_a.stock_window;
    assert_eq!((stock.below, stock.above), (12, 12));
}

#[test]
fn the_full_universe_is_planned_over_sockets_and_its_total_is_a_count() {
    let (master, levels) = market();
    let wanted = expand(settings(&["full-universe"]), &master, &levels);
    let counts = by_share(&wanted.tier_a);
    assert_eq!(counts[&Share::StockOptions], 20 * 50, "25 strikes of 20 stocks");
    assert_eq!((counts[&Share::StockFutures], counts[&Share::Equities]), (20, 400));
    assert!(wanted.missing.contains(&"20 stocks have options, not 200".to_owned()), "{:?}", wanted.missing);
    let desired = Desired { tier_b: wanted.chains(), tier_a: wanted.entries(), ..Desired::default() };
    let connected = (1..=Limits::SOCKETS).map(SocketId).collect();
    let limits = settings(&["full-universe"]).limits();
    let placement = Placement::new();
    let plan =
        plan(&Request { desired: &desired, placement: &placement, connected: &connected, limits, rebalance: false });
    let different: std::collections::BTreeSet<_> =
        wanted.tier_b.iter().chain(&wanted.tier_a).flat_map(|g| g.legs.iter().copied()).collect();
    assert_eq!((plan.total(), plan.left_out.len()), (different.len(), 0));
}

#[test]
fn a_chain_without_a_price_is_missing_and_not_guessed() {
    let (master, mut levels) = market();
    levels.remove("BANKNIFTY");
    levels.insert("CRUDEOIL".to_owned(), 0);
    let wanted = expand(settings(&[]), &master, &levels);
    let none = "there is no price, so there are no strikes";
    assert!(wanted.missing.iter().filter(|m| m.starts_with("BANKNIFTY") && m.ends_with(none)).count() == 2);
    assert!(wanted.missing.iter().any(|m| m.starts_with("CRUDEOIL") && m.ends_with("a price of 0 paise is none")));
    assert!(!wanted.tier_b.iter().any(|g| g.underlying == "BANKNIFTY" && g.asked.is_some()));
}

#[test]
fn a_commodity_is_priced_by_the_future_behind_its_option_and_an_index_by_its_value() {
    let (master, _) = market();
    let crude = master.underlying(Segment::McxComm, "CRUDEOIL").unwrap();
    for expiry in master.expiries(crude, DAY).collect::<Vec<_>>() {
        let source = price_of(&master, crude, expiry).unwrap();
        assert_eq!((source.kind, source.symbol), (Kind::FutCom, "CRUDEOIL"));
        let future = master.get(source.key).unwrap().expiry().unwrap();
        assert!(future >= expiry && (future - expiry).num_days() < 10, "{future} behind {expiry}");
    }
    let nifty = master.underlying(Segment::NseFno, "NIFTY").unwrap();
    let near = master.expiries(nifty, DAY).next().unwrap();
    assert_eq!(price_of(&master, nifty, near).unwrap().key, (Segment::IdxI, 13));
}

#[test]
fn a_window_stands_until_the_money_has_left_its_slack() {
    let (master, levels) = market();
    let mut universe = Universe::new(settings(&[]));
    let mut legs = |nifty: i64, secs: i64| {
        let price = |of: PriceOf<'_>| if of.symbol == "NIFTY" { Some(nifty) } else { levels.get(of.symbol).copied() };
        let wanted = universe.expand(&master, DAY, Instant::from_secs(secs), &price);
        wanted.tier_b.into_iter().find(|g| g.name.starts_with("NIFTY 2026")).unwrap()
    };
    let first = legs(2_590_000, 0);
    let near = legs(2_605_000, 1);
    assert_eq!(near.asked.unwrap().atm, Strike::from_points(26_050), "the money moved three strikes");
    assert_eq!(near.legs, first.legs, "the window did not");
    let far = legs(2_610_000, 2);
    assert_eq!(far.legs.difference(&first.legs).count(), 2 * 4);
}

#[test]
fn settings_come_from_the_environment_and_wrong_ones_are_named_with_their_place() {
    let env = [("SCALPER__UNIVERSE__TIER_B__CHAINS__NIFTY__EXPIRIES", "1")];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = config::load(None, env).unwrap_or_else(|e| panic!("{e}")).universe;
    assert_eq!(settings.tier_b.chains[&Underlying::Nifty].expiries, 1);
    assert_eq!(settings.tier_b.chains[&Underlying::Sensex].expiries, 4);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("algo.yml");
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        config::load(Some(&file), std::iter::empty()).unwrap_err().to_string()
    };
    let error = refused("universe:\n  tier_b:\n    mcx_futures: {symbols: [crude, CRUDEOIL, CRUDEOIL]}\n");
    for part in
        ["algo.yml:3:", "universe.tier_b.mcx_futures.symbols", "\"crude\" is no symbol", "CRUDEOIL stands here twice"]
    {
        assert!(error.contains(part), "{part} in {error}");
    }
    let error = refused("universe: {tier_a: {stock_window: {below: 12, abov: 12}}}\n");
    assert!(error.contains("unknown key (did you mean `above`?)"), "{error}");
    let error = refused("universe: {tier_b: {chains: {NIFTYNXT50: {expiries: 1}}}}\n");
    assert!(error.contains("NIFTYNXT50"), "{error}");
}

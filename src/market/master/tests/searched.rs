//! What a search finds first.

use proptest::prelude::*;

use super::*;

fn market() -> Master {
    let option = |id: u32, symbol: &str, expiry: &str, strike: u32, right: &str| {
        format!(
            "NSE,D,{id},OPTIDX,0,{symbol}-Feb2026-{strike}-{right},65.0,x,{expiry} 14:30:00,{strike}.00000,{right},5.0000,W,OP,,"
        )
    };
    let share = |id: u32, symbol: &str, name: &str| {
        format!("NSE,E,{id},EQUITY,0,{symbol},1.0,{name},,,,5.0000,NA,ES,EQ,{name}")
    };
    let rows = [
        INDEX.to_owned(),
        FUTURE.to_owned(),
        option(1, "NIFTYNXT50", "2026-02-24", 70_000, "CE"),
        option(2, "NIFTY", "2026-02-17", 25_800, "CE"),
        option(3, "NIFTY", "2026-02-24", 25_800, "CE"),
        option(4, "NIFTY", "2026-02-24", 25_800, "PE"),
        option(5, "BANKNIFTY", "2026-02-24", 60_000, "CE"),
        share(10, "NIFTYBEES", "Nippon Nifty 50 ETF"),
        share(11, "RELIANCE", "Reliance Industries"),
        share(12, "RELINFRA", "Reliance Infrastructure"),
    ];
    compact(&rows.iter().map(String::as_str).collect::<Vec<_>>())
}

fn found(master: &Master, query: &str) -> Vec<u32> {
    master.search(query, 20, &Filter::default()).iter().map(|l| l.key().1).collect()
}

#[test]
fn the_symbol_itself_comes_before_what_begins_with_it_and_that_before_what_holds_it() {
    // G1-21
    let master = market();
    assert_eq!(found(&master, "nifty"), [13, 58_072, 2, 3, 4, 10, 1, 5]);
    assert_eq!(found(&master, "RELIANCE"), [11, 12], "a name is searched too");
    assert_eq!(found(&master, "infra"), [12]);
    assert_eq!(found(&master, "nothing of the kind"), [0; 0]);
    assert_eq!(found(&master, "  "), [0; 0]);
}

#[test]
fn every_word_counts_and_days_calls_and_puts_are_understood() {
    let master = market();
    assert_eq!(found(&master, "nifty 25800 put"), [4]);
    assert_eq!(found(&master, "nifty 24 25800"), [3, 4]);
    assert_eq!(found(&master, "NIFTY 2026-02-17"), [2]);
    assert_eq!(found(&master, "25800 17FEB2026"), [2]);
    assert_eq!(found(&master, "nifty fut"), [58_072]);
}

#[test]
fn a_search_is_narrowed_and_cut() {
    let master = market();
    let only = |filter: Filter| master.search("nifty", 20, &filter).len();
    assert_eq!(only(Filter { segment: Some(Segment::NseEq), ..Filter::default() }), 1);
    assert_eq!(only(Filter { kind: Some(Kind::Index), ..Filter::default() }), 1);
    assert_eq!(only(Filter { from: Some(date(2026, 2, 18)), ..Filter::default() }), 7);
    assert_eq!(master.search("nifty", 2, &Filter::default()).len(), 2);
    assert_eq!(master.search("nifty", 0, &Filter::default()).len(), 0);
}

proptest! {
    #[test]
    fn a_search_finds_exactly_what_a_look_at_every_row_finds(query in "[A-Z0-9]{1,4}") {
        prop_assume!(query.parse::<u32>().is_err() || query.len() > 2);
        prop_assume!(!matches!(query.as_str(), "CALL" | "PUT" | "PUTS"));
        let master = market();
        let mut want: Vec<Key> = master
            .iter()
            .filter(|l| {
                let name = if l.expiry().is_none() { l.name() } else { String::new() };
                l.symbol().to_ascii_uppercase().contains(&query) || name.to_ascii_uppercase().contains(&query)
            })
            .map(|l| l.key())
            .collect();
        let mut got: Vec<Key> = master.search(&query, 100, &Filter::default()).iter().map(|l| l.key()).collect();
        want.sort_unstable();
        got.sort_unstable();
        prop_assert_eq!(got, want);
    }
}

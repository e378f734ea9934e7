//! Lists, subscriptions and their log on both databases (S1-30 to S1-33, F-28, G1-9 to G1-12, G1-16, S4-11).

use std::path::Path;

use scalper::store::Store;
use scalper::store::place::StoreUrl;
use scalper::store::subscriptions::{self as subs, Action, AtTheMoney, Leg, NewEntry, Tier};
use scalper_decide::domain::{Instant, Segment};

use super::conformance::options;

fn leg(security_id: u32) -> Leg {
    Leg {
        segment: Segment::NseFno,
        security_id,
        symbol: format!("RELIANCE-{security_id}"),
        expiry: "2026-02-24".to_owned(),
        strike_paise: Some(i64::from(security_id) * 100),
        kind: "OPTSTK".to_owned(),
    }
}

fn entry(user: &str, ids: &[u32]) -> NewEntry {
    NewEntry {
        user: user.to_owned(),
        symbol: "RELIANCE".to_owned(),
        expiry: "2026-02-24".to_owned(),
        kind: "STOCK_OPTION".to_owned(),
        legs: ids.iter().copied().map(leg).collect(),
    }
}

fn at(secs: i64) -> Instant {
    Instant::from_secs(secs)
}

/// What is subscribed: token, tier, owners.
async fn set(store: &Store) -> Vec<(u32, Tier, u32)> {
    let all = subs::subscribed(store.readers()).await.unwrap();
    all.iter().map(|s| (s.leg.security_id, s.tier, s.owners)).collect()
}

pub(super) async fn subscriptions(dir: &Path, url: &StoreUrl) {
    let store = Store::open(&options(dir, url)).await.unwrap();
    let why = || "test".to_owned();
    // Two users watch overlapping chains; an index chain that is always on shares a leg with them.
    let first = store.watch_add(entry("asha", &[1, 2]), at(1)).await.unwrap().unwrap();
    assert_eq!((first.order, first.user.as_str()), (1, "asha"));
    assert_eq!(store.watch_add(entry("asha", &[1, 2, 3]), at(2)).await.unwrap(), None, "unique per user");
    let second = store.watch_add(entry("ravi", &[2, 3]), at(3)).await.unwrap().unwrap();
    assert_eq!(store.claim("index:NIFTY".to_owned(), Tier::B, vec![leg(3), leg(4)], at(4), why()).await.unwrap(), 1);
    assert_eq!(set(&store).await, [(1, Tier::A, 1), (2, Tier::A, 2), (3, Tier::B, 2), (4, Tier::B, 1)]);
    // Claimed twice is claimed once.
    assert_eq!(store.claim("index:NIFTY".to_owned(), Tier::B, vec![leg(4)], at(5), why()).await.unwrap(), 0);
    assert_eq!(set(&store).await.last(), Some(&(4, Tier::B, 1)));

    // Sockets, and the move of one.
    let fno = |id| (Segment::NseFno, id);
    assert!(store.carry_over(fno(1), 2, at(6), why()).await.unwrap());
    assert!(store.carry_over(fno(1), 5, at(7), why()).await.unwrap());
    assert!(!store.carry_over(fno(9), 1, at(7), why()).await.unwrap());
    assert!(store.carry_over(fno(1), 6, at(8), why()).await.is_err(), "there are five");
    let sockets: Vec<_> = subs::subscribed(store.readers()).await.unwrap().iter().map(|s| s.socket).collect();
    assert_eq!(sockets, [Some(5), None, None, None]);

    // Another user's removal takes nothing away from anybody, and the legs are those of the day it was added.
    let gone = store.watch_remove(first.id, Action::Evict, at(9), why()).await.unwrap().unwrap();
    assert_eq!(gone, [fno(1)]);
    assert_eq!(store.watch_remove(first.id, Action::Evict, at(9), why()).await.unwrap(), None);
    assert_eq!(set(&store).await, [(2, Tier::A, 1), (3, Tier::B, 2), (4, Tier::B, 1)]);
    // What was always on falls back to the tier of whoever still needs it.
    assert_eq!(store.release("index:NIFTY".to_owned(), Action::Cleanup, at(10), why()).await.unwrap(), [fno(4)]);
    assert_eq!(set(&store).await, [(2, Tier::A, 1), (3, Tier::A, 1)]);

    store.watch_used(second.id, at(20)).await.unwrap();
    store.watch_used(second.id, at(11)).await.unwrap();
    store.close().await;
    // A restart goes on with all of it.
    let store = Store::open(&options(dir, url)).await.unwrap();
    let entries = subs::entries(store.readers(), None).await.unwrap();
    assert_eq!(entries.iter().map(|e| (e.user.as_str(), e.used_at)).collect::<Vec<_>>(), [("ravi", at(20))]);
    assert!(subs::entries(store.readers(), Some("asha")).await.unwrap().is_empty());
    assert_eq!(set(&store).await.len(), 2);
    let again = store.watch_add(entry("asha", &[1]), at(30)).await.unwrap().unwrap();
    assert_ne!(again.id, second.id);
    assert_eq!(set(&store).await[0], (1, Tier::A, 1));
    let back = subs::subscribed(store.readers()).await.unwrap().remove(0);
    assert_eq!((back.since, back.socket), (at(30), None), "it begins anew, and waits for a socket");

    let (lines, total) = subs::log_lines(store.readers(), 0, 3).await.unwrap();
    let told: Vec<_> = lines.iter().map(|l| (l.action.name(), l.security_id, l.socket)).collect();
    assert_eq!(told, [("SUBSCRIBE", 1, None), ("EOD_CLEANUP", 4, None), ("RATE_LIMIT_EVICT", 1, Some(5))]);
    assert_eq!(total, 8, "four began, one moved, two ended, one began again");
    let (older, _) = subs::log_lines(store.readers(), 3, 1).await.unwrap();
    assert_eq!((older[0].action, older[0].socket), (Action::Move, Some(5)));

    let strikes = |atm: i64| AtTheMoney {
        underlying: "NIFTY".to_owned(),
        expiry: "2026-02-10".to_owned(),
        level_paise: atm + 7,
        atm_paise: atm,
        step_paise: 5_000,
        cached_at: at(atm),
        strikes_paise: vec![atm - 5_000, atm, atm + 5_000],
    };
    for atm in [2_560_000, 2_565_000] {
        store.save_atm(strikes(atm)).await.unwrap();
    }
    let kept = subs::load_atm(store.readers(), "NIFTY", "2026-02-10").await.unwrap();
    assert_eq!(kept, Some(strikes(2_565_000)));
    assert_eq!(subs::load_atm(store.readers(), "NIFTY", "2026-02-17").await.unwrap(), None);
    store.close().await;
}

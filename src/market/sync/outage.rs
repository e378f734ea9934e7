//! The broker is away for an hour, in virtual time: the real clients of five sockets try, and what they try is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scalper_decide::domain::Instant;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use super::tests::chain;
use super::{Expected, Handle, Link, Settings, run};
use crate::broker::dhan::feed::{FeedConfig, FeedEvent, MarketFeed};
use crate::broker::dhan::socket::test_server::some;
use crate::broker::dhan::socket::{LinkState, Piper, SocketConfig};
use crate::clock::SessionClock;
use crate::market::planner::{Limits, SocketId};

#[test]
fn an_hour_s_outage_makes_a_bounded_number_of_attempts_and_they_never_stop() {
    // G1-13, issue 4: the session clock runs beside the wall clock here, both virtual.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let dials = Arc::new(Mutex::new(Vec::new()));
    let shut = Arc::clone(&dials);
    LocalSet::new().block_on(&runtime, async move {
        let begin = tokio::time::Instant::now();
        let piper = Piper(Arc::new(move || {
            shut.lock().unwrap().push(begin.elapsed());
            tokio::io::duplex(64).0
        }));
        let socket = SocketConfig { pipe: Some(piper), ..SocketConfig::new("ws://away/feed") };
        let config = FeedConfig { socket, ..FeedConfig::new("ws://away/feed") };
        let clock = SessionClock::scaled(Instant::from_secs(1_770_000_000), 1.0);
        let (_keep, credentials) = watch::channel(Some(some("token")));
        let (_open, expected) = watch::channel(true);
        let (feed, reins) = MarketFeed::led(config, clock, credentials, expected);
        let handle = Handle::new();
        let reports = feed.reports();
        let told = handle.clone();
        let failures = Arc::new(AtomicU64::new(0));
        let failed = Arc::clone(&failures);
        spawn_local(feed.run(move |event| {
            if let FeedEvent::State { socket, report } = event
                && report.state == LinkState::Down
                && report.connects == 0
            {
                failed.fetch_add(1, Ordering::Relaxed);
                told.link(SocketId(socket as u8 + 1), Link::Down { in_vain: true });
            }
        }));
        handle.always(vec![chain("ALL", 0..500)]);
        let limits = Limits { per_socket: 100, ..Limits::default() };
        let settings = Settings { limits, ..Settings::default() };
        spawn_local(run(handle.clone(), settings, reins, reports, || Expected::ALL, |_, _| {}, |_| {}));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(failures.load(Ordering::Relaxed) > 0);
    });
    let dials = dials.lock().unwrap();
    let in_minute = |minute: u64| dials.iter().filter(|at| at.as_secs() / 60 == minute).count();
    assert!(
        (0..60).all(|minute| (3..=30).contains(&in_minute(minute))),
        "{:?}",
        (0..60).map(in_minute).collect::<Vec<_>>()
    );
    // One socket tries for all, every 7.5 to 15 seconds.
    assert!((240..=520).contains(&dials.len()), "{}", dials.len());
}

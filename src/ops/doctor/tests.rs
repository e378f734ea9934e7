//! Each check broken in turn (N16): those of the account at the simulator, the others by what they look at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::{Age, Instant, Money};
use scalper_decide::rate_budget::OrderUsage;

use super::checks;
use super::*;
use crate::broker::dhan::rest::account::Profile;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::budget_log;
use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::endpoints::Endpoints;
use crate::broker::dhan::rest::token::{CheckedToken, TokenKeeper, TokenSource};
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::{Fault, Paper};
use crate::config;
use crate::engine::status::{GuardianStatus, Mode, Status};
use crate::simulator::limits::RateLimits;
use crate::simulator::market::{GeneratedMarket, GeneratedSpec};
use crate::simulator::server::{Pace, SimServer, SimServerConfig};

fn verdict(checks: &[Check], name: &str) -> Verdict {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}")).verdict
}

struct Bench {
    server: SimServer,
    patient: Patient,
    _dir: tempfile::TempDir,
}

/// A live account at a simulator that stands in the first session, and everything is right.
async fn bench() -> Bench {
    let config = config::load(None, std::iter::empty()).unwrap();
    let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
    let open = config.tables.calendar.hours(day).unwrap().unwrap().open_at();
    let spec =
        GeneratedSpec { history_days: 1, indices: config.params.indices.clone(), ..GeneratedSpec::usual(1, day) };
    let market = GeneratedMarket::new(spec, &config.tables.calendar, &config.tables.contracts).unwrap();
    let sim = SimServerConfig { pace: Pace::Max, start_at: Some(open), ..SimServerConfig::default() };
    let server = SimServer::start(Box::new(market), config.tables.charges.clone(), sim).await.unwrap();
    let clock = server.clock.clone();
    let token = CheckedToken::new(&server.client_id, server.token.clone()).unwrap();
    let keeper = Arc::new(TokenKeeper::new((token, TokenSource::Command), None, clock.clone()));
    let ends = Endpoints::at_simulator(&server.addresses.rest).unwrap();
    let limits = Limits { first_wait: Duration::from_millis(1), ..Limits::default() };
    let client: Client<Paper> = Client::for_paper(ends, keeper.subscribe(), Arc::new(Unlimited), limits).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("instruments.csv"), "line\n".repeat(1_000)).unwrap();
    let at = AtBroker { keeper, reads: Arc::new(client) };
    let patient = Patient::new(Mode::Live, Ok(at), clock, dir.path().to_owned(), &config);
    Bench { server, patient, _dir: dir }
}

impl Bench {
    /// Every check, at a broker that has forgotten how often it was asked.
    async fn examine(&self) -> Vec<Check> {
        self.examine_beside(None).await
    }

    /// The same beside a running engine.
    async fn examine_beside(&self, status: Option<&Status>) -> Vec<Check> {
        self.server.desk.with_limits(|_, _, rates, _| *rates = RateLimits::default()).unwrap();
        self.patient.examine(status).await
    }
}

#[actix_rt::test]
async fn a_good_account_passes_every_check_and_each_thing_that_breaks_there_fails_its_own() {
    // N16
    let mut bench = bench().await;
    let good = bench.examine().await;
    assert_eq!(failures(&good).collect::<Vec<_>>(), Vec::<&Check>::new(), "{}", table(&good));
    for name in ["clock", "token", "account", "data plan", "segments", "address", "funds", "rate budget", "instruments"]
    {
        assert_eq!(verdict(&good, name), Verdict::Ok, "{name}");
    }

    let at = |broken: &[Check], names: &[&str]| {
        let failed: Vec<&str> = failures(broken).map(|check| check.name.as_str()).collect();
        assert_eq!(failed, names, "{}", table(broken));
        assert!(failures(broken).all(|check| !check.evidence.is_empty() && !check.remedy.is_empty()));
    };
    bench.server.desk.with(|_, account, _| account.data_plan = false).unwrap();
    at(&bench.examine().await, &["data plan"]);
    bench.server.desk.with(|_, account, _| account.data_plan = true).unwrap();

    let kept = bench.server.desk.with(|_, account, _| std::mem::take(&mut account.addresses)).unwrap();
    at(&bench.examine().await, &["address"]);
    bench.server.desk.with(|_, account, _| account.addresses = kept).unwrap();

    bench.patient.balance = Some(Money::from_rupees(1_000_000_000));
    at(&bench.examine().await, &["funds"]);
    bench.patient.balance = Some(Money::from_rupees(1));

    let mut status = Status::starting(Mode::Live, "test", "", bench.patient.clock.now());
    at(&bench.examine_beside(Some(&status)).await, &["guardian"]);
    let seen = |is_alive| Some(GuardianStatus { is_alive, pid: Some(1), text: "watching".to_owned() });
    status.guardian = seen(false);
    at(&bench.examine_beside(Some(&status)).await, &["guardian"]);
    status.guardian = seen(true);
    at(&bench.examine_beside(Some(&status)).await, &[]);

    std::fs::write(&bench.patient.list, "cut off").unwrap();
    at(&bench.examine().await, &["instruments"]);
    std::fs::remove_file(&bench.patient.list).unwrap();
    at(&bench.examine().await, &["instruments"]);
    std::fs::write(&bench.patient.list, "line\n".repeat(1_000)).unwrap();

    let log = bench.patient.dir.join(budget_log::FILE);
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    at(&bench.examine().await, &["rate budget"]);
    std::fs::remove_dir(&log).unwrap();

    bench.server.desk.with(|_, account, _| account.revoke()).unwrap();
    at(&bench.examine().await, &["account", "data plan", "segments", "address", "funds"]);

    bench.patient.broker = Err("no Dhan token".to_owned());
    at(&bench.examine().await, &["token"]);
}

#[test]
fn a_clock_that_is_wrong_or_cannot_be_compared_fails() {
    let now = Instant::from_secs(1_770_700_000);
    assert_eq!(checks::clock(&Ok(Some(now - Age::from_secs(2))), now).verdict, Verdict::Ok);
    assert_eq!(checks::clock(&Ok(Some(now - Age::from_secs(4))), now).verdict, Verdict::Failed);
    assert_eq!(checks::clock(&Ok(Some(now + Age::from_secs(4))), now).verdict, Verdict::Failed);
    assert_eq!(checks::clock(&Ok(None), now).verdict, Verdict::Failed);
    assert_eq!(checks::clock(&Err(Fault::NotSent("no route".to_owned())), now).verdict, Verdict::Failed);
}

#[test]
fn a_token_must_outlive_the_session_and_one_that_ends_soon_says_so() {
    // B1
    use crate::broker::dhan::rest::token::TokenStatus;
    let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
    let at = |h, m| Instant::from_ist(day, scalper_decide::domain::TimeOfDay::hm(h, m).unwrap());
    let ending = |ends: Instant, now: Instant| {
        let status =
            TokenStatus { client_id: "1".to_owned(), ends, left: ends.age_of(now), source: TokenSource::Command };
        checks::token(&Ok(status), now).verdict
    };
    assert_eq!(ending(at(23, 0), at(9, 0)), Verdict::Ok);
    assert_eq!(ending(at(15, 59), at(9, 0)), Verdict::Failed);
    assert_eq!(ending(at(8, 59), at(9, 0)), Verdict::Failed);
    assert_eq!(ending(at(16, 30), at(15, 0)), Verdict::Soon);
}

#[test]
fn an_account_without_derivatives_or_of_another_id_fails() {
    let profile = Profile {
        dhan_client_id: "2".to_owned(),
        token_validity: None,
        active_segment: Some("Equity".to_owned()),
        ddpi: None,
        mtf: None,
        data_plan: None,
        data_validity: None,
    };
    assert!(checks::profile(&Ok(profile), "1").iter().all(|check| check.verdict == Verdict::Failed));
}

#[test]
fn a_day_outside_the_tables_or_without_a_session_fails_and_their_end_is_told_before() {
    let config = config::load(None, std::iter::empty()).unwrap();
    let (tables, indices) = (&config.tables, &config.params.indices);
    let day = |text: &str| text.parse().unwrap();
    assert_eq!(checks::tables(tables, indices, day("2026-02-10")).verdict, Verdict::Ok);
    assert_eq!(checks::tables(tables, indices, day("2099-01-01")).verdict, Verdict::Failed);
    let mut last: chrono::NaiveDate = day("2026-02-10");
    while checks::tables(tables, indices, last).verdict == Verdict::Ok {
        last = last.succ_opt().unwrap();
    }
    assert_eq!(checks::tables(tables, indices, last).verdict, Verdict::Soon, "{last}");
    let noon = |text: &str| Instant::from_ist(day(text), scalper_decide::domain::TimeOfDay::hm(12, 0).unwrap());
    assert_eq!(checks::session(tables, noon("2026-02-10")).verdict, Verdict::Ok);
    assert_eq!(checks::session(tables, noon("2026-02-08")).verdict, Verdict::Failed, "a Sunday");
    assert_eq!(checks::session(tables, noon("2026-02-10") + Age::from_mins(360)).verdict, Verdict::Failed);
}

#[test]
fn a_folder_that_is_full_or_not_there_fails() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(checks::disk(dir.path(), 1).verdict, Verdict::Ok);
    assert_eq!(checks::disk(dir.path(), u64::MAX).verdict, Verdict::Failed);
    assert_eq!(checks::disk(&dir.path().join("gone"), 1).verdict, Verdict::Failed);
}

#[test]
fn an_old_list_and_a_spent_budget_fail() {
    assert_eq!(checks::master(&Ok((Duration::from_secs(60), 9_000)), 3).verdict, Verdict::Ok);
    assert_eq!(checks::master(&Ok((checks::OLDEST_LIST * 2, 9_000)), 3).verdict, Verdict::Failed);
    let used = |day| Ok(OrderUsage { second: 0, minute: 0, hour: 0, day });
    assert_eq!(checks::rate_budget(&used(5_199)).verdict, Verdict::Ok);
    assert_eq!(checks::rate_budget(&used(5_200)).verdict, Verdict::Failed);
}

#[test]
fn a_silent_feed_fails_inside_the_session_only() {
    let now = Instant::from_secs(1_770_700_000);
    let mut status = Status::starting(Mode::Live, "v", "h", now);
    status.indices = BTreeMap::new();
    assert_eq!(checks::feed(None).verdict, Verdict::Skipped);
    assert_eq!(checks::feed(Some(&status)).verdict, Verdict::Skipped);
    status.session_open = true;
    assert_eq!(checks::feed(Some(&status)).verdict, Verdict::Failed);
    (status.feed.state, status.ticks) = ("up".to_owned(), 5);
    status.feed.last_seen = Some(now - Age::from_secs(1));
    assert_eq!(checks::feed(Some(&status)).verdict, Verdict::Ok);
    status.at = now + Age::from_secs(30);
    assert_eq!(checks::feed(Some(&status)).verdict, Verdict::Failed);
    status.speed_milli = 60_000;
    assert_eq!(checks::feed(Some(&status)).verdict, Verdict::Ok, "half a second of the wall");
}

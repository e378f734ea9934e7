//! The token's care at the simulator.

use scalper_decide::domain::Age;
use secrecy::{ExposeSecret as _, SecretString};

use super::*;
use crate::broker::Paper;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::endpoints::Endpoints;
use crate::broker::dhan::rest::token::{self, CheckedToken, file};
use crate::broker::dhan::rest::transport::Limits;
use crate::config;
use crate::simulator::market::{GeneratedMarket, GeneratedSpec};
use crate::simulator::server::{Pace, SimServer, SimServerConfig};

struct Bench {
    server: SimServer,
    keeper: Arc<TokenKeeper>,
    client: Client<Paper>,
    bell: Bell,
    dir: tempfile::TempDir,
}

/// A simulator whose token lives so long, in the token file.
async fn bench(life: Age) -> Bench {
    let config = config::load(None, std::iter::empty()).unwrap();
    let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 10).unwrap();
    let spec =
        GeneratedSpec { history_days: 1, indices: config.params.indices.clone(), ..GeneratedSpec::usual(1, day) };
    let market = GeneratedMarket::new(spec, &config.tables.calendar, &config.tables.contracts).unwrap();
    let sim = SimServerConfig { pace: Pace::Max, ..SimServerConfig::default() };
    let server = SimServer::start(Box::new(market), config.tables.charges.clone(), sim).await.unwrap();
    let text = server.desk.with(|_, account, now| account.mint(now, life)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    file::write(&path, &server.client_id, &text).unwrap();
    let found = token::find(|_| None, Some(&path)).unwrap();
    let keeper = Arc::new(TokenKeeper::new(found, Some(path), server.clock.clone()));
    let ends = Endpoints::at_simulator(&server.addresses.rest).unwrap();
    let client = Client::for_paper(ends, keeper.subscribe(), Arc::new(Unlimited), Limits::default()).unwrap();
    Bench { server, keeper, client, bell: Bell::default(), dir }
}

fn keys(bell: &Bell) -> Vec<&'static str> {
    bell.heard().into_iter().map(|(key, _)| key).collect()
}

#[actix_rt::test]
async fn a_token_of_ours_that_ends_within_two_hours_is_told_and_exchanged_once_for_clients_sockets_and_the_next_start()
{
    // B1, B2
    let bench = bench(Age::from_mins(90)).await;
    let mut sockets = for_sockets(bench.keeper.subscribe());
    let old = sockets.borrow().clone().unwrap();
    start(Arc::clone(&bench.keeper), bench.client.clone(), bench.bell.clone());
    sockets.changed().await.unwrap();
    let new = sockets.borrow().clone().unwrap();
    assert!(!new.is_same(&old));
    assert_eq!(keys(&bench.bell), ["TOKEN_ENDS"]);
    bench.client.profile().await.expect("the new token is in force");
    let (_, kept) = file::read(&bench.dir.path().join("token")).unwrap();
    assert_eq!(kept.expose_secret(), new.token.expose_secret(), "a process that dies now finds the token that lives");
    assert!(!bench.keeper.status().ends_soon());
    // The old one is dead at the broker.
    let refused =
        bench.server.desk.with(|_, account, now| account.check_token(old.token.expose_secret(), now)).unwrap();
    assert!(refused.is_err());
}

#[actix_rt::test]
async fn a_token_that_dies_is_told_once_and_the_next_one_in_the_file_takes_over() {
    // B1
    let bench = bench(Age::from_mins(600)).await;
    start(Arc::clone(&bench.keeper), bench.client.clone(), bench.bell.clone());
    let mint = |life| bench.server.desk.with(|_, account, now| account.mint(now, life)).unwrap();
    let new: SecretString = mint(Age::from_mins(700));
    for _ in 0..3 {
        assert!(bench.client.profile().await.is_err(), "the token in force is dead");
    }
    while bench.bell.clone().heard().is_empty() {
        tokio::task::yield_now().await;
    }
    let path = bench.dir.path().join("token");
    file::write(&path, &bench.server.client_id, &new).unwrap();
    assert!(bench.keeper.reload().unwrap(), "as the watch of the file does once a second");
    bench.client.profile().await.expect("the new token is in force");
    assert_eq!(keys(&bench.bell), Vec::<&str>::new(), "said once");
    // A token brought by hand that nobody can read changes nothing.
    assert!(CheckedToken::new(&bench.server.client_id, "nonsense".to_owned().into()).is_err());
}

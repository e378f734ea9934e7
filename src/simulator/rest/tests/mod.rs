//! Our own client against the server, on real sockets, with a clock that only the test moves.

mod access;
mod account;
mod faults;
mod market;
mod orders;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scalper_decide::domain::broker::{Answer, BrokerOrderId, OrderRow, Product};
use scalper_decide::domain::{Age, ClientOrderId, Instant, OrderSide, OrderType, Premium, Qty};
use scalper_decide::rate_budget::OrderUse;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::watch;

use super::faults::FaultList;
use super::{RestOptions, RestState, serve};
use crate::broker::Sim;
use crate::broker::dhan::credentials::Credentials;
use crate::broker::dhan::rest::budget::Unlimited;
use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::desk::OrderDesk;
use crate::broker::dhan::rest::transport::Limits;
use crate::broker::ports::{NewOrder, OrderChange};
use crate::clock::SessionClock;
use crate::simulator::account::{Account, TOKEN_LIFE};
use crate::simulator::desk::Desk;
use crate::simulator::limits::RateLimits;
use crate::simulator::tests::{CALL, LOT, Scripted, day, index_tick, ms, rs, tables, tick};
use crate::simulator::{SimConfig, Simulator};

const CLIENT: &str = "1000000001";

/// A server with one scripted day, standing at 10:00: the call trades at 100 once a second, the put never.
struct Bench {
    desk: Desk,
    faults: Arc<FaultList>,
    base: String,
    client: Client<Sim>,
    orders: OrderDesk<Sim>,
    credentials: watch::Sender<Arc<Credentials>>,
}

fn credentials(token: SecretString) -> Arc<Credentials> {
    Arc::new(Credentials { client_id: CLIENT.to_owned(), token })
}

impl Bench {
    async fn start() -> Bench {
        Bench::with(RestOptions::default()).await
    }

    async fn with(options: RestOptions) -> Bench {
        let bench = Bench::at_pre_open(options).await;
        bench.to(0);
        bench
    }

    async fn at_pre_open(options: RestOptions) -> Bench {
        let mut ticks = vec![index_tick(ms(-2_000), 25_650), tick(CALL, ms(-1_000), rs(100), 6_500)];
        ticks.extend((1..=120).map(|i| tick(CALL, ms(i * 1_000), rs(100), 6_500)));
        let market = Scripted { days: BTreeMap::from([(day(12), ticks)]), halts: Vec::new() };
        let sim = Simulator::new(Box::new(market), SimConfig::default(), tables().charges).expect("a day");
        let clock = SessionClock::driven(sim.now());
        let mut account = Account::new(CLIENT);
        let token = account.mint(clock.now(), TOKEN_LIFE);
        let desk = Desk::new(sim, account, RateLimits::default(), clock);
        let faults = Arc::new(FaultList::default());
        let state = RestState { options, faults: Arc::clone(&faults) as _, ..RestState::new(desk.clone()) };
        let (address, _) = serve("127.0.0.1:0".parse().unwrap(), state).expect("a free port");
        let base = format!("http://{address}/v2");
        let (sender, receiver) = watch::channel(credentials(token));
        let limits =
            Limits { total: Duration::from_secs(60), first_wait: Duration::from_millis(1), ..Limits::default() };
        let client = Client::for_simulator(&base, receiver, Arc::new(Unlimited), limits).expect("a loopback address");
        let orders = client.orders_at_simulator();
        Bench { desk, faults, base, client, orders, credentials: sender }
    }

    /// Moves the clock to milliseconds after 10:00 and lives the market up to it.
    fn to(&self, millis: i64) {
        self.desk.clock().drive(ms(millis));
        self.desk.step().expect("the market can be read");
    }

    fn wait(&self, millis: i64) {
        self.desk.clock().drive(self.desk.clock().now() + Age::from_millis(millis));
        self.desk.step().expect("the market can be read");
    }

    /// Places, and gives the broker's number.
    async fn place(&self, order: &NewOrder) -> BrokerOrderId {
        match self.orders.place_order(order).await {
            Answer::Accepted { broker_id, .. } => broker_id,
            other => panic!("{other:?}"),
        }
    }

    async fn row(&self, id: &BrokerOrderId) -> OrderRow {
        let mut found = self.client.order(id).await.expect("the book can be read");
        assert_eq!((found.rows.len(), found.unread.len()), (1, 0));
        found.rows.pop().unwrap()
    }

    /// How many orders really exist.
    fn placed(&self) -> usize {
        self.desk.with(|sim, _, _| sim.truth().orders.len()).unwrap()
    }

    /// A request as other programs send it, with this token.
    async fn raw_as(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = if path.starts_with("//") {
            format!("{}{}", self.base.trim_end_matches("/v2"), &path[1..])
        } else {
            format!("{}{path}", self.base)
        };
        let request = http.request(method.parse().unwrap(), url);
        let request = request.header("access-token", token).header("client-id", CLIENT).body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The same with the token that is alive.
    async fn raw(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let token = secrecy::ExposeSecret::expose_secret(&self.credentials.borrow().token).to_owned();
        self.raw_as(&token, method, path, body).await
    }

    async fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (http, text) = self.raw(method, path, body).await;
        (http, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
    }
}

fn tag(text: &str) -> ClientOrderId {
    ClientOrderId::parse(text).expect("a well-formed id")
}

/// A buy of the call, INTRADAY, by the client's own type.
fn buy(id: &str, lots: i64, price: Premium) -> NewOrder {
    NewOrder {
        id: tag(id),
        segment: CALL.0,
        security_id: CALL.1,
        side: OrderSide::Buy,
        product: Product::Intraday,
        qty: Qty::new(lots * LOT),
        order_type: OrderType::Limit { price },
        exit: false,
    }
}

fn change(id: &BrokerOrderId, lots: i64, price: Premium) -> OrderChange {
    let (broker_id, qty) = (id.clone(), Qty::new(lots * LOT));
    let purpose = OrderUse::Entry;
    OrderChange { id: tag("changed"), broker_id, order_type: OrderType::Limit { price }, qty, purpose }
}

fn at(millis: i64) -> Instant {
    ms(millis)
}

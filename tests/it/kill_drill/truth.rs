//! What really happened, told by the simulator, and what the daemon's database says of it.

use std::collections::{BTreeMap, BTreeSet};

use scalper::store::link::Readers;
use scalper::store::place::StoreUrl;
use serde_json::Value;

/// Order statuses that no execution can follow.
const OVER: [&str; 4] = ["TRADED", "CANCELLED", "REJECTED", "EXPIRED"];

/// The account, from `/sim/truth`.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub(super) orders: Vec<Value>,
    pub(super) trades: Vec<Value>,
    /// Order number to our id.
    ids: BTreeMap<String, String>,
    held: BTreeMap<String, i64>,
    cash: i64,
    opening: i64,
    contradictions: Vec<Value>,
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} of {row}"))
}

fn paise(rupees: &Value) -> i64 {
    (rupees.as_f64().expect("a price") * 100.0).round() as i64
}

fn is_sell(row: &Value) -> bool {
    text(row, "transactionType") == "SELL"
}

fn is_live(order: &Value) -> bool {
    !OVER.contains(&text(order, "orderStatus"))
}

impl Truth {
    pub(super) fn of(json: &Value) -> Truth {
        let list = |key: &str| json[key].as_array().unwrap_or_else(|| panic!("{key} of {json}")).clone();
        let orders = list("orders");
        let ids = orders.iter().map(|o| (text(o, "orderId").to_owned(), text(o, "correlationId").to_owned())).collect();
        let held = list("positions");
        let held = held.iter().map(|p| (p["security_id"].to_string(), p["net"].as_i64().expect("units"))).collect();
        Truth {
            orders,
            trades: list("trades"),
            ids,
            held,
            cash: json["cash_paise"].as_i64().expect("paise"),
            opening: json["opening_paise"].as_i64().expect("paise"),
            contradictions: list("contradictions"),
        }
    }

    /// Every law of the account that needs no daemon: I1, I2, I3, and that the witness is sound.
    pub(super) fn check(&self) {
        assert!(self.contradictions.is_empty(), "the simulator contradicts itself: {:?}", self.contradictions);
        let mut seen = BTreeSet::new();
        let mut entries = BTreeSet::new();
        let mut live = BTreeSet::new();
        for order in &self.orders {
            let id = text(order, "correlationId");
            assert!(seen.insert(id), "{id} was placed twice (I1, L2)");
            // <instance 2><yymmdd><purpose><attempt>-<intent>
            let (front, intent) = id.split_once('-').unwrap_or_else(|| panic!("{id} is not one of our ids"));
            let purpose = &front[8..9];
            if purpose == "E" {
                assert!(entries.insert(intent), "intent {intent} was entered twice (I1)");
            }
            if is_live(order) {
                assert!(live.insert((purpose, intent)), "two live orders {purpose} of intent {intent} (I1)");
            }
        }
        let mut net: BTreeMap<&str, i64> = BTreeMap::new();
        for trade in &self.trades {
            let units = trade["tradedQuantity"].as_i64().expect("units");
            let held = net.entry(text(trade, "securityId")).or_default();
            *held += if is_sell(trade) { -units } else { units };
            assert!(*held >= 0, "more sold than owned (I3): {trade}");
        }
        for (security, selling) in self.selling() {
            let owned = net.get(security.as_str()).copied().unwrap_or_default();
            assert!(selling <= owned, "{selling} units of {security} are for sale, {owned} are owned (I2)");
        }
    }

    /// Units for sale by live orders.
    fn selling(&self) -> BTreeMap<String, i64> {
        let mut selling: BTreeMap<String, i64> = BTreeMap::new();
        for order in self.orders.iter().filter(|order| is_sell(order) && is_live(order)) {
            let units = order["remainingQuantity"].as_i64().expect("units");
            *selling.entry(text(order, "securityId").to_owned()).or_default() += units;
        }
        selling
    }

    /// Contracts with more units owned than live sells cover, with both numbers.
    pub(super) fn uncovered(&self) -> Vec<(String, i64, i64)> {
        let selling = self.selling();
        let covered = |security: &String| selling.get(security).copied().unwrap_or_default();
        let missing = self.held.iter().filter(|(security, net)| **net > covered(security));
        missing.map(|(security, net)| (security.clone(), *net, covered(security))).collect()
    }

    pub(super) fn is_flat(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) const fn net(&self) -> &BTreeMap<String, i64> {
        &self.held
    }

    /// Executions by our ids.
    pub(super) fn fills(&self) -> BTreeSet<Fill> {
        let fill = |trade: &Value| Fill {
            id: self.ids[text(trade, "orderId")].clone(),
            trade: text(trade, "exchangeTradeId").to_owned(),
            side: text(trade, "transactionType").to_owned(),
            qty: trade["tradedQuantity"].as_i64().expect("units"),
            paise: paise(&trade["tradedPrice"]),
        };
        let fills: BTreeSet<Fill> = self.trades.iter().map(fill).collect();
        assert_eq!(fills.len(), self.trades.len(), "the account has an execution twice");
        fills
    }

    /// What trading did to the cash.
    pub(super) const fn cash_change(&self) -> i64 {
        self.cash - self.opening
    }
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fill {
    id: String,
    trade: String,
    side: String,
    qty: i64,
    paise: i64,
}

/// What the daemon's database says.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) fills: BTreeSet<Fill>,
    pub(super) cash_change: i64,
}

impl Books {
    /// Reads fills and money of the day.
    pub(super) async fn read(url: &StoreUrl) -> Books {
        let readers = Readers::new(url).unwrap();
        let rows = readers
            .fetch("SELECT client_order_id, trade_id, side, qty, price_paise FROM fills", &[])
            .await
            .expect("the fills can be read");
        let fills: BTreeSet<Fill> = rows
            .iter()
            .map(|row| Fill {
                id: row.text(0).unwrap().to_owned(),
                trade: row.text(1).unwrap().to_owned(),
                side: row.text(2).unwrap().to_owned(),
                qty: row.int(3).unwrap(),
                paise: row.int(4).unwrap(),
            })
            .collect();
        assert_eq!(fills.len(), rows.len(), "the database has an execution twice");
        let rows = readers.fetch("SELECT received_paise, paid_paise, charges_paise FROM positions", &[]).await.unwrap();
        let change = rows.iter().map(|row| row.int(0).unwrap() - row.int(1).unwrap() - row.int(2).unwrap());
        let cash_change = change.sum();
        readers.close().await;
        Books { fills, cash_change }
    }
}

//! `scalper adopt`: what an outside client of the account bought is seen, named, and taken over on a person's word
//! alone (E1, F-58, I6, I8, I19, I23).

use scalper::store::link::Readers;
use scalper::store::place::StoreUrl;
use serde_json::{Value, json};

use crate::process::{Daemon, Simulator, ask, lively, until};

/// Units in a lot of NIFTY on the simulator's day.
const LOT: i64 = 65;

/// Another client of the same account.
struct Outsider<'a>(&'a Simulator);

impl Outsider<'_> {
    /// A call of the option chain near the money, by the broker's own answers.
    fn some_call(&self) -> u64 {
        let index = json!({"UnderlyingScrip": 13, "UnderlyingSeg": "IDX_I"});
        let expiries = self.0.call("POST", "/v2/optionchain/expirylist", &index.to_string());
        let expiry = expiries["data"][0].clone();
        let asked = json!({"UnderlyingScrip": 13, "UnderlyingSeg": "IDX_I", "Expiry": expiry});
        // The daemon asks too, and the broker answers once in three seconds.
        let answer =
            || Some(self.0.call("POST", "/v2/optionchain", &asked.to_string())).filter(|c| c["data"]["oc"].is_object());
        let chain = until("option chain", answer, String::new);
        let level = chain["data"]["last_price"].as_f64().unwrap();
        let strikes = chain["data"]["oc"].as_object().unwrap();
        let away = |strike: &String| (strike.parse::<f64>().unwrap() - level).abs();
        let (_, at_the_money) = strikes.iter().min_by(|a, b| away(a.0).total_cmp(&away(b.0))).unwrap();
        at_the_money["ce"]["security_id"].as_u64().unwrap()
    }

    fn place(&self, side: &str, security_id: u64, units: i64, price: f64) -> String {
        let kind = if price > 0.0 { "LIMIT" } else { "MARKET" };
        let body = json!({
            "dhanClientId": self.0.facts["client_id"], "transactionType": side, "exchangeSegment": "NSE_FNO",
            "productType": "INTRADAY", "orderType": kind, "validity": "DAY", "securityId": security_id.to_string(),
            "quantity": units, "price": price,
        });
        let answer = self.0.call("POST", "/v2/orders", &body.to_string());
        answer["orderId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

/// The positions that are not ours, as the status has them.
fn foreign(status: &Value) -> Vec<(String, i64)> {
    let rows = status["foreign"].as_array().unwrap();
    rows.iter().map(|f| (f["key"].as_str().unwrap().to_owned(), f["units"].as_i64().unwrap())).collect()
}

/// One position of ours, adopted, that rests behind a stop.
fn is_adopted(status: &Value) -> bool {
    let ours = status["positions"].as_array().unwrap();
    let safe = |p: &Value| p["origin"] == "adopted" && p["owned"] == LOT && p["protected"] == true;
    !ours.is_empty() && ours.iter().all(safe) && status["in_doubt"] == 0
}

#[test]
fn what_an_outside_client_bought_is_shown_adopted_on_demand_protected_through_a_kill_and_left_to_the_paisa() {
    let dir = tempfile::tempdir().unwrap();
    let quiet = [
        "adx: {min_primary: 99}",
        "stop_pct: 40",
        "target_pct: 90",
        "trail: none",
        "break_even_after_pct: none",
        "time_stop_minutes: 300",
    ];
    std::fs::write(dir.path().join("algo.yml"), lively(&quiet)).unwrap();
    let simulator = Simulator::start(dir.path(), &["--speed", "20", "--seed", "1"]);
    let run = ["--config", "algo.yml", "--simulator", "simulator.json", "--no-guardian"];
    let mut daemon = Daemon::start(dir.path(), &run);
    let ready = daemon.until("readiness and an open market", |s| {
        s["ready"]["exits"] == true && s["session_open"] == true && s["indices"]["NIFTY"]["quoted"].as_u64() > Some(0)
    });
    assert_eq!(foreign(&ready), []);
    assert!(daemon.ask(&["adopt"]).1.contains("no position that is not ours"));

    let outsider = Outsider(&simulator);
    let contract = outsider.some_call();
    let key = format!("NSE_FNO:{contract}");
    outsider.place("BUY", contract, 2 * LOT, 0.0);
    let resting = outsider.place("SELL", contract, LOT, 5_000.0);
    let seen = daemon.until("what is not ours", |s| foreign(s) == [(key.clone(), 2 * LOT)]);
    assert_eq!(seen["positions"], json!([]), "seen, not touched");
    let (code, unknown) = daemon.ask(&["adopt", "999999"]);
    assert!(code == 1 && unknown.contains("no option of a traded index"), "{unknown}");

    // Another's working sell comes first, by name.
    let adopt = |daemon: &Daemon, more: &[&str]| daemon.ask(&[&["adopt", &key], more].concat());
    let refusal = || Some(adopt(&daemon, &[]).1).filter(|said| said.contains("orders of others that would sell 65"));
    let refusal = until("refusal by name", refusal, || daemon.log());
    assert!(refusal.contains(&resting), "{refusal}");
    simulator.call("DELETE", &format!("/v2/orders/{resting}"), "");
    let listed = || Some(daemon.ask(&["adopt"]).1).filter(|list| list.contains(&format!("scalper adopt {key}")));
    let list = until("a list of what could be adopted", listed, || daemon.log());
    assert!(list.contains("130 units (2 lots of 65)"), "{list}");
    // Books that are under way when it is asked are no proof: it is asked again.
    let too_many =
        || adopt(&daemon, &["--lots", "3"]).1.contains("3 lots asked for, 130 units are there").then_some(());
    until("a refusal by number", too_many, || daemon.log());

    let take = |daemon: &Daemon| {
        let taken = || (adopt(daemon, &["--lots", "1"]) == (0, "done\n".to_owned())).then_some(());
        until("an adoption", taken, || daemon.log());
    };
    take(&daemon);
    let ours = daemon.until("a protected position", is_adopted);
    let bought = simulator.sim("truth")["trades"].as_array().unwrap().clone();
    let paid: f64 =
        bought.iter().map(|t| t["tradedPrice"].as_f64().unwrap() * t["tradedQuantity"].as_f64().unwrap()).sum();
    let average = (paid / (2 * LOT) as f64 * 100.0).round() as i64;
    assert_eq!(ours["positions"][0]["average_paise"], average, "the broker's average price");

    // The adoption is an event like any other: it outlives the process, and so does its stop.
    daemon.process.kill();
    let mut daemon = Daemon::start(dir.path(), &run);
    let back = daemon.until("the position again", |s| s["ready"]["exits"] == true && is_adopted(s));
    assert_eq!(back["positions"][0]["average_paise"], average);
    daemon.until("the other lot", |s| foreign(s) == [(key.clone(), LOT)]);
    take(&daemon);
    let both =
        daemon.until("two protected positions", |s| is_adopted(s) && s["positions"].as_array().unwrap().len() == 2);
    assert_eq!(foreign(&both), []);
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty() && s["money"]["trades"] == 2);
    daemon.stop();

    let truth = simulator.sim("truth");
    assert_eq!((&truth["contradictions"], &truth["positions"]), (&json!([]), &json!([])));
    let url = StoreUrl::default_in(&dir.path().join("data"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (change, origins) = runtime.block_on(async {
        let readers = Readers::new(&url).unwrap();
        let asked = "SELECT received_paise - paid_paise - charges_paise, signal FROM positions";
        let rows = readers.fetch(asked, &[]).await.unwrap();
        let origins: Vec<String> = rows.iter().map(|row| row.text(1).unwrap().to_owned()).collect();
        let change: i64 = rows.iter().map(|row| row.int(0).unwrap()).sum();
        readers.close().await;
        (change, origins)
    });
    assert_eq!(origins, ["adopted", "adopted"]);
    let account = truth["cash_paise"].as_i64().unwrap() - truth["opening_paise"].as_i64().unwrap();
    assert_eq!(change, account, "the books agree to the paisa (I8): {truth:#}");
    let (code, proof) = ask(dir.path(), &["db", "verify", "--config", "algo.yml"]);
    assert_eq!(code, 0, "{proof}");
}

//! The analyzer on recorded markets; see `../shared/data/README.md` of the workspace for what the files are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::greeks::ForwardSource;

/// A recorded file, or `None` with a note when the data is not on this machine.
#[allow(clippy::disallowed_types, reason = "tests read recorded markets from disk; the core does not")]
fn recorded(test: &str, path: &str) -> Option<Vec<BTreeMap<String, String>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/");
    let data: PathBuf = root.join("../shared/data");
    if !data.exists() {
        eprintln!("SKIPPED {test}: ../shared/data not present");
        return None;
    }
    let file = std::fs::File::open(data.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    Some(reader.deserialize().map(|row| row.unwrap_or_else(|e| panic!("{path}: {e}"))).collect())
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {:?}", row[column]))
}

fn paise(row: &BTreeMap<String, String>, column: &str) -> i64 {
    (number(row, column) * 100.0).round() as i64
}

fn date(text: &str) -> NaiveDate {
    text[..10].parse().unwrap_or_else(|_| panic!("date {text:?}"))
}

fn instant(text: &str) -> Instant {
    let part = |at: usize| text[at..at + 2].parse::<u32>().unwrap_or_else(|_| panic!("time {text:?}"));
    let secs = part(11) * 3600 + part(14) * 60 + part(17);
    Instant::from_ist(date(text), TimeOfDay::from_secs(secs).unwrap())
}

fn stamp(at: Instant) -> Stamp {
    Stamp { seq: Seq(1), at }
}

fn close_of(bar: &BTreeMap<String, String>, column: &str, at: Instant) -> Quote {
    Quote {
        exchange_at: at,
        received_at: at,
        source: TickSource::Bar,
        flags: TickFlags::SYNTHESISED.with(TickFlags::BAR_CLOSE),
        oi: None,
        ..quote(paise(bar, column))
    }
}

fn snapshot(expiry: NaiveDate, now: Instant, spot: Quote, legs: Vec<(i64, Right, Quote)>) -> ChainSnapshot {
    let legs = legs.into_iter().zip(0..).map(|((strike, right, quote), slot)| ChainLeg {
        id: InstrumentId(slot),
        contract: OptionContract { expiry, strike: Strike::from_paise(strike), ..contract(0, right) },
        quote: Some(quote),
    });
    ChainSnapshot {
        underlying: Underlying::Nifty,
        day: now.ist_date(),
        expiry,
        expires_at: ist(expiry, 15, 30),
        spot: Some(spot),
        future: None,
        legs: legs.collect(),
    }
}

#[test]
fn own_volatility_agrees_with_an_independent_library_on_real_minutes() {
    // py_vollib at the true time to expiry and 6.5 % (spot with carry, as a single leg has no parity). Dhan's own
    // figures run on a clock 5 h 30 min off and are not asked.
    let test = "own_volatility_agrees_with_an_independent_library_on_real_minutes";
    let Some(rows) = recorded(test, "reference/options/dhan_iv_convention_real.csv.gz") else { return };
    let (mut compared, mut refused) = (0, 0);
    for row in &rows {
        let at = instant(&row["ts"]) + Age::from_mins(1);
        let right = Right::from_code(&row["flag"]).unwrap();
        let legs = vec![(paise(row, "strike"), right, close_of(row, "price", at))];
        let chain = snapshot(date(&row["expiry"]), at, close_of(row, "spot", at), legs);
        let own = atm_iv(&params(), stamp(at), &chain);
        match (own, row["iv_pct_r6p5_ttrue"].parse::<f64>()) {
            (Some(own), Ok(want)) => {
                assert!((own - want).abs() < 1e-6 * want, "{row:?}: own {own}");
                compared += 1;
            }
            (None, _) => refused += 1,
            (Some(own), Err(_)) => panic!("{row:?}: own {own}, the reference has no solution"),
        }
    }
    assert!(compared > 500 && refused < 60, "{compared} compared, {refused} refused");
}

#[test]
fn parity_of_recorded_minutes_gives_call_and_put_one_volatility() {
    let test = "parity_of_recorded_minutes_gives_call_and_put_one_volatility";
    let Some(rows) = recorded(test, "options/nifty_rolling_atm_1m_2026-01-12_2026-02-06.csv.gz") else { return };
    let (mut read, mut none) = (0, 0);
    for row in rows.iter().filter(|r| !r["ce_close"].is_empty() && !r["pe_close"].is_empty()) {
        let at = instant(&row["ts"]) + Age::from_mins(1);
        let strike = paise(row, "strike");
        let legs = vec![
            (strike, Right::Call, close_of(row, "ce_close", at)),
            (strike, Right::Put, close_of(row, "pe_close", at)),
        ];
        let chain = snapshot(date(&row["expiry"]), at, close_of(row, "spot_close", at), legs);
        let open = ChainParams {
            atm_nearest_quoted: false,
            iv_min_pct: 0.0,
            min_abs_delta: 0.0,
            max_abs_delta: 1.0,
            ..params()
        };
        let pick = |direction| rank(&open, stamp(at), direction, &chain);
        let (Ok(call), Ok(put)) = (pick(Direction::Up), pick(Direction::Down)) else {
            none += 1;
            continue;
        };
        assert_eq!(call.forward.source, ForwardSource::Parity);
        let (call, put) = (call.chosen.greeks.iv_pct, put.chosen.greeks.iv_pct);
        assert!((call - put).abs() < 1e-3 * call, "{row:?}: call {call}, put {put}");
        assert!((2.0..150.0).contains(&call), "{row:?}: {call}");
        read += 1;
    }
    println!("{read} minutes read, {none} refused");
    assert!(read > 6_000 && none * 50 < read, "{read} minutes read, {none} refused");
}

/// `PREFERRED` or `SCORED` for a pick, else the first candidate's reason.
fn code_of(picked: &Result<StrikePick, NoStrike>) -> &'static str {
    match picked {
        Ok(pick) if pick.chosen.offset == 1 => "PREFERRED",
        Ok(_) => "SCORED",
        Err(none) => none.candidates().first().map_or(none.code(), JudgedCandidate::code),
    }
}

/// What must hold for any pick of the recorded chain.
fn check_pick(pick: &StrikePick, direction: Direction, chain: &ChainSnapshot, at: Instant) {
    let c = &pick.chosen;
    assert_eq!((pick.step, pick.runners_up.len()), (Some(Strike::from_points(50)), 2));
    let away = c.contract.strike.paise() - pick.atm.paise();
    assert_eq!(away, direction.sign() * i64::from(c.offset) * 5_000);
    assert!((pick.spot.paise() - pick.atm.paise()).abs() <= 2_500);
    assert_eq!(pick.forward.source, ForwardSource::Parity);
    assert!(c.score <= MAX_SCORE && c.gaps.is_empty());
    let model = Pricer::new(Model::Black76, pick.forward.value, years_to(at, chain.expires_at), RATE, 0.0).unwrap();
    let strike = c.contract.strike.as_points_f64();
    let again = model.greeks(c.contract.right, strike, c.greeks.iv_pct / 100.0).unwrap().price;
    let (bid, ask) = (c.quote.bid.unwrap().premium(), c.quote.ask.unwrap().premium());
    assert!((again - (bid + ask).as_rupees_f64() / 2.0).abs() < 1e-6);
}

/// One snapshot of the recorded NSE chain: polled, books, open interest in lots.
fn polled(rows: &[&BTreeMap<String, String>], expiry: NaiveDate, at: Instant) -> ChainSnapshot {
    const LOT: i64 = 75;
    let side = |row: &BTreeMap<String, String>, right: Right| {
        let column = |name: &str| format!("{}_{name}", right.code().to_lowercase());
        let level = |price: &str, qty: &str| {
            let (price, qty) = (paise(row, &column(price)), number(row, &column(qty)));
            (price > 0 && qty > 0.0).then_some(BookLevel { price: price as i32, qty: qty as u32 })
        };
        let quote = Quote {
            bid: level("bid", "bid_qty"),
            ask: level("ask", "ask_qty"),
            oi: Some(Qty::new(number(row, &column("oi")) as i64 * LOT)),
            exchange_at: at,
            received_at: at,
            source: TickSource::Snapshot,
            ..quote(paise(row, &column("ltp")))
        };
        (paise(row, "strike"), right, quote)
    };
    let legs: Vec<_> = rows.iter().flat_map(|row| [side(row, Right::Call), side(row, Right::Put)]).collect();
    // The recording has no spot: the strike where call and put cost most nearly the same gives a level near it.
    let mid = |q: &Quote| Some(q.bid?.premium().paise() + q.ask?.premium().paise());
    let level = legs
        .chunks(2)
        .filter_map(|pair| Some((pair[0].0, (mid(&pair[0].2)? - mid(&pair[1].2)?) / 2)))
        .min_by_key(|(_, difference)| difference.abs())
        .map(|(strike, difference)| strike + difference)
        .expect("a recorded chain has a two-sided strike");
    let spot = Quote { exchange_at: at, received_at: at, source: TickSource::Derived, ..quote(level) };
    snapshot(expiry, at, spot, legs)
}

#[test]
fn a_recorded_chain_day_yields_rankings_refusals_and_own_volatility() {
    // X-15, S3-19..S3-23 on 306 real snapshots.
    let test = "a_recorded_chain_day_yields_rankings_refusals_and_own_volatility";
    let Some(rows) = recorded(test, "options/nse_chain_nifty_2025-08-29.csv.gz") else { return };
    let mut polls: BTreeMap<&str, Vec<&BTreeMap<String, String>>> = BTreeMap::new();
    for row in &rows {
        polls.entry(&row["collected_at"]).or_default().push(row);
    }
    assert_eq!(polls.len(), 306);
    let open = ChainParams { preferred_offset: Some(1), iv_min_pct: 5.0, ..params() };
    // The figures of the reference: IV 10-60, NIFTY premium 30-160.
    let mut reference = ChainParams { iv_min_pct: 10.0, ..open.clone() };
    let band = (Premium::from_rupees(30), Premium::from_rupees(160));
    reference.premium_band.insert(Underlying::Nifty, band);
    let (mut open_codes, mut codes) = (BTreeMap::new(), BTreeMap::new());
    let mut off_from_nse: Vec<f64> = Vec::new();
    for (collected, rows) in &polls {
        let at = instant(collected);
        let mut listed: Vec<_> = rows.iter().map(|r| date(&r["expiry"])).map(|e| (e, ist(e, 15, 30))).collect();
        listed.dedup();
        let expiry = choose_expiry(&open, at, &listed).unwrap();
        assert_eq!(expiry, date("2025-09-02"));
        let of_expiry: Vec<_> = rows.iter().copied().filter(|r| date(&r["expiry"]) == expiry).collect();
        let chain = polled(&of_expiry, expiry, at);
        for direction in [Direction::Up, Direction::Down] {
            let picked = rank(&open, stamp(at), direction, &chain);
            if let Ok(pick) = &picked {
                check_pick(pick, direction, &chain, at);
            }
            *open_codes.entry((direction, code_of(&picked))).or_insert(0) += 1;
            let picked = rank(&reference, stamp(at), direction, &chain);
            *codes.entry((direction, code_of(&picked))).or_insert(0) += 1;
        }
        let own = atm_iv(&open, stamp(at), &chain).expect("the money is liquid all day");
        let atm = rank(&open, stamp(at), Direction::Up, &chain).map(|p| p.atm);
        if let Ok(atm) = atm
            && let Some(row) = of_expiry.iter().find(|r| paise(r, "strike") == atm.paise())
            && number(row, "ce_iv") > 0.0
            && number(row, "pe_iv") > 0.0
        {
            off_from_nse.push((own - (number(row, "ce_iv") + number(row, "pe_iv")) / 2.0).abs());
        }
    }
    off_from_nse.sort_by(f64::total_cmp);
    let (median, worst) = (off_from_nse[off_from_nse.len() / 2], off_from_nse[off_from_nse.len() - 1]);
    println!("open {open_codes:?}; reference {codes:?}; own IV off from NSE's: median {median:.2}, worst {worst:.2}");
    // A wide IV band takes the preferred strike all day; volatility lay around 9-10 %, so the reference's floor refuses
    // most of it, and lets single snapshots through in either direction (F-44, F-45).
    for direction in [Direction::Up, Direction::Down] {
        let count = |codes: &BTreeMap<_, usize>, code| codes.get(&(direction, code)).copied().unwrap_or(0);
        assert_eq!(count(&open_codes, "PREFERRED"), 306);
        assert!(count(&codes, "IV_LOW") > 200 && count(&codes, "PREFERRED") > 0 && count(&codes, "SCORED") > 0);
    }
    assert!(off_from_nse.len() >= 300 && median < 0.5 && worst < 2.0, "median {median}, worst {worst}");
}

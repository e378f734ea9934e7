//! The status, positions and orders as text for a terminal. Words carry the state; colour never does alone.

use std::fmt::Write as _;

use scalper_decide::domain::{Instant, Money, Premium};

use crate::engine::status::{ForeignStatus, Link, OrderStatus, PositionStatus, Status};
use crate::report::format::{count, ist_clock, premium, rupees, signed};

/// Alarms shown under the status.
const ALARMS: usize = 8;

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "NO" }
}

/// `0.3 s`, `12 s`, `4 min`; `never` without a time.
fn ago(now: Instant, at: Option<Instant>) -> String {
    let Some(at) = at else { return "never".to_owned() };
    let millis = now.age_of(at).millis();
    match millis {
        0..10_000 => format!("{}.{} s ago", millis / 1_000, millis % 1_000 / 100),
        10_000..120_000 => format!("{} s ago", millis / 1_000),
        _ => format!("{} min ago", millis / 60_000),
    }
}

fn price(paise: Option<i64>) -> String {
    paise.map_or("-".to_owned(), |paise| premium(Premium::from_paise(paise)))
}

fn money(paise: i64) -> String {
    signed(Money::from_paise(paise))
}

fn link(name: &str, link: &Link, now: Instant) -> String {
    let again = if link.reconnects == 0 { String::new() } else { format!(", reconnected {}x", link.reconnects) };
    format!("{name} {} ({}{again})", link.state, ago(now, link.last_seen))
}

/// The whole status. `now` is session time.
pub fn status(s: &Status, now: Instant) -> String {
    let mut out = String::new();
    let day = s.day.map_or("no session".to_owned(), |day| day.format("%a %d %b %Y").to_string());
    let speed = if s.speed_milli == 1_000 { String::new() } else { format!(", {}x", s.speed_milli / 1_000) };
    let _ = writeln!(out, "{}  {day}  {} IST{speed}", s.mode.word(), ist_clock(now));
    let _ = writeln!(out, "Ready    exits {}, entries {}", yes_no(s.ready.exits), yes_no(s.ready.entries));
    for reason in &s.ready.waiting_for {
        let _ = writeln!(out, "         waiting for {reason}");
    }
    match s.arming.as_ref().map(|arming| arming.armed) {
        Some(true) => out.push_str("Arming   ARMED for real money until the session ends\n"),
        Some(false) => out.push_str("Arming   disarmed: `scalper arm` allows entries\n"),
        None => {}
    }
    if !s.blocks.is_empty() {
        let _ = writeln!(out, "Blocked  {}", s.blocks.join(", "));
    }
    let conflated = if s.conflated == 0 { String::new() } else { format!(", {} conflated", count(s.conflated)) };
    let _ = writeln!(out, "Feed     {}; {} ticks{conflated}", link("feed", &s.feed, now), count(s.ticks));
    let _ = writeln!(
        out,
        "Broker   {}; books read {}; {} in doubt, {} foreign",
        link("updates", &s.push, now),
        ago(now, s.reconciled_at),
        s.in_doubt,
        s.foreign_orders
    );
    let m = &s.money;
    let limit = m.loss_limit_paise.map_or(String::new(), |limit| format!("; loss limit {}", money(limit)));
    let _ = writeln!(
        out,
        "Day      {} realised, {} open, {} charges, {} trades{limit}",
        money(m.realised_paise),
        money(m.open_paise),
        rupees(Money::from_paise(m.charges_paise)),
        m.trades
    );
    if let Some(why) = &m.breaker {
        let _ = writeln!(out, "BREAKER  tripped: {why}");
    }
    let j = &s.journal;
    let trouble = j.trouble.as_ref().map_or(String::new(), |trouble| format!("; TROUBLE: {trouble}"));
    let _ = writeln!(
        out,
        "Journal  {} events, {} not yet durable{trouble}",
        count(j.seq),
        j.seq - j.durable_seq.min(j.seq)
    );
    if let Some(guardian) = &s.guardian {
        let state = if guardian.is_alive { "awake" } else { "NOT AWAKE" };
        let pid = guardian.pid.map_or(String::new(), |pid| format!(", process {pid}"));
        let _ = writeln!(out, "Guardian {state}{pid}: {}", guardian.text);
    }
    let windows = s.budget.windows.iter().filter(|w| w.calls == "order");
    let windows: Vec<String> = windows.map(|w| format!("{} of {} a {}", w.used, w.limit, w.window)).collect();
    if !windows.is_empty() {
        let trouble = s.budget.trouble.as_ref().map_or(String::new(), |trouble| format!("; TROUBLE: {trouble}"));
        let _ = writeln!(
            out,
            "Calls    orders {}; {} not let go, {} too many for the broker{trouble}",
            windows.join(", "),
            s.budget.refused,
            s.budget.rate_limited
        );
    }
    for (underlying, index) in &s.indices {
        let level = price(index.level_paise);
        let age = ago(now, index.level_at);
        let _ = writeln!(
            out,
            "{:<9}{level} ({age}); {} of {} contracts quoted; {} bars, {} evaluations",
            underlying.symbol(),
            index.quoted,
            index.contracts,
            count(index.bars),
            count(index.evaluations)
        );
        if let Some(decision) = &index.last_decision {
            let at = index.decided_at.map_or(String::new(), |at| format!("{} ", ist_clock(at)));
            let _ = writeln!(out, "         {at}{decision}");
        }
    }
    if !s.positions.is_empty() {
        out.push_str(&positions(&s.positions, now));
    }
    if !s.foreign.is_empty() {
        out.push_str("Not ours, not touched:\n");
        out.push_str(&foreign(&s.foreign));
    }
    for alarm in s.alarms.iter().rev().take(ALARMS).rev() {
        let _ = writeln!(out, "ALARM    {} {}: {}", ist_clock(alarm.at), alarm.key, alarm.text);
    }
    out
}

/// Open positions, one line each.
pub fn positions(positions: &[PositionStatus], now: Instant) -> String {
    if positions.is_empty() {
        return "no open positions\n".to_owned();
    }
    let mut out = String::new();
    for p in positions {
        let cover = if p.protected { "" } else { "  UNPROTECTED" };
        let origin = match p.origin.as_str() {
            "" | "signal" => String::new(),
            other => format!("  {other}"),
        };
        let open = p.open_paise.map_or("-".to_owned(), money);
        let _ = writeln!(
            out,
            "#{:<4} {:<28} {:<8} {:>5} units at {}, now {} ({}), stop {}, target {}, {open}{cover}{origin}",
            p.id,
            p.contract,
            p.phase,
            p.owned,
            price(p.average_paise),
            price(p.sellable_paise),
            ago(now, p.quoted_at),
            price(p.stop_paise),
            price(p.target_paise),
        );
    }
    out
}

/// Positions of the account that are not ours, one line each, and what `adopt` would need.
pub fn foreign(found: &[ForeignStatus]) -> String {
    if found.is_empty() {
        return "the broker shows no position that is not ours\n".to_owned();
    }
    let mut out = String::new();
    for f in found {
        let lots = match f.lot {
            Some(lot) if f.units > 0 => format!(" ({} lots of {lot})", f.units / lot),
            _ => String::new(),
        };
        let then = match &f.obstacle {
            Some(obstacle) => obstacle.clone(),
            None => format!("scalper adopt {}", f.key),
        };
        let _ = writeln!(
            out,
            "{:<16} {:<28} {:<9} {:>5} units{lots} at {}: {then}",
            f.key,
            f.contract.as_deref().unwrap_or("-"),
            f.product,
            f.units,
            price(f.average_paise),
        );
    }
    out
}

/// Orders of today, one line each, those in doubt first.
pub fn orders(orders: &[OrderStatus]) -> String {
    if orders.is_empty() {
        return "no orders today\n".to_owned();
    }
    let mut sorted: Vec<&OrderStatus> = orders.iter().collect();
    sorted.sort_by_key(|o| (!o.state.contains("in doubt"), o.is_over, o.sent_at));
    let mut out = String::new();
    for o in sorted {
        let number = o.broker_id.as_deref().unwrap_or("-");
        let _ = writeln!(
            out,
            "{} {} {:<10} {:<4} {:>5}/{:<5} {:<28} {:<22} {} (broker {number}, position {})",
            ist_clock(o.sent_at),
            o.id,
            o.purpose,
            o.side,
            o.filled,
            o.qty,
            o.contract,
            o.terms,
            o.state,
            o.position
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::Mode;

    #[test]
    fn an_engine_that_may_not_act_says_what_it_waits_for_and_an_uncovered_position_is_named() {
        let now = Instant::from_secs(1_770_700_000);
        let mut s = Status::starting(Mode::Sim, "v", "h", now);
        s.money.breaker = Some("day loss".to_owned());
        s.positions.push(PositionStatus {
            id: 4,
            contract: "NIFTY 2026-02-10 25600 CE".to_owned(),
            origin: "adopted".to_owned(),
            phase: "open".to_owned(),
            owned: 65,
            lot: 65,
            average_paise: Some(10_000),
            sellable_paise: Some(11_000),
            quoted_at: Some(now),
            stop_paise: Some(8_000),
            target_paise: None,
            deadline: None,
            open_paise: Some(65_000),
            protected: false,
        });
        s.foreign.push(ForeignStatus {
            key: "NSE_FNO:40001".to_owned(),
            contract: Some("NIFTY 2026-02-10 25650 CE".to_owned()),
            product: "INTRADAY".to_owned(),
            units: 130,
            lot: Some(65),
            average_paise: Some(9_900),
            obstacle: None,
        });
        let text = status(&s, now);
        for part in [
            "130 units",
            "NSE_FNO:40001",
            "adopted",
            "SIM",
            "exits NO",
            "waiting for the start to finish",
            "BREAKER",
            "UNPROTECTED",
            "+650.00",
            "never",
        ] {
            assert!(text.contains(part), "{part} in:\n{text}");
        }
    }
}

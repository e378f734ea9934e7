//! The status as Prometheus gauges in base units (seconds, rupees as units with paise behind the point).

use metrics::gauge;
use scalper_decide::domain::Instant;

use crate::clock::SessionClock;
use crate::engine::status::Status;

/// Nanoseconds in a second.
const NANOS: f64 = 1e9;

/// Sets every gauge from `status`; ages count up to now.
pub fn publish(status: &Status, clock: &SessionClock) {
    let now = clock.now();
    let age = |at: Option<Instant>| at.map_or(f64::NAN, |at| now.age_of(at).nanos() as f64 / NANOS);
    let rupees = |paise: i64| paise as f64 / 100.0;
    let flag = f64::from;

    gauge!("scalper_ready", "for" => "exits").set(flag(u8::from(status.ready.exits)));
    gauge!("scalper_ready", "for" => "entries").set(flag(u8::from(status.ready.entries)));
    gauge!("scalper_feed_age_seconds").set(age(status.feed.last_seen));
    gauge!("scalper_feed_reconnects").set(status.feed.reconnects as f64);
    gauge!("scalper_push_age_seconds").set(age(status.push.last_seen));
    gauge!("scalper_reconcile_age_seconds").set(age(status.reconciled_at));
    gauge!("scalper_ticks").set(status.ticks as f64);
    gauge!("scalper_ticks_conflated").set(status.conflated as f64);
    gauge!("scalper_orders_in_doubt").set(f64::from(status.in_doubt));
    gauge!("scalper_orders_foreign").set(f64::from(status.foreign_orders));
    let working = status.orders.iter().filter(|order| !order.is_over).count();
    gauge!("scalper_orders_working").set(working as f64);
    gauge!("scalper_positions_open").set(status.positions.len() as f64);
    let uncovered = status.positions.iter().filter(|position| !position.protected).count();
    gauge!("scalper_positions_unprotected").set(uncovered as f64);
    gauge!("scalper_day_realised_rupees").set(rupees(status.money.realised_paise));
    gauge!("scalper_day_open_rupees").set(rupees(status.money.open_paise));
    gauge!("scalper_day_charges_rupees").set(rupees(status.money.charges_paise));
    gauge!("scalper_day_trades").set(status.money.trades as f64);
    gauge!("scalper_breaker_tripped").set(flag(u8::from(status.money.breaker.is_some())));
    gauge!("scalper_journal_events").set(status.journal.seq as f64);
    gauge!("scalper_journal_behind").set(status.journal.seq.saturating_sub(status.journal.durable_seq) as f64);
    gauge!("scalper_journal_trouble").set(flag(u8::from(status.journal.trouble.is_some())));
    if let Some(guardian) = &status.guardian {
        gauge!("scalper_guardian_alive").set(flag(u8::from(guardian.is_alive)));
    }
    for w in &status.budget.windows {
        let labels = [("calls", w.calls.clone()), ("window", w.window.clone())];
        gauge!("scalper_broker_calls", &labels).set(f64::from(w.used));
        gauge!("scalper_broker_calls_limit", &labels).set(f64::from(w.limit));
    }
    gauge!("scalper_broker_calls_refused").set(status.budget.refused as f64);
    gauge!("scalper_broker_rate_limited").set(status.budget.rate_limited as f64);
    for (underlying, index) in &status.indices {
        let name = underlying.symbol();
        gauge!("scalper_index_age_seconds", "index" => name).set(age(index.level_at));
        gauge!("scalper_evaluations", "index" => name).set(index.evaluations as f64);
        gauge!("scalper_contracts_quoted", "index" => name).set(f64::from(index.quoted));
    }
}

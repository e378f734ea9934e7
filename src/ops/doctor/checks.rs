//! The checks one by one, over what was read before: every one is a plain function, so that each can be broken in turn.

use std::path::Path;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use scalper_decide::domain::{Age, Exchange, Instant, Money, TimeOfDay, Underlying};
use scalper_decide::rate_budget::{OrderUsage, RateParams};

use super::Check;
use crate::broker::Fault;
use crate::broker::dhan::rest::account::{IpState, Profile};
use crate::broker::dhan::rest::token::TokenStatus;
use crate::config::tables::Tables;
use crate::engine::status::{Mode, Status};
use crate::report::format::rupees;

/// Largest difference between the broker's clock and ours. The broker's says whole seconds.
pub const MOST_SKEW: Age = Age::from_secs(3);
/// Least free room in the data folder: a day's journal and the emergency file fit.
pub const LEAST_ROOM: u64 = 256 * 1024 * 1024;
/// Oldest instrument list: one of another day may lack today's contracts.
pub const OLDEST_LIST: Duration = Duration::from_secs(20 * 3600);
/// Fewest lines of a believable instrument list for one index.
const LEAST_LINES: u64 = 100;
/// Days before the end of a table that it is warned about.
const SOON_DAYS: u64 = 30;
/// Longest silence of the feed inside the session.
const FEED_SILENCE: Age = Age::from_secs(10);

/// Our clock against the `Date` of an answer.
pub fn clock(date: &Result<Option<Instant>, Fault>, ours: Instant) -> Check {
    const NAME: &str = "clock";
    let set = "set this machine's clock: enable NTP (timedatectl set-ntp true)";
    match date {
        Err(fault) => Check::failed(NAME, format!("no answer to compare with: {fault}"), "reach the broker first"),
        Ok(None) => Check::failed(NAME, "the broker's answer has no Date", "look at what stands between us and it"),
        Ok(Some(theirs)) => {
            let skew = Age::from_nanos((ours.nanos() - theirs.nanos()).abs());
            let evidence = format!("{}.{:03} s from the broker's", skew.secs(), skew.millis() % 1_000);
            // A whole second is lost in their writing.
            if skew <= MOST_SKEW { Check::ok(NAME, evidence) } else { Check::failed(NAME, evidence, set) }
        }
    }
}

/// Life of the token: to 16:00 IST at least, so that it cannot die with a position open (B1).
pub fn token(status: &Result<TokenStatus, String>, now: Instant) -> Check {
    const NAME: &str = "token";
    let remedy = "`scalper token renew`, or a new one with `scalper token set`";
    match status {
        Err(why) => Check::failed(NAME, why, "`scalper token set`"),
        Ok(status) => {
            let four = Instant::from_ist(now.ist_date(), TimeOfDay::hm(16, 0).expect("a time of day"));
            let evidence =
                format!("of {}, ends {}, from the {}", status.client_id, status.ends.ist_text(), status.source);
            if status.ends <= now || (now < four && status.ends <= four) {
                Check::failed(NAME, evidence, remedy)
            } else if status.ends_soon() {
                Check::soon(NAME, evidence, remedy)
            } else {
                Check::ok(NAME, evidence)
            }
        }
    }
}

/// Whether the broker knows us, whether market data is paid for, whether derivatives are open: three checks.
pub fn profile(profile: &Result<Profile, Fault>, account: &str) -> [Check; 3] {
    let names = ["account", "data plan", "segments"];
    let profile = match profile {
        Ok(profile) => profile,
        Err(fault) => {
            let help = "bring a token that is alive; see whether the broker is up";
            return names.map(|name| Check::failed(name, fault.to_string(), help));
        }
    };
    let id = &profile.dhan_client_id;
    let known = if id == account {
        Check::ok(names[0], id)
    } else {
        Check::failed(names[0], format!("the broker says {id}, the token {account}"), "bring the token of this account")
    };
    let plan = profile.data_plan.as_deref().unwrap_or("not told");
    let data = match profile.data_active() {
        Some(true) => Check::ok(names[1], plan),
        _ => Check::failed(names[1], plan, "subscribe to the broker's data APIs"),
    };
    let open = profile.active_segment.as_deref().unwrap_or("not told");
    let segments = match profile.derivatives() {
        Some(true) => Check::ok(names[2], open),
        _ => Check::failed(names[2], open, "activate derivatives for this account"),
    };
    [known, data, segments]
}

/// Whether orders from this address are taken (dhan-v2.md 4.3). Only live sends any.
pub fn address(ip: &Result<IpState, Fault>, mode: Mode) -> Check {
    const NAME: &str = "address";
    if mode != Mode::Live {
        return Check::skipped(NAME, "only live sends orders");
    }
    match ip {
        Err(fault) => Check::failed(NAME, fault.to_string(), "see whether the broker is up"),
        Ok(ip) => {
            let registered: Vec<&str> =
                [&ip.primary, &ip.secondary].into_iter().flatten().map(String::as_str).collect();
            let seen = ip.detected.as_deref().unwrap_or("unknown");
            let evidence = format!("seen as {seen}, registered {}", registered.join(" and "));
            match ip.allows_orders() {
                Some(true) => Check::ok(NAME, evidence),
                Some(false) => {
                    let help = "run from a registered address, or register this one (once in seven days)";
                    Check::failed(NAME, evidence, help)
                }
                // The fields that prove it are extras the broker need not send: unknown is not wrong.
                None if registered.is_empty() => {
                    Check::failed(NAME, "no address is registered", "register this address at the broker")
                }
                None => Check::soon(NAME, evidence, "compare with this machine's public address by hand"),
            }
        }
    }
}

/// Room in the order budget of the day: entries end at their share.
pub fn rate_budget(used: &Result<OrderUsage, String>) -> Check {
    const NAME: &str = "rate budget";
    let params = RateParams::default();
    let share = params.order.day / 100 * params.entries_until_percent;
    match used {
        Err(why) => Check::failed(NAME, why, "remove the file when nothing was sent today"),
        Ok(used) => {
            let evidence = format!("{} order calls today; entries end at {share}", used.day);
            if used.day < share {
                Check::ok(NAME, evidence)
            } else {
                Check::failed(NAME, evidence, "exits only until the broker's day is over")
            }
        }
    }
}

/// Age and size of the instrument list. `found`: age and lines.
pub fn master(found: &Result<(Duration, u64), String>, indices: usize) -> Check {
    const NAME: &str = "instruments";
    match found {
        Err(why) => Check::failed(NAME, why, "see whether the broker's instrument list can be reached"),
        Ok((age, lines)) => {
            let evidence = format!("{lines} lines, {} min old", age.as_secs() / 60);
            if *age > OLDEST_LIST {
                Check::failed(NAME, evidence, "start the engine again: it downloads a new one")
            } else if *lines < LEAST_LINES * indices as u64 {
                Check::failed(NAME, evidence, "the list looks cut off: start again")
            } else {
                Check::ok(NAME, evidence)
            }
        }
    }
}

/// Whether calendar, contract terms and charges cover today, and for how long.
pub fn tables(tables: &Tables, indices: &[Underlying], today: NaiveDate) -> Check {
    const NAME: &str = "dated tables";
    let covers = |day: NaiveDate| -> Result<(), String> {
        tables.calendar.hours(day).map_err(|e| e.to_string())?;
        for exchange in [Exchange::Nse, Exchange::Bse] {
            tables.charges.on(exchange, day).map_err(|e| e.to_string())?;
        }
        for underlying in indices {
            tables.contracts.freeze(*underlying, day).map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    let newer = "bring newer tables, or an override file (docs/CONFIGURATION.md)";
    if let Err(why) = covers(today) {
        return Check::failed(NAME, why, newer);
    }
    let later = today.checked_add_days(Days::new(SOON_DAYS)).unwrap_or(today);
    match covers(later) {
        Ok(()) => Check::ok(NAME, format!("cover {today} and {SOON_DAYS} days more")),
        Err(why) => Check::soon(NAME, why, newer),
    }
}

/// Whether there is a session to trade in today.
pub fn session(tables: &Tables, now: Instant) -> Check {
    const NAME: &str = "session";
    match tables.calendar.hours(now.ist_date()) {
        Ok(Some(hours)) if now < hours.close_at() => {
            Check::ok(NAME, format!("{} to {} IST", hours.open(), hours.close()))
        }
        Ok(Some(hours)) => Check::failed(NAME, format!("over since {} IST", hours.close()), "wait for the next one"),
        Ok(None) => Check::failed(NAME, format!("{} is no trading day", now.ist_date()), "wait for the next one"),
        Err(e) => Check::failed(NAME, e.to_string(), "bring a newer calendar"),
    }
}

/// Free room in the data folder, and whether it can be written to.
pub fn disk(dir: &Path, least: u64) -> Check {
    const NAME: &str = "disk";
    if let Err(e) = tempfile::NamedTempFile::new_in(dir) {
        return Check::failed(NAME, format!("{}: {e}", dir.display()), "make the data folder writable for this user");
    }
    match rustix::fs::statvfs(dir) {
        Err(e) => Check::failed(NAME, format!("{}: {e}", dir.display()), "look at the file system"),
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let evidence = format!("{} MiB free in {}", free >> 20, dir.display());
            if free >= least { Check::ok(NAME, evidence) } else { Check::failed(NAME, evidence, "make room") }
        }
    }
}

/// Money free to trade against what the settings size positions by. Only live risks any.
pub fn funds(available: &Result<Money, Fault>, wanted: Option<Money>, mode: Mode) -> Check {
    const NAME: &str = "funds";
    if mode != Mode::Live {
        return Check::skipped(NAME, "only live needs money");
    }
    match (available, wanted) {
        (Err(fault), _) => Check::failed(NAME, fault.to_string(), "see whether the broker is up"),
        (Ok(_), None) => {
            Check::failed(NAME, "capital.opening_balance_rupees is none", "write the balance into the settings")
        }
        (Ok(free), Some(wanted)) => {
            let evidence = format!("{} free, settings count on {}", rupees(*free), rupees(wanted));
            if *free >= wanted {
                Check::ok(NAME, evidence)
            } else {
                Check::failed(NAME, evidence, "pay in, or lower capital.opening_balance_rupees")
            }
        }
    }
}

/// The guardian of a running engine; a start brings one up by itself.
pub fn guardian(status: Option<&Status>, is_needed: bool) -> Check {
    const NAME: &str = "guardian";
    const REMEDY: &str = "start `scalper guardian`; see guardian.log in the data folder";
    match status {
        _ if !is_needed => Check::skipped(NAME, "not needed: paper, sim, or engine.guardian_required is false"),
        None => Check::skipped(NAME, "no engine runs in this data folder"),
        Some(status) => match &status.guardian {
            None => Check::failed(NAME, "the engine runs without one", "start it without --no-guardian"),
            Some(seen) if seen.is_alive => Check::ok(NAME, &seen.text),
            Some(seen) => Check::failed(NAME, &seen.text, REMEDY),
        },
    }
}

/// Whether the feed of a running engine speaks.
pub fn feed(status: Option<&Status>) -> Check {
    const NAME: &str = "feed";
    let Some(status) = status else { return Check::skipped(NAME, "no engine runs in this data folder") };
    if !status.session_open {
        return Check::skipped(NAME, "the session is not open");
    }
    // As of the status, and by the wall: a session that runs faster is as silent between two packets.
    let by_wall = |age: Age| Age::from_nanos(age.nanos() / (status.speed_milli.max(1_000) / 1_000) as i64);
    let age = status.feed.last_seen.map(|seen| by_wall(status.at.age_of(seen)));
    let evidence = match age {
        Some(age) => format!("{}, last byte {} ms ago, {} ticks", status.feed.state, age.millis(), status.ticks),
        None => format!("{}, nothing received", status.feed.state),
    };
    let speaks = status.feed.state == "up" && age.is_some_and(|age| age <= FEED_SILENCE) && status.ticks > 0;
    if speaks { Check::ok(NAME, evidence) } else { Check::failed(NAME, evidence, "look at feed and token in the log") }
}

//! Profile, static address, token renewal (dhan-v2.md 4.2, 4.3).

use scalper_decide::domain::Instant;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::call::{Call, Outcome, Reply, Room};
use super::refusal;
use crate::broker::dhan::rest::account::{IpState, NewToken, Profile};

/// `DD/MM/YYYY HH:MM`, IST.
fn minute(at: Instant) -> String {
    let time = at.ist_time().to_string();
    format!("{} {}", at.ist_date().format("%d/%m/%Y"), &time[..5])
}

/// GET /profile.
pub(super) fn profile(room: &Room<'_>) -> Reply {
    let active = |is: bool| Some(if is { "Active" } else { "Deactive" }.to_owned());
    Reply::ok(&Profile {
        dhan_client_id: room.account.client_id().to_owned(),
        token_validity: room.account.expires_at().map(minute),
        active_segment: Some("Equity, Derivative".to_owned()),
        ddpi: active(false),
        mtf: active(false),
        data_plan: active(room.account.data_plan),
        data_validity: None,
    })
}

/// GET /ip/getIP.
pub(super) fn ip(room: &Room<'_>, call: &Call) -> Reply {
    let mut listed = room.account.addresses.iter().map(ToString::to_string);
    let allowed = room.account.check_address(call.peer).is_ok();
    Reply::ok(&IpState {
        primary: listed.next(),
        secondary: listed.next(),
        modify_primary: None,
        modify_secondary: None,
        detected: Some(call.peer.to_string()),
        match_status: Some(if allowed { "MATCH" } else { "MISMATCH" }.to_owned()),
        orders_allowed: Some(Value::Bool(allowed)),
    })
}

/// GET /RenewToken: a new token; the one shown is dead when the answer leaves.
pub(super) fn renew(room: &mut Room<'_>, call: &Call) -> Outcome {
    let shown = call.token.as_ref().map_or("", |token| token.expose_secret());
    let token = room.account.renew(shown, room.now).map_err(refusal::access)?;
    let ends = room.account.expires_at().expect("a token was just made");
    Ok(Reply::ok(&NewToken::answer(room.account.client_id(), token.expose_secret(), ends)))
}

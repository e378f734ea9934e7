//! Who may ask: token, address, data plan, rate limit, in that sequence (dhan-v2.md 4, 9).

use secrecy::ExposeSecret as _;

use super::call::{Call, Reply, Room};
use super::refusal;
use super::route::Route;
use crate::simulator::account::AccessError;

/// Lets a call in, or says why not.
pub(super) fn admit(room: &mut Room<'_>, route: &Route, call: &Call) -> Result<(), Reply> {
    if !route.is_public() {
        let refuse = if route.is_keyed() { refusal::data_access } else { refusal::access };
        access(room, route, call).map_err(refuse)?;
    }
    match route.family() {
        Some(family) if !room.rates.take(family, room.now) => Err(refusal::too_many()),
        _ => Ok(()),
    }
}

fn access(room: &Room<'_>, route: &Route, call: &Call) -> Result<(), AccessError> {
    let shown = call.token.as_ref().map_or("", |token| token.expose_secret());
    let client = call.client_id.as_deref();
    if route.is_keyed() && client.is_none() {
        return Err(AccessError::WrongClient);
    }
    if route.is_data() {
        room.account.check_data(client, shown, room.now)?;
    } else {
        room.account.check(client, shown, room.now)?;
    }
    if route.needs_address() { room.account.check_address(call.peer) } else { Ok(()) }
}

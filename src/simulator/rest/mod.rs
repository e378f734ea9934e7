//! The broker's REST API over the simulator (dhan-v2.md 4 to 10), on a loopback address only.
//!
//! A request goes through [`faults`] (may be disturbed on its way in), `gate` (token, address, rate limit, data plan),
//! one of the rooms below, and [`faults`] again (its answer may be disturbed on the way out). The rooms read and write
//! the wire types of `broker::dhan::rest`, so that our client and others find the documented bodies.
//!
//! | files | what |
//! |---|---|
//! | `call`, `route`, `gate`, `refusal` | a request, where it goes, who may ask, every way of saying no |
//! | `orders`, `rows`, `books`, `super_orders`, `portfolio`, `controls`, `account` | the account |
//! | `quotes`, `charts`, `chain`, `instruments` | the market |
//! | [`faults`] | what can go wrong on the way |
//! | `harness` | `/sim/clock` and `/sim/truth`: for test harnesses, NOT part of the broker's API, without token |
//! | `server` | HTTP |
//!
//! Left out, and answered 404 as unknown paths are: forever and conditional orders, the multi margin calculator,
//! setIP and modifyIP, EDIS, ledger, rolling options, the detailed instrument list.

mod account;
mod books;
mod call;
mod chain;
mod charts;
mod controls;
pub mod faults;
mod gate;
mod harness;
mod instruments;
mod orders;
mod portfolio;
mod quotes;
mod refusal;
mod route;
mod rows;
mod server;
mod super_orders;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::desk::Desk;
use faults::FaultHook;

pub use server::{ServeError, serve};

/// Where the sources disagree about the wire, or the wire has two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestOptions {
    /// GET of one order is the object instead of an array of one (dhan-v2.md 5.1).
    pub single_is_object: bool,
    /// Slicing answers the first child as an object instead of an array of all.
    pub slicing_is_object: bool,
    /// Candles print as Java does, `1.7375706E9`.
    pub exponents: bool,
    /// Intraday candles go on to now when the last day asked for is today, whatever its time (quirk #80).
    pub today_goes_on_to_now: bool,
    /// Cancelling a leg of a super order is answered 202 with nothing.
    pub super_cancel_is_empty: bool,
    /// No holdings are an error, DH-1111, instead of an empty list.
    pub no_holdings_is_error: bool,
}

impl Default for RestOptions {
    fn default() -> RestOptions {
        RestOptions {
            single_is_object: false,
            slicing_is_object: false,
            exponents: true,
            today_goes_on_to_now: true,
            super_cancel_is_empty: false,
            no_holdings_is_error: false,
        }
    }
}

/// What the server needs.
#[derive(Clone)]
pub struct RestState {
    /// The simulator.
    pub desk: Desk,
    /// How the wire looks.
    pub options: RestOptions,
    /// What goes wrong.
    pub faults: Arc<dyn FaultHook>,
}

impl RestState {
    /// The usual wire, and nothing goes wrong.
    pub fn new(desk: Desk) -> RestState {
        RestState { desk, options: RestOptions::default(), faults: Arc::new(faults::NoFaults) }
    }
}

/// A call as a client in this process hands it over: method, path with version, token, account, body.
#[cfg(test)]
pub(crate) async fn by_hand(
    state: RestState,
    method: &str,
    path: &str,
    token: secrecy::SecretString,
    client_id: String,
    body: Vec<u8>,
) -> Option<(u16, Vec<u8>)> {
    let call = call::Call {
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        token: Some(token),
        client_id: Some(client_id),
        kill_switch: None,
        peer: std::net::Ipv4Addr::LOCALHOST.into(),
        body,
    };
    let clock = state.desk.clock().clone();
    match server::exchange(state, call).await {
        server::Exchanged::Reply(reply) => Some((reply.http, reply.body)),
        server::Exchanged::Slow(reply, pause) => {
            clock.sleep_until(clock.now() + pause).await;
            Some((reply.http, reply.body))
        }
        server::Exchanged::Cut => None,
    }
}

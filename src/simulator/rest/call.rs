//! One request and one answer, without HTTP around them.

use std::net::IpAddr;

use scalper_decide::domain::Instant;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RestOptions;
use super::refusal;
use crate::simulator::Simulator;
use crate::simulator::account::Account;
use crate::simulator::limits::RateLimits;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: String,
    /// Path as sent, for error bodies.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Header `access-token`.
    pub(super) token: Option<secrecy::SecretString>,
    /// Header `client-id`, else `dhanClientId`.
    pub(super) client_id: Option<String>,
    /// Header `killSwitchStatus`, which the prose of the documentation has instead of the query.
    pub(super) kill_switch: Option<String>,
    pub(super) peer: IpAddr,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// The body as JSON; an empty one is null.
    pub(super) fn json(&self) -> Option<Value> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Some(Value::Null);
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as a type; anything else is DH-905, which never says what is wrong.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        serde_json::from_slice(&self.body).map_err(|_| refusal::bad_input())
    }

    pub(super) fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) http: u16,
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
}

const JSON: &str = "application/json";

impl Reply {
    pub(super) fn new(http: u16, body: &impl Serialize) -> Reply {
        let body = serde_json::to_vec(body).expect("an answer is plain data");
        Reply { http, kind: JSON, body }
    }

    pub(super) fn ok(body: &impl Serialize) -> Reply {
        Reply::new(200, body)
    }

    pub(super) fn empty(http: u16) -> Reply {
        Reply { http, kind: JSON, body: Vec::new() }
    }

    pub(super) fn text(kind: &'static str, body: String) -> Reply {
        Reply { http: 200, kind, body: body.into_bytes() }
    }

    /// JSON written by hand.
    pub(super) fn raw_json(body: String) -> Reply {
        Reply::text(JSON, body)
    }

    pub(super) const fn is_success(&self) -> bool {
        self.http >= 200 && self.http < 300
    }
}

/// What a room works with, at one instant.
pub(super) struct Room<'a> {
    pub(super) sim: &'a mut Simulator,
    pub(super) account: &'a mut Account,
    pub(super) rates: &'a mut RateLimits,
    pub(super) now: Instant,
    pub(super) options: RestOptions,
}

/// An answer, or a refusal; both go out the same way.
pub(super) type Outcome = Result<Reply, Reply>;

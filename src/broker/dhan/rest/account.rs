//! Profile, static address and token renewal (dhan-v2.md 4.2, 4.3).

use scalper_decide::domain::Instant;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{scalar, times};

/// Answer of GET /profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Account.
    #[serde(with = "scalar::required")]
    pub dhan_client_id: String,
    /// `DD/MM/YYYY HH:MM`, IST.
    #[serde(default, with = "scalar::na")]
    pub token_validity: Option<String>,
    /// `Equity, Derivative, ...`
    #[serde(default, with = "scalar::empty")]
    pub active_segment: Option<String>,
    /// Demat debit instruction.
    #[serde(default, with = "scalar::na")]
    pub ddpi: Option<String>,
    /// Margin trade funding; may be missing.
    #[serde(default, with = "scalar::na")]
    pub mtf: Option<String>,
    /// `Active` or `Deactive`.
    #[serde(default, with = "scalar::na")]
    pub data_plan: Option<String>,
    /// May be missing.
    #[serde(default, with = "scalar::na")]
    pub data_validity: Option<String>,
}

impl Profile {
    /// When the token ends, when the answer says so.
    pub fn token_ends(&self) -> Option<Instant> {
        self.token_validity.as_deref().and_then(times::minute)
    }

    /// Whether derivatives are open to the account; `None` when the answer does not say.
    pub fn derivatives(&self) -> Option<bool> {
        self.active_segment.as_deref().map(|s| s.to_ascii_lowercase().contains("derivative"))
    }

    /// Whether market data is paid for; `None` when the answer does not say.
    pub fn data_active(&self) -> Option<bool> {
        self.data_plan.as_deref().map(|plan| plan.eq_ignore_ascii_case("active"))
    }
}

/// Which of the two allowed addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IpFlag {
    /// First.
    Primary,
    /// Second.
    Secondary,
}

/// Body of POST /ip/setIP and PUT /ip/modifyIP. A change locks the address for seven days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpBody {
    /// Account.
    pub dhan_client_id: String,
    /// IPv4 or IPv6.
    pub ip: String,
    /// Which one.
    pub ip_flag: IpFlag,
}

/// Answer of POST /ip/setIP and PUT /ip/modifyIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpAnswer {
    /// The broker's words.
    #[serde(default)]
    pub message: String,
    /// `SUCCESS`.
    #[serde(default)]
    pub status: String,
}

/// Answer of GET /ip/getIP. Everything after the addresses is an extra that may be missing: unknown, not wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IpState {
    /// First address.
    #[serde(rename = "primaryIP", default, with = "scalar::na")]
    pub primary: Option<String>,
    /// Second address.
    #[serde(rename = "secondaryIP", default, with = "scalar::na")]
    pub secondary: Option<String>,
    /// When the first may change again.
    #[serde(rename = "modifyDatePrimary", default, with = "scalar::na")]
    pub modify_primary: Option<String>,
    /// When the second may change again.
    #[serde(rename = "modifyDateSecondary", default, with = "scalar::na")]
    pub modify_secondary: Option<String>,
    /// The address this call came from.
    #[serde(rename = "detectedIP", default, with = "scalar::na")]
    pub detected: Option<String>,
    /// Whether the two agree, in the broker's words.
    #[serde(rename = "ipMatchStatus", default, with = "scalar::na")]
    pub match_status: Option<String>,
    /// Whether orders would be taken.
    #[serde(rename = "ordersAllowed", default, skip_serializing_if = "Option::is_none")]
    pub orders_allowed: Option<Value>,
}

impl IpState {
    /// Whether orders from here would be taken, when the answer proves it either way (B5).
    pub fn allows_orders(&self) -> Option<bool> {
        if let Some(allowed) = &self.orders_allowed {
            return match allowed {
                Value::Bool(allowed) => Some(*allowed),
                Value::String(s) if s.eq_ignore_ascii_case("true") || s.eq_ignore_ascii_case("yes") => Some(true),
                Value::String(s) if s.eq_ignore_ascii_case("false") || s.eq_ignore_ascii_case("no") => Some(false),
                _ => None,
            };
        }
        let detected = self.detected.as_ref()?;
        Some([&self.primary, &self.secondary].into_iter().flatten().any(|ip| ip == detected))
    }
}

/// A new token. `Debug` does not show it (S27).
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Account.
    pub client_id: Option<String>,
    /// The token.
    pub token: SecretString,
    /// When it ends, when the answer says so.
    pub ends: Option<Instant>,
}

impl NewToken {
    /// Reads the answer of GET /RenewToken; `None` when there is no token in it.
    pub fn read(body: &Value) -> Option<NewToken> {
        let text = |key: &str| body.get(key).and_then(scalar::text_of);
        Some(NewToken {
            client_id: text("dhanClientId"),
            token: text("accessToken").or_else(|| text("token"))?.into(),
            ends: text("expiryTime").and_then(|t| times::ist(&t)),
        })
    }

    /// Writes that answer.
    pub fn answer(client_id: &str, token: &str, ends: Instant) -> Value {
        let expiry = times::write(ends).replace(' ', "T");
        json!({
            "dhanClientId": client_id,
            "dhanClientName": "",
            "dhanClientUcc": "",
            "givenPowerOfAttorney": false,
            "accessToken": token,
            "expiryTime": format!("{expiry}.000"),
        })
    }
}

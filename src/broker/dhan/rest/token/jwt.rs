//! What a token says about itself. The signature is the broker's to check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scalper_decide::domain::Instant;
use serde_json::Value;

/// Claims that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `exp`, true Unix seconds.
    pub ends: Instant,
    /// Account, when the token names one.
    pub client_id: Option<String>,
}

/// Reads the claims of a JWT without checking its signature; `None` when it is none or has no end.
pub fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    if !token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=')) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let json: Value = serde_json::from_slice(&bytes).ok()?;
    let exp = json.get("exp")?;
    let secs = exp.as_i64().or_else(|| exp.as_f64().map(|x| x as i64)).filter(|s| (1..9_000_000_000).contains(s))?;
    let client_id = json.get("dhanClientId").and_then(super::super::scalar::text_of);
    Some(Claims { ends: Instant::from_secs(secs), client_id })
}

/// A token with these claims and a signature that is none, for the simulator and for tests.
pub fn unsigned(client_id: &str, ends: Instant) -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let secs = ends.nanos() / scalper_decide::domain::time::NANOS_PER_SEC;
    let head = part(serde_json::json!({"alg": "none", "typ": "JWT"}));
    let body = part(serde_json::json!({"iss": "dhan", "exp": secs, "dhanClientId": client_id}));
    format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode("simulated signature"))
}

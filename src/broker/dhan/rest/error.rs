//! Every way Dhan has of saying no, classified once (dhan-v2.md 9.2): six JSON shapes, HTML from the edge, empty
//! bodies, success statuses that carry an error.

use scalper_decide::domain::VenueRefusal;
use serde_json::Value;

use super::scalar::text_of;
use crate::broker::fault::{Fault, Said};

/// Longest text of a broker that is kept.
const MAX_TEXT: usize = 300;

/// What an answer holds that is no error: its JSON, or nothing at all (202 with an empty body).
pub type Body = Option<Value>;

/// Judges an answer. Success needs a 2xx status, no error code and no "failed" (dhan-v2.md 9.2).
pub fn judge(http: u16, body: &[u8]) -> Result<Body, Fault> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    let json = if blank { None } else { serde_json::from_slice::<Value>(body).ok() };
    let ok = (200..300).contains(&http);
    match (ok, json) {
        (true, None) if blank => Ok(None),
        (true, None) => Err(Fault::Unknown(said(http, None, "no JSON: ", body))),
        (true, Some(json)) => match complaint(&json) {
            None => Ok(Some(json)),
            // Success and failure in one: nothing is proven either way.
            Some(_) if json.get("orderId").and_then(text_of).is_some() => {
                Err(Fault::Unknown(said(http, None, "an order number and an error: ", body)))
            }
            Some((code, text)) => Err(by_code(Said { http: Some(http), code, text })),
        },
        (false, json) => {
            let (code, text) = json.as_ref().and_then(complaint).unwrap_or((None, String::new()));
            let text = if text.is_empty() { tidy(&String::from_utf8_lossy(body)) } else { text };
            Err(by_status(Said { http: Some(http), code, text }, json.is_some()))
        }
    }
}

fn said(http: u16, code: Option<String>, lead: &str, body: &[u8]) -> Said {
    Said { http: Some(http), code, text: format!("{lead}{}", tidy(&String::from_utf8_lossy(body))) }
}

/// Code and words of an error object, whichever shape it has; `None` when it is no error.
fn complaint(json: &Value) -> Option<(Option<String>, String)> {
    let text = |key: &str| json.get(key).and_then(text_of);
    // Paths without /v2 name the real code elsewhere.
    if let Some(code) = text("internalErrorCode") {
        return Some((Some(code), tidy(&text("internalErrorMessage").unwrap_or_default())));
    }
    // The code is a text on the trading endpoints and a number on the data endpoints.
    if let Some(code) = text("errorCode") {
        let words = text("errorMessage").or_else(|| text("message")).or_else(|| text("errorType"));
        return Some((Some(code.to_ascii_uppercase()), tidy(&words.unwrap_or_default())));
    }
    let failed =
        text("status").is_some_and(|s| matches!(s.to_ascii_lowercase().as_str(), "failed" | "failure" | "error"));
    if failed {
        // {"data":{"808":"..."},"status":"failed"}
        let keyed = json.get("data").and_then(Value::as_object).and_then(|data| data.iter().next());
        return Some(match keyed {
            Some((code, words)) => (Some(code.clone()), tidy(&text_of(words).unwrap_or_default())),
            None => (None, tidy(&text("remarks").or_else(|| text("message")).unwrap_or_default())),
        });
    }
    // {"timestamp":..,"status":404,"error":"Not Found","path":"/v2/.."}
    if let (Some(words), Some(path)) = (text("error"), text("path")) {
        return Some((None, tidy(&format!("{words} {path}"))));
    }
    None
}

/// By HTTP status first, where that settles it; then by code.
fn by_status(said: Said, json: bool) -> Fault {
    let http = said.http.unwrap_or(0);
    match http {
        429 => Fault::RateLimited(said),
        408 | 425 | 500..=599 => Fault::RetryableRead(said),
        401 => Fault::TokenDead(said),
        400..=499 if said.code.is_some() => by_code(said),
        // The program asked for a path that does not exist: the service itself says so.
        404 | 405 if json => Fault::Fatal(said),
        _ => Fault::Unknown(said),
    }
}

/// By the broker's code and, where one code means several things, by its words.
fn by_code(said: Said) -> Fault {
    let words = said.text.to_ascii_lowercase();
    let token = words.contains("invalid token") || words.contains("token expired") || words.contains("expired token");
    match said.code.as_deref().unwrap_or("") {
        "DH-901" | "807" | "808" | "809" => Fault::TokenDead(said),
        // An expired token has come as 400 DH-906 "Invalid Token".
        "DH-905" | "DH-906" if token => Fault::TokenDead(said),
        "DH-905" | "DH-906" | "DH-911" if words.contains("invalid ip") => Fault::Fatal(said),
        "DH-902" | "DH-903" | "DH-911" | "804" | "806" | "810" => Fault::Fatal(said),
        "DH-904" | "805" => Fault::RateLimited(said),
        "DH-905" | "DH-906" | "811" | "812" | "813" | "814" => Fault::Refused { refusal: refusal(&said.text), said },
        "DH-907" | "DH-1111" => Fault::NoData(said),
        "DH-908" | "DH-909" | "800" => Fault::RetryableRead(said),
        // DH-910 "other", RS-9005, and every code nobody has described.
        _ => Fault::Unknown(said),
    }
}

/// Why the broker or the exchange refuses, from its words; the words themselves where they are not known.
pub fn refusal(text: &str) -> VenueRefusal {
    let words = text.to_ascii_lowercase();
    let has = |any: &[&str]| any.iter().any(|w| words.contains(w));
    if has(&["market is closed", "market closed"]) {
        VenueRefusal::MarketClosed
    } else if has(&[
        "nothing to cancel",
        "nothing to modify",
        "already traded",
        "already cancelled",
        "already rejected",
    ]) {
        VenueRefusal::NotOpen
    } else if has(&["tick size"]) {
        VenueRefusal::TickSize
    } else if has(&["lot size", "multiple of lot", "multiples of lot"]) {
        VenueRefusal::LotSize
    } else if has(&["freeze"]) {
        VenueRefusal::FreezeQuantity
    } else if has(&[
        "circuit",
        "price band",
        "price range",
        "operating range",
        "lpp",
        "price protection",
        "execution range",
    ]) {
        VenueRefusal::PriceBand
    } else if has(&["trigger price"]) {
        VenueRefusal::TriggerSide
    } else if has(&["modification"]) && has(&["limit", "maximum", "exceed", "25"]) {
        VenueRefusal::ModificationLimit
    } else if has(&["contract expired", "contract has expired", "expired contract"]) {
        VenueRefusal::Expired
    } else if text.trim().is_empty() {
        VenueRefusal::Other("no reason given".to_owned())
    } else {
        VenueRefusal::Other(text.to_owned())
    }
}

/// One line, short, and without anything that looks like a token: an edge may echo a request (S28).
pub fn tidy(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&without_tokens(word));
        if out.len() > MAX_TEXT {
            let end = (0..=MAX_TEXT).rev().find(|i| out.is_char_boundary(*i)).unwrap_or(0);
            out.truncate(end);
            out.push_str(" ..");
            break;
        }
    }
    out
}

/// Replaces every JWT in a word, also base64 or URL-encoded.
fn without_tokens(word: &str) -> String {
    const HEADS: [&str; 4] = ["eyJ", "ZXlK", "%65%79%4A", "%65%79%4a"];
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = HEADS.iter().filter_map(|head| rest.find(head)).min() {
        let tail = &rest[at..];
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+' | '/' | '%');
        let length = tail.find(|c| !token(c)).unwrap_or(tail.len());
        out.push_str(&rest[..at]);
        out.push_str(if length >= 16 { "[token]" } else { &tail[..length] });
        rest = &tail[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;

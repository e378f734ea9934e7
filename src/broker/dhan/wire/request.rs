//! Requests to the feed and depth sockets: JSON text (dhan-v2.md 1.2, 2.2).

use std::collections::BTreeSet;

use scalper_decide::domain::Segment;
use serde_json::{Value, json};

/// Instruments of one message at most.
pub const MAX_PER_MESSAGE: usize = 100;

/// One subscribable instrument: segment and token inside it.
pub type Key = (Segment, u32);

/// What is asked for an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Last price (packet 2).
    Ticker,
    /// Last price, totals of the day, open interest (packets 4 and 5).
    Quote,
    /// All of it with five levels (packet 8).
    Full,
    /// 20 or 200 levels, on the depth sockets.
    Depth,
}

impl Mode {
    /// Request code that subscribes.
    pub const fn subscribe_code(self) -> u8 {
        match self {
            Mode::Ticker => 15,
            Mode::Quote => 17,
            Mode::Full => 21,
            Mode::Depth => 23,
        }
    }

    /// Request code that unsubscribes.
    pub const fn unsubscribe_code(self) -> u8 {
        self.subscribe_code() + 1
    }
}

/// One instrument of a request, as a server reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestedInstrument {
    /// Segment name as written; see [`Segment::from_name`].
    pub segment: String,
    /// Token as written, string or number.
    pub security_id: String,
}

impl RequestedInstrument {
    /// As a key; `None` when the segment or the token is unknown nonsense.
    pub fn key(&self) -> Option<Key> {
        Some((Segment::from_name(&self.segment)?, self.security_id.trim().parse().ok()?))
    }
}

/// A request, as a server reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Codes 15, 17, 21, 23.
    Subscribe(Mode, Vec<RequestedInstrument>),
    /// Codes 16, 18, 22, 24, and 25 for depth.
    Unsubscribe(Mode, Vec<RequestedInstrument>),
    /// Code 12.
    Disconnect,
}

/// Why a text is not a request. A server answers none of these; the broker's stays silent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or not an object with an integer `RequestCode`.
    #[error("not a request")]
    NotARequest,
    /// A code that version 2 does not have.
    #[error("request code {0} is unknown")]
    UnknownCode(i64),
    /// No list of instruments, or an entry without segment or token.
    #[error("instrument list is missing or malformed")]
    BadList,
}

/// Subscribe messages that cover the set exactly once, at most [`MAX_PER_MESSAGE`] each (A19).
pub fn subscribe(mode: Mode, keys: &BTreeSet<Key>) -> Vec<String> {
    subscribe_in(mode, keys, MAX_PER_MESSAGE)
}

/// [`subscribe`] with another limit (at least 1).
pub fn subscribe_in(mode: Mode, keys: &BTreeSet<Key>, per_message: usize) -> Vec<String> {
    batches(mode.subscribe_code(), keys, per_message)
}

/// Unsubscribe messages, as [`subscribe`].
pub fn unsubscribe(mode: Mode, keys: &BTreeSet<Key>) -> Vec<String> {
    unsubscribe_in(mode, keys, MAX_PER_MESSAGE)
}

/// [`unsubscribe`] with another limit (at least 1).
pub fn unsubscribe_in(mode: Mode, keys: &BTreeSet<Key>, per_message: usize) -> Vec<String> {
    batches(mode.unsubscribe_code(), keys, per_message)
}

/// The message that says goodbye.
pub fn disconnect() -> String {
    json!({ "RequestCode": 12 }).to_string()
}

fn batches(code: u8, keys: &BTreeSet<Key>, per_message: usize) -> Vec<String> {
    let keys: Vec<Key> = keys.iter().copied().collect();
    keys.chunks(per_message.max(1))
        .map(|batch| {
            let list: Vec<Value> = batch
                .iter()
                .map(|(segment, id)| json!({ "ExchangeSegment": segment.name(), "SecurityId": id.to_string() }))
                .collect();
            json!({ "RequestCode": code, "InstrumentCount": batch.len(), "InstrumentList": list }).to_string()
        })
        .collect()
}

/// Reads a request as a server would: any key order and spacing, tokens as strings or numbers, the flat form of the
/// 200-level socket. `InstrumentCount` is not believed.
pub fn parse_request(text: &str) -> Result<Request, RequestError> {
    let value: Value = serde_json::from_str(text).map_err(|_| RequestError::NotARequest)?;
    let code = value.get("RequestCode").and_then(Value::as_i64).ok_or(RequestError::NotARequest)?;
    let (mode, is_subscribe) = match code {
        12 => return Ok(Request::Disconnect),
        15 | 16 => (Mode::Ticker, code == 15),
        17 | 18 => (Mode::Quote, code == 17),
        21 | 22 => (Mode::Full, code == 21),
        // The two official sources disagree about 24 and 25.
        23..=25 => (Mode::Depth, code == 23),
        other => return Err(RequestError::UnknownCode(other)),
    };
    let list = match value.get("InstrumentList") {
        Some(Value::Array(list)) => list.iter().map(instrument).collect::<Option<Vec<_>>>(),
        Some(_) => None,
        None => instrument(&value).map(|one| vec![one]),
    };
    let list = list.ok_or(RequestError::BadList)?;
    Ok(if is_subscribe { Request::Subscribe(mode, list) } else { Request::Unsubscribe(mode, list) })
}

fn instrument(value: &Value) -> Option<RequestedInstrument> {
    let segment = value.get("ExchangeSegment")?.as_str()?.to_owned();
    let security_id = match value.get("SecurityId")? {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    Some(RequestedInstrument { segment, security_id })
}

/// Whether a binary frame from a client is the official one's goodbye: 83 bytes that start with code 12. A server
/// ignores it, and every other binary frame.
pub fn is_legacy_goodbye(frame: &[u8]) -> bool {
    frame.len() == 83 && frame[0] == 12
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_those_of_the_official_client() {
        let keys = BTreeSet::from([(Segment::IdxI, 13)]);
        let official = r#"{"RequestCode": 15, "InstrumentCount": 1, "InstrumentList": [{"ExchangeSegment": "IDX_I", "SecurityId": "13"}]}"#;
        let ours = subscribe(Mode::Ticker, &keys);
        assert_eq!(ours, [official.replace(": ", ":").replace(", ", ",")]);
        assert_eq!(parse_request(official), parse_request(&ours[0]));
        assert_eq!(disconnect(), r#"{"RequestCode":12}"#);
        assert_eq!(parse_request(r#"{"RequestCode": 12}"#), Ok(Request::Disconnect));
    }

    #[test]
    fn codes_are_those_of_the_table() {
        // dhan-v2.md 1.2
        let table = [(Mode::Ticker, 15, 16), (Mode::Quote, 17, 18), (Mode::Full, 21, 22), (Mode::Depth, 23, 24)];
        let keys = BTreeSet::from([(Segment::NseFno, 55_796)]);
        let one = vec![RequestedInstrument { segment: "NSE_FNO".to_owned(), security_id: "55796".to_owned() }];
        for (mode, on, off) in table {
            assert_eq!((mode.subscribe_code(), mode.unsubscribe_code()), (on, off));
            assert_eq!(parse_request(&subscribe(mode, &keys)[0]), Ok(Request::Subscribe(mode, one.clone())));
            assert_eq!(parse_request(&unsubscribe(mode, &keys)[0]), Ok(Request::Unsubscribe(mode, one.clone())));
        }
        let portal = r#"{"RequestCode":25,"ExchangeSegment":"NSE_FNO","SecurityId":"55796"}"#;
        assert_eq!(parse_request(portal), Ok(Request::Unsubscribe(Mode::Depth, one)));
        for code in [11, 13, 14, 19, 20, 0, -1] {
            let text = format!(r#"{{"RequestCode":{code},"InstrumentList":[]}}"#);
            assert_eq!(parse_request(&text), Err(RequestError::UnknownCode(code)));
        }
    }

    #[test]
    fn key_order_spacing_and_number_ids_do_not_matter() {
        let text = r#" { "InstrumentList" : [ { "SecurityId" : 13 , "ExchangeSegment" : "IDX_I" } ] ,
            "InstrumentCount" : 7 , "RequestCode" : 21 } "#;
        let Ok(Request::Subscribe(Mode::Full, list)) = parse_request(text) else { panic!() };
        assert_eq!(list[0].key(), Some((Segment::IdxI, 13)));
        let strange = RequestedInstrument { segment: "NSE_COMM".to_owned(), security_id: "x".to_owned() };
        assert_eq!(strange.key(), None);
    }

    #[test]
    fn what_is_not_a_request_is_refused_by_kind() {
        assert_eq!(parse_request("hello"), Err(RequestError::NotARequest));
        assert_eq!(parse_request("[1]"), Err(RequestError::NotARequest));
        for list in [r#""InstrumentList":5"#, r#""InstrumentList":[{"SecurityId":"1"}]"#, r#""x":1"#] {
            assert_eq!(parse_request(&format!(r#"{{"RequestCode":15,{list}}}"#)), Err(RequestError::BadList));
        }
    }

    #[test]
    fn the_official_clients_binary_goodbye_is_known() {
        // i8 code 12, u16 length 83, 30 bytes of client id, 50 zeros.
        let mut goodbye = vec![12, 83, 0];
        goodbye.resize(83, 0);
        assert!(is_legacy_goodbye(&goodbye));
        assert!(!is_legacy_goodbye(&goodbye[..82]));
    }

    proptest! {
        #[test]
        fn any_set_becomes_valid_messages_that_cover_it_exactly_once(
            ids in prop::collection::btree_set((0u8..9, 0u32..100_000), 0..450),
            per_message in 1usize..150,
        ) {
            // A19
            let keys: BTreeSet<Key> =
                ids.into_iter().filter_map(|(s, id)| Some((Segment::from_code(s)?, id))).collect();
            let mut seen = BTreeSet::new();
            let frames = subscribe_in(Mode::Quote, &keys, per_message);
            prop_assert_eq!(frames.len(), keys.len().div_ceil(per_message));
            for frame in frames {
                let Ok(Request::Subscribe(Mode::Quote, list)) = parse_request(&frame) else { panic!("{frame}") };
                prop_assert!(!list.is_empty() && list.len() <= per_message);
                let count = serde_json::from_str::<Value>(&frame).unwrap()["InstrumentCount"].as_u64();
                prop_assert_eq!(count, Some(list.len() as u64));
                for one in list {
                    prop_assert!(seen.insert(one.key().unwrap()));
                }
            }
            prop_assert_eq!(seen, keys);
        }
    }
}

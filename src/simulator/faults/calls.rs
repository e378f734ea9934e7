//! Faults of REST: what the schedule says, as what happens to a call.

use scalper_decide::domain::Age;
use serde_json::Value;

use super::kind::{FaultKind, Occasion};
use super::schedule::FaultSchedule;
use crate::simulator::rest::faults::{Disturbance, Fate, FaultHook, Moment, Point};

/// Refusals as other rooms of the API shape them (dhan-v2.md 9.2).
const SHAPES: [(u16, &str); 4] = [
    (400, r#"{"data":{"905":"Missing required fields"},"status":"failed"}"#),
    (
        400,
        r#"{"errorCode":"NONE","httpStatus":"BAD_REQUEST","internalErrorCode":"RS-9005","internalErrorMessage":"x"}"#,
    ),
    (500, r#"{"timestamp":1770695100000,"status":500,"error":"Internal Server Error","path":"/v2/orders"}"#),
    (200, r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"RMS: the order was not taken"}"#),
];

impl FaultHook for FaultSchedule {
    fn at(&self, moment: &Moment<'_>) -> Option<Disturbance> {
        let (is_list, is_look_up) = kind_of_read(moment);
        if is_list || is_look_up {
            self.remember(moment.path, moment.now, moment.reply);
        }
        let (kind, length) = match moment.point {
            Point::BeforeAcceptance => self.draw_of(moment.now, |kind| match kind.occasion() {
                Occasion::Arrival | Occasion::Call => true,
                Occasion::ExitArrival => may_end_a_position(moment),
                _ => false,
            }),
            Point::AfterAcceptance => self.draw_of(moment.now, |kind| match kind {
                FaultKind::DeliveredTwice => moment.method != "POST",
                _ => match kind.occasion() {
                    Occasion::Acceptance | Occasion::Answer => true,
                    Occasion::Placement => moment.method == "POST",
                    _ => false,
                },
            }),
            Point::Read => self.draw_of(moment.now, |kind| match kind.occasion() {
                Occasion::Answer | Occasion::Call => true,
                Occasion::List => is_list,
                Occasion::Read => is_list || is_look_up,
                Occasion::LookUp => is_look_up,
                _ => false,
            }),
        }?;
        self.disturbance(kind, length, moment)
    }
}

/// Whether a read is one of the three lists, or a look-up by tag.
fn kind_of_read(moment: &Moment<'_>) -> (bool, bool) {
    let is_read = moment.point == Point::Read && moment.method == "GET";
    let is_list = is_read && matches!(moment.path, "orders" | "trades" | "positions");
    (is_list, is_read && moment.path.starts_with("orders/external/"))
}

fn may_end_a_position(moment: &Moment<'_>) -> bool {
    if moment.method != "POST" {
        return true;
    }
    let body = serde_json::from_slice::<Value>(moment.body).unwrap_or_default();
    body.get("transactionType").and_then(Value::as_str) == Some("SELL")
}

fn json(http: u16, body: &str) -> Fate {
    Fate::Instead { http, kind: "application/json", body: body.to_owned() }
}

impl FaultSchedule {
    fn disturbance(&self, kind: FaultKind, length: Age, moment: &Moment<'_>) -> Option<Disturbance> {
        let text = || String::from_utf8_lossy(moment.reply).into_owned();
        let fate = match kind {
            FaultKind::RequestLost | FaultKind::ResponseLost | FaultKind::ConnectionReset => Fate::Lost,
            FaultKind::ResponseDelayed | FaultKind::LateArrival | FaultKind::FillBeforeAcceptance => {
                return Some(Disturbance::late(length));
            }
            FaultKind::DeliveredTwice => Fate::Twice,
            FaultKind::ErrorAfterAcceptance => Fate::server_error([500, 502, 504][self.turn(3)]),
            FaultKind::ErrorBeforeAcceptance => Fate::server_error([500, 502, 503][self.turn(3)]),
            FaultKind::BookError | FaultKind::LookUpError => Fate::server_error(500),
            FaultKind::RateLimited => Fate::rate_limited(),
            FaultKind::HtmlPage => Fate::html([502, 403][self.turn(2)]),
            FaultKind::OtherErrorShape => {
                let (http, body) = SHAPES[self.turn(SHAPES.len())];
                json(http, body)
            }
            FaultKind::ExitRefused => json(
                400,
                r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"RMS: order refused, try again later"}"#,
            ),
            FaultKind::TokenExpired => json(
                401,
                r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"Client ID or user generated access token is invalid or expired."}"#,
            ),
            FaultKind::GarbledBody => json(moment.http, &garbled(&text())),
            FaultKind::TruncatedBody => Fate::Garbled,
            FaultKind::EmptyBody => Fate::empty(moment.http),
            FaultKind::OtherCasing => json(moment.http, &recased(&text())),
            FaultKind::SlowBody => Fate::Slow(length),
            FaultKind::EmptyBook => json(moment.http, "[]"),
            FaultKind::StaleBook => {
                // Nothing is older than the oldest: then the answer is as it is.
                let old = self.answer_of(moment.path, moment.now, length)?;
                json(moment.http, &String::from_utf8_lossy(&old))
            }
            _ => unreachable!("{} does not happen to calls", kind.word()),
        };
        Some(fate.into())
    }
}

/// Every seventh character is another one.
pub(super) fn garbled(text: &str) -> String {
    text.chars().enumerate().map(|(n, c)| if n % 7 == 3 { '#' } else { c }).collect()
}

/// A JSON text with the first letter of every key in the other case; any other text as it is.
pub(super) fn recased(text: &str) -> String {
    fn turn(value: Value) -> Value {
        match value {
            Value::Object(fields) => fields.into_iter().map(|(key, value)| (turned(&key), turn(value))).collect(),
            Value::Array(items) => items.into_iter().map(turn).collect(),
            other => other,
        }
    }
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| turn(value).to_string())
}

fn turned(key: &str) -> String {
    let mut letters = key.chars();
    match letters.next() {
        Some(c) if c.is_ascii_lowercase() => c.to_ascii_uppercase().to_string() + letters.as_str(),
        Some(c) => c.to_ascii_lowercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

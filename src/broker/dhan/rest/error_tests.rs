use scalper_decide::domain::broker::Answer;

use super::*;
use crate::broker::fault::RATE_LIMITED;

/// What one line of the table expects: the class of a read, and what it means for an order.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Class {
    Refused,
    NoData,
    TokenDead,
    RateLimited,
    Fatal,
    Retry,
    Unknown,
}
use Class::*;

fn class(fault: &Fault) -> Class {
    match fault {
        Fault::Refused { .. } => Refused,
        Fault::NoData(_) => NoData,
        Fault::TokenDead(_) => TokenDead,
        Fault::RateLimited(_) => RateLimited,
        Fault::Fatal(_) => Fatal,
        Fault::RetryableRead(_) => Retry,
        Fault::Unknown(_) => Unknown,
        Fault::NotSent(_) => panic!("an answer came, so something was sent"),
    }
}

/// The answer an order call gets, as a letter: Refused, Unknown, Not sent.
fn letter(fault: Fault) -> char {
    match fault.into_answer() {
        Answer::Refused { .. } => 'R',
        Answer::Unknown { .. } => 'U',
        Answer::NotSent { .. } => 'N',
        Answer::Accepted { .. } => panic!("a fault is no acceptance"),
    }
}

fn trading(code: &str, words: &str) -> String {
    format!(r#"{{"errorType":"Order_Error","errorCode":"{code}","errorMessage":"{words}"}}"#)
}

#[test]
fn every_code_and_shape_has_one_class_and_one_meaning_for_an_order() {
    let keyed = |code: &str| format!(r#"{{"data":{{"{code}":"words"}},"status":"failed"}}"#);
    let numeric = |code: &str| format!(r#"{{"errorCode":{code},"errorMessage":"words"}}"#);
    let table: Vec<(u16, String, Class, char)> = vec![
        // Trading shape, every documented code.
        (401, trading("DH-901", "Client ID or token invalid"), TokenDead, 'N'),
        (400, trading("DH-902", "no access"), Fatal, 'R'),
        (400, trading("DH-903", "segment inactive"), Fatal, 'R'),
        (429, trading("DH-904", "Too many requests"), RateLimited, 'R'),
        (400, trading("DH-904", "Too many requests"), RateLimited, 'R'),
        (400, trading("DH-905", "Missing required fields"), Refused, 'R'),
        (400, trading("DH-905", "Invalid IP"), Fatal, 'R'),
        (400, trading("DH-906", "Market is Closed! You cannot modify"), Refused, 'R'),
        (400, trading("DH-906", "Invalid Token"), TokenDead, 'N'),
        (400, trading("dh-906", "Nothing to Cancel . "), Refused, 'R'),
        (400, trading("DH-907", "no data"), NoData, 'R'),
        (500, trading("DH-908", "internal"), Retry, 'U'),
        (400, trading("DH-908", "internal"), Retry, 'U'),
        (502, trading("DH-909", "unreachable"), Retry, 'U'),
        (400, trading("DH-909", "unreachable"), Retry, 'U'),
        (400, trading("DH-910", "other"), Unknown, 'U'),
        (403, trading("DH-911", "Invalid IP"), Fatal, 'R'),
        (400, trading("DH-1111", "No holdings available"), NoData, 'R'),
        (400, trading("DH-0035", "EDIS"), Unknown, 'U'),
        (400, trading("DH-999", "something new"), Unknown, 'U'),
        // A status of the 500s outweighs any code: half of those orders exist (B13).
        (500, trading("DH-905", "Missing required fields"), Retry, 'U'),
        (503, trading("DH-906", "rejected"), Retry, 'U'),
        // Data shape with the code as a key.
        (500, keyed("800"), Retry, 'U'),
        (400, keyed("800"), Retry, 'U'),
        (400, keyed("804"), Fatal, 'R'),
        (400, keyed("805"), RateLimited, 'R'),
        (400, keyed("806"), Fatal, 'R'),
        (400, keyed("807"), TokenDead, 'N'),
        (401, keyed("808"), TokenDead, 'N'),
        (400, keyed("809"), TokenDead, 'N'),
        (400, keyed("810"), Fatal, 'R'),
        (400, keyed("811"), Refused, 'R'),
        (400, keyed("812"), Refused, 'R'),
        (400, keyed("813"), Refused, 'R'),
        (400, keyed("814"), Refused, 'R'),
        (400, keyed("801"), Unknown, 'U'),
        (200, keyed("808"), TokenDead, 'N'),
        // Data shape with a numeric code, also under a success status.
        (200, numeric("806"), Fatal, 'R'),
        (429, numeric("806"), RateLimited, 'R'),
        (200, numeric("807"), TokenDead, 'N'),
        // A success status that carries a trading error.
        (200, trading("DH-906", "insufficient funds"), Refused, 'R'),
        (200, trading("DH-908", "internal"), Retry, 'U'),
        (202, trading("DH-901", "expired"), TokenDead, 'N'),
        // Both at once proves nothing.
        (200, r#"{"orderId":"1","orderStatus":"TRANSIT","errorCode":"DH-906"}"#.into(), Unknown, 'U'),
        // Spring, legacy.
        (404, r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/v2/x"}"#.into(), Fatal, 'R'),
        (400, r#"{"errorCode":"NONE","httpStatus":"BAD_REQUEST","internalErrorCode":"RS-9005","internalErrorMessage":"x"}"#.into(), Unknown, 'U'),
        (500, r#"{"errorCode":"INTERNAL_SERVER_ERROR","internalErrorCode":"RS-9005"}"#.into(), Retry, 'U'),
        // HTML and nothing (B12).
        (200, "<html>Welcome</html>".into(), Unknown, 'U'),
        (400, "<html>Bad Request</html>".into(), Unknown, 'U'),
        (403, "<html>Forbidden</html>".into(), Unknown, 'U'),
        (404, "<html>Not Found</html>".into(), Unknown, 'U'),
        (401, String::new(), TokenDead, 'N'),
        (400, String::new(), Unknown, 'U'),
        (429, String::new(), RateLimited, 'R'),
        (502, "<html>Bad Gateway</html>".into(), Retry, 'U'),
        (504, String::new(), Retry, 'U'),
        (408, String::new(), Retry, 'U'),
        // Redirects are not followed and say nothing.
        (302, String::new(), Unknown, 'U'),
        (200, r#"{"status":"failed","remarks":"x"}"#.into(), Unknown, 'U'),
        (200, "{\"orderId\":".into(), Unknown, 'U'),
    ];
    for (http, body, expected, order) in table {
        let fault = judge(http, body.as_bytes()).expect_err(&body);
        assert_eq!(class(&fault), expected, "HTTP {http} {body}: {fault}");
        assert_eq!(letter(fault), order, "HTTP {http} {body}");
    }
}

#[test]
fn what_is_no_error_is_handed_on() {
    for body in ["[]", r#"{"data":{},"status":"success"}"#, r#"{"status":"SUCCESS","message":"m"}"#, "{}", "null", "5"]
    {
        assert!(matches!(judge(200, body.as_bytes()), Ok(Some(_))), "{body}");
    }
    // Empty error fields are no error.
    assert!(judge(200, br#"{"orderId":"1","errorCode":null}"#).is_ok());
    assert!(judge(200, br#"{"orderId":"1","errorCode":""}"#).is_ok());
    assert_eq!(judge(202, b" \n"), Ok(None));
}

#[test]
fn a_rate_limited_order_is_refused_under_a_name_of_its_own() {
    // P5: the marker lets a decision tell this refusal from one that would come again.
    let answer = judge(429, b"").unwrap_err().into_answer();
    assert_eq!(answer, Answer::Refused { refusal: VenueRefusal::Other(RATE_LIMITED.into()) });
}

#[test]
fn known_words_of_a_refusal_become_our_words() {
    let table = [
        ("Market is Closed! You cannot modify/cancel an order now.", VenueRefusal::MarketClosed),
        ("Nothing to Cancel . ", VenueRefusal::NotOpen),
        ("Price should be in multiple of Tick Size", VenueRefusal::TickSize),
        ("Quantity must be in multiples of lot size", VenueRefusal::LotSize),
        ("Order quantity exceeds freeze limit", VenueRefusal::FreezeQuantity),
        ("Price is outside the circuit limits", VenueRefusal::PriceBand),
        ("Order outside LPP range", VenueRefusal::PriceBand),
        ("Trigger price should be less than LTP", VenueRefusal::TriggerSide),
        ("Maximum modification limit reached", VenueRefusal::ModificationLimit),
        ("Contract has expired", VenueRefusal::Expired),
        ("RMS: margin shortfall", VenueRefusal::Other("RMS: margin shortfall".into())),
    ];
    for (words, expected) in table {
        assert_eq!(refusal(words), expected, "{words}");
    }
}

#[test]
fn an_echoed_token_never_stays_in_an_error() {
    // S28, S29.
    let jwt = "eyJhbGciOiJIUzUxMiJ9.eyJleHAiOjE3Njc5NTQ2MDB9.c2lnbmF0dXJl_-x";
    for text in [format!("bad token {jwt}!"), format!("?token={jwt}&x=1"), format!("<a href=\"/x?t={jwt}\">")] {
        let fault = judge(400, text.as_bytes()).unwrap_err().to_string();
        assert!(!fault.contains("eyJ") && fault.contains("[token]"), "{fault}");
        let json = trading("DH-905", &text.replace('"', "'"));
        let fault = judge(400, json.as_bytes()).unwrap_err().to_string();
        assert!(!fault.contains("eyJ"), "{fault}");
    }
    assert!(tidy(&"é".repeat(5000)).len() < MAX_TEXT + 8);
}

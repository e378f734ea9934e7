//! Every way the broker has of saying no (dhan-v2.md 9.2).

use scalper_decide::domain::Instant;
use serde_json::json;

use super::call::Reply;
use crate::simulator::account::AccessError;
use crate::simulator::oms::request::{ApiCode, ApiError};

const BAD_INPUT: &str = "Missing required fields, bad values for parameters etc.";

fn trading(http: u16, error_type: &str, code: &str, message: &str) -> Reply {
    Reply::new(http, &json!({"errorType": error_type, "errorCode": code, "errorMessage": message}))
}

/// A refusal of the order API or the books.
pub(super) fn api(error: &ApiError) -> Reply {
    trading(error.code.http(), error.code.error_type(), error.code.code(), &error.message)
}

/// DH-905.
pub(super) fn bad_input() -> Reply {
    api(&ApiError { code: ApiCode::Input, message: BAD_INPUT.to_owned() })
}

/// DH-907.
pub(super) fn no_data() -> Reply {
    let message = "System is unable to fetch data due to incorrect parameters or no data present".to_owned();
    api(&ApiError { code: ApiCode::Data, message })
}

/// DH-1111.
pub(super) fn no_holdings() -> Reply {
    trading(400, "Holding_Error", "DH-1111", "No holdings available")
}

/// DH-904.
pub(super) fn too_many() -> Reply {
    api(&ApiError { code: ApiCode::RateLimit, message: "Too many requests. Try throttling API calls.".to_owned() })
}

/// DH-908: the simulator itself is broken.
pub(super) fn internal(why: &str) -> Reply {
    trading(500, "Internal_Server_Error", "DH-908", why)
}

/// Refused access to the trading APIs.
pub(super) fn access(error: AccessError) -> Reply {
    match error {
        AccessError::NoDataPlan => Reply::ok(&json!({"errorCode": 806, "errorMessage": "Data APIs not subscribed"})),
        AccessError::WrongAddress => api(&ApiError { code: ApiCode::Input, message: "Invalid IP".to_owned() }),
        AccessError::WrongClient | AccessError::InvalidToken | AccessError::ExpiredToken => {
            let message = "Client ID or user generated access token is invalid or expired.".to_owned();
            api(&ApiError { code: ApiCode::Auth, message })
        }
    }
}

/// Refused access to quotes and chains. Whatever is wrong with the token, 808 is what was recorded.
pub(super) fn data_access(error: AccessError) -> Reply {
    match error {
        AccessError::NoDataPlan => access(error),
        _ => keyed(401, "808", "Authentication Failed - Client ID or Token invalid"),
    }
}

/// A refusal of quotes and chains.
pub(super) fn keyed(http: u16, code: &str, message: &str) -> Reply {
    Reply::new(http, &json!({"data": {code: message}, "status": "failed"}))
}

/// 814.
pub(super) fn bad_request() -> Reply {
    keyed(400, "814", "Invalid Request")
}

/// A path, or a method of a path, that does not exist.
pub(super) fn spring(http: u16, now: Instant, path: &str) -> Reply {
    let words = if http == 405 { "Method Not Allowed" } else { "Not Found" };
    let millis = now.nanos() / 1_000_000;
    Reply::new(http, &json!({"timestamp": millis, "status": http, "error": words, "path": path}))
}

/// A path of the API without its version.
pub(super) fn legacy() -> Reply {
    let body = json!({
        "errorCode": "NONE",
        "httpStatus": "BAD_REQUEST",
        "internalErrorCode": "RS-9005",
        "internalErrorMessage": "Invalid request path",
    });
    Reply::new(400, &body)
}

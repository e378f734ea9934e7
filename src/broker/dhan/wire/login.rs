//! The first frame on the order-update socket (dhan-v2.md 3.1).

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::super::credentials::Credentials;

const LOGIN: i64 = 42;

/// The login frame, with the token in it: never to be logged.
pub fn login_frame(credentials: &Credentials) -> SecretString {
    let frame = json!({
        "LoginReq": {
            "MsgCode": LOGIN,
            "ClientId": credentials.client_id,
            "Token": credentials.token.expose_secret(),
        },
        "UserType": "SELF",
    });
    frame.to_string().into()
}

/// Reads a login frame as a server would. `None` when it is none, or the partner form (which has no token).
pub fn parse_login(text: &str) -> Option<Credentials> {
    let frame: Value = serde_json::from_str(text).ok()?;
    let login = frame.get("LoginReq")?;
    if login.get("MsgCode")?.as_i64()? != LOGIN || frame.get("UserType")?.as_str()? != "SELF" {
        return None;
    }
    let client_id = match login.get("ClientId")? {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    Some(Credentials { client_id, token: login.get("Token")?.as_str()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_frame_is_the_documented_one_and_reads_back() {
        let credentials = Credentials { client_id: "1000000001".to_owned(), token: "eyJ.a.b".into() };
        let frame = login_frame(&credentials);
        assert_eq!(
            frame.expose_secret(),
            r#"{"LoginReq":{"MsgCode":42,"ClientId":"1000000001","Token":"eyJ.a.b"},"UserType":"SELF"}"#
        );
        let read = parse_login(frame.expose_secret()).unwrap();
        assert_eq!((read.client_id.as_str(), read.token.expose_secret()), ("1000000001", "eyJ.a.b"));
    }

    #[test]
    fn anything_else_is_not_a_login() {
        let partner = r#"{"LoginReq":{"MsgCode":42,"ClientId":"p"},"UserType":"PARTNER","Secret":"s"}"#;
        let wrong_code = r#"{"LoginReq":{"MsgCode":43,"ClientId":"1","Token":"t"},"UserType":"SELF"}"#;
        for text in [partner, wrong_code, "", "[]", "{}", r#"{"LoginReq":42}"#] {
            assert!(parse_login(text).is_none(), "{text}");
        }
    }
}

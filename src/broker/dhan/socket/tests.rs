//! Dialling: what an address may look like, and what errors may say.

use secrecy::SecretString;

use super::config::SocketConfig;
use super::dial::dial;
use super::link::DownCause;

#[tokio::test]
async fn errors_of_a_dial_never_hold_the_token() {
    let config = SocketConfig::new("unused");
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for url in [
        format!("ws://{closed}?token=top-secret"),
        "http://localhost?token=top-secret".to_owned(),
        "not an address?token=top-secret".to_owned(),
        "ws://?token=top-secret".to_owned(),
    ] {
        let cause = dial(&SecretString::from(url), &config).await.expect_err("nobody listens");
        assert!(matches!(cause, DownCause::Broken(_)), "{cause:?}");
        assert!(!format!("{cause:?} {cause}").contains("secret"), "{cause:?}");
    }
}

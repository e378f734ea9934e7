//! The account: who the client is, which token is alive, which addresses may trade, whether data is paid for
//! (dhan-v2.md 4.2, 4.3).

use std::collections::BTreeSet;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scalper_decide::domain::{Age, Instant};
use secrecy::{ExposeSecret as _, SecretString};

/// A token lives so long at most.
pub const TOKEN_LIFE: Age = Age::from_secs(24 * 3_600);

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Another client id than the account's.
    #[error("client id is unknown")]
    WrongClient,
    /// No token, one that never was, or one that a newer one has killed.
    #[error("token is invalid")]
    InvalidToken,
    /// The token's time is over.
    #[error("token has expired")]
    ExpiredToken,
    /// The account has no data plan.
    #[error("data APIs are not subscribed")]
    NoDataPlan,
    /// Orders from this address are not allowed.
    #[error("address is not on the list")]
    WrongAddress,
}

impl AccessError {
    /// The code that REST data APIs and sockets answer with (dhan-v2.md 9.2); `None` for the address, which only
    /// order calls look at.
    pub const fn data_code(self) -> Option<u16> {
        match self {
            AccessError::WrongClient => Some(810),
            AccessError::InvalidToken => Some(809),
            AccessError::ExpiredToken => Some(807),
            AccessError::NoDataPlan => Some(806),
            AccessError::WrongAddress => None,
        }
    }

    /// The code of trading APIs.
    pub const fn trading_code(self) -> &'static str {
        match self {
            AccessError::WrongClient | AccessError::InvalidToken | AccessError::ExpiredToken => "DH-901",
            AccessError::NoDataPlan => "DH-902",
            // DH-905 "Invalid IP" is what was seen; DH-911 is in secondary sources only.
            AccessError::WrongAddress => "DH-905",
        }
    }
}

#[derive(Debug)]
struct Token {
    text: SecretString,
    expires_at: Instant,
}

/// The one account of a simulator.
#[derive(Debug)]
pub struct Account {
    client_id: String,
    token: Option<Token>,
    minted: u64,
    /// Whether the account may read market data.
    pub data_plan: bool,
    /// Addresses orders may come from; empty = none may.
    pub addresses: BTreeSet<IpAddr>,
}

impl Account {
    /// An account with a data plan that trades from this machine; it has no token yet.
    pub fn new(client_id: &str) -> Account {
        let local = ["127.0.0.1", "::1"].map(|ip| ip.parse().expect("a loopback address"));
        Account {
            client_id: client_id.to_owned(),
            token: None,
            minted: 0,
            data_plan: true,
            addresses: local.into_iter().collect(),
        }
    }

    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Makes a token that is good for `life` (24 hours at most) and kills the one before. It has the shape of a JWT with
    /// a truthful `exp`.
    pub fn mint(&mut self, now: Instant, life: Age) -> SecretString {
        self.minted += 1;
        let expires_at = now + life.min(TOKEN_LIFE);
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS512"}"#);
        let payload = serde_json::json!({
            "iss": "dhan",
            "exp": expires_at.nanos() / 1_000_000_000,
            "tokenConsumerType": "SELF",
            "dhanClientId": self.client_id,
        });
        let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
        let name = format!("{}|{}|{}|{payload}", self.client_id, self.minted, now.nanos());
        let signature = URL_SAFE_NO_PAD.encode(blake3::hash(name.as_bytes()).as_bytes());
        let text = SecretString::from(format!("{header}.{payload}.{signature}"));
        self.token = Some(Token { text: text.clone(), expires_at });
        text
    }

    /// Makes `text` the token that is alive: one that a person brought.
    pub fn set_token(&mut self, text: SecretString, expires_at: Instant) {
        self.token = Some(Token { text, expires_at });
    }

    /// Renews: a new token for 24 hours, the one shown dies.
    ///
    /// # Errors
    /// The one shown is not alive.
    pub fn renew(&mut self, shown: &str, now: Instant) -> Result<SecretString, AccessError> {
        self.check_token(shown, now)?;
        Ok(self.mint(now, TOKEN_LIFE))
    }

    /// Kills the token that is alive.
    pub fn revoke(&mut self) {
        self.token = None;
    }

    /// When the token that is alive ends.
    pub fn expires_at(&self) -> Option<Instant> {
        self.token.as_ref().map(|token| token.expires_at)
    }

    /// Whether `shown` is the token that is alive.
    ///
    /// # Errors
    /// It is not.
    pub fn check_token(&self, shown: &str, now: Instant) -> Result<(), AccessError> {
        let Some(token) = self.token.as_ref().filter(|t| t.text.expose_secret() == shown) else {
            return Err(AccessError::InvalidToken);
        };
        if now < token.expires_at { Ok(()) } else { Err(AccessError::ExpiredToken) }
    }

    /// Whether a caller may come in at all. `client_id` is looked at where it is sent.
    ///
    /// # Errors
    /// Another client, or the token is not alive.
    pub fn check(&self, client_id: Option<&str>, shown: &str, now: Instant) -> Result<(), AccessError> {
        if client_id.is_some_and(|id| id != self.client_id) {
            return Err(AccessError::WrongClient);
        }
        self.check_token(shown, now)
    }

    /// Whether a caller may read market data.
    ///
    /// # Errors
    /// As [`Account::check`], or there is no data plan.
    pub fn check_data(&self, client_id: Option<&str>, shown: &str, now: Instant) -> Result<(), AccessError> {
        self.check(client_id, shown, now)?;
        if self.data_plan { Ok(()) } else { Err(AccessError::NoDataPlan) }
    }

    /// Whether orders may come from an address. Reads may come from anywhere.
    ///
    /// # Errors
    /// They may not.
    pub fn check_address(&self, from: IpAddr) -> Result<(), AccessError> {
        if self.addresses.contains(&from) { Ok(()) } else { Err(AccessError::WrongAddress) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_secs(1_770_000_000);

    #[test]
    fn a_new_token_kills_the_one_before_and_none_outlives_a_day() {
        // dhan-v2.md 4.2, B rows: one active token; 24 h at most.
        let mut account = Account::new("1000000001");
        let first = account.mint(NOW, Age::from_secs(1_000_000));
        assert_eq!(account.check(Some("1000000001"), first.expose_secret(), NOW), Ok(()));
        let second = account.renew(first.expose_secret(), NOW + Age::from_secs(1)).unwrap();
        let later = NOW + Age::from_secs(2);
        assert_eq!(account.check_token(first.expose_secret(), later), Err(AccessError::InvalidToken));
        assert_eq!(account.check_token(second.expose_secret(), later), Ok(()));
        let end = NOW + Age::from_secs(1) + TOKEN_LIFE;
        assert_eq!(account.check_token(second.expose_secret(), end), Err(AccessError::ExpiredToken));
        assert_eq!(account.check(Some("2"), second.expose_secret(), later), Err(AccessError::WrongClient));
        account.revoke();
        assert_eq!(account.check_token(second.expose_secret(), later), Err(AccessError::InvalidToken));
    }

    #[test]
    fn a_token_tells_its_own_end_as_a_jwt_does_and_is_never_printed() {
        let mut account = Account::new("1000000001");
        let token = account.mint(NOW, Age::from_secs(60));
        let payload = token.expose_secret().split('.').nth(1).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(payload["exp"], 1_770_000_060);
        assert!(!format!("{account:?}").contains(token.expose_secret()));
    }

    #[test]
    fn data_needs_a_plan_and_orders_need_a_known_address() {
        // dhan-v2.md 1.8, 4.3.
        let mut account = Account::new("1000000001");
        let token = account.mint(NOW, TOKEN_LIFE);
        account.data_plan = false;
        let refused = account.check_data(None, token.expose_secret(), NOW).unwrap_err();
        assert_eq!(refused.data_code(), Some(806));
        assert_eq!(account.check_address("127.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(account.check_address("10.1.2.3".parse().unwrap()), Err(AccessError::WrongAddress));
    }
}

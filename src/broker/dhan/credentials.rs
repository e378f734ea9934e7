//! What a connection needs to introduce itself.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

/// Account and access token, always replaced together.
#[derive(Clone)]
pub struct Credentials {
    /// Dhan client id, digits.
    pub client_id: String,
    /// Access token (a JWT of at most a day).
    pub token: SecretString,
}

/// The newest credentials, `None` while there are none. Read again at every connect (B3).
pub type CredentialsWatch = watch::Receiver<Option<Credentials>>;

impl Credentials {
    /// Whether both say the same.
    pub fn is_same(&self, other: &Credentials) -> bool {
        self.client_id == other.client_id && self.token.expose_secret() == other.token.expose_secret()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_printed() {
        let credentials = Credentials { client_id: "1000000001".to_owned(), token: "eyJ.secret".into() };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}

//! Who we are to the broker.

use secrecy::SecretString;

/// Client id and access token. `Debug` shows the id and never the token (S27).
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The broker's number of the account.
    pub client_id: String,
    /// Access token (a JWT that lives at most a day).
    pub token: SecretString,
}

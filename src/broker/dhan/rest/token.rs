//! The token's owner: one process, one token, published to everybody who needs it (dhan-v2.md 4.2).

pub mod file;
pub mod jwt;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use scalper_decide::domain::{Age, Instant, TimeOfDay};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use self::file::TokenFileError;
use super::account::NewToken;
use super::client::{Client, CurrentCredentials};
use crate::broker::dhan::credentials::Credentials;
use crate::broker::fault::Fault;
use crate::clock::SessionClock;

/// How long before its end a token is warned about (B1).
pub const WARN_BEFORE: Age = Age::from_mins(120);
/// Renewals allowed inside [`RENEWAL_WINDOW`] (B2).
pub const MAX_RENEWALS: usize = 2;
/// See [`MAX_RENEWALS`].
pub const RENEWAL_WINDOW: Age = Age::from_mins(10);

/// Where a token came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// `DHAN_CLIENT_ID` and `DHAN_ACCESS_TOKEN`.
    Environment,
    /// A file that only its owner can read.
    File(PathBuf),
    /// Handed over by a person or a renewal, and not kept anywhere.
    Command,
}

impl std::fmt::Display for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TokenSource::Environment => f.write_str("environment"),
            TokenSource::File(path) => write!(f, "file {}", path.display()),
            TokenSource::Command => f.write_str("command"),
        }
    }
}

/// Why there is no usable token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Neither source has one.
    #[error("no Dhan token: set DHAN_CLIENT_ID and DHAN_ACCESS_TOKEN, or run `scalper token set`")]
    None,
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] TokenFileError),
    /// Not a JWT with an end, so nobody could warn before it dies.
    #[error("the access token is no JWT with an `exp` claim")]
    NotAJwt,
    /// Not something that can be sent.
    #[error("the client id must be 1 to 20 letters or digits")]
    ClientId,
    /// Another account's.
    #[error("the token is of account {token:?}, not {wanted:?}")]
    OtherAccount {
        /// Account in the token.
        token: String,
        /// Account in use.
        wanted: String,
    },
    /// Over already.
    #[error("the token ended at {}", .0.ist_text())]
    Expired(Instant),
    /// Would end inside the session (B1).
    #[error("the token ends at {}, before {} IST: renew it before the open", .ends.ist_text(), .needed.ist_time())]
    TooShort {
        /// End of the token.
        ends: Instant,
        /// Until when it must live.
        needed: Instant,
    },
    /// Enough renewals for now (B2).
    #[error("{MAX_RENEWALS} renewals in 10 minutes are enough: something else replaces the token")]
    TooManyRenewals,
    /// The broker did not renew. When no answer came, both tokens may be dead.
    #[error("the token was not renewed: {0}")]
    Renewal(#[from] Fault),
}

/// What may be shown of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenStatus {
    /// Account.
    pub client_id: String,
    /// End of the token.
    pub ends: Instant,
    /// Time left; zero when it is over.
    pub left: Age,
    /// Where it came from.
    pub source: TokenSource,
}

impl TokenStatus {
    /// Whether it ends within [`WARN_BEFORE`].
    pub fn ends_soon(&self) -> bool {
        self.left <= WARN_BEFORE
    }
}

/// Whatever can renew a token: one attempt per call.
pub trait Renews: Send + Sync {
    /// Asks for a new token, which ends the old one.
    fn renew(&self) -> BoxFuture<'_, Result<NewToken, Fault>>;
}

impl<M: 'static> Renews for Client<M> {
    fn renew(&self) -> BoxFuture<'_, Result<NewToken, Fault>> {
        Box::pin(self.renew_token())
    }
}

/// A token that has been looked at: for sending, with a known end.
#[derive(Debug, Clone)]
pub struct CheckedToken {
    /// Who and what.
    pub credentials: Arc<Credentials>,
    /// End of the token.
    pub ends: Instant,
}

impl CheckedToken {
    /// Checks form and account; whether it is over is the caller's question.
    pub fn new(client_id: &str, token: SecretString) -> Result<CheckedToken, TokenError> {
        let client_id = client_id.trim();
        if !(1..=20).contains(&client_id.len()) || !client_id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(TokenError::ClientId);
        }
        let token: SecretString = token.expose_secret().trim().to_owned().into();
        let claims = jwt::claims(token.expose_secret()).ok_or(TokenError::NotAJwt)?;
        if let Some(of) = claims.client_id.filter(|of| of != client_id) {
            return Err(TokenError::OtherAccount { token: of, wanted: client_id.to_owned() });
        }
        let credentials = Arc::new(Credentials { client_id: client_id.to_owned(), token });
        Ok(CheckedToken { credentials, ends: claims.ends })
    }
}

/// Reads the token from the environment, or else from the file.
pub fn find(
    env: impl Fn(&str) -> Option<String>,
    file: Option<&Path>,
) -> Result<(CheckedToken, TokenSource), TokenError> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    if let (Some(id), Some(token)) = (set("DHAN_CLIENT_ID"), set("DHAN_ACCESS_TOKEN")) {
        return Ok((CheckedToken::new(&id, token.into())?, TokenSource::Environment));
    }
    match file {
        Some(path) if path.exists() => {
            let (id, token) = file::read(path)?;
            Ok((CheckedToken::new(&id, token)?, TokenSource::File(path.to_owned())))
        }
        _ => Err(TokenError::None),
    }
}

#[derive(Debug)]
struct State {
    token: CheckedToken,
    source: TokenSource,
    renewals: VecDeque<Instant>,
}

/// Owns the token and publishes it. A swap takes effect with the next call of every client; nothing is closed.
#[derive(Debug)]
pub struct TokenKeeper {
    sender: watch::Sender<Arc<Credentials>>,
    state: Mutex<State>,
    renewing: tokio::sync::Mutex<()>,
    file: Option<PathBuf>,
    clock: SessionClock,
}

impl TokenKeeper {
    /// Keeps a token that was found. `file` is watched for a newer one, and a renewed token is written to it.
    pub fn new(found: (CheckedToken, TokenSource), file: Option<PathBuf>, clock: SessionClock) -> TokenKeeper {
        let (token, source) = found;
        TokenKeeper {
            sender: watch::channel(Arc::clone(&token.credentials)).0,
            state: Mutex::new(State { token, source, renewals: VecDeque::new() }),
            renewing: tokio::sync::Mutex::new(()),
            file,
            clock,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the token state")
    }

    /// The token in force, now and from now on.
    pub fn subscribe(&self) -> CurrentCredentials {
        self.sender.subscribe()
    }

    /// What may be shown.
    pub fn status(&self) -> TokenStatus {
        let state = self.state();
        TokenStatus {
            client_id: state.token.credentials.client_id.clone(),
            ends: state.token.ends,
            left: state.token.ends.age_of(self.clock.now()),
            source: state.source.clone(),
        }
    }

    /// Puts another token of the same account in force (B2); `true` when it differs from the one in force.
    pub fn install(&self, token: CheckedToken, source: TokenSource) -> Result<bool, TokenError> {
        if token.ends <= self.clock.now() {
            return Err(TokenError::Expired(token.ends));
        }
        let mut state = self.state();
        let old = &state.token.credentials;
        if token.credentials.client_id != old.client_id {
            return Err(TokenError::OtherAccount {
                token: token.credentials.client_id.clone(),
                wanted: old.client_id.clone(),
            });
        }
        if token.credentials.token.expose_secret() == old.token.expose_secret() {
            return Ok(false);
        }
        self.sender.send_replace(Arc::clone(&token.credentials));
        state.token = token;
        state.source = source;
        Ok(true)
    }

    /// Reads the file again; `true` when it held another token, which is then in force.
    pub fn reload(&self) -> Result<bool, TokenError> {
        let Some(path) = &self.file else { return Ok(false) };
        let (id, token) = file::read(path)?;
        self.install(CheckedToken::new(&id, token)?, TokenSource::File(path.clone()))
    }

    /// Watches the file until the future is dropped. A file that cannot be used is reported once and the token in
    /// force stays.
    pub async fn watch_file(&self, every: Duration) {
        let Some(path) = self.file.clone() else { return std::future::pending().await };
        let mut seen = file::fingerprint(&path);
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let now = file::fingerprint(&path);
            if now == seen || now.is_none() {
                continue;
            }
            seen = now;
            match self.reload() {
                Ok(true) => {
                    tracing::info!(target: "broker", ends = %self.status().ends.ist_text(), "token replaced from file")
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(target: "broker", %error, "token file changed but cannot be used"),
            }
        }
    }

    /// Renews through the broker. Whoever asks while a renewal is under way gets its outcome (B3); a third renewal in
    /// ten minutes is refused (B2). Never call this in a loop.
    pub async fn renew(&self, by: &dyn Renews) -> Result<TokenStatus, TokenError> {
        let before = Arc::clone(&self.state().token.credentials);
        let _single = self.renewing.lock().await;
        if !Arc::ptr_eq(&before, &self.state().token.credentials) {
            return Ok(self.status());
        }
        self.count_renewal()?;
        let new = by.renew().await?;
        let account = before.client_id.clone();
        let wanted = new.client_id.as_deref().unwrap_or(&account);
        let token = CheckedToken::new(wanted, new.token)?;
        // On disk first: a process that dies now must find the token that lives.
        let source = match &self.file {
            Some(path) => {
                file::write(path, &account, &token.credentials.token)?;
                TokenSource::File(path.clone())
            }
            None => TokenSource::Command,
        };
        self.install(token, source)?;
        Ok(self.status())
    }

    fn count_renewal(&self) -> Result<(), TokenError> {
        let now = self.clock.now();
        let mut state = self.state();
        while state.renewals.front().is_some_and(|at| now.age_of(*at) >= RENEWAL_WINDOW) {
            state.renewals.pop_front();
        }
        if state.renewals.len() >= MAX_RENEWALS {
            return Err(TokenError::TooManyRenewals);
        }
        state.renewals.push_back(now);
        Ok(())
    }

    /// Start rule of a live day: the token outlives 16:00 IST of today, so that it cannot die with a position open
    /// (B1).
    pub fn outlives_the_session(&self) -> Result<(), TokenError> {
        let four = TimeOfDay::hm(16, 0).expect("a time of day");
        let needed = Instant::from_ist(self.clock.now().ist_date(), four);
        let ends = self.status().ends;
        if ends <= self.clock.now() {
            Err(TokenError::Expired(ends))
        } else if ends <= needed {
            Err(TokenError::TooShort { ends, needed })
        } else {
            Ok(())
        }
    }

    /// Waits for the moment two hours before the end of the token in force, also across replacements.
    pub async fn wait_for_warning(&self) -> TokenStatus {
        let mut changed = self.subscribe();
        loop {
            changed.mark_unchanged();
            let status = self.status();
            if status.ends_soon() {
                return status;
            }
            tokio::select! {
                () = self.clock.sleep_until(status.ends - WARN_BEFORE) => {}
                replaced = changed.changed() => replaced.expect("the keeper owns the sender"),
            }
        }
    }
}

#[cfg(test)]
#[path = "token/tests.rs"]
mod tests;

//! The token while the engine runs: a new one in the file takes over with positions open, a dead one is looked for
//! anew, and an end that comes near is an alarm and, for a token of ours, a renewal (B1 to B3).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::bell::Bell;
use crate::broker::Fault;
use crate::broker::dhan::credentials::CredentialsWatch;
use crate::broker::dhan::rest::client::{Client, CurrentCredentials};
use crate::broker::dhan::rest::token::{TokenKeeper, TokenSource};

/// How often the token file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The token in force, as sockets want it: read again at every connect.
pub fn for_sockets(mut current: CurrentCredentials) -> CredentialsWatch {
    let now = |current: &mut CurrentCredentials| Some((**current.borrow_and_update()).clone());
    let (give, take) = watch::channel(now(&mut current));
    actix_rt::spawn(async move {
        while current.changed().await.is_ok() {
            give.send_replace(now(&mut current));
        }
    });
    take
}

/// Starts the care of `keeper`, on this thread, until the thread ends.
pub fn start<M: 'static>(keeper: Arc<TokenKeeper>, client: Client<M>, bell: Bell) {
    let watched = Arc::clone(&keeper);
    actix_rt::spawn(async move { watched.watch_file(LOOK_EVERY).await });
    actix_rt::spawn(mourn(Arc::clone(&keeper), client.clone(), bell.clone()));
    actix_rt::spawn(foresee(keeper, client, bell));
}

/// Reports tokens that the broker turned away, each once, and looks into the file for the next one.
async fn mourn<M: 'static>(keeper: Arc<TokenKeeper>, client: Client<M>, bell: Bell) {
    let dead = client.token_dead();
    let mut current = keeper.subscribe();
    loop {
        current.mark_unchanged();
        dead.notified().await;
        let reloaded = keeper.reload();
        // Calls that were under way with an older token may have said this: only the one in force counts.
        if matches!(reloaded, Ok(true)) || !matches!(client.profile().await, Err(Fault::TokenDead(_))) {
            continue;
        }
        match reloaded {
            Ok(_) => bell.ring("TOKEN_DEAD", "the broker turned the token away; run `scalper token set`"),
            Err(e) => bell.ring("TOKEN_DEAD", format!("the broker turned the token away, and {e}")),
        }
        // Said once for this token.
        if current.changed().await.is_err() {
            return;
        }
    }
}

/// Warns two hours before the end of each token. One that came from the file is exchanged at the broker, once; one from
/// the environment would be found there again by the next start, dead, and is left to the person who put it there.
async fn foresee<M: 'static>(keeper: Arc<TokenKeeper>, client: Client<M>, bell: Bell) {
    let mut current = keeper.subscribe();
    loop {
        let status = keeper.wait_for_warning().await;
        let ends = status.ends.ist_text();
        current.mark_unchanged();
        bell.ring("TOKEN_ENDS", format!("the token ends at {ends}"));
        if matches!(status.source, TokenSource::File(_)) {
            match keeper.renew(&client).await {
                Ok(status) => {
                    tracing::info!(target: "broker", ends = %status.ends.ist_text(), "token renewed");
                    continue;
                }
                Err(e) => bell.ring("TOKEN_NOT_RENEWED", format!("{e}; run `scalper token set` before {ends}")),
            }
        }
        if current.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
#[path = "token_care_tests.rs"]
mod tests;

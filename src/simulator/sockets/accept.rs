//! The door: TCP, the upgrade, and who may come in.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_util::sync::CancellationToken;

use super::faults::Refusal;
use super::hub::{Door, Hub};
use super::line::{self, Ending, part};
use super::pipe::Pipe;
use super::{BadToken, Kind};
use crate::broker::dhan::wire::login::parse_login;
use crate::simulator::account::AccessError;

/// How long an upgrade may take.
const UPGRADE: Duration = Duration::from_secs(10);
/// From a bad login to the reset it meets (dhan-v2.md 3.1).
const BAD_LOGIN: Duration = Duration::from_millis(10);
/// How long a silent door keeps TCP open.
const SILENT: Duration = Duration::from_secs(3_600);

/// Lets connections in for ever; `stop` ends those that are open.
pub(in crate::simulator) async fn accept(listener: TcpListener, hub: Arc<Hub>, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(stop.clone().run_until_cancelled_owned(enter(stream, Arc::clone(&hub))));
            }
            // Out of file handles, or a client that left at once: the next one may do better.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn enter<P: Pipe>(stream: P, hub: Arc<Hub>) {
    let door = hub.door();
    let refusal = match door {
        Door::Open => (!hub.may_upgrade()).then_some(429),
        Door::Status(status, _) => Some(status),
        Door::Reset => {
            stream.reset_when_dropped();
            return;
        }
        Door::Silent => return tokio::time::sleep(SILENT).await,
    };
    stream.hurry();
    let mut asked = None;
    let mut sent_away = None;
    #[allow(clippy::result_large_err, reason = "the callback's type")]
    let callback = |upgrade: &Request, response: Response| {
        let kind = kind(upgrade.uri().path());
        sent_away = kind.and_then(|kind| hub.faults.connection(kind, hub.desk.clock().now()));
        let status = refusal.or(match (kind, sent_away) {
            (None, _) => Some(404),
            (Some(_), Some(Refusal::Status(status))) => Some(status),
            _ => None,
        });
        if let Some(status) = status.and_then(|status: u16| status.try_into().ok()) {
            let mut refused = ErrorResponse::new(None);
            *refused.status_mut() = status;
            return Err(refused);
        }
        asked = kind.map(|kind| (kind, upgrade.uri().query().unwrap_or_default().to_owned()));
        Ok(response)
    };
    let Ok(Ok(mut ws)) = timeout(UPGRADE, accept_hdr_async(stream, callback)).await else { return };
    let Some((kind, query)) = asked else { return };
    if let Some(Refusal::Goodbye(reason)) = sent_away {
        return part(ws, kind, Ending::Disconnect(reason)).await;
    }
    if kind == Kind::Orders {
        let login = timeout(hub.config.login_timeout, ws.next()).await;
        let credentials = match login {
            Ok(Some(Ok(Message::Text(text)))) => parse_login(&text),
            _ => None,
        };
        let access = credentials
            .map(|c| hub.desk.with(|_, account, now| account.check(Some(&c.client_id), c.token.expose_secret(), now)));
        if !matches!(access, Some(Ok(Ok(())))) {
            tokio::time::sleep(BAD_LOGIN).await;
            return part(ws, kind, Ending::Reset).await;
        }
    } else if let Err(error) = check(kind, &query, &hub) {
        let ending = match (hub.config.bad_token, error.data_code()) {
            (BadToken::Packet, Some(code)) => Ending::Disconnect(code),
            _ => Ending::Reset,
        };
        return part(ws, kind, ending).await;
    }
    let line = hub.join(kind);
    line::serve(ws, line, hub).await;
}

fn kind(path: &str) -> Option<Kind> {
    match path {
        "/" | "/feed" => Some(Kind::Feed),
        "/twentydepth" => Some(Kind::Depth),
        "/orderupdate" => Some(Kind::Orders),
        _ => None,
    }
}

/// Whether the query lets its sender in: `token`, `clientId`, `authType=2`, and for the feed `version=2`.
fn check(kind: Kind, query: &str, hub: &Hub) -> Result<(), AccessError> {
    let value = |name: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name);
    let is = |name, expected| value(name).is_some_and(|(_, value)| value == expected);
    let (Some((_, token)), Some((_, client))) = (value("token"), value("clientId")) else {
        return Err(AccessError::InvalidToken);
    };
    if !is("authType", "2") || (kind == Kind::Feed && !is("version", "2")) {
        return Err(AccessError::InvalidToken);
    }
    let checked = hub.desk.with(|_, account, now| account.check_data(Some(client), token, now));
    // A market that is broken has no data for anybody.
    checked.unwrap_or(Err(AccessError::NoDataPlan))
}

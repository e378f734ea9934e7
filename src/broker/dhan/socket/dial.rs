//! Opening one WebSocket. The address holds the token, so nothing here repeats it.

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::config::SocketConfig;
use super::link::DownCause;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over the network.
    Net(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    /// Inside this process.
    #[cfg(test)]
    Pipe(Box<WebSocketStream<tokio::io::DuplexStream>>),
}

/// Makes connections inside this process: the other end is somebody's already.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct Piper(pub(crate) std::sync::Arc<dyn Fn() -> tokio::io::DuplexStream + Send + Sync>);

#[cfg(test)]
impl std::fmt::Debug for Piper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Piper")
    }
}

/// Connects within the time allowed.
pub(crate) async fn dial(url: &SecretString, config: &SocketConfig) -> Result<Stream, DownCause> {
    let request = url.expose_secret().into_client_request();
    let request = request.map_err(|_| DownCause::Broken("the address cannot be used".to_owned()))?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(64 << 10)
        .max_message_size(Some(config.max_message_bytes))
        .max_frame_size(Some(config.max_message_bytes));
    #[cfg(test)]
    if let Some(Piper(connect)) = &config.pipe {
        let upgrade = tokio_tungstenite::client_async_with_config(request, connect(), Some(limits));
        return match tokio::time::timeout(config.connect_timeout, upgrade).await {
            Err(_) => Err(DownCause::ConnectTimeout),
            Ok(Err(error)) => Err(cause(&error)),
            Ok(Ok((stream, _))) => Ok(Stream::Pipe(Box::new(stream))),
        };
    }
    match tokio::time::timeout(config.connect_timeout, connect_async_with_config(request, Some(limits), true)).await {
        Err(_) => Err(DownCause::ConnectTimeout),
        Ok(Err(error)) => Err(cause(&error)),
        Ok(Ok((stream, _))) => Ok(Stream::Net(Box::new(stream))),
    }
}

/// The error in words that never hold the address.
pub(crate) fn cause(error: &Error) -> DownCause {
    match error {
        Error::Http(response) => DownCause::Refused(response.status().as_u16()),
        Error::ConnectionClosed | Error::AlreadyClosed => DownCause::ClosedByServer,
        Error::Io(error) => DownCause::Broken(error.to_string()),
        Error::Tls(error) => DownCause::Broken(format!("TLS: {error}")),
        Error::Protocol(error) => DownCause::Broken(error.to_string()),
        Error::Capacity(error) => DownCause::Broken(error.to_string()),
        Error::Utf8(_) => DownCause::Broken("text that is not UTF-8".to_owned()),
        _ => DownCause::Broken("the address cannot be used".to_owned()),
    }
}

/// Appends `key=value` pairs to an address, the values percent-encoded. An address without a path gets its `/`, which
/// the request line must have.
pub(crate) fn with_query(base: &str, pairs: &[(&str, &str)]) -> SecretString {
    let mut url = base.to_owned();
    let authority = base.find("://").map_or(0, |at| at + 3);
    if !base[authority..].contains(['/', '?']) {
        url.push('/');
    }
    for (n, (key, value)) in pairs.iter().enumerate() {
        url.push(if n == 0 && !base.contains('?') { '?' } else { '&' });
        url.push_str(key);
        url.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => url.push(byte.into()),
                other => url.push_str(&format!("%{other:02X}")),
            }
        }
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_encoded_behind_the_address() {
        let url = with_query("wss://api-feed.dhan.co", &[("version", "2"), ("token", "a.b-c_d~+/&")]);
        assert_eq!(url.expose_secret(), "wss://api-feed.dhan.co/?version=2&token=a.b-c_d~%2B%2F%26");
        assert_eq!(with_query("ws://h/p?x=1", &[("y", "2")]).expose_secret(), "ws://h/p?x=1&y=2");
    }
}

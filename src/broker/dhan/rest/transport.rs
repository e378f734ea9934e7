//! One HTTP exchange, once: no redirects, no retries, bounded time, size and compression (B11, B16).

use std::io::Read as _;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url};
use secrecy::ExposeSecret as _;

use super::error::tidy;
use crate::broker::dhan::credentials::Credentials;
use crate::broker::fault::{Fault, Said};

/// Bounds of one exchange, and of asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name look-up, TCP and TLS. Shorter than `total`, so that a failure in here is known as such.
    pub connect: Duration,
    /// Everything, the last byte of the body included.
    pub total: Duration,
    /// Largest body in bytes, unpacked.
    pub max_body: usize,
    /// Largest ratio of unpacked to packed size, above 64 KiB.
    pub max_ratio: usize,
    /// Wait before a read is asked again; doubles each time, with jitter.
    pub first_wait: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(3),
            total: Duration::from_secs(10),
            max_body: 2 * 1024 * 1024,
            max_ratio: 20,
            first_wait: Duration::from_millis(200),
        }
    }
}

/// Unpacked sizes up to this are never a bomb.
const HARMLESS: usize = 64 * 1024;

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
}

/// Status and unpacked body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) http: u16,
    pub(super) body: Vec<u8>,
}

/// The connection pool.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    limits: Limits,
    /// Carries exchanges inside this process in place of HTTP.
    #[cfg(test)]
    hand: Option<Hand>,
}

/// An exchange inside this process.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct Hand(
    pub(crate) std::sync::Arc<dyn Fn(Handed) -> futures_util::future::BoxFuture<'static, Given> + Send + Sync>,
);

/// What is handed over.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(crate) struct Handed {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) who: Credentials,
}

/// What comes back: status and body, or nothing when the connection was cut.
#[cfg(test)]
pub(crate) type Given = Option<(u16, Vec<u8>)>;

#[cfg(test)]
impl std::fmt::Debug for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hand")
    }
}

impl Transport {
    pub(super) const fn first_wait(&self) -> Duration {
        self.limits.first_wait
    }

    pub(super) fn new(limits: Limits) -> Result<Transport, String> {
        // Another part of the process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // HTTP/2 would allow the peer to hand a request back for another attempt.
            .http1_only()
            // A proxy from the environment must not come between us and the broker unnoticed.
            .no_proxy()
            .no_gzip()
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .referer(false)
            .build()
            .map_err(|e| chain(&e.without_url()))?;
        Ok(Transport {
            http,
            limits,
            #[cfg(test)]
            hand: None,
        })
    }

    /// The same, inside this process.
    #[cfg(test)]
    pub(super) fn by_hand(limits: Limits, hand: Hand) -> Result<Transport, String> {
        Ok(Transport { hand: Some(hand), ..Transport::new(limits)? })
    }

    #[cfg(test)]
    async fn hand_over(&self, hand: &Hand, request: Request, who: &Credentials) -> Result<Reply, Fault> {
        let handed = Handed {
            method: request.method.as_str().to_owned(),
            path: request.url.path().to_owned(),
            body: request.body.unwrap_or_default(),
            who: who.clone(),
        };
        let nothing = |text: &str| Fault::RetryableRead(Said { http: None, code: None, text: text.to_owned() });
        match tokio::time::timeout(self.limits.total, (hand.0)(handed)).await {
            Err(_) => Err(nothing("time-out")),
            Ok(None) => Err(nothing("connection closed before message completed")),
            Ok(Some((http, body))) => Ok(Reply { http, body }),
        }
    }

    /// Sends a request of the API, with the token, and reads the whole answer.
    pub(super) async fn exchange(&self, request: Request, who: &Credentials) -> Result<Reply, Fault> {
        #[cfg(test)]
        if let Some(hand) = &self.hand {
            return self.hand_over(hand, request, who).await;
        }
        let headers = headers(who).ok_or_else(|| Fault::NotSent("the token is no header value".to_owned()))?;
        let mut builder = self.http.request(request.method, request.url).headers(headers);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let mut response = builder.send().await.map_err(send_fault)?;
        let http = response.status().as_u16();
        let body = self.body(&mut response, http).await?;
        Ok(Reply { http, body })
    }

    /// Asks a public address, without the token; the body is read by the caller.
    pub(super) async fn open_public(&self, url: Url, total: Duration) -> Result<Response, Fault> {
        self.http.get(url).timeout(total).send().await.map_err(send_fault)
    }

    async fn body(&self, response: &mut Response, http: u16) -> Result<Vec<u8>, Fault> {
        let unusable = |text: String| Fault::Unknown(Said { http: Some(http), code: None, text });
        let encoding = response.headers().get(CONTENT_ENCODING).map(|v| v.as_bytes().to_ascii_lowercase());
        let packed = match encoding.as_deref() {
            None | Some(b"identity") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(_) => return Err(unusable("an encoding that was not asked for".to_owned())),
        };
        let mut raw = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| broken(Some(http), e))? {
            if raw.len() + chunk.len() > self.limits.max_body {
                return Err(unusable(format!("a body over {} bytes", self.limits.max_body)));
            }
            raw.extend_from_slice(&chunk);
        }
        if !packed {
            return Ok(raw);
        }
        let most = raw.len().saturating_mul(self.limits.max_ratio).max(HARMLESS).min(self.limits.max_body);
        let mut out = Vec::new();
        flate2::read::MultiGzDecoder::new(raw.as_slice())
            .take(most as u64 + 1)
            .read_to_end(&mut out)
            .map_err(|e| unusable(format!("a broken gzip body: {e}")))?;
        if out.len() > most {
            return Err(unusable(format!("a body that unpacks to over {most} bytes")));
        }
        Ok(out)
    }
}

fn headers(who: &Credentials) -> Option<HeaderMap> {
    let mut token = HeaderValue::from_str(who.token.expose_secret()).ok()?;
    token.set_sensitive(true);
    let id = HeaderValue::from_str(&who.client_id).ok()?;
    let json = HeaderValue::from_static("application/json");
    Some(HeaderMap::from_iter([
        ("access-token".parse().expect("a header name"), token),
        ("client-id".parse().expect("a header name"), id.clone()),
        ("dhanclientid".parse().expect("a header name"), id),
        (CONTENT_TYPE, json.clone()),
        (ACCEPT, json),
        (ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
    ]))
}

/// No connection is proof that nothing was sent (B9); everything later proves nothing (B10).
fn send_fault(error: reqwest::Error) -> Fault {
    if error.is_connect() || error.is_builder() {
        Fault::NotSent(chain(&error.without_url()))
    } else {
        broken(None, error)
    }
}

fn broken(http: Option<u16>, error: reqwest::Error) -> Fault {
    Fault::RetryableRead(Said { http, code: None, text: chain(&error.without_url()) })
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    tidy(&text)
}

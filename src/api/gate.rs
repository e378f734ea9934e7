//! Who is let in. In this order: the name the server is called by, the size of the request, the page it comes from, how
//! often the address calls; under `/api/v2` then the token, its role, and how often it calls (S2-S7, S10, S14, S15, S20).

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, web};
use metrics::counter;

use super::problem::Problem;
use super::route::{Endpoint, Lane, Role};
use super::state::ApiState;
use super::tokens::Caller;

/// Longest body, bytes.
pub(super) const BODY_MAX: usize = 64 * 1024;
/// Longest path with query, bytes.
const URI_MAX: usize = 4 * 1024;
/// All headers together, bytes.
const HEADERS_MAX: usize = 16 * 1024;
/// A call takes this long at most; a command goes on without whoever waited.
const PATIENCE: Duration = Duration::from_secs(10);
/// Wall time between two alarms about wrong tokens.
const RING_GAP: Duration = Duration::from_secs(60);

type Gated<B> = Result<ServiceResponse<EitherBody<B>>, Error>;

fn refuse<B: MessageBody>(request: ServiceRequest, answer: HttpResponse) -> Gated<B> {
    Ok(request.into_response(answer).map_into_right_body())
}

fn state(request: &ServiceRequest) -> web::Data<ApiState> {
    request.app_data::<web::Data<ApiState>>().expect("set for every worker").clone()
}

fn peer(request: &HttpRequest) -> IpAddr {
    // Never a forwarded header: anybody can write one (S15).
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// For every request, before anything is routed.
pub(super) async fn gate<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Gated<B> {
    let state = state(&request);
    let answered = match wrong(&request, &state) {
        Some(problem) => refuse(request, problem.response()),
        None => Ok(next.call(request).await?.map_into_left_body()),
    };
    if let Ok(response) = &answered {
        counter!("scalper_api_requests_total", "status" => response.status().as_str().to_owned()).increment(1);
    }
    answered
}

fn wrong(request: &ServiceRequest, state: &ApiState) -> Option<Problem> {
    let headers = request.headers();
    let host = only(headers, header::HOST);
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let is_known = host.is_some_and(|host| state.hosts.iter().any(|known| known == host));
    if !is_known || authority.is_some_and(|named| Some(named) != host) {
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "WRONG_HOST", "this server is not called that"));
    }
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI_MAX {
        let text = format!("an address of {uri} bytes; at most {URI_MAX}");
        return Some(Problem::new(StatusCode::URI_TOO_LONG, "URI_TOO_LONG", text));
    }
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > HEADERS_MAX {
        let text = format!("{size} bytes of headers; at most {HEADERS_MAX}");
        return Some(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "HEADERS_TOO_LARGE", text));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_MAX) {
        return Some(too_large());
    }
    if is_from_elsewhere(request.method(), headers, &state.hosts) {
        let text = "pages of other origins may not call this server";
        return Some(Problem::new(StatusCode::FORBIDDEN, "CROSS_ORIGIN", text));
    }
    state.limits.address(peer(request.request()), Instant::now()).err().map(too_many)
}

/// A body beyond [`BODY_MAX`].
pub(super) fn too_large() -> Problem {
    let text = format!("a body is at most {BODY_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", text)
}

fn too_many(wait: Duration) -> Problem {
    let secs = wait.as_secs() + 1;
    let text = format!("too many calls: try again in {secs} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_CALLS", text).retry_after(secs)
}

/// The value of a header that may stand once only.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name);
    let first = values.next().and_then(|value| value.to_str().ok());
    if values.next().is_some() { None } else { first }
}

/// A browser says that another site's page sends this. A caller without a browser says nothing, and needs a token.
fn is_from_elsewhere(method: &Method, headers: &HeaderMap, hosts: &[String]) -> bool {
    let ours = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| hosts.iter().any(|known| known == host))
    };
    if headers.get_all(header::ORIGIN).any(|origin| !ours(origin)) {
        return true;
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    !method.is_safe() && site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// The token of `Authorization: Bearer`.
pub(super) fn presented(headers: &HeaderMap) -> Option<&str> {
    only(headers, header::AUTHORIZATION)?.strip_prefix("Bearer ")
}

/// Who calls with which token.
pub(super) fn authenticate(request: &HttpRequest, state: &ApiState) -> Result<Caller, Problem> {
    if let Some(caller) = presented(request.headers()).and_then(|token| state.tokens.caller(token)) {
        state.tokens.used(&caller.name, state.clock.now());
        return Ok(caller);
    }
    let (peer, now) = (peer(request), Instant::now());
    counter!("scalper_api_wrong_tokens_total").increment(1);
    if let Err(wait) = state.limits.wrong(peer, now) {
        let mut rung = state.rung.lock().expect("nothing panics while it holds this");
        if rung.is_none_or(|last| now.duration_since(last) >= RING_GAP) {
            *rung = Some(now);
            let text = format!("{peer} tries tokens of the API that are none");
            match state.shelf() {
                Ok(shelf) => shelf.bell.ring("API_WRONG_TOKENS", text),
                Err(_) => tracing::error!(target: "alarm", key = "API_WRONG_TOKENS", text),
            }
        }
        return Err(too_many(wait));
    }
    let text = "a token of the API is needed: Authorization: Bearer ..; `scalper api-token create` makes one";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", text))
}

/// For every request under `/api/v2`: token, endpoint, role, rate.
pub(super) async fn enter<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Gated<B> {
    let state = state(&request);
    let caller = match authenticate(request.request(), &state) {
        Ok(caller) => caller,
        Err(problem) => return refuse(request, problem.response()),
    };
    let found = find(&request, &state.endpoints);
    let lane = found.as_ref().map_or(Lane::Look, |endpoint| endpoint.handler.lane);
    if let Err(wait) = state.limits.token(&caller.name, lane, Instant::now()) {
        return refuse(request, too_many(wait).response());
    }
    let needed = match found {
        Ok(endpoint) => endpoint.handler.role,
        Err(answer) => return refuse(request, answer()),
    };
    if caller.role < needed {
        return refuse(request, wrong_role(&caller, needed).response());
    }
    request.extensions_mut().insert(caller);
    match tokio::time::timeout(PATIENCE, next.call(request)).await {
        Ok(answered) => Ok(answered?.map_into_left_body()),
        Err(_) => {
            let text = "no answer in time; a command goes on: send it again with the same key to hear its outcome";
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "NO_ANSWER_IN_TIME", text).into())
        }
    }
}

fn wrong_role(caller: &Caller, needed: Role) -> Problem {
    let (has, needs) = (caller.role.name(), needed.name());
    let text = format!("token {:?} has the role {has}; this needs {needs}", caller.name);
    Problem::new(StatusCode::FORBIDDEN, "WRONG_ROLE", text)
}

type Refusal = Box<dyn FnOnce() -> HttpResponse>;

/// The endpoint of a request; otherwise how to say that there is none, or none for this method.
fn find(request: &ServiceRequest, endpoints: &[Endpoint]) -> Result<Endpoint, Refusal> {
    let pattern = request.match_pattern();
    let here: Vec<&Endpoint> = endpoints.iter().filter(|e| Some(&e.path) == pattern.as_ref()).collect();
    if here.is_empty() {
        return Err(Box::new(|| Problem::not_found("there is no such resource; see /api/v2/docs/").response()));
    }
    if let Some(endpoint) = here.iter().find(|endpoint| endpoint.method == *request.method()) {
        return Ok((*endpoint).clone());
    }
    let allowed: Vec<&str> = here.iter().map(|endpoint| endpoint.method.as_str()).collect();
    let allowed = allowed.join(", ");
    Err(Box::new(move || {
        let text = format!("this resource takes {allowed}");
        let mut answer = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", text).response();
        let value = HeaderValue::from_str(&allowed).expect("names of methods");
        answer.headers_mut().insert(header::ALLOW, value);
        answer
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(header::HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_pages_of_our_own_names_may_call_and_browsers_that_say_so_are_believed() {
        // S4, K3
        let hosts = ["127.0.0.1:8000".to_owned()];
        let elsewhere = |method: &Method, pairs: &[_]| is_from_elsewhere(method, &headers(pairs), &hosts);
        assert!(!elsewhere(&Method::POST, &[]));
        assert!(!elsewhere(&Method::POST, &[("origin", "http://127.0.0.1:8000"), ("sec-fetch-site", "same-origin")]));
        for origin in ["null", "http://evil.example", "http://127.0.0.1:8001", "127.0.0.1:8000", "file://"] {
            assert!(elsewhere(&Method::POST, &[("origin", origin)]), "{origin}");
            assert!(elsewhere(&Method::GET, &[("origin", origin)]), "{origin}");
        }
        assert!(elsewhere(&Method::POST, &[("origin", "http://127.0.0.1:8000"), ("origin", "http://evil.example")]));
        assert!(elsewhere(&Method::POST, &[("sec-fetch-site", "cross-site")]));
        assert!(elsewhere(&Method::POST, &[("sec-fetch-site", "same-site")]));
        // A link on another page may be followed; it carries no token.
        assert!(!elsewhere(&Method::GET, &[("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_token_is_taken_from_its_header_only_and_only_when_there_is_one() {
        assert_eq!(presented(&headers(&[("authorization", "Bearer abc")])), Some("abc"));
        assert_eq!(presented(&headers(&[("authorization", "Basic abc")])), None);
        assert_eq!(presented(&headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")])), None);
    }
}

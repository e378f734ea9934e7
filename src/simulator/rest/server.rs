//! The way of a call: the fault hook, the rooms, the fault hook again; and HTTP around it, which reads requests, sends
//! answers or cuts connections.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::StreamExt as _;
use futures_util::stream;
use scalper_decide::domain::Age;
use secrecy::SecretString;

use super::call::{Call, Outcome, Reply, Room};
use super::faults::{Disturbance, Fate, Moment, Point};
use super::route::{self, Missing, Route};
use super::{
    RestState, account, books, chain, charts, controls, gate, harness, instruments, orders, portfolio, quotes, refusal,
    super_orders,
};
use crate::clock::SessionClock;

/// Largest request body in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// Idle connections stay open for longer than clients keep them, so that none is closed under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(90);

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The simulator is for this machine only.
    #[error("{0} is not a loopback address; the simulator serves this machine only")]
    NotLoopback(SocketAddr),
    /// The port is taken or the address is not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Serves in the background of the runtime it is called in; returns where it listens and the handle that stops it.
///
/// # Errors
/// [`ServeError`] when the address is not loopback or cannot be had.
pub fn serve(address: SocketAddr, state: RestState) -> Result<(SocketAddr, ServerHandle), ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let bind = |source| ServeError::Bind { address, source };
    let listener = TcpListener::bind(address).map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(state.clone()))
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .default_service(web::to(handle))
    })
    .workers(1)
    .keep_alive(KEEP_ALIVE)
    .on_connect(keep_a_way_to_cut)
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)
    .map_err(bind)?
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok((bound, handle))
}

/// A second handle of a connection's socket, to cut it.
struct Scissors(TcpStream);

fn keep_a_way_to_cut(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<tokio::net::TcpStream>()
        && let Ok(twin) = stream.as_fd().try_clone_to_owned()
    {
        data.insert(Scissors(TcpStream::from(twin)));
    }
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn call(request: &HttpRequest, body: &web::Bytes) -> Call {
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    Call {
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        query: query.map(web::Query::into_inner).unwrap_or_default(),
        token: header(request, "access-token").map(SecretString::from),
        client_id: header(request, "client-id").or_else(|| header(request, "dhanClientId")),
        kill_switch: header(request, "killSwitchStatus"),
        peer: request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip()),
        body: body.to_vec(),
    }
}

async fn handle(request: HttpRequest, body: web::Bytes, state: web::Data<RestState>) -> HttpResponse {
    let (call, state) = (call(&request, &body), state.get_ref().clone());
    let clock = state.desk.clock().clone();
    match exchange(state, call).await {
        Exchanged::Reply(reply) => send(reply),
        Exchanged::Slow(reply, pause) => send_slowly(reply, pause, clock),
        Exchanged::Cut => cut(&request),
    }
}

/// What a client gets for a call.
#[derive(Debug)]
pub(super) enum Exchanged {
    /// An answer.
    Reply(Reply),
    /// An answer whose second half comes so much later, session time.
    Slow(Reply, Age),
    /// A connection that is cut.
    Cut,
}

/// One call and what comes of it, without HTTP. A call that has arrived goes its way even when its client has gone.
pub(super) async fn exchange(state: RestState, call: Call) -> Exchanged {
    tokio::spawn(async move { carry_out(&state, &call).await }).await.unwrap_or(Exchanged::Cut)
}

async fn carry_out(state: &RestState, call: &Call) -> Exchanged {
    let path = call.path.clone();
    let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let now = || state.desk.clock().now();
    let reply = match segments.as_slice() {
        ["v2", below @ ..] => match route::find(&call.method, below) {
            Ok(route) => return serve_route(state, &route, call, &below.join("/")).await,
            // The renewal by POST has been tried by many (dhan-v2.md 14, Q8).
            Err(Missing::Method) if below == ["RenewToken"] => refusal::bad_input(),
            Err(Missing::Method) => refusal::spring(405, now(), &path),
            Err(Missing::Path) => refusal::spring(404, now(), &path),
        },
        ["instruments.csv"] | ["api-data", "api-scrip-master.csv"] => {
            let room = |room: Room<'_>| Ok(instruments::compact(&room));
            return answered(state, call, &segments.join("/"), Point::Read, room).await;
        }
        ["sim", "clock"] => harness::clock(&state.desk),
        ["sim", "truth"] => harness::truth(&state.desk),
        _ if route::find(&call.method, &segments).is_ok() => refusal::legacy(),
        _ => refusal::spring(404, now(), &path),
    };
    Exchanged::Reply(reply)
}

fn decoded(segment: &str) -> String {
    let pair = format!("s={segment}").replace('+', "%2B");
    let pairs = web::Query::<Vec<(String, String)>>::from_query(&pair);
    pairs.ok().and_then(|pairs| pairs.into_inner().pop()).map_or_else(|| segment.to_owned(), |(_, text)| text)
}

async fn serve_route(state: &RestState, route: &Route, call: &Call, below: &str) -> Exchanged {
    if route.is_write() {
        let before = moment(state, Point::BeforeAcceptance, call, below, None);
        match wait(state, &before).await {
            None | Some(Fate::Garbled | Fate::Twice | Fate::Slow(_)) => {}
            Some(Fate::Lost) => return Exchanged::Cut,
            Some(Fate::Instead { http, kind, body }) => {
                return Exchanged::Reply(Reply { http, kind, body: body.into_bytes() });
            }
        }
    }
    let point = if route.is_write() { Point::AfterAcceptance } else { Point::Read };
    let admitted = |mut room: Room<'_>| {
        gate::admit(&mut room, route, call)?;
        answer(&mut room, route, call)
    };
    answered(state, call, below, point, admitted).await
}

fn moment<'a>(state: &RestState, point: Point, call: &'a Call, path: &'a str, answer: Option<&'a Reply>) -> Moment<'a> {
    let (method, body, now) = (call.method.as_str(), call.body.as_slice(), state.desk.clock().now());
    let (http, reply) = answer.map_or((0, [].as_slice()), |reply| (reply.http, &reply.body));
    Moment { point, method, path, now, body, http, reply }
}

/// Makes the call at the clock's now and says what came of it, if it gets that far.
async fn answered(
    state: &RestState,
    call: &Call,
    below: &str,
    point: Point,
    make: impl Fn(Room<'_>) -> Outcome,
) -> Exchanged {
    let options = state.options;
    let carry_out =
        || state.desk.with_limits(|sim, account, rates, now| make(Room { sim, account, rates, now, options }));
    let (reply, accepted) = match carry_out() {
        Ok(Ok(reply)) => {
            let accepted = reply.is_success();
            (reply, accepted)
        }
        Ok(Err(refused)) => (refused, false),
        Err(broken) => (refusal::internal(&broken.to_string()), false),
    };
    if point == Point::AfterAcceptance && !accepted {
        return Exchanged::Reply(reply);
    }
    let after = moment(state, point, call, below, Some(&reply));
    match wait(state, &after).await {
        None => Exchanged::Reply(reply),
        Some(Fate::Lost) => Exchanged::Cut,
        Some(Fate::Instead { http, kind, body }) => Exchanged::Reply(Reply { http, kind, body: body.into_bytes() }),
        Some(Fate::Garbled) => {
            let mut reply = reply;
            reply.body.truncate(reply.body.len() / 2);
            Exchanged::Reply(reply)
        }
        Some(Fate::Twice) => {
            if point == Point::AfterAcceptance {
                // Nobody hears what the second one is answered.
                drop(carry_out());
            }
            Exchanged::Reply(reply)
        }
        Some(Fate::Slow(pause)) => Exchanged::Slow(reply, pause),
    }
}

/// Asks the hook and lives through the delay it names.
async fn wait(state: &RestState, moment: &Moment<'_>) -> Option<Fate> {
    let Disturbance { delay, fate } = state.faults.at(moment)?;
    state.desk.clock().sleep_until(moment.now + delay).await;
    fate
}

fn send(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if reply.body.is_empty() {
        return response.finish();
    }
    response.content_type(reply.kind).body(reply.body)
}

/// Half of an answer, and the other half later.
fn send_slowly(reply: Reply, pause: Age, clock: SessionClock) -> HttpResponse {
    let status = StatusCode::from_u16(reply.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut first = web::Bytes::from(reply.body);
    let second = first.split_off(first.len() / 2);
    let later = async move {
        clock.sleep_until(clock.now() + pause).await;
        Ok::<_, std::convert::Infallible>(second)
    };
    let halves = stream::once(std::future::ready(Ok(first))).chain(stream::once(later));
    HttpResponse::build(status).content_type(reply.kind).streaming(halves)
}

/// Cuts the connection: what is written afterwards reaches nobody.
fn cut(request: &HttpRequest) -> HttpResponse {
    if let Some(Scissors(stream)) = request.conn_data::<Scissors>() {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
    HttpResponse::build(StatusCode::INTERNAL_SERVER_ERROR).force_close().finish()
}

fn answer(room: &mut Room<'_>, route: &Route, call: &Call) -> Outcome {
    match route {
        Route::PlaceOrder => orders::place(room, call),
        Route::Slice => orders::slice(room, call),
        Route::ModifyOrder(id) => orders::modify(room, id, call),
        Route::CancelOrder(id) => orders::cancel(room, id),
        Route::OrderBook => Ok(books::orders(room)),
        Route::Order(id) => Ok(books::order(room, id)),
        Route::ByTag(tag) => Ok(books::tagged(room, tag)),
        Route::TradeBook => Ok(books::trades(room)),
        Route::TradesOf(id) => Ok(books::trades_of(room, id)),
        Route::TradeHistory { from, to, page } => books::history(room, from, to, page),
        Route::PlaceSuper => super_orders::place(room, call),
        Route::ModifySuper(id) => super_orders::modify(room, id, call),
        Route::CancelSuper { id, leg } => super_orders::cancel(room, id, leg),
        Route::SuperBook => Ok(super_orders::book(room)),
        Route::Positions => Ok(portfolio::positions(room)),
        Route::ExitAll => portfolio::exit_all(room),
        Route::Convert => portfolio::convert(room, call),
        Route::Holdings => portfolio::holdings(room),
        Route::Funds => Ok(portfolio::funds(room)),
        Route::Margin => portfolio::margin(room, call),
        Route::KillSwitch => Ok(controls::kill_switch(room)),
        Route::SetKillSwitch => controls::set_kill_switch(room, call),
        Route::PnlExit => Ok(controls::pnl_exit(room)),
        Route::SetPnlExit => controls::set_pnl_exit(room, call),
        Route::ClearPnlExit => Ok(controls::clear_pnl_exit(room)),
        Route::Ltp => quotes::ltp(room, call),
        Route::Ohlc => quotes::ohlc(room, call),
        Route::Quote => quotes::quote(room, call),
        Route::Intraday => charts::intraday(room, call),
        Route::Historical => charts::historical(room, call),
        Route::Chain => chain::chain(room, call),
        Route::Expiries => chain::expiries(room, call),
        Route::SegmentCsv(segment) => instruments::segment(room, segment),
        Route::Profile => Ok(account::profile(room)),
        Route::Ip => Ok(account::ip(room, call)),
        Route::RenewToken => account::renew(room, call),
    }
}

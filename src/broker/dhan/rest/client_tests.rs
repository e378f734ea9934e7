//! The client against servers that behave and servers that break, on real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use scalper_decide::domain::broker::{Answer, BrokerOrderId, BrokerStatus, Product};
use scalper_decide::domain::{ClientOrderId, OrderSide, OrderType, Premium, Qty, Segment, VenueRefusal};
use scalper_decide::rate_budget::OrderUse;
use serde_json::{Value, json};

use super::super::budget::{NotGranted, Unlimited};
use super::*;
use crate::broker::fault::RATE_LIMITED;
use crate::broker::ports::{NewOrder, OrderChange, OrderPort as _};

const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3Njc5NTQ2MDB9.Y2FuYXJ5LWNhbmFyeQ";

/// What the server saw: request line and body of one request.
type Seen = Arc<Mutex<Vec<(String, String, Value)>>>;

/// Reads one request; `None` when the peer went away.
fn read_request(stream: &mut TcpStream) -> Option<(String, String, Value)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    Some((head.lines().next().unwrap().to_owned(), head, json))
}

/// A server whose `react` gets every request, numbered from 0 over all connections, and the stream to do as it likes;
/// `false` closes the connection.
fn serve(react: impl Fn(usize, &mut TcpStream) -> bool + Send + Sync + 'static) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let (react, count) = (Arc::new(react), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            for stream in listener.incoming() {
                let (mut stream, react, count, seen) = (stream.unwrap(), react.clone(), count.clone(), seen.clone());
                std::thread::spawn(move || {
                    while let Some(request) = read_request(&mut stream) {
                        seen.lock().unwrap().push(request);
                        if !react(count.fetch_add(1, Ordering::SeqCst), &mut stream) {
                            return;
                        }
                    }
                });
            }
        }
    });
    (address, seen)
}

fn http(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A server that answers every request with the same bytes.
fn always(bytes: Vec<u8>) -> (SocketAddr, Seen) {
    serve(move |_, stream| stream.write_all(&bytes).is_ok())
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_millis(500),
        total: Duration::from_millis(800),
        first_wait: Duration::from_millis(1),
        ..Limits::default()
    }
}

fn who() -> Credentials {
    Credentials { client_id: "1000000001".into(), token: TOKEN.into() }
}

fn client(at: SocketAddr) -> Client<Sim> {
    Client::for_simulator(&format!("http://{at}/v2"), fixed(who()), Arc::new(Unlimited), limits()).unwrap()
}

fn order() -> NewOrder {
    NewOrder {
        id: ClientOrderId::parse("A1260210E1-0123456789ab").unwrap(),
        segment: Segment::NseFno,
        security_id: 44_430,
        side: OrderSide::Buy,
        product: Product::Intraday,
        qty: Qty::new(65),
        order_type: OrderType::Limit { price: Premium::from_paise(15_005) },
        exit: false,
    }
}

fn change() -> OrderChange {
    OrderChange {
        broker_id: BrokerOrderId("112233".into()),
        order_type: OrderType::StopLimit { trigger: Premium::from_paise(9_000), price: Premium::from_paise(8_500) },
        qty: Qty::new(130),
        id: order().id,
        purpose: OrderUse::Exit,
    }
}

const ACK: &str = r#"{"orderId":"112233","orderStatus":"TRANSIT"}"#;

fn accepted() -> Answer {
    Answer::Accepted { broker_id: BrokerOrderId("112233".into()), status: BrokerStatus::Transit }
}

#[tokio::test]
async fn order_calls_carry_the_documented_bodies_paths_and_headers() {
    let (at, seen) = always(http(200, ACK));
    let desk = client(at).orders_at_simulator();
    assert_eq!(desk.place(order()).await, accepted());
    assert_eq!(desk.modify(change()).await, accepted());
    assert_eq!(desk.cancel(BrokerOrderId("112233".into()), true).await, accepted());
    let seen = seen.lock().unwrap();
    let lines: Vec<_> = seen.iter().map(|(line, ..)| line.as_str()).collect();
    assert_eq!(
        lines,
        ["POST /v2/orders HTTP/1.1", "PUT /v2/orders/112233 HTTP/1.1", "DELETE /v2/orders/112233 HTTP/1.1"]
    );
    assert_eq!(
        seen[0].2,
        json!({"dhanClientId": "1000000001", "correlationId": "A1260210E1-0123456789ab", "transactionType": "BUY",
            "exchangeSegment": "NSE_FNO", "productType": "INTRADAY", "orderType": "LIMIT", "validity": "DAY",
            "securityId": "44430", "quantity": 65, "price": 150.05, "afterMarketOrder": false})
    );
    // C20: quantity is the total. The shape is the one of a recorded change.
    assert_eq!(
        seen[1].2,
        json!({"dhanClientId": "1000000001", "orderId": "112233", "orderType": "STOP_LOSS", "legName": "NA",
            "quantity": 130, "price": 85.0, "disclosedQuantity": 0, "triggerPrice": 90.0, "validity": "DAY"})
    );
    for (_, head, _) in seen.iter() {
        for header in [
            &format!("access-token: {TOKEN}"),
            "client-id: 1000000001",
            "dhanclientid: 1000000001",
            "content-type: application/json",
            "accept: application/json",
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
    }
}

#[tokio::test]
async fn a_post_arrives_at_most_once_wherever_the_connection_breaks() {
    // B11: the server hangs up after every possible number of bytes of its answer, none included, on fresh
    // connections and on reused ones.
    let answer = http(200, ACK);
    for cut in 0..=answer.len() {
        for warm in [false, true] {
            let (whole, bytes) = (answer.clone(), answer[..cut].to_vec());
            let (at, seen) = serve(move |n, stream| {
                if warm && n == 0 {
                    return stream.write_all(&whole).is_ok();
                }
                let _ = stream.write_all(&bytes);
                false
            });
            let desk = client(at).orders_at_simulator();
            if warm {
                assert_eq!(desk.place(order()).await, accepted());
            }
            let outcome = desk.place(order()).await;
            assert_eq!(seen.lock().unwrap().len(), 1 + usize::from(warm), "cut {cut}");
            if cut == answer.len() {
                assert_eq!(outcome, accepted());
            } else {
                assert!(matches!(outcome, Answer::Unknown { .. }), "cut {cut}: {outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_while_a_post_comes_in_gets_no_second_one() {
    // B11, other direction: the peer reads N bytes of the request and closes.
    for cut in [0_usize, 1, 17, 80, 200, 400] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.unwrap().read_exact(&mut vec![0; cut]);
            }
        });
        let outcome = client(at).orders_at_simulator().place(order()).await;
        assert!(matches!(outcome, Answer::Unknown { .. }), "cut {cut}: {outcome:?}");
        assert_eq!(connections.load(Ordering::SeqCst), 1, "cut {cut}");
    }
}

#[tokio::test]
async fn no_connection_is_proof_that_nothing_was_sent() {
    // B9: a port nobody listens on.
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = client(at).orders_at_simulator().place(order()).await;
    assert!(matches!(outcome, Answer::NotSent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_peer_that_is_no_tls_server_is_not_sent_anything() {
    // B14: the handshake fails before a byte of the request leaves.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut first = [0; 4096];
            let n = stream.read(&mut first).unwrap_or(0);
            let _ = tell.send(first[..n].to_vec());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    let endpoints = Endpoints { rest: format!("https://{at}/v2").parse().unwrap(), ..Endpoints::default() };
    let client = Client::for_live(endpoints, fixed(who()), Arc::new(Unlimited), limits()).unwrap();
    let consent = LiveConsent::given("1000000001", "trade live with 1000000001").unwrap();
    let outcome = client.orders(&consent).unwrap().place(order()).await;
    assert!(matches!(outcome, Answer::NotSent { .. }), "{outcome:?}");
    let bytes = told.recv().unwrap();
    assert!(!bytes.windows(12).any(|w| w == b"access-token" || w == &TOKEN.as_bytes()[..12]));
}

#[tokio::test]
async fn silence_and_slowness_are_unknown_after_the_time_allowed() {
    // B10, B16: an answer that never comes, and one that stops half way.
    let (silent, _) = serve(|_, stream| {
        let _ = stream.read(&mut [0]);
        false
    });
    let outcome = client(silent).orders_at_simulator().place(order()).await;
    assert!(matches!(outcome, Answer::Unknown { .. }), "{outcome:?}");

    let (half, _) = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n");
        let _ = stream.read(&mut [0]);
        false
    });
    let outcome = client(half).orders_at_simulator().place(order()).await;
    assert!(matches!(outcome, Answer::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_packed_too_well_is_dropped() {
    // B16.
    let (huge, _) = always(http(200, &" ".repeat(2 * 1024 * 1024 + 1)));
    let outcome = client(huge).orders_at_simulator().place(order()).await;
    assert!(matches!(&outcome, Answer::Unknown { what } if what.contains("over 2097152 bytes")), "{outcome:?}");

    let packed = |text: &str| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gz.write_all(text.as_bytes()).unwrap();
        let body = gz.finish().unwrap();
        let mut all = format!("HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
        message(&mut all, &body)
    };
    let (bomb, _) = always(packed(&format!("[{}]", " ".repeat(1024 * 1024))));
    let outcome = client(bomb).orders_at_simulator().place(order()).await;
    assert!(matches!(&outcome, Answer::Unknown { what } if what.contains("unpacks")), "{outcome:?}");

    let (fine, _) = always(packed(ACK));
    assert_eq!(client(fine).orders_at_simulator().place(order()).await, accepted());
}

/// Text and bytes as one message.
fn message(head: &mut String, body: &[u8]) -> Vec<u8> {
    let mut all = std::mem::take(head).into_bytes();
    all.extend_from_slice(body);
    all
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (target, reached) = always(http(200, ACK));
    let bytes = format!("HTTP/1.1 307 X\r\nlocation: http://{target}/v2/orders\r\ncontent-length: 0\r\n\r\n");
    let (at, _) = always(bytes.into_bytes());
    assert!(matches!(client(at).orders_at_simulator().place(order()).await, Answer::Unknown { .. }));
    assert!(reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn answers_that_prove_nothing_are_unknown_and_refusals_are_refused() {
    type Expected = fn(&Answer) -> bool;
    let table: [(u16, &str, Expected); 9] = [
        (200, "", |a| matches!(a, Answer::Unknown { .. })),
        (202, "", |a| matches!(a, Answer::Unknown { .. })),
        (200, "{}", |a| matches!(a, Answer::Unknown { .. })),
        (200, "<html></html>", |a| matches!(a, Answer::Unknown { .. })),
        (200, r#"{"orderStatus":"TRADED"}"#, |a| matches!(a, Answer::Unknown { .. })),
        (500, r#"{"errorCode":"DH-908"}"#, |a| matches!(a, Answer::Unknown { .. })),
        (400, r#"{"errorCode":"DH-906","errorMessage":"Market is Closed!"}"#, |a| {
            *a == Answer::Refused { refusal: VenueRefusal::MarketClosed }
        }),
        (429, r#"{"errorCode":"DH-904"}"#, |a| {
            *a == Answer::Refused { refusal: VenueRefusal::Other(RATE_LIMITED.into()) }
        }),
        (401, r#"{"errorCode":"DH-901"}"#, |a| matches!(a, Answer::NotSent { .. })),
    ];
    for (status, body, expected) in table {
        let (at, seen) = always(http(status, body));
        let outcome = client(at).orders_at_simulator().place(order()).await;
        assert!(expected(&outcome), "HTTP {status} {body}: {outcome:?}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
    // A change that is answered with another order's number.
    let (at, _) = always(http(200, r#"{"orderId":"9","orderStatus":"PENDING"}"#));
    assert!(matches!(client(at).orders_at_simulator().modify(change()).await, Answer::Unknown { .. }));
    // An array of one, and a status nobody knows.
    let (at, _) = always(http(201, r#"[{"orderId":112233,"orderStatus":"Queued"}]"#));
    let status = BrokerStatus::Other("Queued".into());
    let expected = Answer::Accepted { broker_id: BrokerOrderId("112233".into()), status };
    assert_eq!(client(at).orders_at_simulator().place(order()).await, expected);
}

/// Grants so many calls.
struct Some3(AtomicUsize);
impl BudgetPort for Some3 {
    fn acquire(&self, _: CallClass) -> BoxFuture<'_, Result<(), NotGranted>> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        Box::pin(async move { left.map(drop).map_err(|_| NotGranted("the minute is full".into())) })
    }
}

#[tokio::test]
async fn nothing_is_sent_without_a_grant() {
    let (at, seen) = always(http(200, ACK));
    let none = Arc::new(Some3(AtomicUsize::new(0)));
    let client = Client::for_simulator(&format!("http://{at}"), fixed(who()), none, limits()).unwrap();
    let outcome = client.orders_at_simulator().place(order()).await;
    assert_eq!(outcome, Answer::NotSent { why: "no budget: the minute is full".into() });
    assert!(matches!(client.order_book().await, Err(Fault::NotSent(_))));
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_read_is_asked_again_at_most_twice_and_a_refused_one_not_at_all() {
    let (at, seen) = serve(|n, stream| {
        let bytes = if n < 2 { http(503, "") } else { http(200, "[]") };
        stream.write_all(&bytes).is_ok()
    });
    assert_eq!(client(at).order_book().await.unwrap().rows, []);
    assert_eq!(seen.lock().unwrap().len(), 3);

    let (at, seen) = always(http(503, ""));
    assert!(matches!(client(at).order_book().await, Err(Fault::RetryableRead(_))));
    assert_eq!(seen.lock().unwrap().len(), 3);

    for refused in [http(400, r#"{"errorCode":"DH-905"}"#), http(429, ""), http(401, "")] {
        let (at, seen) = always(refused);
        assert!(client(at).order_book().await.is_err());
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
    // Renewing is a read by its verb only: it kills a token, so it is never repeated (B2).
    let (at, seen) = always(http(503, ""));
    assert!(client(at).renew_token().await.is_err());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_read_that_meets_a_dead_token_is_asked_once_more_when_a_new_one_came_meanwhile() {
    // B1.
    let (sender, receiver) = watch::channel(Arc::new(who()));
    let sender = Arc::new(sender);
    let (at, seen) = serve(move |n, stream| {
        if n == 0 {
            sender.send_replace(Arc::new(Credentials { token: "newer".into(), ..who() }));
        }
        let bytes = if n == 0 { http(401, "") } else { http(200, "[]") };
        stream.write_all(&bytes).is_ok()
    });
    let client = Client::for_simulator(&format!("http://{at}"), receiver, Arc::new(Unlimited), limits()).unwrap();
    let dead = client.token_dead();
    assert!(client.order_book().await.is_ok());
    assert!(seen.lock().unwrap()[1].1.contains("access-token: newer"));
    dead.notified().await;
}

#[tokio::test]
async fn looking_an_order_up_never_makes_a_foreign_order_ours() {
    let row = |tag: &str| {
        format!(
            r#"{{"orderId":"1","correlationId":"{tag}","orderStatus":"PENDING","transactionType":"BUY",
            "exchangeSegment":"NSE_FNO","productType":"INTRADAY","orderType":"LIMIT","securityId":"5","quantity":65,
            "filledQty":0}}"#
        )
    };
    let id = order().id;
    for (body, ours, unread) in [
        ("[]".to_owned(), 0, 0),
        (row(id.as_str()), 1, 0),
        (format!("[{}]", row(id.as_str())), 1, 0),
        (row("NA"), 0, 1),
        (format!("[{},{}]", row(id.as_str()), row("somebody-else")), 1, 1),
        (r#"[{"orderId":"7","correlationId":"x"}]"#.to_owned(), 0, 1),
    ] {
        let (at, seen) = always(http(200, &body));
        let rows = client(at).by_tag(id).await.unwrap();
        assert_eq!((rows.rows.len(), rows.unread.len()), (ours, unread), "{body}");
        assert_eq!(seen.lock().unwrap()[0].0, format!("GET /v2/orders/external/{id} HTTP/1.1"));
    }
    // Not a list and not an order: no proof of absence (C5, F-57).
    for body in ["{}", "null", "5", "\"\"", "[[]]"] {
        let (at, _) = always(http(200, body));
        let found = client(at).by_tag(id).await;
        assert!(found.is_err() || !found.unwrap().unread.is_empty(), "{body}");
    }
}

#[test]
fn consent_for_another_account_opens_no_order_desk() {
    // F-67.
    let client = Client::for_live(Endpoints::default(), fixed(who()), Arc::new(Unlimited), limits()).unwrap();
    let consent = LiveConsent::given("1000000002", "trade live with 1000000002").unwrap();
    assert!(client.orders(&consent).is_err());
    let plain = Endpoints { rest: "http://api.dhan.co/v2".parse().unwrap(), ..Endpoints::default() };
    assert!(matches!(
        Client::for_paper(plain, fixed(who()), Arc::new(Unlimited), limits()),
        Err(BuildError::Transport(_))
    ));
    assert!(matches!(
        Client::for_simulator("http://api.dhan.co", fixed(who()), Arc::new(Unlimited), limits()),
        Err(BuildError::NotLoopback(_))
    ));
}

#[tokio::test]
async fn the_instrument_list_is_fetched_whole_or_not_at_all_and_without_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.csv");
    let (at, seen) = always(http(200, "A,B\n1,2\n"));
    assert_eq!(client(at).download_instruments(&path).await.unwrap(), 8);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "A,B\n1,2\n");
    let (line, head, _) = seen.lock().unwrap()[0].clone();
    assert_eq!(line, "GET /instruments.csv HTTP/1.1");
    assert!(!head.contains(TOKEN) && !head.contains("access-token"));

    let (cut, _) = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\nA,B\n");
        false
    });
    assert!(client(cut).download_instruments(&path).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "A,B\n1,2\n");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Every way a token could show: as it is, its parts, base64, URL-encoded.
fn traces() -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
    let mut all: Vec<String> = TOKEN.split('.').map(str::to_owned).collect();
    all.push(TOKEN.to_owned());
    all.push(STANDARD_NO_PAD.encode(TOKEN)[..40].to_owned());
    all.push(STANDARD.encode(TOKEN));
    all.push(URL_SAFE.encode(TOKEN));
    all.push(TOKEN.replace('.', "%2E"));
    all.push(TOKEN.bytes().map(|b| format!("%{b:02X}")).collect());
    all
}

/// A log that keeps every byte.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);
impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_token_is_in_no_error_answer_debug_text_or_log_line() {
    // S27, S28, S29: every kind of fault, with a server that echoes what it was sent.
    let log = Log::default();
    let sink = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || sink.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let echo = |status: u16, shape: fn(&str) -> String| {
        serve(move |_, stream| stream.write_all(&http(status, &shape(TOKEN))).is_ok()).0
    };
    let mut shown = Vec::new();
    let html = |t: &str| format!("<html>access-token: {t} url=/x?token={t}</html>");
    let trading = |t: &str| format!(r#"{{"errorCode":"DH-906","errorMessage":"bad {t}"}}"#);
    let encoded = |t: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(t)
    };
    let percent = |t: &str| t.bytes().map(|b| format!("%{b:02X}")).collect();
    let servers = [
        echo(200, html),
        echo(400, html),
        echo(400, trading),
        echo(401, trading),
        echo(429, html),
        echo(503, trading),
        echo(200, encoded),
        echo(403, encoded),
        echo(400, percent),
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
        serve(|_, _| false).0,
    ];
    for at in servers {
        let client = client(at);
        let desk = client.orders_at_simulator();
        shown.push(format!("{:?}", desk.place(order()).await));
        let fault = client.order_book().await.unwrap_err();
        shown.push(format!("{fault} {fault:?} {:?}", anyhow::Error::from(fault.clone())));
        shown.push(format!("{client:?} {desk:?}"));
    }
    let found = super::super::token::CheckedToken::new("1000000001", TOKEN.into()).unwrap();
    shown.push(format!("{found:?} {:?}", who()));
    // The signature alone, which no pattern would know.
    let part = TOKEN.rsplit('.').next().unwrap();
    let (at, _) = always(http(400, &format!(r#"{{"errorCode":"DH-905","errorMessage":"signature {part}"}}"#)));
    shown.push(format!("{:?}", client(at).orders_at_simulator().place(order()).await));
    shown.push(String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned());
    let all = shown.join("\n");
    assert!(all.contains("[token]"), "the echo was there to be hidden");
    for trace in traces() {
        assert!(!all.contains(&trace), "{trace:?} in {all}");
    }
}

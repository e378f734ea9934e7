//! Drives one connection after another for one socket: dial, introduce, read, judge, hang up, wait, again.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{Sink, SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::credentials::{Credentials, CredentialsWatch};
use super::super::wire::disconnect::DisconnectAction;
use super::backoff::Backoff;
use super::config::SocketConfig;
use super::dial::{Stream, cause, dial};
use super::gate::Gate;
use super::link::{Anomaly, DownCause, LinkReport, LinkState};
use super::protocol::Protocol;
use super::subscriptions::Wanted;
use super::watchdog::{Alarm, Watchdog};
use crate::clock::SessionClock;

/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_millis(500);
/// Connections without a frame, in a row, that are worth a word.
const EARLY_CLOSES: u32 = 3;

/// What a socket listens to besides its server.
pub(crate) struct Inputs {
    /// Newest token.
    pub(crate) credentials: CredentialsWatch,
    /// Whether data must arrive: the session is open (A5).
    pub(crate) data_expected: watch::Receiver<bool>,
    /// What is wanted of this socket. Dropping the sender stops it.
    pub(crate) wanted: watch::Receiver<Arc<Wanted>>,
}

/// What to wait for before the next connection.
enum Next {
    AtOnce,
    BackOff,
    /// The shared gate says how long.
    CoolOff,
    NewCredentials,
    Change,
    Stop,
}

/// Why a connection ended and what follows.
struct End {
    cause: DownCause,
    next: Next,
    farewell: bool,
}

impl End {
    const fn back_off(cause: DownCause) -> End {
        End { cause, next: Next::BackOff, farewell: false }
    }
}

pub(crate) struct Driver<P> {
    socket: u32,
    config: SocketConfig,
    clock: SessionClock,
    inputs: Inputs,
    gate: Arc<Gate>,
    close_all: watch::Receiver<u64>,
    backoff: Backoff,
    report: LinkReport,
    reports: watch::Sender<LinkReport>,
    silences: u32,
    early_closes: u32,
    protocol: P,
}

/// Messages both ways.
trait Duplex: Sink<Message, Error = Error> + futures_util::Stream<Item = Result<Message, Error>> + Unpin {}

impl<S: Sink<Message, Error = Error> + futures_util::Stream<Item = Result<Message, Error>> + Unpin> Duplex for S {}

/// Waits for a change; for ever when the sender is gone.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Hands queued messages to the socket and flushes. May be dropped and called again at any await.
async fn write<S: Sink<Message, Error = Error> + Unpin>(
    socket: &mut S,
    out: &mut VecDeque<Message>,
    dirty: &mut bool,
) -> Result<(), Error> {
    while let Some(message) = out.front() {
        // `feed` takes the message in the poll in which it completes: dropped before, it took nothing.
        socket.feed(message.clone()).await?;
        out.pop_front();
        *dirty = true;
    }
    socket.flush().await?;
    *dirty = false;
    Ok(())
}

impl<P: Protocol> Driver<P> {
    pub(crate) fn new(
        socket: u32,
        config: SocketConfig,
        clock: SessionClock,
        inputs: Inputs,
        gate: Arc<Gate>,
        reports: watch::Sender<LinkReport>,
        protocol: P,
    ) -> Driver<P> {
        let backoff = Backoff::new(&config, u64::from(socket));
        let close_all = gate.subscribe();
        let report = LinkReport::new();
        let (silences, early_closes) = (0, 0);
        #[rustfmt::skip]
        let driver = Driver {
            socket, config, clock, inputs, gate, close_all, backoff, report, reports, silences, early_closes, protocol,
        };
        driver
    }

    /// Runs until the sender of the wanted set is gone.
    pub(crate) async fn run(mut self) {
        let mut next = Next::AtOnce;
        while self.wait(next).await {
            next = self.connect().await;
        }
        self.set(LinkState::Down, Some(DownCause::Stopped));
    }

    /// Waits until a connection may be tried; `false` to stop.
    async fn wait(&mut self, next: Next) -> bool {
        match next {
            Next::Stop => return false,
            Next::AtOnce | Next::CoolOff => {}
            Next::BackOff => {
                let until = Instant::now() + self.backoff.pause();
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = changed(&mut self.inputs.credentials) => {}
                    () = gone(self.inputs.wanted.clone()) => return false,
                }
            }
            Next::NewCredentials => tokio::select! {
                () = changed(&mut self.inputs.credentials) => {}
                () = gone(self.inputs.wanted.clone()) => return false,
            },
            Next::Change => tokio::select! {
                () = changed(&mut self.inputs.credentials) => {}
                changed = self.inputs.wanted.changed() => if changed.is_err() { return false },
            },
        }
        loop {
            if self.inputs.wanted.has_changed().is_err() {
                return false;
            }
            if !self.protocol.needs_link(&self.inputs.wanted.borrow_and_update().clone()) {
                self.set(LinkState::Down, Some(DownCause::NothingWanted));
                if self.inputs.wanted.changed().await.is_err() {
                    return false;
                }
            } else if self.inputs.credentials.borrow_and_update().is_none() {
                self.set(LinkState::Down, Some(DownCause::NoCredentials));
                tokio::select! {
                    () = changed(&mut self.inputs.credentials) => {}
                    changed = self.inputs.wanted.changed() => if changed.is_err() { return false },
                }
            } else if let Some(until) = self.gate.not_before().map(|at| at + self.config.stagger * self.socket)
                && until > Instant::now()
            {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = gone(self.inputs.wanted.clone()) => return false,
                }
            } else if let Some(until) = self.gate.budget(Instant::now(), self.config.dials_per_minute) {
                tokio::select! {
                    () = sleep_until(until + self.backoff.pause()) => {}
                    () = gone(self.inputs.wanted.clone()) => return false,
                }
            } else {
                return true;
            }
        }
    }

    /// One connection from dial to end.
    async fn connect(&mut self) -> Next {
        let Some(credentials) = self.inputs.credentials.borrow_and_update().clone() else { return Next::AtOnce };
        self.close_all.mark_unchanged();
        self.set(LinkState::Connecting, self.report.cause.clone());
        let url = self.protocol.url(&self.config.url, &credentials);
        let dialled = {
            let gate = Arc::clone(&self.gate);
            let _one_at_a_time = gate.dialling.lock().await;
            if gate.not_before().is_some_and(|at| at > Instant::now()) {
                self.set(LinkState::Down, Some(DownCause::CoolingOff));
                return Next::CoolOff;
            }
            dial(&url, &self.config).await
        };
        match dialled {
            Ok(Stream::Net(stream)) => self.talk(*stream, &credentials).await,
            #[cfg(test)]
            Ok(Stream::Pipe(stream)) => self.talk(*stream, &credentials).await,
            Err(cause) => {
                // 4xx: the account, not the network. Nobody knocks again soon (A20).
                let knocked_too_often = matches!(cause, DownCause::Refused(400..=499));
                self.set(LinkState::Down, Some(cause));
                if knocked_too_often {
                    let pause = self.backoff.cool_off();
                    self.gate.cool_off(pause, false);
                    return Next::CoolOff;
                }
                Next::BackOff
            }
        }
    }

    /// An open connection, from its first word to its last.
    async fn talk<S: Duplex>(&mut self, mut stream: S, credentials: &Credentials) -> Next {
        let opened = Instant::now();
        let frames_before = self.report.frames;
        self.report.connects += 1;
        self.report.connected_at = Some(self.clock.now());
        let mut out = VecDeque::new();
        self.protocol.opened(credentials, &mut out);
        let wanted = self.inputs.wanted.borrow_and_update().clone();
        self.protocol.want(&wanted, &mut out);
        self.set(LinkState::Degraded, self.report.cause.clone());

        let End { cause, next, farewell } = self.live(&mut stream, out, opened, credentials).await;
        if farewell {
            let words = self.protocol.farewell();
            let goodbye = async {
                if let Some(words) = words {
                    stream.send(words).await?;
                }
                stream.close().await
            };
            // Whether the goodbye was heard changes nothing.
            let _ = timeout(FAREWELL, goodbye).await;
        }
        drop(stream);
        if opened.elapsed() >= self.config.stable_after {
            self.backoff.reset();
        }
        self.early_closes = if self.report.frames == frames_before { self.early_closes + 1 } else { 0 };
        if self.early_closes >= EARLY_CLOSES && matches!(next, Next::BackOff) {
            self.protocol.odd(Anomaly::EarlyClose { nth: self.early_closes });
        }
        self.report.connected_at = None;
        self.set(LinkState::Down, Some(cause));
        next
    }

    /// Reads an open connection to its end.
    async fn live<S: Duplex>(
        &mut self,
        stream: &mut S,
        mut out: VecDeque<Message>,
        opened: Instant,
        used: &Credentials,
    ) -> End {
        let (mut sink, mut source) = stream.split();
        let mut dog = Watchdog::new(&self.config, opened);
        let mut dirty = false;
        let mut writing_since: Option<Instant> = None;
        let mut bad_frames: VecDeque<Instant> = VecDeque::new();
        let timer = sleep_until(opened);
        tokio::pin!(timer);
        loop {
            let expected = self.data_is_expected();
            let writing = !out.is_empty() || dirty;
            writing_since = if writing { writing_since.or_else(|| Some(Instant::now())) } else { None };
            tokio::select! {
                biased;
                () = changed(&mut self.close_all) => {
                    return End { cause: DownCause::CoolingOff, next: Next::CoolOff, farewell: true };
                }
                () = changed(&mut self.inputs.credentials) => {
                    // Losing the token in memory is no reason to lose a connection that works.
                    let newest = self.inputs.credentials.borrow_and_update();
                    if newest.as_ref().is_some_and(|newest| !newest.is_same(used)) {
                        return End { cause: DownCause::NewCredentials, next: Next::AtOnce, farewell: true };
                    }
                }
                changed = self.inputs.wanted.changed() => {
                    if changed.is_err() {
                        return End { cause: DownCause::Stopped, next: Next::Stop, farewell: true };
                    }
                    let wanted = self.inputs.wanted.borrow_and_update().clone();
                    if !self.protocol.needs_link(&wanted) {
                        return End { cause: DownCause::NothingWanted, next: Next::AtOnce, farewell: true };
                    }
                    self.protocol.want(&wanted, &mut out);
                    if !expected && self.data_is_expected() {
                        dog.expect_from(Instant::now());
                        timer.as_mut().reset(Instant::now());
                    }
                    self.publish();
                }
                () = changed(&mut self.inputs.data_expected) => {
                    if *self.inputs.data_expected.borrow_and_update() {
                        dog.expect_from(Instant::now());
                        timer.as_mut().reset(Instant::now());
                    }
                }
                () = &mut timer => {
                    let now = Instant::now();
                    if writing_since.is_some_and(|since| now >= since + self.config.write_timeout) {
                        return End::back_off(DownCause::WriteStalled);
                    }
                    while let Some(alarm) = dog.due(now, expected) {
                        match alarm {
                            Alarm::Ping => out.push_back(Message::Ping(Default::default())),
                            Alarm::NoPong => return End::back_off(DownCause::NoPong),
                            Alarm::HalfOpen => return End::back_off(DownCause::HalfOpen),
                            Alarm::Silent => return End::back_off(DownCause::Silent),
                            Alarm::Resubscribe => self.silent(&mut out),
                        }
                    }
                    timer.as_mut().reset(dog.next(expected));
                    self.publish();
                }
                written = write(&mut sink, &mut out, &mut dirty), if writing => {
                    if let Err(error) = written {
                        return End::back_off(cause(&error));
                    }
                }
                message = source.next() => {
                    let message = match message {
                        None | Some(Ok(Message::Close(_))) => return End::back_off(DownCause::ClosedByServer),
                        Some(Err(error)) => return End::back_off(cause(&error)),
                        Some(Ok(message)) => message,
                    };
                    let at = self.clock.now();
                    let now = Instant::now();
                    dog.frame(now);
                    self.report.frames += 1;
                    self.report.last_frame = Some(at);
                    let mut proven = !expected;
                    match &message {
                        Message::Pong(_) => {
                            dog.alive(now);
                            self.report.last_pong = Some(at);
                        }
                        Message::Ping(_) => dog.alive(now),
                        _ => {
                            let received = self.protocol.received(at, &message);
                            if received.data {
                                proven = true;
                                dog.data(now);
                                self.silences = 0;
                                self.report.last_data = Some(at);
                            }
                            if received.bad {
                                self.report.bad_frames += 1;
                                bad_frames.push_back(now);
                                bad_frames.retain(|at| now - *at < Duration::from_secs(60));
                                if bad_frames.len() >= self.config.bad_frames_per_minute {
                                    return End::back_off(DownCause::BadFrames);
                                }
                            }
                            if let Some(reason) = received.disconnect {
                                let next = self.after(reason.action());
                                return End { cause: DownCause::Disconnected(reason), next, farewell: false };
                            }
                        }
                    }
                    if proven && self.report.state != LinkState::Up {
                        self.set(LinkState::Up, None);
                    }
                }
            }
        }
    }

    fn data_is_expected(&self) -> bool {
        *self.inputs.data_expected.borrow() && self.protocol.awaits_data()
    }

    /// Data is expected, pongs come, nothing else does (A4).
    fn silent(&mut self, out: &mut VecDeque<Message>) {
        self.silences += 1;
        self.protocol.odd(Anomaly::Silent { nth: self.silences });
        self.protocol.repeat(out);
        self.set(LinkState::Degraded, Some(DownCause::Silent));
    }

    fn after(&mut self, action: DisconnectAction) -> Next {
        match action {
            DisconnectAction::Reconnect => Next::BackOff,
            DisconnectAction::CoolOff => {
                let pause = self.backoff.cool_off();
                self.gate.cool_off(pause, true);
                Next::CoolOff
            }
            DisconnectAction::AwaitToken | DisconnectAction::AwaitCredentials => Next::NewCredentials,
            DisconnectAction::AwaitChange => Next::Change,
        }
    }

    /// Enters a state and tells the client when it is another.
    fn set(&mut self, state: LinkState, cause: Option<DownCause>) {
        let is_new = (self.report.state, &self.report.cause) != (state, &cause);
        self.report.state = state;
        self.report.cause = cause;
        self.publish();
        if is_new {
            self.protocol.link(&self.report);
        }
    }

    /// Refreshes what everybody else may read.
    fn publish(&mut self) {
        let counts = self.protocol.counts();
        self.report.wanted = counts.wanted;
        self.report.sent = counts.sent;
        self.report.confirmed = counts.confirmed;
        self.reports.send_replace(self.report.clone());
    }
}

/// Completes when the sender of the wanted set is gone.
async fn gone(mut wanted: watch::Receiver<Arc<Wanted>>) {
    while wanted.changed().await.is_ok() {}
}

//! One open connection: what it has asked for, what waits for it, what is wrong with it, and the task that reads and
//! writes it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use scalper_decide::domain::{Age, Instant as SessionInstant};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::faults::{Content, Mangler, MessageFate, SWAP_PATIENCE, SocketFault, garbled};
use super::hub::{Counters, Hub, goodbye};
use super::outbox::{Body, Item, Outbox};
use super::pipe::Pipe;
use super::subscriptions::{Heard, Subscriptions};
use super::{Kind, SocketsConfig, packets};
use crate::broker::dhan::wire::packet::HEADER;
use crate::broker::dhan::wire::request::Mode;
use crate::simulator::desk::Seen;
use crate::simulator::limits::FeedLimits;
use crate::simulator::market::Key;

/// Items taken from the outbox at once.
const BATCH: usize = 256;
/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client is gone.
    Gone,
    /// A proper close.
    Close,
    /// A goodbye with a reason, then a close.
    Disconnect(u16),
    /// TCP reset.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Posture {
    Normal,
    HalfOpen,
    Stall,
    Silence,
}

struct State {
    subscriptions: Subscriptions,
    outbox: Outbox,
    mangler: Mangler,
    delay: Duration,
    posture: Posture,
    /// When a posture ends by itself.
    poses_until: Option<Instant>,
    /// Messages in front of the outbox.
    frames: VecDeque<Item>,
    /// Messages that come later, and when.
    held: Vec<(Instant, Item)>,
    /// Waits for the message it is glued to.
    glue: Option<Item>,
    in_flight: bool,
    ending: Option<Ending>,
}

/// What follows from the fate of a message.
enum Then {
    GoOn,
    Stop,
    End(Ending),
}

/// One connection, as the rest of the server sees it.
pub(super) struct Line {
    pub(super) id: u64,
    pub(super) kind: Kind,
    state: Mutex<State>,
    wake: Notify,
    stop: CancellationToken,
    coalesce_bytes: usize,
}

impl Line {
    pub(super) fn new(id: u64, kind: Kind, config: &SocketsConfig) -> Line {
        let state = State {
            subscriptions: Subscriptions::default(),
            outbox: Outbox::new(config.conflate_from, config.update_queue),
            mangler: Mangler::default(),
            delay: Duration::ZERO,
            posture: Posture::Normal,
            poses_until: None,
            frames: VecDeque::new(),
            held: Vec::new(),
            glue: None,
            in_flight: false,
            ending: None,
        };
        Line {
            id,
            kind,
            state: Mutex::new(state),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            coalesce_bytes: config.coalesce_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing here panics")
    }

    /// Ends the connection; the first word counts.
    pub(super) fn end(&self, how: Ending) {
        self.lock().ending.get_or_insert(how);
        self.stop.cancel();
    }

    /// Takes a text frame; returns the instruments that want a greeting.
    pub(super) fn hear(&self, text: &str, limits: &mut FeedLimits) -> Vec<Key> {
        let heard = self.lock().subscriptions.hear(self.kind, text, self.id, limits);
        match heard {
            Heard::Subscribed(keys) => return keys,
            Heard::Goodbye => self.end(Ending::Close),
            Heard::TooMany => self.end(Ending::Disconnect(804)),
            Heard::Nothing => {}
        }
        Vec::new()
    }

    /// Sends what a new subscription gets at once: previous close of an index, and the newest packets in every mode.
    pub(super) fn greet(&self, key: Key, seen: Option<&Seen>, counters: &Counters) {
        let Some(seen) = seen else { return };
        let mut state = self.lock();
        if self.kind == Kind::Feed
            && let Some(packet) = packets::previous_close(seen)
        {
            state.outbox.push_packets(packet.to_bytes(), 1);
        }
        if let Some(tick) = &seen.tick {
            let Some(entry) = state.subscriptions.get_mut(key) else { return };
            entry.told_until = Some(tick.received_at);
            state.push(seen, counters);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// A tick, if it is subscribed and not in a greeting already.
    pub(super) fn tell(&self, seen: &Seen, counters: &Counters) {
        let at = seen.tick.as_ref().map_or(SessionInstant::MAX, |tick| tick.received_at);
        let mut state = self.lock();
        let is_new = state.subscriptions.get(seen.key).is_some_and(|entry| entry.told_until.is_none_or(|t| t < at));
        if !is_new || state.loses() {
            return;
        }
        state.push(seen, counters);
        drop(state);
        self.wake.notify_one();
    }

    /// A packet for every segment that is subscribed.
    pub(super) fn tell_status(&self, packet: fn(u8) -> Vec<u8>) {
        let mut state = self.lock();
        if state.loses() {
            return;
        }
        let mut segments: Vec<u8> = state.subscriptions.all().map(|((segment, _), _)| segment.code()).collect();
        segments.dedup();
        for segment in segments {
            state.outbox.push_packets(packet(segment), 1);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// A frame of order updates. None is ever left out: a client that reads too slowly is cut off.
    pub(super) fn tell_update(&self, text: &str) {
        let mut state = self.lock();
        if state.loses() {
            return;
        }
        let pushed = state.outbox.push_update(text.to_owned());
        drop(state);
        match pushed {
            Ok(()) => self.wake.notify_one(),
            Err(super::outbox::Overflow) => self.end(Ending::Reset),
        }
    }

    pub(super) fn subscribed(&self) -> BTreeSet<(Key, Mode)> {
        self.lock().subscriptions.all().collect()
    }

    pub(super) fn is_drained(&self) -> bool {
        let state = self.lock();
        state.posture != Posture::Normal
            || state.ending.is_some()
            || (state.outbox.is_empty() && state.frames.is_empty() && !state.in_flight)
    }

    pub(super) fn fault(&self, fault: &SocketFault) {
        let mut state = self.lock();
        match fault {
            SocketFault::Reset => return finish(self, state, Ending::Reset),
            SocketFault::Close => return finish(self, state, Ending::Close),
            SocketFault::Disconnect(reason) => return finish(self, state, Ending::Disconnect(*reason)),
            SocketFault::Delay(time) => state.delay = *time,
            SocketFault::Inject(bytes) => state.outbox.push_packets(bytes.clone(), 0),
            SocketFault::HalfOpen => state.pose(Posture::HalfOpen),
            SocketFault::Stall => state.pose(Posture::Stall),
            SocketFault::Silence => state.pose(Posture::Silence),
            SocketFault::Release => state.pose(Posture::Normal),
            SocketFault::Drop(_) | SocketFault::Duplicate(_) | SocketFault::Swap(_) | SocketFault::Garble(_) => {
                state.mangler.set(fault);
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The next messages to write, with their faults.
    fn take(&self, hub: &Hub) -> (Vec<Item>, Duration) {
        let mut state = self.lock();
        let mut passed = state.due(Instant::now());
        let mut ending = None;
        for _ in 0..BATCH {
            if state.frames.is_empty() {
                let Some(item) = state.outbox.pop() else { break };
                state.frames.extend(self.framed(item));
            }
            let item = state.frames.pop_front().expect("filled above");
            match state.suffer(item, self.kind, hub, &mut passed) {
                Then::GoOn => {}
                Then::Stop => break,
                Then::End(how) => {
                    ending = Some(how);
                    break;
                }
            }
        }
        let mut out = Vec::new();
        let mut joined: Option<Item> = None;
        for item in passed {
            match (&mut joined, &item.body) {
                (Some(Item { body: Body::Packets(bytes), packets }), Body::Packets(more))
                    if bytes.len() + more.len() <= self.coalesce_bytes =>
                {
                    bytes.extend(more);
                    *packets += item.packets;
                }
                _ => {
                    if let Some(full) = joined.replace(item) {
                        state.mangler.pass(full, &mut out);
                    }
                }
            }
        }
        if let Some(last) = joined {
            state.mangler.pass(last, &mut out);
        }
        state.in_flight = !out.is_empty();
        let delay = state.delay;
        drop(state);
        if let Some(how) = ending {
            self.end(how);
        }
        (out, delay)
    }

    /// When something here is due by itself.
    fn next_chore(&self) -> Option<Instant> {
        let state = self.lock();
        let held = state.held.iter().map(|(at, _)| *at).filter(|_| state.posture == Posture::Normal);
        held.chain(state.poses_until).min()
    }

    /// Ends a posture whose time is over.
    fn do_chores(&self) {
        let mut state = self.lock();
        if state.poses_until.is_some_and(|at| at <= Instant::now()) {
            state.pose(Posture::Normal);
        }
    }

    /// One packet a message, unless they are coalesced or come in pairs as books do (dhan-v2.md 1.7, 2.2).
    fn framed(&self, item: Item) -> Vec<Item> {
        match item.body {
            Body::Packets(bytes) if self.kind == Kind::Feed && item.packets > 1 => {
                let mut rest = bytes.as_slice();
                let mut frames = Vec::with_capacity(2);
                while rest.len() >= HEADER {
                    let length = usize::from(u16::from_le_bytes([rest[1], rest[2]])).clamp(HEADER, rest.len());
                    let (packet, after) = rest.split_at(length);
                    frames.push(Item { body: Body::Packets(packet.to_vec()), packets: 1 });
                    rest = after;
                }
                frames
            }
            body => vec![Item { body, packets: item.packets }],
        }
    }

    fn posture(&self) -> Posture {
        self.lock().posture
    }
    fn landed(&self) {
        self.lock().in_flight = false;
    }
    fn ending(&self) -> Ending {
        self.lock().ending.unwrap_or(Ending::Gone)
    }
}

fn finish(line: &Line, state: MutexGuard<'_, State>, how: Ending) {
    drop(state);
    line.end(how);
}

impl State {
    fn push(&mut self, seen: &Seen, counters: &Counters) {
        let Some(entry) = self.subscriptions.get(seen.key) else { return };
        let (mut bytes, mut packets) = (Vec::with_capacity(64), 0);
        for mode in entry.modes.iter() {
            packets += packets::encode(mode, seen, &mut bytes);
        }
        let conflated = self.outbox.push_data(seen.key, bytes, packets);
        counters.conflated.fetch_add(u64::from(conflated), Ordering::Relaxed);
    }

    /// Whether what comes up now is lost.
    const fn loses(&self) -> bool {
        self.ending.is_some() || matches!(self.posture, Posture::HalfOpen | Posture::Silence)
    }

    fn pose(&mut self, posture: Posture) {
        self.posture = posture;
        self.poses_until = None;
        if self.loses() {
            self.outbox.clear();
            self.frames.clear();
            self.held.clear();
            self.glue = None;
        }
    }

    /// Messages whose time has come.
    fn due(&mut self, now: Instant) -> Vec<Item> {
        let (due, held): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held).into_iter().partition(|(at, _)| *at <= now);
        self.held = held;
        due.into_iter().map(|(_, item)| item).collect()
    }

    /// Lets a message have its fate.
    fn suffer(&mut self, item: Item, kind: Kind, hub: &Hub, out: &mut Vec<Item>) -> Then {
        let clock = hub.desk.clock();
        let content = match &item.body {
            Body::Packets(bytes) => Content::Packets(bytes),
            Body::Text(text) => Content::Text(text),
        };
        // Session time as wall time; a clock that only others move lets nothing wait.
        let wall = |length: Age| {
            let speed = clock.speed();
            if speed > 0.0 { Duration::from_secs_f64(length.nanos() as f64 / 1e9 / speed) } else { Duration::ZERO }
        };
        match hub.faults.message(kind, clock.now(), content) {
            None => self.glued(item, out),
            Some(MessageFate::Lost) => {}
            Some(MessageFate::Twice) => {
                out.push(Item { packets: 0, ..item.clone() });
                self.glued(item, out);
            }
            Some(MessageFate::Behind) => self.held.push((Instant::now() + SWAP_PATIENCE, item)),
            Some(MessageFate::Garbled) => out.push(garbled(item)),
            Some(MessageFate::Later(length)) => self.held.push((Instant::now() + wall(length), item)),
            Some(MessageFate::Packets(bytes)) => out.push(Item { body: Body::Packets(bytes), packets: item.packets }),
            Some(MessageFate::Text(text)) => out.push(Item { body: Body::Text(text), packets: 0 }),
            Some(MessageFate::After(bytes)) => {
                out.push(Item { body: Body::Packets(bytes), packets: 0 });
                self.glued(item, out);
            }
            Some(MessageFate::Glued) => {
                if let Some(before) = self.glue.replace(item) {
                    out.push(before);
                }
            }
            Some(MessageFate::For(fault, length)) => {
                let posture = match fault {
                    SocketFault::Stall => Posture::Stall,
                    SocketFault::Silence => Posture::Silence,
                    _ => Posture::HalfOpen,
                };
                self.frames.push_front(item);
                self.pose(posture);
                self.poses_until = Some(Instant::now() + wall(length));
                return Then::Stop;
            }
            Some(MessageFate::End(fault)) => {
                return Then::End(match fault {
                    SocketFault::Close => Ending::Close,
                    SocketFault::Disconnect(reason) => Ending::Disconnect(reason),
                    _ => Ending::Reset,
                });
            }
        }
        Then::GoOn
    }

    /// Passes a message on, with the one glued to it in front.
    fn glued(&mut self, item: Item, out: &mut Vec<Item>) {
        match (self.glue.take(), item) {
            (
                Some(Item { body: Body::Packets(mut bytes), packets }),
                Item { body: Body::Packets(more), packets: others },
            ) => {
                bytes.extend(more);
                out.push(Item { body: Body::Packets(bytes), packets: packets + others });
            }
            (first, item) => out.extend(first.into_iter().chain([item])),
        }
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve<P: Pipe>(mut ws: WebSocketStream<P>, line: Arc<Line>, hub: Arc<Hub>) {
    let ending = drive(&mut ws, &line, &hub).await;
    line.end(ending);
    hub.leave(&line);
    part(ws, line.kind, ending).await;
}

async fn drive<P: Pipe>(ws: &mut WebSocketStream<P>, line: &Line, hub: &Hub) -> Ending {
    let config = &hub.config;
    let mut ping = interval_at(Instant::now() + config.ping_every, config.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pong_at = Instant::now();
    let mut late: VecDeque<(Instant, Item)> = VecDeque::new();
    loop {
        let posture = line.posture();
        let is_open = !matches!(posture, Posture::HalfOpen | Posture::Stall);
        if posture == Posture::Normal
            && let Err(ending) = write_out(ws, line, hub, &mut late).await
        {
            return ending;
        }
        let due = late.front().map(|(due, _)| *due);
        let holds = line.lock().mangler.holds();
        let chore = line.next_chore();
        tokio::select! {
            biased;
            () = line.stop.cancelled() => return line.ending(),
            () = line.wake.notified() => {}
            message = ws.next(), if is_open => match message {
                Some(Ok(Message::Text(text))) if line.kind != Kind::Orders => hub.hear(line, &text),
                Some(Ok(Message::Pong(_))) => pong_at = Instant::now(),
                // Pings are answered underneath; the official client's binary goodbye and second logins mean nothing.
                Some(Ok(Message::Ping(_) | Message::Binary(_) | Message::Text(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ending::Gone,
            },
            _ = ping.tick(), if is_open => {
                if pong_at.elapsed() >= config.pong_timeout {
                    return Ending::Close;
                }
                if let Err(ending) = put(ws, line, hub, Message::Ping(bytes::Bytes::new()), true).await {
                    return ending;
                }
            }
            () = sleep_until(chore.unwrap_or_else(Instant::now)), if chore.is_some() => line.do_chores(),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && posture == Posture::Normal => {}
            () = tokio::time::sleep(SWAP_PATIENCE), if holds && posture == Posture::Normal => {
                let held = line.lock().mangler.release();
                if let Some(item) = held
                    && let Err(ending) = write(ws, line, hub, item, true).await
                {
                    return ending;
                }
            }
        }
    }
}

/// Writes everything that is due.
async fn write_out<P: Pipe>(
    ws: &mut WebSocketStream<P>,
    line: &Line,
    hub: &Hub,
    late: &mut VecDeque<(Instant, Item)>,
) -> Result<(), Ending> {
    loop {
        let (items, delay) = line.take(hub);
        let now = Instant::now();
        let mut ready = Vec::new();
        if delay.is_zero() && late.is_empty() {
            ready = items;
        } else {
            late.extend(items.into_iter().map(|item| (now + delay, item)));
            while late.front().is_some_and(|(due, _)| *due <= now || delay.is_zero()) {
                ready.extend(late.pop_front().map(|(_, item)| item));
            }
        }
        if ready.is_empty() {
            line.landed();
            hub.drained.notify_one();
            return Ok(());
        }
        let last = ready.len() - 1;
        for (n, item) in ready.into_iter().enumerate() {
            write(ws, line, hub, item, n == last).await?;
        }
    }
}

async fn write<P: Pipe>(
    ws: &mut WebSocketStream<P>,
    line: &Line,
    hub: &Hub,
    item: Item,
    flush: bool,
) -> Result<(), Ending> {
    let message = match item.body {
        Body::Packets(bytes) => {
            hub.counters.packets.fetch_add(u64::from(item.packets), Ordering::AcqRel);
            Message::binary(bytes)
        }
        Body::Text(text) => {
            hub.counters.updates.fetch_add(1, Ordering::AcqRel);
            Message::text(text)
        }
    };
    put(ws, line, hub, message, flush).await
}

/// A client that takes no bytes for as long as it may leave pings unanswered is given up.
async fn put<P: Pipe>(
    ws: &mut WebSocketStream<P>,
    line: &Line,
    hub: &Hub,
    message: Message,
    flush: bool,
) -> Result<(), Ending> {
    let write = async {
        ws.feed(message).await?;
        if flush { ws.flush().await } else { Ok(()) }
    };
    tokio::select! {
        biased;
        () = line.stop.cancelled() => Err(line.ending()),
        written = timeout(hub.config.pong_timeout, write) => match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Gone),
            Err(_) => Err(Ending::Reset),
        },
    }
}

/// Takes leave.
pub(super) async fn part<P: Pipe>(mut ws: WebSocketStream<P>, kind: Kind, ending: Ending) {
    if ending == Ending::Reset {
        ws.get_ref().reset_when_dropped();
        return;
    }
    if ending == Ending::Gone {
        return;
    }
    let words = async {
        if let Ending::Disconnect(reason) = ending
            && let Some(packet) = goodbye(kind, reason)
        {
            ws.send(Message::binary(packet)).await?;
        }
        ws.close(None).await?;
        while let Some(Ok(_)) = ws.next().await {}
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    // A goodbye that cannot be said is left unsaid.
    let _ = timeout(FAREWELL, words).await;
}

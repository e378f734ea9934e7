//! Faults of sockets: what the schedule says, as what happens to messages and connections.

use scalper_decide::domain::{Age, Instant};

use super::calls::recased;
use super::kind::{FaultKind, Occasion};
use super::schedule::FaultSchedule;
use crate::broker::dhan::wire::packet::{self, Body, LastTrade, Packet};
use crate::simulator::sockets::faults::{Content, MessageFate, MessageFaults, Refusal};
use crate::simulator::sockets::{Kind, SocketFault};

/// How far [`FaultKind::FeedBackwardsTime`] goes back.
const BACK: u32 = 60;
/// A packet nobody knows: code 99, twelve bytes.
const UNKNOWN: [u8; 12] = [99, 12, 0, 2, 1, 0, 0, 0, 9, 9, 9, 9];

impl MessageFaults for FaultSchedule {
    fn message(&self, kind: Kind, now: Instant, content: Content<'_>) -> Option<MessageFate> {
        let occasion = match kind {
            Kind::Feed => Occasion::FeedMessage,
            Kind::Orders => Occasion::Update,
            Kind::Depth => return None,
        };
        let (kind, length) = self.draw(now, &[occasion])?;
        Some(fate(kind, length, content))
    }

    fn connection(&self, kind: Kind, now: Instant) -> Option<Refusal> {
        if kind != Kind::Feed {
            return None;
        }
        match self.draw(now, &[Occasion::FeedConnection])?.0 {
            FaultKind::FeedRefused429 => Some(Refusal::Status(429)),
            _ => Some(Refusal::Goodbye(805)),
        }
    }
}

fn fate(kind: FaultKind, length: Age, content: Content<'_>) -> MessageFate {
    match (kind, content) {
        (FaultKind::UpdateDropped | FaultKind::FeedDropped, _) => MessageFate::Lost,
        (FaultKind::UpdateDuplicated | FaultKind::FeedDuplicated, _) => MessageFate::Twice,
        (FaultKind::UpdateReordered, _) => MessageFate::Behind,
        (FaultKind::UpdateDelayed, _) => MessageFate::Later(length),
        (FaultKind::UpdateGarbled | FaultKind::FeedGarbled, _) => MessageFate::Garbled,
        (FaultKind::UpdateOtherCasing, Content::Text(text)) => MessageFate::Text(recased(text)),
        (FaultKind::UpdatesHalfOpen | FaultKind::FeedHalfOpen, _) => MessageFate::For(SocketFault::HalfOpen, length),
        (FaultKind::UpdatesStalled | FaultKind::FeedStalled, _) => MessageFate::For(SocketFault::Stall, length),
        (FaultKind::FeedSilent, _) => MessageFate::For(SocketFault::Silence, length),
        (FaultKind::UpdatesDisconnected | FaultKind::FeedDisconnected, _) => MessageFate::End(SocketFault::Reset),
        (FaultKind::FeedUnknownPacket, _) => MessageFate::After(UNKNOWN.to_vec()),
        (FaultKind::FeedGlued, _) => MessageFate::Glued,
        (FaultKind::FeedBackwardsTime, Content::Packets(bytes)) => MessageFate::Packets(set_back(bytes)),
        _ => unreachable!("{} does not happen to messages", kind.word()),
    }
}

/// The same packets with trade times a minute earlier.
fn set_back(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for packet in packet::packets(bytes) {
        let Ok(Packet { segment, security_id, body }) = packet else { return bytes.to_vec() };
        let earlier = |trade: LastTrade| LastTrade { time: trade.time.saturating_sub(BACK), ..trade };
        let body = match body {
            Body::Ticker(trade) => Body::Ticker(earlier(trade)),
            Body::Quote(trade, totals) => Body::Quote(earlier(trade), totals),
            Body::Full(trade, totals, oi, depth) => Body::Full(earlier(trade), totals, oi, depth),
            other => other,
        };
        Packet { segment, security_id, body }.encode(&mut out);
    }
    out
}

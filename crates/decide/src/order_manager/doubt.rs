//! Silence. A placement without an answer is in doubt and is never sent again (L2, L3); a change or a cancellation
//! holds absolute values and is (C18, C19).

use super::OrderManager;
use super::changes::Outcome;
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::{Age, ClientOrderId, Command, Instant, InstrumentId, OrderReport, OrderState, PositionId, Stamp};

/// Doubt that lasts this long is an alarm (I35).
const DOUBT_ALARM: Age = Age::from_secs(10);

/// An order whose existence is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InDoubt {
    /// Its id: what to look up.
    pub id: ClientOrderId,
    /// The position behind it.
    pub position: PositionId,
    /// What it trades.
    pub instrument: InstrumentId,
    /// When it was sent.
    pub sent_at: Instant,
    /// Since when it is in doubt.
    pub since: Instant,
}

impl OrderManager {
    /// Orders in doubt, by id: each must be looked up until evidence or proof of absence ends its doubt (P1).
    pub fn in_doubt(&self) -> impl Iterator<Item = InDoubt> + '_ {
        self.orders.values().filter_map(|t| match t.order.state {
            OrderState::InDoubt { since } => Some(InDoubt {
                id: t.order.spec.id,
                position: t.order.spec.position,
                instrument: t.order.spec.instrument,
                sent_at: t.order.sent_at,
                since,
            }),
            _ => None,
        })
    }

    /// When silence about an order is acted on next.
    pub(super) fn silence_deadlines(&self) -> impl Iterator<Item = Instant> + '_ {
        self.orders.values().flat_map(|t| {
            let answer = match t.order.state {
                OrderState::Sent { at } => Some(at + self.params.answer_timeout),
                OrderState::InDoubt { since } if !t.doubt_told => Some(since + DOUBT_ALARM),
                _ => None,
            };
            let working = matches!(t.order.state, OrderState::Working { .. });
            let sent = t.cancel_sent.or(t.pending.map(|p| p.sent_at)).filter(|_| working);
            let next = sent.and_then(|at| self.next_open(at + self.answer_patience(t.resends)));
            answer.into_iter().chain(next)
        })
    }

    /// How long an answer is waited for, longer every time it did not come.
    fn answer_patience(&self, resends: u8) -> Age {
        Age::from_nanos(self.params.answer_timeout.nanos() << resends.min(4))
    }

    /// Calls silence doubt, and sends unanswered changes and cancellations again.
    pub(super) fn hear_silence(&mut self, now: Stamp, outcome: &mut Outcome) {
        let is_open = self.next_open(now.at) == Some(now.at);
        let (timeout, most) = (self.params.answer_timeout, self.params.max_modifications);
        for t in self.orders.values_mut() {
            let id = t.order.spec.id;
            match t.order.state {
                OrderState::Sent { at } if now.at >= at + timeout => {
                    let unanswered = OrderReport::Unanswered { since: now.at };
                    t.order = t.order.clone().apply(&unanswered).expect("silence contradicts nothing");
                }
                OrderState::InDoubt { since } if !t.doubt_told && now.at >= since + DOUBT_ALARM => {
                    t.doubt_told = true;
                    let text = format!("order {id}: in doubt for {}", now.at.age_of(since));
                    outcome.alarms.push(Alarm { key: AlarmKey::OrderInDoubt, text });
                }
                OrderState::Working { .. } if is_open => {
                    let waited = Age::from_nanos(timeout.nanos() << t.resends.min(4));
                    let instrument = t.order.spec.instrument;
                    let due = t.cancel_sent.or(t.pending.map(|p| p.sent_at)).is_some_and(|at| now.at >= at + waited);
                    if !due {
                        continue;
                    }
                    match &mut t.pending {
                        Some(p) if t.cancel_sent.is_none() && t.versions < most => {
                            t.versions += 1;
                            (p.version, p.sent_at) = (t.versions, now.at);
                            t.order.modification_sent(p.version, p.qty);
                            let (order_type, qty, version) = (p.order_type, p.qty, p.version);
                            outcome.commands.push(Command::Modify { id, instrument, version, order_type, qty });
                        }
                        // Out of modifications, or being taken back anyway.
                        _ => {
                            t.cancel_sent = Some(now.at);
                            outcome.commands.push(Command::Cancel { id, instrument });
                        }
                    }
                    t.resends = t.resends.saturating_add(1);
                    if t.resends == 2 {
                        let text = format!("order {id}: a change stays unanswered, sent {} times", t.resends + 1);
                        outcome.alarms.push(Alarm { key: AlarmKey::ChangeUnanswered, text });
                    }
                }
                _ => {}
            }
        }
    }
}

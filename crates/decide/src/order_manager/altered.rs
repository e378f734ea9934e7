//! An order of ours that somebody else changed (C14, E4), in a way that does not stand: what we confirmed is asserted
//! once. A second time is a person's will, or a broker's: it is told, and where the quantity is not ours any more the
//! order is taken back so that one of our own can take its place.

use super::OrderManager;
use super::changes::Outcome;
use super::tracked::PendingChange;
use crate::domain::alarm::{Alarm, AlarmKey};
use crate::domain::order::OrderSide;
use crate::domain::{ClientOrderId, Command, OrderState, Qty, Stamp};

impl OrderManager {
    /// Takes note that the broker shows `id` with `shown` units in all (`None`: with a type we never send) and terms
    /// that are not the confirmed ones.
    pub fn altered(&mut self, now: Stamp, id: ClientOrderId, shown: Option<Qty>) -> Outcome {
        let mut outcome = Outcome::default();
        let most = self.params.max_modifications;
        let is_open = self.next_open(now.at) == Some(now.at);
        let Some(t) = self.orders.get_mut(&id) else { return outcome };
        let is_working = matches!(t.order.state, OrderState::Working { .. });
        if !is_working || !is_open || t.pending.is_some() || t.cancel_sent.is_some() {
            // Something is on its way about it already; its outcome is looked at in turn.
            return outcome;
        }
        let spec = t.order.spec;
        let what = match spec.side {
            // Terms nobody sized and nobody approved.
            OrderSide::Buy => None,
            OrderSide::Sell if !t.is_reasserted && t.versions < most => Some(true),
            OrderSide::Sell if shown == Some(spec.qty) => Some(false),
            OrderSide::Sell => None,
        };
        let text = match what {
            Some(true) => {
                (t.is_reasserted, t.resends) = (true, 0);
                t.versions += 1;
                let (version, order_type, qty, instrument) = (t.versions, spec.order_type, spec.qty, spec.instrument);
                t.terms_sent(order_type);
                t.pending = Some(PendingChange { version, order_type, qty, sent_at: now.at });
                t.order.modification_sent(version, qty);
                outcome.commands.push(Command::Modify { id, instrument, version, order_type, qty });
                "put back as it was"
            }
            Some(false) => "changed again: left to whoever does it",
            None => {
                (t.cancel_sent, t.resends) = (Some(now.at), 0);
                outcome.commands.push(Command::Cancel { id, instrument: spec.instrument });
                "taken back"
            }
        };
        let text = format!("order {id} was changed by somebody else: {text}");
        outcome.alarms.push(Alarm { key: AlarmKey::OrderAltered, text });
        self.refresh_wake();
        outcome
    }
}

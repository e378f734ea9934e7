//! Modifications and cancellations on their way. An unknown outcome is closed only by rows of books asked for after
//! the call (C18, C19): new values mean it took effect, old ones after a while that it did not.

use super::finding::{Reconciled, Terms};
use super::own::{Own, Stage, terms_of};
use super::params::ReconcilerParams;
use crate::domain::broker::{Answer, OrderRow};
use crate::domain::{Age, Instant, OrderReport, VenueRefusal};

/// Reads that must agree that a change did not take effect.
const OLD_ROWS: u8 = 2;

/// How long a call may be without an answer before rows are asked instead.
const NO_ANSWER: Age = Age::from_secs(10);

/// A modification without a known outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) terms: Terms,
    pub(super) is_unknown: bool,
    watch: Watch,
}

/// A cancellation without a known outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CancelCall {
    pub(super) is_unknown: bool,
    watch: Watch,
}

/// Counts rows on which a call has not taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watch {
    sent_at: Instant,
    /// Rows of books asked for later than this count.
    from: Instant,
    seen: u8,
    last: Option<Instant>,
}

impl Watch {
    fn new(sent_at: Instant, grace: Age) -> Watch {
        Watch { sent_at, from: sent_at + NO_ANSWER + grace, seen: 0, last: None }
    }

    /// Whether this read completes the proof that nothing happened.
    fn see(&mut self, asked_at: Instant, gap: Age) -> bool {
        if asked_at >= self.from && self.last.is_none_or(|last| asked_at >= last + gap) {
            self.seen += 1;
            self.last = Some(asked_at);
        }
        self.seen >= OLD_ROWS
    }
}

fn not_sent(why: &str) -> VenueRefusal {
    VenueRefusal::Other(format!("not sent: {why}"))
}

impl Own {
    pub(super) fn modify_sent(&mut self, now: Instant, version: u8, terms: Terms, p: &ReconcilerParams) {
        let watch = Watch::new(now, self.grace(terms, p));
        self.changes.insert(version, Change { terms, is_unknown: false, watch });
    }

    fn grace(&self, terms: Terms, p: &ReconcilerParams) -> Age {
        if terms.qty > self.spec.qty { p.growth_grace } else { p.change_grace }
    }

    pub(super) fn cancel_sent(&mut self, now: Instant, p: &ReconcilerParams) {
        if matches!(self.stage, Stage::Over { .. }) {
            return;
        }
        self.cancel_wished = true;
        self.cancel = Some(CancelCall { is_unknown: false, watch: Watch::new(now, p.change_grace) });
    }

    /// The answer to a modification.
    pub(super) fn modified(
        &mut self,
        now: Instant,
        version: u8,
        answer: &Answer,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        let executed = self.executed();
        let grace = self.changes.get(&version).map_or(p.change_grace, |c| self.grace(c.terms, p));
        let Some(change) = self.changes.get_mut(&version) else { return };
        match answer {
            Answer::Accepted { .. } if change.terms.qty < executed => {
                self.contradiction(out, "a modification below what is executed was accepted");
            }
            Answer::Accepted { .. } => self.took_effect(now, version, out),
            Answer::Refused { refusal } => self.had_no_effect(version, refusal.clone(), out),
            Answer::NotSent { why } => self.had_no_effect(version, not_sent(why), out),
            Answer::Unknown { .. } => {
                change.is_unknown = true;
                change.watch.from = now + grace;
            }
        }
    }

    /// The answer to a cancellation. That it was accepted is no count of what was executed before: the row has it.
    pub(super) fn cancel_answered(
        &mut self,
        now: Instant,
        answer: &Answer,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        let Some(call) = &mut self.cancel else { return };
        let refusal = match answer {
            Answer::Accepted { .. } => {
                call.watch.from = now + p.change_grace;
                return;
            }
            Answer::Unknown { .. } => {
                call.is_unknown = true;
                call.watch.from = now + p.change_grace;
                return;
            }
            Answer::Refused { refusal } => refusal.clone(),
            Answer::NotSent { why } => not_sent(why),
        };
        self.cancel = None;
        self.say(out, OrderReport::CancelRefused { refusal });
    }

    fn took_effect(&mut self, now: Instant, version: u8, out: &mut Reconciled) {
        let change = self.changes[&version];
        self.changes.retain(|v, _| *v > version);
        (self.spec.order_type, self.spec.qty) = (change.terms.order_type, change.terms.qty);
        (self.terms_at, self.version) = (now, version);
        let Terms { order_type, qty } = change.terms;
        self.say(out, OrderReport::Modified { version, order_type, qty });
        self.complete();
    }

    fn had_no_effect(&mut self, version: u8, refusal: VenueRefusal, out: &mut Reconciled) {
        self.changes.remove(&version);
        self.say(out, OrderReport::ModifyRefused { version, refusal });
        self.complete();
    }

    /// Without the larger quantity that was asked for, or with the smaller one, everything may be executed.
    fn complete(&mut self) {
        if self.stage == Stage::Alive {
            self.end_if_complete();
        }
    }

    /// A row of a living order.
    pub(super) fn changes_by_row(
        &mut self,
        now: Instant,
        row: &OrderRow,
        asked_at: Option<Instant>,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        let shown = terms_of(row);
        let confirmed = self.terms();
        let is_new = |c: &Change| {
            let asked_after = asked_at.is_some_and(|at| at > c.watch.sent_at);
            shown == Some(c.terms) && (asked_after || c.terms != confirmed) && c.terms.qty >= self.executed()
        };
        if let Some(version) = self.changes.iter().rev().find(|(_, c)| is_new(c)).map(|(v, _)| *v) {
            self.took_effect(now, version, out);
        } else if let Some(asked_at) = asked_at {
            let gap = p.alter_after;
            let old: Vec<u8> =
                self.changes.iter_mut().filter_map(|(v, c)| c.watch.see(asked_at, gap).then_some(*v)).collect();
            for version in old {
                let refusal = VenueRefusal::Other("the order book does not show it".to_owned());
                self.had_no_effect(version, refusal, out);
            }
        }
        let gap = p.alter_after;
        if let (Some(call), Some(asked_at)) = (&mut self.cancel, asked_at)
            && call.watch.see(asked_at, gap)
        {
            self.cancel = None;
            let refusal = VenueRefusal::Other("the order book shows it open".to_owned());
            self.say(out, OrderReport::CancelRefused { refusal });
        }
    }

    /// The row an order ended with tells which of its changes took effect.
    pub(super) fn changes_by_end(&mut self, row: &OrderRow, out: &mut Reconciled) {
        let (shown, executed) = (terms_of(row), self.executed());
        let pending: Vec<(u8, Terms)> = self.changes.iter().map(|(v, c)| (*v, c.terms)).collect();
        let made = pending.iter().rev().find(|(_, terms)| shown == Some(*terms) && terms.qty >= executed);
        if let Some((version, terms)) = made {
            self.changes.retain(|v, _| v > version);
            (self.spec.order_type, self.spec.qty, self.version) = (terms.order_type, terms.qty, *version);
            let (order_type, qty) = (terms.order_type, terms.qty);
            self.say(out, OrderReport::Modified { version: *version, order_type, qty });
        }
        for version in self.changes.keys().copied().collect::<Vec<u8>>() {
            self.changes.remove(&version);
            self.say(out, OrderReport::ModifyRefused { version, refusal: VenueRefusal::NotOpen });
        }
    }
}

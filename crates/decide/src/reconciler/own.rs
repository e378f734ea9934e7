//! One order of ours as the broker's words draw it. Rows may come late, twice and in any order: life, executions and
//! the end only ever move forward (D2, D3), and nothing is reported that would contradict an earlier report.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::{CancelCall, Change};
use super::doubt::Proof;
use super::finding::{Finding, Reconciled, Terms};
use super::foreign::ContractKey;
use super::params::ReconcilerParams;
use crate::domain::broker::{Answer, BrokerOrderId, BrokerOrderType, BrokerStatus, OrderRow};
use crate::domain::order::{Fill, OrderSide};
use crate::domain::{
    Command, Instant, Money, OrderEvent, OrderReport, OrderSpec, OrderType, Qty, TradeId, Underlying, VenueRefusal,
};

/// What ended an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A row of the broker's, or executions of everything.
    Books,
    /// Our call was refused or never sent: no row may show it alive.
    Answer,
    /// Proof of absence: no row may show it at all.
    Absent,
}

/// How far an order got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Sent, nothing heard.
    Sent,
    /// The answer is unknown (L3).
    Doubt,
    /// The broker knows it.
    Alive,
    /// Reported as ended with this many units executed.
    Over { counted: Qty, by: End },
}

/// An order that lives although it was reported dead (C3), or executed more than its end allowed for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lost {
    pub(super) is_open: bool,
    cancelled_at: Option<Instant>,
    pub(super) reported: Qty,
    /// A person has looked at it since it last changed.
    pub(super) is_seen: bool,
}

/// One order of ours.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// As sent, with the type and quantity last confirmed.
    pub(super) spec: OrderSpec,
    pub(super) contract: ContractKey,
    pub(super) underlying: Underlying,
    pub(super) sent_at: Instant,
    pub(super) broker_id: Option<BrokerOrderId>,
    pub(super) stage: Stage,
    pub(super) lost: Option<Lost>,
    /// Highest cumulative count.
    pub(super) counted: (Qty, Money),
    pub(super) trades: BTreeMap<TradeId, Fill>,
    pub(super) changes: BTreeMap<u8, Change>,
    pub(super) cancel: Option<CancelCall>,
    /// We asked for a cancellation at any time.
    pub(super) cancel_wished: bool,
    pub(super) proof: Proof,
    /// When somebody looks at it again (I9).
    pub(super) deadline: Option<Instant>,
    /// When its executed quantity last grew.
    pub(super) executed_at: Option<Instant>,
    /// When its terms were last confirmed.
    pub(super) terms_at: Instant,
    pub(super) books_differ: bool,
    /// Something was claimed that cannot be; entries wait until a person looked.
    pub(super) contradicted: bool,
    /// Units beyond its end that the order manager has taken over.
    pub(super) adopted: Qty,
    triggered: bool,
    altered: Option<(Option<Terms>, Instant, bool)>,
    /// Last modification of ours that took effect, and alterations by others that were adopted.
    pub(super) version: u8,
    alterations: u8,
    contradictions: BTreeSet<String>,
    status: BrokerStatus,
    /// Codes of findings that are made once.
    noted: Vec<&'static str>,
}

/// Whether a row shows exactly these terms.
pub(super) fn terms_of(row: &OrderRow) -> Option<Terms> {
    let order_type = match row.order_type {
        BrokerOrderType::Limit => OrderType::Limit { price: row.price },
        BrokerOrderType::StopLoss => OrderType::StopLimit { trigger: row.trigger, price: row.price },
        BrokerOrderType::Market | BrokerOrderType::StopLossMarket => return None,
    };
    Some(Terms { order_type, qty: row.qty })
}

impl Own {
    pub(super) const fn new(spec: OrderSpec, contract: ContractKey, underlying: Underlying, at: Instant) -> Own {
        Own {
            spec,
            contract,
            underlying,
            sent_at: at,
            broker_id: None,
            stage: Stage::Sent,
            lost: None,
            counted: (Qty::ZERO, Money::ZERO),
            trades: BTreeMap::new(),
            changes: BTreeMap::new(),
            cancel: None,
            cancel_wished: false,
            proof: Proof { lists: Vec::new(), lookups: Vec::new() },
            deadline: None,
            executed_at: None,
            terms_at: at,
            books_differ: false,
            contradicted: false,
            adopted: Qty::ZERO,
            triggered: false,
            altered: None,
            version: 0,
            alterations: 0,
            contradictions: BTreeSet::new(),
            status: BrokerStatus::Transit,
            noted: Vec::new(),
        }
    }

    /// Whether the broker may still change something about it.
    pub(super) fn is_open(&self) -> bool {
        match self.stage {
            Stage::Over { .. } => self.lost.as_ref().is_some_and(|lost| lost.is_open),
            _ => true,
        }
    }

    /// Whether its existence or the outcome of one of its calls is unknown.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.stage == Stage::Doubt
            || self.changes.values().any(|c| c.is_unknown)
            || self.cancel.is_some_and(|c| c.is_unknown)
    }

    /// The largest total quantity that can be in force; the same rule as the order's own.
    pub(super) fn ceiling(&self) -> Qty {
        self.changes.values().map(|c| c.terms.qty).fold(self.spec.qty, Qty::max)
    }

    /// The terms confirmed last.
    pub(super) const fn terms(&self) -> Terms {
        Terms { order_type: self.spec.order_type, qty: self.spec.qty }
    }

    pub(super) fn say(&self, out: &mut Reconciled, report: OrderReport) {
        out.reports.push(OrderEvent { id: self.spec.id, instrument: self.spec.instrument, report });
    }

    /// A finding made once per order and code.
    pub(super) fn once(&mut self, out: &mut Reconciled, finding: Finding) {
        if !self.noted.contains(&finding.code()) {
            self.noted.push(finding.code());
            out.findings.push(finding);
        }
    }

    pub(super) fn contradiction(&mut self, out: &mut Reconciled, what: impl Into<String>) {
        let what = what.into();
        // A claim that a person has looked at says nothing new when it is repeated.
        if self.contradictions.insert(what.clone()) {
            self.contradicted = true;
            self.once(out, Finding::Contradiction { id: self.spec.id, what });
        }
    }

    /// A person has looked at what is odd about it; whether anything was. One that still lives beyond its end stays odd.
    pub(super) fn acknowledge(&mut self) -> bool {
        let mut changed = std::mem::take(&mut self.contradicted);
        if let Some(lost) = self.lost.as_mut().filter(|lost| !lost.is_open) {
            changed |= !std::mem::replace(&mut lost.is_seen, true);
        }
        if changed {
            self.noted.retain(|code| *code != "CONTRADICTION");
        }
        changed
    }

    /// Whether it lives, or executed something nobody has looked at, beyond its end.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.is_open || !lost.is_seen)
    }

    pub(super) fn end(&mut self, counted: Qty, by: End) {
        self.stage = Stage::Over { counted, by };
        self.changes.clear();
        self.cancel = None;
    }

    /// First sign of life.
    pub(super) fn hear(&mut self, now: Instant, out: &mut Reconciled) {
        if matches!(self.stage, Stage::Sent | Stage::Doubt) {
            self.stage = Stage::Alive;
            self.terms_at = now;
            self.say(out, OrderReport::Accepted);
        }
    }

    /// No answer came, or one that says nothing.
    pub(super) fn doubt(&mut self, now: Instant, what: &str, out: &mut Reconciled) {
        if self.stage == Stage::Sent {
            self.stage = Stage::Doubt;
            self.say(out, OrderReport::Unanswered { since: now });
            out.findings.push(Finding::InDoubt { id: self.spec.id, what: what.to_owned() });
        }
    }

    /// Closes doubt by proof (I11). The order manager hears of nothing that comes after it.
    pub(super) fn prove_absent(&mut self, p: &ReconcilerParams, out: &mut Reconciled) {
        if self.stage == Stage::Doubt && self.proof.is_complete(p.proofs) {
            self.say(out, OrderReport::ProvenAbsent);
            out.findings.push(Finding::ProvenAbsent {
                id: self.spec.id,
                sent_at: self.sent_at,
                lists: self.proof.lists.clone(),
                lookups: self.proof.lookups.clone(),
            });
            self.end(Qty::ZERO, End::Absent);
        }
    }

    /// The answer to the placement.
    pub(super) fn placed(&mut self, now: Instant, answer: &Answer, out: &mut Reconciled) {
        match answer {
            Answer::Accepted { broker_id, status } => {
                if let Stage::Over { by: End::Answer | End::Absent, .. } = self.stage {
                    return self.lives(now, broker_id, !status.is_final(), out);
                }
                if *status == BrokerStatus::Rejected {
                    return self.refuse(VenueRefusal::Other("rejected by the broker".to_owned()), End::Books, out);
                }
                self.hear(now, out);
            }
            Answer::Refused { refusal } => self.refuse(refusal.clone(), End::Answer, out),
            Answer::NotSent { why } => self.refuse(VenueRefusal::Other(format!("not sent: {why}")), End::Answer, out),
            Answer::Unknown { what } => self.doubt(now, what, out),
        }
    }

    /// A refusal of the placement by answer. Against evidence of life it is not believed: the row will tell.
    fn refuse(&mut self, refusal: VenueRefusal, by: End, out: &mut Reconciled) {
        match self.stage {
            Stage::Sent | Stage::Doubt => {
                self.say(out, OrderReport::Rejected { refusal });
                self.end(Qty::ZERO, by);
            }
            Stage::Alive => {
                let finding = Finding::Contradiction {
                    id: self.spec.id,
                    what: format!("the placement was answered {refusal} and the order lives"),
                };
                self.once(out, finding);
            }
            Stage::Over { .. } => {}
        }
    }

    /// An order reported dead is at the broker: it is taken back, again and again until it is gone.
    pub(super) fn lives(&mut self, now: Instant, broker_id: &BrokerOrderId, is_open: bool, out: &mut Reconciled) {
        let is_new = self.lost.is_none();
        let was_final = self.lost.as_ref().is_some_and(|lost| !lost.is_open);
        let lost = self.lost.get_or_insert_default();
        lost.is_open = is_open && !was_final;
        if is_new {
            let finding = Finding::LateArrival { id: self.spec.id, broker_id: broker_id.clone() };
            out.findings.push(finding);
        }
        let lost = self.lost.as_mut().expect("just inserted");
        let pace = super::CANCEL_AGAIN;
        if lost.is_open && lost.cancelled_at.is_none_or(|at| now >= at + pace) {
            lost.cancelled_at = Some(now);
            out.commands.push(Command::Cancel { id: self.spec.id, instrument: self.spec.instrument });
        }
    }

    /// A row of the order: from a book asked for at `asked_at`, or pushed.
    pub(super) fn row(
        &mut self,
        now: Instant,
        row: &OrderRow,
        asked_at: Option<Instant>,
        p: &ReconcilerParams,
        out: &mut Reconciled,
    ) {
        if ContractKey::of_row(row) != self.contract || row.side != self.spec.side {
            return self.contradiction(out, "the broker shows another contract or side");
        }
        if let Stage::Over { by, .. } = self.stage {
            return self.row_after_end(now, row, by, out);
        }
        if row.status == BrokerStatus::Rejected && self.executed().max(row.filled) == Qty::ZERO {
            self.say(out, OrderReport::Rejected { refusal: VenueRefusal::Other(row.reason.clone()) });
            return self.end(Qty::ZERO, End::Books);
        }
        self.hear(now, out);
        self.status = row.status.clone();
        if row.filled > self.ceiling() {
            self.counted = (row.filled, row.value);
            return self.overrun(now, row.value, out);
        }
        if row.filled > self.executed() {
            self.counted = (row.filled, row.value);
            self.executed_at = Some(now);
            self.say(out, OrderReport::Traded { filled: row.filled, value: row.value });
        } else if row.filled == self.traded() && row.filled > Qty::ZERO {
            self.compare_money(row.value, out);
        }
        if row.status == BrokerStatus::Triggered && self.spec.order_type.trigger().is_some() && !self.triggered {
            self.triggered = true;
            self.say(out, OrderReport::Triggered);
        }
        if let BrokerStatus::Other(status) = &row.status {
            self.once(out, Finding::UnknownStatus { id: self.spec.id, status: status.clone() });
        }
        let is_counted = row.status != BrokerStatus::Traded || self.executed() >= row.qty;
        if row.status.is_final() && is_counted {
            self.end_by_row(row, out);
        } else {
            self.changes_by_row(now, row, asked_at, p, out);
            self.watch_terms(row, asked_at, p, out);
            self.end_if_complete();
        }
    }

    fn row_after_end(&mut self, now: Instant, row: &OrderRow, by: End, out: &mut Reconciled) {
        let is_open = !row.status.is_final();
        let is_alive = row.status != BrokerStatus::Rejected || row.filled > Qty::ZERO;
        if by != End::Books && is_alive {
            self.lives(now, &row.broker_id, is_open, out);
        }
        if !is_open && let Some(lost) = &mut self.lost {
            lost.is_open = false;
        }
        if row.filled > self.executed() {
            self.counted = (row.filled, row.value);
            self.executed_at = Some(now);
        } else if row.filled == self.traded() && row.filled > Qty::ZERO {
            self.compare_money(row.value, out);
        }
        self.note_unmanaged(out);
    }

    /// The broker shows it ended.
    fn end_by_row(&mut self, row: &OrderRow, out: &mut Reconciled) {
        self.changes_by_end(row, out);
        let executed = self.executed();
        if row.filled < executed {
            // What is known to be executed stays executed; the row is late or wrong (D8).
            let what = format!("ended with {} executed, {executed} are known", row.filled);
            self.contradiction(out, what);
        }
        if self.cancel.take().is_some() && executed == self.spec.qty {
            self.say(out, OrderReport::CancelRefused { refusal: VenueRefusal::NotOpen });
        }
        if executed < self.spec.qty {
            self.say(out, OrderReport::Cancelled { filled: executed });
            if row.status == BrokerStatus::Cancelled && !self.cancel_wished {
                out.findings.push(Finding::CancelledElsewhere { id: self.spec.id });
            }
        }
        self.end(executed, End::Books);
    }

    /// Everything that can be in force was executed: no row is needed to know that it is over.
    pub(super) fn end_if_complete(&mut self) {
        let executed = self.executed();
        if executed > Qty::ZERO && executed == self.ceiling() {
            self.end(executed, End::Books);
        }
    }

    /// A book asked for after the terms were confirmed must show them (C14); two reads in a row must agree.
    fn watch_terms(&mut self, row: &OrderRow, asked_at: Option<Instant>, p: &ReconcilerParams, out: &mut Reconciled) {
        let Some(asked_at) = asked_at else { return };
        let is_settled = self.changes.is_empty() && !self.triggered && self.executed() == Qty::ZERO;
        if !is_settled || asked_at < self.terms_at + p.alter_after {
            return;
        }
        let shown = terms_of(row);
        if shown == Some(self.terms()) {
            self.altered = None;
            return;
        }
        match self.altered {
            Some((earlier, at, told)) if earlier == shown => {
                if !told && asked_at >= at + p.alter_after {
                    self.altered = Some((shown, at, true));
                    self.tell_altered(shown, out);
                }
            }
            _ => self.altered = Some((shown, asked_at, false)),
        }
    }

    /// Somebody else changed the order. A sell's stop that only became tighter is taken over as it is.
    fn tell_altered(&mut self, shown: Option<Terms>, out: &mut Reconciled) {
        let (confirmed, spec) = (self.terms(), self.spec);
        let tighter = shown.filter(|t| {
            let rises = t.order_type.trigger() > confirmed.order_type.trigger();
            spec.side == OrderSide::Sell && confirmed.order_type.trigger().is_some() && rises && t.qty == confirmed.qty
        });
        out.findings.push(Finding::Altered {
            id: spec.id,
            position: spec.position,
            confirmed,
            shown,
            is_adopted: tighter.is_some(),
        });
        if let Some(Terms { order_type, qty }) = tighter
            && let Some(nth) = self.alterations.checked_add(1)
        {
            (self.alterations, self.spec.order_type, self.altered) = (nth, order_type, None);
            self.say(out, OrderReport::Altered { version: self.version, nth, order_type, qty });
        }
    }

    /// Reports an order that does not get from the broker to the exchange (C21).
    pub(super) fn watch_transit(&mut self, now: Instant, p: &ReconcilerParams, out: &mut Reconciled) {
        let waits = self.stage == Stage::Alive && self.status == BrokerStatus::Transit;
        if waits && self.executed() == Qty::ZERO && now >= self.sent_at + p.stuck_after {
            self.once(out, Finding::Stuck { id: self.spec.id, since: self.sent_at });
        }
    }
}

/// Bought units count up, sold ones down.
pub(super) const fn signed(side: OrderSide, qty: Qty) -> i64 {
    match side {
        OrderSide::Buy => qty.get(),
        OrderSide::Sell => -qty.get(),
    }
}

//! Faults of our own, planted between the engine and the world. The drill must find each of them: a drill that cannot
//! fail proves nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use scalper_decide::domain::broker::{Answer, BrokerOrderId, BrokerStatus, OrderRow, PositionRow, TradeRow};
use scalper_decide::domain::{ClientOrderId, Money};
use scalper_decide::rate_budget::OrderUse;

use crate::broker::{BrokerBooks, Fault, NewOrder, OrderChange, OrderPort, Rows};

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// A placement without an answer is sent again.
    RetryOnTimeOut,
    /// A look-up or a list that fails counts as one that found nothing.
    ErrorsAreAbsence,
    /// "Durable" is said before it is.
    DroppedFsync,
    /// A change is a cancellation and then a new order.
    CancelThenPlace,
    /// A new date opens a new day, whatever the calendar says.
    MidnightIsANewDay,
}

/// An order port with a bug.
pub(super) struct BuggyPort {
    inner: Arc<dyn OrderPort>,
    bug: Bug,
    placed: Mutex<BTreeMap<BrokerOrderId, NewOrder>>,
}

impl BuggyPort {
    pub(super) fn new(inner: Arc<dyn OrderPort>, bug: Bug) -> BuggyPort {
        BuggyPort { inner, bug, placed: Mutex::new(BTreeMap::new()) }
    }
}

impl OrderPort for BuggyPort {
    fn place(&self, order: NewOrder) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let mut answer = self.inner.place(order.clone()).await;
            if self.bug == Bug::RetryOnTimeOut && matches!(answer, Answer::Unknown { .. }) {
                answer = self.inner.place(order.clone()).await;
            }
            if let Answer::Accepted { broker_id, .. } = &answer {
                self.placed.lock().expect("nothing here panics").insert(broker_id.clone(), order);
            }
            answer
        })
    }

    fn modify(&self, change: OrderChange) -> BoxFuture<'_, Answer> {
        let placed = self.placed.lock().expect("nothing here panics").get(&change.broker_id).cloned();
        match placed.filter(|_| self.bug == Bug::CancelThenPlace) {
            None => self.inner.modify(change),
            Some(order) => Box::pin(async move {
                self.inner.cancel(change.broker_id.clone(), change.purpose != OrderUse::Entry).await;
                let order = NewOrder { qty: change.qty, order_type: change.order_type, ..order };
                self.inner.place(order).await;
                Answer::Accepted { broker_id: change.broker_id, status: BrokerStatus::Pending }
            }),
        }
    }

    fn cancel(&self, broker_id: BrokerOrderId, exit: bool) -> BoxFuture<'_, Answer> {
        self.inner.cancel(broker_id, exit)
    }
}

/// Books that call every failure an empty answer.
pub(super) struct BuggyBooks(pub(super) Arc<dyn BrokerBooks>);

fn nothing<T>(read: Result<Rows<T>, Fault>) -> Result<Rows<T>, Fault> {
    Ok(read.unwrap_or(Rows { rows: Vec::new(), unread: Vec::new() }))
}

impl BrokerBooks for BuggyBooks {
    fn orders(&self) -> BoxFuture<'_, Result<Rows<OrderRow>, Fault>> {
        Box::pin(async { nothing(self.0.orders().await) })
    }
    fn orders_tagged(&self, id: ClientOrderId) -> BoxFuture<'_, Result<Rows<OrderRow>, Fault>> {
        Box::pin(async move { nothing(self.0.orders_tagged(id).await) })
    }
    fn trades(&self) -> BoxFuture<'_, Result<Rows<TradeRow>, Fault>> {
        self.0.trades()
    }
    fn positions(&self) -> BoxFuture<'_, Result<Rows<PositionRow>, Fault>> {
        self.0.positions()
    }
    fn available_balance(&self) -> BoxFuture<'_, Result<Money, Fault>> {
        self.0.available_balance()
    }
}

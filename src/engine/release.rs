//! Holds commands back until the events that led to them are durable (L1, I12), then hands them to the gateway in the
//! order they were decided. Entries and exits stand in queues of their own: an entry that waits for a slow database
//! never holds an exit back (L7).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use scalper_decide::domain::broker::{Answer, BrokerEvent, OrderCall};
use scalper_decide::domain::{ClientOrderId, Command, OrderPurpose};
use tokio::sync::{Notify, mpsc};

use super::gateway::{EventSink, Gateway, Outgoing};
use crate::journal::writer::Receipt;

/// One event's commands and the proof they wait for.
type Batch = (Receipt, Vec<Outgoing>);

/// Batches in the queues.
#[derive(Default)]
struct Held {
    batches: Cell<usize>,
    let_go: Notify,
}

impl Held {
    fn let_go(&self) {
        self.batches.set(self.batches.get() - 1);
        self.let_go.notify_one();
    }
}

/// The two queues.
pub struct Release {
    entries: mpsc::UnboundedSender<Batch>,
    exits: mpsc::UnboundedSender<Batch>,
    entry_orders: BTreeSet<ClientOrderId>,
    held: Rc<Held>,
}

impl Release {
    /// Queues before `gateway`, drained on this thread. `sink` hears of entries that could not be made durable.
    pub fn start(gateway: &Gateway, sink: &EventSink) -> Release {
        let (entries, mut entry_batches) = mpsc::unbounded_channel::<Batch>();
        let (exits, mut exit_batches) = mpsc::unbounded_channel::<Batch>();
        let held = Rc::<Held>::default();
        let (to_gateway, heard, queued) = (gateway.clone(), Rc::clone(sink), Rc::clone(&held));
        actix_rt::spawn(async move {
            while let Some((receipt, batch)) = entry_batches.recv().await {
                let durable = receipt.for_entry().await;
                for outgoing in batch {
                    match &durable {
                        Ok(()) => to_gateway.submit(outgoing),
                        Err(e) => not_sent(&heard, &outgoing, &format!("the journal is not durable: {e}")),
                    }
                }
                queued.let_go();
            }
        });
        let (to_gateway, heard, queued) = (gateway.clone(), Rc::clone(sink), Rc::clone(&held));
        actix_rt::spawn(async move {
            while let Some((receipt, batch)) = exit_batches.recv().await {
                let durable = receipt.for_exit().await;
                for outgoing in batch {
                    match &durable {
                        Ok(_) => to_gateway.submit(outgoing),
                        Err(e) => not_sent(&heard, &outgoing, &e.to_string()),
                    }
                }
                queued.let_go();
            }
        });
        Release { entries, exits, entry_orders: BTreeSet::new(), held }
    }

    /// Whether commands wait to be durable.
    pub fn is_holding(&self) -> bool {
        self.held.batches.get() > 0
    }

    /// Waits until some commands have been let go.
    pub async fn let_go(&self) {
        self.held.let_go.notified().await;
    }

    /// Notes which orders are entries; needed for commands of an earlier process as well.
    pub fn note(&mut self, command: &Command) {
        if let Command::Place(spec) = command
            && spec.purpose == OrderPurpose::Entry
        {
            self.entry_orders.insert(spec.id);
        }
    }

    /// Queues one event's commands.
    pub fn push(&mut self, receipt: &Receipt, batch: Vec<Outgoing>) {
        batch.iter().for_each(|outgoing| self.note(&outgoing.command));
        let is_entry = |outgoing: &Outgoing| self.entry_orders.contains(&outgoing.command.order_id());
        let (entries, exits): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_entry);
        for (queue, batch) in [(&self.exits, exits), (&self.entries, entries)] {
            if !batch.is_empty() {
                self.held.batches.set(self.held.batches.get() + 1);
                // The drains live as long as this thread; when they are gone so is everything else.
                let _ = queue.send((receipt.clone(), batch));
            }
        }
    }
}

fn not_sent(sink: &EventSink, outgoing: &Outgoing, why: &str) {
    let call = OrderCall::of(&outgoing.command);
    let answer = Answer::NotSent { why: why.to_owned() };
    sink(BrokerEvent::Answered { id: outgoing.command.order_id(), call, answer });
}

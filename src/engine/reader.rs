//! Reads of the broker's books, on behalf of the reconciler. A read that fails, or that has a row nobody can read, says
//! so and proves nothing (F-57, B15).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use scalper_decide::domain::broker::{BrokerEvent, BrokerRead};

use super::inbox::Inbox;
use crate::broker::{BrokerBooks, Fault, Rows, Unread};
use crate::clock::SessionClock;

/// Executes reads; each answer comes back through the inbox.
#[derive(Clone)]
pub struct Reader {
    books: Arc<dyn BrokerBooks>,
    inbox: Inbox,
    clock: SessionClock,
    reading: Rc<Cell<usize>>,
}

fn whole<T>(read: Result<Rows<T>, Fault>) -> Result<Vec<T>, String> {
    let words = |unread: Vec<Unread>| {
        let first = unread.first().map_or(String::new(), |row| row.why.clone());
        format!("{} rows could not be read: {first}", unread.len())
    };
    read.map_err(|fault| fault.to_string()).and_then(|rows| rows.complete().map_err(words))
}

impl Reader {
    /// A reader of these books.
    pub fn new(books: Arc<dyn BrokerBooks>, inbox: Inbox, clock: SessionClock) -> Reader {
        Reader { books, inbox, clock, reading: Rc::default() }
    }

    /// Starts one read.
    pub fn start(&self, read: BrokerRead) {
        let reader = self.clone();
        self.reading.set(self.reading.get() + 1);
        actix_rt::spawn(async move {
            let said = reader.read(read).await;
            reader.inbox.broker(said);
            reader.reading.set(reader.reading.get() - 1);
        });
    }

    /// Whether a read is under way.
    pub fn is_reading(&self) -> bool {
        self.reading.get() > 0
    }

    async fn read(&self, read: BrokerRead) -> BrokerEvent {
        let asked_at = self.clock.now();
        let answer = match read {
            BrokerRead::Orders => whole(self.books.orders().await).map(|rows| BrokerEvent::Orders { asked_at, rows }),
            BrokerRead::Trades => whole(self.books.trades().await).map(|rows| BrokerEvent::Trades { asked_at, rows }),
            BrokerRead::Positions => {
                whole(self.books.positions().await).map(|rows| BrokerEvent::Positions { asked_at, rows })
            }
            BrokerRead::ByTag { id } => {
                whole(self.books.orders_tagged(id).await).map(|rows| BrokerEvent::LookedUp { asked_at, id, rows })
            }
        };
        answer.unwrap_or_else(|what| BrokerEvent::ReadFailed { read, what })
    }
}

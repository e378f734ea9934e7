//! The thin shell: moves wishes, states of sockets, evidence and time into the state machine and its orders to the
//! sockets. It runs beside the sockets on the thread that reads them; a plan for thousands is made elsewhere, so that no
//! frame waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::class::Expected;
use super::confirm::{Confirm, Ring};
use super::handle::Handle;
use super::manager::{Manager, Ms, Order, Settings};
use super::standing::Standing;
use crate::broker::dhan::feed::SocketReins;
use crate::broker::dhan::socket::LinkReport;
use crate::market::quotes::{Arrived, LiveQuotes};

/// Time between two looks at what arrived.
const LOOK_EVERY: Ms = 250;
/// Time between two pictures for others when there is much to paint.
const PAINT_EVERY: Ms = 1_000;
/// Instruments from which a turn is not made on the thread of the sockets.
const MANY: usize = 2_000;
/// Time between two turns at least when nothing pinned waits and there is much to hand out.
const TURN_EVERY: Ms = 100;

/// What happened to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It connected.
    Up,
    /// It is not connected (any more).
    Down {
        /// It was lost or could not be opened, and nobody had told it to close.
        in_vain: bool,
    },
}

/// Both state machines and what they remember between two turns.
struct Desk {
    manager: Manager,
    confirm: Confirm,
    version: u64,
    /// Legs anybody wants, the same ones of two owners twice.
    legs: usize,
    looked_at: Ms,
    painted_at: Option<Ms>,
    alarms: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Turn {
    orders: Vec<Order>,
    rings: Vec<Ring>,
    picture: Option<Arc<Standing>>,
    next: Ms,
}

impl Desk {
    fn is_heavy(&self) -> bool {
        self.legs.max(self.manager.handed().0.len()) > MANY
    }

    fn turn(&mut self, now: Ms, handle: &Handle, sent: &[usize], expected: Expected) -> Turn {
        let quotes: &LiveQuotes = handle.quotes();
        let arrived = Arrived { quotes, sent };
        let (links, news) = handle.take(self.version);
        if let Some((version, desired)) = news {
            self.version = version;
            let legs = || desired.tier_b.iter().map(|chain| &chain.legs).chain(desired.tier_a.iter().map(|e| &e.legs));
            quotes.list(desired.pins.keys().chain(legs().flatten()).copied());
            self.legs = desired.pins.len() + legs().map(BTreeSet::len).sum::<usize>();
            self.manager.want(desired);
        }
        for (socket, link) in links {
            match link {
                Link::Up => {
                    self.manager.up(now, socket);
                    self.confirm.reconnected(now, socket, &self.manager, &arrived);
                }
                Link::Down { in_vain } => self.manager.down(socket, in_vain),
            }
        }
        let step = self.manager.step(now);
        let mut turn = Turn { orders: step.orders, ..Turn::default() };
        if !step.log.is_empty() {
            self.confirm.handed(now, &step.log, &arrived);
            handle.tell_log(step.log);
        }
        if now >= self.looked_at + LOOK_EVERY {
            self.looked_at = now;
            let (rings, again) = self.confirm.look(now, expected, &self.manager, &arrived);
            for ring in &rings {
                *self.alarms.entry(ring.key.to_owned()).or_default() += 1;
            }
            turn.rings = rings;
            if !again.is_empty() {
                again.into_iter().for_each(|(socket, class)| self.manager.ask_again(socket, class));
                turn.orders.extend(self.manager.step(now).orders);
            }
            if self.painted_at.is_none_or(|at| !self.is_heavy() || now >= at + PAINT_EVERY) {
                self.painted_at = Some(now);
                let standing = self.confirm.standing(now, &self.manager, &arrived);
                turn.picture = Some(Arc::new(Standing { alarms: self.alarms.clone(), ..standing }));
            }
        }
        let soonest = if self.is_heavy() { now + TURN_EVERY } else { now };
        let next = self.manager.next().map_or(Ms::MAX, |at| at.max(soonest));
        turn.next = next.min(self.looked_at + LOOK_EVERY);
        turn
    }
}

/// Runs the manager over these sockets until it is dropped. `expected` says from which classes data must come now, `ring`
/// is told alarms, `seen` what is shown.
pub async fn run(
    handle: Handle,
    settings: Settings,
    sockets: Vec<SocketReins>,
    reports: Vec<watch::Receiver<LinkReport>>,
    expected: impl Fn() -> Expected,
    ring: impl Fn(&'static str, String),
    mut seen: impl FnMut(Arc<Standing>),
) {
    handle.begin();
    let (manager, confirm) = (Manager::new(settings), Confirm::new(settings));
    let (alarms, painted_at) = (BTreeMap::new(), None);
    let mut desk = Desk { manager, confirm, version: 0, legs: 0, looked_at: 0, painted_at, alarms };
    let start = Instant::now();
    loop {
        let now = start.elapsed().as_millis() as Ms;
        let sent: Vec<usize> = reports.iter().map(|report| report.borrow().sent).collect();
        let expected = expected();
        let turn = if desk.is_heavy() {
            let handle = handle.clone();
            let made = tokio::task::spawn_blocking(move || {
                let turn = desk.turn(now, &handle, &sent, expected);
                (desk, turn)
            });
            let turn;
            (desk, turn) = made.await.expect("the manager does not panic");
            turn
        } else {
            desk.turn(now, &handle, &sent, expected)
        };
        for Order { socket, open, wanted } in turn.orders {
            if let Some(reins) = usize::from(socket.0).checked_sub(1).and_then(|at| sockets.get(at)) {
                reins.set(open, wanted);
            }
        }
        turn.rings.into_iter().for_each(|alarm| ring(alarm.key, alarm.text));
        if let Some(picture) = turn.picture {
            handle.tell(Arc::clone(&picture));
            seen(picture);
        }
        tokio::select! {
            () = sleep_until(start + Duration::from_millis(turn.next)) => {}
            () = handle.woken() => {}
        }
    }
}

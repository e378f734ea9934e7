//! How other rooms say what they want of the feed, and see what became of it. Wishes outlive the sockets and the day's
//! run; pins belong to a run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scalper_decide::domain::Instant;
use tokio::sync::{Notify, mpsc, watch};

use super::manager::LogLine;
use super::shell::Link;
use super::standing::Standing;
use crate::market::Key;
use crate::market::planner::{Chain, Desired, Entry, Pin, SocketId};
use crate::market::quotes::LiveQuotes;

/// What is wanted, and the version of it.
type Wish = (u64, Desired);

#[derive(Debug, Default)]
struct Inputs {
    desired: Desired,
    /// Of `desired`.
    version: u64,
    links: Vec<(SocketId, Link)>,
    log: Option<mpsc::UnboundedSender<Vec<LogLine>>>,
}

#[derive(Debug)]
struct Shared {
    inputs: Mutex<Inputs>,
    wake: Notify,
    standing: watch::Sender<Arc<Standing>>,
    quotes: Arc<LiveQuotes>,
}

/// The manager as everybody else sees it. Clones share it.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

impl Default for Handle {
    fn default() -> Handle {
        Handle(Arc::new(Shared {
            inputs: Mutex::default(),
            wake: Notify::new(),
            standing: watch::Sender::default(),
            quotes: Arc::default(),
        }))
    }
}

impl Handle {
    /// Nothing wanted.
    pub fn new() -> Handle {
        Handle::default()
    }

    fn inputs(&self) -> MutexGuard<'_, Inputs> {
        self.0.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is wanted; `change` says whether it did.
    fn change(&self, change: impl FnOnce(&mut Desired) -> bool) -> bool {
        let mut inputs = self.inputs();
        let changed = change(&mut inputs.desired);
        if changed {
            inputs.version += 1;
            drop(inputs);
            self.0.wake.notify_one();
        }
        changed
    }

    /// Adds a watchlist entry, or puts it in the place of the one with its id. What it becomes is in
    /// [`Handle::standing`] under its id: data, or a visible wait with its age, or why it has no place.
    pub fn add(&self, entry: Entry) {
        self.change(|desired| {
            desired.tier_a.retain(|held| held.id != entry.id);
            desired.tier_a.push(entry);
            true
        });
    }

    /// Takes an entry back: exactly what it had asked for (G1-10). False when there is none with this id.
    pub fn remove(&self, id: u64) -> bool {
        self.change(|desired| {
            let before = desired.tier_a.len();
            desired.tier_a.retain(|entry| entry.id != id);
            desired.tier_a.len() != before
        })
    }

    /// Its user has looked at an entry. False when there is none with this id.
    pub fn touch(&self, id: u64, at: Instant) -> bool {
        self.change(|desired| match desired.tier_a.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                entry.last_used = entry.last_used.max(at);
                true
            }
            None => false,
        })
    }

    /// Takes back the entries that `goes` says; returns how many.
    pub fn clear(&self, goes: impl Fn(&Entry) -> bool) -> usize {
        let mut gone = 0;
        self.change(|desired| {
            let before = desired.tier_a.len();
            desired.tier_a.retain(|entry| !goes(entry));
            gone = before - desired.tier_a.len();
            gone > 0
        });
        gone
    }

    /// What is always on from now on, most important first.
    pub fn always(&self, chains: Vec<Chain>) {
        self.change(|desired| {
            let changed = desired.tier_b != chains;
            desired.tier_b = chains;
            changed
        });
    }

    /// What may not be dropped from now on.
    pub fn pin(&self, pins: BTreeMap<Key, Pin>) {
        self.change(|desired| {
            let changed = desired.pins != pins;
            desired.pins = pins;
            changed
        });
    }

    /// Everything wanted now.
    pub fn desired(&self) -> Desired {
        self.inputs().desired.clone()
    }

    /// Tells what happened to a socket.
    pub fn link(&self, socket: SocketId, link: Link) {
        self.inputs().links.push((socket, link));
        self.0.wake.notify_one();
    }

    /// What sockets carry and what of it is confirmed, as of the last look.
    pub fn standing(&self) -> Arc<Standing> {
        self.0.standing.borrow().clone()
    }

    /// The same, whenever it is looked at.
    pub fn watch(&self) -> watch::Receiver<Arc<Standing>> {
        self.0.standing.subscribe()
    }

    /// Last prices of everything that is subscribed.
    pub fn quotes(&self) -> &Arc<LiveQuotes> {
        &self.0.quotes
    }

    /// Every change of a subscription from now on, with its reason.
    pub fn log(&self) -> mpsc::UnboundedReceiver<Vec<LogLine>> {
        let (lines, log) = mpsc::unbounded_channel();
        self.inputs().log = Some(lines);
        log
    }

    /// A run begins: states of older sockets and pins of an older run say nothing.
    pub(super) fn begin(&self) {
        let mut inputs = self.inputs();
        inputs.links.clear();
        inputs.version += 1;
    }

    /// What happened to sockets since the last time, and what is wanted when that is not of this version.
    pub(super) fn take(&self, known: u64) -> (Vec<(SocketId, Link)>, Option<Wish>) {
        let mut inputs = self.inputs();
        let links = std::mem::take(&mut inputs.links);
        let news = (inputs.version != known).then(|| (inputs.version, inputs.desired.clone()));
        (links, news)
    }

    pub(super) fn tell_log(&self, lines: Vec<LogLine>) {
        let mut inputs = self.inputs();
        if inputs.log.as_ref().is_some_and(|log| log.send(lines).is_err()) {
            inputs.log = None;
        }
    }

    pub(super) fn tell(&self, standing: Arc<Standing>) {
        self.0.standing.send_replace(standing);
    }

    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }
}

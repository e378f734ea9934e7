//! The simulator as its servers share it: one lock around the simulator, the account and the rate limits, one clock,
//! and the streams that its ticks and order updates go out on.
//!
//! Nothing here decides anything: [`Desk::step`] lives the market up to the clock, [`Desk::with`] does that and then
//! lets a server make its call at that instant. Either way everything that happened goes to all subscribers, in order.
//!
//! ```text
//! Desk::new(sim, account, rates, clock)
//!   .run()                              lives the market as the clock goes; one task
//!   .with(|sim, account, now| ..)       a call, at the clock's now
//!   .subscribe_ticks() -> TickStream    ticks with the day's figures, and turns of the day; conflated when read slowly
//!   .subscribe_updates() -> receiver    every change of every order, none ever dropped
//!   .snapshot(key)                      what a feed sends first on a subscription
//! ```

mod stream;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use scalper_decide::domain::tick::ABSENT;
use scalper_decide::domain::{BookLevel, Instant, InstrumentId, Tick};
use tokio::sync::{Notify, mpsc};

use super::account::Account;
use super::answers::Quote;
use super::limits::RateLimits;
use super::market::{Key, MarketError};
use super::oms::order::Update;
use super::{Simulator, Step};
use crate::clock::SessionClock;
use stream::Queue;

pub use stream::{FeedItem, TickStream};

/// The market cannot be lived on: its source cannot be read, or a dated table ends. Final.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulated market has ended in an error: {0}")]
pub struct MarketBroken(pub String);

/// One instrument at one moment: the tick, and the day's figures with that tick in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The instrument.
    pub key: Key,
    /// The tick; `None` in a snapshot of what has not traded today.
    pub tick: Option<Tick>,
    /// Everything a feed packet prints, as of the tick.
    pub quote: Quote,
}

/// The simulator behind its servers. Clones share it.
#[derive(Clone)]
pub struct Desk(Arc<Shared>);

struct Shared {
    clock: SessionClock,
    inner: Mutex<Inner>,
    /// A call may have brought something forward.
    called: Notify,
}

struct Inner {
    sim: Simulator,
    account: Account,
    rates: RateLimits,
    step: Step,
    feeds: Vec<Weak<Queue>>,
    updates: Vec<mpsc::UnboundedSender<Update>>,
    broken: Option<MarketBroken>,
}

impl Desk {
    /// A desk around a simulator. Nothing happens until somebody calls.
    pub fn new(sim: Simulator, account: Account, rates: RateLimits, clock: SessionClock) -> Desk {
        let inner =
            Inner { sim, account, rates, step: Step::default(), feeds: Vec::new(), updates: Vec::new(), broken: None };
        Desk(Arc::new(Shared { clock, inner: Mutex::new(inner), called: Notify::new() }))
    }

    /// Session time.
    pub fn clock(&self) -> &SessionClock {
        &self.0.clock
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().expect("no call panics inside the desk")
    }

    /// Lives the market up to the clock and tells the subscribers; returns the time reached.
    ///
    /// # Errors
    /// The market is broken.
    pub fn step(&self) -> Result<Instant, MarketBroken> {
        let mut inner = self.lock();
        inner.live(self.0.clock.now())?;
        Ok(inner.sim.now())
    }

    /// Steps to the clock, then makes a call there; what the call caused at once is told before this returns.
    ///
    /// # Errors
    /// The market is broken; the call was not made.
    pub fn with<T>(&self, call: impl FnOnce(&mut Simulator, &mut Account, Instant) -> T) -> Result<T, MarketBroken> {
        self.with_limits(|sim, account, _, now| call(sim, account, now))
    }

    /// As [`Desk::with`], with the REST rate limits.
    ///
    /// # Errors
    /// The market is broken; the call was not made.
    pub fn with_limits<T>(
        &self,
        call: impl FnOnce(&mut Simulator, &mut Account, &mut RateLimits, Instant) -> T,
    ) -> Result<T, MarketBroken> {
        let answer = {
            let mut inner = self.lock();
            inner.live(self.0.clock.now())?;
            let Inner { sim, account, rates, .. } = &mut *inner;
            let now = sim.now();
            let answer = call(sim, account, rates, now);
            inner.live(now)?;
            answer
        };
        self.0.called.notify_one();
        Ok(answer)
    }

    /// Looks at what is there, at the time last reached; nothing moves.
    pub fn look<T>(&self, look: impl FnOnce(&Simulator) -> T) -> T {
        look(&self.lock().sim)
    }

    /// When something happens next by itself; [`Instant::MAX`] when the market is over or broken.
    pub fn next_at(&self) -> Instant {
        let inner = self.lock();
        if inner.broken.is_some() { Instant::MAX } else { inner.sim.next_at() }
    }

    /// Lives the market as the clock goes, until it is over. Run by one task; calls from elsewhere are seen.
    ///
    /// # Errors
    /// The market is broken.
    pub async fn run(&self) -> Result<(), MarketBroken> {
        loop {
            let at = self.next_at();
            if at == Instant::MAX {
                return self.step().map(drop);
            }
            tokio::select! {
                () = self.0.clock.sleep_until(at) => {}
                () = self.0.called.notified() => {}
            }
            self.step()?;
            // A clock that is behind never sleeps; others must get their turn.
            tokio::task::yield_now().await;
        }
    }

    /// Ticks and turns of the day from now on.
    pub fn subscribe_ticks(&self) -> TickStream {
        let (stream, queue) = TickStream::new();
        self.lock().feeds.push(queue);
        stream
    }

    /// Every change of every order from now on, in order, none ever left out: the rate limits bound how many there
    /// are.
    pub fn subscribe_updates(&self) -> mpsc::UnboundedReceiver<Update> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().updates.push(sender);
        receiver
    }

    /// The instrument in a slot of today.
    pub fn key_of(&self, slot: InstrumentId) -> Key {
        self.lock().sim.listed(slot).key()
    }

    /// An instrument as it stands at the time last reached; `None` when it is not listed today.
    pub fn snapshot(&self, key: Key) -> Option<Seen> {
        let inner = self.lock();
        let tick = inner.sim.board().find(key)?.1.last;
        Some(Seen { key, tick, quote: inner.sim.quote(key)? })
    }
}

impl Inner {
    /// Lives up to `to`, instant by instant, so that every tick is told with the figures of its own moment.
    fn live(&mut self, to: Instant) -> Result<(), MarketBroken> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        self.feeds.retain(|feed| feed.strong_count() > 0);
        self.updates.retain(|receiver| !receiver.is_closed());
        loop {
            let outcome = self.sim.advance(to, 1, &mut self.step);
            self.tell();
            match outcome {
                Ok(reached) if reached >= to => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(self.give_up(&error)),
            }
        }
    }

    fn give_up(&mut self, error: &MarketError) -> MarketBroken {
        let broken = MarketBroken(error.to_string());
        self.broken = Some(broken.clone());
        broken
    }

    fn tell(&mut self) {
        let feeds: Vec<Arc<Queue>> = self.feeds.iter().filter_map(Weak::upgrade).collect();
        if !feeds.is_empty() {
            let notices = self.step.notices.iter().cloned().map(FeedItem::Notice);
            let ticks =
                self.step.ticks.iter().filter_map(|tick| Some(FeedItem::Tick(Arc::new(seen(&self.sim, tick)?))));
            // Bells of an instant come before its ticks.
            for item in notices.chain(ticks) {
                for feed in &feeds {
                    feed.push(item.clone());
                }
            }
        }
        for update in self.step.updates.drain(..) {
            for receiver in &self.updates {
                // A receiver that is gone is forgotten at the next step.
                let _ = receiver.send(update.clone());
            }
        }
        self.step.clear();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            feed.close();
        }
    }
}

/// A tick with the day's figures. What the tick itself says wins: the board forgets ticks that drive no decision, a
/// feed sends them all the same.
fn seen(sim: &Simulator, tick: &Tick) -> Option<Seen> {
    let key = sim.board().listed().get(tick.instrument.slot())?.key();
    let mut quote = sim.quote(key)?;
    let total = |levels: &[BookLevel]| levels.iter().map(|level| i64::from(level.qty)).sum();
    quote.last_price = tick.ltp_paise;
    quote.last_trade_at = Some(tick.exchange_at);
    if quote.close > 0 && tick.ltp_paise > 0 {
        quote.net_change = tick.ltp_paise - quote.close;
    }
    if tick.ltq > 0 {
        quote.last_quantity = tick.ltq;
    }
    if tick.volume != ABSENT {
        quote.volume = tick.volume;
    }
    if tick.oi != ABSENT {
        quote.oi = tick.oi;
    }
    (quote.bids, quote.asks) = (tick.bids, tick.asks);
    (quote.buy_quantity, quote.sell_quantity) = (total(&tick.bids), total(&tick.asks));
    Some(Seen { key, tick: Some(*tick), quote })
}

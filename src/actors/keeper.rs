//! Actors that may fail alone (design 11, G4): fan-out, recorder sealing, alerts. Each stands under a keeper that owns a
//! factory for it. When it stops or panics, the keeper builds a new one and publishes its address; after five rebuilds
//! in a minute it gives up and says so. The deciders never notice.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Context, Handler, Message, Recipient};
use actix_rt::ArbiterHandle;
use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often an actor may be rebuilt before its keeper gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Rebuilds.
    pub rebuilds: usize,
    /// Within this long.
    pub within: Duration,
    /// Wait before the first rebuild of a series; it doubles with each, up to a second.
    pub wait: Duration,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { rebuilds: 5, within: Duration::from_secs(60), wait: Duration::from_millis(20) }
    }
}

/// Longest wait before a rebuild.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Something happened to a kept actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It ended and was built anew.
    Rebuilt {
        /// Its name.
        name: &'static str,
        /// Whether it had panicked rather than stopped.
        panicked: bool,
    },
    /// It ended too often and stays away: an alarm.
    GaveUp {
        /// Its name.
        name: &'static str,
    },
}

/// Kept by the actor inside itself: tells its keeper when it is gone, however it went.
#[derive(Debug)]
pub struct Lifeline {
    keeper: Recipient<Ended>,
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.keeper.do_send(Ended { panicked: std::thread::panicking() });
    }
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Ended {
    panicked: bool,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct StopKeeping;

/// What a keeper says about its actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is there; the number counts its rebuilds.
    Alive(u64),
    /// It ended and is being built anew.
    Between(u64),
    /// The keeper gave up.
    GaveUp,
}

/// The present address of a kept actor. Ask for it each time and never hold it across an await: a rebuilt actor has
/// another one.
pub struct Kept<A: Actor> {
    slot: Arc<ArcSwapOption<Addr<A>>>,
    keeping: watch::Receiver<Keeping>,
    stop: Recipient<StopKeeping>,
}

impl<A: Actor> Clone for Kept<A> {
    fn clone(&self) -> Self {
        Kept { slot: Arc::clone(&self.slot), keeping: self.keeping.clone(), stop: self.stop.clone() }
    }
}

impl<A: Actor> std::fmt::Debug for Kept<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("keeping", &*self.keeping.borrow()).finish_non_exhaustive()
    }
}

impl<A: Actor> Kept<A> {
    /// Its address now; `None` while it is being rebuilt or has been given up.
    pub fn addr(&self) -> Option<Addr<A>> {
        self.slot.load().as_deref().cloned()
    }

    /// What its keeper says now.
    pub fn keeping(&self) -> Keeping {
        *self.keeping.borrow()
    }

    /// Waits until the keeper says something that `wanted` accepts.
    ///
    /// # Errors
    /// When the keeper itself is gone.
    pub async fn until(&mut self, wanted: impl FnMut(&Keeping) -> bool) -> Result<Keeping, watch::error::RecvError> {
        let mut wanted = wanted;
        self.keeping.wait_for(|keeping| wanted(keeping)).await.map(|keeping| *keeping)
    }

    /// Lets the actor end for good; without an alarm.
    pub fn stop(&self) {
        self.stop.do_send(StopKeeping);
    }
}

type Factory<A> = Box<dyn FnMut(Lifeline) -> A + Send>;
type OnNotice = Box<dyn FnMut(Notice) + Send>;

/// Builds and rebuilds one actor.
struct Keeper<A: Actor> {
    name: &'static str,
    budget: Budget,
    factory: Factory<A>,
    on_notice: OnNotice,
    slot: Arc<ArcSwapOption<Addr<A>>>,
    keeping: watch::Sender<Keeping>,
    ended: VecDeque<Instant>,
    rebuilds: u64,
}

/// Starts an actor under a keeper, on `arbiter`, never the deciders' own. `factory` builds it and must put the
/// [`Lifeline`] inside it; `on_notice` is told of every rebuild and of giving up.
pub fn keep<A>(
    name: &'static str,
    arbiter: &ArbiterHandle,
    budget: Budget,
    factory: impl FnMut(Lifeline) -> A + Send + 'static,
    on_notice: impl FnMut(Notice) + Send + 'static,
) -> Kept<A>
where
    A: Actor<Context = Context<A>>,
{
    let slot = Arc::new(ArcSwapOption::empty());
    let (told, keeping) = watch::channel(Keeping::Between(0));
    let keeper = Keeper {
        name,
        budget,
        factory: Box::new(factory),
        on_notice: Box::new(on_notice),
        slot: Arc::clone(&slot),
        keeping: told,
        ended: VecDeque::new(),
        rebuilds: 0,
    };
    let addr = Keeper::start_in_arbiter(arbiter, move |_| keeper);
    Kept { slot, keeping, stop: addr.recipient() }
}

impl<A: Actor<Context = Context<A>>> Keeper<A> {
    fn build(&mut self, ctx: &mut Context<Self>) {
        let lifeline = Lifeline { keeper: ctx.address().recipient() };
        let factory = &mut self.factory;
        // A factory that panics drops the lifeline, which counts as an end like any other.
        if let Ok(actor) = catch_unwind(AssertUnwindSafe(|| factory(lifeline))) {
            self.slot.store(Some(Arc::new(actor.start())));
            self.keeping.send_replace(Keeping::Alive(self.rebuilds));
        }
    }

    fn ended(&mut self, panicked: bool, ctx: &mut Context<Self>) {
        self.slot.store(None);
        let now = Instant::now();
        let within = self.budget.within;
        self.ended.push_back(now);
        while self.ended.front().is_some_and(|first| now.duration_since(*first) > within) {
            self.ended.pop_front();
        }
        if self.ended.len() > self.budget.rebuilds {
            tracing::error!(actor = self.name, "ended {} times within {within:?} and stays away", self.ended.len());
            self.keeping.send_replace(Keeping::GaveUp);
            (self.on_notice)(Notice::GaveUp { name: self.name });
            return;
        }
        self.rebuilds += 1;
        self.keeping.send_replace(Keeping::Between(self.rebuilds));
        let doublings = u32::try_from(self.ended.len() - 1).unwrap_or(u32::MAX).min(16);
        let wait = (self.budget.wait * 2_u32.pow(doublings)).min(WAIT_MAX);
        ctx.run_later(wait, move |me, ctx| {
            tracing::warn!(actor = me.name, panicked, "built anew");
            me.build(ctx);
            (me.on_notice)(Notice::Rebuilt { name: me.name, panicked });
        });
    }
}

impl<A: Actor<Context = Context<A>>> Actor for Keeper<A> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.build(ctx);
    }
}

impl<A: Actor<Context = Context<A>>> Handler<Ended> for Keeper<A> {
    type Result = ();

    fn handle(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        self.ended(ended.panicked, ctx);
    }
}

impl<A: Actor<Context = Context<A>>> Handler<StopKeeping> for Keeper<A> {
    type Result = ();

    fn handle(&mut self, _: StopKeeping, ctx: &mut Context<Self>) {
        self.slot.store(None);
        ctx.stop();
    }
}

/// Longest the self-test may take.
const SELF_TEST_MAX: Duration = Duration::from_secs(5);

/// The keepers do not keep: the daemon must not report ready (G6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the self-test of the supervision failed: {0}")]
pub struct SelfTestFailed(&'static str);

/// Dies when told to.
struct Dummy {
    _lifeline: Lifeline,
    generation: u64,
}

impl Actor for Dummy {
    type Context = Context<Self>;
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Die;

#[derive(Debug, Message)]
#[rtype(result = "u64")]
struct Generation;

impl Handler<Die> for Dummy {
    type Result = ();

    fn handle(&mut self, _: Die, _: &mut Context<Self>) {
        panic!("the self-test of the supervision kills this actor on purpose");
    }
}

impl Handler<Generation> for Dummy {
    type Result = u64;

    fn handle(&mut self, _: Generation, _: &mut Context<Self>) -> u64 {
        self.generation
    }
}

/// Kills a dummy actor and must see it come back, once at every start of the daemon (G6).
///
/// # Errors
/// [`SelfTestFailed`] when it does not.
pub async fn self_test(arbiter: &ArbiterHandle) -> Result<(), SelfTestFailed> {
    let mut generations = 0..;
    let factory = move |lifeline| Dummy { _lifeline: lifeline, generation: generations.next().unwrap_or(u64::MAX) };
    let mut dummy = keep("self_test", arbiter, Budget::default(), factory, |_| {});
    let test = async {
        dummy.until(|k| *k == Keeping::Alive(0)).await.map_err(|_| SelfTestFailed("no actor was started"))?;
        if ask(&dummy, Generation).await != Some(0) {
            return Err(SelfTestFailed("the first actor does not answer"));
        }
        if ask(&dummy, Die).await.is_some() {
            return Err(SelfTestFailed("an actor survives its own panic"));
        }
        dummy.until(|k| *k == Keeping::Alive(1)).await.map_err(|_| SelfTestFailed("the keeper is gone"))?;
        match ask(&dummy, Generation).await {
            Some(1) => Ok(()),
            _ => Err(SelfTestFailed("no new actor took the place of the dead one")),
        }
    };
    let verdict = tokio::time::timeout(SELF_TEST_MAX, test).await;
    dummy.stop();
    verdict.unwrap_or(Err(SelfTestFailed("the dead actor was not replaced in time")))
}

async fn ask<A, M>(kept: &Kept<A>, message: M) -> Option<M::Result>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    kept.addr()?.send(message).await.ok()
}

#[cfg(test)]
mod tests;

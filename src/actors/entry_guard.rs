//! The entry guard by mailbox: may we enter now?

use std::sync::Arc;

use scalper_decide::entry_guard::{EntryGuard, EntryRefusal, Guarded};
use scalper_decide::order_manager::PositionChange;
use scalper_decide::params::EntryGuardParams;
use scalper_decide::stages::SessionTerms;
use scalper_decide::stages::changes::{self, Changed};
use scalper_decide::stages::entries::{self, EntryCase};

use super::pulse::Beating;
use super::shell::{decider, questions};

decider! {
    /// Holds the door.
    EntryGuardActor { guard: EntryGuard, terms: Option<Arc<SessionTerms>> }
}

impl EntryGuardActor {
    /// An actor around this guard; `terms` are those of the session under way.
    pub const fn new(pulse: Beating, guard: EntryGuard, terms: Option<Arc<SessionTerms>>) -> EntryGuardActor {
        EntryGuardActor { pulse, guard, terms }
    }
}

questions! { EntryGuardActor:
    /// A session opens.
    OpenGuard { terms: Arc<SessionTerms> } -> () = |me, ask| {
        me.guard.open_session(ask.terms.hours.day);
        me.terms = Some(ask.terms);
    };
    /// New settings.
    ConfigureGuard { params: EntryGuardParams } -> () = |me, ask| me.guard.configure(ask.params);
    /// May we enter now?
    Judge { case: Box<EntryCase> } -> Result<Guarded, EntryRefusal>
        = |me, ask| entries::judge(&me.guard, ask.now, me.terms.as_deref(), &ask.case);
    /// Remembers a change of a position.
    Remember { whose: Changed, change: PositionChange, is_first: bool } -> ()
        = |me, ask| changes::remember(&mut me.guard, ask.now, &ask.whose, &ask.change, ask.is_first);
    /// A copy of what it remembers.
    CopyGuard {} -> EntryGuard = |me, ask| me.guard.clone();
}

//! The capital allocator by mailbox: sizes, holds, accounts.

use std::sync::Arc;

use scalper_decide::capital_allocator::{CapitalAllocator, CapitalHold, CapitalRefusal};
use scalper_decide::domain::{HoldId, OptionContract, Underlying};
use scalper_decide::order_manager::PositionChange;
use scalper_decide::pipeline::EntryPrices;
use scalper_decide::risk_manager::StopPreview;
use scalper_decide::stages::changes::{self, Changed};
use scalper_decide::stages::session::OpeningCapital;
use scalper_decide::stages::{NewSettings, SessionTerms, entries, reload, session};

use super::pulse::Beating;
use super::shell::{decider, questions};

decider! {
    /// Holds the money.
    CapitalAllocatorActor { allocator: CapitalAllocator, terms: Option<Arc<SessionTerms>> }
}

impl CapitalAllocatorActor {
    /// An actor around this allocator; `terms` are those of the session under way.
    pub const fn new(
        pulse: Beating,
        allocator: CapitalAllocator,
        terms: Option<Arc<SessionTerms>>,
    ) -> CapitalAllocatorActor {
        CapitalAllocatorActor { pulse, allocator, terms }
    }

    fn hold(&mut self, ask: &Hold) -> Result<CapitalHold, CapitalRefusal> {
        let request = entries::hold_request(self.terms.as_deref(), &ask.contract, ask.prices, &ask.preview);
        self.allocator.hold(&request)
    }
}

questions! { CapitalAllocatorActor:
    /// A session opens.
    OpenCapital { terms: Arc<SessionTerms> } -> OpeningCapital = |me, ask| {
        let opening = session::open_capital(&mut me.allocator, &ask.terms);
        me.terms = Some(ask.terms);
        opening
    };
    /// New settings.
    ConfigureCapital { settings: Arc<NewSettings> } -> ()
        = |me, ask| reload::configure_capital(&mut me.allocator, &ask.settings);
    /// Sizes an entry and holds the money.
    Hold { contract: OptionContract, prices: EntryPrices, preview: StopPreview } -> Result<CapitalHold, CapitalRefusal>
        = |me, ask| me.hold(&ask);
    /// A hold of nothing, for units bought without one.
    HoldNothing { underlying: Underlying } -> HoldId = |me, ask| me.allocator.hold_nothing(ask.underlying);
    /// Gives a hold back.
    Release { hold: HoldId } -> () = |me, ask| me.allocator.release(ask.hold);
    /// Accounts for a change of a position.
    Account { whose: Changed, change: PositionChange } -> ()
        = |me, ask| changes::account(&mut me.allocator, &ask.whose, &ask.change);
    /// A copy of the account.
    CopyCapital {} -> CapitalAllocator = |me, ask| me.allocator.clone();
}

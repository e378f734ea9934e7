//! What a stage does beyond one call of its core: which facts it needs from the others, and what it makes of a change.
//! Every way to wire the stages (plain calls, mailboxes) goes through these functions, so none holds a rule of its own.

pub mod adoption;
pub mod changes;
pub mod entries;
pub mod ledger;
pub mod market;
pub mod reload;
pub mod sellable;
pub mod session;
pub mod signals;

pub use ledger::Ledger;
pub use market::Market;
pub use reload::{NewSettings, Reload};
pub use session::SessionTerms;
pub use signals::{IvSeeds, Signals};

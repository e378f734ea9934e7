//! Brokers: what may be asked of one ([`OrderPort`], [`BrokerBooks`], [`MarketData`]), and Dhan, the only one so far.

pub mod dhan;
pub mod fault;
pub mod market;
pub mod mode;
pub mod ports;

pub use fault::Fault;
pub use mode::{Live, LiveConsent, MayTrade, Paper, Sim};
pub use ports::{BrokerBooks, MarketData, NewOrder, OrderChange, OrderPort, Rows, Unread};

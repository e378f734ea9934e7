//! The actors: one thin shell per decider, named like its core, and the feed hub that takes events through them.
//!
//! All deciders live on one arbiter, the one that reads the sockets. [`feed_hub`] is the sequencer, [`mailboxes`] the
//! stages by mailbox, [`lanes`] the bounded queue before the hub. [`supervisor`] watches progress from outside,
//! [`last_words`] ends the process when a decider dies, [`keeper`] rebuilds the actors that may fail alone (design 11).

pub mod capital_allocator;
pub mod chain_analyzer;
pub mod entry_guard;
pub mod feed_hub;
pub mod keeper;
pub mod lanes;
pub mod last_words;
pub mod mailboxes;
pub mod order_manager;
pub mod pulse;
pub mod risk_manager;
pub mod shell;
pub mod signal_engine;
pub mod supervisor;
pub mod tick_cache;
pub mod wiring;
